package newsletter_test

import (
	"slices"
	"testing"
	"time"

	"pressrun/newsletter/mailer/smtptest"
	"pressrun/newsletter/series"
)

// TestFailuresAreOneWordForASlot: the editors hear once what failed of a slot, however many issues it has in drip, and the one
// whose address is gone is explained.
func TestFailuresAreOneWordForASlot(t *testing.T) {
	server := smtptest.New(t)
	server.At("RCPT ada@reader.example").Reply("550 5.1.1 no such user")
	server.At("RCPT ben@reader.example").Reply("552 5.2.2 over quota")
	w := newWorld(t)
	worker := w.start(smtp(server))
	defer func() { w.check("close", worker.Close()) }()
	s := w.series("skin", series.Change{Mode: ptr(series.Drip)})
	w.articles(s, "one", "two", "three", "four", "five", "six", "seven")
	w.enrol(s, "cyd")
	w.run(monday)
	w.run(tuesday(1))
	w.check("drain", worker.Drain(w.ctx))
	w.enrol(s, "ada", "ben") // a slot behind cyd: the next slot has two issues
	w.run(tuesday(2))
	w.check("drain", worker.Drain(w.ctx))
	w.run(tuesday(2).Add(time.Minute))
	w.run(tuesday(2).Add(2 * time.Minute))
	told := slices.DeleteFunc(w.notices("editors"), func(s string) bool {
		return s != "Failed deliveries: “About one”" && s != "Failed deliveries: “About two”"
	})
	if len(told) != 1 {
		t.Fatalf("got %q of %q, want one word on failures", told, w.notices("editors"))
	}
	contains(t, "word", w.noticeText("editors"), "2 of its 3 deliveries failed", "1: the address or its domain does not exist", "1: the mailbox is full")
	lines, err := w.p.Explain(w.ctx, "ada@reader.example", 1)
	w.check("explain", err)
	contains(t, "explained", lines[0].Why, "could not be delivered, for good", "(bounce)")
	lines, err = w.p.Explain(w.ctx, "ben@reader.example", 1)
	w.check("explain", err)
	equal(t, "who is full stays", string(lines[0].Outcome), "send")
}
