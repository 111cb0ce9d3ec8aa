package importer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// parseTOML reads the top-level keys of a TOML document, in their order; lines count from 1 at its own first line.
func parseTOML(head string) (front, *Problem) {
	var values map[string]any
	meta, err := toml.Decode(head, &values)
	if err != nil {
		return nil, tomlProblem(err)
	}
	var f front
	for _, key := range meta.Keys() {
		if slices.ContainsFunc(f, func(known field) bool { return known.key == key[0] }) {
			continue
		}
		field := field{key: key[0], value: plainValue(values[key[0]])}
		field.line, field.column = tomlPlace(head, key[0])
		if field.isScalar() {
			field.text = fmt.Sprint(field.value)
		}
		f = append(f, field)
	}
	return f, nil
}

// tomlPlace finds the line that gives a top-level key its value, which the parser does not tell: line and column from 1,
// or 0, 0 for a key written in an unusual way.
func tomlPlace(head, key string) (line, column int) {
	for i, l := range strings.Split(head, "\n") {
		name, value, ok := strings.Cut(l, "=")
		name = strings.Trim(name, " \t\"'[]")
		if name == key || strings.HasPrefix(name, key+".") {
			column = 1
			if ok {
				column = 1 + len(l) - len(strings.TrimLeft(value, " \t"))
			}
			return i + 1, column
		}
	}
	return 0, 0
}

func tomlProblem(err error) *Problem {
	p := &Problem{
		What: "the front matter is no TOML: " + err.Error(),
		Mend: "write one key = \"value\" a line",
	}
	var at toml.ParseError
	if errors.As(err, &at) {
		p.What = "the front matter is no TOML: " + at.Message
		p.Line, p.Column = at.Position.Line, at.Position.Col
	}
	return p
}

// writtenTime writes a TOML date or time as it stood there, as far as it had a date, an hour or a zone.
func writtenTime(t time.Time) string {
	switch t.Location().String() {
	case "date-local":
		return t.Format(time.DateOnly)
	case "datetime-local":
		return t.Format("2006-01-02T15:04:05")
	case "time-local":
		return t.Format(time.TimeOnly)
	}
	return t.Format(time.RFC3339)
}
