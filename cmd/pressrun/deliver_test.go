package main

import (
	"errors"
	"io"
	"testing"
	"time"

	"pressrun/newsletter/outbox"
)

func TestDeliverySaid(t *testing.T) {
	for _, tt := range []struct {
		d    delivery
		want string
	}{
		{delivery{}, "Delivered: nothing."},
		{delivery{Sent: 1840}, "Delivered: 1840 sent."},
		{delivery{Sent: 5, Notices: 1}, "Delivered: 4 sent, 1 notice."},
		{delivery{Elsewhere: true}, "A running pressrun sends from this database: it does the delivery."},
		{
			delivery{Sent: 1, Deferred: 2, Waiting: 2, next: time.Date(2027, 3, 30, 9, 0, 0, 0, time.UTC)},
			"Delivered: 1 sent, 2 put off by the relay. Waiting: 2; the next try is due on Tue 2027-03-30 09:00 UTC.",
		},
		{delivery{Waiting: 3}, "Delivered: nothing. Waiting: 3."},
		{
			delivery{Elsewhere: true, followed: &outbox.Counts{Sent: 5, Pending: 2}, Unsettled: []outbox.Unsettled{{Issue: "a/x", Deliveries: 2}, {Issue: "b/x", Deliveries: 1}}},
			"The running pressrun delivered: 5 sent, 2 not through yet.\nUncertain in all: 3 (a/x: 2, b/x: 1). The relay’s answer was lost, so they may have arrived or not; " +
				"`pressrun issue settle ISSUE --as sent|again` decides.",
		},
		{delivery{failed: true}, "Delivered: nothing."},
		// After a failure the rows may say less than the relay did, and what waits isn't known.
		{delivery{Sent: 63, failed: true}, "The relay’s answers before that: 63 sent. `pressrun issue list` says what of it is recorded."},
	} {
		if got := tt.d.said(); got != tt.want {
			t.Errorf("%+v: got %q, want %q", tt.d, got, tt.want)
		}
	}
}

// TestDeliverySaidOf: what a run sent of other issues is not taken for this one's.
func TestDeliverySaidOf(t *testing.T) {
	d := delivery{Sent: 6, Notices: 1}
	for own, want := range map[int64]string{
		5: "Delivered: 5 sent, 1 notice.",
		4: "Delivered: 5 sent, 1 notice. Of the sent, 1 waited of other issues.",
		0: "Delivered: 5 sent, 1 notice. Of the sent, 5 waited of other issues.",
	} {
		if got := d.saidOf(own); got != want {
			t.Errorf("of %d: got %q, want %q", own, got, want)
		}
	}
}

// TestDoneOnceQuiet: an issue is done soon after its last letter, though no schedule looks.
func TestDoneOnceQuiet(t *testing.T) {
	newTrial(t).bread("ada@reader.example")
	log := &lineWaiter{want: `msg="issue done"`, seen: make(chan struct{})}
	a := &app{err: log, now: time.Now, config: "pressrun.toml", stays: true}
	err := a.with(t.Context(), func(s *site) error {
		_, stop, err := s.startWorker(t.Context())
		if err != nil {
			return err
		}
		if _, _, _, err := s.publisher.SendNow(t.Context(), "bread", "", false); err != nil {
			return errors.Join(err, stop())
		}
		<-log.seen
		return stop()
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestDeliverAfterAnother: another process that is just ending leaves nothing behind that nobody sends.
func TestDeliverAfterAnother(t *testing.T) {
	newTrial(t).bread("ada@reader.example")
	a := &app{err: io.Discard, now: time.Now, config: "pressrun.toml"}
	err := a.with(t.Context(), func(s *site) error {
		other, err := outbox.TryLock(s.db.Path())
		if err != nil {
			return err
		}
		if _, _, _, err := s.publisher.SendNow(t.Context(), "bread", "", false); err != nil {
			return err
		}
		s.now = func() time.Time { // asked while something is due and the other still there
			if err := other.Close(); err != nil {
				t.Error(err)
			}
			return time.Now()
		}
		d, err := s.deliver(t.Context(), io.Discard)
		if d.Sent != 1 || d.Elsewhere {
			t.Errorf("got %+v, want 1 sent", d)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
