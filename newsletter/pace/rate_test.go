package pace_test

import (
	"testing"
	"time"

	"pressrun/newsletter/pace"
)

func TestParseRate(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"10/s", "10/s"},
		{"600/m", "600/m"},
		{"2000/d", "2000/d"},
		{"10/s 2000/d", "10/s 2000/d"},
		{"10/s,600/m, 5/h", "10/s 600/m 5/h"},
		{"0/s", "0/s"},
		{"", "0/s"},
		{"0/s 5/d", "5/d"},
	} {
		rate, err := pace.ParseRate(tt.in)
		if err != nil || rate.String() != tt.want {
			t.Errorf("%q: got %s, %v, want %s", tt.in, rate, err, tt.want)
		}
	}
	for _, in := range []string{"10", "/s", "10/w", "-1/s", "1.5/s", "10 /s", "ten/s", "10/s/s", "9999999999999/s"} {
		if rate, err := pace.ParseRate(in); err == nil {
			t.Errorf("%q: got %s, want an error", in, rate)
		}
	}
}

func FuzzParseRate(f *testing.F) {
	f.Add("10/s 2000/d")
	f.Fuzz(func(t *testing.T, s string) {
		rate, err := pace.ParseRate(s)
		if err != nil {
			return
		}
		again, err := pace.ParseRate(rate.String())
		if err != nil || again.String() != rate.String() {
			t.Errorf("%q: got %s, and from that %s, %v", s, rate, again, err)
		}
	})
}

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestHours(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	for _, tt := range []struct{ hours, at, opens string }{
		{"", "2027-03-02T03:00:00", "2027-03-02T03:00:00"},
		{"08:00-20:00", "2027-03-02T07:59:59", "2027-03-02T08:00:00"},
		{"08:00-20:00", "2027-03-02T08:00:00", "2027-03-02T08:00:00"},
		{"08:00-20:00", "2027-03-02T19:59:59", "2027-03-02T19:59:59"},
		{"08:00-20:00", "2027-03-02T20:00:00", "2027-03-03T08:00:00"},
		{"00:00-24:00", "2027-03-02T00:00:00", "2027-03-02T00:00:00"},
		{"24:00-08:00", "2027-03-02T09:00:00", "2027-03-03T00:00:00"},
		{"20:00-06:00", "2027-03-02T12:00:00", "2027-03-02T20:00:00"},
		{"20:00-06:00", "2027-03-02T23:59:00", "2027-03-02T23:59:00"},
		{"20:00-06:00", "2027-03-02T05:59:00", "2027-03-02T05:59:00"},
		{"08:00-24:00", "2027-03-02T23:59:59", "2027-03-02T23:59:59"},
		{"02:30-04:00", "2027-03-28T01:59:00", "2027-03-28T03:00:00"}, // the hour from two is left out that night
		{"02:30-04:00", "2027-10-31T01:00:00", "2027-10-31T02:30:00"},
	} {
		h, err := pace.ParseHours(tt.hours, berlin)
		if err != nil {
			t.Errorf("%q: %v", tt.hours, err)
			continue
		}
		at, err := time.ParseInLocation("2006-01-02T15:04:05", tt.at, berlin)
		if err != nil {
			t.Fatal(err)
		}
		opens := h.Opens(at)
		if got := opens.In(berlin).Format("2006-01-02T15:04:05"); got != tt.opens {
			t.Errorf("%q at %s: opens %s, want %s", tt.hours, tt.at, got, tt.opens)
		}
		if open := h.Open(at); open != opens.Equal(at) {
			t.Errorf("%q at %s: open %t, but it opens %s", tt.hours, tt.at, open, opens)
		}
	}
	for _, in := range []string{"08:00", "8-20", "08:00-08:00", "00:00-00:00", "24:00-00:00", "08:00-25:00", "-", "08:00-20:00-22:00"} {
		if h, err := pace.ParseHours(in, berlin); err == nil {
			t.Errorf("%q: got %s, want an error", in, h)
		}
	}
}
