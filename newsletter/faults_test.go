package newsletter_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"pressrun/newsletter"
	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// breakIssues makes the database refuse issues on a condition, as a fault that nobody foresaw would.
func (w *world) breakIssues(condition string) {
	w.t.Helper()
	w.tx("break", func(tx *store.Tx) error {
		_, err := tx.Exec(w.ctx, `CREATE TRIGGER broken BEFORE INSERT ON issues WHEN `+condition+` BEGIN SELECT raise(ABORT, 'broken'); END`)
		return err
	})
}

func (w *world) mend() {
	w.t.Helper()
	w.tx("mend", func(tx *store.Tx) error {
		_, err := tx.Exec(w.ctx, `DROP TRIGGER broken`)
		return err
	})
}

func TestAFaultInOneSeriesDoesNotStopTheOthers(t *testing.T) {
	w := newWorld(t)
	for _, slug := range []string{"gut", "skin"} {
		s := w.series(slug, series.Change{})
		w.articles(s, slug+"-one")
		w.enrol(s, "ada")
	}
	w.run(monday)
	w.breakIssues(`NEW.name LIKE 'gut/%'`)
	w.clock.set(tuesday(1))
	for range 2 {
		if _, err := w.p.RunDue(w.ctx); err == nil || !strings.Contains(err.Error(), "series gut: slot "+wall(1)) {
			t.Errorf("run due: got %v, want an error that names series and slot", err)
		}
	}
	equal(t, "issues", w.issues(), []string{"skin/" + wall(1) + " skin-one"})
	told := strings.Join(w.notices("editors"), "\n")
	if strings.Count(told, "The gut letters: a slot fails") != 1 {
		t.Errorf("editors: got\n%s\nwant one word about gut", told)
	}
	w.mend()
	equal(t, "once mended", w.run(tuesday(1).Add(time.Hour)), []string{wall(1) + " issued 1"})
}

func TestAWelcomeThatFailsDoesNotStopAConfirmation(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{Mode: ptr(series.Drip), Welcome: ptr("first")})
	w.articles(s, "one")
	w.breakIssues(`NEW.kind = 'welcome'`)
	v, _ := w.join(s, "ada")
	equal(t, "confirmed without a welcome", []any{string(v.State), v.Welcomed}, []any{"active", false})
	w.mend()
	w.run(monday)
	equal(t, "her first issue", w.run(tuesday(1)), []string{wall(1) + " issued 1"})
}

func TestOneArticleThatCannotGoHoldsItsReadersOnly(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{Mode: ptr(series.Drip)})
	long := series.Incoming{Slug: "two", Text: series.Text{Title: "Two", Markdown: strings.Repeat("A long **paragraph** of words.\n\n", 4000)}}
	w.articles(s, "one")
	w.importArticles(s, series.Incoming{Slug: "one", Text: series.Text{Title: "About one", Markdown: "Few words."}}, long)
	w.enrol(s, "ada")
	w.run(monday)
	w.run(tuesday(1))
	w.enrol(s, "ben")
	equal(t, "ben gets his", w.run(tuesday(2)), []string{wall(2) + " issued 1"})
	contains(t, "editors", strings.Join(w.notices("editors"), "\n"), "held, an article can’t be sent")
	long.Markdown = "Few words."
	w.importArticles(s, long)
	equal(t, "next slot", w.run(tuesday(3)), []string{wall(3) + " issued 2"})
	equal(t, "ada", w.deliveriesOf("ada"), []string{"one pending", "two pending"})
}

func TestAnArticleEditedWhileItsIssueIsHeld(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one")
	w.enrol(s, "ada")
	name := "skin/" + wall(1)
	w.run(monday)
	w.check("hold", w.p.HoldIssue(w.ctx, name, ""))
	w.run(tuesday(1))
	w.importArticles(s, series.Incoming{Slug: "one", Text: series.Text{Title: "About one", Markdown: "Better words."}})
	if err := w.p.ReleaseIssue(w.ctx, name); !errors.Is(err, series.ErrState) {
		t.Errorf("release what was edited: got %v, want ErrState", err)
	}
	equal(t, "still held", w.issue(name), "held pending=1")
	w.check("cancel", w.p.CancelIssue(w.ctx, name, "edited"))
	equal(t, "the better words go next", w.run(tuesday(2)), []string{wall(2) + " issued 1"})
	st, err := w.p.Issue(w.ctx, "skin/"+wall(2))
	w.check("issue", err)
	contains(t, "text", st.Issue.Text, "Better words.")
}

func TestRule20TheNextArticleIsADraft(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two?")
	w.enrol(s, "ada")
	w.run(monday)
	w.run(tuesday(1))
	equal(t, "editors", w.notices("editors"), []string{"The skin letters: the next article is a draft"})
}

func TestTwoSendsByHandInOneMinuteOfADrip(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{Mode: ptr(series.Drip)})
	w.articles(s, "one", "two", "three")
	w.enrol(s, "ada")
	w.run(monday)
	w.run(tuesday(1))
	w.enrol(s, "ben")
	_, _, _, err := w.p.SendNow(w.ctx, "skin", "", false)
	w.check("send", err)
	if _, _, _, err := w.p.SendNow(w.ctx, "skin", "", false); !errors.Is(err, series.ErrSlot) {
		t.Errorf("send in the same minute: got %v, want ErrSlot", err)
	}
	equal(t, "ben", w.deliveriesOf("ben"), []string{"one pending"})
	w.clock.set(w.clock.now().Add(time.Minute))
	_, _, _, err = w.p.SendNow(w.ctx, "skin", "", false)
	w.check("send in the next minute", err)
	equal(t, "ben", w.deliveriesOf("ben"), []string{"one pending", "two pending"})
	equal(t, "ada", w.deliveriesOf("ada"), []string{"one pending", "two pending", "three pending"})
}

func TestTwoProcessesAtOneSlot(t *testing.T) {
	w := newWorld(t)
	live, drip := w.series("live", series.Change{}), w.series("drip", series.Change{Mode: ptr(series.Drip)})
	w.articles(live, "one", "two")
	w.articles(drip, "red", "blue")
	w.enrol(live, names(600)...)
	w.enrol(drip, names(600)...)
	w.run(monday)
	w.clock.set(tuesday(1))
	var group sync.WaitGroup
	for range 3 {
		p := w.publisher(w.cfg)
		group.Go(func() {
			// Whoever loses finds the slot taken or half done; the next run sees it through.
			if _, err := p.RunDue(w.ctx); err != nil && !errors.Is(err, series.ErrState) && !errors.Is(err, series.ErrSlot) {
				t.Errorf("run due: %v", err)
			}
		})
	}
	group.Wait()
	w.run(tuesday(1).Add(time.Second))
	equal(t, "live", w.issue("live/"+wall(1)), "sending pending=600")
	equal(t, "drip", w.issue("drip/"+wall(1)), "sending pending=600")
	equal(t, "issues", len(w.issues()), 2)
}

func TestASlotDoneByAnotherProcessMeanwhile(t *testing.T) {
	for _, mode := range []series.Mode{series.Live, series.Drip} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{Mode: &mode})
			w.articles(s, "one", "two")
			w.enrol(s, "ada", "ben")
			w.run(monday)
			w.clock.set(tuesday(1))
			cfg := w.cfg
			cfg.MayLeave = func(ctx context.Context) error { // asked between reading what is due and doing it
				_, err := w.p.RunDue(ctx)
				return err
			}
			happened, err := w.publisher(cfg).RunDue(w.ctx)
			w.check("run due", err)
			equal(t, "happened", len(happened), 0)
			w.run(tuesday(1).Add(time.Second))
			equal(t, "ada", w.deliveriesOf("ada"), []string{"one pending"})
			equal(t, "issues", len(w.issues()), 1)
		})
	}
}

// hook is a log that does something at a message.
type hook struct {
	slog.Handler
	message string
	do      func()
}

func (h hook) Enabled(context.Context, slog.Level) bool { return true }

func (h hook) Handle(_ context.Context, r slog.Record) error {
	if r.Message == h.message {
		h.do()
	}
	return nil
}

// nearlyTooLong adds an article whose mail is so large that the log says so, between the decision and the freeze.
func (w *world) nearlyTooLong(s series.Series, slug string) series.Incoming {
	w.t.Helper()
	var a series.Incoming
	size := func(paragraphs int) int {
		a = series.Incoming{Slug: slug, Text: series.Text{Title: "About " + slug, Markdown: strings.Repeat("A long paragraph of words.\n\n", paragraphs)}}
		w.importArticles(s, a)
		v, err := w.p.Preview(w.ctx, s.Slug, slug, "")
		w.check("preview", err)
		return len(v.HTML)
	}
	few, more := size(100), size(200)
	if n := size(200 + (96_000-more)*100/(more-few)); n < 91_000 || n > 101_000 {
		w.t.Fatalf("the mail has %d bytes of HTML, want a little less than 102,400", n)
	}
	return a
}

func TestAnArticleSentByHandMeanwhile(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	big := w.nearlyTooLong(s, "one")
	w.importArticles(s, big, series.Incoming{Slug: "two", Text: series.Text{Title: "About two", Markdown: "Words."}})
	w.enrol(s, "ada")
	w.run(monday)
	w.clock.set(tuesday(1))
	cfg := w.cfg
	var sent sync.Once
	cfg.Log = slog.New(hook{slog.DiscardHandler, "article nearly too long for a mail", func() {
		sent.Do(func() {
			_, _, _, err := w.p.SendNow(w.ctx, "skin", "", false)
			w.check("send", err)
		})
	}})
	_, err := w.publisher(cfg).RunDue(w.ctx)
	w.check("run due", err)
	equal(t, "issues", w.issues(), []string{"skin/" + wall(1) + "/now one", "skin/" + wall(1) + " two"})
	equal(t, "ada", w.deliveriesOf("ada"), []string{"one pending", "two pending"})
}

// TestAnEditorsWordCountsUpToTheFreeze gives it after the slot was found due and its letter rendered.
func TestAnEditorsWordCountsUpToTheFreeze(t *testing.T) {
	for _, tt := range []struct {
		word string
		mode series.Mode
		want []string
	}{
		{"hold", series.Live, []string{wall(1) + " held 0"}},
		{"hold", series.Drip, []string{wall(1) + " held 1"}},
		{"pause", series.Live, []string{}},
		{"pause", series.Drip, []string{}},
		{"edit", series.Live, []string{wall(1) + " issued 1"}},
	} {
		t.Run(tt.word+" "+string(tt.mode), func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{Mode: &tt.mode})
			w.nearlyTooLong(s, "one")
			w.enrol(s, "ada")
			w.run(monday)
			w.clock.set(tuesday(1))
			cfg := w.cfg
			var once sync.Once
			cfg.Log = slog.New(hook{slog.DiscardHandler, "article nearly too long for a mail", func() {
				once.Do(func() {
					switch tt.word {
					case "hold":
						w.check("hold", w.p.HoldIssue(w.ctx, "skin/"+wall(1), "stop"))
					case "pause":
						w.tx("pause", func(tx *store.Tx) error { return series.Pause(w.ctx, tx, "skin", w.clock.now()) })
					case "edit":
						w.importArticles(s, series.Incoming{Slug: "one", Text: series.Text{Title: "About one", Markdown: "Better words."}})
					}
				})
			}})
			w.p = w.publisher(cfg)
			equal(t, "slot", w.run(tuesday(1)), tt.want)
			for _, name := range w.issues() {
				if name, _, _ := strings.Cut(name, " "); tt.word == "edit" {
					st, err := w.p.Issue(w.ctx, name)
					w.check("issue", err)
					contains(t, "text", st.Issue.Text, "Better words.")
				}
			}
		})
	}
}

func TestAFillByHandThatACrashCutIsDiscarded(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.enrol(s, "ada")
	var cut series.Issue
	w.tx("freeze", func(tx *store.Tx) (err error) {
		words := "We move house. This is no medical advice. " + outbox.UnsubscribeHole
		cut, err = series.Freeze(w.ctx, tx, series.Frozen{
			Series: s, Slot: "2027-03-01T08:00", Kind: "announcement", State: series.IssueFilling, Subject: "We move house", HTML: words, Text: words,
		}, w.clock.now())
		return err
	})
	w.run(monday.Add(time.Minute)) // another process may be at it still
	equal(t, "a minute later", w.issue(cut.Name), "filling")
	w.run(monday.Add(time.Hour))
	equal(t, "an hour later", w.issue(cut.Name), "cancelled")
}

// cutDrip is a drip series whose process died in the first slot, once 500 of its 1,200 readers had their rows.
func cutDrip(t *testing.T) (*world, series.Series) {
	w := newWorld(t)
	s := w.series("skin", series.Change{Mode: ptr(series.Drip)})
	w.articles(s, "one", "two")
	w.enrol(s, names(1200)...)
	w.run(monday)
	w.clock.set(tuesday(1))
	w.cut("skin/"+wall(1)+"/one", func(ctx context.Context, p *newsletter.Publisher) error {
		_, err := p.RunDue(ctx)
		return err
	})
	return w, s
}

// cut has the process of a fill die once an issue has its first 500 rows.
func (w *world) cut(issue string, fill func(context.Context, *newsletter.Publisher) error) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	cfg := w.cfg
	cfg.Now = func() time.Time {
		if len(w.issues()) > 0 && w.issue(issue) == "filling pending=500" {
			cancel()
		}
		return w.clock.now()
	}
	if err := fill(ctx, w.publisher(cfg)); err == nil {
		w.t.Fatalf("the fill of %s was not cut", issue)
	}
}

func TestADripSlotCutAndThenPausedIsTakenBack(t *testing.T) {
	w, s := cutDrip(t)
	w.tx("pause", func(tx *store.Tx) error { return series.Pause(w.ctx, tx, "skin", w.clock.now()) })
	w.run(tuesday(1).Add(time.Minute))
	w.clock.set(tuesday(1).Add(24 * time.Hour))
	w.tx("resume", func(tx *store.Tx) error { return series.Resume(w.ctx, tx, s.Slug, w.clock.now()) })
	w.run(w.clock.now())
	equal(t, "taken back", w.issue("skin/"+wall(1)), "cancelled skipped=500")
	equal(t, "next slot", w.run(tuesday(2)), []string{wall(2) + " issued 1200"})
	equal(t, "the first article again", w.issue("skin/"+wall(2)+"/one"), "sending pending=1200")
}

// TestADripSlotCutAndThenMissedIsTakenBack: the program comes back after the time of the next slot, which sends what the first one would
// have sent.
func TestADripSlotCutAndThenMissedIsTakenBack(t *testing.T) {
	w, _ := cutDrip(t)
	equal(t, "back", w.run(tuesday(2)), []string{wall(1) + " missed 0", wall(2) + " issued 1200"})
	equal(t, "taken back", w.issue("skin/"+wall(1)), "cancelled skipped=500")
	equal(t, "the first article again", w.issue("skin/"+wall(2)+"/one"), "sending pending=1200")
}

// TestADripSlotCutAndThenLive ends as it began: who has a row has the article once, and the others get theirs. Where it is passed by, it
// is taken back.
func TestADripSlotCutAndThenLive(t *testing.T) {
	t.Run("at once", func(t *testing.T) {
		w, _ := cutDrip(t)
		toLive(t, w)
		equal(t, "ends", w.run(tuesday(1).Add(time.Minute)), []string{wall(1) + " issued 1200"})
		equal(t, "all of it", w.issue("skin/"+wall(1)+"/one"), "sending pending=1200")
	})
	t.Run("after the next slot's time", func(t *testing.T) {
		w, _ := cutDrip(t)
		toLive(t, w)
		equal(t, "next", w.run(tuesday(2)), []string{wall(1) + " missed 0", wall(2) + " issued 1200"})
		equal(t, "taken back", w.issue("skin/"+wall(1)+"/one"), "cancelled skipped=500")
		equal(t, "the first article", w.issue("skin/"+wall(2)), "sending pending=1200")
	})
}

// TestADripSlotInMidFill: an editor's word that comes while a slot is being queued is for all of its readers, those who have a row and
// those who have none yet.
func TestADripSlotInMidFill(t *testing.T) {
	slot := "skin/" + wall(1)
	hold := func(w *world, name string) error { return w.p.HoldIssue(w.ctx, name, "wait for the lawyer") }
	cancel := func(w *world, name string) error { return w.p.CancelIssue(w.ctx, name, "by the lawyer") }
	pause := func(w *world, name string) error { return w.p.PauseIssue(w.ctx, name, "wait for the lawyer") }
	for what, tt := range map[string]struct {
		do      func(w *world, name string) error
		name    string
		refused string // what the refusal tells to do; empty: it is done
		runs    []string
		slot    string // what becomes of it
		next    []string
	}{
		"held":             {hold, slot, "", []string{wall(1) + " held 1200"}, "held pending=1200", []string{wall(2) + " waiting 0"}},
		"cancelled":        {cancel, slot, "", []string{}, "cancelled skipped=500", []string{wall(2) + " issued 1200"}},
		"one is held":      {hold, slot + "/one", "pressrun issue hold " + slot + ")", []string{wall(1) + " issued 1200"}, "sending pending=1200", []string{wall(2) + " issued 1200"}},
		"one is cancelled": {cancel, slot + "/one", "pressrun issue cancel " + slot + ")", []string{wall(1) + " issued 1200"}, "sending pending=1200", []string{wall(2) + " issued 1200"}},
		"paused":           {pause, slot, "pressrun issue hold " + slot, []string{wall(1) + " issued 1200"}, "sending pending=1200", []string{wall(2) + " issued 1200"}},
	} {
		t.Run(what, func(t *testing.T) {
			w, _ := cutDrip(t)
			err := tt.do(w, tt.name)
			if tt.refused == "" {
				w.check(what, err)
			} else if !errors.Is(err, series.ErrState) {
				t.Fatalf("got %v, want ErrState", err)
			} else {
				contains(t, "what to do", err.Error(), tt.refused)
			}
			equal(t, "the next run", w.run(tuesday(1).Add(time.Minute)), tt.runs)
			equal(t, "the slot's issue", w.issue(slot+"/one"), tt.slot)
			equal(t, "the next slot", w.run(tuesday(2)), tt.next)
			if what == "cancelled" {
				st, err := w.p.Issue(w.ctx, slot+"/one")
				w.check("issue", err)
				equal(t, "why", st.Issue.Reason, "by the lawyer")
				equal(t, "the article again", w.issue("skin/"+wall(2)+"/one"), "sending pending=1200")
			}
		})
	}
}

// TestADripSlotInMidFillIsForeseen: who has a row already is one of the slot's readers, and goes on from there in the next.
func TestADripSlotInMidFillIsForeseen(t *testing.T) {
	for name, hold := range map[string]bool{"at work": false, "held meanwhile": true} {
		t.Run(name, func(t *testing.T) {
			w, _ := cutDrip(t)
			if hold {
				w.check("hold", w.p.HoldIssue(w.ctx, "skin/"+wall(1), "wait for the lawyer"))
			}
			rows, err := w.p.Plan(w.ctx, "skin", 2, time.Time{})
			w.check("plan", err)
			st, err := w.p.Issue(w.ctx, "skin/"+wall(1))
			w.check("issue", err)
			w.check("foresee", w.p.ForeseeSlot(w.ctx, &st))
			for i, row := range append(rows, *st.Planned) {
				equal(t, row.Slot, row.Articles, []newsletter.PlannedArticle{{Article: []string{"one", "two", "one"}[i], Readers: 1200}})
			}
			equal(t, "subject", st.Issue.Subject, "About one")
		})
	}
}

func TestListBombing(t *testing.T) {
	w := newWorld(t)
	w.series("skin", series.Change{})
	for i := range 50 {
		form := newsletter.Signup{Series: []string{"skin"}, Email: "victim@reader.example", Evidence: evidence()}
		form.Evidence.IP = fmt.Sprintf("192.0.%d.1", i)
		w.check("subscribe", w.subscribe(form))
	}
	equal(t, "confirmations", len(w.notices("confirmation")), 1)
}
