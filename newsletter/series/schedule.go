package series

import (
	"errors"
	"fmt"
	"iter"
	"math/bits"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // for machines without zone files of their own
	"unicode"

	"github.com/robfig/cron/v3"
)

// wallLayout is how a local date and time without zone is written. Such times are computed with as if they were UTC.
const wallLayout = "2006-01-02T15:04"

// example ends every complaint about a schedule.
const example = `; write "tuesdays 09:00", "weekdays 08:00", "monthly 1 09:00" or a cron line such as "0 9 * * TUE"`

// ParseSchedule reads "0 9 * * TUE" or words ("tuesdays 09:00", "daily 07:30", "weekdays 08:00", "monthly 1 09:00")
// into a normalised cron line. It never panics; errors wrap ErrSchedule and name what is wrong and an example.
// More often than once an hour, @every, TZ= and dates that never come are refused.
func ParseSchedule(s string) (string, error) {
	line, err := toCron(s)
	if err == nil {
		_, err = parseCron(line)
	}
	if err != nil {
		return "", fmt.Errorf("%w %.100q: %w%s", ErrSchedule, s, err, example)
	}
	return line, nil
}

// toCron brings what people write to five fields, without looking yet whether their numbers make sense.
func toCron(s string) (string, error) {
	fields := strings.Fields(strings.ToUpper(s))
	switch {
	case len(s) > 200:
		return "", errors.New("it is too long")
	case len(fields) == 0:
		return "", errors.New("it is empty")
	case strings.Contains(strings.ToUpper(s), "TZ="):
		return "", errors.New("the zone has its own setting, --zone")
	case fields[0] == "@EVERY":
		return "", errors.New("@every has no local time of day")
	case strings.HasPrefix(fields[0], "@"):
		return fromDescriptor(fields)
	case unicode.IsLetter([]rune(fields[0])[0]):
		return fromWords(fields)
	case len(fields) != 5:
		return "", fmt.Errorf("a cron line has 5 fields (minute, hour, day of month, month, day of week), this has %d", len(fields))
	}
	for i, f := range fields {
		fields[i] = strings.ReplaceAll(f, "?", "*")
	}
	return strings.Join(fields, " "), nil
}

func fromDescriptor(fields []string) (string, error) {
	if len(fields) > 1 {
		return "", fmt.Errorf("nothing may follow %s", strings.ToLower(fields[0]))
	}
	switch fields[0] {
	case "@YEARLY", "@ANNUALLY":
		return "0 0 1 1 *", nil
	case "@MONTHLY":
		return "0 0 1 * *", nil
	case "@WEEKLY":
		return "0 0 * * SUN", nil
	case "@DAILY", "@MIDNIGHT":
		return "0 0 * * *", nil
	case "@HOURLY":
		return "0 * * * *", nil
	}
	return "", fmt.Errorf("%s is not known", strings.ToLower(fields[0]))
}

// parseCron reads a line of five fields and refuses what can't be a newsletter's schedule.
func parseCron(line string) (spec *cron.SpecSchedule, err error) {
	defer func() {
		if r := recover(); r != nil { // the library panics on some input
			spec, err = nil, fmt.Errorf("it can't be read: %v", r)
		}
	}()
	parsed, err := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor).Parse(line)
	if err != nil {
		return nil, err
	}
	spec, ok := parsed.(*cron.SpecSchedule)
	switch {
	case !ok:
		return nil, errors.New("it has no local time of day")
	case len(values(spec.Minute)) != 1:
		return nil, errors.New("it names more than one minute of the hour, and more often than once an hour is refused")
	case spec.Next(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero():
		return nil, errors.New("its date never comes")
	}
	return spec, nil
}

// star is the library's mark of a field that allows everything: its highest bit.
const star = 1 << 63

// values lists the bits of a field but that of the star, which are the numbers it allows.
func values(field uint64) []int {
	var all []int
	for field &^= star; field != 0; field &= field - 1 {
		all = append(all, bits.TrailingZeros64(field))
	}
	return all
}

// parseLines reads the lines of a schedule, each as ParseSchedule does, without doubles. The error joins all that is wrong.
func parseLines(from []string) ([]string, error) {
	var lines []string
	var problems []error
	for _, s := range from {
		line, err := ParseSchedule(s)
		if err != nil {
			problems = append(problems, err)
		} else if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	if len(problems) == 0 && len(lines) > 20 {
		problems = append(problems, wrong(ErrSchedule, "it has %d lines; 20 are enough", len(lines)))
	}
	if len(problems) == 0 {
		problems = append(problems, checkApart(lines))
	}
	return lines, errors.Join(problems...)
}

// checkApart looks through two years, one of them a leap year, for slots of different lines that come less than an hour
// apart.
func checkApart(lines []string) error {
	c, err := newCalendar(lines, "UTC", "")
	if err != nil || len(lines) < 2 {
		return err
	}
	start := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	last := start.Add(-time.Hour)
	for p := range c.after(start) {
		switch {
		case p.At.After(start.AddDate(2, 0, 0)):
			return nil
		case p.At.Sub(last) < time.Hour:
			return wrong(ErrSchedule, "its lines together give %s and %s, and more often than once an hour is refused", last.Format(wallLayout), p.Wall)
		}
		last = p.At
	}
	return nil
}

// loadZone finds an IANA zone.
func loadZone(name string) (*time.Location, error) {
	const mend = "write an IANA name such as Europe/Berlin, America/New_York or UTC"
	// LoadLocation takes the first two for UTC and the machine's own zone, the others from files of some machines only.
	if name == "" || name == "Local" || name == "localtime" || strings.HasPrefix(name, "right/") || strings.HasPrefix(name, "posix/") {
		return nil, wrong(ErrSchedule, "zone %q is none: %s", name, mend)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, wrong(ErrSchedule, "zone %.100q is not known: %s", name, mend)
	}
	return loc, nil
}

// Planned is a wall time and its instant.
type Planned struct {
	Wall string
	At   time.Time
}

// Upcoming computes the first n slots whose instant is after from, by rule 9 (a gap runs at the first instant after it,
// a fold once, the first time). startDate, if any, is the first local date. Fewer than n where the schedule ends.
func Upcoming(schedule []string, zone, startDate string, from time.Time, n int) ([]Planned, error) {
	c, err := newCalendar(schedule, zone, startDate)
	if err != nil || n <= 0 {
		return nil, err
	}
	var all []Planned
	for p := range c.after(from) {
		if all = append(all, p); len(all) == n {
			break
		}
	}
	return all, nil
}

// calendar computes slots.
type calendar struct {
	lines []*cron.SpecSchedule
	loc   *time.Location
	start time.Time // wall clock; zero: no first date
}

func newCalendar(schedule []string, zone, startDate string) (calendar, error) {
	loc, err := loadZone(zone)
	if err != nil {
		return calendar{}, err
	}
	c := calendar{loc: loc}
	if startDate != "" {
		if c.start, err = time.Parse(time.DateOnly, startDate); err != nil {
			return calendar{}, wrong(ErrSchedule, "first date %q: write YYYY-MM-DD", startDate)
		}
	}
	for _, line := range schedule {
		spec, err := parseCron(line)
		if err != nil {
			return calendar{}, fmt.Errorf("%w %q: %w", ErrSchedule, line, err)
		}
		c.lines = append(c.lines, spec)
	}
	return c, nil
}

// calendar is the series' own.
func (s Series) calendar() (calendar, error) { return newCalendar(s.Schedule, s.Zone, s.StartDate) }

// after yields the slots whose instant is after from, in order, each wall time once.
func (c calendar) after(from time.Time) iter.Seq[Planned] {
	// A zone that crosses the date line skips up to a day: the wall times of that day lie behind the clock when they fire.
	wall := wallClock(from.In(c.loc)).Add(-48 * time.Hour)
	return func(yield func(Planned) bool) {
		for wall := range c.walls(wall) {
			p := Planned{wall.Format(wallLayout), place(wall, c.loc)}
			if p.At.After(from) && !yield(p) {
				return
			}
		}
	}
}

// on yields the slots of a local date.
func (c calendar) on(date time.Time) iter.Seq[Planned] {
	return func(yield func(Planned) bool) {
		for wall := range c.walls(date.Add(-time.Second)) {
			if !wall.Before(date.AddDate(0, 0, 1)) || !yield(Planned{wall.Format(wallLayout), place(wall, c.loc)}) {
				return
			}
		}
	}
}

// has says whether the schedule has a slot at a wall time.
func (c calendar) has(wall string) bool {
	at, err := time.Parse(wallLayout, wall)
	if err != nil {
		return false
	}
	for p := range c.on(at.Truncate(24 * time.Hour)) {
		if p.Wall == wall {
			return true
		}
	}
	return false
}

// walls yields the wall times after one, in order, of all lines together, until 2200.
func (c calendar) walls(after time.Time) iter.Seq[time.Time] {
	if first := c.start.Add(-time.Second); !c.start.IsZero() && after.Before(first) {
		after = first
	}
	return func(yield func(time.Time) bool) {
		next := make([]time.Time, len(c.lines))
		for i, line := range c.lines {
			next[i] = following(line, after)
		}
		for len(next) > 0 {
			wall := slices.MinFunc(next, time.Time.Compare)
			if wall.Year() >= 2200 || !yield(wall) {
				return
			}
			for i, line := range c.lines {
				if next[i].Equal(wall) {
					next[i] = following(line, wall)
				}
			}
		}
	}
}

// following is the line's next wall time. The library gives up after five years without one, and 29 February can be
// eight years away.
func following(line *cron.SpecSchedule, wall time.Time) time.Time {
	for {
		if next := line.Next(wall); !next.IsZero() {
			return next
		}
		wall = time.Date(wall.Year()+4, 1, 1, 0, 0, 0, 0, time.UTC).Add(-time.Second)
	}
}

// wallClock is what the clock on t's wall shows, as if it were UTC.
func wallClock(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// place finds the instant of a wall time: the first at which the clock in loc shows it or, where it skips it, anything
// later. That is the first instant after a gap and the first occurrence in a fold (rule 9).
func place(wall time.Time, loc *time.Location) time.Time {
	// No zone is 16 hours ahead of UTC, so at this instant its clock still stands before the wall time.
	t := wall.Add(-16 * time.Hour).In(loc)
	for {
		_, offset := t.Zone()
		at := wall.Add(-time.Duration(offset) * time.Second).In(loc)
		end := nextChange(t)
		switch {
		case at.Before(t): // the transition that began this period jumped over it
			return t
		case end.IsZero() || at.Before(end):
			return at
		}
		t = end.In(loc)
	}
}

// nextChange is an instant after t up to which t's offset holds; zero: it holds for good. ZoneBounds ends the year after
// 365 days where a zone's rule reaches beyond its table (Go 1.26), so on 31 December of leap years its end isn't after t.
func nextChange(t time.Time) time.Time {
	_, end := t.ZoneBounds()
	if !end.IsZero() && !end.After(t) {
		return t.Add(time.Hour)
	}
	return end
}
