package newsletter_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pressrun/newsletter"
	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// equal compares what happened with what the rule says.
func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func contains(t *testing.T, what, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%s lacks %q:\n%s", what, want, text)
		}
	}
}

func TestRule1NextIsTheLowestRankedWithoutAnIssue(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two", "three")
	w.enrol(s, "ada", "ben")
	w.run(monday)
	equal(t, "plan", w.plan("skin", 4), []string{wall(1) + " one 2", wall(2) + " two 2", wall(3) + " three 2", wall(4) + "  0 !"})
	equal(t, "first slot", w.run(tuesday(1)), []string{wall(1) + " issued 2"})
	equal(t, "same slot again", w.run(tuesday(1).Add(time.Minute)), []string{})
	equal(t, "second slot", w.run(tuesday(2)), []string{wall(2) + " issued 2"})
	equal(t, "issues", w.issues(), []string{"skin/" + wall(1) + " one", "skin/" + wall(2) + " two"})
	equal(t, "issue", w.issue("skin/"+wall(1)), "sending pending=2")
}

func TestRule2DripStartsEachReaderAtTheFirst(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{Mode: ptr(series.Drip)})
	w.articles(s, "one", "two", "three")
	w.enrol(s, "ada")
	w.run(monday)
	w.run(tuesday(1))
	w.enrol(s, "ben", "cyd")
	planned, err := w.p.Plan(w.ctx, "skin", 1, time.Time{})
	w.check("plan", err)
	equal(t, "plan", planned[0].Articles, []newsletter.PlannedArticle{{Article: "one", Readers: 2}, {Article: "two", Readers: 1}})
	equal(t, "second slot", w.run(tuesday(2)), []string{wall(2) + " issued 3"})
	equal(t, "issues", w.issues(), []string{
		"skin/" + wall(1) + "/one one", "skin/" + wall(2) + "/one one", "skin/" + wall(2) + "/two two",
	})
	equal(t, "ada", w.deliveriesOf("ada"), []string{"one pending", "two pending"})
	equal(t, "ben", w.deliveriesOf("ben"), []string{"one pending"})
	w.run(tuesday(3))
	equal(t, "all had", w.run(tuesday(5)), []string{wall(4) + " missed 0", wall(5) + " issued 2"})
	equal(t, "nobody has a next", w.run(tuesday(6)), []string{wall(6) + " empty 0"})
	w.articles(s, "one", "two", "three", "four")
	equal(t, "a new article is everybody's next", w.run(tuesday(7)), []string{wall(7) + " issued 3"})
}

func TestRule4InsertedBehindIsNotSent(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "three")
	w.enrol(s, "ada")
	w.run(monday)
	w.run(tuesday(1))
	w.run(tuesday(2))
	w.clock.set(tuesday(2).Add(time.Hour))
	w.articles(s, "one", "two", "three", "four")
	two, err := series.ArticleBySlug(w.ctx, w.db, "two")
	w.check("article", err)
	past, before, err := w.p.PastIn(w.ctx, w.db, two)
	w.check("past", err)
	equal(t, "past and before", [2]int64{past, before}, [2]int64{1, 0})
	equal(t, "plan", w.plan("skin", 1), []string{wall(3) + " four 1"})
	w.article("two", series.Backfill)
	equal(t, "plan after a backfill", w.plan("skin", 2), []string{wall(3) + " two 1", wall(4) + " four 1"})
}

func TestRule7AnIssueIsFrozenAtItsSlot(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one")
	w.enrol(s, "ada")
	w.run(monday)
	w.run(tuesday(1))
	w.importArticles(s, series.Incoming{Slug: "one", Text: series.Text{Title: "About one", Markdown: "Quite another text."}})
	st, err := w.p.Issue(w.ctx, "skin/"+wall(1))
	w.check("issue", err)
	contains(t, "the frozen issue", st.Issue.Text, "A few words about one")
}

func TestRule7ACorrectionGoesToThoseWhoHadAnOlderRevision(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one")
	w.enrol(s, "ada", "ben")
	w.run(monday)
	w.run(tuesday(1))
	original := "skin/" + wall(1)
	if _, _, err := w.p.Correct(w.ctx, original, "Sorry.", false); !errors.Is(err, newsletter.ErrNothing) {
		t.Errorf("correct an unchanged article: got %v, want ErrNothing", err)
	}
	w.deliver(&moody{})
	w.importArticles(s, series.Incoming{Slug: "one", Text: series.Text{Title: "About one", Markdown: "Two drops, not two spoons."}})
	w.enrol(s, "cyd")
	_, readers, err := w.p.Correct(w.ctx, original, "The dose was wrong.", true)
	w.check("dry run", err)
	equal(t, "readers of the dry run", readers, int64(2))
	name, readers, err := w.p.Correct(w.ctx, original, "The dose was wrong.", false)
	w.check("correct", err)
	equal(t, "readers", readers, int64(2))
	equal(t, "cyd had no older one", w.deliveriesOf("cyd"), []string{})
	st, err := w.p.Issue(w.ctx, name)
	w.check("correction", err)
	equal(t, "kind", st.Issue.Kind, "correction")
	contains(t, "correction", st.Issue.Text, "The dose was wrong.", "Two drops", "This is no medical advice.")
	contains(t, "subject", st.Issue.Subject, "Correction")
	if name, readers, err := w.p.Correct(w.ctx, original, "The dose was wrong.", false); !errors.Is(err, newsletter.ErrNothing) {
		t.Errorf("correct once more: got %s for %d readers, %v, want ErrNothing", name, readers, err)
	}
}

// TestRule7NoOldTextAfterItsCorrection: while an issue is still to go to somebody, its correction waits for a word on them; once it is
// out, the issue goes to nobody else.
func TestRule7NoOldTextAfterItsCorrection(t *testing.T) {
	for name, relay := range map[string]*moody{"waits": {defers: "ben@reader.example"}, "failed": {blocks: "ben@reader.example"}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{})
			w.articles(s, "one")
			w.enrol(s, "ada", "ben", "cyd")
			w.run(monday)
			w.run(tuesday(1))
			w.deliver(relay)
			original := "skin/" + wall(1)
			w.importArticles(s, series.Incoming{Slug: "one", Text: series.Text{Title: "About one", Markdown: "Two drops, not two spoons."}})
			if name == "waits" {
				_, _, err := w.p.Correct(w.ctx, original, "The dose was wrong.", false)
				if !errors.Is(err, series.ErrState) {
					t.Fatalf("correct while ben is still to get the old text: got %v, want ErrState", err)
				}
				contains(t, "what to do", err.Error(), "still to go to 1", "issue cancel "+original, "issue announce skin --article one")
				w.check("cancel", w.p.CancelIssue(w.ctx, original, "the dose was wrong"))
			}
			_, readers, err := w.p.Correct(w.ctx, original, "The dose was wrong.", false)
			w.check("correct", err)
			equal(t, "corrected", readers, int64(2))
			w.clock.set(tuesday(1).Add(time.Hour))
			if _, err := w.p.RetryIssue(w.ctx, original); !errors.Is(err, series.ErrState) {
				t.Errorf("retry the old text: got %v, want ErrState", err)
			}
			_, readers, err = w.p.Announce(w.ctx, newsletter.Announcement{Series: []string{"skin"}, Article: "one"}, false)
			w.check("announce", err)
			equal(t, "who lacks it", readers, int64(1))
			w.deliver(&moody{})
			contains(t, "ben has", strings.Join(w.deliveriesOf("ben"), " "), "sent")
		})
	}
}

// TestRule7NothingIsCorrectedOfWhatNobodyHas: an issue that reached nobody gives its article back, also to those whose relay refused it,
// and the editor who would correct it is told so.
func TestRule7NothingIsCorrectedOfWhatNobodyHas(t *testing.T) {
	for _, tt := range []struct {
		mode series.Mode
		told string
		goes func(w *world)
	}{
		{series.Live, "at once by: pressrun issue send skin --article one", func(w *world) {
			_, _, readers, err := w.p.SendNow(w.ctx, "skin", "one", false)
			w.check("send", err)
			equal(t, "readers", readers, int64(2))
		}},
		{series.Drip, "in the next slot of everybody it was for", func(w *world) {
			equal(t, "the next slot", w.run(tuesday(2)), []string{wall(2) + " issued 2"})
		}},
	} {
		t.Run(string(tt.mode), func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{Mode: &tt.mode})
			w.articles(s, "one")
			w.enrol(s, "ada", "ben")
			w.run(monday)
			w.run(tuesday(1))
			w.deliver(&moody{refuses: "ada@reader.example", defers: "ben@reader.example"})
			original, _, _ := strings.Cut(w.issues()[0], " ")
			w.importArticles(s, series.Incoming{Slug: "one", Text: series.Text{Title: "About one", Markdown: "Two drops, not two spoons."}})
			_, _, err := w.p.Correct(w.ctx, original, "The dose was wrong.", false)
			if !errors.Is(err, series.ErrState) || strings.Contains(err.Error(), "whose relay refused") {
				t.Fatalf("correct what nobody has: got %v, want ErrState and no word of what a correction brings", err)
			}
			contains(t, "what to do", err.Error(), "issue cancel "+original, "nobody has it yet", tt.told)
			w.check("cancel", w.p.CancelIssue(w.ctx, original, "the dose was wrong"))
			if _, _, err := w.p.Correct(w.ctx, original, "The dose was wrong.", false); !errors.Is(err, newsletter.ErrNothing) {
				t.Errorf("correct it then: got %v, want ErrNothing", err)
			}
			tt.goes(w)
			w.deliver(&moody{})
			for _, name := range []string{"ada", "ben"} {
				contains(t, name+" has", strings.Join(w.deliveriesOf(name), " "), "one sent")
			}
		})
	}
}

// TestRule7ACorrectionWaitsForWhatIsInFlight: a letter that the relay is about to answer may come back, and go out again behind its
// correction.
func TestRule7ACorrectionWaitsForWhatIsInFlight(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one")
	w.enrol(s, "ada")
	w.run(monday)
	w.run(tuesday(1))
	w.importArticles(s, series.Incoming{Slug: "one", Text: series.Text{Title: "About one", Markdown: "Two drops, not two spoons."}})
	var got []error
	w.deliver(&moody{defers: "ada@reader.example", before: func() {
		_, _, err := w.p.Correct(w.ctx, "skin/"+wall(1), "The dose was wrong.", false)
		got = append(got, err)
	}})
	if len(got) != 1 || !errors.Is(got[0], series.ErrState) {
		t.Fatalf("correct while ada's is in flight: got %v, want ErrState", got)
	}
	contains(t, "why", got[0].Error(), "still to go to 1")
	equal(t, "ada", w.deliveriesOf("ada"), []string{"one pending"})
}

// TestRule7ACorrectionGoesToWhomTheOldTextWasRefusedFor: what a relay refused for what it says counts as had, so that the mended text
// comes to them by the correction, or never; also where the issue is cancelled first, and long after it.
func TestRule7ACorrectionGoesToWhomTheOldTextWasRefusedFor(t *testing.T) {
	for _, tt := range []struct {
		name, defers       string // whose waits, so that the issue has to be cancelled
		compacted          bool
		corrected, lacking int64
	}{
		{"done", "", false, 3, 0},
		{"cancelled", "cyd@reader.example", false, 2, 1},
		{"compacted", "", true, 3, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{})
			w.articles(s, "one")
			w.enrol(s, "ada", "ben", "cyd")
			w.run(monday)
			w.run(tuesday(1))
			w.deliver(&moody{refuses: "ben@reader.example", defers: tt.defers})
			original := "skin/" + wall(1)
			if tt.defers != "" {
				w.check("cancel", w.p.CancelIssue(w.ctx, original, "the dose was wrong"))
			}
			if tt.compacted {
				w.compactAll([]string{"ada", "ben", "cyd"}, []series.Series{s})
			}
			w.importArticles(s, series.Incoming{Slug: "one", Text: series.Text{Title: "About one", Markdown: "Two drops, not two spoons."}})
			_, would, err := w.p.Correct(w.ctx, original, "The dose was wrong.", true)
			w.check("dry run", err)
			_, readers, err := w.p.Correct(w.ctx, original, "The dose was wrong.", false)
			w.check("correct", err)
			equal(t, "corrected", []int64{would, readers}, []int64{tt.corrected, tt.corrected})
			w.deliver(&moody{})
			_, lacking, err := w.p.Announce(w.ctx, newsletter.Announcement{Series: []string{"skin"}, Article: "one"}, true)
			if tt.lacking == 0 && errors.Is(err, newsletter.ErrNothing) {
				err = nil
			}
			w.check("announce", err)
			equal(t, "who lacks it then", lacking, tt.lacking)
			contains(t, "ben has", strings.Join(w.deliveriesOf("ben"), " "), "sent")
		})
	}
}

// TestRule7NoOldCorrectionAfterTheNewer: what failed of a correction is not brought out again behind a later one, nor behind what went
// out of that before it was cancelled.
func TestRule7NoOldCorrectionAfterTheNewer(t *testing.T) {
	for _, cancelled := range []bool{false, true} {
		t.Run(fmt.Sprint("cancelled ", cancelled), func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{})
			w.articles(s, "one")
			w.enrol(s, "ada", "ben", "cyd")
			w.run(monday)
			w.run(tuesday(1))
			w.deliver(&moody{})
			correct := func(words string, relay *moody) string {
				t.Helper()
				w.clock.set(w.clock.now().Add(time.Hour))
				w.importArticles(s, series.Incoming{Slug: "one", Text: series.Text{Title: "About one", Markdown: words}})
				name, readers, err := w.p.Correct(w.ctx, "skin/"+wall(1), "The dose was wrong.", false)
				w.check("correct", err)
				equal(t, "corrected", readers, int64(3))
				w.deliver(relay)
				return name
			}
			older := correct("Two drops.", &moody{blocks: "ben@reader.example"})
			newer := correct("Two drops, not more.", &moody{defers: "cyd@reader.example"})
			if cancelled {
				w.check("cancel", w.p.CancelIssue(w.ctx, newer, "it was right"))
			}
			if _, err := w.p.RetryIssue(w.ctx, older); !errors.Is(err, series.ErrState) || !strings.Contains(err.Error(), "issue correct "+older) {
				t.Errorf("retry the older correction: got %v, want ErrState and what brings the newer", err)
			}
			if _, _, err := w.p.SettleIssue(w.ctx, older, "again"); !errors.Is(err, series.ErrState) {
				t.Errorf("send the older correction again: got %v, want ErrState", err)
			}
			if _, err := w.p.RetryIssue(w.ctx, newer); (err == nil) == cancelled {
				t.Errorf("retry the newer correction: got %v", err)
			}
			lacking := int64(0)
			if cancelled {
				lacking = 1
			}
			_, readers, err := w.p.Correct(w.ctx, older, "The dose was wrong.", true)
			if !cancelled && errors.Is(err, newsletter.ErrNothing) {
				err = nil
			}
			w.check("correct the older correction", err)
			equal(t, "who lacks the newer", readers, lacking)
		})
	}
}

// TestRule7NoOldTextBehindACancelledCorrection: of a correction that is cancelled while a letter is in flight it is not known yet whether
// it reached somebody. Until it is, and if it did, the old text goes out to nobody again.
func TestRule7NoOldTextBehindACancelledCorrection(t *testing.T) {
	for _, tt := range []struct {
		name  string
		relay *moody
		again bool // it came back, so that the old text may go
	}{
		{"comes back", &moody{defers: "ben@reader.example"}, true},
		{"nobody knows", &moody{loses: "ben@reader.example"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{})
			w.articles(s, "one")
			w.enrol(s, "ben")
			w.run(monday)
			w.run(tuesday(1))
			w.deliver(&moody{refuses: "ben@reader.example"})
			original := "skin/" + wall(1)
			w.importArticles(s, series.Incoming{Slug: "one", Text: series.Text{Title: "About one", Markdown: "Two drops, not two spoons."}})
			correction, readers, err := w.p.Correct(w.ctx, original, "The dose was wrong.", false)
			w.check("correct", err)
			equal(t, "corrected", readers, int64(1))
			var cancelled, retried, settled error
			tt.relay.before = sync.OnceFunc(func() {
				cancelled = w.p.CancelIssue(w.ctx, correction, "it was right")
				_, retried = w.p.RetryIssue(w.ctx, original)
				_, _, settled = w.p.SettleIssue(w.ctx, original, "again")
			})
			w.deliver(tt.relay)
			w.check("cancel", cancelled)
			if !errors.Is(retried, series.ErrState) || !errors.Is(settled, series.ErrState) {
				t.Errorf("while it is in flight: retry got %v, settle as again %v, want ErrState", retried, settled)
			}
			if n, err := w.p.RetryIssue(w.ctx, original); (n == 1) != tt.again || (err == nil) != tt.again {
				t.Errorf("retry after it: got %d, %v", n, err)
			}
		})
	}
}

func TestRule8WithdrawCancelsAndClosesUp(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two", "three")
	w.enrol(s, "ada", "ben")
	w.run(monday)
	w.run(tuesday(1))
	cancelled, err := w.p.Withdraw(w.ctx, "one")
	w.check("withdraw", err)
	equal(t, "cancelled", cancelled, int64(2))
	equal(t, "issue", w.issue("skin/"+wall(1)), "cancelled skipped=2")
	_, err = w.p.Withdraw(w.ctx, "two")
	w.check("withdraw", err)
	equal(t, "plan", w.plan("skin", 1), []string{wall(2) + " three 2"})
}

func TestRule10SkippedDatesCostTimeNotContent(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two", "three")
	w.enrol(s, "ada")
	w.run(monday)
	w.tx("skip", func(tx *store.Tx) error {
		_, err := series.SkipDate(w.ctx, tx, s, tuesday(1).Format(time.DateOnly), w.clock.now())
		return err
	})
	w.tx("pin", func(tx *store.Tx) error {
		a, err := series.ArticleBySlug(w.ctx, tx, "three")
		if err != nil {
			return err
		}
		_, err = series.PinDate(w.ctx, tx, s, tuesday(3).Format(time.DateOnly), a.ID, w.clock.now())
		return err
	})
	equal(t, "plan", w.plan("skin", 4), []string{wall(1) + "  0 !", wall(2) + " one 1", wall(3) + " three 1", wall(4) + " two 1"})
	equal(t, "skipped", w.run(tuesday(1)), []string{})
	w.run(tuesday(2))
	w.run(tuesday(3))
	w.run(tuesday(4))
	equal(t, "issues", w.issues(), []string{"skin/" + wall(2) + " one", "skin/" + wall(3) + " three", "skin/" + wall(4) + " two"})
}

// pin puts an article on the nth slot.
func (w *world) pin(s series.Series, n int, slug string) {
	w.t.Helper()
	w.tx("pin "+slug, func(tx *store.Tx) error {
		a, err := series.ArticleBySlug(w.ctx, tx, slug)
		if err != nil {
			return err
		}
		_, err = series.PinDate(w.ctx, tx, s, tuesday(n).Format(time.DateOnly), a.ID, w.clock.now())
		return err
	})
}

// TestRule10APinnedArticleWaitsForItsDate pins one whose turn comes earlier.
func TestRule10APinnedArticleWaitsForItsDate(t *testing.T) {
	for _, mode := range []series.Mode{series.Live, series.Drip} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{Mode: ptr(mode)})
			w.articles(s, "one", "two", "three")
			w.enrol(s, "ada")
			w.run(monday)
			w.pin(s, 3, "one")
			equal(t, "plan", w.plan("skin", 3), []string{wall(1) + " two 1", wall(2) + " three 1", wall(3) + " one 1"})
			lines, err := w.p.Explain(w.ctx, "ada@reader.example", 3)
			w.check("explain", err)
			equal(t, "rules", []int{lines[0].Rule, lines[1].Rule, lines[2].Rule}, []int{10, 10, 10})
			contains(t, "why not the first", lines[0].Why, "“About one” waits for "+tuesday(3).Format(time.DateOnly))
			w.run(tuesday(1))
			equal(t, "ada", w.deliveriesOf("ada"), []string{"two pending"})
			w.clock.set(tuesday(1).Add(time.Hour))
			if _, article, _, err := w.p.SendNow(w.ctx, "skin", "", true); article != "three" {
				t.Errorf("send by hand: got %q, %v, want three", article, err)
			}
			w.run(tuesday(2))
			w.run(tuesday(3))
			equal(t, "ada at the end", w.deliveriesOf("ada"), []string{"two pending", "three pending", "one pending"})
		})
	}
}

// TestRule10APinGoesOnWithItsDate: the slot after a skipped one sends what was pinned to that, neither before nor after, and the date has it
// back where that isn't changed since.
func TestRule10APinGoesOnWithItsDate(t *testing.T) {
	for name, tt := range map[string]struct {
		then func(w *world, s series.Series)
		want []string // of the slots from the first on; "": skipped
	}{
		"skipped":                     {func(w *world, s series.Series) { w.skip(s, 2) }, []string{"one", "", "four", "two", "three"}},
		"two in a row":                {func(w *world, s series.Series) { w.skip(s, 2); w.skip(s, 3) }, []string{"one", "", "", "four", "two"}},
		"past another pin":            {func(w *world, s series.Series) { w.pin(s, 3, "three"); w.skip(s, 2) }, []string{"one", "", "three", "four", "two"}},
		"taken back":                  {func(w *world, s series.Series) { w.skip(s, 2); w.unskip(s, 2) }, []string{"one", "four", "two", "three"}},
		"the first of two taken back": {func(w *world, s series.Series) { w.skip(s, 2); w.skip(s, 3); w.unskip(s, 2) }, []string{"one", "four", "", "two", "three"}},
		"pinned elsewhere since":      {func(w *world, s series.Series) { w.skip(s, 2); w.pin(s, 4, "four"); w.unskip(s, 2) }, []string{"one", "two", "three", "four"}},
		"its own, not the one before": {func(w *world, s series.Series) {
			w.pin(s, 3, "three")
			w.skip(s, 2)
			w.skip(s, 3)
			w.unskip(s, 3)
		}, []string{"one", "", "three", "four", "two"}},
		"withdrawn": {func(w *world, s series.Series) {
			_, err := w.p.Withdraw(w.ctx, "four")
			w.check("withdraw", err)
			w.skip(s, 2)
			w.tx("nothing is pinned", func(tx *store.Tx) error {
				pins, err := series.Pins(w.ctx, tx, s.ID)
				equal(t, "pins", len(pins), 0)
				return err
			})
		}, []string{"one", "", "two", "three"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{})
			w.articles(s, "one", "two", "three", "four")
			w.enrol(s, "ada")
			w.run(monday)
			w.pin(s, 2, "four")
			tt.then(w, s)
			planned, err := w.p.Plan(w.ctx, "skin", len(tt.want), time.Time{})
			w.check("plan", err)
			var got []string
			for _, row := range planned {
				got = append(got, row.Article)
			}
			equal(t, "articles", got, tt.want)
		})
	}
}

// TestRule10APinEndsWithAnother frees the article whose place another one takes.
func TestRule10APinEndsWithAnother(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two")
	w.enrol(s, "ada")
	w.run(monday)
	w.skip(s, 2)
	w.pin(s, 3, "one")
	w.pin(s, 3, "two")
	equal(t, "another pinned instead", w.plan("skin", 3), []string{wall(1) + " one 1", wall(2) + "  0 !", wall(3) + " two 1"})
}

// TestRule10APinThatPassedIsTold: a slot that was missed, or waits behind an issue on hold, takes its pin with it.
func TestRule10APinThatPassedIsTold(t *testing.T) {
	const told = "The skin letters: a pinned date has passed"
	for name, pass := range map[string]func(w *world){
		"missed":  func(w *world) { w.run(tuesday(3)) },
		"waiting": func(w *world) { w.run(tuesday(1).Add(24 * time.Hour)); w.run(tuesday(2)) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{})
			w.articles(s, "one", "two", "three", "four")
			w.enrol(s, "ada")
			w.run(monday)
			w.pin(s, 2, "three")
			pass(w)
			w.run(w.clock.now())
			if words := w.notices("editors"); !slices.Contains(words, told) {
				t.Fatalf("got %q, want %q among them", words, told)
			}
			contains(t, "text", w.noticeTextOf(told), "“About three” was pinned to Tuesday 9 March 2027", "pressrun series pin skin DATE three")
			w.run(tuesday(5))
			equal(t, "told once", strings.Count(strings.Join(w.notices("editors"), "\n"), told), 1)
		})
	}
}

// TestRule10AHeldPinIsNotGone: it goes along with the hold, so there is nothing to tell.
func TestRule10AHeldPinIsNotGone(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two", "three")
	w.enrol(s, "ada")
	w.run(monday)
	w.pin(s, 2, "three")
	w.check("hold", w.p.HoldIssue(w.ctx, "skin/"+wall(1), "figure one"))
	w.check("hold", w.p.HoldIssue(w.ctx, "skin/"+wall(2), "figure three"))
	w.run(tuesday(1))
	equal(t, "the second waits", w.run(tuesday(2)), []string{wall(2) + " waiting 0"})
	equal(t, "plan", w.plan("skin", 1), []string{wall(3) + " three 1 !"})
	for _, words := range w.notices("editors") {
		if strings.Contains(words, "a pinned date has passed") {
			t.Errorf("editors are told %q of a pin that goes on", words)
		}
	}
}

// TestRule20WhatWaitsForItsDateIsLeft: a pinned article still counts for "one article left", with its own date.
func TestRule20WhatWaitsForItsDateIsLeft(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two")
	w.enrol(s, "ada")
	w.run(monday)
	w.pin(s, 5, "two")
	w.run(tuesday(1))
	equal(t, "words", w.notices("editors"), []string{"The skin letters: one article left"})
	contains(t, "text", w.noticeText("editors"), "“About two” goes on Tuesday 30 March 2027")
	equal(t, "empty until then", w.run(tuesday(2)), []string{wall(2) + " empty 0"})
	contains(t, "why empty", w.noticeText("editors"), "waits for 2027-03-30")
}

func TestRule10ResumingIsNoBurst(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two")
	w.enrol(s, "ada")
	w.run(monday)
	w.tx("pause", func(tx *store.Tx) error { return series.Pause(w.ctx, tx, "skin", w.clock.now()) })
	equal(t, "paused", w.run(tuesday(2)), []string{})
	planned, err := w.p.Plan(w.ctx, "skin", 2, time.Time{})
	w.check("plan", err)
	for _, row := range planned {
		contains(t, "plan of a paused series", row.Blocked, "paused")
	}
	w.clock.set(tuesday(3).Add(time.Hour))
	w.tx("resume", func(tx *store.Tx) error { return series.Resume(w.ctx, tx, "skin", w.clock.now()) })
	equal(t, "just resumed", w.run(tuesday(3).Add(2*time.Hour)), []string{})
	equal(t, "next slot", w.run(tuesday(4)), []string{wall(4) + " issued 1"})
	equal(t, "issues", w.issues(), []string{"skin/" + wall(4) + " one"})
}

// TestRule10APausedSeriesReleasesNothing: neither an issue on hold nor a slot that is held without one; after the pause both can go.
func TestRule10APausedSeriesReleasesNothing(t *testing.T) {
	for _, mode := range []series.Mode{series.Live, series.Drip} {
		for what, article := range map[string]string{"an issue": "one", "a slot": "one?"} {
			t.Run(string(mode)+" "+what, func(t *testing.T) {
				w := newWorld(t)
				s := w.series("skin", series.Change{Mode: &mode, WhenNotReady: ptr("hold")})
				w.articles(s, article)
				w.enrol(s, "ada")
				w.run(monday)
				w.check("hold", w.p.HoldIssue(w.ctx, "skin/"+wall(1), "a figure is wrong"))
				w.run(tuesday(1))
				if article == "one?" {
					w.article("one", series.MarkReady)
				}
				w.tx("pause", func(tx *store.Tx) error { return series.Pause(w.ctx, tx, "skin", w.clock.now()) })
				err := w.p.ReleaseIssue(w.ctx, "skin/"+wall(1))
				if !errors.Is(err, series.ErrState) || strings.Count(err.Error(), "skin/") != 1 || !strings.Contains(err.Error(), "stays held") || !strings.Contains(err.Error(), "pressrun series resume skin") {
					t.Errorf("got %v, want that it stays held while the series is paused", err)
				}
				equal(t, "ada", w.deliveriesOf("ada"), map[bool][]string{true: {"one pending"}, false: {}}[mode == series.Drip && article == "one"])
				w.tx("resume", func(tx *store.Tx) error { return series.Resume(w.ctx, tx, "skin", w.clock.now()) })
				w.check("release", w.p.ReleaseIssue(w.ctx, "skin/"+wall(1)))
				equal(t, "ada", w.deliveriesOf("ada"), []string{"one pending"})
			})
		}
	}
}

func TestRule11ADraftHoldsTheSlot(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one?", "two")
	w.enrol(s, "ada")
	w.run(monday)
	equal(t, "plan", w.plan("skin", 2), []string{wall(1) + " one 1 !", wall(2) + " two 1"})
	equal(t, "slot", w.run(tuesday(1)), []string{wall(1) + " held 0"})
	contains(t, "editors", strings.Join(w.notices("editors"), "\n"), "still a draft")
	equal(t, "show", w.issue("skin/"+wall(1)), "held")
	if err := w.p.ReleaseIssue(w.ctx, "skin/"+wall(1)); !errors.Is(err, series.ErrState) {
		t.Errorf("release while it is a draft: got %v, want ErrState", err)
	}
	w.article("one", series.MarkReady)
	equal(t, "making it ready sends nothing", w.run(tuesday(1).Add(time.Hour)), []string{})
	w.check("release", w.p.ReleaseIssue(w.ctx, "skin/"+wall(1)))
	equal(t, "released", w.issue("skin/"+wall(1)), "sending pending=1")
	equal(t, "next slot", w.run(tuesday(2)), []string{wall(2) + " issued 1"})
	equal(t, "issues", w.issues(), []string{"skin/" + wall(1) + " one", "skin/" + wall(2) + " two"})
}

// TestRule11AHeldSlotIsOverOnceTheSeriesWentOn: releasing it then would send another article than it was held for.
func TestRule11AHeldSlotIsOverOnceTheSeriesWentOn(t *testing.T) {
	for _, tt := range []struct {
		name string
		goOn func(w *world)
		by   string
	}{
		{"by the next slot", func(w *world) { w.run(tuesday(2)) }, wall(2)},
		{"by hand", func(w *world) {
			_, _, _, err := w.p.SendNow(w.ctx, "skin", "", false)
			w.check("send", err)
		}, tuesday(1).Add(time.Hour).Format("2006-01-02T15:04")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{})
			w.articles(s, "one?", "two")
			w.enrol(s, "ada")
			w.run(monday)
			w.run(tuesday(1))
			held := "skin/" + wall(1)
			w.article("one", series.MarkReady)
			st, err := w.p.Issue(w.ctx, held)
			w.check("held slot", err)
			equal(t, "what a release would send", []string{st.Article, st.Issue.Subject}, []string{"one", "About one"})
			w.clock.set(tuesday(1).Add(time.Hour))
			tt.goOn(w)
			if err := w.p.ReleaseIssue(w.ctx, held); !errors.Is(err, series.ErrState) {
				t.Errorf("release: got %v, want ErrState", err)
			} else {
				contains(t, "refusal", err.Error(), "missed", "The series went on at "+tt.by)
			}
			equal(t, "held slot", w.issue(held), "missed")
			equal(t, "ada", w.deliveriesOf("ada"), []string{"one pending"})
		})
	}
}

// TestRule11OneSlotIsHeldAtATime: a draft that is late twice is released once.
func TestRule11OneSlotIsHeldAtATime(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one?", "two")
	w.enrol(s, "ada")
	w.run(monday)
	w.run(tuesday(1))
	equal(t, "held again", w.run(tuesday(2)), []string{wall(2) + " held 0"})
	equal(t, "the first", w.issue("skin/"+wall(1)), "missed")
	w.article("one", series.MarkReady)
	w.check("release", w.p.ReleaseIssue(w.ctx, "skin/"+wall(2)))
	equal(t, "ada", w.deliveriesOf("ada"), []string{"one pending"})
}

// TestRule7AnEditedArticleIsNotReleased: the issue that was frozen is not what the editor wrote since; the words say how that
// one goes.
func TestRule7AnEditedArticleIsNotReleased(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one")
	w.enrol(s, "ada")
	w.run(monday)
	w.run(tuesday(1).Add(12 * time.Hour))
	name := "skin/" + wall(1)
	w.importArticles(s, series.Incoming{Slug: "one", Text: series.Text{Title: "About one", Markdown: "Quite another text."}})
	err := w.p.ReleaseIssue(w.ctx, name)
	if !errors.Is(err, series.ErrState) {
		t.Fatalf("release: got %v, want ErrState", err)
	}
	contains(t, "release", err.Error(), "stays held", "changed after", "pressrun issue cancel "+name, "pressrun issue send skin")
	equal(t, "issue", w.issue(name), "held pending=1")
	w.check("cancel", w.p.CancelIssue(w.ctx, name, "written anew"))
	again, _, readers, err := w.p.SendNow(w.ctx, "skin", "", false)
	w.check("send", err)
	equal(t, "readers", readers, int64(1))
	st, err := w.p.Issue(w.ctx, again)
	w.check("issue", err)
	contains(t, "text", st.Issue.Text, "Quite another text.")
}

// TestStateErrorsNameTheIssueOnce reads them as an editor does.
func TestStateErrorsNameTheIssueOnce(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one")
	w.enrol(s, "ada")
	w.run(monday)
	w.run(tuesday(1))
	name := "skin/" + wall(1)
	hold := w.p.HoldIssue(w.ctx, name, "")
	w.check("cancel", w.p.CancelIssue(w.ctx, name, ""))
	for what, err := range map[string]error{
		"hold": hold, "hold a cancelled one": w.p.HoldIssue(w.ctx, name, ""), "release": w.p.ReleaseIssue(w.ctx, name), "resume": w.p.ResumeIssue(w.ctx, name),
	} {
		if !errors.Is(err, series.ErrState) || strings.Count(err.Error(), name) != 1 && what != "hold" {
			t.Errorf("%s: got %v, want ErrState and one %s", what, err, name)
		}
		if advice := strings.Contains(fmt.Sprint(err), "can be paused"); advice != (what == "hold") {
			t.Errorf("%s: got %v, want advice to pause: %v", what, err, what == "hold")
		}
	}
	if _, err := w.p.Issue(w.ctx, "nope"); !errors.Is(err, store.ErrNotFound) || !strings.Contains(err.Error(), "SERIES/SLOT") {
		t.Errorf("issue nope: got %v", err)
	}
}

func TestRule11SkipLetsTheNextReadyOneGo(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{WhenNotReady: ptr("skip")})
	w.articles(s, "one?", "two")
	w.enrol(s, "ada")
	w.run(monday)
	equal(t, "slot", w.run(tuesday(1)), []string{wall(1) + " issued 1"})
	equal(t, "issues", w.issues(), []string{"skin/" + wall(1) + " two"})
}

func TestRule11AnEmptySlotIsRecordedAndTold(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.enrol(s, "ada")
	w.run(monday)
	equal(t, "slot", w.run(tuesday(1)), []string{wall(1) + " empty 0"})
	w.articles(s, "one")
	equal(t, "a later article waits", w.run(tuesday(1).Add(time.Hour)), []string{})
	equal(t, "editors", w.notices("editors"), []string{"The skin letters: nothing to send"})
	equal(t, "next slot", w.run(tuesday(2)), []string{wall(2) + " issued 1"})
}

func TestRule11ACancelledIssueGivesItsArticleBack(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two")
	w.enrol(s, "ada")
	w.run(monday)
	w.run(tuesday(1))
	w.check("cancel", w.p.CancelIssue(w.ctx, "skin/"+wall(1), "a wrong figure"))
	equal(t, "cancelled", w.issue("skin/"+wall(1)), "cancelled skipped=1")
	equal(t, "plan", w.plan("skin", 1), []string{wall(2) + " one 1"})
	w.run(tuesday(2))
	equal(t, "ada", w.deliveriesOf("ada"), []string{"one skipped", "one pending"})
}

func TestRule11AHeldIssueKeepsItsTurn(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two")
	w.enrol(s, "ada")
	w.run(monday)
	w.check("hold the coming slot", w.p.HoldIssue(w.ctx, "skin/"+wall(1), "wait for the lawyer"))
	equal(t, "plan", w.plan("skin", 2), []string{wall(1) + " one 1 !", wall(2) + " two 1"})
	equal(t, "held slot", w.run(tuesday(1)), []string{wall(1) + " held 0"})
	equal(t, "held issue", w.issue("skin/"+wall(1)), "held")
	equal(t, "next slot waits", w.run(tuesday(2)), []string{wall(2) + " waiting 0"})
	w.check("release", w.p.ReleaseIssue(w.ctx, "skin/"+wall(1)))
	equal(t, "released long after its time", w.issue("skin/"+wall(1)), "sending pending=1")
	equal(t, "the slot that waited sends nothing later", w.run(tuesday(2).Add(time.Hour)), []string{})
	equal(t, "third slot", w.run(tuesday(3)), []string{wall(3) + " issued 1"})
	equal(t, "issues", w.issues(), []string{"skin/" + wall(1) + " one", "skin/" + wall(3) + " two"})
	equal(t, "editors", w.notices("editors")[:2], []string{"The skin letters: an issue is held", "The skin letters: still held"})
}

func TestRule11AHeldSlotReleasedInTimeSendsInTime(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one")
	w.enrol(s, "ada")
	w.check("hold", w.p.HoldIssue(w.ctx, "skin/"+wall(1), "later"))
	w.check("release", w.p.ReleaseIssue(w.ctx, "skin/"+wall(1)))
	equal(t, "before its time", w.run(monday.Add(time.Hour)), []string{})
	equal(t, "at its time", w.run(tuesday(1)), []string{wall(1) + " issued 1"})
}

func TestRule12LateSlots(t *testing.T) {
	for _, tt := range []struct {
		name string
		back time.Time
		want []string
	}{
		{"on time", tuesday(1), []string{wall(1) + " issued 1"}},
		{"within grace", tuesday(1).Add(6 * time.Hour), []string{wall(1) + " issued 1"}},
		{"after grace", tuesday(1).Add(6*time.Hour + time.Minute), []string{wall(1) + " held 0"}},
		{"weeks later", tuesday(3).Add(24 * time.Hour), []string{wall(1) + " missed 0", wall(2) + " missed 0", wall(3) + " held 0"}},
		{"weeks later, the last in time", tuesday(3).Add(time.Hour), []string{wall(1) + " missed 0", wall(2) + " missed 0", wall(3) + " issued 1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{})
			w.articles(s, "one", "two", "three")
			w.enrol(s, "ada")
			w.run(monday)
			w.clock.set(tt.back)
			planned := w.plan("skin", len(tt.want))
			equal(t, "slots", w.run(tt.back), tt.want)
			last := len(tt.want) - 1
			name := "skin/" + tt.want[last][:len(wall(1))]
			equal(t, "the plan named the article", planned[last][:len(wall(1))+4], tt.want[last][:len(wall(1))]+" one")
			st, err := w.p.Issue(w.ctx, name)
			w.check("issue", err)
			equal(t, "no content is lost", st.Article, "one")
		})
	}
}

func TestRule12LateDripIsHeldAndReleased(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{Mode: ptr(series.Drip)})
	w.articles(s, "one", "two")
	w.enrol(s, "ada", "ben")
	w.run(monday)
	equal(t, "a day late", w.run(tuesday(1).Add(24*time.Hour)), []string{wall(1) + " held 2"})
	equal(t, "held", w.issue("skin/"+wall(1)+"/one"), "held pending=2")
	w.check("release by slot", w.p.ReleaseIssue(w.ctx, "skin/"+wall(1)))
	equal(t, "released", w.issue("skin/"+wall(1)+"/one"), "sending pending=2")
	equal(t, "next", w.run(tuesday(2)), []string{wall(2) + " issued 2"})
}

func TestRule12NothingHappensWhileSendingIsOnHold(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two")
	w.enrol(s, "ada")
	w.run(monday)
	hold := outbox.ErrHeld
	cfg := w.cfg
	cfg.MayLeave = func(context.Context) error { return hold }
	p := w.publisher(cfg)
	w.clock.set(tuesday(2).Add(time.Hour))
	if _, err := p.RunDue(w.ctx); !errors.Is(err, outbox.ErrHeld) {
		t.Errorf("run due on hold: got %v, want ErrHeld", err)
	}
	if _, _, _, err := p.SendNow(w.ctx, "skin", "", false); !errors.Is(err, outbox.ErrHeld) {
		t.Errorf("send on hold: got %v, want ErrHeld", err)
	}
	equal(t, "issues", w.issues(), []string{})
	hold = nil
	equal(t, "after the hold", w.run(tuesday(2).Add(48*time.Hour)), []string{wall(1) + " missed 0", wall(2) + " held 0"})
}

func TestRule13OnlyTheMailableAreInTheIssue(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one")
	w.enrol(s, "ada", "ben")
	w.check("unsubscribe", w.p.Unsubscribe(w.ctx, w.link(s, "ben"), false, evidence()))
	w.check("subscribe", w.subscribe(newsletter.Signup{Series: []string{"skin"}, Email: "cyd@reader.example", Evidence: evidence()}))
	w.run(monday)
	equal(t, "slot", w.run(tuesday(1)), []string{wall(1) + " issued 1"})
}

func TestRule14NobodyTwice(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two")
	w.enrol(s, "ada")
	w.run(monday)
	name, article, readers, err := w.p.SendNow(w.ctx, "skin", "", false)
	w.check("send now", err)
	equal(t, "sent", []any{name, article, readers}, []any{name, "one", int64(1)})
	contains(t, "name", name, "skin/2027-03-01T08:00/now")
	w.enrol(s, "ben")
	equal(t, "the coming slot takes the one after", w.run(tuesday(1)), []string{wall(1) + " issued 2"})
	if _, _, _, err := w.p.SendNow(w.ctx, "skin", "one", false); !errors.Is(err, newsletter.ErrNothing) {
		t.Errorf("send an issued article again: got %v, want ErrNothing", err)
	}
	equal(t, "ada", w.deliveriesOf("ada"), []string{"one pending", "two pending"})
}

func TestRule16WhatLacksIsHeldAndTold(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.importArticles(s, series.Incoming{Slug: "long", Text: series.Text{Title: "Too long", Markdown: strings.Repeat("A long **paragraph** of words.\n\n", 4000)}})
	w.enrol(s, "ada")
	w.run(monday)
	equal(t, "slot", w.run(tuesday(1)), []string{wall(1) + " held 0"})
	contains(t, "editors", strings.Join(strings.Fields(w.noticeText("editors")), " "), "“Too long” can't be made into a mail", "102 KB", "Nothing is lost")
	w.importArticles(s, series.Incoming{Slug: "long", Text: series.Text{Title: "Short now", Markdown: "Few words."}})
	equal(t, "it keeps its turn", w.run(tuesday(2)), []string{wall(2) + " issued 1"})
}

func TestRule16EveryIssueCarriesTheDisclaimer(t *testing.T) {
	for _, place := range []string{"start", "end", "both"} {
		t.Run(place, func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{DisclaimerPlace: &place, Welcome: ptr("first"), Mode: ptr(series.Drip)})
			w.importArticles(s,
				series.Incoming{Slug: "one", Text: series.Text{Title: "One", Markdown: "Words.", Disclaimer: "Not for children.", DisclaimerMode: "add"}},
				series.Incoming{Slug: "two", Text: series.Text{Title: "Two", Markdown: "Words.", Disclaimer: "Only for adults.", DisclaimerMode: "replace"}})
			w.enrol(s, "ada")
			w.join(s, "ben")
			w.run(monday)
			w.run(tuesday(1))
			w.run(tuesday(2))
			all, err := series.Issues(w.ctx, w.db, s.ID, 0)
			w.check("issues", err)
			if len(all) < 3 {
				t.Fatalf("issues: got %d, want 3 or more", len(all))
			}
			for _, head := range all {
				issue, err := series.IssueByID(w.ctx, w.db, head.ID)
				w.check("issue", err)
				want := []string{"This is no medical advice.", "Not for children."}
				if strings.Contains(issue.Subject, "Two") {
					want = []string{"Only for adults."}
				}
				contains(t, issue.Name+" text", strings.Join(strings.Fields(issue.Text), " "), want...)
				contains(t, issue.Name+" HTML", strings.Join(strings.Fields(issue.HTML), " "), want...)
			}
		})
	}
}

func TestRule17PreviousAndNext(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two", "three")
	w.enrol(s, "ada")
	w.run(monday)
	w.run(tuesday(1))
	w.run(tuesday(2))
	st, err := w.p.Issue(w.ctx, "skin/"+wall(2))
	w.check("issue", err)
	contains(t, "text", st.Issue.Text, "About one", "http://127.0.0.1:8080/s/skin/one", "About three", "http://127.0.0.1:8080/s/skin/two")
	if strings.Contains(st.Issue.Text, "/s/skin/three") {
		t.Errorf("the next article is linked before it is public:\n%s", st.Issue.Text)
	}
}

func TestRule20ArticlesRunOut(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "a", "b", "c", "d", "e", "f")
	w.enrol(s, "ada")
	w.run(monday)
	for n := 1; n <= 6; n++ {
		w.run(tuesday(n))
		w.run(tuesday(n).Add(time.Hour))
	}
	equal(t, "editors", w.leftTold(), []string{fourLeft, oneLeft, noneLeft})
}

func TestRule20FourLeftNamesTheLastDate(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "a", "b", "c", "d", "e")
	w.enrol(s, "ada")
	w.run(monday)
	w.run(tuesday(1))
	contains(t, "editors", strings.Join(strings.Fields(w.noticeText("editors")), " "), "About e", "Tuesday 30 March 2027 at 09:00")
}

func TestRule20NobodyToTellIsNoError(t *testing.T) {
	w := newWorld(t)
	cfg := w.cfg
	cfg.Site.NotifyTo = nil
	w.p = w.publisher(cfg)
	w.series("skin", series.Change{})
	w.run(monday)
	equal(t, "slot", w.run(tuesday(1)), []string{wall(1) + " empty 0"})
	equal(t, "notices", w.notices("editors"), []string{})
}

// TestLogNamesNobody holds a slot with an editor's own words, which stay out of the log.
func TestLogNamesNobody(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one")
	w.enrol(s, "ada")
	w.run(monday)
	w.check("hold", w.p.HoldIssue(w.ctx, "skin/"+wall(1), "by mara@clinic.example on the desk"))
	ctx, stop := context.WithCancel(w.ctx)
	var log strings.Builder
	w.cfg.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.MessageKey && a.Value.String() == "slot done" {
			stop()
		}
		return a
	}}))
	w.clock.set(tuesday(1))
	w.check("run", w.publisher(w.cfg).Run(ctx))
	contains(t, "log", log.String(), "slot done", "slot="+wall(1), "state=held")
	if strings.Contains(log.String(), "@") {
		t.Errorf("the log names somebody:\n%s", log.String())
	}
}

func TestAFillThatACrashInterruptedIsContinued(t *testing.T) {
	for _, mode := range []series.Mode{series.Live, series.Drip} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{Mode: &mode})
			w.articles(s, "one", "two")
			w.enrol(s, names(1200)...)
			w.run(monday)
			w.clock.set(tuesday(1))
			for cut := 1; ; cut++ {
				ctx, cancel := context.WithCancel(w.ctx)
				ticks := 0
				cfg := w.cfg
				cfg.Now = func() time.Time { // asked in every step of a fill: the process dies at the cut
					if ticks++; ticks == cut*7 {
						cancel()
					}
					return w.clock.now()
				}
				_, err := w.publisher(cfg).RunDue(ctx)
				cancel()
				if err == nil {
					break
				}
			}
			w.run(tuesday(1).Add(time.Minute))
			rows := int64(0)
			all, err := w.p.IssueList(w.ctx, "skin", 0)
			w.check("issues", err)
			for _, st := range all {
				equal(t, st.Issue.Name, st.Issue.State, series.IssueSending)
				rows += st.Counts.Total()
			}
			equal(t, "rows", rows, int64(1200))
			equal(t, "one issue", len(all), 1)
		})
	}
}

func TestTellSaysNothingTwice(t *testing.T) {
	w := newWorld(t)
	for range 2 {
		w.check("tell", w.p.Tell(w.ctx, "fire", "The house burns", []string{"Nothing is lost."}))
	}
	equal(t, "notices", w.notices("editors"), []string{"The house burns"})
	w.check("login link", w.p.MailLoginLink(w.ctx, "owner@example.org", "http://127.0.0.1:8080/desk/login/abc", monday.Add(time.Hour)))
	equal(t, "login", len(w.notices("login")), 1)
}

func TestRunEndsWithItsContext(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one")
	w.enrol(s, "ada")
	w.run(monday)
	w.clock.set(tuesday(1))
	ctx, cancel := context.WithCancel(w.ctx)
	cfg := w.cfg
	woken := make(chan struct{}, 1)
	cfg.Wake = func() {
		select {
		case woken <- struct{}{}:
		default:
		}
	}
	ended := make(chan error)
	go func() { ended <- w.publisher(cfg).Run(ctx) }()
	<-woken
	cancel()
	w.check("run", <-ended)
	if !slices.Contains(w.issues(), "skin/"+wall(1)+" one") {
		t.Errorf("issues: got %v, want that of the first slot", w.issues())
	}
}
