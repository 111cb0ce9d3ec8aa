package ics

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// property is a content line: NAME;PARAM=value:value (RFC 5545 section 3.1), names in capitals.
type property struct {
	name   string
	params map[string]string
	value  string
}

// component is an event's lines, without those of what stands in it, such as alarms.
type component struct {
	line       int // of its BEGIN
	properties []property
}

// all are the properties of a name.
func (c component) all(name string) (found []property) {
	for _, p := range c.properties {
		if p.name == name {
			found = append(found, p)
		}
	}
	return found
}

// one is the property of a name, which may be missing but not there twice.
func (c component) one(name string) (p property, found bool, err error) {
	all := c.all(name)
	if len(all) > 1 {
		return p, false, fmt.Errorf("it has %s %d times", name, len(all))
	}
	if len(all) == 0 {
		return p, false, nil
	}
	return all[0], true, nil
}

// title is what people call the event, fit to be printed.
func (c component) title() string {
	const most = 100
	text := ""
	if all := c.all("SUMMARY"); len(all) > 0 {
		text = strings.NewReplacer(`\n`, " ", `\N`, " ", `\,`, ",", `\;`, ";", `\\`, `\`).Replace(all[0].value)
	}
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	text = strings.Join(strings.Fields(text), " ")
	if letters := []rune(text); len(letters) > most {
		text = string(letters[:most-1]) + "…"
	}
	if text == "" {
		return "an event without a name"
	}
	return text
}

// components finds the events of a calendar file.
func components(content string) (events []component, err error) {
	var open []string
	var now component
	for _, l := range unfolded(content) {
		p, err := parseLine(l.text)
		if err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrFile, l.number, err)
		}
		kind := strings.ToUpper(strings.TrimSpace(p.value))
		inEvent := len(open) == 2 && open[1] == "VEVENT"
		switch {
		case p.name == "BEGIN":
			if open = append(open, kind); len(open) == 2 && kind == "VEVENT" {
				now = component{line: l.number}
			}
		case len(open) == 0:
			return nil, fmt.Errorf("%w: line %d: a calendar file begins with BEGIN:VCALENDAR, as those of calendar programs do (.ics)", ErrFile, l.number)
		case p.name == "END" && kind != open[len(open)-1]:
			return nil, fmt.Errorf("%w: line %d: END:%s where %s is open", ErrFile, l.number, printable(kind), printable(open[len(open)-1]))
		case p.name == "END":
			if open = open[:len(open)-1]; inEvent {
				events = append(events, now)
			}
		case inEvent:
			now.properties = append(now.properties, p)
		case len(open) == 1 && p.name == "CALSCALE" && kind != "GREGORIAN":
			return nil, fmt.Errorf("%w: line %d: only the Gregorian calendar is understood, not %s", ErrFile, l.number, printable(kind))
		}
		if len(open) > 0 && open[0] != "VCALENDAR" {
			return nil, fmt.Errorf("%w: line %d: BEGIN:%s stands outside a calendar", ErrFile, l.number, printable(open[0]))
		}
		if len(events) > mostEvents {
			return nil, fmt.Errorf("%w: it has more than %d events", ErrFile, mostEvents)
		}
	}
	switch {
	case len(open) > 0:
		return nil, fmt.Errorf("%w: it is cut off: END:%s is missing", ErrFile, printable(open[len(open)-1]))
	case len(events) == 0:
		return nil, fmt.Errorf("%w: it has no events", ErrFile)
	}
	return events, nil
}

// line is a content line as it is after unfolding.
type line struct {
	number int // of its first piece, from 1
	text   string
}

// unfolded joins lines that were folded: what begins with a space or a tab goes on with the line before.
func unfolded(content string) (all []line) {
	content = strings.TrimPrefix(content, "\ufeff")
	var pieces [][]string
	for i, text := range strings.Split(content, "\n") {
		text = strings.TrimSuffix(text, "\r")
		switch {
		case text == "":
		case (text[0] == ' ' || text[0] == '\t') && len(all) > 0:
			pieces[len(pieces)-1] = append(pieces[len(pieces)-1], text[1:])
		default:
			all, pieces = append(all, line{number: i + 1}), append(pieces, []string{text})
		}
	}
	for i := range all {
		all[i].text = strings.Join(pieces[i], "")
	}
	return all
}

// parseLine parts name, parameters and value; a parameter's value may stand in quotation marks, with ; and : in it.
func parseLine(text string) (property, error) {
	end := strings.IndexAny(text, ";:")
	if end <= 0 {
		return property{}, fmt.Errorf("%q is no line of a calendar file", printable(text))
	}
	p := property{name: strings.ToUpper(strings.TrimSpace(text[:end])), params: map[string]string{}}
	rest := text[end:]
	for strings.HasPrefix(rest, ";") {
		name, after, ok := strings.Cut(rest[1:], "=")
		if !ok {
			return property{}, fmt.Errorf("%s has a parameter without a value", printable(p.name))
		}
		quoted := false
		end := strings.IndexFunc(after, func(r rune) bool {
			if r == '"' {
				quoted = !quoted
			}
			return !quoted && (r == ';' || r == ':')
		})
		if end < 0 {
			return property{}, fmt.Errorf("%s has no value", printable(p.name))
		}
		p.params[strings.ToUpper(name)], rest = strings.ReplaceAll(after[:end], `"`, ""), after[end:]
	}
	p.value = rest[1:]
	return p, nil
}

// printable is a piece of a foreign file in an error.
func printable(text string) string {
	const most = 40
	if letters := []rune(text); len(letters) > most {
		text = string(letters[:most]) + "…"
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}

// list parts a value at its commas.
func (p property) list() []string {
	return slices.DeleteFunc(strings.Split(p.value, ","), func(s string) bool { return s == "" })
}
