package ics

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// rule is how an event repeats (RRULE, RFC 5545 section 3.3.10), of the parts that holidays use. Which dates it has is asked of each date
// in turn, so that no rule, however odd, runs longer than the time that is looked at.
type rule struct {
	freq      string // YEARLY, MONTHLY, WEEKLY, DAILY
	interval  int
	count     int     // 0: no limit
	until     *moment // the last one may begin then; nil: no limit
	months    []int
	monthDays []int // from the end of the month where below 0
	days      []nthDay
	weekBegin time.Weekday
}

// nthDay is a weekday: each of them (0), or the nth of its month or year, from the end where below 0.
type nthDay struct {
	n   int
	day time.Weekday
}

var weekdays = map[string]time.Weekday{"SU": 0, "MO": 1, "TU": 2, "WE": 3, "TH": 4, "FR": 5, "SA": 6}

func readRule(value string, begin moment) (*rule, error) {
	r := rule{interval: 1, weekBegin: time.Monday}
	seen := map[string]bool{}
	for part := range strings.SplitSeq(strings.ToUpper(strings.TrimSpace(value)), ";") {
		name, value, _ := strings.Cut(part, "=")
		if seen[name] {
			return nil, fmt.Errorf("RRULE has %s twice", printable(name))
		}
		seen[name] = true
		if err := r.read(name, value, begin); err != nil {
			return nil, err
		}
	}
	if err := r.check(begin); err != nil {
		return nil, err
	}
	return &r, nil
}

func (r *rule) read(name, value string, begin moment) (err error) {
	switch name {
	case "FREQ":
		r.freq = value
	case "INTERVAL":
		r.interval, err = readNumber(name, value, 1, 1000)
	case "COUNT":
		r.count, err = readNumber(name, value, 1, 1_000_000)
	case "UNTIL":
		r.until, err = readUntil(value, begin)
	case "BYMONTH":
		r.months, err = readNumbers(name, value, 1, 12)
	case "BYMONTHDAY":
		r.monthDays, err = readNumbers(name, value, -31, 31)
	case "BYDAY":
		r.days, err = readDays(value)
	case "WKST":
		day, known := weekdays[value]
		if r.weekBegin = day; !known {
			err = fmt.Errorf("RRULE: %q is no weekday", printable(value))
		}
	default:
		err = fmt.Errorf("RRULE: %q is not understood: write its dates singly", printable(name))
	}
	return err
}

// check refuses rules that say nothing, or different things to different programs.
func (r *rule) check(begin moment) error {
	nth := slices.ContainsFunc(r.days, func(d nthDay) bool { return d.n != 0 })
	switch {
	case !slices.Contains([]string{"YEARLY", "MONTHLY", "WEEKLY", "DAILY"}, r.freq):
		return fmt.Errorf("RRULE: FREQ=%s is not understood: YEARLY, MONTHLY, WEEKLY and DAILY are", printable(r.freq))
	case r.count > 0 && r.until != nil:
		return errors.New("RRULE has both COUNT and UNTIL")
	case r.count > 0 && begin.wall.Year() < 1900:
		return errors.New("RRULE counts from a year before 1900")
	case nth && (r.freq == "WEEKLY" || r.freq == "DAILY"):
		return fmt.Errorf("RRULE: a numbered BYDAY goes with YEARLY or MONTHLY, not with %s", r.freq)
	case len(r.monthDays) > 0 && r.freq == "WEEKLY":
		return errors.New("RRULE: BYMONTHDAY doesn't go with WEEKLY")
	case !r.has(midnight(begin.wall), midnight(begin.wall)):
		return errors.New("its first date (DTSTART) is none of those that RRULE says")
	}
	return nil
}

func readNumber(name, value string, low, high int) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < low || n > high || n == 0 {
		return 0, fmt.Errorf("RRULE: %s=%s is not understood", name, printable(value))
	}
	return n, nil
}

func readNumbers(name, value string, low, high int) (all []int, err error) {
	for one := range strings.SplitSeq(value, ",") {
		n, err := readNumber(name, one, low, high)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, nil
}

func readDays(value string) (all []nthDay, err error) {
	for one := range strings.SplitSeq(value, ",") {
		if len(one) < 2 {
			return nil, fmt.Errorf("RRULE: BYDAY=%s is not understood", printable(value))
		}
		day, known := weekdays[one[len(one)-2:]]
		n := 0
		if number := one[:len(one)-2]; number != "" {
			n, err = readNumber("BYDAY", number, -53, 53)
		}
		if err != nil || !known {
			return nil, fmt.Errorf("RRULE: BYDAY=%s is not understood", printable(value))
		}
		all = append(all, nthDay{n, day})
	}
	return all, nil
}

// readUntil reads the last moment. Programs write a date for times and a time for dates too: a date means all of it.
func readUntil(value string, begin moment) (*moment, error) {
	m, err := readMoment(property{name: "RRULE: UNTIL"}, value, begin.zone)
	switch {
	case err != nil:
		return nil, err
	case begin.wholeDay:
		m = moment{wall: midnight(m.wall), wholeDay: true}
	case m.wholeDay:
		m = moment{wall: m.wall.Add(wholeDay - time.Second), zone: begin.zone}
	}
	return &m, nil
}

// begins are the moments of a rule between two instants; those before count, where it has a number of them.
func (r *rule) begins(begin moment, from, until time.Time) (all []moment) {
	first := midnight(begin.wall)
	day, n := first, 0
	if r.count == 0 && from.After(day) {
		day = midnight(from)
	}
	for ; day.Before(until); day = day.AddDate(0, 0, 1) {
		if !r.has(day, first) {
			continue
		}
		m := begin.on(day)
		if n++; r.count > 0 && n > r.count || r.until != nil && r.over(m) {
			return all
		}
		if !day.Before(midnight(from)) {
			all = append(all, m)
		}
	}
	return all
}

// over says that a moment is past the rule's end.
func (r *rule) over(m moment) bool {
	if m.wholeDay {
		return m.wall.After(r.until.wall)
	}
	return m.at().After(r.until.at())
}

// has says whether a date is one of the rule's that began on the date first.
func (r *rule) has(day, first time.Time) bool {
	return r.inTurn(day, first) && (len(r.months) == 0 || slices.Contains(r.months, int(day.Month()))) &&
		(len(r.monthDays) == 0 || slices.ContainsFunc(r.monthDays, func(n int) bool { return n == day.Day() || n == day.Day()-daysIn(day)-1 })) &&
		(len(r.days) == 0 || slices.ContainsFunc(r.days, func(d nthDay) bool { return r.isNth(d, day) })) &&
		r.asFirst(day, first)
}

// inTurn says whether the date's year, month, week or day is one that the interval leaves in.
func (r *rule) inTurn(day, first time.Time) bool {
	years := day.Year() - first.Year()
	var away int
	switch r.freq {
	case "YEARLY":
		away = years
	case "MONTHLY":
		away = 12*years + int(day.Month()-first.Month())
	case "WEEKLY":
		away = daysBetween(r.weekOf(first), r.weekOf(day)) / 7
	case "DAILY":
		away = daysBetween(first, day)
	}
	return away%r.interval == 0
}

// asFirst has a date follow the first one in what the rule doesn't say.
func (r *rule) asFirst(day, first time.Time) bool {
	switch {
	case len(r.days) > 0 || len(r.monthDays) > 0 || r.freq == "DAILY":
		return true
	case r.freq == "WEEKLY":
		return day.Weekday() == first.Weekday()
	case r.freq == "YEARLY" && len(r.months) == 0 && day.Month() != first.Month():
		return false
	}
	return day.Day() == first.Day()
}

// isNth says whether a date is a weekday of the rule: counted in the month, or in the year where a yearly rule names no month.
func (r *rule) isNth(d nthDay, day time.Time) bool {
	before, after := day.Day()-1, daysIn(day)-day.Day()
	if r.freq == "YEARLY" && len(r.months) == 0 {
		before = day.YearDay() - 1
		after = time.Date(day.Year(), 12, 31, 0, 0, 0, 0, time.UTC).YearDay() - day.YearDay()
	}
	return day.Weekday() == d.day && (d.n == 0 || d.n == before/7+1 || d.n == -(after/7+1))
}

// weekOf is the first day of a date's week.
func (r *rule) weekOf(day time.Time) time.Time {
	return day.AddDate(0, 0, -(int(day.Weekday()-r.weekBegin)+7)%7)
}

func daysBetween(a, b time.Time) int { return int(b.Sub(a) / wholeDay) }

// daysIn is how many days a date's month has.
func daysIn(day time.Time) int {
	return time.Date(day.Year(), day.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
}
