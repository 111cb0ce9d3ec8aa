package newsletter_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pressrun/newsletter/mailer/smtptest"
	"pressrun/newsletter/pace"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// enrolAt enrols readers with whole addresses.
func (w *world) enrolAt(s series.Series, emails ...string) {
	w.t.Helper()
	for _, email := range emails {
		w.tx("enrol", func(tx *store.Tx) error {
			_, err := w.people.Enrol(w.ctx, tx, s.ID, subscribers.Addition{Email: email}, "test")
			return err
		})
	}
}

// TestAProviderThatRefusesIsToldOnce: the editors hear of a block at one provider once, the issue says it, and goes on for
// all others; after it was resumed and blocked again they hear it again.
func TestAProviderThatRefusesIsToldOnce(t *testing.T) {
	server := smtptest.New(t)
	w := newWorld(t)
	worker := w.start(smtp(server))
	defer func() { w.check("close", worker.Close()) }()
	s := w.series("skin", series.Change{})
	w.articles(s, "one")
	for i := range 20 {
		to := fmt.Sprintf("g%d@gmail.com", i)
		w.enrolAt(s, to, fmt.Sprintf("o%d@reader.example", i))
		server.At("RCPT " + to).Reply("550 5.7.26 This mail has been blocked because the sender is unauthenticated")
	}
	w.run(monday)
	w.run(tuesday(1))
	w.check("drain", worker.Drain(w.ctx))
	name := "skin/" + wall(1)
	for i := range 3 {
		w.run(tuesday(1).Add(time.Duration(i+1) * time.Minute))
	}
	blocked := func() int {
		return len(slices.DeleteFunc(w.notices("editors"), func(s string) bool { return s != "gmail refuses “About one”" }))
	}
	equal(t, "words on gmail", blocked(), 1)
	st, err := w.p.Issue(w.ctx, name)
	w.check("issue", err)
	equal(t, "others", st.Counts.Sent, int64(20))
	contains(t, "reason", st.Issue.Reason, "gmail refuses it", "550 5.7.26", "resume the issue")

	w.clock.set(tuesday(1).Add(time.Hour))
	w.check("resume", w.p.ResumeIssue(w.ctx, name))
	w.check("drain", worker.Drain(w.ctx))
	w.run(tuesday(1).Add(2 * time.Hour))
	equal(t, "words after the second block", blocked(), 2)
}

// TestPlanSaysWhenASlotEnds at the pace that is set, and nothing where none is.
func TestPlanSaysWhenASlotEnds(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two")
	var all []string
	for i := range 30 {
		all = append(all, fmt.Sprintf("r%d@reader.example", i))
	}
	w.enrolAt(s, all...)
	planned, err := w.p.Plan(w.ctx, "skin", 1, time.Time{})
	w.check("plan", err)
	equal(t, "without a pace", planned[0].Ends.IsZero(), true)

	cfg := w.cfg
	rate, err := pace.ParseRate("10/h")
	w.check("rate", err)
	cfg.Pace = pace.Plan{Relay: rate}
	planned, err = w.publisher(cfg).Plan(w.ctx, "skin", 1, time.Time{})
	w.check("plan", err)
	if took := planned[0].Ends.Sub(tuesday(1)); took < 2*time.Hour || took > 2*time.Hour+5*time.Minute {
		t.Errorf("30 readers at 10 an hour: got %s, want two hours", took)
	}
}
