package newsletter_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

func evidence() subscribers.Evidence {
	return subscribers.Evidence{IP: "192.0.2.7", Agent: "a browser", Form: "/s/skin", Wording: "Yes, I want the letters."}
}

func itoa(n int) string { return strconv.Itoa(n) }

func names(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("reader%04d", i)
	}
	return all
}

// confirmLink is the token in the newest confirmation mail.
func (w *world) confirmLink() string {
	w.t.Helper()
	text := w.noticeText("confirmation")
	_, rest, found := strings.Cut(text, w.site.BaseURL.JoinPath("c").String()+"/")
	if !found {
		w.t.Fatalf("no confirmation link in:\n%s", text)
	}
	return strings.Fields(rest)[0]
}

// subscribe sends a form in and has it looked at, as Run does.
func (w *world) subscribe(form newsletter.Signup) error {
	if err := w.p.Subscribe(w.ctx, form); err != nil {
		return err
	}
	return w.p.TakeRequests(w.ctx)
}

// join asks for a series and confirms.
func (w *world) join(s series.Series, name string) (newsletter.Joining, time.Time) {
	w.t.Helper()
	w.check("subscribe", w.subscribe(newsletter.Signup{Series: []string{s.Slug}, Email: name + "@reader.example", Name: name, Evidence: evidence()}))
	v, err := w.p.Confirm(w.ctx, w.confirmLink(), evidence())
	w.check("confirm", err)
	return v[0], v[0].Next
}

func TestSubscribeSaysNothingOfWhoIsThere(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.enrol(s, "known")
	w.tx("suppress", func(tx *store.Tx) error {
		return w.people.Suppress(w.ctx, tx, "gone@reader.example", 0, "complaint", "told the relay so")
	})
	for _, who := range []string{"new", "known", "gone", "new"} {
		err := w.subscribe(newsletter.Signup{Series: []string{"skin"}, Email: who + "@reader.example", Evidence: evidence()})
		w.check("subscribe "+who, err)
	}
	equal(t, "confirmations: one for the new, none else", len(w.notices("confirmation")), 1)
	err := w.subscribe(newsletter.Signup{Series: []string{"skin"}, Email: "not an address"})
	if !errors.Is(err, subscribers.ErrAddress) {
		t.Errorf("subscribe with no address: got %v, want ErrAddress", err)
	}
	if err := w.subscribe(newsletter.Signup{Series: []string{"none"}, Email: "a@reader.example"}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("subscribe to nothing: got %v, want ErrNotFound", err)
	}
}

func TestTheConfirmationHoldsNoVisitorText(t *testing.T) {
	w := newWorld(t)
	w.series("skin", series.Change{})
	form := newsletter.Signup{Series: []string{"skin"}, Email: "ada@reader.example", Name: "BUY PILLS http://spam.example", Evidence: evidence()}
	w.check("subscribe", w.subscribe(form))
	var html, text, subject string
	w.check("notice", w.db.QueryRow(w.ctx, `SELECT html, text, subject FROM notices WHERE kind = 'confirmation'`).Scan(&html, &text, &subject))
	for _, part := range []string{html, text, subject} {
		if strings.Contains(part, "PILLS") || strings.Contains(part, "spam.example") {
			t.Errorf("what the visitor typed stands in the mail:\n%s", part)
		}
		if strings.Contains(part, "CONFIRMATION-TOKEN") {
			t.Errorf("the mail has no link:\n%s", part)
		}
	}
	contains(t, "subject", subject, "The skin letters")
}

func TestVisitChangesNothing(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.check("subscribe", w.subscribe(newsletter.Signup{Series: []string{"skin"}, Email: "ada@reader.example", Evidence: evidence()}))
	token := w.confirmLink()
	for range 2 {
		all, err := w.p.VisitConfirm(w.ctx, token)
		w.check("visit", err)
		v := all[0]
		equal(t, "state", v.State, subscribers.Pending)
		if strings.Contains(v.Masked, "ada") || v.Series.ID != s.ID {
			t.Errorf("visit: got %q of series %d, want a masked address of series %d", v.Masked, v.Series.ID, s.ID)
		}
	}
	if _, err := w.p.VisitUnsubscribe(w.ctx, token); !errors.Is(err, subscribers.ErrToken) {
		t.Errorf("a confirmation link as an unsubscribe link: got %v, want ErrToken", err)
	}
	if _, err := w.p.Confirm(w.ctx, token+"x", evidence()); !errors.Is(err, subscribers.ErrToken) {
		t.Errorf("an altered link: got %v, want ErrToken", err)
	}
}

func TestRule3Welcome(t *testing.T) {
	for _, tt := range []struct {
		name   string
		mode   series.Mode
		kind   string
		slots  int // that ran before
		at     time.Duration
		next   int      // slot from then that is promised
		want   []string // deliveries after confirming
		second []string // after the next slot besides
	}{
		{"drip gets its first at once", series.Drip, "first", 1, 24 * time.Hour, 1, []string{"one pending"}, []string{"one pending", "two pending"}},
		{"drip keeps the next slot away", series.Drip, "first", 1, 6 * 24 * time.Hour, 2, []string{"one pending"}, []string{"one pending"}},
		{"none", series.Drip, "none", 1, 24 * time.Hour, 1, []string{}, []string{"one pending"}},
		{"live gets the latest issue", series.Live, "latest", 1, 24 * time.Hour, 1, []string{"one pending"}, []string{"one pending", "two pending"}},
		{"live gets the first article", series.Live, "first", 2, 24 * time.Hour, 1, []string{"one pending"}, []string{"one pending", "three pending"}},
		{"live welcome gives way to a slot that is near", series.Live, "latest", 1, 6 * 24 * time.Hour, 1, []string{}, []string{"two pending"}},
		{"live has nothing to welcome with", series.Live, "latest", 0, 0, 1, []string{}, []string{"one pending"}},
		{"live never gives the coming slot's article away", series.Live, "first", 0, -6 * 24 * time.Hour, 1, []string{}, []string{"one pending"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			if tt.at < 0 {
				w.clock.set(tuesday(1).Add(tt.at))
			}
			s := w.series("skin", series.Change{Mode: &tt.mode, Welcome: &tt.kind})
			w.articles(s, "one", "two", "three")
			w.enrol(s, "ben") // without any reader a slot sends nothing
			w.run(w.clock.now())
			for n := 1; n <= tt.slots; n++ {
				w.run(tuesday(n))
			}
			if tt.slots > 0 {
				w.clock.set(tuesday(tt.slots).Add(tt.at))
			}
			v, next := w.join(s, "ada")
			equal(t, "right after confirming", w.deliveriesOf("ada")[1:], tt.want)
			equal(t, "welcomed", v.Welcomed, len(tt.want) > 0)
			equal(t, "next letter", next, tuesday(tt.slots+tt.next))
			_, err := w.p.Confirm(w.ctx, w.confirmLink(), evidence())
			w.check("confirm again", err)
			equal(t, "confirming twice is one welcome", w.deliveriesOf("ada")[1:], tt.want)
			w.run(tuesday(tt.slots + 1))
			equal(t, "after the next slot", w.deliveriesOf("ada")[1:], tt.second)
		})
	}
}

func TestRule3OneWelcomeIssueForAll(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{Mode: ptr(series.Drip), Welcome: ptr("first")})
	w.articles(s, "one", "two")
	for _, name := range []string{"ada", "ben"} {
		w.join(s, name)
		w.clock.set(w.clock.now().Add(36 * time.Hour))
	}
	equal(t, "issues", len(w.issues()), 1)
	w.importArticles(s, series.Incoming{Slug: "one", Text: series.Text{Title: "About one", Markdown: "Better words."}})
	w.join(s, "cyd")
	equal(t, "a new revision is a new welcome", len(w.issues()), 2)
}

func TestRule13AndUndo(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two", "three")
	w.enrol(s, "ada")
	link := w.link(s, "ada")
	for range 2 {
		w.check("unsubscribe", w.p.Unsubscribe(w.ctx, link, false, evidence()))
	}
	v, err := w.p.VisitUnsubscribe(w.ctx, link)
	w.check("visit", err)
	equal(t, "state", []any{v.State, v.Everything, v.CanUndo}, []any{subscribers.Ended, false, true})
	w.run(monday)
	equal(t, "gone", w.run(tuesday(1)), []string{wall(1) + " empty 0"})
	w.check("undo", w.p.UndoUnsubscribe(w.ctx, link, evidence()))
	equal(t, "back", w.run(tuesday(2)), []string{wall(2) + " issued 1"})
	w.check("leave everything", w.p.Unsubscribe(w.ctx, link, true, evidence()))
	v, err = w.p.VisitUnsubscribe(w.ctx, link)
	w.check("visit", err)
	equal(t, "everything", []any{v.Everything, v.CanUndo}, []any{true, true})
	w.clock.set(w.clock.now().Add(8 * 24 * time.Hour))
	if err := w.p.UndoUnsubscribe(w.ctx, link, evidence()); !errors.Is(err, subscribers.ErrNotPending) {
		t.Errorf("undo after eight days: got %v, want ErrNotPending", err)
	}
	if err := w.p.Unsubscribe(w.ctx, "nonsense", false, evidence()); !errors.Is(err, subscribers.ErrToken) {
		t.Errorf("a link that is not ours: got %v, want ErrToken", err)
	}
}

func TestRule14ComingBackGoesOn(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{Mode: ptr(series.Drip), Welcome: ptr("first")})
	w.articles(s, "one", "two", "three")
	w.join(s, "ada")
	w.run(monday)
	w.run(tuesday(1).Add(time.Hour)) // too soon after the welcome
	w.run(tuesday(2))
	w.check("unsubscribe", w.p.Unsubscribe(w.ctx, w.link(s, "ada"), false, evidence()))
	w.clock.set(tuesday(2).Add(48 * time.Hour))
	w.join(s, "ada")
	got := w.deliveriesOf("ada")
	equal(t, "her next, not the first again", got[len(got)-1], "three pending")
}

// TestConfirmPromisesNoEmptyDay: a slot for which nothing is left is no "next one comes on".
func TestConfirmPromisesNoEmptyDay(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	if _, next := w.join(s, "early"); !next.IsZero() {
		t.Errorf("a series without articles: got %s, want no day", next)
	}
	w.articles(s, "one")
	if _, next := w.join(s, "late"); !next.Equal(tuesday(1)) {
		t.Errorf("a series with one article: got %s, want %s", next, tuesday(1))
	}
}
