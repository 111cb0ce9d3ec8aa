package pace

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Limit is at most N messages in any window of the length Per.
type Limit struct {
	N   int
	Per time.Duration
}

// Rate is limits that hold together; none: no limit.
type Rate []Limit

const day = 24 * time.Hour

var units = []struct {
	name string
	per  time.Duration
}{{"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}, {"d", day}}

// mostMessages keeps a typing error from being a number that nothing can count.
const mostMessages = 1_000_000_000

// ParseRate reads "10/s", "600/m", "2000/d" or several of them, parted by commas or spaces. A 0 is no limit.
func ParseRate(s string) (Rate, error) {
	var rate Rate
	for _, part := range strings.FieldsFunc(s, func(c rune) bool { return c == ',' || c == ' ' || c == '+' }) {
		limit, err := parseLimit(part)
		if err != nil {
			return nil, err
		}
		if limit.N > 0 {
			rate = append(rate, limit)
		}
	}
	return rate, nil
}

func parseLimit(s string) (Limit, error) {
	number, unit, _ := strings.Cut(s, "/")
	n, err := strconv.Atoi(number)
	for _, u := range units {
		if err == nil && unit == u.name && n >= 0 && n <= mostMessages {
			return Limit{n, u.per}, nil
		}
	}
	return Limit{}, fmt.Errorf(`%q is no pace: write messages a second, minute, hour or day, such as "10/s", "600/m", "2000/d" or "10/s 2000/d"`, s)
}

// String is the limit as ParseRate reads it.
func (l Limit) String() string {
	for _, u := range units {
		if u.per == l.Per {
			return fmt.Sprintf("%d/%s", l.N, u.name)
		}
	}
	return fmt.Sprintf("%d in %s", l.N, l.Per)
}

// String is the rate as ParseRate reads it; "0/s" for none.
func (r Rate) String() string {
	if len(r) == 0 {
		return "0/s"
	}
	words := make([]string, len(r))
	for i, l := range r {
		words[i] = l.String()
	}
	return strings.Join(words, " ")
}

// Hours are the hours of a day, by the wall clock of a zone, in which issues are sent. The zero Hours are all day.
type Hours struct {
	from, to int // minutes after midnight; to before from: over midnight
	zone     *time.Location
}

// ParseHours reads "08:00-20:00"; "" is all day. Hours that begin after their end, such as "20:00-06:00", go over midnight.
func ParseHours(s string, zone *time.Location) (Hours, error) {
	if s == "" {
		return Hours{}, nil
	}
	first, last, _ := strings.Cut(s, "-")
	from, err := minutes(first)
	to, failed := minutes(last)
	from %= minutesOfDay
	if err := errors.Join(err, failed); err != nil || from == to {
		return Hours{}, fmt.Errorf(`%q are no hours: write from and to, such as "08:00-20:00"`, s)
	}
	return Hours{from, to % minutesOfDay, zone}, nil
}

const minutesOfDay = 24 * 60

func minutes(s string) (int, error) {
	s = strings.TrimSpace(s)
	if s == "24:00" {
		return minutesOfDay, nil
	}
	t, err := time.Parse("15:04", s)
	return t.Hour()*60 + t.Minute(), err
}

// AllDay says that there is no hour in which nothing is sent.
func (h Hours) AllDay() bool { return h.zone == nil }

// Open says whether issues may be sent at t.
func (h Hours) Open(t time.Time) bool {
	if h.AllDay() {
		return true
	}
	t = t.In(h.zone)
	now := t.Hour()*60 + t.Minute()
	if h.from < h.to {
		return h.from <= now && now < h.to
	}
	return h.from <= now || now < h.to
}

// Opens is the first instant from t on at which issues may be sent, by whole minutes: a clock change moves it as it moves the
// wall clock.
func (h Hours) Opens(t time.Time) time.Time {
	if h.Open(t) {
		return t
	}
	t = t.Truncate(time.Minute)
	for !h.Open(t) {
		t = t.Add(time.Minute)
	}
	return t
}

// String is the hours as ParseHours reads them.
func (h Hours) String() string {
	if h.AllDay() {
		return ""
	}
	return fmt.Sprintf("%02d:%02d-%02d:%02d", h.from/60, h.from%60, h.to/60, h.to%60)
}
