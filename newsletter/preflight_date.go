package newsletter

import (
	"regexp"
	"time"
)

// writtenDate is a whole date in English or as ISO 8601 writes it. Other spellings are left alone: a date read wrongly would
// be worse than one not read.
var writtenDate = regexp.MustCompile(`\b(?:\d{4}-\d{2}-\d{2}|\d{1,2} (?:January|February|March|April|May|June|July|August|September|October|November|December),? \d{4}|(?:January|February|March|April|May|June|July|August|September|October|November|December) \d{1,2},? \d{4})\b`)

var dateForms = []string{"2006-01-02", "2 January 2006", "2 January, 2006", "January 2 2006", "January 2, 2006"}

// recently is how far back a date counts as one that has slipped by; those before it are history.
const recently = 180 * 24 * time.Hour

// dateRule finds dates that will be past when the letter arrives.
func dateRule(s *sheet) []Finding {
	for _, text := range writtenDate.FindAllString(s.subject+" "+s.own(), -1) {
		for _, form := range dateForms {
			day, err := time.ParseInLocation(form, text, s.zone)
			if err != nil {
				continue
			}
			if end := day.AddDate(0, 0, 1); !end.After(s.at) && s.at.Sub(end) < recently {
				return s.odd("past", "date", text, "leaves", s.words.Date(s.at.In(s.zone)))
			}
		}
	}
	return nil
}

// reviewRule finds articles whose front matter says that somebody should have looked at them again by now.
func reviewRule(s *sheet) []Finding {
	by := s.article.Meta["review_by"]
	if by == "" {
		return nil
	}
	day, err := time.ParseInLocation("2006-01-02", by, s.zone)
	if err != nil {
		return s.odd("reviewdate", "date", by)
	}
	if s.at.Before(day.AddDate(0, 0, 1)) {
		return nil
	}
	return s.odd("review", "date", s.words.Date(day))
}
