package subscribers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"pressrun/subscribers/store"
)

// Add lets tests store a person who is in no series, as Join and Enrol do on their way.
func (r *Registry) Add(ctx context.Context, tx *store.Tx, a Addition) (Subscriber, error) {
	addr, a, err := a.parse()
	if err != nil {
		return Subscriber{}, err
	}
	p, err := r.lookUp(ctx, tx, addr)
	if err == nil {
		_, err = r.put(ctx, tx, addr, a, &p)
	}
	return p.Subscriber, err
}

// IsPlainDomain and ReadRecords let tests look at what Import asks of each line.
var IsPlainDomain = isPlainDomain

// ReadRecords reads all records of a file; of one with a fault only its line and the fault.
func ReadRecords(file string, comma byte) (all [][]string, faults []string, err error) {
	r := &recordReader{in: bufio.NewReaderSize(strings.NewReader(file), 16), comma: comma, end: '\n'}
	for {
		rec, err := r.next()
		if errors.Is(err, io.EOF) {
			return all, faults, nil
		}
		if err != nil {
			return all, faults, err
		}
		if rec.fault != nil {
			faults = append(faults, fmt.Sprintf("%d:%d %v", rec.line, rec.column+1, rec.fault))
			continue
		}
		var cells []string
		for _, c := range rec.cells {
			cells = append(cells, string(c))
		}
		all = append(all, cells)
	}
}

// Picks says in Go what a filter's SQL says in the database.
func (f Filter) Picks(l Listed) bool { return f.root == nil || picks(f.root, l) }

func picks(n node, l Listed) bool {
	switch n := n.(type) {
	case negated:
		return !picks(n.part, l)
	case joined:
		for _, part := range n.parts {
			if picks(part, l) == n.any {
				return n.any
			}
		}
		return !n.any
	case *comparison:
		same := *n
		if n.op == "!=" {
			same.op = "="
		}
		return slices.ContainsFunc(n.values, func(v value) bool { return compares(same, v, l) }) != (n.op == "!=")
	}
	panic("no node")
}

func compares(c comparison, v value, l Listed) bool {
	addr, err := ParseAddress(l.Email)
	if err != nil {
		panic(err)
	}
	has := map[string]string{"email": addr.Key, "name": l.Name, "zone": l.Zone, "field": l.Fields[c.field], "domain": addr.Domain, "state": string(l.State)}
	switch c.name {
	case "joined", "created":
		at := l.Subscriber.Created
		if c.name == "joined" {
			at = l.ActiveSince
		}
		early, late := at.Before(v.from), !at.Before(v.to)
		return !at.IsZero() && map[string]bool{"=": !early && !late, "<": early, "<=": !late, ">": late, ">=": !early}[c.op]
	case "tag":
		return slices.Contains(l.Tags, v.text)
	case "language":
		return l.Language == v.text || strings.HasPrefix(l.Language, v.text+"-")
	}
	if c.op == "~" {
		return strings.Contains(has[c.name], v.text)
	}
	return has[c.name] == v.text
}

// ParseDict and ParseDate let tests look at single cells.
func ParseDict(s string) (map[string]string, error) {
	pairs, err := parseDict(s)
	all := map[string]string{}
	for _, p := range pairs {
		all[p.name] = p.value
	}
	return all, err
}

func ParseDate(s string) time.Time {
	t, _ := parseDate(s, "")
	return t
}
