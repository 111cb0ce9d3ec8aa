// Package ics reads calendar files (iCalendar, RFC 5545) as far as holidays need it: on which dates, and at which times, something is on.
// It owns nothing and keeps nothing between calls; it touches no database, no disk and no network. What it doesn't understand it refuses
// and names, since a date that is taken wrongly costs readers a letter.
package ics

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"time"
)

const (
	mostBytes  = 5 << 20
	mostEvents = 20_000
	mostTimes  = 100_000
	mostFaults = 10 // that are named
)

// ErrFile says that a file is no calendar, or holds what is not understood; the text names line, event and mend.
var ErrFile = errors.New("the calendar file was not taken")

// Calendar is when something is on.
type Calendar struct {
	dates   map[string][]string // local date, YYYY-MM-DD -> the names of its events
	times   []stretch           // by begin
	longest time.Duration       // of times
}

// stretch is when an event with times is on: from begin until before end, or at begin alone where they are the same.
type stretch struct {
	name       string
	begin, end time.Time
}

// On names the events that are on at an instant, whose local date is the one given (YYYY-MM-DD), each name once: those of whole days by the
// date, wherever they were written, in the order of the file, then others by the instant.
func (c Calendar) On(date string, at time.Time) (events []string) {
	events = slices.Clone(c.dates[date])
	first := sort.Search(len(c.times), func(i int) bool { return !c.times[i].begin.Before(at.Add(-c.longest)) })
	for _, s := range c.times[first:] {
		if s.begin.After(at) {
			break
		}
		if (s.begin.Equal(at) || at.Before(s.end)) && !slices.Contains(events, s.name) {
			events = append(events, s.name)
		}
	}
	return events
}

// Read reads a calendar file of 5 MB at most: what is on between two instants. Times without a zone of their own are those of a clock in
// zone. Events that are cancelled are left out; whether one counts as busy (TRANSP) makes no difference, as most files of holidays say
// that it doesn't.
func Read(r io.Reader, zone *time.Location, from, until time.Time) (Calendar, error) {
	content, err := io.ReadAll(io.LimitReader(r, mostBytes+1))
	if err != nil {
		return Calendar{}, err
	}
	if len(content) > mostBytes {
		return Calendar{}, fmt.Errorf("%w: it is longer than %d MB", ErrFile, mostBytes>>20)
	}
	found, err := components(string(content))
	if err != nil {
		return Calendar{}, err
	}
	events, err := understood(found, zone)
	if err != nil {
		return Calendar{}, err
	}
	c := Calendar{dates: map[string][]string{}}
	for _, e := range events {
		if !e.cancelled {
			c.add(e, from, until)
		}
		if len(c.times) > mostTimes {
			return Calendar{}, fmt.Errorf("%w: its events have more than %d times until %s", ErrFile, mostTimes, until.Format(time.DateOnly))
		}
	}
	slices.SortStableFunc(c.times, func(a, b stretch) int { return a.begin.Compare(b.begin) })
	return c, nil
}

// understood reads all events, and takes from repeated ones what an event of its own stands for. All faults are told together.
func understood(found []component, zone *time.Location) ([]event, error) {
	var events []event
	var faults []error
	fault := func(at component, err error) {
		faults = append(faults, fmt.Errorf("line %d, “%s”: %w", at.line, at.title(), err))
	}
	instead := map[string][]event{} // by the UID of the repeated event
	for _, one := range found {
		e, err := readEvent(one, zone)
		if err != nil {
			fault(one, err)
			continue
		}
		if e.instead != nil {
			instead[e.uid] = append(instead[e.uid], e)
		}
		events = append(events, e)
	}
	for i, e := range events {
		if e.instead != nil || e.uid == "" {
			continue
		}
		for _, own := range instead[e.uid] {
			if err := own.instead.alike("RECURRENCE-ID", e.begin); err != nil {
				fault(own.source, err)
			}
			events[i].without = append(events[i].without, *own.instead)
		}
	}
	if more := len(faults) - mostFaults; more > 0 {
		faults = append(faults[:mostFaults], fmt.Errorf("and %d more", more))
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("%w, and nothing was skipped:\n%w", ErrFile, errors.Join(faults...))
	}
	return events, nil
}

// add adds what of an event is on between two instants.
func (c *Calendar) add(e event, from, until time.Time) {
	begins := slices.SortedFunc(e.begins(from, until), func(a, b moment) int { return a.wall.Compare(b.wall) })
	day, last := midnight(from).AddDate(0, 0, -2), until.AddDate(0, 0, 2) // whatever the zone of the dates
	for _, begin := range begins {
		end := begin.plus(e.lasts)
		switch {
		case begin.wholeDay:
			if begin.wall.After(day) {
				day = begin.wall
			}
			for ; day.Before(end.wall) && day.Before(last); day = day.AddDate(0, 0, 1) {
				if date := day.Format(time.DateOnly); !slices.Contains(c.dates[date], e.name) {
					c.dates[date] = append(c.dates[date], e.name)
				}
			}
		case !end.at().Before(from) && begin.at().Before(until):
			c.times = append(c.times, stretch{e.name, begin.at(), end.at()})
			c.longest = max(c.longest, end.at().Sub(begin.at()))
		}
	}
}

func midnight(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}
