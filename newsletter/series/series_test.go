package series_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
	"pressrun/subscribers/store/storetest"
)

func open(t testing.TB) *store.DB {
	t.Helper()
	return storetest.Open(t, series.Migrate)
}

// in runs f in a transaction and fails the test where f does.
func in(t testing.TB, db *store.DB, f func(ctx context.Context, tx *store.Tx) error) {
	t.Helper()
	if err := tryIn(t, db, f); err != nil {
		t.Fatal(err)
	}
}

// tryIn runs f in a transaction and returns its error.
func tryIn(t testing.TB, db *store.DB, f func(ctx context.Context, tx *store.Tx) error) error {
	t.Helper()
	return db.InTx(t.Context(), func(tx *store.Tx) error { return f(t.Context(), tx) })
}

const disclaimer = "Please note: Ask a *qualified* practitioner about your own case."

// weekly is a valid change: a live series, Tuesdays at nine in Berlin.
func weekly() series.Change {
	return series.Change{
		Title: new("Skin letters"), FromName: new("Harbour Clinic"), FromEmail: new("news@example.org"),
		PostalAddress: new("1 Quay Street, Harbour"), Disclaimer: new(disclaimer), Zone: new("Europe/Berlin"),
		Schedule: []string{"tuesdays 09:00"},
	}
}

// add makes the series "skin" of a change at day0, a Tuesday at nine in UTC, so ten o'clock in Berlin.
func add(t testing.TB, db *store.DB, c series.Change) series.Series {
	t.Helper()
	var s series.Series
	in(t, db, func(ctx context.Context, tx *store.Tx) (err error) {
		s, err = series.Add(ctx, tx, "skin", c, day0)
		return err
	})
	return s
}

func TestAdd(t *testing.T) {
	db := open(t)
	add(t, db, weekly())
	got, err := series.BySlug(t.Context(), db, "skin")
	if err != nil {
		t.Fatal(err)
	}
	want := series.Series{
		ID: got.ID, Slug: "skin", Title: "Skin letters", FromName: "Harbour Clinic", FromEmail: "news@example.org",
		PostalAddress: "1 Quay Street, Harbour", Language: "en", Zone: "Europe/Berlin", Schedule: []string{"0 9 * * TUE"},
		Mode: series.Live, Welcome: "latest", WhenNotReady: "hold", MinGap: 72 * time.Hour, Grace: 6 * time.Hour,
		PlannedFrom: day0, PlannedUntil: day0, Created: day0, Updated: day0,
		Disclaimer: series.Disclaimer{ID: got.Disclaimer.ID, Version: 1, Text: disclaimer, Place: "end"},
	}
	diff(t, got, want)
	byID, err := series.ByID(t.Context(), db, got.ID)
	if err != nil {
		t.Fatal(err)
	}
	diff(t, byID, want)
}

func TestAddTakesEverything(t *testing.T) {
	db := open(t)
	c := weekly()
	c.Mode, c.Welcome, c.WhenNotReady = new(series.Drip), new("none"), new("hold")
	c.FromName, c.FromEmail, c.ReplyTo = new(""), new("news@Bücher.example"), new("editor@example.org")
	c.Language, c.StartDate, c.MinGap, c.Grace = new("pt-br"), new("2027-04-01"), new(24*time.Hour), new(time.Hour)
	c.DisclaimerPlace, c.Schedule = new("both"), []string{"0 9 * * TUE", "tuesday 09:00", "fridays 18:00"}
	got := add(t, db, c)
	if got.Mode != series.Drip || got.Welcome != "none" || got.WhenNotReady != "hold" {
		t.Errorf("got mode %s, welcome %s, when_not_ready %s", got.Mode, got.Welcome, got.WhenNotReady)
	}
	if got.FromName != "Skin letters" || got.FromEmail != "news@xn--bcher-kva.example" || got.ReplyTo != "editor@example.org" {
		t.Errorf("got sender %q <%s>, reply to %q", got.FromName, got.FromEmail, got.ReplyTo)
	}
	if got.Language != "pt-BR" || got.StartDate != "2027-04-01" || got.MinGap != 24*time.Hour || got.Grace != time.Hour || got.Disclaimer.Place != "both" {
		t.Errorf("got %+v", got)
	}
	if want := []string{"0 9 * * TUE", "0 18 * * FRI"}; !slices.Equal(got.Schedule, want) {
		t.Errorf("got schedule %q, want %q", got.Schedule, want)
	}
}

func TestDripDefaults(t *testing.T) {
	db := open(t)
	c := weekly()
	c.Mode = new(series.Drip)
	if got := add(t, db, c); got.Welcome != "first" || got.WhenNotReady != "skip" {
		t.Errorf("got welcome %s, when_not_ready %s; want first, skip", got.Welcome, got.WhenNotReady)
	}
}

func TestAddSaysAllThatIsWrong(t *testing.T) {
	db := open(t)
	err := tryIn(t, db, func(ctx context.Context, tx *store.Tx) error {
		_, err := series.Add(ctx, tx, "Skin!", series.Change{
			FromEmail: new("nobody"), ReplyTo: new("a@b"), Language: new("klingon!"), Zone: new("Berlin"),
			Schedule: []string{"0 25 * * *", "whenever"}, StartDate: new("1.4.2027"), Welcome: new("cake"), WhenNotReady: new("wait"),
			Mode: new(series.Mode("dead")), MinGap: new(-time.Second), Grace: new(1000 * time.Hour * 24), DisclaimerPlace: new("middle"),
		}, day0)
		return err
	})
	for _, sentinel := range []error{series.ErrInvalid, series.ErrSchedule, series.ErrDisclaimer, series.ErrSlug} {
		if !errors.Is(err, sentinel) {
			t.Errorf("got no %q in %v", sentinel, err)
		}
	}
	for _, flag := range []string{
		"Skin!", "--title", "--from", "--postal-address", "--reply-to", "--language", "--zone", `"0 25 * * *"`, `"whenever"`, "--start", "--welcome",
		"--when-not-ready", "--mode", "--min-gap", "--grace", "--disclaimer:", "--disclaimer-place",
	} {
		if !strings.Contains(err.Error(), flag) {
			t.Errorf("got no word about %s in %v", flag, err)
		}
	}
	if all, err := series.All(t.Context(), db); err != nil || len(all) != 0 {
		t.Errorf("got %v, %v; want nothing stored", all, err)
	}
}

func TestAddRefuses(t *testing.T) {
	db := open(t)
	add(t, db, weekly())
	for _, tt := range []struct {
		name, slug string
		change     func(c *series.Change)
		want       error
	}{
		{"taken", "skin", func(*series.Change) {}, series.ErrSlug},
		{"the site's own name", "site", func(*series.Change) {}, series.ErrSlug},
		{"no slug", "", func(*series.Change) {}, series.ErrSlug},
		{"too long for a label", strings.Repeat("a", 64), func(*series.Change) {}, series.ErrSlug},
		{"slash", "a/b", func(*series.Change) {}, series.ErrSlug},
		{"hyphen at the end", "a-", func(*series.Change) {}, series.ErrSlug},
		{"line break in the title", "gut", func(c *series.Change) { c.Title = new("a\r\nBcc: x@example.org") }, series.ErrInvalid},
		{"NUL in the title", "gut", func(c *series.Change) { c.Title = new("a\x00b") }, series.ErrInvalid},
		{"line separator in the name", "gut", func(c *series.Change) { c.FromName = new("a\u2028b") }, series.ErrInvalid},
		{"not UTF-8", "gut", func(c *series.Change) { c.PostalAddress = new("\xff\xfe") }, series.ErrInvalid},
		{"blank postal address", "gut", func(c *series.Change) { c.PostalAddress = new("  ") }, series.ErrInvalid},
		{"blank disclaimer", "gut", func(c *series.Change) { c.Disclaimer = new(" \n ** \n") }, series.ErrDisclaimer},
		{"NUL in the disclaimer", "gut", func(c *series.Change) { c.Disclaimer = new("a\x00b") }, series.ErrInvalid},
		{"address with a name", "gut", func(c *series.Change) { c.FromEmail = new("A <a@example.org>") }, series.ErrInvalid},
		{"quoted local part", "gut", func(c *series.Change) { c.FromEmail = new(`"a b"@example.org`) }, series.ErrInvalid},
		{"local part not ASCII", "gut", func(c *series.Change) { c.FromEmail = new("ä@example.org") }, series.ErrInvalid},
		{"address literal", "gut", func(c *series.Change) { c.FromEmail = new("a@[127.0.0.1]") }, series.ErrInvalid},
		{"no dot in the domain", "gut", func(c *series.Change) { c.FromEmail = new("a@localhost") }, series.ErrInvalid},
		{"line break in the address", "gut", func(c *series.Change) { c.FromEmail = new("a@example.org\n") }, nil}, // trimmed
		{"the machine's zone", "gut", func(c *series.Change) { c.Zone = new("Local") }, series.ErrSchedule},
		{"no zone", "gut", func(c *series.Change) { c.Zone = new("") }, series.ErrSchedule},
		{"no schedule", "gut", func(c *series.Change) { c.Schedule = []string{} }, series.ErrSchedule},
		{"half an hour apart", "gut", func(c *series.Change) { c.Schedule = []string{"0 9 * * TUE", "30 9 * * *"} }, series.ErrSchedule},
		{"over midnight", "gut", func(c *series.Change) { c.Schedule = []string{"30 23 * * TUE", "0 0 * * WED"} }, series.ErrSchedule},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := weekly()
			tt.change(&c)
			err := tryIn(t, db, func(ctx context.Context, tx *store.Tx) error {
				_, err := series.Add(ctx, tx, tt.slug, c, day0)
				return err
			})
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestSet(t *testing.T) {
	db := open(t)
	old := add(t, db, weekly())
	later := day(1)
	var got series.Series
	in(t, db, func(ctx context.Context, tx *store.Tx) (err error) {
		got, err = series.Set(ctx, tx, "skin", series.Change{Title: new("Skin"), Disclaimer: new("Ask your doctor.")}, later)
		return err
	})
	want := old
	want.Title, want.Updated = "Skin", later
	want.Disclaimer = series.Disclaimer{ID: got.Disclaimer.ID, Version: 2, Text: "Ask your doctor.", Place: "end"}
	diff(t, got, want)
	var wording string
	if err := db.QueryRow(t.Context(), `SELECT text FROM disclaimers WHERE id = ?1`, old.Disclaimer.ID).Scan(&wording); err != nil || wording != old.Disclaimer.Text {
		t.Errorf("the old wording: got %q, %v, want %q kept", wording, err, old.Disclaimer.Text)
	}

	in(t, db, func(ctx context.Context, tx *store.Tx) (err error) {
		got, err = series.Set(ctx, tx, "skin", series.Change{Disclaimer: new("  Ask your doctor.\r\n")}, later)
		return err
	})
	if got.Disclaimer.Version != 2 {
		t.Errorf("got version %d of the same wording, want 2", got.Disclaimer.Version)
	}
	for _, tt := range []struct {
		slug   string
		change series.Change
		want   error
	}{
		{"gut", series.Change{}, store.ErrNotFound},
		{"skin", series.Change{Title: new("")}, series.ErrInvalid},
		{"skin", series.Change{Disclaimer: new("")}, series.ErrDisclaimer},
		{"skin", series.Change{Schedule: []string{}}, series.ErrSchedule},
	} {
		err := tryIn(t, db, func(ctx context.Context, tx *store.Tx) error {
			_, err := series.Set(ctx, tx, tt.slug, tt.change, later)
			return err
		})
		if !errors.Is(err, tt.want) {
			t.Errorf("got %v, want %v", err, tt.want)
		}
	}
}

func TestUnknown(t *testing.T) {
	db := open(t)
	ctx := t.Context()
	for name, f := range map[string]func() error{
		"BySlug":        func() error { _, err := series.BySlug(ctx, db, "x"); return err },
		"ByID":          func() error { _, err := series.ByID(ctx, db, 7); return err },
		"ArticleBySlug": func() error { _, err := series.ArticleBySlug(ctx, db, "x\r\n"); return err },
		"ArticleByID":   func() error { _, err := series.ArticleByID(ctx, db, 7); return err },
		"IssueByName":   func() error { _, err := series.IssueByName(ctx, db, "x"); return err },
		"IssueByID":     func() error { _, err := series.IssueByID(ctx, db, 7); return err },
		"WelcomeIssue":  func() error { _, err := series.WelcomeIssue(ctx, db, 7, 7); return err },
		"SlotByWall":    func() error { _, err := series.SlotByWall(ctx, db, 7, "x"); return err },
		"PublishedBySlug": func() error {
			_, err := series.PublishedBySlug(ctx, db, 7, "x")
			return err
		},
		"NeighboursOf": func() error { _, err := series.NeighboursOf(ctx, db, 7); return err },
		"Pause": func() error {
			return tryIn(t, db, func(ctx context.Context, tx *store.Tx) error { return series.Pause(ctx, tx, "x", day0) })
		},
		"Resume": func() error {
			return tryIn(t, db, func(ctx context.Context, tx *store.Tx) error { return series.Resume(ctx, tx, "x", day0) })
		},
		"EnsureSlots": func() error {
			return tryIn(t, db, func(ctx context.Context, tx *store.Tx) error {
				return series.EnsureSlots(ctx, tx, series.Series{ID: 7}, day0, day0)
			})
		},
		"MarkReady": func() error {
			return tryIn(t, db, func(ctx context.Context, tx *store.Tx) error { return series.MarkReady(ctx, tx, 7, day0) })
		},
		"Withdraw": func() error {
			return tryIn(t, db, func(ctx context.Context, tx *store.Tx) error { return series.Withdraw(ctx, tx, 7, day0) })
		},
		"Backfill": func() error {
			return tryIn(t, db, func(ctx context.Context, tx *store.Tx) error { return series.Backfill(ctx, tx, 7, day0) })
		},
		"Move": func() error {
			return tryIn(t, db, func(ctx context.Context, tx *store.Tx) error { return series.Move(ctx, tx, 7, true, 8, day0) })
		},
		"Transition": func() error {
			return tryIn(t, db, func(ctx context.Context, tx *store.Tx) error {
				return series.Transition(ctx, tx, 7, series.IssueDone, "", day0)
			})
		},
	} {
		if err := f(); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: got %v, want store.ErrNotFound", name, err)
		} else if strings.ContainsAny(err.Error(), "\r\n") {
			t.Errorf("%s: got %q with a line break in it", name, err)
		}
	}
}
