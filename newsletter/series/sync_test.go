package series_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// said is what a sync makes of articles, in short: those that change, and their order.
func said(all []series.Synced) string {
	var lines, order []string
	for _, x := range all {
		order = append(order, x.Article.Slug)
		if x.Same() {
			continue
		}
		line := x.Article.Slug
		if x.Was != x.Article.State {
			line += fmt.Sprintf(" %s>%s", x.Was, x.Article.State)
		}
		if len(x.Changed) > 0 {
			line += " " + strings.Join(x.Changed, ",")
		}
		if x.Moved {
			line += fmt.Sprintf(" %d>%d", x.From, x.Article.Rank)
		}
		lines = append(lines, line)
	}
	return strings.Join(append(lines, strings.Join(order, " ")), "; ")
}

// TestSync: each case begins with a, b, c and d, all ready.
func TestSync(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		in         []series.Incoming
	}{
		{"the same", "a b c d", incoming("a", "b", "c", "d")},
		{"one goes", "b ready>withdrawn; a b c d", incoming("a", "c", "d")},
		{"the first goes and one comes in its place", "a ready>withdrawn; x >ready; a x b c d", incoming("x", "b", "c", "d")},
		{"one comes in between", "x >ready; a b x c d", incoming("a", "b", "x", "c", "d")},
		{"the last goes first", "d 4>1; d a b c", incoming("d", "a", "b", "c")},
		{"the first goes last", "a 1>4; b c d a", incoming("b", "c", "d", "a")},
		{"of two neighbours the former moves", "b 2>3; a c b d", incoming("a", "c", "b", "d")},
		{"of two halves the former moves", "a 1>3; b 2>4; c d a b", incoming("c", "d", "a", "b")},
		{"round about: the last stays, and all others come behind it", "c 3>2; b 2>3; a 1>4; d c b a", incoming("d", "c", "b", "a")},
		{"what is gone stays behind what stood before it", "d 4>1; b ready>withdrawn; d a b c", incoming("d", "a", "c")},
		{"states", "a ready>draft; b ready>withdrawn; x >draft; y >withdrawn; a b c d x y", func() []series.Incoming {
			all := incoming("a", "b", "c", "d", "x", "y")
			all[0].Draft, all[1].Withdrawn, all[4].Draft, all[5].Withdrawn, all[5].Draft = true, true, true, true, true
			return all
		}()},
		{"texts", "a title,text,disclaimer,tags; d subject,preheader,description,date,mood; c 3>4; a b d c", func() []series.Incoming {
			all := incoming("a", "b", "d", "c")
			all[0].Title, all[0].Markdown, all[0].DisclaimerMode, all[0].Meta = "New", "  Indented.\r\n", "replace", map[string]string{"tags": "x"}
			all[2].Subject, all[2].Preheader, all[2].Description, all[2].Date, all[2].Meta = "S", "P", "D", "2027-03-01", map[string]string{"mood": ""}
			return all
		}()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			db := open(t)
			s := add(t, db, weekly())
			imports(t, db, s.ID, incoming("a", "b", "c", "d"), series.ImportOptions{Ready: true}, day0)
			for _, want := range []string{tt.want, ""} {
				looked, err := series.Articles(t.Context(), db, s.ID)
				if err != nil {
					t.Fatal(err)
				}
				var done []series.Synced
				in(t, db, func(ctx context.Context, tx *store.Tx) error {
					done, err = series.Sync(ctx, tx, s.ID, looked, tt.in, day0.Add(time.Hour))
					return err
				})
				if want == "" { // once more
					want = order(t, db, s.ID)
				}
				if got := said(done); got != want {
					t.Errorf("got  %s\nwant %s", got, want)
				}
			}
		})
	}
}

// TestSyncPlacesAnew: what moves or becomes ready counts as put there now (rule 4); nothing else does.
func TestSyncPlacesAnew(t *testing.T) {
	db := open(t)
	s := add(t, db, weekly())
	list := incoming("a", "b", "c", "d")
	list[3].Draft = true
	made := imports(t, db, s.ID, list, series.ImportOptions{Ready: true}, day0)
	in(t, db, func(ctx context.Context, tx *store.Tx) error {
		for _, m := range made {
			if err := series.Backfill(ctx, tx, m.Article.ID, day0); err != nil {
				return err
			}
		}
		return nil
	})
	sync := func(at time.Time, list ...series.Incoming) {
		t.Helper()
		looked, err := series.Articles(t.Context(), db, s.ID)
		if err != nil {
			t.Fatal(err)
		}
		in(t, db, func(ctx context.Context, tx *store.Tx) error {
			_, err := series.Sync(ctx, tx, s.ID, looked, list, at)
			return err
		})
	}
	check := func(what string, want ...string) {
		t.Helper()
		var got []string
		for _, m := range made {
			a := article(t, db, m.Article.ID)
			got = append(got, fmt.Sprintf("%s %v %v", a.Slug, a.Placed.Sub(day0), a.Backfill))
		}
		if strings.Join(got, ", ") != strings.Join(want, ", ") {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	list[0].Title, list[3].Draft = "Another", false
	sync(day0.Add(time.Hour), list[1], list[0], list[2], list[3]) // a moves behind b, d becomes ready
	check("moved, and made ready", "a 1h0m0s false", "b 0s true", "c 0s true", "d 1h0m0s true")
	list[1].Draft = true
	sync(day0.Add(2*time.Hour), list[1], list[0], list[3]) // b is a draft again, c is gone
	check("draft and withdrawn", "a 1h0m0s false", "b 0s false", "c 0s false", "d 1h0m0s true")
	list[1].Draft = false
	sync(day0.Add(3*time.Hour), list[1], list[0], list[2], list[3])
	check("back again", "a 1h0m0s false", "b 3h0m0s false", "c 3h0m0s false", "d 1h0m0s true")
	if got, want := order(t, db, s.ID), "b a c d"; got != want {
		t.Errorf("order %s, want %s", got, want)
	}
}

// TestSyncRefuses: somebody else's change since the look refuses it, and so does what can't be stored; nothing is stored then.
func TestSyncRefuses(t *testing.T) {
	db := open(t)
	s := add(t, db, weekly())
	made := imports(t, db, s.ID, incoming("a", "b"), series.ImportOptions{Ready: true}, day0)
	looked, err := series.Articles(t.Context(), db, s.ID)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(ctx context.Context, tx *store.Tx) error{
		"withdrawn": func(ctx context.Context, tx *store.Tx) error {
			return series.Withdraw(ctx, tx, made[0].Article.ID, day0)
		},
		"moved": func(ctx context.Context, tx *store.Tx) error {
			return series.Move(ctx, tx, made[0].Article.ID, false, made[1].Article.ID, day0)
		},
		"backfill": func(ctx context.Context, tx *store.Tx) error {
			return series.Backfill(ctx, tx, made[0].Article.ID, day0)
		},
		"added": func(ctx context.Context, tx *store.Tx) error {
			_, err := series.ImportArticles(ctx, tx, s.ID, incoming("c"), series.ImportOptions{}, day0)
			return err
		},
		"revised": func(ctx context.Context, tx *store.Tx) error {
			list := incoming("a")
			list[0].Title = "New"
			_, err := series.ImportArticles(ctx, tx, s.ID, list, series.ImportOptions{}, day0)
			return err
		},
	} {
		err := tryIn(t, db, func(ctx context.Context, tx *store.Tx) error {
			if err := change(ctx, tx); err != nil {
				return err
			}
			_, err := series.Sync(ctx, tx, s.ID, looked, incoming("b", "a"), day0)
			return err
		})
		if !errors.Is(err, series.ErrState) {
			t.Errorf("%s meanwhile: got %v, want ErrState", name, err)
		}
	}
	bad := incoming("a", "b")
	bad[0].Markdown, bad[1].Title = "", "a\x00b"
	faults := series.CheckSync(t.Context(), db, s.ID, bad)
	if faults[0] == nil || !strings.Contains(faults[0].Error(), "it has no text") || !errors.Is(faults[1], series.ErrInvalid) {
		t.Errorf("got %v, want a fault of each", faults)
	}
}

// TestPictureUnderAnotherName: an export may have to call a picture otherwise; that is no change, and other bytes are.
func TestPictureUnderAnotherName(t *testing.T) {
	db := open(t)
	s := add(t, db, weekly())
	one := pictured("one", "first")
	one.Markdown, one.Meta = "![x](a.png) and ![y](a.png \"Y\"), not a.png\n\n[z]: a.png", map[string]string{"image": "a.png"}
	imports(t, db, s.ID, []series.Incoming{one}, series.ImportOptions{}, day0)
	again := one
	again.Text = one.WithPicture("a.png", "pictures/$1.png")
	if want := "![x](pictures/$1.png) and ![y](pictures/$1.png \"Y\"), not a.png\n\n[z]: pictures/$1.png"; again.Markdown != want || again.Meta["image"] != "pictures/$1.png" {
		t.Errorf("got %s and %v, want %s", again.Markdown, again.Meta, want)
	}
	if got := outcomes(imports(t, db, s.ID, []series.Incoming{again}, series.ImportOptions{}, day0)); got != "one unchanged" {
		t.Errorf("another name: %s, want unchanged", got)
	}
	other := pictured("one", "second")
	again.Text.Pictures, again.Pictures = map[string]string{"pictures/$1.png": other.Text.Pictures["a.png"]}, other.Pictures
	if got := outcomes(imports(t, db, s.ID, []series.Incoming{again}, series.ImportOptions{}, day0)); got != "one changed" {
		t.Errorf("another picture: %s, want changed", got)
	}
}
