package render_test

import (
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter/render"
	"pressrun/templates"
)

// features are what articles, series and readers can differ in, each alone in a letter. The text stands in testdata/source/feature.
var features = []struct {
	name   string
	source string               // empty: as name
	change func(*render.Letter) // nil: nothing but the text
	reader string               // a name; empty: none is known
}{
	{name: "headings"},
	{name: "emphasis"},
	{name: "lists"},
	{name: "tables"},
	{name: "wide-table"},
	{name: "quotes"},
	{name: "code"},
	{name: "footnotes"},
	{name: "rules"},
	{name: "links"},
	{name: "definitions"},
	{name: "raw-html"},
	{name: "callout-note"},
	{name: "callout-tip"},
	{name: "callout-warning"},
	{name: "images", change: withPictures},
	{name: "caption", change: withPictures},
	{name: "hero", source: "short", change: func(l *render.Letter) {
		withPictures(l)
		l.Image, l.ImageAlt, l.ImageCaption = "hills.jpg", "Hills at sunrise", "The day begins the evening before."
	}},
	{name: "sources", source: "short", change: func(l *render.Letter) {
		l.Sources = []string{"Carskadon and others, *Sleep and the skin barrier*, 2015, https://example.org/barrier", "The [sleep tables](https://example.org/tables) of 2027"}
	}},
	{name: "reviewed", source: "short", change: func(l *render.Letter) {
		l.ReviewedBy, l.ReviewBy = "Dr. Mara Ellison, dermatologist", time.Date(2028, 3, 14, 0, 0, 0, 0, time.UTC)
	}},
	{name: "merge-unnamed", source: "merge", change: withFields},
	{name: "merge-named", source: "merge", change: withFields, reader: "Zoë <Ng> & Sons"},
	{name: "right-to-left", change: func(l *render.Letter) {
		l.Language, l.Title, l.SiteName, l.SeriesTitle = "ar", "ماذا تفعل الليالي القصيرة ببشرتك", "عيادة المرفأ", "بشرتك أسبوعًا بعد أسبوع"
		l.Disclaimer = "يرجى الانتباه: من الأفضل دائمًا استشارة مختص مؤهل."
		l.Previous.Title, l.Next.Title = "الأعشاب الهادئة", "أربع أعشاب للمساء"
	}},
	{name: "disclaimer-start", source: "short", change: func(l *render.Letter) { l.DisclaimerPlace = "start" }},
	{name: "disclaimer-end", source: "short", change: func(l *render.Letter) { l.DisclaimerPlace = "end" }},
	{name: "disclaimer-both", source: "short", change: func(l *render.Letter) {
		l.DisclaimerPlace, l.ArticleDisclaimer = "both", "Herbs act on medicines: see [the list](https://example.org/interactions) before you **combine** them."
	}},
	{name: "theme-journal", source: "short", change: withLook("journal")},
	{name: "theme-plain", source: "short", change: withLook("plain")},
}

func withPictures(l *render.Letter) {
	l.Pictures = map[string]render.Picture{
		"hills.jpg": {URL: "https://news.example.org/p/73dbc3da.jpg", Width: 1200, Height: 550},
		"hours.png": {URL: "https://news.example.org/p/7d30aca4.png", Width: 900, Height: 420},
	}
}

func withFields(l *render.Letter) {
	l.Subject, l.NameHole, l.Day = "{{name|Good morning}}: letter {{number}}", nameHole, time.Date(2027, 3, 30, 9, 0, 0, 0, time.UTC)
}

func withLook(theme string) func(*render.Letter) {
	return func(l *render.Letter) {
		l.Style = render.Style{
			Look: templates.Look{Theme: theme, Accent: "#8a1c4a", Ground: "#fdf8f4", Type: "large"},
			Logo: render.Picture{URL: "https://news.example.org/p/1090.png", Width: 400, Height: 120},
		}
	}
}

var nameInHole = regexp.MustCompile(nameHole.Before + "(.*?)" + nameHole.After)

// filled puts a reader's name where a letter has a hole for it.
func filled(e render.Email, reader string) render.Email {
	if reader != "" {
		put := func(s, name string) string { return nameInHole.ReplaceAllLiteralString(s, name) }
		e.Subject, e.Text, e.HTML = put(e.Subject, reader), put(e.Text, reader), put(e.HTML, html.EscapeString(reader))
	}
	return e
}

// TestFeatures keeps the whole message of each feature.
func TestFeatures(t *testing.T) {
	for _, tt := range features {
		t.Run(tt.name, func(t *testing.T) {
			text := tt.source
			if text == "" {
				text = tt.name
			}
			l := letter(source(t, "feature/"+text))
			if tt.change != nil {
				tt.change(&l)
			}
			e := filled(issue(t, l), tt.reader)
			if strings.Contains(e.HTML, "alert(") || strings.Contains(e.Text, "alert(") {
				t.Errorf("a script survives:\n%s", e.Text)
			}
			golden(t, "feature/"+tt.name+".eml", string(message(t, tt.name, e)))
		})
	}
}
