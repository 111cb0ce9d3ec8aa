package newsletter_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// stopImport imports many active people and stops midway, as a crash would.
func (w *world) stopImport(s series.Series) (people int64) {
	w.t.Helper()
	const n = 20_000
	var file strings.Builder
	file.WriteString("email,status\n")
	for i := range n {
		fmt.Fprintf(&file, "r%d@reader.example,active\n", i)
	}
	ctx, stop := context.WithCancel(w.ctx)
	defer stop()
	o := subscribers.ImportOptions{SeriesID: s.ID, File: "people.csv", Because: "they signed"}
	o.Progress = func(taken, _ int64) {
		if taken > 0 {
			stop()
		}
	}
	if _, err := w.people.Import(ctx, w.db, strings.NewReader(file.String()), o); !errors.Is(err, context.Canceled) {
		w.t.Fatalf("import: got %v, want it stopped", err)
	}
	return n
}

// runsInto does what is due at an instant and says the slots, and the error that kept others.
func (w *world) runsInto(at time.Time) (slots int, err error) {
	w.clock.set(at)
	happened, err := w.p.RunDue(w.ctx)
	return len(happened), err
}

func TestAnUnfinishedImportKeepsItsSeriesWaiting(t *testing.T) {
	for _, mode := range []series.Mode{series.Live, series.Drip} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t)
			s, other := w.series("skin", series.Change{Mode: &mode}), w.series("gut", series.Change{Mode: &mode})
			w.articles(s, "one", "two")
			w.articles(other, "oats")
			w.enrol(s, "ada")
			w.enrol(other, "ben")
			w.run(monday)
			w.clock.set(tuesday(1).Add(-30 * time.Second))
			n := w.stopImport(s)

			_, _, _, err := w.p.SendNow(w.ctx, "skin", "", true)
			if !errors.Is(err, newsletter.ErrImport) {
				t.Fatalf("send by hand: got %v, want ErrImport", err)
			}
			contains(t, "send by hand", err.Error(), "people.csv", "pressrun run-due", "from 09:00:30 UTC on")
			_, _, err = w.p.Announce(w.ctx, newsletter.Announcement{Series: []string{"gut", "skin"}, Title: "We move", Markdown: "Soon."}, true)
			if !errors.Is(err, newsletter.ErrImport) {
				t.Errorf("announce: got %v, want ErrImport", err)
			}

			slots, err := w.runsInto(tuesday(1))
			if !errors.Is(err, newsletter.ErrImport) || slots != 1 {
				t.Errorf("at the slot: got %d slots done and %v, want that of the other series and ErrImport", slots, err)
			}
			if told := strings.Join(w.notices("editors"), "\n"); strings.Contains(told, "skin letters: ") && strings.Contains(told, "fail") {
				t.Errorf("editors were told of a failure: %s", told)
			}
			planned, err := w.p.Plan(w.ctx, "skin", 1, time.Time{})
			w.check("plan", err)
			contains(t, "plan", planned[0].Slot+" "+planned[0].Article+" "+planned[0].Blocked, wall(1), "one", "waits for an import", "people.csv")

			equal(t, "once it may be gone on with", w.run(tuesday(1).Add(time.Minute)), []string{fmt.Sprintf("%s issued %d", wall(1), n+1)})
			said, err := w.p.Unfinished(w.ctx)
			w.check("unfinished", err)
			equal(t, "unfinished", len(said), 0)
		})
	}
}

// TestAnUnfinishedImportPastTheGrace is a slot that waited for longer than its series allows, since the import could not be gone on with;
// of a new series it is the first import.
func TestAnUnfinishedImportPastTheGrace(t *testing.T) {
	for _, before := range [][]string{{"ada"}, nil} {
		w := newWorld(t)
		s := w.series("skin", series.Change{})
		w.articles(s, "one")
		w.enrol(s, before...)
		w.run(monday)
		w.clock.set(tuesday(1).Add(7 * time.Hour))
		n := w.stopImport(s) + int64(len(before))
		equal(t, "late", w.run(w.clock.now()), []string{wall(1) + " held 0"})
		if err := w.p.ReleaseIssue(w.ctx, "skin/"+wall(1)); !errors.Is(err, newsletter.ErrImport) {
			t.Errorf("release: got %v, want ErrImport", err)
		}
		w.run(w.clock.now().Add(time.Minute))
		w.check("release", w.p.ReleaseIssue(w.ctx, "skin/"+wall(1)))
		equal(t, "released", w.issue("skin/"+wall(1)), fmt.Sprintf("sending pending=%d", n))
	}
}

// breakImport makes the kept file of a stopped import unreadable, so that nobody can go on with it.
func (w *world) breakImport() {
	w.t.Helper()
	w.tx("break the import", func(tx *store.Tx) error {
		_, err := tx.Exec(w.ctx, `UPDATE import_parts SET data = ?1`, []byte("name\nAda\n"))
		return err
	})
}

// TestAnImportThatFails keeps its series waiting until somebody gives it up, and says so wherever they look.
func TestAnImportThatFails(t *testing.T) {
	for _, mode := range []series.Mode{series.Live, series.Drip} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{Mode: &mode})
			w.articles(s, "one")
			w.enrol(s, "ada")
			w.run(monday)
			w.clock.set(tuesday(1).Add(-2 * time.Minute))
			w.stopImport(s)
			w.breakImport()

			for _, past := range []time.Duration{0, 30 * time.Second, time.Minute, time.Hour} {
				slots, err := w.runsInto(tuesday(1).Add(past))
				if !errors.Is(err, newsletter.ErrImport) || slots != 0 {
					t.Fatalf("%s past the slot: got %d slots done and %v, want ErrImport", past, slots, err)
				}
			}
			why := []string{"people.csv", "the last try failed: nothing was imported: no column is called email", "`pressrun subscriber import skin people.csv --forget` gives it up"}
			equal(t, "editors", w.notices("editors"), []string{"The skin letters: a slot waits for an import"})
			contains(t, "the editors' mail", strings.Join(strings.Fields(w.noticeText("editors")), " "), why...)
			_, _, _, err := w.p.SendNow(w.ctx, "skin", "", true)
			contains(t, "send by hand", fmt.Sprint(err), why...)
			planned, err := w.p.Plan(w.ctx, "skin", 1, time.Time{})
			w.check("plan", err)
			contains(t, "plan", planned[0].Blocked, why...)

			w.clock.set(tuesday(1).Add(7 * time.Hour))
			happened, err := w.p.RunDue(w.ctx)
			if len(happened) != 1 || happened[0].State != "held" {
				t.Fatalf("past the grace: got %+v, %v; want it held", happened, err)
			}
			contains(t, "held", happened[0].Reason, append(why, "It is 7 h late, and the series allows 6 h. It waits for an import: people.csv is not all in yet")...)
			if mode == series.Live { // in drip its readers are those of the slot, and whom the import brings have their own next
				err = w.p.ReleaseIssue(w.ctx, "skin/"+wall(1))
				if !errors.Is(err, newsletter.ErrImport) {
					t.Errorf("release: got %v, want ErrImport", err)
				}
				contains(t, "release", fmt.Sprint(err), why...)
			}

			_, err = w.people.ForgetImport(w.ctx, w.db, s.ID, "people.csv")
			w.check("forget", err)
			w.check("release", w.p.ReleaseIssue(w.ctx, "skin/"+wall(1)))
			equal(t, "ada", w.deliveriesOf("ada"), []string{"one pending"})
		})
	}
}

// TestAnImportThatWasStoppedSaysWhen names the day where it isn't today, and no time that is past.
func TestAnImportThatWasStoppedSaysWhen(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one")
	midnight := time.Date(2027, 3, 3, 0, 0, 0, 0, time.UTC)
	w.clock.set(midnight.Add(-30 * time.Second))
	w.stopImport(s)
	for _, tt := range []struct {
		at   time.Time
		want string
	}{
		{midnight.Add(-20 * time.Second), "goes on with it from 2027-03-03 00:00:30 UTC on"},
		{midnight.Add(20 * time.Second), "goes on with it from 00:00:30 UTC on"},
		{midnight.Add(30 * time.Second), "its import was stopped: serve, or the next `pressrun run-due`, goes on with it."},
	} {
		w.clock.set(tt.at)
		said, err := w.p.Unfinished(w.ctx)
		w.check("unfinished", err)
		contains(t, tt.at.String(), strings.Join(said, "\n"), tt.want)
	}
}

// TestTheLogOfWaitingForAnImport has one line, at INFO, of an import that is at work for long, and one at ERROR of one that fails in
// each try, though it isn't tried in each run.
func TestTheLogOfWaitingForAnImport(t *testing.T) {
	for _, tt := range []struct {
		fails     bool
		infos     int
		errors    int
		forEditor int
	}{{false, 1, 0, 1}, {true, 0, 2, 1}} {
		t.Run(fmt.Sprintf("fails %t", tt.fails), func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{})
			w.articles(s, "one")
			w.enrol(s, "ada")
			w.run(monday)
			w.clock.set(tuesday(1).Add(-time.Minute))
			w.stopImport(s)
			if tt.fails {
				w.breakImport()
			}
			levels := map[slog.Level]int{}
			w.cfg.Log = slog.New(leveled{slog.DiscardHandler, levels})
			turn := w.publisher(w.cfg).Turns()
			for i := range 30 {
				w.clock.set(tuesday(1).Add(time.Duration(i) * 30 * time.Second))
				if !tt.fails { // as who is at work on it does
					w.tx("touch", func(tx *store.Tx) error {
						_, err := tx.Exec(w.ctx, `UPDATE imports SET touched = ?1`, w.clock.now().UnixMilli())
						return err
					})
				}
				turn(w.ctx)
			}
			if levels[slog.LevelInfo] != tt.infos || levels[slog.LevelError] != tt.errors {
				t.Errorf("lines by level: %v, want %d INFO and %d ERROR", levels, tt.infos, tt.errors)
			}
			equal(t, "editors", len(w.notices("editors")), tt.forEditor)
		})
	}
}

// leveled counts lines by their level.
type leveled struct {
	slog.Handler
	lines map[slog.Level]int
}

func (l leveled) Enabled(context.Context, slog.Level) bool { return true }

func (l leveled) Handle(_ context.Context, r slog.Record) error {
	l.lines[r.Level]++
	return nil
}

func TestACorrectionWaitsForAnImport(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one")
	w.enrol(s, "ada")
	w.run(monday)
	w.run(tuesday(1))
	w.importArticles(s, series.Incoming{Slug: "one", Text: series.Text{Title: "About one", Markdown: "Better words."}})
	w.stopImport(s)
	if _, _, err := w.p.Correct(w.ctx, "skin/"+wall(1), "A figure was wrong.", true); !errors.Is(err, newsletter.ErrImport) {
		t.Errorf("correct: got %v, want ErrImport", err)
	}
}

func TestNoReadersNoIssue(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two")
	w.run(monday)
	equal(t, "plan: in the way of all", w.plan("skin", 3), []string{wall(1) + " one 0 !", wall(2) + " one 0 !", wall(3) + " one 0 !"})
	for _, article := range []string{"", "two"} {
		_, _, _, err := w.p.SendNow(w.ctx, "skin", article, false)
		if !errors.Is(err, newsletter.ErrNothing) {
			t.Fatalf("send %q: got %v, want ErrNothing", article, err)
		}
		contains(t, "send", err.Error(), "nobody would get", "keeps its turn")
	}
	equal(t, "slot", w.run(tuesday(1)), []string{wall(1) + " empty 0"})
	contains(t, "editors", strings.Join(strings.Fields(w.noticeText("editors")), " "), "nobody to send to", "nobody who can be mailed is in the series", "“About one” keeps its turn", "pressrun subscriber import skin")
	equal(t, "issues", len(w.issues()), 0)
	w.enrol(s, "ada")
	equal(t, "the slot after", w.run(tuesday(2)), []string{wall(2) + " issued 1"})
	equal(t, "ada", w.deliveriesOf("ada"), []string{"one pending"})
}

// TestNoReadersAndAnEditorsHold: what an editor holds is held, with readers or without, and is not released to nobody.
func TestNoReadersAndAnEditorsHold(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two")
	w.run(monday)
	name := "skin/" + wall(1)
	w.check("hold", w.p.HoldIssue(w.ctx, name, "a figure is wrong"))
	equal(t, "slot", w.run(tuesday(1)), []string{wall(1) + " held 0"})
	if err := w.p.ReleaseIssue(w.ctx, name); !errors.Is(err, newsletter.ErrNothing) {
		t.Errorf("release to nobody: got %v, want ErrNothing", err)
	}
	w.enrol(s, "ada")
	w.check("release", w.p.ReleaseIssue(w.ctx, name))
	equal(t, "released", w.issue(name), "sending pending=1")
}

// TestNoReadersAndADraftsSlot: a slot that a draft holds stays held while nobody is there, and is released once somebody is.
func TestNoReadersAndADraftsSlot(t *testing.T) {
	for _, mode := range []series.Mode{series.Live, series.Drip} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{Mode: &mode, WhenNotReady: ptr("hold")})
			w.articles(s, "one?", "two")
			w.enrol(s, "ada")
			w.run(monday)
			equal(t, "slot", w.run(tuesday(1)), []string{wall(1) + " held 0"})
			w.article("one", series.MarkReady)
			w.check("leave", w.p.Unsubscribe(w.ctx, w.link(s, "ada"), false, evidence()))
			name := "skin/" + wall(1)
			err := w.p.ReleaseIssue(w.ctx, name)
			if !errors.Is(err, newsletter.ErrNothing) {
				t.Fatalf("release to nobody: got %v, want ErrNothing", err)
			}
			contains(t, "release", err.Error(), "it stays held", "nobody who can be mailed")
			w.enrol(s, "ben")
			w.check("release", w.p.ReleaseIssue(w.ctx, name))
			equal(t, "ben", w.deliveriesOf("ben"), []string{"one pending"})
		})
	}
}

// TestADripSlotThatIsEmptyIsTold: the editors hear of it as of a live one, and the plan said it in the same words.
func TestADripSlotThatIsEmptyIsTold(t *testing.T) {
	for _, tt := range []struct {
		name, subject, why string
		readers            func(w *world, s series.Series)
	}{
		{"nobody there", "The skin letters: nobody to send to", "Nobody who can be mailed is in the series", func(*world, series.Series) {}},
		{"welcomed lately", "The skin letters: nothing to send", "had their welcome too short a time ago", func(w *world, s series.Series) { w.join(s, "ada") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{Mode: ptr(series.Drip), Welcome: ptr("first")})
			w.articles(s, "one", "two")
			tt.readers(w, s)
			w.run(monday)
			planned, err := w.p.Plan(w.ctx, "skin", 1, time.Time{})
			w.check("plan", err)
			contains(t, "plan", planned[0].Blocked, tt.why)
			equal(t, "slot", w.run(tuesday(1)), []string{wall(1) + " empty 0"})
			slot, err := series.SlotByWall(w.ctx, w.db, s.ID, wall(1))
			w.check("slot", err)
			equal(t, "slot", slot.Reason, planned[0].Blocked)
			equal(t, "editors", w.notices("editors"), []string{tt.subject})
			w.run(tuesday(1).Add(time.Hour))
			equal(t, "editors, once", w.notices("editors"), []string{tt.subject})
		})
	}
}

// TestNoReadersAndAPinnedArticle: a date that is past is past for its pin too, and what is next then is said.
func TestNoReadersAndAPinnedArticle(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two", "three")
	w.enrol(s, "ada")
	w.check("leave", w.p.Unsubscribe(w.ctx, w.link(s, "ada"), false, evidence()))
	w.run(monday)
	w.pin(s, 1, "three")
	equal(t, "plan", w.plan("skin", 2), []string{wall(1) + " three 0 !", wall(2) + " one 0 !"})
	equal(t, "slot", w.run(tuesday(1)), []string{wall(1) + " empty 0"})
	slot, err := series.SlotByWall(w.ctx, w.db, s.ID, wall(1))
	w.check("slot", err)
	contains(t, "slot", slot.Reason, "Nobody who can be mailed", "“About three” was pinned to this date, which is past", "pressrun series pin skin DATE three", "Next is “About one”.")
	contains(t, "editors", strings.Join(strings.Fields(w.noticeText("editors")), " "), "“About three” was pinned to this date, which is past", "Next is “About one”.")
	equal(t, "plan of the slot after", w.plan("skin", 1), []string{wall(2) + " one 0 !"})
}

// TestAnArticleThatAllHadIsPassed: it has no readers left, but the series has, and goes on.
func TestAnArticleThatAllHadIsPassed(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two")
	one, err := series.ArticleBySlug(w.ctx, w.db, "one")
	w.check("article", err)
	_, err = w.people.Import(w.ctx, w.db, strings.NewReader("email\nada@reader.example\n"), subscribers.ImportOptions{
		SeriesID: s.ID, File: "people.csv", As: subscribers.Active, Because: "they signed", Reading: []int64{one.ID},
	})
	w.check("import", err)
	w.run(monday)
	_, _, _, err = w.p.SendNow(w.ctx, "skin", "one", false)
	if !errors.Is(err, newsletter.ErrNothing) {
		t.Fatalf("send: got %v, want ErrNothing", err)
	}
	contains(t, "send", err.Error(), "everybody who can be mailed has had it", "pressrun issue send skin --article two")
	planned, err := w.p.Plan(w.ctx, "skin", 2, time.Time{})
	w.check("plan", err)
	if planned[0].Article != "one" || !strings.Contains(planned[0].Blocked, "Everybody who can be mailed has had it") || planned[1].Blocked != "" {
		t.Errorf("plan: got %q blocked by %q, then %q; want one had by all, then nothing", planned[0].Article, planned[0].Blocked, planned[1].Blocked)
	}
	equal(t, "the slot", w.run(tuesday(1)), []string{wall(1) + " issued 0"})
	equal(t, "editors", w.notices("editors"), []string{"The skin letters: one article left", "The skin letters: nothing to send"})
	contains(t, "the editors' mail", strings.Join(strings.Fields(w.noticeText("editors")), " "), "“About one”: Everybody who can be mailed has had it")
	equal(t, "the slot after", w.run(tuesday(2)), []string{wall(2) + " issued 1"})
}
