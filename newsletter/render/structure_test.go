package render_test

import (
	"strconv"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"pressrun/newsletter/render"
)

// emails are the golden ones, for rules that hold for every mail.
func emails(t *testing.T) map[string]render.Email {
	t.Helper()
	all := map[string]render.Email{}
	for name, l := range letters(t) {
		all[name] = issue(t, l)
	}
	e, err := render.Notice(note())
	if err != nil {
		t.Fatal(err)
	}
	all["notice"] = e
	return all
}

func TestHead(t *testing.T) {
	for name, e := range emails(t) {
		if !strings.HasPrefix(e.HTML, "<!DOCTYPE html>") {
			t.Errorf("%s: begins with %.40q", name, e.HTML)
		}
		root := tree(t, e.HTML)
		lang, dir := "en", "ltr"
		if name == "arabic" {
			lang, dir = "ar", "rtl"
		}
		// Webmail drops the html element, so that the outer table must say it again.
		for _, n := range []*html.Node{find(root, atom.Html)[0], find(root, atom.Table)[0]} {
			if attr(n, "lang") != lang || attr(n, "dir") != dir {
				t.Errorf("%s: <%s lang=%q dir=%q>, want %s and %s", name, n.Data, attr(n, "lang"), attr(n, "dir"), lang, dir)
			}
		}
		if got := find(root, atom.Body)[0]; attr(got, "dir") != dir {
			t.Errorf("%s: <body dir=%q>, want %s", name, attr(got, "dir"), dir)
		}
		if got := find(root, atom.Title)[0].FirstChild; got == nil || got.Data != e.Subject {
			t.Errorf("%s: the title isn't the subject %q", name, e.Subject)
		}
		first := find(root, atom.Div)[0]
		if style := attr(first, "style"); !strings.Contains(style, "display:none") || !strings.Contains(style, "mso-hide:all") {
			t.Errorf("%s: the first div isn't the hidden preheader: %s", name, style)
		}
		if text := content(first); !strings.HasPrefix(text, squeeze(e.Preheader)) {
			t.Errorf("%s: the preheader is %q, want %q", name, text, e.Preheader)
		}
		if strings.ContainsAny(e.Text, "\u2007\u034f\ufeff") {
			t.Errorf("%s: the preheader's padding is in the text part", name)
		}
	}
}

// Gmail drops a style sheet in the body, one with url(), one with an at-rule inside an at-rule, and one over 16 KB.
func TestStyleSheets(t *testing.T) {
	for name, e := range emails(t) {
		sheets := find(tree(t, e.HTML), atom.Style)
		if len(sheets) == 0 {
			t.Errorf("%s: the style sheets for phones and the dark are gone", name)
		}
		for _, s := range sheets {
			css := s.FirstChild.Data
			if s.Parent.DataAtom != atom.Head || strings.Contains(css, "url(") || strings.Contains(css, "@import") || strings.Count(css, "@") > 1 || len(css) > 16<<10 {
				t.Errorf("%s: a style sheet that Gmail drops:\n%s", name, css)
			}
			if attr(s, "data-embed") != "" || strings.Contains(e.HTML, "data-embed") {
				t.Errorf("%s: our own mark data-embed is left", name)
			}
		}
		for _, want := range []string{"prefers-color-scheme: dark", "[data-ogsc]", "[data-ogsb]", "max-width: 620px"} {
			if !strings.Contains(e.HTML, want) {
				t.Errorf("%s: no rule for %s", name, want)
			}
		}
	}
}

func TestNothingIsLoadedFromOutside(t *testing.T) {
	for name, e := range emails(t) {
		for n := range tree(t, e.HTML).Descendants() {
			for _, a := range n.Attr {
				if n.DataAtom == atom.Img && a.Key == "src" && strings.HasPrefix(a.Val, "https://news.example.org/p/") {
					continue // the article's own
				}
				if a.Key == "src" || a.Key == "srcset" || a.Key == "background" || a.Key == "href" && n.DataAtom != atom.A {
					t.Errorf("%s: <%s %s=%q> loads something", name, n.Data, a.Key, a.Val)
				}
			}
		}
	}
}

// Layout tables are no data: a screen reader must not read out their rows. Outlook needs the spacing set to nothing.
func TestTables(t *testing.T) {
	for name, e := range emails(t) {
		data := 0
		for _, table := range find(tree(t, e.HTML), atom.Table) {
			heads := 0
			for _, th := range find(table, atom.Th) {
				heads++
				if attr(th, "scope") != "col" {
					t.Errorf("%s: a table's head without scope: %s", name, content(th))
				}
			}
			// The layout's tables hold the data ones, so their own class tells them.
			isData := strings.Contains(attr(table, "class"), "data")
			if isData {
				data++
			}
			if (attr(table, "role") == "presentation") == isData || isData && heads == 0 {
				t.Errorf("%s: <table class=%q role=%q> with %d heads", name, attr(table, "class"), attr(table, "role"), heads)
			}
			if attr(table, "cellpadding") != "0" || attr(table, "cellspacing") != "0" {
				t.Errorf("%s: <table class=%q> without spacing set", name, attr(table, "class"))
			}
		}
		if want := map[string]int{"features": 2, "arabic": 1, "health": 1}[name]; data != want {
			t.Errorf("%s: %d data tables, want %d", name, data, want)
		}
	}
}

func TestHeadingsAreInOrder(t *testing.T) {
	l := letter("###### Deep\n\n# Top\n\n#\n\n#### Skips\n\n## Between\n\n#### Skips again\n\n# Top again")
	all := emails(t)
	all["odd"] = issue(t, l)
	for name, e := range all {
		last := 0
		for i, h := range find(tree(t, e.HTML), atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6) {
			level, _ := strconv.Atoi(h.Data[1:])
			if i == 0 && level != 1 || i > 0 && level == 1 || level > last+1 || content(h) == "" {
				t.Errorf("%s: heading %d is <%s>%s after level %d", name, i, h.Data, content(h), last)
			}
			last = level
		}
	}
}

func TestOutlookCommentsArePairs(t *testing.T) {
	for name, e := range emails(t) {
		if open, closed := strings.Count(e.HTML, "<!--[if mso]>"), strings.Count(e.HTML, "<![endif]-->"); open != 3 || closed != 3 {
			t.Errorf("%s: %d conditional comments open and %d close, want 3 each", name, open, closed)
		}
		var inside strings.Builder
		for _, part := range strings.Split(e.HTML, "<!--[if mso]>")[1:] {
			own, _, _ := strings.Cut(part, "<![endif]-->")
			inside.WriteString(own)
		}
		for _, tag := range []string{"table", "tr", "td"} {
			if open, closed := strings.Count(inside.String(), "<"+tag+">")+strings.Count(inside.String(), "<"+tag+" "), strings.Count(inside.String(), "</"+tag+">"); open != closed || open == 0 {
				t.Errorf("%s: Outlook sees %d <%s> and %d ends", name, open, tag, closed)
			}
		}
	}
}

// Word pads cells only, and knows no max-width but on tables.
func TestOutlookUnderstandsTheBoxes(t *testing.T) {
	for name, e := range emails(t) {
		for n := range tree(t, e.HTML).Descendants() {
			style := attr(n, "style")
			switch n.DataAtom {
			case atom.Div, atom.P, atom.Span, atom.H1, atom.H2, atom.H3, atom.A:
				if strings.Contains(style, "padding") && !strings.Contains(attr(n, "class"), "press") {
					t.Errorf("%s: <%s> is padded: %s", name, n.Data, style)
				}
			case atom.Td:
				if strings.Contains(style, "max-width") {
					t.Errorf("%s: a cell with max-width: %s", name, style)
				}
			}
		}
	}
}

func TestSize(t *testing.T) {
	l := letter(strings.Repeat(source(t, "sample")+"\n\n", 3)) // just over 1,000 words
	if n := len(strings.Fields(l.Markdown)); n < 900 || n > 1100 {
		t.Fatalf("the text has %d words, want about 1,000", n)
	}
	if got := len(issue(t, l).HTML); got > 30<<10 {
		t.Errorf("1,000 words make %d bytes of HTML, want at most 30 KB", got)
	}
}

func TestTextPart(t *testing.T) {
	for name, e := range emails(t) {
		lines := strings.Split(e.Text, "\n")
		signed := false
		for i, line := range lines {
			switch {
			case letterCount(line) > 72 && !strings.Contains(line, "://") && !strings.HasPrefix(line, "    "):
				t.Errorf("%s: line %d is longer than 72: %q", name, i+1, line)
			case line == "-- ":
				signed = true
			case strings.TrimRight(line, " ") != line:
				t.Errorf("%s: line %d ends in spaces: %q", name, i+1, line)
			}
		}
		if !signed {
			t.Errorf("%s: no signature line", name)
		}
		if strings.Contains(e.Text, "\n\n\n") {
			t.Errorf("%s: two blank lines in a row", name)
		}
		if !strings.Contains(e.Text, "12 Quay Street, 20459 Hamburg, Germany") {
			t.Errorf("%s: no postal address", name)
		}
	}
}

// letterCount counts what takes a column: vowel signs stand above their letters.
func letterCount(line string) int {
	n := 0
	for _, r := range line {
		if !unicode.Is(unicode.Mn, r) {
			n++
		}
	}
	return n
}
