package ics_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter/ics"
)

// file is a calendar file of events, each given by its lines (RFC 5545 section 3.6.1).
func file(events ...string) string {
	var b strings.Builder
	b.WriteString("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Quay//Tests//EN\r\n")
	for _, e := range events {
		b.WriteString("BEGIN:VEVENT\r\n" + strings.ReplaceAll(e, "\n", "\r\n") + "\r\nEND:VEVENT\r\n")
	}
	return b.String() + "END:VCALENDAR\r\n"
}

var berlin = func() *time.Location {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	return zone
}()

var from, until = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2029, 1, 1, 0, 0, 0, 0, time.UTC)

// daysOn are the dates of 2027 and 2028 on which something is on at noon in Berlin.
func daysOn(t testing.TB, content string) []string {
	t.Helper()
	c, err := ics.Read(strings.NewReader(content), berlin, from, until)
	if err != nil {
		t.Fatalf("read: %v\n%s", err, content)
	}
	days := []string{}
	for day := time.Date(2027, 1, 1, 12, 0, 0, 0, berlin); day.Before(until); day = day.AddDate(0, 0, 1) {
		if len(c.On(day.Format(time.DateOnly), day)) > 0 {
			days = append(days, day.Format(time.DateOnly))
		}
	}
	return days
}

// TestDates: shapes that RFC 5545 allows and calendar programs write, and the dates that they mean.
func TestDates(t *testing.T) {
	for name, tt := range map[string]struct {
		event string
		want  []string
	}{
		"a day":                           {"DTSTART;VALUE=DATE:20271224\nDTEND;VALUE=DATE:20271225", []string{"2027-12-24"}},
		"a day without an end":            {"DTSTART;VALUE=DATE:20271224", []string{"2027-12-24"}},
		"a day that ends as it begins":    {"DTSTART;VALUE=DATE:20271224\nDTEND;VALUE=DATE:20271224", []string{"2027-12-24"}},
		"a day without its kind":          {"DTSTART:20271224", []string{"2027-12-24"}},
		"three days":                      {"DTSTART;VALUE=DATE:20271224\nDTEND;VALUE=DATE:20271227", []string{"2027-12-24", "2027-12-25", "2027-12-26"}},
		"two days by length":              {"DTSTART;VALUE=DATE:20271224\nDURATION:P2D", []string{"2027-12-24", "2027-12-25"}},
		"a week across the new year":      {"DTSTART;VALUE=DATE:20271230\nDURATION:P1W", []string{"2027-12-30", "2027-12-31", "2028-01-01", "2028-01-02", "2028-01-03", "2028-01-04", "2028-01-05"}},
		"begun before what is looked at":  {"DTSTART;VALUE=DATE:20261230\nDTEND;VALUE=DATE:20270103", []string{"2027-01-01", "2027-01-02"}},
		"ten years, each day anew":        {"DTSTART;VALUE=DATE:20271229\nDURATION:P3650D\nRRULE:FREQ=DAILY;COUNT=2\nEXDATE:20271229,20271230\nRDATE:20281230", []string{"2028-12-30", "2028-12-31"}},
		"long past":                       {"DTSTART;VALUE=DATE:19991224", []string{}},
		"cancelled":                       {"DTSTART;VALUE=DATE:20271224\nSTATUS:CANCELLED", []string{}},
		"free, as holidays are":           {"DTSTART;VALUE=DATE:20271224\nTRANSP:TRANSPARENT", []string{"2027-12-24"}},
		"an alarm of its own":             {"DTSTART;VALUE=DATE:20271224\nBEGIN:VALARM\nTRIGGER:-PT15M\nDURATION:PT15M\nDTSTART:nonsense\nEND:VALARM", []string{"2027-12-24"}},
		"folded":                          {"DTSTART;VALUE=DA\n TE:2027\n\t1224", []string{"2027-12-24"}},
		"yearly":                          {"DTSTART;VALUE=DATE:20151003\nRRULE:FREQ=YEARLY", []string{"2027-10-03", "2028-10-03"}},
		"yearly, said twice over":         {"DTSTART;VALUE=DATE:20151003\nRRULE:FREQ=YEARLY;BYMONTH=10;BYMONTHDAY=3;INTERVAL=1;WKST=MO", []string{"2027-10-03", "2028-10-03"}},
		"yearly, two days":                {"DTSTART;VALUE=DATE:20201225\nDTEND;VALUE=DATE:20201227\nRRULE:FREQ=YEARLY", []string{"2027-12-25", "2027-12-26", "2028-12-25", "2028-12-26"}},
		"every other year":                {"DTSTART;VALUE=DATE:20241003\nRRULE:FREQ=YEARLY;INTERVAL=2", []string{"2028-10-03"}},
		"29 February":                     {"DTSTART;VALUE=DATE:20240229\nRRULE:FREQ=YEARLY", []string{"2028-02-29"}},
		"from long ago":                   {"DTSTART;VALUE=DATE:16040517\nRRULE:FREQ=YEARLY", []string{"2027-05-17", "2028-05-17"}},
		"the fourth Thursday of November": {"DTSTART;VALUE=DATE:20201126\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", []string{"2027-11-25", "2028-11-23"}},
		"the last Monday of May":          {"DTSTART;VALUE=DATE:20200525\nRRULE:FREQ=YEARLY;BYMONTH=5;BYDAY=-1MO", []string{"2027-05-31", "2028-05-29"}},
		"the 20th Monday of the year":     {"DTSTART;VALUE=DATE:19970519\nRRULE:FREQ=YEARLY;BYDAY=20MO", []string{"2027-05-17", "2028-05-15"}}, // RFC 5545 section 3.8.5.3
		"the first Sunday of each month until March": {
			"DTSTART;VALUE=DATE:20270103\nRRULE:FREQ=MONTHLY;BYDAY=1SU;UNTIL=20270307",
			[]string{"2027-01-03", "2027-02-07", "2027-03-07"},
		},
		"the last day of each month, three times": {"DTSTART;VALUE=DATE:20270131\nRRULE:FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=3", []string{"2027-01-31", "2027-02-28", "2027-03-31"}},
		"the 31st of each month that has one":     {"DTSTART;VALUE=DATE:20270131\nRRULE:FREQ=MONTHLY;COUNT=3", []string{"2027-01-31", "2027-03-31", "2027-05-31"}},
		"Friday the 13th":                         {"DTSTART;VALUE=DATE:20270813\nRRULE:FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", []string{"2027-08-13", "2028-10-13"}},
		"every other week, Tuesday and Sunday, weeks from Monday": {
			"DTSTART;VALUE=DATE:20270302\nRRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO",
			[]string{"2027-03-02", "2027-03-07", "2027-03-16", "2027-03-21"},
		}, // as RFC 5545 section 3.8.5.3 shows it for 1997
		"the same, weeks from Sunday": {
			"DTSTART;VALUE=DATE:20270302\nRRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU",
			[]string{"2027-03-02", "2027-03-14", "2027-03-16", "2027-03-28"},
		},
		"every tenth day":              {"DTSTART;VALUE=DATE:20270101\nRRULE:FREQ=DAILY;INTERVAL=10;COUNT=3", []string{"2027-01-01", "2027-01-11", "2027-01-21"}},
		"counted from before":          {"DTSTART;VALUE=DATE:20251003\nRRULE:FREQ=YEARLY;COUNT=3", []string{"2027-10-03"}},
		"until, as a time":             {"DTSTART;VALUE=DATE:20251003\nRRULE:FREQ=YEARLY;UNTIL=20271003T235959Z", []string{"2027-10-03"}},
		"until the day before":         {"DTSTART;VALUE=DATE:20251003\nRRULE:FREQ=YEARLY;UNTIL=20271002", []string{}},
		"but for one":                  {"DTSTART;VALUE=DATE:20251003\nRRULE:FREQ=YEARLY\nEXDATE;VALUE=DATE:20281003,20261003", []string{"2027-10-03"}},
		"and on others":                {"DTSTART;VALUE=DATE:20270402\nRDATE;VALUE=DATE:20280414\nRDATE;VALUE=DATE:20270326", []string{"2027-03-26", "2027-04-02", "2028-04-14"}},
		"a rule without a date for it": {"DTSTART;VALUE=DATE:20270131\nRRULE:FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=31;COUNT=1", []string{"2027-01-31"}},

		"a time":                    {"DTSTART:20271224T100000Z\nDTEND:20271224T113000Z", []string{"2027-12-24"}},
		"a time that ends at noon":  {"DTSTART:20271224T100000Z\nDTEND:20271224T110000Z", []string{}},
		"at noon alone":             {"DTSTART:20271224T110000Z", []string{"2027-12-24"}},
		"of a clock anywhere":       {"DTSTART:20271224T113000\nDTEND:20271224T123000", []string{"2027-12-24"}},
		"of New York's clock":       {"DTSTART;TZID=America/New_York:20271224T060000\nDURATION:PT1M", []string{"2027-12-24"}},
		"a zone in quotation marks": {"DTSTART;TZID=\"America/New_York\":20271224T060000\nDURATION:PT1M", []string{"2027-12-24"}},
		"midnight to midnight":      {"DTSTART;TZID=Europe/Berlin:20271224T000000\nDTEND;TZID=Europe/Berlin:20271226T000000", []string{"2027-12-24", "2027-12-25"}},
		"across a clock change":     {"DTSTART;TZID=Europe/Berlin:20270326T115900\nDTEND;TZID=Europe/Berlin:20270326T120100\nRRULE:FREQ=DAILY;COUNT=4", []string{"2027-03-26", "2027-03-27", "2027-03-28", "2027-03-29"}},
		"until noon":                {"DTSTART;TZID=Europe/Berlin:20270326T120000\nRRULE:FREQ=DAILY;UNTIL=20270328T100000Z", []string{"2027-03-26", "2027-03-27", "2027-03-28"}},
		"until a date":              {"DTSTART;TZID=Europe/Berlin:20270326T120000\nRRULE:FREQ=DAILY;UNTIL=20270327", []string{"2027-03-26", "2027-03-27"}},
		"but for one time":          {"DTSTART;TZID=Europe/Berlin:20270326T120000\nRRULE:FREQ=DAILY;COUNT=3\nEXDATE:20270327T110000Z", []string{"2027-03-26", "2027-03-28"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, content := range []string{file(tt.event), "\ufeff" + strings.ReplaceAll(file(tt.event), "\r\n", "\n"), strings.ReplaceAll(file(tt.event), "DTSTART", "dtstart")} {
				if got := daysOn(t, content); !slices.Equal(got, tt.want) {
					t.Errorf("on %q, want %q\n%s", got, tt.want, content)
				}
			}
		})
	}
}

// TestOneOfARepeatedEvent that has an event of its own: moved, or cancelled.
func TestOneOfARepeatedEvent(t *testing.T) {
	repeated := "UID:a\nDTSTART;VALUE=DATE:20201003\nRRULE:FREQ=YEARLY"
	for name, tt := range map[string]struct {
		own  string
		want []string
	}{
		"moved":            {"UID:a\nRECURRENCE-ID;VALUE=DATE:20271003\nDTSTART;VALUE=DATE:20271005", []string{"2027-10-05", "2028-10-03"}},
		"cancelled":        {"UID:a\nRECURRENCE-ID;VALUE=DATE:20271003\nDTSTART;VALUE=DATE:20271003\nSTATUS:CANCELLED", []string{"2028-10-03"}},
		"of another event": {"UID:b\nRECURRENCE-ID;VALUE=DATE:20271003\nDTSTART;VALUE=DATE:20271005", []string{"2027-10-03", "2027-10-05", "2028-10-03"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, content := range []string{file(repeated, tt.own), file(tt.own, repeated)} {
				if got := daysOn(t, content); !slices.Equal(got, tt.want) {
					t.Errorf("on %q, want %q", got, tt.want)
				}
			}
		})
	}
}

// TestOnNamesAll: of events that are on together each is named, also a long one behind short ones.
func TestOnNamesAll(t *testing.T) {
	c, err := ics.Read(strings.NewReader(file(
		"SUMMARY:Morning\nDTSTART:20271224T070000Z\nDTEND:20271224T110000Z", "SUMMARY:Advent\nDTSTART:20271201T000000Z\nDURATION:P30D",
		"SUMMARY:Noon\nDTSTART:20271224T110000Z", "SUMMARY:Ferien\nDTSTART:20271220\nDURATION:P9D", "SUMMARY:Eve\nDTSTART:20271224", "SUMMARY:Eve\nDTSTART:20271224",
	)), berlin, from, until)
	if err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2027, 12, 24, 12, 0, 0, 0, berlin)
	for at, want := range map[time.Time][]string{
		noon: {"Ferien", "Eve", "Advent", "Noon"}, noon.Add(-time.Minute): {"Ferien", "Eve", "Advent", "Morning"}, noon.AddDate(0, 0, 6): {"Advent"},
	} {
		if got := c.On(at.Format(time.DateOnly), at); !slices.Equal(got, want) {
			t.Errorf("on at %s: %q, want %q", at, got, want)
		}
	}
}

// TestRefused: what isn't understood is named, with its line, and nothing of the file is taken.
func TestRefused(t *testing.T) {
	event := func(lines string) string { return file("SUMMARY:A day off\n" + lines) }
	for name, tt := range map[string]struct{ content, want string }{
		"nothing":                {"", "it has no events"},
		"a web page":             {"<!doctype html>\n<p>Hello: world</p>", "line 1"},
		"another file":           {"BEGIN:VCARD\nFN:Ada\nEND:VCARD\n", "stands outside a calendar"},
		"lines before":           {"X:1\n" + file("DTSTART:20271224"), "line 1: a calendar file begins with BEGIN:VCALENDAR"},
		"cut off":                {strings.TrimSuffix(event("DTSTART:20271224"), "END:VCALENDAR\r\n"), "it is cut off: END:VCALENDAR is missing"},
		"crossed":                {"BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VCALENDAR\n", "line 3: END:VCALENDAR where VEVENT is open"},
		"another calendar":       {"BEGIN:VCALENDAR\nCALSCALE:HEBREW\nEND:VCALENDAR\n", "not HEBREW"},
		"no line":                {event("DTSTART:20271224\nhello"), "line 7: \"hello\" is no line"},
		"no begin":               {event("DTEND:20271224"), "line 4, “A day off”: it doesn't say when it begins (DTSTART)"},
		"two begins":             {event("DTSTART:20271224\nDTSTART:20271225"), "it has DTSTART 2 times"},
		"no date":                {event("DTSTART;VALUE=DATE:20270230"), "\"20270230\" is no date"},
		"no time":                {event("DTSTART:20270228T250000"), "\"20270228T250000\" is no time"},
		"a period":               {event("DTSTART;VALUE=PERIOD:20270228T250000/PT1H"), "values of kind PERIOD are not understood"},
		"a zone of Windows":      {event("DTSTART;TZID=W. Europe Standard Time:20271224T090000"), "the time zone \"W. Europe Standard Time\" is not known"},
		"the machine's zone":     {event("DTSTART;TZID=Local:20271224T090000"), "the time zone \"Local\" is not known"},
		"ends before it begins":  {event("DTSTART:20271224\nDTEND:20271223"), "it ends before it begins"},
		"of two kinds":           {event("DTSTART:20271224\nDTEND:20271224T100000Z"), "must both be dates, or both times"},
		"two ends":               {event("DTSTART:20271224\nDTEND:20271225\nDURATION:P1D"), "both DTEND and DURATION"},
		"part of a day":          {event("DTSTART:20271224\nDURATION:PT8H"), "\"PT8H\" is no length"},
		"backwards":              {event("DTSTART:20271224T100000\nDURATION:-PT8H"), "\"-PT8H\" is no length"},
		"for ever":               {event("DTSTART:00010101\nDTEND:99991231"), "it lasts longer than ten years"},
		"two rules":              {event("DTSTART:20271224\nRRULE:FREQ=YEARLY\nRRULE:FREQ=DAILY"), "it has RRULE 2 times"},
		"a rule that leaves out": {event("DTSTART:20271224\nRRULE:FREQ=YEARLY\nEXRULE:FREQ=DAILY"), "EXRULE is not understood"},
		"Easter, as some say it": {event("DTSTART:20270328\nRRULE:FREQ=YEARLY;BYEASTER=0"), "\"BYEASTER\" is not understood: write its dates singly"},
		"by place in a set":      {event("DTSTART:20270331\nRRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"), "\"BYSETPOS\" is not understood"},
		"by the hour":            {event("DTSTART:20270331T100000\nRRULE:FREQ=HOURLY"), "FREQ=HOURLY is not understood"},
		"no rule":                {event("DTSTART:20270331\nRRULE:every year"), "is not understood"},
		"counted and until":      {event("DTSTART:20270331\nRRULE:FREQ=YEARLY;COUNT=2;UNTIL=20300331"), "both COUNT and UNTIL"},
		"counted from long ago":  {event("DTSTART:16040331\nRRULE:FREQ=YEARLY;COUNT=1000"), "from a year before 1900"},
		"part twice":             {event("DTSTART:20270331\nRRULE:FREQ=YEARLY;FREQ=DAILY"), "RRULE has FREQ twice"},
		"month 13":               {event("DTSTART:20270331\nRRULE:FREQ=YEARLY;BYMONTH=13"), "BYMONTH=13 is not understood"},
		"no weekday":             {event("DTSTART:20270331\nRRULE:FREQ=WEEKLY;BYDAY=XX"), "BYDAY=XX is not understood"},
		"second day of a week":   {event("DTSTART:20270331\nRRULE:FREQ=WEEKLY;BYDAY=2WE"), "a numbered BYDAY goes with YEARLY or MONTHLY"},
		"never as first said":    {event("DTSTART:20270331\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"), "its first date (DTSTART) is none of those that RRULE says"},
		"left out by time":       {event("DTSTART:20270331\nRRULE:FREQ=YEARLY\nEXDATE:20280331T100000Z"), "EXDATE and DTSTART must both be dates"},
		"left out of no zone":    {event("DTSTART;TZID=America/New_York:20261201T030000\nRRULE:FREQ=DAILY;COUNT=5\nEXDATE:20261202T030000"), "line 4, “A day off”: of EXDATE and DTSTART one has a time zone and the other has none"},
		"on others of no zone":   {event("DTSTART:20271224T100000Z\nRDATE:20271225T100000"), "of RDATE and DTSTART one has a time zone"},
		"begins of no zone":      {event("DTSTART:20271224T100000\nDTEND:20271224T110000Z"), "of DTEND and DTSTART one has a time zone"},
		"stands for a date":      {file("UID:a\nDTSTART:20271224T100000Z\nRRULE:FREQ=DAILY", "SUMMARY:Moved\nUID:a\nDTSTART:20271225T170000Z\nRECURRENCE-ID;VALUE=DATE:20271225"), "line 9, “Moved”: RECURRENCE-ID and DTSTART must both be dates"},
		"stands for no zone's":   {file("UID:a\nDTSTART;TZID=Europe/Berlin:20271224T100000\nRRULE:FREQ=DAILY", "UID:a\nDTSTART:20271225T170000Z\nRECURRENCE-ID:20271225T100000"), "of RECURRENCE-ID and DTSTART one has a time zone"},
		"this and those to come": {event("UID:a\nDTSTART:20270331\nRECURRENCE-ID;RANGE=THISANDFUTURE:20270331"), "RECURRENCE-ID with RANGE is not understood"},
		"a name that paints":     {file("SUMMARY:Red\x1b[31m\\, day\nDTSTART:nonsense"), "“Red [31m, day”"},
		"too long":               {file("DTSTART:20271224\nDESCRIPTION:" + strings.Repeat("x", 5<<20)), "longer than 5 MB"},
		"too many times":         {file(slices.Repeat([]string{"DTSTART:20270101T100000Z\nRRULE:FREQ=DAILY"}, 200)...), "more than 100000 times"},
		"too many":               {file(slices.Repeat([]string{"DTSTART:20271224"}, 20_001)...), "more than 20000 events"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ics.Read(strings.NewReader(tt.content), berlin, from, until)
			if !errors.Is(err, ics.ErrFile) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	all := make([]string, 30)
	for i := range all {
		all[i] = fmt.Sprintf("SUMMARY:Event %d\nDTSTART:nonsense", i)
	}
	_, err := ics.Read(strings.NewReader(file(all...)), berlin, from, until)
	if err == nil || !strings.Contains(err.Error(), "“Event 9”") || !strings.Contains(err.Error(), "and 20 more") {
		t.Errorf("of 30 faults: %v", err)
	}
}

// FuzzRead: whatever the file, it is read or refused, and what is on on a date has a name.
func FuzzRead(f *testing.F) {
	for _, lines := range []string{
		"DTSTART;VALUE=DATE:20271224\nDURATION:P2D", "DTSTART:20151003\nRRULE:FREQ=YEARLY;BYDAY=-1MO;BYMONTH=10\nEXDATE:20271003",
		"DTSTART;TZID=\"Europe/Berlin\":20270326T120000\nRRULE:FREQ=DAILY;COUNT=3\nRDATE:20270401T100000Z", "UID:a\nDTSTART:20270331\nRECURRENCE-ID:20270331",
	} {
		f.Add(file(lines))
	}
	f.Fuzz(func(t *testing.T, content string) {
		c, err := ics.Read(strings.NewReader(content), berlin, from, until)
		if err != nil {
			return
		}
		for day := from; day.Before(until); day = day.AddDate(0, 0, 1) {
			if slices.Contains(c.On(day.Format(time.DateOnly), day), "") {
				t.Errorf("something without a name is on on %s", day.Format(time.DateOnly))
			}
		}
	})
}
