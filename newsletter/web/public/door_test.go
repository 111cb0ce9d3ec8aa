package public_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pressrun/newsletter"
	"pressrun/newsletter/web/public"
	"pressrun/newsletter/web/webtest"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// door is a site's form as many strangers at once send it in; what they leave is looked at afterwards.
type door struct {
	*webtest.Site
	t testing.TB
	h http.Handler
}

func newDoor(t testing.TB, s *webtest.Site) *door {
	t.Helper()
	h, err := public.New(public.Config{DB: s.DB, Publisher: s.Publisher, Site: s.Config(), BaseURL: s.Base, Now: s.Now, Log: s.Log.Logger()})
	if err != nil {
		t.Fatal(err)
	}
	return &door{s, t, h}
}

// send sends the form of the series skin once.
func (d *door) send(email, from string) webtest.Answer {
	form := url.Values{"email": {email}, "form": {d.Publisher.SealForm()}, "once": {"yes"}}
	return webtest.Do(d.t, d.h, webtest.Request{Method: "POST", Path: "/s/skin/subscribe", Form: form, From: from})
}

// sendAll sends n forms, 64 at once, and returns how many were taken; the others must have been refused.
func (d *door) sendAll(n int, form func(i int) (email, from string)) (taken int) {
	d.t.Helper()
	var next, ok atomic.Int64
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				switch a := d.send(form(i)); a.Status {
				case http.StatusOK:
					ok.Add(1)
				case http.StatusTooManyRequests:
				default:
					d.t.Errorf("form %d: got %d", i, a.Status)
				}
			}
		})
	}
	all.Wait()
	if err := d.Publisher.TakeRequests(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
	return int(ok.Load())
}

func (d *door) mails() int {
	return d.Count(d.t, `SELECT count(*) FROM notices WHERE kind = 'confirmation'`)
}

// TestTenThousandFormsForOneVictim: from as many networks, at once and over some hours. They get one mail.
func TestTenThousandFormsForOneVictim(t *testing.T) {
	s := webtest.New(t)
	s.AddSeries(t, "skin", "Water")
	d := newDoor(t, s)
	taken := 0
	for hour := range 4 {
		taken += d.sendAll(2500, func(i int) (string, string) {
			return "victim@example.org", fmt.Sprintf("10.%d.%d.%d", i>>8, i&255, hour+1)
		})
		s.Pass(61 * time.Minute)
	}
	if got := d.mails(); taken != 10_000 || got != 1 {
		t.Errorf("%d of 10,000 forms were taken and %d mails made for one victim, want one", taken, got)
	}
	for day := range 5 { // one a day, and three that are not answered
		s.Pass(24 * time.Hour)
		d.sendAll(1, func(int) (string, string) { return "Victim@Example.org", "192.0.2.1" })
		if want := min(day+2, 3); d.mails() != want {
			t.Errorf("%d days later: %d mails, want %d", day+1, d.mails(), want)
		}
	}
}

// TestTenThousandAddressesFromOneNetwork: twenty mails an hour, also over a restart, and its neighbours don't notice.
func TestTenThousandAddressesFromOneNetwork(t *testing.T) {
	s := webtest.New(t)
	s.AddSeries(t, "skin", "Water")
	d := newDoor(t, s)
	fromOne := func(i int) (string, string) {
		return fmt.Sprintf("reader%d@example.org", i), fmt.Sprintf("[2001:db8:1:23%02x::%x]", i&255, i)
	}
	d.sendAll(10_000, fromOne)
	if got := d.mails(); got != 20 {
		t.Fatalf("%d mails, want 20", got)
	}
	again, err := newsletter.New(newsletter.Config{DB: s.DB, Key: s.Key, Site: s.Config(), Now: s.Now, Log: s.Log.Logger()})
	if err != nil {
		t.Fatal(err)
	}
	s.Publisher = again
	d = newDoor(t, s)
	s.Pass(59 * time.Minute)
	d.sendAll(100, fromOne)
	if got := d.mails(); got != 20 {
		t.Errorf("%d mails within the hour after a restart, want 20", got)
	}
	d.sendAll(1, func(int) (string, string) { return "neighbour@example.org", "[2001:db8:1:2400::1]" })
	if got := d.mails(); got != 21 {
		t.Errorf("%d mails with the neighbour's, want 21", got)
	}
	s.Pass(2 * time.Minute)
	d.sendAll(100, func(i int) (string, string) { return fromOne(20_000 + i) })
	if got := d.mails(); got != 41 {
		t.Errorf("%d mails in the next hour, want 41", got)
	}
}

// TestCapOnAllForms: however many networks, no more than 3,600 an hour.
func TestCapOnAllForms(t *testing.T) {
	s := webtest.New(t)
	s.AddSeries(t, "skin", "Water")
	d := newDoor(t, s)
	taken := d.sendAll(4000, func(i int) (string, string) {
		return fmt.Sprintf("reader%d@example.org", i), fmt.Sprintf("10.0.%d.%d", i&255, i>>8)
	})
	if taken > 256*16 || taken != 3600 {
		t.Errorf("%d of 4,000 forms were taken, want 3,600", taken)
	}
}

// TestEveryDoorIsTheSame: what came by one form counts for the others, and one-clicks are not counted.
func TestEveryDoorIsTheSame(t *testing.T) {
	s := webtest.New(t)
	skin := s.AddSeries(t, "skin", "Water")
	d := newDoor(t, s)
	doors := []func(i int) webtest.Request{
		func(i int) webtest.Request { // the series' own
			return webtest.Request{Path: "/s/skin/subscribe", Form: url.Values{"form": {s.Publisher.SealForm()}, "once": {"yes"}}}
		},
		func(i int) webtest.Request { // the site's
			return webtest.Request{Path: "/subscribe", Form: url.Values{"form": {s.Publisher.SealForm()}, "once": {"yes"}, "series": {"skin"}}}
		},
		func(i int) webtest.Request { // another site's, behind its one button
			first := webtest.Do(t, d.h, webtest.Request{
				Method: "POST", Path: "/s/skin/subscribe", Form: url.Values{"email": {fmt.Sprintf("reader%d@example.org", i)}},
				Header: map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://blog.example"}, From: "192.0.2.7",
			})
			wants(t, "another site's form", first, 200, "One more press")
			return webtest.Request{Path: "/subscribe", Form: pressed(first)}
		},
	}
	var got []int
	for i := range 24 {
		q := doors[i%len(doors)](i)
		q.Method, q.From = "POST", "192.0.2.7"
		q.Form.Set("email", fmt.Sprintf("reader%d@example.org", i))
		got = append(got, webtest.Do(t, d.h, q).Status)
	}
	want := append(slices.Repeat([]int{200}, 20), slices.Repeat([]int{429}, 4)...)
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want 20 taken and 4 refused", got)
	}
	for i := range 30 {
		_, token := s.AddReader(t, skin, fmt.Sprintf("leaves%d@example.org", i))
		a := webtest.Do(t, d.h, webtest.Request{Method: "POST", Path: "/u/" + token, Form: url.Values{"List-Unsubscribe": {"One-Click"}}, From: "192.0.2.7"})
		if a.Status != 200 {
			t.Fatalf("one-click %d from there: got %d", i, a.Status)
		}
	}
}

// kinds makes people of every kind that a form can meet, and gives their addresses by kind, n of each.
func kinds(t testing.TB, s *webtest.Site, n int) map[string][]string {
	t.Helper()
	skin := s.AddSeries(t, "skin", "Water")
	all := map[string][]string{}
	for i := range n {
		for _, kind := range []string{"new", "active", "pending", "left", "suppressed", "erased"} {
			all[kind] = append(all[kind], fmt.Sprintf("%s%d@example.org", kind, i))
		}
		all["no-such-domain"] = append(all["no-such-domain"], fmt.Sprintf("reader%d@nowhere.invalid", i))
	}
	s.InTx(t, func(tx *store.Tx) error {
		for i := range n {
			for _, kind := range []string{"active", "left", "erased"} {
				e, err := s.People.Enrol(t.Context(), tx, skin.ID, subscribers.Addition{Email: all[kind][i]}, "a test")
				if err == nil && kind == "left" {
					err = s.People.Unsubscribe(t.Context(), tx, e.SubscriberID, skin.ID, subscribers.Evidence{})
				} else if err == nil && kind == "erased" {
					err = s.People.Erase(t.Context(), tx, e.SubscriberID)
				}
				if err != nil {
					return err
				}
			}
			if _, err := s.People.Join(t.Context(), tx, []int64{skin.ID}, subscribers.Addition{Email: all["pending"][i]}, subscribers.Evidence{}); err != nil {
				return err
			}
			if err := s.People.Suppress(t.Context(), tx, all["suppressed"][i], 0, "complaint", "a test"); err != nil {
				return err
			}
		}
		return nil
	})
	return all
}

// TestFormsTellNothing: for every kind of address the answer is the same to the byte, with the same headers, and takes the same
// number of statements.
func TestFormsTellNothing(t *testing.T) {
	s := webtest.New(t)
	all := kinds(t, s, 1)
	d := newDoor(t, s)
	d.send("first@example.org", "198.51.100.1") // so that nobody is the first one
	ask := func(email string) (webtest.Answer, int64) {
		before := s.DB.Statements()
		a := d.send(email, "192.0.2.7")
		return a, s.DB.Statements() - before
	}
	want, statements := ask(all["new"][0])
	if want.Status != 200 || !strings.Contains(want.Body, "Look into your mailbox") || statements < 3 {
		t.Fatalf("a new address: %d with %d statements:\n%s", want.Status, statements, want.Body)
	}
	for kind, emails := range all {
		got, n := ask(emails[0])
		if got.Status != want.Status || got.Body != want.Body || fmt.Sprint(got.Header) != fmt.Sprint(want.Header) {
			t.Errorf("%s: the answer differs from a new address's", kind)
		}
		if n != statements {
			t.Errorf("%s: %d statements, a new address takes %d", kind, n, statements)
		}
	}
	if n := s.Count(t, `SELECT count(*) FROM notices`); n != 0 {
		t.Errorf("%d mails were made before the answer", n)
	}
	if err := s.Publisher.TakeRequests(t.Context()); err != nil {
		t.Fatal(err)
	}
	// new, left, erased and the first, the strange domain: whoever they are may be asked. None for the others.
	if got := d.mails(); got != 5 {
		t.Errorf("%d mails, want 5", got)
	}
	if n := s.Count(t, `SELECT count(*) FROM asked`); n != 0 {
		t.Errorf("%d forms wait still", n)
	}
}

// BenchmarkFormsTellNothing prints the median time of the answer for each kind of address, and how far apart they are.
//
//	go test ./newsletter/web/public -run xxx -bench FormsTellNothing -benchtime 1x
func BenchmarkFormsTellNothing(b *testing.B) {
	const tries = 1000
	s := webtest.New(b)
	all := kinds(b, s, tries)
	d := newDoor(b, s)
	took := map[string][]time.Duration{}
	for b.Loop() {
		for i := range tries {
			for kind, emails := range all {
				s.Pass(time.Second) // the cap on all is none of this
				began := time.Now()
				a := d.send(emails[i], fmt.Sprintf("10.%d.%d.1", i>>8, i&255))
				took[kind] = append(took[kind], time.Since(began))
				if a.Status != 200 {
					b.Fatalf("%s: got %d", emails[i], a.Status)
				}
			}
		}
	}
	var medians []float64
	for kind := range all {
		medians = append(medians, quantile(took[kind], 0.5))
		b.ReportMetric(medians[len(medians)-1], kind+"-ms")
	}
	b.ReportMetric(slices.Max(medians)-slices.Min(medians), "apart-ms")
}
