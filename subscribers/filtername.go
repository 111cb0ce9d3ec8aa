package subscribers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pressrun/subscribers/store"
)

// ReadFilter is ParseFilter for who types it: fields are found whatever their capitals, spaces and hyphens, with or without "field."
// before them. A name that nobody's field has, and that is no other either, is an error, which suggests the nearest one.
func ReadFilter(ctx context.Context, q store.Querier, text string, zone *time.Location) (Filter, error) {
	f, err := ParseFilter(text, zone)
	if err != nil || f.root == nil {
		return f, err
	}
	var asked []*comparison
	f.root = f.root.copied(func(c *comparison) {
		if c.name == "field" {
			asked = append(asked, c)
		}
	})
	if len(asked) == 0 {
		return f, nil
	}
	known, err := fieldNamesOf(ctx, q, selectSomeFields)
	if err == nil && slices.ContainsFunc(asked, func(c *comparison) bool { return !slices.Contains(known, c.field) }) {
		known, err = fieldNamesOf(ctx, q, selectAllFields)
	}
	if err != nil {
		return Filter{}, fmt.Errorf("names of fields: %w", err)
	}
	for _, c := range asked {
		if err := c.find(known); err != nil {
			return Filter{}, err
		}
	}
	return f, nil
}

// Most filters name fields as they are called, which some of the first people or of the last ones have: only a name that none of
// these has is looked for with everybody.
const (
	selectSomeFields = `SELECT a.fields FROM (SELECT s.fields FROM subscribers s ORDER BY s.id LIMIT 1000) a WHERE a.fields <> '{}'
UNION SELECT z.fields FROM (SELECT s.fields FROM subscribers s ORDER BY s.id DESC LIMIT 1000) z WHERE z.fields <> '{}'`
	selectAllFields = `SELECT fields FROM subscribers WHERE fields <> '{}'`
)

// fieldNamesOf are the names in the fields that a query selects, sorted.
func fieldNamesOf(ctx context.Context, q store.Querier, query string) ([]string, error) {
	rows, err := q.Query(ctx, query)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	err = collectFieldNames(rows, names)
	return slices.Sorted(maps.Keys(names)), err
}

// find gives the comparison the name that people's field has.
func (c *comparison) find(known []string) error {
	if slices.Contains(known, c.field) {
		return nil
	}
	var same, near []string
	for _, name := range known {
		switch {
		case fold(name) == fold(c.field):
			same = append(same, name)
		case slip(fold(name), fold(c.field)):
			near = append(near, fieldAsAsked(name))
		}
	}
	for _, name := range filterNames {
		if c.bare && slip(name, fold(c.field)) {
			near = append(near, name)
		}
	}
	fault := func(format string, args ...any) error {
		return fmt.Errorf("%w: column %d: %s", ErrFilter, c.column, fmt.Sprintf(format, args...))
	}
	switch {
	case len(same) == 1:
		c.field = same[0]
		return nil
	case len(same) > 1:
		return fault("several fields are called so: %s: write it as one of them", strings.Join(same, ", "))
	case len(near) > 0:
		return fault("nobody has a field called %q; did you mean %s?", c.field, strings.Join(near, " or "))
	case c.bare:
		return fault("here should be %s; nobody has a field called %q", nameWords(), c.field)
	}
	return nil
}

// fieldAsAsked is how a filter names a field.
func fieldAsAsked(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return !isFilterWord(r) }) {
		return `field."` + name + `"`
	}
	return "field." + name
}

// slip says whether one slip of the hand makes b of a: a letter too many, one missing, another one, two in the wrong order.
func slip(a, b string) bool {
	x, y := []rune(a), []rune(b)
	for len(x) > 0 && len(y) > 0 && x[0] == y[0] {
		x, y = x[1:], y[1:]
	}
	for len(x) > 0 && len(y) > 0 && x[len(x)-1] == y[len(y)-1] {
		x, y = x[:len(x)-1], y[:len(y)-1]
	}
	return len(x) <= 1 && len(y) <= 1 || len(x) == 2 && len(y) == 2 && x[0] == y[1] && x[1] == y[0]
}
