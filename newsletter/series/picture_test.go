package series_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// pictured is an incoming article that shows a picture of these bytes.
func pictured(slug, content string) series.Incoming {
	p := series.Picture{Path: "a.png", Type: "image/png", Width: 20, Height: 10, Bytes: []byte(content)}
	return series.Incoming{
		Slug: slug, Pictures: []series.Picture{p},
		Text: series.Text{Title: "A", Markdown: "![x](a.png)", Pictures: map[string]string{"a.png": p.Hash()}},
	}
}

func TestPicturesOfArticles(t *testing.T) {
	db := open(t)
	s := add(t, db, weekly())
	first, second := pictured("one", "first"), pictured("one", "second")
	imports(t, db, s.ID, []series.Incoming{first, pictured("two", "first")}, series.ImportOptions{}, day0)
	if got := outcomes(imports(t, db, s.ID, []series.Incoming{first}, series.ImportOptions{}, day0)); !strings.Contains(got, "unchanged") {
		t.Errorf("the same picture again: %s, want unchanged", got)
	}
	imports(t, db, s.ID, []series.Incoming{second}, series.ImportOptions{}, day0)
	a, err := series.ArticleBySlug(t.Context(), db, "one")
	if err != nil {
		t.Fatal(err)
	}
	if a.Revision != 2 {
		t.Errorf("revision %d, want 2: its picture changed", a.Revision)
	}
	got, err := series.PicturesOf(t.Context(), db, a)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]series.Picture{"a.png": {Path: "a.png", Type: "image/png", Width: 20, Height: 10}}, got); diff != "" {
		t.Errorf("pictures (-want +got):\n%s", diff)
	}
	for _, in := range []series.Incoming{first, second} { // letters that were sent load the first one still
		p, err := series.PictureByHash(t.Context(), db, in.Pictures[0].Hash())
		if err != nil || string(p.Bytes) != string(in.Pictures[0].Bytes) {
			t.Errorf("picture %q: %v, %v", in.Pictures[0].Bytes, p, err)
		}
	}
	if _, err := series.PictureByHash(t.Context(), db, "nothing"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("unknown picture: %v, want ErrNotFound", err)
	}
}

func TestPicturesRefused(t *testing.T) {
	db := open(t)
	s := add(t, db, weekly())
	for about, change := range map[string]func(*series.Picture){
		"a type that letters can't show": func(p *series.Picture) { p.Type = "image/svg+xml" },
		"no bytes":                       func(p *series.Picture) { p.Bytes = nil },
		"too many bytes":                 func(p *series.Picture) { p.Bytes = make([]byte, series.MaxPictureBytes+1) },
		"no width":                       func(p *series.Picture) { p.Width = 0 },
		"too many pixels":                func(p *series.Picture) { p.Height = series.MaxPictureSide + 1 },
	} {
		one := pictured("one", "x")
		change(&one.Pictures[0])
		err := tryIn(t, db, func(ctx context.Context, tx *store.Tx) error {
			_, err := series.ImportArticles(ctx, tx, s.ID, []series.Incoming{one}, series.ImportOptions{}, day0)
			return err
		})
		if !errors.Is(err, series.ErrInvalid) || !strings.Contains(err.Error(), `picture "a.png"`) {
			t.Errorf("%s: %v, want ErrInvalid that names the picture", about, err)
		}
	}
}
