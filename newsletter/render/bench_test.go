package render_test

import (
	"strings"
	"testing"

	"pressrun/newsletter/mailer"
	"pressrun/newsletter/render"
)

// An issue of about 3,000 words in the sample's shape, rendered and compiled: all that is done once for all its readers.
func BenchmarkIssue(b *testing.B) {
	l := letter(strings.Repeat(source(b, "sample")+"\n\n", 10))
	b.ReportMetric(float64(len(strings.Fields(l.Markdown))), "words")
	b.ReportAllocs()
	for b.Loop() {
		e, err := render.Issue(l)
		if err != nil {
			b.Fatal(err)
		}
		_, err = mailer.Compile(mailer.Form{
			From: mailer.Mailbox{Name: "Clinic", Email: "letters@clinic.example"}, Subject: mailer.Blank{{Text: e.Subject}},
			HTML: mailer.Blank{{Text: e.HTML}}, Text: mailer.Blank{{Text: e.Text}},
			List: mailer.List{ID: "skin.clinic.example", UnsubscribeURL: "https://news.example.org/u/"},
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
