package render_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pressrun/newsletter/mailer"
	"pressrun/newsletter/render"
	"pressrun/templates"
)

var update = flag.Bool("update", false, "rewrite testdata/golden")

const (
	hole        = "https://unsubscribe.invalid/HOLE"
	preferences = "https://preferences.invalid/HOLE"
)

// letter is a valid letter around a text.
func letter(markdown string) render.Letter {
	return render.Letter{
		Language:        "en",
		SiteName:        "Harbour Clinic",
		BaseURL:         "https://news.example.org",
		SeriesTitle:     "Skin, week by week",
		SeriesURL:       "https://news.example.org/skin",
		Title:           "What short nights do to your skin",
		Markdown:        markdown,
		Disclaimer:      "Please note: Ask a qualified practitioner about your own case.",
		DisclaimerPlace: "end",
		Part:            7,
		Of:              40,
		Previous:        &render.Link{Title: "Five foods that calm the gut", URL: "https://news.example.org/skin/five-foods"},
		Next:            &render.Link{Title: "Herbs for calmer evenings"},
		ViewURL:         "https://news.example.org/skin/short-nights",
		PostalAddress:   "12 Quay Street\n20459 Hamburg\nGermany",
		PrivacyURL:      "https://news.example.org/privacy",
		ImprintURL:      "https://news.example.org/imprint",
		UnsubscribeURL:  hole,
		PreferencesURL:  preferences,
	}
}

func source(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "source", name+".md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// issue renders a letter that must be valid.
func issue(t testing.TB, l render.Letter) render.Email {
	t.Helper()
	e, err := render.Issue(l)
	if err != nil {
		t.Fatalf("Issue(%q): %v", l.Title, err)
	}
	return e
}

// letters are the golden ones: the plain shape that most articles have, one that uses everything, and one written from
// right to left.
func letters(t testing.TB) map[string]render.Letter {
	features := letter(source(t, "features"))
	features.Title, features.Subject = "Everything at once", "A letter that holds everything an article may hold"
	features.Greeting = "Welcome, and thank you for signing up.\n\nThis is where the series begins; the next letter comes on Tuesday."
	features.DisclaimerPlace = "both"
	features.ArticleDisclaimer = "Herbs act on medicines: see [the list](https://example.org/interactions) before you **combine** them."
	features.Next.URL = "https://news.example.org/skin/calmer-evenings"

	arabic := letter(source(t, "arabic"))
	arabic.Language, arabic.Title, arabic.DisclaimerPlace = "ar", "ماذا تفعل الليالي القصيرة ببشرتك", "start"
	arabic.SiteName, arabic.SeriesTitle = "عيادة المرفأ", "بشرتك أسبوعًا بعد أسبوع"
	arabic.Disclaimer = "يرجى الانتباه: من الأفضل دائمًا استشارة مختص مؤهل."
	arabic.Previous.Title, arabic.Next.Title = "الأعشاب الهادئة", "أربع أعشاب للمساء"

	health := letter(source(t, "health"))
	health.Subject, health.NameHole = "{{name|Good morning}}: what short nights do to your skin", nameHole
	health.Day = time.Date(2027, 3, 30, 9, 0, 0, 0, time.UTC)
	health.Pictures = map[string]render.Picture{
		"hills.jpg": {URL: "https://news.example.org/p/73dbc3da.jpg", Width: 1200, Height: 550},
		"hours.png": {URL: "https://news.example.org/p/7d30aca4.png", Width: 900, Height: 420},
	}
	health.Image, health.ImageAlt, health.ImageCaption = "hills.jpg", "Hills at sunrise", "The day begins the evening before."
	health.Sources = []string{"Carskadon and others, *Sleep and the skin barrier*, 2015, https://example.org/barrier", "The [sleep tables](https://example.org/tables) of 2027"}
	health.ReviewedBy, health.ReviewBy = "Dr. Mara Ellison, dermatologist", time.Date(2028, 3, 14, 0, 0, 0, 0, time.UTC)

	styled := letter(source(t, "sample"))
	styled.Style = render.Style{
		Look: templates.Look{Theme: "plain", Accent: "#8a1c4a", Ground: "#fdf8f4", Type: "large"},
		Logo: render.Picture{URL: "https://news.example.org/p/1090.png", Width: 400, Height: 120},
	}

	return map[string]render.Letter{"plain": styled, "sample": letter(source(t, "sample")), "features": features, "arabic": arabic, "health": health}
}

func note() render.Note {
	return render.Note{
		Language:      "en",
		SiteName:      "Harbour Clinic",
		Subject:       "Please confirm your address",
		Heading:       "One click, and you are in",
		Paragraphs:    []string{"Somebody, we hope you, asked for the letters of “Skin, week by week”.", "Press the button to confirm that this address is yours."},
		Button:        &render.Link{Title: "Yes, send me the letters", URL: "https://news.example.org/c/k3J9xQ2vHfW7"},
		After:         []string{"If that wasn’t you, do nothing: without a click you won’t hear from us again. See https://news.example.org/help?a=1&b=2, and ask."},
		PostalAddress: "12 Quay Street, 20459 Hamburg, Germany",
		PrivacyURL:    "https://news.example.org/privacy",
	}
}

func TestGolden(t *testing.T) {
	emails := map[string]render.Email{}
	for name, l := range letters(t) {
		emails[name] = issue(t, l)
	}
	e, err := render.Notice(note())
	if err != nil {
		t.Fatal(err)
	}
	emails["notice"] = e
	for name, e := range emails {
		t.Run(name, func(t *testing.T) {
			golden(t, name+".html", e.HTML)
			golden(t, name+".txt", fmt.Sprintf("Subject: %s\nPreheader: %s\n\n%s", e.Subject, e.Preheader, e.Text))
			if e.ArticleHTML != "" {
				golden(t, name+".page.html", e.ArticleHTML)
			}
			golden(t, name+".eml", string(message(t, name, e)))
		})
	}
}

// filledHoles puts into a letter's holes what a reader without a name gets.
var filledHoles = strings.NewReplacer(
	nameHole.Before, "", nameHole.After, "", hole, "https://news.example.org/u/TOKEN", preferences, "https://news.example.org/preferences/TOKEN",
)

// message is the whole message of a mail, as it would leave unsigned for a reader without a name.
func message(t testing.TB, name string, e render.Email) []byte {
	t.Helper()
	d := mailer.Draft{
		MessageID: name + "@clinic.example", Date: time.Date(2027, 3, 30, 9, 0, 0, 0, time.UTC), ReplyTo: "desk@clinic.example",
		From: mailer.Mailbox{Name: "Harbour Clinic", Email: "letters@clinic.example"}, To: mailer.Mailbox{Name: "Zoë Ng", Email: "zoe@reader.example"},
		Subject: filledHoles.Replace(e.Subject), HTML: filledHoles.Replace(e.HTML), Text: filledHoles.Replace(e.Text), FeedbackID: "issue:skin:slot:abcdefgh",
	}
	if e.ArticleHTML != "" {
		d.List = &mailer.List{ID: "skin.clinic.example", Name: "Harbour Clinic", UnsubscribeURL: "https://news.example.org/u/TOKEN"}
	}
	m, err := mailer.Compose(d)
	if err != nil {
		t.Fatal(err)
	}
	return m.Bytes
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test -update writes it)", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, diff)
	}
}

// A retry must be the same message, whoever renders beside it.
func TestIssueIsTheSameEachTime(t *testing.T) {
	for name, l := range letters(t) {
		first := issue(t, l)
		for i := range 4 {
			t.Run(fmt.Sprintf("%s %d", name, i), func(t *testing.T) {
				t.Parallel()
				if diff := cmp.Diff(first, issue(t, l)); diff != "" {
					t.Errorf("another rendering differs (-first +another):\n%s", diff)
				}
			})
		}
	}
}

func TestIssueNamesTheFields(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*render.Letter)
		want   []string
	}{
		"no title":               {func(l *render.Letter) { l.Title = " " }, []string{"Title"}},
		"no text":                {func(l *render.Letter) { l.Markdown = "\n \n" }, []string{"Markdown"}},
		"only a comment":         {func(l *render.Letter) { l.Markdown = "<!-- to be written -->" }, []string{"Markdown"}},
		"only a reference":       {func(l *render.Letter) { l.Markdown = "[later]: https://example.org" }, []string{"Markdown"}},
		"only a script":          {func(l *render.Letter) { l.Markdown = "<script>\nlet words = 1\n</script>" }, []string{"Markdown"}},
		"only rules":             {func(l *render.Letter) { l.Markdown = "---\n\n***" }, []string{"Markdown"}},
		"no disclaimer":          {func(l *render.Letter) { l.Disclaimer = "" }, []string{"Disclaimer"}},
		"replaced by nothing":    {func(l *render.Letter) { l.Disclaimer, l.ArticleMode = "", "replace" }, []string{"Disclaimer"}},
		"odd place":              {func(l *render.Letter) { l.DisclaimerPlace = "middle" }, []string{"DisclaimerPlace"}},
		"no postal address":      {func(l *render.Letter) { l.PostalAddress = "\n" }, []string{"PostalAddress"}},
		"no way out":             {func(l *render.Letter) { l.UnsubscribeURL = "" }, []string{"UnsubscribeURL"}},
		"a script for a way out": {func(l *render.Letter) { l.UnsubscribeURL = "javascript:alert(1)" }, []string{"UnsubscribeURL"}},
		"a path for an address":  {func(l *render.Letter) { l.ViewURL = "/skin/short-nights" }, []string{"ViewURL"}},
		"a password in a link":   {func(l *render.Letter) { l.ImprintURL = "https://me:secret@example.org/" }, []string{"ImprintURL"}},
		"a quote in a link":      {func(l *render.Letter) { l.PrivacyURL = `https://example.org/"x` }, []string{"PrivacyURL"}},
		"nameless neighbour":     {func(l *render.Letter) { l.Previous.Title = "" }, []string{"Previous"}},
		"evil neighbour":         {func(l *render.Letter) { l.Next.URL = "data:text/html,x" }, []string{"Next"}},
		"no language":            {func(l *render.Letter) { l.Language = "no language" }, []string{"Language"}},
		"header in the subject":  {func(l *render.Letter) { l.Subject = "Hello\r\nBcc: all@example.org" }, []string{"Subject"}},
		"NUL in the title":       {func(l *render.Letter) { l.Title = "Hel\x00lo" }, []string{"Title"}},
		"everything": {func(l *render.Letter) { *l = render.Letter{} }, []string{
			"Title", "SiteName", "SeriesTitle", "PostalAddress", "Markdown", "Disclaimer", "UnsubscribeURL",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			l := letter("A text.")
			tt.change(&l)
			e, err := render.Issue(l)
			if got := badFields(err); !slices.Equal(got, tt.want) {
				t.Errorf("fields at fault: %q (%v), want %q", got, err, tt.want)
			}
			if e != (render.Email{}) {
				t.Errorf("a faulty letter was rendered: %.80q", e.HTML)
			}
		})
	}
}

func TestNoticeNamesTheFields(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*render.Note)
		want   []string
	}{
		"no subject":        {func(n *render.Note) { n.Subject = "" }, []string{"Subject"}},
		"no text":           {func(n *render.Note) { n.Paragraphs = []string{" "} }, []string{"Paragraphs"}},
		"a dead button":     {func(n *render.Note) { n.Button = &render.Link{Title: "Go"} }, []string{"Button"}},
		"an evil button":    {func(n *render.Note) { n.Button.URL = "javascript:alert(1)" }, []string{"Button"}},
		"a broken subject":  {func(n *render.Note) { n.Subject = "a\nb" }, []string{"Subject"}},
		"a nameless button": {func(n *render.Note) { n.Button.Title = "" }, []string{"Button"}},
	} {
		t.Run(name, func(t *testing.T) {
			n := note()
			tt.change(&n)
			_, err := render.Notice(n)
			if got := badFields(err); !slices.Equal(got, tt.want) {
				t.Errorf("fields at fault: %q (%v), want %q", got, err, tt.want)
			}
		})
	}
}

// The way out must survive as it is, so that outbox can put each person's own address in its place.
func TestHoleStaysWhole(t *testing.T) {
	for name, l := range letters(t) {
		e := issue(t, l)
		if got := strings.Count(e.HTML, `href="`+hole+`"`); got != 1 {
			t.Errorf("%s: the HTML links to the hole %d times, want once", name, got)
		}
		if !slices.Contains(strings.Split(e.Text, "\n"), hole) {
			t.Errorf("%s: the text has no line that is the hole alone", name)
		}
		if strings.Contains(e.ArticleHTML, hole) {
			t.Errorf("%s: the public page holds the hole", name)
		}
	}
}

func TestDisclaimerStandsWhereItMust(t *testing.T) {
	const series, own = "Always ask a practitioner <first>.", "1. Not for children under 3 & not for cats."
	for _, place := range []string{"start", "end", "both"} {
		for _, mode := range []string{"add", "replace"} {
			l := letter("The article itself.")
			l.Disclaimer, l.DisclaimerPlace, l.ArticleDisclaimer, l.ArticleMode = series, place, own, mode
			e := issue(t, l)
			times := map[string]int{"start": 1, "end": 1, "both": 2}[place]
			for part, text := range map[string]string{"HTML": visible(t, e.HTML), "text": squeeze(e.Text), "page": visible(t, e.ArticleHTML)} {
				want := map[string]int{series: times, own: times}
				if mode == "replace" {
					want[series] = 0
				}
				for wording, n := range want {
					if got := strings.Count(text, wording); got != n {
						t.Errorf("%s, %s: the %s holds %q %d times, want %d:\n%s", place, mode, part, wording, got, n, text)
					}
				}
				before := strings.Index(text, own) < strings.LastIndex(text, "The article itself") // the HTML begins with it, unseen, for the inbox
				if want := place != "end"; before != want {
					t.Errorf("%s, %s: in the %s the disclaimer stands before the article: %v, want %v", place, mode, part, before, want)
				}
			}
			if got := strings.Count(e.HTML, `role="note"`); got != times {
				t.Errorf("%s, %s: %d notes in the HTML, want %d", place, mode, got, times)
			}
		}
	}
}

func TestNextIsATeaserUntilPublic(t *testing.T) {
	e := issue(t, letter("A text."))
	if want := "Coming next"; !strings.Contains(e.HTML, want) || !strings.Contains(e.Text, want+": Herbs for calmer evenings\n\n") {
		t.Errorf("no teaser %q without a link in:\n%s", want, e.Text)
	}
	l := letter("A text.")
	l.Previous, l.Next = nil, nil
	for _, gone := range []string{"Previous", "Coming next"} {
		if e := issue(t, l); strings.Contains(e.HTML, gone) || strings.Contains(e.Text, gone) {
			t.Errorf("%q stands in a letter without neighbours", gone)
		}
	}
}

func TestPreheader(t *testing.T) {
	long := strings.Repeat("So many words that no inbox shows them all, and then some more of them. ", 4)
	for name, tt := range map[string]struct{ own, markdown, want string }{
		"own":            {"What follows, in brief.", "A text.", "What follows, in brief."},
		"short":          {"", "A **short** text.\n\nAnd [more](https://example.org).", "A short text. And more."},
		"at a sentence":  {"", "This is the first sentence of them, long enough to stand alone. " + long, "This is the first sentence of them, long enough to stand alone."},
		"at a word":      {"", strings.ReplaceAll(long, ".", ","), "So many words that no inbox shows them all, and then some more of them, So many words that no inbox shows them all, and then some…"},
		"not the title":  {"", "# What short nights do to your skin\n\nThe rest.", "The rest."},
		"without spaces": {"", strings.Repeat("睡眠不足", 60), strings.Repeat("睡眠不足", 32) + "睡眠…"},
	} {
		t.Run(name, func(t *testing.T) {
			l := letter(tt.markdown)
			l.Preheader = tt.own
			if got := issue(t, l).Preheader; got != tt.want {
				t.Errorf("preheader %q, want %q", got, tt.want)
			}
		})
	}
}

// What looks like a template, to us or to others, is the author's text (THREATS T8).
func TestTemplateMarksStayLiteral(t *testing.T) {
	for _, payload := range []string{"{{.Env}}", "{{printf \"%s\" .}}", "{{{{.Title}}}}", "{{define \"x\"}}", "{n}", "${HOME}", "%s %d", "*|NAME|*"} {
		l := letter("Before \\" + payload + " after.")
		l.Markdown = "Before `" + payload + "` after."
		l.Title, l.SeriesTitle, l.SiteName, l.Greeting, l.Reason = payload, payload, payload, payload, payload
		l.Disclaimer = "A disclaimer."
		l.Previous = &render.Link{Title: payload}
		e := issue(t, l)
		if got, want := strings.Count(visible(t, e.HTML), payload), 7; got < want {
			t.Errorf("%q stands %d times in the HTML, want at least %d:\n%s", payload, got, want, visible(t, e.HTML))
		}
		if got, want := strings.Count(e.Text, payload), 7; got < want {
			t.Errorf("%q stands %d times in the text, want at least %d:\n%s", payload, got, want, e.Text)
		}
	}
}

func TestHTMLForTheArchive(t *testing.T) {
	for _, tt := range []struct{ markdown, want string }{
		{"A [link](/there) & *more*.", "<p>A <a href=\"https://news.example.org/there\">link</a> &amp; <em>more</em>.</p>\n"},
		{"# One\n\n### Two\n\n# Three", "<h2>One</h2>\n<h3>Two</h3>\n<h2>Three</h2>\n"},
		{"![A lamp](https://example.org/lamp.jpg)", "<p><a href=\"https://example.org/lamp.jpg\">Picture: A lamp</a></p>\n"},
		{"1. **Lead:** text", "<ol>\n<li><strong class=\"lead\">Lead:</strong> text</li>\n</ol>\n"},
		{"“Quotes” -- as typed...", "<p>“Quotes” -- as typed...</p>\n"},
		{"</div></td></table>Still inside<b>.", "Still inside<b>.</b>"},
		{"Ask your <GP>, said </td> the <title>.", "<p>Ask your &lt;GP&gt;, said &lt;/td&gt; the &lt;title&gt;.</p>\n"},
		{"<script>\nalert(1)\n</script>\n\nWords.", "\n<p>Words.</p>\n"},
	} {
		got := issue(t, letter(tt.markdown)).ArticleHTML
		if !strings.HasPrefix(got, tt.want) {
			t.Errorf("%q\n got %q\nwant %q first", tt.markdown, got, tt.want)
		}
	}
}

// badFields are the names of the fields that an error of the package is about, in order.
func badFields(err error) []string {
	var names []string
	var walk func(error)
	walk = func(err error) {
		var field *render.FieldError
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			for _, e := range joined.Unwrap() {
				walk(e)
			}
		} else if errors.As(err, &field) {
			names = append(names, field.Field)
		}
	}
	walk(err)
	return names
}
