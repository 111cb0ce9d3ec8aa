package ics

import (
	"errors"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// moment is a date, or a time of a clock in a zone.
type moment struct {
	wall     time.Time // what calendar and clock show, as if it were UTC
	zone     *time.Location
	wholeDay bool // a date alone, of no zone
	floats   bool // its time names no zone, so that zone is the reader's
}

// at is the instant of a moment that isn't a whole day.
func (m moment) at() time.Time {
	w := m.wall
	return time.Date(w.Year(), w.Month(), w.Day(), w.Hour(), w.Minute(), w.Second(), 0, m.zone)
}

func (m moment) plus(d time.Duration) moment { m.wall = m.wall.Add(d); return m }

// on is the moment of the same time on another date.
func (m moment) on(day time.Time) moment {
	m.wall = day.Add(m.wall.Sub(midnight(m.wall)))
	return m
}

// same says whether two moments are one.
func (m moment) same(n moment) bool {
	if m.wholeDay || n.wholeDay {
		return m.wholeDay == n.wholeDay && m.wall.Equal(n.wall)
	}
	return m.at().Equal(n.at())
}

// alike refuses a moment that can't be compared with the begin of its event: a date is none of its times, and a time without a zone is
// another one in each zone (RFC 5545 sections 3.8.2.2, 3.8.4.4, 3.8.5.1).
func (m moment) alike(name string, begin moment) error {
	switch {
	case m.wholeDay != begin.wholeDay:
		return fmt.Errorf("%s and DTSTART must both be dates, or both times", name)
	case m.floats != begin.floats:
		return fmt.Errorf("of %s and DTSTART one has a time zone and the other has none: write both with the same TZID", name)
	}
	return nil
}

// event is an event of a calendar file, as far as it says when it is on.
type event struct {
	source    component
	name, uid string
	begin     moment
	lasts     time.Duration // by calendar and clock
	repeats   *rule         // nil: it doesn't
	also      []moment      // RDATE
	without   []moment      // EXDATE, and those that have an event of their own
	instead   *moment       // RECURRENCE-ID: which of the repeated event this one stands for
	cancelled bool
}

// begins yields when an event begins, at least those times at which it is on between two instants, in no order.
func (e event) begins(from, until time.Time) iter.Seq[moment] {
	return func(yield func(moment) bool) {
		all := slices.Concat([]moment{e.begin}, e.also)
		if e.repeats != nil {
			all = slices.Concat(e.repeats.begins(e.begin, from.Add(-e.lasts).AddDate(0, 0, -2), until.AddDate(0, 0, 2)), e.also)
		}
		for _, m := range all {
			if !slices.ContainsFunc(e.without, m.same) && !yield(m) {
				return
			}
		}
	}
}

func readEvent(c component, zone *time.Location) (e event, err error) {
	e.source, e.name = c, c.title()
	start, found, err := c.one("DTSTART")
	switch {
	case err != nil:
		return e, err
	case !found:
		return e, errors.New("it doesn't say when it begins (DTSTART)")
	}
	if e.begin, err = readMoment(start, start.value, zone); err != nil {
		return e, err
	}
	if e.lasts, err = readLength(c, e.begin, zone); err != nil {
		return e, err
	}
	if e.lasts > longest {
		return e, errors.New("it lasts longer than ten years")
	}
	if status := c.all("STATUS"); len(status) > 0 {
		e.cancelled = strings.EqualFold(strings.TrimSpace(status[0].value), "CANCELLED")
	}
	if uid := c.all("UID"); len(uid) > 0 {
		e.uid = uid[0].value
	}
	return e, e.readRepeats(c, zone)
}

// readRepeats reads what repeats an event, and what it stands for.
func (e *event) readRepeats(c component, zone *time.Location) error {
	if len(c.all("EXRULE")) > 0 {
		return errors.New("EXRULE is not understood: write the dates that are left out as EXDATE")
	}
	repeats, found, err := c.one("RRULE")
	if err == nil && found {
		e.repeats, err = readRule(repeats.value, e.begin)
	}
	if err == nil {
		e.also, err = readMoments(c.all("RDATE"), e.begin, zone)
	}
	if err == nil {
		e.without, err = readMoments(c.all("EXDATE"), e.begin, zone)
	}
	if err != nil {
		return err
	}
	id, found, err := c.one("RECURRENCE-ID")
	switch {
	case err != nil || !found:
		return err
	case id.params["RANGE"] != "":
		return errors.New("RECURRENCE-ID with RANGE is not understood: write it as an event of its own")
	case e.repeats != nil || len(e.also) > 0 || e.uid == "":
		return errors.New("it stands for one of a repeated event (RECURRENCE-ID), and repeats itself or names none (UID)")
	}
	m, err := readMoment(id, id.value, zone)
	e.instead = &m
	return err
}

// readMoments reads lists of moments of the kind of begin.
func readMoments(from []property, begin moment, zone *time.Location) (all []moment, err error) {
	for _, p := range from {
		for _, value := range p.list() {
			m, err := readMoment(p, value, zone)
			if err == nil {
				err = m.alike(p.name, begin)
			}
			if err != nil {
				return nil, err
			}
			all = append(all, m)
		}
	}
	return all, nil
}

// readMoment reads a date, a time of UTC (with a Z), of the zone that TZID names, or of the given zone.
func readMoment(p property, value string, zone *time.Location) (moment, error) {
	value = strings.ToUpper(strings.TrimSpace(value))
	kind := strings.ToUpper(p.params["VALUE"])
	if kind == "DATE" || kind == "" && len(value) == len("20270301") {
		t, err := time.Parse("20060102", value)
		if err != nil {
			return moment{}, fmt.Errorf("%s: %q is no date such as 20271224", p.name, printable(value))
		}
		return moment{wall: t, wholeDay: true}, nil
	}
	if kind != "" && kind != "DATE-TIME" {
		return moment{}, fmt.Errorf("%s: values of kind %s are not understood", p.name, printable(kind))
	}
	clock, utc := strings.CutSuffix(value, "Z")
	t, err := time.Parse("20060102T150405", clock)
	if err != nil {
		return moment{}, fmt.Errorf("%s: %q is no time such as 20271224T090000", p.name, printable(value))
	}
	if utc {
		return moment{wall: t, zone: time.UTC}, nil
	}
	if name := p.params["TZID"]; name != "" {
		if zone, err = time.LoadLocation(name); err != nil || name == "Local" {
			return moment{}, fmt.Errorf("%s: the time zone %q is not known: write an IANA name such as Europe/Berlin, or times of UTC", p.name, printable(name))
		}
	}
	return moment{wall: t, zone: zone, floats: p.params["TZID"] == ""}, nil
}

const wholeDay = 24 * time.Hour

// longest keeps lengths within what can be reckoned with.
const longest = 3660 * wholeDay

// readLength is how long an event lasts: until DTEND, for its DURATION, else a date the whole day and a time no time at all.
func readLength(c component, begin moment, zone *time.Location) (time.Duration, error) {
	end, hasEnd, err := c.one("DTEND")
	if err != nil {
		return 0, err
	}
	duration, hasDuration, err := c.one("DURATION")
	switch {
	case err != nil:
		return 0, err
	case hasEnd && hasDuration:
		return 0, errors.New("it has both DTEND and DURATION")
	case hasEnd:
		return lengthUntil(end, begin, zone)
	case hasDuration:
		return readDuration(duration.value, begin.wholeDay)
	case begin.wholeDay:
		return wholeDay, nil
	}
	return 0, nil
}

// lengthUntil is how long it lasts until DTEND, which is not part of it any more. That of a whole day should be a later one; many programs
// write the same.
func lengthUntil(end property, begin moment, zone *time.Location) (time.Duration, error) {
	m, err := readMoment(end, end.value, zone)
	if err == nil {
		err = m.alike(end.name, begin)
	}
	if err != nil {
		return 0, err
	}
	lasts := m.wall.Sub(begin.wall)
	if !begin.wholeDay {
		there := m.at().In(begin.zone)
		lasts = time.Date(there.Year(), there.Month(), there.Day(), there.Hour(), there.Minute(), there.Second(), 0, time.UTC).Sub(begin.wall)
	}
	switch {
	case lasts < 0:
		return 0, errors.New("it ends before it begins")
	case lasts == 0 && begin.wholeDay:
		return wholeDay, nil
	}
	return lasts, nil
}

// A duration: weeks, or days and a time (RFC 5545 section 3.3.6).
var durationForm = regexp.MustCompile(`^\+?P(?:(\d{1,4})W|(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,6})S)?)?)$`)

func readDuration(value string, wholeDays bool) (time.Duration, error) {
	m := durationForm.FindStringSubmatch(strings.ToUpper(strings.TrimSpace(value)))
	var lasts time.Duration
	if m != nil {
		for i, unit := range []time.Duration{7 * wholeDay, wholeDay, time.Hour, time.Minute, time.Second} {
			n, _ := strconv.Atoi(m[i+1]) // empty: none of these
			lasts += time.Duration(n) * unit
		}
	}
	if lasts <= 0 || wholeDays && lasts%wholeDay != 0 {
		return 0, fmt.Errorf("DURATION: %q is no length such as P1D, or PT8H of an event with times", printable(value))
	}
	return lasts, nil
}
