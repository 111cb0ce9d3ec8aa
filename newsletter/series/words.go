package series

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/robfig/cron/v3"

	"pressrun/templates"
)

// weekdays in the order people list them, with cron's numbers.
var weekdays = []struct {
	cron, name string
	number     int
}{
	{"MON", "Monday", 1},
	{"TUE", "Tuesday", 2},
	{"WED", "Wednesday", 3},
	{"THU", "Thursday", 4},
	{"FRI", "Friday", 5},
	{"SAT", "Saturday", 6},
	{"SUN", "Sunday", 0},
}

var months = []string{
	"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
}

// clockForm is a time of day.
var clockForm = regexp.MustCompile(`^([01]?[0-9]|2[0-3]):([0-5][0-9])$`)

// fromWords reads words in capitals, such as MONDAYS AND THURSDAYS 18:00, into a cron line.
func fromWords(words []string) (string, error) {
	words = strings.FieldsFunc(strings.Join(words, " "), func(r rune) bool { return r == ' ' || r == ',' || r == '&' })
	words = slices.DeleteFunc(words, func(w string) bool { return w == "AND" || w == "AT" || w == "ON" || w == "EVERY" })
	first := slices.IndexFunc(words, clockForm.MatchString)
	switch odd := slices.IndexFunc(words, func(w string) bool { return strings.Contains(w, ":") }); {
	case first < 0 && odd >= 0:
		return "", fmt.Errorf("%q is not a time of day", strings.ToLower(words[odd]))
	case first <= 0:
		return "", errors.New("it needs days and a time of day")
	}
	minute, hours, err := fromClocks(words[first:])
	if err != nil {
		return "", err
	}
	dom, dow, err := fromDays(words[:first])
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s %s %s * %s", minute, hours, dom, dow), nil
}

// fromClocks reads times of day, which share their minute since a cron line has but one.
func fromClocks(words []string) (minute, hours string, err error) {
	var list []int
	for _, w := range words {
		parts := clockForm.FindStringSubmatch(w)
		if parts == nil {
			return "", "", fmt.Errorf("%q is not a time of day", strings.ToLower(w))
		}
		if minute != "" && minute != parts[2] {
			return "", "", errors.New("times with different minutes need a --schedule each")
		}
		minute = parts[2]
		hour, _ := strconv.Atoi(parts[1]) // two digits, by clockForm
		list = append(list, hour)
	}
	slices.Sort(list)
	for i, hour := range slices.Compact(list) {
		if i > 0 {
			hours += ","
		}
		hours += strconv.Itoa(hour)
	}
	return strings.TrimPrefix(minute, "0"), hours, nil
}

// fromDays reads the days of words into the fields day of month and day of week.
func fromDays(words []string) (dom, dow string, err error) {
	switch {
	case len(words) == 1 && (words[0] == "DAILY" || words[0] == "DAY"):
		return "*", "*", nil
	case len(words) == 1 && (words[0] == "WEEKDAYS" || words[0] == "WEEKDAY"):
		return "*", "MON-FRI", nil
	case len(words) == 1 && (words[0] == "WEEKENDS" || words[0] == "WEEKEND"):
		return "*", "SAT,SUN", nil
	case words[0] == "MONTHLY" && len(words) == 2:
		day, err := strconv.Atoi(words[1])
		if err != nil || day < 1 || day > 31 {
			return "", "", fmt.Errorf("%q is not a day of the month", strings.ToLower(words[1]))
		}
		return strconv.Itoa(day), "*", nil
	case words[0] == "MONTHLY":
		return "", "", errors.New("monthly needs one day of the month")
	}
	named := map[string]bool{}
	for _, w := range words {
		day := weekday(w)
		if day == "" {
			return "", "", fmt.Errorf("%q is not a day", strings.ToLower(w))
		}
		named[day] = true
	}
	var days []string
	for _, d := range weekdays {
		if named[d.cron] {
			days = append(days, d.cron)
		}
	}
	return "*", strings.Join(days, ","), nil
}

// weekday is cron's name of TUE, TUES, TUESDAY or TUESDAYS; empty: it is none.
func weekday(word string) string {
	short := strings.TrimSuffix(word, "S")
	if short == "THUR" {
		return "THU"
	}
	for _, d := range weekdays {
		if short == d.cron || short == strings.ToUpper(d.name) {
			return d.cron
		}
	}
	return ""
}

// DescribeSchedule says cron lines in English words: "Tuesdays at 09:00". A line that ParseSchedule would refuse is
// repeated as it is.
func DescribeSchedule(lines []string) string { return DescribeScheduleIn(templates.Words{}, lines) }

// DescribeScheduleIn is DescribeSchedule in a language.
func DescribeScheduleIn(w templates.Words, lines []string) string {
	var all []string
	for _, line := range lines {
		spec, err := parseCron(line)
		if err != nil {
			all = append(all, strconv.Quote(line))
			continue
		}
		all = append(all, describe(w, spec))
	}
	return strings.Join(all, "; ")
}

func describe(w templates.Words, spec *cron.SpecSchedule) string {
	dom, dow := values(spec.Dom), values(spec.Dow)
	var days string
	switch domStar, dowStar := spec.Dom&star != 0, spec.Dow&star != 0; {
	case domStar && !dowStar && len(dow) < 7:
		days = describeWeekdays(w, dow)
	case dowStar && !domStar && len(dom) < 31:
		days = describeDates(w, dom)
	case domStar || dowStar || len(dom) == 31 || len(dow) == 7:
		days = w.T("rhythm.every_day")
	default: // without a star either of the two is enough: cron's old rule
		days = w.List(describeDates(w, dom), describeWeekdays(w, dow))
	}
	if m := values(spec.Month); len(m) < len(months) {
		var names []string
		for _, n := range m {
			names = append(names, w.T("date.month."+months[n-1]))
		}
		days = w.T("rhythm.months", "days", days, "months", w.List(names...))
	}
	s := describeHours(w, days, values(spec.Hour), values(spec.Minute)[0])
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[size:]
}

func describeWeekdays(w templates.Words, numbers []int) string {
	if slices.Equal(numbers, []int{1, 2, 3, 4, 5}) {
		return w.T("rhythm.weekdays")
	}
	var names []string
	for _, d := range weekdays {
		if slices.Contains(numbers, d.number) {
			names = append(names, w.T("rhythm.day."+d.name))
		}
	}
	return w.List(names...)
}

func describeDates(w templates.Words, days []int) string {
	var names []string
	for _, d := range days {
		names = append(names, strconv.Itoa(d))
	}
	return w.T("rhythm.dates", "days", w.List(names...))
}

func describeHours(w templates.Words, days string, hours []int, minute int) string {
	if len(hours) == 24 {
		return w.T("rhythm.hourly", "days", days, "minute", strconv.Itoa(minute))
	}
	var clocks []string
	for _, h := range hours {
		clocks = append(clocks, fmt.Sprintf("%02d:%02d", h, minute))
	}
	return w.T("rhythm.at", "days", days, "times", w.List(clocks...))
}

// TooShort names the months that lines of a schedule allow and in which it has no slot, for want of the days that it names: of
// "monthly 31 09:00" "February, April, June, September and November". Empty: there are none. A line that ParseSchedule would refuse has
// no part in it.
func TooShort(lines []string) string {
	var short, served uint64
	leap := false
	for _, line := range lines {
		spec, err := parseCron(line)
		if err != nil {
			continue
		}
		first, byDate := values(spec.Dom)[0], spec.Dom&star == 0 && spec.Dow&star != 0
		for _, m := range values(spec.Month) {
			if byDate && first > daysIn(m) {
				short |= 1 << m
				leap = leap || first == 29
			} else {
				served |= 1 << m
			}
		}
	}
	var names []string
	for _, m := range values(short &^ served) {
		names = append(names, months[m-1])
	}
	if leap && len(names) > 0 && names[0] == months[1] {
		names[0] += " (but in leap years)"
	}
	return templates.Words{}.List(names...)
}

// daysIn is how many days a month has in a year that is no leap year.
func daysIn(month int) int {
	return time.Date(2001, time.Month(month+1), 0, 0, 0, 0, 0, time.UTC).Day()
}
