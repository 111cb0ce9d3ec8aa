package newsletter_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pressrun/newsletter/mailer/smtptest"
	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

var (
	soakReaders = flag.Int("soak.readers", 12, "readers of each series in TestSoak, 64 at most")
	soakSeed    = flag.Uint64("soak.seed", 0, "of TestSoak; 0: a new one")
)

const (
	soakDays        = 24
	soakStep        = 2 * time.Hour
	soakConnections = 2 // world.start's
)

// soak is a site that runs for weeks of an injected clock: three daily series in zones of which one enters summer time in
// those weeks and another leaves it, a relay that goes away for six hours at a time, refuses and puts off.
type soak struct {
	*world
	t      *testing.T
	random *rand.Rand
	series []series.Series
	port   atomic.Int64        // of today's server
	away   atomic.Bool         // nobody answers
	got    map[string][]uint64 // series: by article, the readers who have it as bits
	after  []footprint         // of each day
	put    struct{ off, refused, outages int }
}

// footprint is what the process holds once a day is over.
type footprint struct {
	heap                uint64
	goroutines, handles int
}

var soakZones = []struct {
	slug, zone, schedule string
	mode                 series.Mode
}{
	{"berlin", "Europe/Berlin", "30 2 * * *", series.Live},    // 28 March 2027: 02:30 does not exist
	{"sydney", "Australia/Sydney", "30 2 * * *", series.Live}, // 4 April 2027: 02:30 exists twice
	{"drip", "UTC", "0 9 * * *", series.Drip},
}

// TestSoak runs 24 days: every slot sends once, everybody gets each issue at most once and at the end has it or was refused,
// and the process grows in nothing: memory within 10 %, no goroutine, no handle.
func TestSoak(t *testing.T) {
	if *soakSeed == 0 {
		*soakSeed = rand.Uint64()
	}
	t.Logf("-soak.seed=%d", *soakSeed)
	s := newSoak(t)
	worker := s.start(s.relay())
	defer worker.Close()
	for day := range soakDays {
		if !t.Run(fmt.Sprint("day ", day+1), func(t *testing.T) { s.day(t, worker, day) }) {
			return
		}
		s.after = append(s.after, measure())
	}
	s.checkSlots()
	s.checkFootprint()
	t.Logf("%d days, 3 series, %d readers each, %d outages of 6 h, %d put off, %d refused; heap after day 5 %d KB, after day %d %d KB",
		soakDays, *soakReaders, s.put.outages, s.put.off, s.put.refused, s.after[4].heap>>10, soakDays, s.after[soakDays-1].heap>>10)
}

func newSoak(t *testing.T) *soak {
	t.Helper()
	s := &soak{world: newWorld(t), t: t, random: rand.New(rand.NewPCG(*soakSeed, 0)), got: map[string][]uint64{}}
	s.clock.set(time.Date(2027, 3, 15, 0, 0, 0, 0, time.UTC))
	for _, z := range soakZones {
		one := s.world.series(z.slug, series.Change{Schedule: []string{z.schedule}, Mode: ptr(z.mode)})
		s.tx("zone", func(tx *store.Tx) (err error) {
			one, err = series.Set(s.ctx, tx, z.slug, series.Change{Zone: ptr(z.zone)}, s.clock.now())
			return err
		})
		var slugs []string
		for i := range soakDays + 3 {
			slugs = append(slugs, fmt.Sprintf("%s-%d", z.slug, i))
		}
		s.articles(one, slugs...)
		for i := range *soakReaders {
			s.enrol(one, fmt.Sprint("r", i))
		}
		s.series = append(s.series, one)
		s.got[z.slug] = make([]uint64, len(slugs))
	}
	return s
}

func (s *soak) relay() outbox.Relay {
	return outbox.RelayFunc(func(ctx context.Context) (outbox.Conn, error) {
		if s.away.Load() {
			return nil, errors.New("nobody answers")
		}
		return smtpAt(int(s.port.Load())).Connect(ctx)
	})
}

// day plays one day before a server of its own, which the process holds no longer than that.
func (s *soak) day(t *testing.T, worker *outbox.Worker, day int) {
	srv := smtptest.New(t)
	s.port.Store(int64(srv.Port()))
	for i := range *soakReaders {
		switch p := s.random.Float64(); { // three messages a day go to each
		case p < 3*0.01:
			s.put.off++
			srv.At("RCPT " + fmt.Sprintf("r%d@reader.example", i)).Reply("451 4.3.0 later").Times(1)
		case p < 3*0.015:
			s.put.refused++
			srv.At("RCPT " + fmt.Sprintf("r%d@reader.example", i)).Reply("552 5.2.2 mailbox full").Times(1)
		}
	}
	outage := time.Duration(-1)
	if day%6 == 2 {
		s.put.outages++
		outage = time.Duration(s.random.IntN(9)) * soakStep
	}
	for at := time.Duration(0); at < 24*time.Hour; at += soakStep {
		s.away.Store(outage >= 0 && at >= outage && at < outage+6*time.Hour)
		s.clock.set(s.clock.now().Add(soakStep))
		_, err := s.p.RunDue(s.ctx)
		s.check("run due", err)
		if err := worker.Drain(s.ctx); err != nil && !s.away.Load() {
			t.Fatalf("day %d: drain: %v", day+1, err)
		}
		s.check("finish", s.p.Finish(s.ctx))
	}
	for _, m := range letters(srv) {
		s.note(t, m)
	}
}

// note marks who has which article, and fails where they have it already.
func (s *soak) note(t *testing.T, m smtptest.Taken) {
	t.Helper()
	_, rest, _ := bytes.Cut(m.Data, []byte("\r\nSubject: About "))
	subject, _, _ := bytes.Cut(rest, []byte("\r\n"))
	slug, number, _ := strings.Cut(string(subject), "-")
	var article, reader int
	if _, err := fmt.Sscan(number, &article); err != nil {
		t.Fatalf("subject %q: %v", subject, err)
	}
	if _, err := fmt.Sscanf(m.To, "r%d@", &reader); err != nil {
		t.Fatalf("recipient %q: %v", m.To, err)
	}
	if s.got[slug][article]>>reader&1 == 1 {
		t.Errorf("%s got %s twice", m.To, subject)
	}
	s.got[slug][article] |= 1 << reader
}

// checkSlots: each local date has one slot, at its wall time or the first instant after a gap, and its issues are done.
func (s *soak) checkSlots() {
	s.t.Helper()
	for i, one := range s.series {
		all, err := series.Slots(s.ctx, s.db, one.ID, time.Time{}, 0)
		s.check("slots", err)
		seen := map[string]bool{}
		issued := 0
		for _, slot := range all {
			date, _, _ := strings.Cut(slot.Wall, "T")
			if seen[date] {
				s.t.Errorf("%s: %s has two slots", one.Slug, date)
			}
			seen[date] = true
			if slot.State != series.SlotIssued {
				if !slot.At.After(s.clock.now()) {
					s.t.Errorf("%s: slot %s is %s", one.Slug, slot.Wall, slot.State)
				}
				continue
			}
			issued++
			if one.Slug == "berlin" && date == "2027-03-28" && !slot.At.Equal(time.Date(2027, 3, 28, 1, 0, 0, 0, time.UTC)) {
				s.t.Errorf("berlin: slot %s was at %s, want the first instant after the gap", slot.Wall, slot.At)
			}
			if one.Slug == "sydney" && date == "2027-04-04" && !slot.At.Equal(time.Date(2027, 4, 3, 15, 30, 0, 0, time.UTC)) {
				s.t.Errorf("sydney: slot %s was at %s, want the first of the two", slot.Wall, slot.At)
			}
		}
		if issued < soakDays-1 || issued > soakDays {
			s.t.Errorf("%s: got %d slots issued in %d days, want each once", one.Slug, issued, soakDays)
		}
		s.checkIssues(one, soakZones[i].mode)
	}
}

func (s *soak) checkIssues(one series.Series, mode series.Mode) {
	s.t.Helper()
	all, err := s.p.IssueList(s.ctx, one.Slug, 0)
	s.check("issues", err)
	var sent, got int64
	for _, st := range all {
		c := st.Counts
		if st.Issue.State != series.IssueDone && c.Open() == 0 || c.Uncertain > 0 {
			s.t.Errorf("%s is %s with %+v, want it done", st.Issue.Name, st.Issue.State, c)
		}
		if mode == series.Live && c.Total() != int64(*soakReaders) {
			s.t.Errorf("%s has %d deliveries, want one for each of %d readers", st.Issue.Name, c.Total(), *soakReaders)
		}
		sent += c.Sent
	}
	for _, readers := range s.got[one.Slug] {
		for ; readers > 0; readers &= readers - 1 {
			got++
		}
	}
	if got != sent {
		s.t.Errorf("%s: the server took %d messages, and %d count as sent", one.Slug, got, sent)
	}
}

// checkFootprint compares the last days with the fifth, when all that is made once is made.
func (s *soak) checkFootprint() {
	s.t.Helper()
	first := s.after[4]
	for day, f := range s.after[soakDays-3:] {
		if f.heap > first.heap+first.heap/10 {
			s.t.Errorf("%d days before the end: got %d KB of memory, want at most 10 %% more than the %d KB after day 5", 2-day, f.heap>>10, first.heap>>10)
		}
		// Of the connections of the last minutes some may be open in one day and not in the other.
		if f.goroutines > first.goroutines+2*soakConnections || f.handles > first.handles+2*soakConnections {
			s.t.Errorf("%d days before the end: got %d goroutines and %d handles, after day 5 it were %d and %d", 2-day, f.goroutines, f.handles, first.goroutines, first.handles)
		}
	}
}

func measure() footprint {
	runtime.GC()
	runtime.GC() // what the first one found out of use by finalizers
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	handles, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		handles = nil // no such list here
	}
	return footprint{m.HeapAlloc, runtime.NumGoroutine(), len(handles)}
}
