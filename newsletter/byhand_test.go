package newsletter_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
)

func TestSendNowTwiceInOneMinute(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two")
	w.enrol(s, "ada")
	for _, want := range []string{"one", "two"} {
		_, article, _, err := w.p.SendNow(w.ctx, "skin", "", false)
		w.check("send now", err)
		equal(t, "article", article, want)
	}
	if _, _, _, err := w.p.SendNow(w.ctx, "skin", "", false); !errors.Is(err, newsletter.ErrNothing) {
		t.Errorf("send when all are sent: got %v, want ErrNothing", err)
	}
}

func TestSendNowInDripGivesEverybodyTheirOwn(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{Mode: ptr(series.Drip)})
	w.articles(s, "one", "two")
	w.enrol(s, "ada")
	w.run(monday)
	w.run(tuesday(1))
	w.enrol(s, "ben", "cyd")
	_, article, readers, err := w.p.SendNow(w.ctx, "skin", "", true)
	w.check("dry run", err)
	equal(t, "dry run", []any{article, readers}, []any{"one", int64(3)})
	name, article, readers, err := w.p.SendNow(w.ctx, "skin", "", false)
	w.check("send", err)
	equal(t, "send", []any{article, readers}, []any{"one", int64(3)})
	equal(t, "issue of the most", w.issue(name), "sending pending=2")
	equal(t, "ada", w.deliveriesOf("ada"), []string{"one pending", "two pending"})
	equal(t, "ben", w.deliveriesOf("ben"), []string{"one pending"})
}

func TestRule18AnAnnouncementMovesNobody(t *testing.T) {
	w := newWorld(t)
	skin, gut := w.series("skin", series.Change{}), w.series("gut", series.Change{})
	w.articles(skin, "one", "two")
	w.articles(gut, "oats")
	w.enrol(skin, "ada", "ben")
	w.enrol(gut, "ben", "cyd")
	w.run(monday)
	moving := newsletter.Announcement{Series: []string{"skin", "gut"}, Title: "We move house", Markdown: "From May we are *next door*."}
	_, readers, err := w.p.Announce(w.ctx, moving, true)
	w.check("dry run", err)
	equal(t, "dry run", readers, int64(3))
	name, readers, err := w.p.Announce(w.ctx, moving, false)
	w.check("announce", err)
	equal(t, "announced", []any{name, readers, w.issue(name)}, []any{"site/2027-03-01T08:00/announcement", int64(3), "sending pending=3"})
	equal(t, "plan", w.plan("skin", 1), []string{wall(1) + " one 2"})

	w.clock.set(monday.Add(time.Minute))
	w.enrol(gut, "dan")
	again := func() (string, int64, error) {
		return w.p.Announce(w.ctx, moving, false)
	}
	_, readers, err = again()
	w.check("the same words again", err)
	equal(t, "only who came since", readers, int64(1))
	w.clock.set(monday.Add(2 * time.Minute))
	if _, _, err := again(); !errors.Is(err, newsletter.ErrNothing) {
		t.Errorf("the same words a third time: got %v, want ErrNothing", err)
	}

	_, readers, err = w.p.Announce(w.ctx, newsletter.Announcement{Series: []string{"skin"}, Article: "one"}, false)
	w.check("announce an article", err)
	equal(t, "readers", readers, int64(2))
	equal(t, "it counts as had", w.plan("skin", 1), []string{wall(1) + " two 2"})
	w.clock.set(monday.Add(time.Hour))
	if name, readers, err := w.p.Announce(w.ctx, newsletter.Announcement{Series: []string{"skin"}, Article: "one"}, false); !errors.Is(err, newsletter.ErrNothing) {
		t.Errorf("announce it once more: got %s for %d readers, %v, want ErrNothing", name, readers, err)
	}
}

// TestRule14AnAnnouncementToAnotherSeriesCounts: whoever reads both gets the article once, whichever comes first.
func TestRule14AnAnnouncementToAnotherSeriesCounts(t *testing.T) {
	for _, mode := range []series.Mode{series.Live, series.Drip} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t)
			skin, gut := w.series("skin", series.Change{Mode: &mode}), w.series("gut", series.Change{})
			w.articles(skin, "one", "two")
			w.enrol(skin, "ada", "ben")
			w.enrol(gut, "ben", "cyd")
			w.run(monday)
			announce := func(article string, to ...string) int64 {
				t.Helper()
				a := newsletter.Announcement{Series: to, Article: article}
				_, would, err := w.p.Announce(w.ctx, a, true)
				w.check("dry run", err)
				_, did, err := w.p.Announce(w.ctx, a, false)
				w.check("announce", err)
				equal(t, "announced as counted before", did, would)
				return did
			}
			equal(t, "one to the readers of gut", announce("one", "gut"), int64(2))
			lines, err := w.p.Explain(w.ctx, "ben@reader.example", 1)
			w.check("explain", err)
			for _, line := range lines {
				if line.Series == "skin" && line.Article == "one" {
					t.Errorf("explain: got %+v, want that ben had it", line)
				}
			}
			w.run(tuesday(1))
			equal(t, "ada", w.deliveriesOf("ada"), []string{"one pending"})
			ben := []string{"one pending"}
			if mode == series.Drip {
				ben = append(ben, "two pending")
			}
			equal(t, "ben", w.deliveriesOf("ben"), ben)

			w.run(tuesday(2))
			w.enrol(gut, "ada") // who has both by now
			equal(t, "two to the readers of gut", announce("two", "gut", "skin"), int64(1))
			equal(t, "ada", w.deliveriesOf("ada"), []string{"one pending", "two pending"})
			equal(t, "ben", w.deliveriesOf("ben"), []string{"one pending", "two pending"})
			equal(t, "cyd", w.deliveriesOf("cyd"), []string{"one pending", "two pending"})
		})
	}
}

func TestRule14ReadElsewhereIsNotAnnounced(t *testing.T) {
	w := newWorld(t)
	skin, gut := w.series("skin", series.Change{Mode: ptr(series.Drip)}), w.series("gut", series.Change{})
	w.articles(skin, "one", "two")
	w.enrol(gut, "ada", "ben")
	one, err := series.ArticleBySlug(w.ctx, w.db, "one")
	w.check("one", err)
	_, err = w.people.Import(w.ctx, w.db, strings.NewReader("email\nada@reader.example\n"), subscribers.ImportOptions{
		SeriesID: skin.ID, File: "people.csv", As: subscribers.Active, Because: "they signed", Reading: []int64{one.ID},
	})
	w.check("import", err)
	_, readers, err := w.p.Announce(w.ctx, newsletter.Announcement{Series: []string{"gut"}, Article: "one"}, false)
	w.check("announce", err)
	equal(t, "readers", readers, int64(1))
	equal(t, "ada", w.deliveriesOf("ada"), []string{})
}

func TestRule7ACorrectionGoesToWhoHadItAnnounced(t *testing.T) {
	w := newWorld(t)
	skin, gut := w.series("skin", series.Change{}), w.series("gut", series.Change{})
	w.articles(skin, "one", "two")
	w.enrol(skin, "ada", "ben")
	w.enrol(gut, "ben")
	told, _, err := w.p.Announce(w.ctx, newsletter.Announcement{Series: []string{"gut"}, Article: "one"}, false)
	w.check("announce", err)
	name, _, readers, err := w.p.SendNow(w.ctx, "skin", "one", false)
	w.check("send", err)
	equal(t, "who lacks it", readers, int64(1))
	w.deliver(&moody{})
	w.importArticles(skin, series.Incoming{Slug: "one", Text: series.Text{Title: "About one", Markdown: "Better words."}})
	_, would, err := w.p.Correct(w.ctx, name, "It was wrong.", true)
	w.check("dry run", err)
	_, readers, err = w.p.Correct(w.ctx, name, "It was wrong.", false)
	w.check("correct", err)
	equal(t, "corrected", []int64{would, readers}, []int64{2, 2})
	if _, _, err := w.p.Correct(w.ctx, told, "It was wrong.", true); !errors.Is(err, series.ErrState) || !strings.Contains(err.Error(), "pressrun issue announce") {
		t.Errorf("correct the announcement: got %v, want that it is corrected by another", err)
	}
}

// TestRule18AnAnnouncementToSomeKeepsTheTurn: who lacks the article gets it in its turn, in the slot or by hand.
func TestRule18AnAnnouncementToSomeKeepsTheTurn(t *testing.T) {
	for name, to := range map[string]newsletter.Announcement{
		"a segment":      {Series: []string{"skin"}, Where: "email ~ ada", Article: "one"},
		"another series": {Series: []string{"gut"}, Article: "one"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			skin, gut := w.series("skin", series.Change{}), w.series("gut", series.Change{Schedule: []string{"0 9 1 1 *"}})
			w.articles(skin, "one", "two")
			w.enrol(skin, "ada", "ben", "cyd")
			w.enrol(gut, "ada")
			_, readers, err := w.p.Announce(w.ctx, to, false)
			w.check("announce", err)
			equal(t, "readers", readers, int64(1))
			equal(t, "plan", w.plan("skin", 2), []string{wall(1) + " one 2", wall(2) + " two 3"})
			_, article, readers, err := w.p.SendNow(w.ctx, "skin", "one", true)
			w.check("by hand", err)
			equal(t, "by hand", []any{article, readers}, []any{"one", int64(2)})
			w.run(monday)
			equal(t, "slots", [][]string{w.run(tuesday(1)), w.run(tuesday(2))}, [][]string{{wall(1) + " issued 2"}, {wall(2) + " issued 3"}})
			equal(t, "ada", w.deliveriesOf("ada"), []string{"one pending", "two pending"})
			equal(t, "ben", w.deliveriesOf("ben"), []string{"one pending", "two pending"})
		})
	}
}

// TestRule18AnAnnouncementIsNoPlace: what goes outside the order puts nothing behind, neither a draft at the head nor what is
// inserted before it.
func TestRule18AnAnnouncementIsNoPlace(t *testing.T) {
	for _, mode := range []series.Mode{series.Live, series.Drip} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t)
			skin := w.series("skin", series.Change{Mode: &mode, WhenNotReady: ptr("hold")})
			w.articles(skin, "one?", "two", "three")
			w.enrol(skin, "ada", "ben")
			w.run(monday)
			_, _, err := w.p.Announce(w.ctx, newsletter.Announcement{Series: []string{"skin"}, Article: "two"}, false)
			w.check("announce", err)
			w.clock.set(monday.Add(time.Hour))
			one, err := series.ArticleBySlug(w.ctx, w.db, "one")
			w.check("one", err)
			past, _, err := w.p.PastIn(w.ctx, w.db, one)
			w.check("past", err)
			equal(t, "readers past the draft", past, int64(0))
			equal(t, "the draft holds", w.run(tuesday(1)), []string{wall(1) + " held 0"})
			w.article("one", series.MarkReady)
			equal(t, "plan", w.plan("skin", 2), []string{wall(2) + " one 2", wall(3) + " three 2"})
		})
	}
}

func TestRule18AnAnnouncementToASegment(t *testing.T) {
	w := newWorld(t)
	skin, gut := w.series("skin", series.Change{}), w.series("gut", series.Change{})
	w.enrol(skin, "ada", "ben")
	w.enrol(gut, "ben", "cyd")
	some := newsletter.Announcement{Series: []string{"skin", "gut"}, Where: `name = nobody`, Title: "We move house", Markdown: "From May."}
	for _, dryRun := range []bool{true, false} {
		if _, _, err := w.p.Announce(w.ctx, some, dryRun); !errors.Is(err, newsletter.ErrNothing) {
			t.Errorf("to a segment of nobody: got %v, want ErrNothing", err)
		}
	}
	some.Where = `email ~ cyd or tag = vip`
	_, readers, err := w.p.Announce(w.ctx, some, true)
	w.check("dry run", err)
	equal(t, "dry run", readers, int64(1))
	w.clock.set(monday.Add(time.Hour))
	_, readers, err = w.p.Announce(w.ctx, some, false)
	w.check("announce", err)
	equal(t, "announced", readers, int64(1))
	equal(t, "cyd", len(w.deliveriesOf("cyd")), 1)
	equal(t, "ada", len(w.deliveriesOf("ada")), 0)
	some.Where = `tag ! vip`
	if _, _, err := w.p.Announce(w.ctx, some, true); !errors.Is(err, subscribers.ErrFilter) {
		t.Errorf("with a filter that can't be understood: got %v, want ErrFilter", err)
	}
}
