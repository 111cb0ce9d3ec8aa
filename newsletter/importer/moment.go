package importer

import (
	"net/mail"
	"strings"
	"time"
)

// moment is when something was published: its day there, and an instant to order by. The zero value: nobody knows.
type moment struct {
	day string // YYYY-MM-DD
	at  string // UTC, in a form that sorts
}

// undated sorts behind all moments.
const undated = "undated"

// momentOf reads the dates of feeds and exports (RFC 5322, RFC 3339, and SQL's in UTC).
func momentOf(s string) moment {
	s = inNumbers(strings.TrimSpace(s))
	t, err := mail.ParseDate(s)
	for _, form := range []string{time.RFC3339Nano, time.DateTime, "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 -0700", time.DateOnly} {
		if err != nil {
			t, err = time.Parse(form, s)
		}
	}
	if err != nil || t.Year() < 1 || t.Year() > 9998 {
		return moment{}
	}
	return moment{t.Format(time.DateOnly), t.UTC().Format("2006-01-02T15:04:05.000")}
}

// zones are the names that dates end with in place of an offset: those of RFC 822, 5.1, and Europe's, which feeds have too. Go reads a name
// that the machine doesn't know as UTC.
var zones = map[string]string{
	"UT": "+0000", "UTC": "+0000", "GMT": "+0000", "Z": "+0000", "WET": "+0000", "EST": "-0500", "EDT": "-0400", "CST": "-0600", "CDT": "-0500",
	"MST": "-0700", "MDT": "-0600", "PST": "-0800", "PDT": "-0700", "BST": "+0100", "WEST": "+0100", "CET": "+0100", "CEST": "+0200",
	"MEZ": "+0100", "MESZ": "+0200", "EET": "+0200", "EEST": "+0300", "MSK": "+0300", "JST": "+0900", "AEST": "+1000", "AEDT": "+1100",
	"NZST": "+1200", "NZDT": "+1300",
}

// inNumbers is a date with an offset in place of the name of a zone at its end.
func inNumbers(date string) string {
	i := strings.LastIndexByte(date, ' ')
	if offset := zones[strings.ToUpper(date[i+1:])]; i > 0 && offset != "" {
		return date[:i+1] + offset
	}
	return date
}
