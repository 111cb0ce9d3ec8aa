package importer_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"pressrun/newsletter/importer"
)

const samples = "../../cmd/pressrun/samples"

// The sample series is what newcomers see first: it must read without a word of complaint.
func TestSampleSeries(t *testing.T) {
	f, err := importer.Read(samples)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Problems) > 0 {
		t.Errorf("Problems = %v, want none", f.Problems)
	}
	if got, want := f.OrderedBy, "chain"; got != want {
		t.Errorf("OrderedBy = %s, want %s", got, want)
	}
	want := "Please note: This is general information and no substitute for advice from a qualified practitioner."
	if f.Disclaimer != want {
		t.Errorf("Disclaimer = %q, want %q", f.Disclaimer, want)
	}
	if got, want := slugs(f), "listening-to-your-skin eating-for-a-happy-gut 4-kitchen-herbs-worth-knowing "+
		"sleep-begins-in-the-morning when-stress-wont-stay-in-the-head a-food-diary-without-the-fuss "+
		"how-much-water-is-enough living-with-the-seasons movement-for-people-who-dont-exercise"; got != want {
		t.Errorf("order = %s\nwant    %s", got, want)
	}
	label := regexp.MustCompile(`(?mi)^(?:previous|next|please note)\b`)
	for i, a := range f.Articles {
		if found := label.FindString(a.Markdown); found != "" {
			t.Errorf("%s: the body still holds %q", a.Slug, found)
		}
		if n := strings.Count(a.Markdown, ":** "); n < 4 {
			t.Errorf("%s: %d bold lead-ins, want 4 or more", a.Slug, n)
		}
		for j, other := range f.Articles {
			if i != j && strings.Contains(a.Markdown, other.Title) {
				t.Errorf("%s: the body holds the title of a neighbour, %q", a.Slug, other.Title)
			}
		}
	}
}

// The files keep the sample's shape, since they show what the importer copes with, and the tone a practice may take.
func TestSampleFilesKeepTheirShape(t *testing.T) {
	files, err := filepath.Glob(samples + "/*")
	if err != nil || len(files) < 9 {
		t.Fatalf("%d samples, %v; want nine or more", len(files), err)
	}
	claims := regexp.MustCompile(`(?i)\b(?:cures?|heals?|proven|detox\w*|miracle\w*|guarantee\w*|boosts? your)\b`)
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text := string(b)
		if !utf8.ValidString(text) || strings.HasSuffix(text, "\n") || strings.Contains(text, "\r") {
			t.Errorf("%s: want UTF-8 with \\n and none at the end", file)
		}
		if n := len(strings.Fields(text)); n < 350 || n > 600 {
			t.Errorf("%s: %d words, want 350 to 600", file, n)
		}
		if !strings.Contains(text, "Here’s how") || !strings.Contains(text, "\n  1. ") {
			t.Errorf("%s: want a line “Here’s how …” and an indented numbered list", file)
		}
		if found := claims.FindString(text); found != "" {
			t.Errorf("%s: promises too much: %q", file, found)
		}
	}
}

func TestReadFSReadsWhatReadReads(t *testing.T) {
	onDisk, err := importer.Read(samples)
	if err != nil {
		t.Fatal(err)
	}
	embedded, err := importer.ReadFS(os.DirFS(filepath.Dir(samples)), "samples")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(onDisk, embedded); diff != "" {
		t.Errorf("ReadFS differs (-Read +ReadFS):\n%s", diff)
	}
}
