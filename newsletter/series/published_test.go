package series_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// send freezes an issue of an article and begins to send it on a day.
func send(t testing.TB, db *store.DB, s series.Series, a series.Article, kind string, on int) series.Issue {
	t.Helper()
	f := letter(s, a, disclaimer)
	f.Kind, f.Slot = kind, day(on).Format("2006-01-02T15:04")
	issue := freeze(t, db, f, day(on))
	transition(t, db, issue.ID, day(on), series.IssueSending)
	return issue
}

func published(t testing.TB, db *store.DB, seriesID int64) string {
	t.Helper()
	all, err := series.PublishedArticles(t.Context(), db, seriesID)
	if err != nil {
		t.Fatal(err)
	}
	var s []string
	for _, p := range all {
		s = append(s, fmt.Sprintf("%d/%d %s (%s)", p.Part, p.Of, p.Article.Title, p.Issue.Name))
		if p.Issue.HTML+p.Issue.Text+p.Issue.ArticleHTML != "" {
			t.Errorf("got documents in the list of %s", p.Article.Slug)
		}
	}
	return strings.Join(s, ", ")
}

func TestPublished(t *testing.T) {
	db := open(t)
	s := add(t, db, weekly())
	var articles []series.Article
	for _, one := range imports(t, db, s.ID, incoming("a", "b", "c", "d"), series.ImportOptions{Ready: true}, day0) {
		articles = append(articles, one.Article)
	}
	a, b, c, d := articles[0], articles[1], articles[2], articles[3]
	want := func(step, want string) {
		t.Helper()
		if got := published(t, db, s.ID); got != want {
			t.Errorf("%s: got %s, want %s", step, got, want)
		}
	}
	want("at first", "")
	f := letter(s, a, disclaimer)
	held := freeze(t, db, f, day(7))
	want("frozen, not sent", "")
	transition(t, db, held.ID, day(7), series.IssueSending)
	want("sent", "1/4 On a (skin/2027-01-12T09:00)")
	send(t, db, s, c, "slot", 14)
	want("by rank", "1/4 On a (skin/2027-01-12T09:00), 3/4 On c (skin/2027-01-19T09:00)")

	list := incoming("a")
	list[0].Title = "On a, again"
	imports(t, db, s.ID, list, series.ImportOptions{}, day(15))
	want("an edit shows once it was sent", "1/4 On a (skin/2027-01-12T09:00), 3/4 On c (skin/2027-01-19T09:00)")
	send(t, db, s, article(t, db, a.ID), "welcome", 16)
	want("the newest issue counts", "1/4 On a, again (skin/2027-01-21T09:00/welcome), 3/4 On c (skin/2027-01-19T09:00)")

	cancelled := send(t, db, s, d, "slot", 21)
	transition(t, db, cancelled.ID, day(21), series.IssueCancelled)
	want("cancelled before anybody had it", "1/4 On a, again (skin/2027-01-21T09:00/welcome), 3/4 On c (skin/2027-01-19T09:00)")
	in(t, db, func(ctx context.Context, tx *store.Tx) error {
		return errors.Join(series.Withdraw(ctx, tx, a.ID, day(22)), series.Move(ctx, tx, c.ID, true, b.ID, day(22)))
	})
	want("withdrawn", "1/3 On c (skin/2027-01-19T09:00)")

	got, err := series.PublishedBySlug(t.Context(), db, s.ID, "c")
	if err != nil || got.Part != 1 || got.Of != 3 || got.Issue.ArticleHTML != "<p>About c.</p>" || got.Article.Rank != 2 {
		t.Errorf("got %+v, %v", got, err)
	}
	got, err = series.PublishedBySlug(t.Context(), db, s.ID, "a")
	if err != nil || got.Part != 0 || got.Article.State != series.Withdrawn || got.Article.Title != "On a, again" {
		t.Errorf("got %+v, %v; want the withdrawn article for its page", got, err)
	}
	for _, slug := range []string{"b", "d", "nowhere"} {
		if _, err := series.PublishedBySlug(t.Context(), db, s.ID, slug); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: got %v, want store.ErrNotFound", slug, err)
		}
	}
}

func TestPublishedElsewhere(t *testing.T) {
	db := open(t)
	s := add(t, db, weekly())
	list := incoming("a", "b", "c", "d")
	for i := range 3 {
		list[i].Date = "2026-05-01"
	}
	list[1].Draft = true
	imported := imports(t, db, s.ID, list, series.ImportOptions{Ready: true, PublishedUntil: "2026-12-31"}, day0)
	a, c, d := imported[0].Article, imported[2].Article, imported[3].Article
	if got, want := published(t, db, s.ID), "1/3 On a (), 2/3 On c ()"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	send(t, db, s, d, "slot", 7)
	send(t, db, s, a, "now", 8)
	if got, want := published(t, db, s.ID), "1/3 On a (skin/2027-01-13T09:00/now), 2/3 On c (), 3/3 On d (skin/2027-01-12T09:00)"; got != want {
		t.Errorf("some sent: got %s, want %s", got, want)
	}
	n, err := series.NeighboursOf(t.Context(), db, d.ID)
	if err != nil || n.Previous == nil || n.Previous.ID != c.ID || !n.PreviousPublic {
		t.Errorf("neighbours: got %+v, %v; want c before it, public", n, err)
	}
	got, err := series.PublishedBySlug(t.Context(), db, s.ID, "c")
	if err != nil || got.Issue.ID != 0 || got.Article.Markdown != "About c." || got.Part != 2 {
		t.Errorf("got %+v, %v; want c as it is", got, err)
	}
	if _, err := series.PublishedBySlug(t.Context(), db, s.ID, "b"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a draft: got %v, want store.ErrNotFound", err)
	}
}

func TestNeighbours(t *testing.T) {
	db := open(t)
	s := add(t, db, weekly())
	list := incoming("a", "b", "c", "d", "e")
	list[3].Draft = true
	ids := map[string]int64{}
	for _, one := range imports(t, db, s.ID, list, series.ImportOptions{Ready: true}, day0) {
		ids[one.Article.Slug] = one.Article.ID
	}
	send(t, db, s, article(t, db, ids["a"]), "slot", 7)
	send(t, db, s, article(t, db, ids["b"]), "slot", 14)
	show := func(slug string) string {
		n, err := series.NeighboursOf(t.Context(), db, ids[slug])
		if err != nil {
			t.Fatal(err)
		}
		one := func(a *series.Article, public bool) string {
			switch {
			case a == nil:
				return "-"
			case public:
				return "[" + a.Title + "]"
			}
			return a.Title
		}
		return fmt.Sprintf("%s | %s, %d of %d", one(n.Previous, n.PreviousPublic), one(n.Next, n.NextPublic), n.Part, n.Of)
	}
	want := func(slug, want string) {
		t.Helper()
		if got := show(slug); got != want {
			t.Errorf("%s: got %s, want %s", slug, got, want)
		}
	}
	want("a", "- | [On b], 1 of 4")
	want("b", "[On a] | On c, 2 of 4")
	want("c", "[On b] | On e, 3 of 4") // d is a draft
	want("d", "On c | On e, 4 of 5")   // and has the neighbours it will have
	want("e", "On c | -, 4 of 4")
	in(t, db, func(ctx context.Context, tx *store.Tx) error {
		return errors.Join(series.Withdraw(ctx, tx, ids["b"], day(15)), series.Move(ctx, tx, ids["e"], true, ids["a"], day(15)))
	})
	want("a", "On e | On c, 2 of 3") // closed up
	want("e", "- | [On a], 1 of 3")
}
