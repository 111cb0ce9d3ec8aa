package series_test

import (
	"context"
	"errors"
	"regexp"
	"testing"

	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// A sensitive series has a name that says nothing, once and for ever, and is found by all names that it ever had.
func TestNamesOfASensitiveSeries(t *testing.T) {
	db := open(t)
	s := add(t, db, weekly())
	if s.PublicName() != "skin" || s.ListLabel() != "skin" {
		t.Errorf("before: got %q and label %q, want the slug", s.PublicName(), s.ListLabel())
	}
	s = set(t, db, series.Change{Sensitive: new(true)}, day0)
	if !regexp.MustCompile(`^[a-z2-7]{12}$`).MatchString(s.PublicName()) || s.ListLabel() != s.PublicName() {
		t.Errorf("sensitive: got %q and label %q, want one opaque name", s.PublicName(), s.ListLabel())
	}
	if again := set(t, db, series.Change{Sensitive: new(true)}, day0); again.PublicName() != s.PublicName() {
		t.Errorf("set again: got %q, want %q", again.PublicName(), s.PublicName())
	}
	for _, name := range []string{"skin", s.Opaque} {
		if got, err := series.ByName(t.Context(), db, name); err != nil || got.ID != s.ID {
			t.Errorf("ByName(%q) = series %d, %v", name, got.ID, err)
		}
	}
	for _, name := range []string{"", "other"} {
		if _, err := series.ByName(t.Context(), db, name); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("ByName(%q): got %v, want ErrNotFound", name, err)
		}
	}
	back := set(t, db, series.Change{Sensitive: new(false)}, day0)
	if back.PublicName() != "skin" || back.ListLabel() != s.Opaque {
		t.Errorf("taken back: got %q and label %q, want the slug, and the label that its List-Id had", back.PublicName(), back.ListLabel())
	}
}

// In a sensitive series a number names an article before a slug does, and never one of another series.
func TestArticleByName(t *testing.T) {
	db := open(t)
	c := weekly()
	c.Sensitive = new(true)
	skin := add(t, db, c)
	var gut series.Series
	in(t, db, func(ctx context.Context, tx *store.Tx) (err error) {
		gut, err = series.Add(ctx, tx, "gut", weekly(), day0)
		return err
	})
	imports(t, db, skin.ID, incoming("a", "2"), series.ImportOptions{}, day0)
	imports(t, db, gut.ID, incoming("b", "1"), series.ImportOptions{}, day0)
	for _, tt := range []struct {
		in         series.Series
		name, want string
	}{
		{skin, "a", "a"},
		{skin, "1", "a"},
		{skin, "2", "2"},
		{skin, "3", ""}, // the number of gut's b
		{skin, "b", ""},
		{skin, "99", ""},
		{gut, "1", "1"}, // its slug: gut never was sensitive
		{gut, "3", ""},
	} {
		a, err := series.ArticleByName(t.Context(), db, tt.in, tt.name)
		if err == nil && a.Slug != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s/%s: got %q, %v; want %q", tt.in.Slug, tt.name, a.Slug, err, tt.want)
		}
	}
}
