package series_test

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter/series"
)

func TestParseSchedule(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"0 9 * * TUE", "0 9 * * TUE"},
		{"  0   9 ? * tue ", "0 9 * * TUE"},
		{"30 7,18 1-7 */2 *", "30 7,18 1-7 */2 *"},
		{"@weekly", "0 0 * * SUN"},
		{"@daily", "0 0 * * *"},
		{"@midnight", "0 0 * * *"},
		{"@monthly", "0 0 1 * *"},
		{"@yearly", "0 0 1 1 *"},
		{"@annually", "0 0 1 1 *"},
		{"@hourly", "0 * * * *"},
		{"0 9 29 2 *", "0 9 29 2 *"},
		{"tuesdays 09:00", "0 9 * * TUE"},
		{"Tuesday at 9:05", "5 9 * * TUE"},
		{"every tue 09:00", "0 9 * * TUE"},
		{"daily 07:30", "30 7 * * *"},
		{"every day at 07:30", "30 7 * * *"},
		{"weekdays 08:00", "0 8 * * MON-FRI"},
		{"weekends 10:00", "0 10 * * SAT,SUN"},
		{"thursdays and mondays 18:00", "0 18 * * MON,THU"},
		{"sun, sat & mon 18:00", "0 18 * * MON,SAT,SUN"},
		{"thurs 18:00", "0 18 * * THU"},
		{"monthly 1 09:00", "0 9 1 * *"},
		{"daily 18:00 and 06:00", "0 6,18 * * *"},
		{"daily 00:00", "0 0 * * *"},
	} {
		t.Run(tt.in, func(t *testing.T) {
			got, err := series.ParseSchedule(tt.in)
			if err != nil || got != tt.want {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestParseScheduleRefuses(t *testing.T) {
	for _, tt := range []struct{ in, says string }{
		{"", "empty"},
		{"   ", "empty"},
		{"0 9 * *", "5 fields"},
		{"0 0 9 * * TUE", "5 fields"},
		{"0 25 * * *", "25"},
		{"0 9 * * 7", "7"},
		{"0 9 * * FRI#2", "FRI#2"},
		{"*/5 * * * *", "more often than once an hour"},
		{"0,30 9 * * *", "more often than once an hour"},
		{"* 9 * * *", "more often than once an hour"},
		{"@every 2h", "@every"},
		{"@every -1h", "@every"},
		{"@fortnightly", "@fortnightly"},
		{"@daily 09:00", "nothing may follow @daily"},
		{"TZ=UTC", "--zone"},
		{"CRON_TZ=Europe/Berlin 0 9 * * *", "--zone"},
		{"tz=utc 0 9 * * *", "--zone"},
		{"0 9 30 2 *", "never comes"},
		{"0 9 31 4,6,9,11 *", "never comes"},
		{"tuesdays", "time of day"},
		{"09:00", "5 fields"},
		{"tuesdays 25:00", `"25:00" is not a time of day`},
		{"tuesdays 09:00 18:30", "--schedule each"},
		{"tuesdays 09:00 sharp", `"sharp"`},
		{"blursdays 09:00", `"blursdays"`},
		{"monthly 09:00", "day of the month"},
		{"monthly 32 09:00", `"32"`},
		{"monthly first 09:00", `"first"`},
		{"0 9 * * TUE\x00", "TUE"},
		{strings.Repeat("9", 5000), "too long"},
	} {
		t.Run(fmt.Sprintf("%.40q", tt.in), func(t *testing.T) {
			got, err := series.ParseSchedule(tt.in)
			if !errors.Is(err, series.ErrSchedule) {
				t.Fatalf("got %q, %v; want ErrSchedule", got, err)
			}
			if text := err.Error(); !strings.Contains(text, tt.says) || !strings.Contains(text, `"tuesdays 09:00"`) || len(text) > 500 {
				t.Errorf("got %q, want it to say %s and to give an example", text, tt.says)
			}
		})
	}
}

func FuzzParseSchedule(f *testing.F) {
	for _, s := range []string{
		"0 9 * * TUE", "tuesdays 09:00", "TZ=UTC", "CRON_TZ=", "@every 1h", "0 0 30 2 *", "0 9 */2 1-3 MON-FRI", "monthly 1 09:00",
		"0 9 ? * ?", "9 9 9 9 9 9", "60 0 1 1 0", "*/0 * * * *", "5-1 0 * * *", "-1 0 * * *", "@", "every at 9:00", "ſun 09:00",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		line, err := series.ParseSchedule(s)
		if err != nil {
			if !errors.Is(err, series.ErrSchedule) {
				t.Fatalf("%q: got %v, want ErrSchedule", s, err)
			}
			return
		}
		again, err := series.ParseSchedule(line)
		if err != nil || again != line {
			t.Fatalf("%q gives %q, which gives %q, %v", s, line, again, err)
		}
		if words := series.DescribeSchedule([]string{line}); words == "" || strings.Contains(words, `"`) {
			t.Fatalf("%q: got description %q", s, words)
		}
		if _, err := series.Upcoming([]string{line}, "Europe/Berlin", "", day0, 3); err != nil {
			t.Fatalf("%q gives %q, which has no slots: %v", s, line, err)
		}
	})
}

func TestDescribeSchedule(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"0 9 * * TUE", "Tuesdays at 09:00"},
		{"30 7 * * *", "Every day at 07:30"},
		{"0 8 * * MON-FRI", "Weekdays at 08:00"},
		{"0 18 * * MON,THU", "Mondays and Thursdays at 18:00"},
		{"0 9 * * SUN,0,1", "Mondays and Sundays at 09:00"},
		{"0 9 1 * *", "Monthly on day 1 at 09:00"},
		{"0 9 1,15 3 *", "Monthly on day 1 and 15 in March at 09:00"},
		{"0 6,12,18 * * *", "Every day at 06:00, 12:00 and 18:00"},
		{"5 * * * *", "Every day every hour at minute 5"},
		{"0 9 13 * 5", "Monthly on day 13 and Fridays at 09:00"},
		{"0 9 1-31 * TUE", "Every day at 09:00"}, // cron takes either of two restricted fields
		{"0 9 * 6-7 *", "Every day in June and July at 09:00"},
		{"nonsense", `"nonsense"`},
	} {
		t.Run(tt.in, func(t *testing.T) {
			if got := series.DescribeSchedule([]string{tt.in}); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	if got, want := series.DescribeSchedule([]string{"0 9 * * TUE", "0 18 * * FRI"}), "Tuesdays at 09:00; Fridays at 18:00"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTooShort(t *testing.T) {
	for _, tt := range []struct {
		lines []string
		want  string
	}{
		{[]string{"0 9 31 * *"}, "February, April, June, September and November"},
		{[]string{"0 9 30,31 * *"}, "February"},
		{[]string{"0 9 29 * *"}, "February (but in leap years)"},
		{[]string{"0 9 28 * *"}, ""},
		{[]string{"0 9 31 1,4 *"}, "April"},
		{[]string{"0 9 31 * *", "0 9 30 4,6,9,11 *"}, "February"},
		{[]string{"0 9 31 * *", "0 9 * * TUE"}, ""},
		{[]string{"0 9 31 * TUE"}, ""}, // either is enough
		{[]string{"0 9 * * TUE"}, ""},
		{[]string{"nonsense"}, ""},
	} {
		if got := series.TooShort(tt.lines); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.lines, got, tt.want)
		}
	}
}

// TestDescribedScheduleCanBeTyped reads simple descriptions back: what the program says, it understands.
func TestDescribedScheduleCanBeTyped(t *testing.T) {
	for _, line := range []string{"0 9 * * TUE", "30 7 * * *", "0 8 * * MON-FRI", "0 18 * * MON,THU", "0 6,12,18 * * SUN"} {
		words := series.DescribeSchedule([]string{line})
		if got, err := series.ParseSchedule(words); err != nil || got != line {
			t.Errorf("%q is described as %q, which is read as %q, %v", line, words, got, err)
		}
	}
}

func TestUpcoming(t *testing.T) {
	utc := func(s string) time.Time {
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for _, tt := range []struct {
		name, line, zone, from string
		wall, at               string // of the first slot
	}{
		{"plain", "0 9 * * TUE", "Europe/Berlin", "2027-01-05T08:00:00Z", "2027-01-12T09:00", "2027-01-12T08:00:00Z"},
		{"a moment before", "0 9 * * TUE", "Europe/Berlin", "2027-01-05T07:59:59Z", "2027-01-05T09:00", "2027-01-05T08:00:00Z"},
		{"summer time", "0 9 * * TUE", "Europe/Berlin", "2027-07-05T00:00:00Z", "2027-07-06T09:00", "2027-07-06T07:00:00Z"},
		{"gap", "30 2 * * *", "Europe/Berlin", "2027-03-28T00:00:00Z", "2027-03-28T02:30", "2027-03-28T01:00:00Z"},
		{"fold: the first time", "30 2 * * *", "Europe/Berlin", "2027-10-30T12:00:00Z", "2027-10-31T02:30", "2027-10-31T00:30:00Z"},
		{"fold: not twice", "30 2 * * *", "Europe/Berlin", "2027-10-31T00:30:00Z", "2027-11-01T02:30", "2027-11-01T01:30:00Z"},
		{"New York's gap", "30 2 * * *", "America/New_York", "2027-03-14T06:00:00Z", "2027-03-14T02:30", "2027-03-14T07:00:00Z"},
		{"Lord Howe moves by 30 minutes", "15 2 * * *", "Australia/Lord_Howe", "2027-10-02T14:00:00Z", "2027-10-03T02:15", "2027-10-02T15:30:00Z"},
		{"Lord Howe's fold", "45 1 * * *", "Australia/Lord_Howe", "2027-04-03T14:00:00Z", "2027-04-04T01:45", "2027-04-03T14:45:00Z"},
		{"Troll moves by 2 hours", "30 1 * * *", "Antarctica/Troll", "2027-03-28T00:00:00Z", "2027-03-28T01:30", "2027-03-28T01:00:00Z"},
		{"Troll, second hour of the gap", "30 2 * * *", "Antarctica/Troll", "2027-03-28T00:00:00Z", "2027-03-28T02:30", "2027-03-28T01:00:00Z"},
		{"Apia lost a day", "0 9 * * *", "Pacific/Apia", "2011-12-29T20:00:00Z", "2011-12-30T09:00", "2011-12-30T10:00:00Z"},
		{"Apia, the day after", "0 9 * * *", "Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-31T09:00", "2011-12-30T19:00:00Z"},
		{"Cairo skips midnight", "0 0 * * *", "Africa/Cairo", "2023-04-27T12:00:00Z", "2023-04-28T00:00", "2023-04-27T22:00:00Z"},
		{"Beirut skips midnight", "0 0 * * *", "Asia/Beirut", "2027-03-27T12:00:00Z", "2027-03-28T00:00", "2027-03-27T22:00:00Z"},
		{"Havana skips midnight", "0 0 * * *", "America/Havana", "2027-03-13T12:00:00Z", "2027-03-14T00:00", "2027-03-14T05:00:00Z"},
		{"Santiago skips midnight", "0 0 * * *", "America/Santiago", "2026-09-05T12:00:00Z", "2026-09-06T00:00", "2026-09-06T04:00:00Z"},
		{"leap day", "0 9 29 2 *", "UTC", "2028-03-01T00:00:00Z", "2032-02-29T09:00", "2032-02-29T09:00:00Z"},
		{"leap day over 2100", "0 9 29 2 *", "UTC", "2096-03-01T00:00:00Z", "2104-02-29T09:00", "2104-02-29T09:00:00Z"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := series.Upcoming([]string{tt.line}, tt.zone, "", utc(tt.from), 1)
			if err != nil || len(got) != 1 {
				t.Fatalf("got %v, %v", got, err)
			}
			if got[0].Wall != tt.wall || !got[0].At.Equal(utc(tt.at)) {
				t.Errorf("got %s at %s, want %s at %s", got[0].Wall, got[0].At.UTC().Format(time.RFC3339), tt.wall, tt.at)
			}
		})
	}
}

func TestUpcomingOfSeveralLines(t *testing.T) {
	got, err := series.Upcoming([]string{"0 18 * * FRI", "0 9 * * TUE", "0 9 * * *"}, "Europe/Berlin", "2027-03-29", day0, 7)
	if err != nil {
		t.Fatal(err)
	}
	var walls []string
	for _, p := range got {
		walls = append(walls, p.Wall)
		if p.At.Location().String() != "Europe/Berlin" || p.At.Format("2006-01-02T15:04") != p.Wall {
			t.Errorf("got %s at %s, want the instant in the series' zone", p.Wall, p.At)
		}
	}
	want := []string{
		"2027-03-29T09:00", "2027-03-30T09:00", "2027-03-31T09:00", "2027-04-01T09:00", "2027-04-02T09:00", "2027-04-02T18:00", "2027-04-03T09:00",
	}
	if !slices.Equal(walls, want) {
		t.Errorf("got %v, want %v", walls, want)
	}
	for _, zone := range []string{"", "Local", "Mars/Olympus", "../etc/passwd", "right/UTC", "localtime"} {
		if _, err := series.Upcoming([]string{"0 9 * * TUE"}, zone, "", day0, 1); !errors.Is(err, series.ErrSchedule) {
			t.Errorf("zone %q: got %v, want ErrSchedule", zone, err)
		}
	}
	if got, err := series.Upcoming([]string{"0 9 * * *"}, "UTC", "", time.Date(2199, 12, 30, 12, 0, 0, 0, time.UTC), 5); err != nil || len(got) != 1 {
		t.Errorf("got %v, %v; want the one slot left before 2200", got, err)
	}
}

// zones are those with unusual clock changes, and one of each usual kind.
var zones = []string{
	"UTC", "Europe/Berlin", "Europe/London", "Europe/Dublin", "Europe/Lisbon", "Europe/Istanbul", "Europe/Moscow", "Europe/Chisinau",
	"Africa/Cairo", "Africa/Casablanca", "Africa/El_Aaiun", "Africa/Juba", "Africa/Khartoum", "Africa/Tripoli", "Africa/Windhoek",
	"America/New_York", "America/St_Johns", "America/Havana", "America/Santiago", "America/Asuncion", "America/Sao_Paulo",
	"America/Caracas", "America/Nuuk", "America/Scoresbysund", "America/Godthab", "America/Mexico_City", "America/Phoenix",
	"America/Argentina/San_Luis", "America/Metlakatla", "America/Port-au-Prince", "Antarctica/Troll", "Antarctica/Casey",
	"Antarctica/Macquarie", "Asia/Amman", "Asia/Baghdad", "Asia/Beirut", "Asia/Damascus", "Asia/Dhaka", "Asia/Gaza", "Asia/Hebron",
	"Asia/Jerusalem", "Asia/Kathmandu", "Asia/Kolkata", "Asia/Pyongyang", "Asia/Tehran", "Asia/Ulaanbaatar", "Asia/Almaty",
	"Atlantic/Azores", "Australia/Lord_Howe", "Australia/Adelaide", "Australia/Sydney", "Australia/Eucla", "Pacific/Apia",
	"Pacific/Auckland", "Pacific/Chatham", "Pacific/Easter", "Pacific/Fakaofo", "Pacific/Fiji", "Pacific/Kiritimati",
	"Pacific/Norfolk", "Pacific/Tongatapu",
}

// TestEachDateHasOneSlot goes through every clock change of these zones from 2000 to 2040: each local date around it has
// exactly one slot of a daily schedule, in order, where rule 9 wants it, at midnight, at nine and at the times that the
// clocks skip or show twice.
func TestEachDateHasOneSlot(t *testing.T) {
	changes := 0
	for _, zone := range zones {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		newYear := time.Date(2040, 12, 31, 12, 0, 0, 0, time.UTC).In(loc) // no change, but the end of a leap year
		for _, change := range append(clockChanges(loc), newYear) {
			changes++
			for _, clock := range clocksAround(change) {
				checkAround(t, loc, change, clock)
			}
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d clock changes in %d zones", changes, len(zones))
	if changes < 2000 {
		t.Errorf("got %d clock changes, want thousands", changes)
	}
}

// clockChanges lists the instants at which the clocks of a zone change.
func clockChanges(loc *time.Location) []time.Time {
	var all []time.Time
	_, before := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).In(loc).Zone()
	for at := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() <= 2040; at = at.Add(24 * time.Hour) {
		if _, after := at.Add(24 * time.Hour).In(loc).Zone(); after != before {
			minutes := sort.Search(24*60, func(n int) bool {
				_, offset := at.Add(time.Duration(n) * time.Minute).In(loc).Zone()
				return offset != before
			})
			all = append(all, at.Add(time.Duration(minutes)*time.Minute).In(loc))
			before = after
		}
	}
	return all
}

// clocksAround lists times of day (from midnight): those that a clock change skips or repeats among them.
func clocksAround(change time.Time) []time.Duration {
	clocks := []time.Duration{0, 9 * time.Hour}
	_, before := change.Add(-time.Second).Zone()
	_, after := change.Zone()
	for _, offset := range []int{before, after} {
		wall := change.UTC().Add(time.Duration(offset) * time.Second)
		for _, shift := range []time.Duration{-15 * time.Minute, 0, 15 * time.Minute, 45 * time.Minute} {
			at := wall.Add(shift).Truncate(15 * time.Minute)
			clocks = append(clocks, at.Sub(at.Truncate(24*time.Hour)))
		}
	}
	slices.Sort(clocks)
	return slices.Compact(clocks)
}

func checkAround(t *testing.T, loc *time.Location, change time.Time, clock time.Duration) {
	t.Helper()
	hour, minute := int(clock/time.Hour), int(clock/time.Minute)%60
	from := change.Add(-49 * time.Hour)
	got, err := series.Upcoming([]string{fmt.Sprintf("%d %d * * *", minute, hour)}, loc.String(), "", from, 5)
	if err != nil || len(got) != 5 {
		t.Fatalf("%s around %s: got %v, %v", loc, change, got, err)
	}
	for i, p := range got {
		wall, err := time.Parse("2006-01-02T15:04", p.Wall)
		if err != nil || wall.Hour() != hour || wall.Minute() != minute {
			t.Fatalf("%s around %s: got wall time %q, want %02d:%02d", loc, change, p.Wall, hour, minute)
		}
		if i > 0 {
			last, _ := time.Parse("2006-01-02T15:04", got[i-1].Wall)
			if !wall.Equal(last.AddDate(0, 0, 1)) || p.At.Before(got[i-1].At) {
				t.Errorf("%s around %s: got %s at %s after %s at %s, want each date once, in order", loc, change, p.Wall, p.At, got[i-1].Wall, got[i-1].At)
			}
		}
		if p.At.Sub(change).Abs() > 25*time.Hour {
			continue
		}
		if want := firstShowing(loc, wall); !p.At.Equal(want) {
			t.Errorf("%s: %s: got %s, want %s", loc, p.Wall, p.At, want)
		}
	}
}

// firstShowing finds the instant of a wall time the slow way, minute by minute from the quarter of an hour that it lies
// in: the first at which the clock shows it or anything later.
func firstShowing(loc *time.Location, wall time.Time) time.Time {
	shown := func(at time.Time) time.Time {
		_, offset := at.In(loc).Zone()
		return at.Add(time.Duration(offset) * time.Second)
	}
	at := wall.Add(wall.Sub(shown(wall))).Add(-26 * time.Hour)
	for shown(at).Before(wall) {
		at = at.Add(15 * time.Minute)
	}
	for !shown(at.Add(-time.Minute)).Before(wall) {
		at = at.Add(-time.Minute)
	}
	return at
}

// TestPlainDateIsNotEnough shows that the test above notices a missing rule 9: time.Date places some of these wall times
// elsewhere.
func TestPlainDateIsNotEnough(t *testing.T) {
	wrong := 0
	for _, zone := range zones {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		for _, change := range clockChanges(loc) {
			for _, shift := range []time.Duration{-15 * time.Minute, 0, 15 * time.Minute} {
				_, before := change.Add(-time.Second).Zone()
				wall := change.UTC().Add(time.Duration(before)*time.Second + shift)
				plain := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), 0, 0, loc)
				if !plain.Equal(firstShowing(loc, wall)) {
					wrong++
				}
			}
		}
	}
	if wrong < 1000 {
		t.Errorf("got %d wall times that time.Date places elsewhere, want thousands", wrong)
	}
}
