package render_test

import (
	"strings"
	"testing"

	"pressrun/newsletter/render"
)

// An issue of about 3,000 words in the sample's shape.
func BenchmarkIssue(b *testing.B) {
	l := letter(strings.Repeat(source(b, "sample")+"\n\n", 10))
	b.ReportMetric(float64(len(strings.Fields(l.Markdown))), "words")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := render.Issue(l); err != nil {
			b.Fatal(err)
		}
	}
}
