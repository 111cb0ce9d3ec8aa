package importer

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"pressrun/newsletter/series"
)

// order brings all into the proposed order and says what decided it. A criterion decides if every article has it. Known are the articles
// of the series, by rank.
func order(all []candidate, known []series.Article) (by string, problems []Problem) {
	decided, problems := byWeight(all)
	if decided {
		return "weight", problems
	}
	decided, more := byChain(all)
	if !decided && len(more) > 0 && byChainThrough(all, known) {
		decided, more = true, nil
	}
	problems = append(problems, more...)
	if decided {
		return "chain", append(problems, newestFirst(all)...)
	}
	decided, more = byNumber(all)
	problems = append(problems, more...)
	if decided {
		return "number", problems
	}
	decided, more = byDate(all)
	problems = append(problems, more...)
	if decided {
		return "date", problems
	}
	slices.SortStableFunc(all, byName)
	return "name", problems
}

// byName orders by names, but posts of one file as that has them.
func byName(a, b candidate) int {
	return cmp.Or(compareNatural(a.dir, b.dir), cmp.Compare(a.when, b.when), cmp.Compare(a.place, b.place), compareNatural(a.base, b.base), cmp.Compare(a.file, b.file))
}

func byWeight(all []candidate) (bool, []Problem) {
	if without := lacking(all, func(c candidate) bool { return c.weight != nil }); without != nil {
		return false, partly(all, without, "weight")
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Or(cmp.Compare(*a.weight, *b.weight), byName(a, b)) })
	var problems []Problem
	for i := 1; i < len(all); i++ {
		if *all[i].weight == *all[i-1].weight {
			problems = append(problems, Problem{
				File: all[i].file, What: fmt.Sprintf("has the same weight as %s, %d", all[i-1].file, *all[i].weight),
				Mend: "they stand in the order of their names; give each its own",
			})
		}
	}
	return true, problems
}

// byNumber orders by folder and number. It gives way where two files of a folder have the same number.
func byNumber(all []candidate) (bool, []Problem) {
	if lacking(all, func(c candidate) bool { return c.number >= 0 }) != nil {
		return false, nil
	}
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b candidate) int {
		return cmp.Or(compareNatural(a.dir, b.dir), cmp.Compare(a.number, b.number), byName(a, b))
	})
	for i := 1; i < len(sorted); i++ {
		if a, b := sorted[i-1], sorted[i]; a.dir == b.dir && a.number == b.number {
			return false, []Problem{{
				File: b.file, What: fmt.Sprintf("has the same number in its name as %s, so numbers don't decide", a.file),
				Mend: "number each file differently",
			}}
		}
	}
	copy(all, sorted)
	return true, nil
}

func byDate(all []candidate) (bool, []Problem) {
	if without := lacking(all, func(c candidate) bool { return c.instant() != "" }); without != nil {
		return false, partly(all, without, "date")
	}
	slices.SortStableFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.instant(), b.instant()), cmp.Compare(a.place, b.place), byName(a, b))
	})
	return true, nil
}

// instant is what orders by date: of a post its time, of a file its day.
func (c candidate) instant() string { return cmp.Or(c.when, c.Date) }

// newestFirst is the doubt of a chain whose dates run backwards: on some sites Previous leads to the newer page.
func newestFirst(all []candidate) []Problem {
	backwards := slices.IsSortedFunc(all, func(a, b candidate) int { return cmp.Compare(b.Date, a.Date) })
	if last := all[len(all)-1]; !backwards || last.Date == "" || last.Date == all[0].Date {
		return nil
	}
	return []Problem{{
		File: all[0].file, What: "the Previous/Next chain begins with the newest article and ends with the oldest",
		Mend: "give every article a weight if the series should begin with the oldest",
	}}
}

// lacking lists the candidates that don't have something; nil: all have it.
func lacking(all []candidate, has func(candidate) bool) []candidate {
	var without []candidate
	for _, c := range all {
		if !has(c) {
			without = append(without, c)
		}
	}
	return without
}

// partly is the problem of a criterion that only some articles have.
func partly(all, without []candidate, what string) []Problem {
	if len(without) == len(all) {
		return nil
	}
	return []Problem{{
		File: without[0].file,
		What: fmt.Sprintf("has no %s; of %d articles %d have none, so it doesn't decide", what, len(all), len(without)),
		Mend: "give every article its " + what,
	}}
}

var (
	datedName    = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2})(?:[-_. ]+(.*))?$`)
	numberedName = regexp.MustCompile(`^(\d{1,6})(?:[-_. )]+(.*))?$`)
	partName     = regexp.MustCompile(`(?i)(?:^|[^\pL\pN])(?:part|chapter|episode|week|day|lesson|teil|no)[-_. ]*(\d{1,6})(?:[^\pL\pN]|$)`)
)

// nameParts reads a file name without its ending: a date or a number at its start, or a "Part 3" anywhere. rest is what
// remains of it as a title. number is -1 where there is none.
func nameParts(base string) (date string, number int, rest string) {
	rest = base
	if m := datedName.FindStringSubmatch(rest); m != nil {
		if _, err := time.Parse(time.DateOnly, m[1]); err == nil {
			date, rest = m[1], m[2]
		}
	}
	if m := numberedName.FindStringSubmatch(rest); m != nil {
		number, _ = strconv.Atoi(m[1])
		return date, number, cmp.Or(m[2], base)
	}
	if m := partName.FindStringSubmatch(rest); m != nil {
		number, _ = strconv.Atoi(m[1])
		return date, number, rest
	}
	return date, -1, cmp.Or(rest, base)
}

// titleFromName makes a title of a file name: "skin-and_stress" is "Skin and stress".
func titleFromName(name string) string {
	name = oneLine(strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || isControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(name, "")))
	if name == "" {
		return "Untitled"
	}
	first, n := utf8.DecodeRuneInString(name)
	return string(unicode.ToUpper(first)) + name[n:]
}

// compareNatural compares names as people do: runs of digits by their value, letters without case.
func compareNatural(a, b string) int {
	x, y := strings.ToLower(a), strings.ToLower(b)
	for x != "" && y != "" {
		m, n := digits(x), digits(y)
		if m > 0 && n > 0 {
			p, q := strings.TrimLeft(x[:m], "0"), strings.TrimLeft(y[:n], "0")
			if c := cmp.Or(cmp.Compare(len(p), len(q)), cmp.Compare(p, q)); c != 0 {
				return c
			}
			x, y = x[m:], y[n:]
			continue
		}
		if c := cmp.Compare(x[0], y[0]); c != 0 {
			return c
		}
		x, y = x[1:], y[1:]
	}
	return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(a, b))
}

// digits counts the ASCII digits at the start of s.
func digits(s string) int {
	return len(s) - len(strings.TrimLeft(s, "0123456789"))
}
