package series_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

func incoming(slugs ...string) []series.Incoming {
	var all []series.Incoming
	for _, slug := range slugs {
		all = append(all, series.Incoming{Slug: slug, Text: series.Text{Title: "On " + slug, Markdown: "About " + slug + "."}})
	}
	return all
}

func imports(t testing.TB, db *store.DB, seriesID int64, in_ []series.Incoming, o series.ImportOptions, now time.Time) []series.Imported {
	t.Helper()
	var out []series.Imported
	in(t, db, func(ctx context.Context, tx *store.Tx) (err error) {
		out, err = series.ImportArticles(ctx, tx, seriesID, in_, o, now)
		return err
	})
	return out
}

// importOne adds a ready article at the end and returns its number.
func importOne(t testing.TB, db *store.DB, seriesID int64, slug string) int64 {
	t.Helper()
	return imports(t, db, seriesID, incoming(slug), series.ImportOptions{Ready: true}, day0)[0].Article.ID
}

// order lists the slugs of a series by rank and fails where the ranks have holes.
func order(t testing.TB, q store.Querier, seriesID int64) string {
	t.Helper()
	all, err := series.Articles(t.Context(), q, seriesID)
	if err != nil {
		t.Fatal(err)
	}
	var slugs []string
	for i, a := range all {
		slugs = append(slugs, a.Slug)
		if a.Rank != int64(i+1) {
			t.Errorf("got rank %d for %s, want %d", a.Rank, a.Slug, i+1)
		}
	}
	return strings.Join(slugs, " ")
}

func outcomes(all []series.Imported) string {
	var s []string
	for _, one := range all {
		s = append(s, one.Article.Slug+" "+one.Outcome)
	}
	return strings.Join(s, ", ")
}

func TestImport(t *testing.T) {
	db := open(t)
	s := add(t, db, weekly())
	text := series.Text{
		Title: "Herbs “for” skin", Subject: "Four herbs", Preheader: "Nettle first", Description: "d", Markdown: "    code\n\nText\twith tabs",
		Disclaimer: "Ask.\n\nTwice.", DisclaimerMode: "replace", Date: "2020-02-29", Meta: map[string]string{"tags": "a, b"},
	}
	sent := text
	sent.Title, sent.Markdown = "  "+text.Title+"\n", "\r\n \n"+strings.ReplaceAll(text.Markdown, "\n", "\r\n")+"\n\n"
	out := imports(t, db, s.ID, []series.Incoming{{Slug: "herbs", Source: "herbs.md", Text: sent}}, series.ImportOptions{}, day(1))
	want := series.Article{
		ID: 1, SeriesID: s.ID, Slug: "herbs", Rank: 1, State: series.Draft, Revision: 1, Placed: day(1), Source: "herbs.md",
		Created: day(1), Updated: day(1), Text: text,
	}
	diff(t, out, []series.Imported{{Article: want, Outcome: "added"}})
	got, err := series.ArticleBySlug(t.Context(), db, "herbs")
	if err != nil {
		t.Fatal(err)
	}
	diff(t, got, want)
	if got, err = series.ArticleByID(t.Context(), db, 1); err != nil {
		t.Fatal(err)
	}
	diff(t, got, want)
}

func TestImportAgain(t *testing.T) {
	db := open(t)
	s := add(t, db, weekly())
	list := incoming("a", "b", "c")
	list[1].Draft = true
	steps := []struct {
		name    string
		change  func()
		options series.ImportOptions
		want    string
		states  string
	}{
		{"first", func() {}, series.ImportOptions{}, "a added, b added, c added", "draft 1, draft 1, draft 1"},
		{"the same", func() {}, series.ImportOptions{}, "a unchanged, b unchanged, c unchanged", "draft 1, draft 1, draft 1"},
		{"ready", func() {}, series.ImportOptions{Ready: true}, "a changed, b unchanged, c changed", "ready 1, draft 1, ready 1"},
		{"ready again", func() {}, series.ImportOptions{Ready: true}, "a unchanged, b unchanged, c unchanged", "ready 1, draft 1, ready 1"},
		{"other text", func() { list[2].Markdown = "New." }, series.ImportOptions{}, "a unchanged, b unchanged, c changed", "ready 1, draft 1, ready 2"},
		{"other front matter", func() { list[0].Meta = map[string]string{"x": "y"} }, series.ImportOptions{}, "a changed, b unchanged, c unchanged", "ready 2, draft 1, ready 2"},
		{"draft in the front matter of a ready one", func() { list[0].Draft, list[0].Markdown = true, "Half." }, series.ImportOptions{}, "a unchanged, b unchanged, c unchanged", "ready 2, draft 1, ready 2"},
		{"ready where the draft is", func() {}, series.ImportOptions{Ready: true}, "a unchanged, b unchanged, c unchanged", "ready 2, draft 1, ready 2"},
		{"published elsewhere", func() { list[0].Draft, list[0].Date, list[1].Date = false, "2026-12-31", "2027-01-02" }, series.ImportOptions{PublishedUntil: "2026-12-31"}, "a changed, b changed, c unchanged", "ready 3 elsewhere, draft 2, ready 2"},
		{"and again", func() {}, series.ImportOptions{PublishedUntil: "2026-12-31"}, "a unchanged, b unchanged, c unchanged", "ready 3 elsewhere, draft 2, ready 2"},
	}
	for i, tt := range steps {
		tt.change()
		out := imports(t, db, s.ID, list, tt.options, day(i))
		if got := outcomes(out); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
		var states []string
		for _, one := range out {
			state := fmt.Sprintf("%s %d", one.Article.State, one.Article.Revision)
			if one.Article.Elsewhere {
				state += " elsewhere"
			}
			states = append(states, state)
		}
		if got := strings.Join(states, ", "); got != tt.states {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.states)
		}
	}
	got, err := series.ArticleBySlug(t.Context(), db, "a")
	if err != nil || !got.Placed.Equal(day(2)) {
		t.Errorf("got placed %s, %v; want when it became ready", got.Placed, err)
	}
}

func TestImportOrder(t *testing.T) {
	for _, tt := range []struct{ have, list, want string }{
		{"", "a b c", "a b c"},
		{"a b", "a b c", "a b c"},
		{"a b", "c", "a b c"},
		{"a b", "c a", "a b c"},
		{"a b", "a c", "a c b"},
		{"a b", "a c d", "a c d b"},
		{"a b", "b c a d", "a d b c"},
		{"a b", "b a", "a b"},
		{"a b c", "x y b z", "a b z c x y"},
	} {
		t.Run(tt.have+" + "+tt.list, func(t *testing.T) {
			db := open(t)
			s := add(t, db, weekly())
			imports(t, db, s.ID, incoming(strings.Fields(tt.have)...), series.ImportOptions{}, day0)
			imports(t, db, s.ID, incoming(strings.Fields(tt.list)...), series.ImportOptions{}, day(1))
			if got := order(t, db, s.ID); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestImportRefuses(t *testing.T) {
	db := open(t)
	s := add(t, db, weekly())
	importOne(t, db, s.ID, "known")
	var gut series.Series
	in(t, db, func(ctx context.Context, tx *store.Tx) (err error) {
		gut, err = series.Add(ctx, tx, "gut", weekly(), day0)
		return err
	})
	with := func(change func(i *series.Incoming)) []series.Incoming {
		list := incoming("fine", "one")
		change(&list[1])
		return list
	}
	for _, tt := range []struct {
		name, says string
		list       []series.Incoming
		options    series.ImportOptions
		want       error
	}{
		{"slug of another series", "skin", incoming("fine", "known"), series.ImportOptions{}, series.ErrSlug},
		{"capital letters", `"One"`, with(func(i *series.Incoming) { i.Slug = "One" }), series.ImportOptions{}, series.ErrSlug},
		{"path", `"../one"`, with(func(i *series.Incoming) { i.Slug = "../one" }), series.ImportOptions{}, series.ErrSlug},
		{"no slug", "article 2", with(func(i *series.Incoming) { i.Slug = "" }), series.ImportOptions{}, series.ErrSlug},
		{"twice", "twice", incoming("one", "one"), series.ImportOptions{}, series.ErrSlug},
		{"no title", "title", with(func(i *series.Incoming) { i.Title = " " }), series.ImportOptions{}, series.ErrInvalid},
		{"line break in the subject", "subject", with(func(i *series.Incoming) { i.Subject = "a\nBcc: b" }), series.ImportOptions{}, series.ErrInvalid},
		{"NUL in the text", "U+0000", with(func(i *series.Incoming) { i.Markdown = "a\x00" }), series.ImportOptions{}, series.ErrInvalid},
		{"text too long", "longer", with(func(i *series.Incoming) { i.Markdown = strings.Repeat("x", 1<<20+1) }), series.ImportOptions{}, series.ErrInvalid},
		{"date", "YYYY-MM-DD", with(func(i *series.Incoming) { i.Date = "2027-02-29" }), series.ImportOptions{}, series.ErrInvalid},
		{"mode", `"instead"`, with(func(i *series.Incoming) { i.DisclaimerMode = "instead" }), series.ImportOptions{}, series.ErrInvalid},
		{"ready without text", "no text", with(func(i *series.Incoming) { i.Markdown = " \n" }), series.ImportOptions{Ready: true}, series.ErrInvalid},
		{"until when", "--published-until", incoming("one"), series.ImportOptions{PublishedUntil: "yesterday"}, series.ErrInvalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tryIn(t, db, func(ctx context.Context, tx *store.Tx) error {
				_, err := series.ImportArticles(ctx, tx, gut.ID, tt.list, tt.options, day0)
				return err
			})
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %v that says %s", err, tt.want, tt.says)
			}
			if got := order(t, db, gut.ID); got != "" {
				t.Errorf("got %s stored, want nothing", got)
			}
		})
	}
	if out := imports(t, db, gut.ID, with(func(i *series.Incoming) { i.Markdown, i.Draft = "", true }), series.ImportOptions{Ready: true}, day0); outcomes(out) != "fine added, one added" {
		t.Errorf("got %s; want an empty draft stored", outcomes(out))
	}
	err := tryIn(t, db, func(ctx context.Context, tx *store.Tx) error {
		list := incoming("fine")
		list[0].Markdown = ""
		_, err := series.ImportArticles(ctx, tx, gut.ID, list, series.ImportOptions{}, day0)
		return err
	})
	if !errors.Is(err, series.ErrInvalid) {
		t.Errorf("got %v, want ErrInvalid where a ready article loses its text", err)
	}
}

func article(t testing.TB, q store.Querier, id int64) series.Article {
	t.Helper()
	a, err := series.ArticleByID(t.Context(), q, id)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestStatesOfAnArticle(t *testing.T) {
	db := open(t)
	s := add(t, db, weekly())
	id := imports(t, db, s.ID, incoming("a"), series.ImportOptions{}, day0)[0].Article.ID
	blank := incoming("blank")
	blank[0].Markdown = ""
	blankID := imports(t, db, s.ID, blank, series.ImportOptions{}, day0)[0].Article.ID
	for i, tt := range []struct {
		name     string
		do       func(ctx context.Context, tx *store.Tx, now time.Time) error
		state    series.ArticleState
		placed   int
		backfill bool
	}{
		{"backfill of a draft", func(ctx context.Context, tx *store.Tx, now time.Time) error { return series.Backfill(ctx, tx, id, now) }, series.Draft, 0, true},
		{"ready", func(ctx context.Context, tx *store.Tx, now time.Time) error {
			return series.MarkReady(ctx, tx, id, now)
		}, series.Ready, 1, true},
		{"ready again", func(ctx context.Context, tx *store.Tx, now time.Time) error {
			return series.MarkReady(ctx, tx, id, now)
		}, series.Ready, 1, true},
		{"withdraw", func(ctx context.Context, tx *store.Tx, now time.Time) error { return series.Withdraw(ctx, tx, id, now) }, series.Withdrawn, 1, true},
		{"withdraw again", func(ctx context.Context, tx *store.Tx, now time.Time) error { return series.Withdraw(ctx, tx, id, now) }, series.Withdrawn, 1, true},
		{"un-withdraw", func(ctx context.Context, tx *store.Tx, now time.Time) error {
			return series.MarkReady(ctx, tx, id, now)
		}, series.Ready, 5, false},
		{"backfill", func(ctx context.Context, tx *store.Tx, now time.Time) error { return series.Backfill(ctx, tx, id, now) }, series.Ready, 5, true},
		{"move to where it is", func(ctx context.Context, tx *store.Tx, now time.Time) error {
			return series.Move(ctx, tx, id, true, blankID, now)
		}, series.Ready, 5, true},
		{"move", func(ctx context.Context, tx *store.Tx, now time.Time) error {
			return series.Move(ctx, tx, id, false, blankID, now)
		}, series.Ready, 8, false},
	} {
		in(t, db, func(ctx context.Context, tx *store.Tx) error { return tt.do(ctx, tx, day(i)) })
		if a := article(t, db, id); a.State != tt.state || !a.Placed.Equal(day(tt.placed)) || a.Backfill != tt.backfill {
			t.Errorf("%s: got %s, placed %s, backfill %v; want %s, %s, %v", tt.name, a.State, a.Placed, a.Backfill, tt.state, day(tt.placed), tt.backfill)
		}
	}
	err := tryIn(t, db, func(ctx context.Context, tx *store.Tx) error { return series.MarkReady(ctx, tx, blankID, day0) })
	if !errors.Is(err, series.ErrInvalid) {
		t.Errorf("got %v, want ErrInvalid for an article without text", err)
	}
	in(t, db, func(ctx context.Context, tx *store.Tx) error { return series.Withdraw(ctx, tx, id, day0) })
	err = tryIn(t, db, func(ctx context.Context, tx *store.Tx) error { return series.Backfill(ctx, tx, id, day0) })
	if !errors.Is(err, series.ErrState) {
		t.Errorf("got %v, want ErrState for the backfill of a withdrawn article", err)
	}
}

func TestMove(t *testing.T) {
	for _, tt := range []struct {
		what, where, other, want string
	}{
		{"d", "before", "a", "d a b c"},
		{"d", "before", "b", "a d b c"},
		{"d", "after", "a", "a d b c"},
		{"a", "after", "d", "b c d a"},
		{"a", "before", "d", "b c a d"},
		{"b", "before", "c", "a b c d"},
		{"b", "after", "a", "a b c d"},
		{"b", "after", "c", "a c b d"},
	} {
		t.Run(tt.what+" "+tt.where+" "+tt.other, func(t *testing.T) {
			db := open(t)
			s := add(t, db, weekly())
			ids := map[string]int64{}
			for _, one := range imports(t, db, s.ID, incoming("a", "b", "c", "d"), series.ImportOptions{}, day0) {
				ids[one.Article.Slug] = one.Article.ID
			}
			in(t, db, func(ctx context.Context, tx *store.Tx) error {
				return series.Move(ctx, tx, ids[tt.what], tt.where == "before", ids[tt.other], day(1))
			})
			got := order(t, db, s.ID)
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			for slug, id := range ids {
				moved := slug == tt.what && got != "a b c d"
				if placed := article(t, db, id).Placed; placed.Equal(day(1)) != moved {
					t.Errorf("%s: got placed %s, want it changed: %v", slug, placed, moved)
				}
			}
		})
	}
}

func TestMoveRefuses(t *testing.T) {
	db := open(t)
	s := add(t, db, weekly())
	a := importOne(t, db, s.ID, "a")
	var gut series.Series
	in(t, db, func(ctx context.Context, tx *store.Tx) (err error) {
		gut, err = series.Add(ctx, tx, "gut", weekly(), day0)
		return err
	})
	foreign := importOne(t, db, gut.ID, "b")
	for _, other := range []int64{a, foreign, 99} {
		err := tryIn(t, db, func(ctx context.Context, tx *store.Tx) error { return series.Move(ctx, tx, a, true, other, day0) })
		if !errors.Is(err, series.ErrInvalid) {
			t.Errorf("beside %d: got %v, want ErrInvalid", other, err)
		}
	}
}

// TestOrderIsKept holds the stored order against a slice, through any sequence of moves and imports.
func TestOrderIsKept(t *testing.T) {
	db := open(t)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		var s series.Series
		in(t, db, func(ctx context.Context, tx *store.Tx) (err error) {
			s, err = series.Add(ctx, tx, fmt.Sprintf("s%d", n), weekly(), day0)
			if err != nil {
				return err
			}
			return orderSteps(ctx, rt, t, tx, s, fmt.Sprintf("s%d-", n))
		})
	})
}

func orderSteps(ctx context.Context, rt *rapid.T, t *testing.T, tx *store.Tx, s series.Series, prefix string) error {
	var want []string
	ids := map[string]int64{}
	pick := func(name string) int { return rapid.IntRange(0, len(want)-1).Draw(rt, name) }
	for i := range rapid.IntRange(1, 12).Draw(rt, "steps") {
		if len(want) < 2 || rapid.Bool().Draw(rt, "import") {
			slug := fmt.Sprintf("%s%d", prefix, i)
			list, at := incoming(slug), len(want)
			if len(want) > 0 && rapid.Bool().Draw(rt, "after one") {
				at = pick("which")
				list = incoming(want[at], slug)
				at++
			}
			out, err := series.ImportArticles(ctx, tx, s.ID, list, series.ImportOptions{}, day(i))
			if err != nil {
				return err
			}
			ids[slug] = out[len(out)-1].Article.ID
			want = slices.Insert(want, at, slug)
		} else {
			from, to, before := pick("what"), pick("beside"), rapid.Bool().Draw(rt, "before")
			if from == to {
				continue
			}
			slug, other := want[from], want[to]
			if err := series.Move(ctx, tx, ids[slug], before, ids[other], day(i)); err != nil {
				return err
			}
			want = slices.Delete(want, from, from+1)
			at := slices.Index(want, other)
			if !before {
				at++
			}
			want = slices.Insert(want, at, slug)
		}
		if got := order(t, tx, s.ID); got != strings.Join(want, " ") {
			rt.Fatalf("got %s, want %s", got, strings.Join(want, " "))
		}
	}
	return nil
}
