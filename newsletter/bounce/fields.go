package bounce

import (
	"bytes"
	"strings"
)

// maxHeader is how much of a header is looked at, maxFields how many of its fields, maxValue how much of a folded one. In octets.
const (
	maxHeader = 256 << 10
	maxFields = 1000
	maxValue  = 8 << 10
)

// field is one of a header or of a report, unfolded.
type field struct{ name, value string }

type fields []field

// cutHeader parts a header from what comes behind its empty line. Lines may end in LF alone.
func cutHeader(raw []byte) (header, body []byte) {
	at := 0
	for at < len(raw) {
		end := bytes.IndexByte(raw[at:], '\n')
		if end < 0 {
			break
		}
		if len(bytes.TrimRight(raw[at:at+end], "\r")) == 0 {
			return raw[:at], raw[at+end+1:]
		}
		at += end + 1
	}
	return raw, nil
}

// parseFields reads a header's fields. Lines that are none are passed over: a report is read as well as it can be.
func parseFields(header []byte) (all fields) {
	header = header[:min(len(header), maxHeader)]
	for line := range bytes.Lines(header) {
		line = bytes.TrimRight(line, "\r\n")
		if len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
			if last := len(all) - 1; last >= 0 && len(all[last].value) < maxValue {
				all[last].value += " " + string(bytes.TrimSpace(line))
			}
			continue
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || len(all) == maxFields {
			continue
		}
		all = append(all, field{string(bytes.TrimSpace(name)), string(bytes.TrimSpace(value))})
	}
	return all
}

// get is the first field of a name; empty: none.
func (f fields) get(name string) string {
	for _, one := range f {
		if strings.EqualFold(one.name, name) {
			return one.value
		}
	}
	return ""
}

func (f fields) all(name string) (values []string) {
	for _, one := range f {
		if strings.EqualFold(one.name, name) {
			values = append(values, one.value)
		}
	}
	return values
}
