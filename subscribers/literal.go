package subscribers

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// errLiteral says that a cell holds no literal of JSON or Python.
var errLiteral = errors.New("no list or dictionary")

// maxLiteralDepth bounds lists in lists.
const maxLiteralDepth = 20

// pair is a name and a value of a dictionary; a value that is itself a list or a dictionary stays as it is written.
type pair struct{ name, value string }

// parseDict reads a dictionary as JSON or Python write it: {"city": "Rome"} or {'city': 'Rome', 'vip': True}. None and null are
// values that aren't there.
func parseDict(s string) ([]pair, error) {
	l := &literal{rest: s}
	pairs, err := l.dict(0)
	if err == nil && l.token() != "" {
		err = errLiteral
	}
	return pairs, err
}

// parseList reads a list of either, such as ['a', 'b'].
func parseList(s string) ([]string, error) {
	l := &literal{rest: s}
	values, err := l.list(0)
	if err == nil && l.token() != "" {
		err = errLiteral
	}
	return values, err
}

// literal is what is left of a text.
type literal struct{ rest string }

// token is the next character that is no space; empty at the end.
func (l *literal) token() string {
	l.rest = strings.TrimLeft(l.rest, " \t\r\n")
	if l.rest == "" {
		return ""
	}
	return l.rest[:1]
}

// take passes over a character if it is the next.
func (l *literal) take(c string) bool {
	if l.token() != c {
		return false
	}
	l.rest = l.rest[1:]
	return true
}

func (l *literal) dict(depth int) (pairs []pair, err error) {
	if !l.take("{") || depth > maxLiteralDepth {
		return nil, errLiteral
	}
	for !l.take("}") {
		if len(pairs) > 0 && !l.take(",") {
			return nil, errLiteral
		}
		if l.take("}") { // Python's last comma
			break
		}
		var p pair
		if p.name, err = l.value(depth + 1); err != nil || !l.take(":") {
			return nil, errLiteral
		}
		if p.value, err = l.value(depth + 1); err != nil {
			return nil, err
		}
		pairs = append(pairs, p)
	}
	return pairs, nil
}

func (l *literal) list(depth int) (values []string, err error) {
	end := "]"
	if !l.take("[") {
		if end = ")"; !l.take("(") {
			return nil, errLiteral
		}
	}
	if depth > maxLiteralDepth {
		return nil, errLiteral
	}
	for !l.take(end) {
		if len(values) > 0 && !l.take(",") {
			return nil, errLiteral
		}
		if l.take(end) {
			break
		}
		value, err := l.value(depth + 1)
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, nil
}

// value reads any value as text.
func (l *literal) value(depth int) (string, error) {
	switch l.token() {
	case "":
		return "", errLiteral
	case "'", `"`:
		return l.text()
	case "{":
		before := l.rest
		_, err := l.dict(depth)
		return before[:len(before)-len(l.rest)], err
	case "[", "(":
		before := l.rest
		_, err := l.list(depth)
		return before[:len(before)-len(l.rest)], err
	}
	n := strings.IndexAny(l.rest, ",:]}) \t\r\n")
	if n < 0 {
		n = len(l.rest)
	}
	word := l.rest[:n]
	l.rest = l.rest[n:]
	switch word {
	case "None", "null":
		return "", nil
	case "True", "true":
		return "true", nil
	case "False", "false":
		return "false", nil
	}
	if _, err := strconv.ParseFloat(word, 64); err != nil {
		return "", errLiteral
	}
	return word, nil
}

// text reads a quoted text with the escapes that JSON and Python share.
func (l *literal) text() (string, error) {
	quote := l.rest[0]
	l.rest = l.rest[1:]
	var b strings.Builder
	for l.rest != "" {
		c := l.rest[0]
		if c == quote {
			l.rest = l.rest[1:]
			return b.String(), nil
		}
		if c != '\\' {
			b.WriteByte(c)
			l.rest = l.rest[1:]
			continue
		}
		if err := l.escape(&b); err != nil {
			return "", err
		}
	}
	return "", errLiteral
}

func (l *literal) escape(b *strings.Builder) error {
	if len(l.rest) > 1 && (l.rest[1] == '/' || l.rest[1] == '\'' || l.rest[1] == '"') {
		b.WriteByte(l.rest[1])
		l.rest = l.rest[2:]
		return nil
	}
	r, wide, rest, err := strconv.UnquoteChar(l.rest, 0)
	if err != nil && strings.HasPrefix(l.rest, `\u`) && len(l.rest) >= 12 { // two halves, as JSON writes what is beyond U+FFFF
		var high, low rune
		if _, scanned := fmt.Sscanf(l.rest[:12], `\u%04x\u%04x`, &high, &low); scanned == nil && high>>10 == 0xD800>>10 && low>>10 == 0xDC00>>10 {
			r, wide, rest, err = (high-0xD800)<<10+(low-0xDC00)+0x10000, true, l.rest[12:], nil
		}
	}
	if err != nil {
		return errLiteral
	}
	l.rest = rest
	if wide || r >= utf8.RuneSelf {
		b.WriteRune(r)
	} else {
		b.WriteByte(byte(r))
	}
	return nil
}
