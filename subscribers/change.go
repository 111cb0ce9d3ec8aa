package subscribers

import (
	"context"
	"fmt"

	"pressrun/subscribers/store"
)

// Change is what becomes known about a person; nil and empty change nothing.
type Change struct {
	Name, Language, Zone *string           // empty takes away
	Fields               map[string]string // an empty value takes the field away
	Tag, Untag           []string
}

// SetPerson changes what is known about a person and returns how it is then; store.ErrNotFound for nobody. Errors wrap ErrAddress and
// ErrField.
func SetPerson(ctx context.Context, tx *store.Tx, email string, c Change) (Subscriber, error) {
	s, err := ByEmail(ctx, tx, email)
	if err == nil {
		err = c.apply(&s)
	}
	if err == nil {
		err = update(ctx, tx, s)
	}
	if err != nil {
		return Subscriber{}, fmt.Errorf("set: %w", err)
	}
	return s, nil
}

func (c Change) apply(s *Subscriber) (err error) {
	for _, f := range []struct {
		to    *string
		value *string
		parse func(string) (string, error)
	}{{&s.Name, c.Name, parseName}, {&s.Language, c.Language, parseLanguage}, {&s.Zone, c.Zone, parseZone}} {
		if f.value == nil {
			continue
		}
		if *f.to, err = f.parse(*f.value); err != nil {
			return err
		}
	}
	for name, value := range c.Fields {
		s.Fields[name] = value
	}
	if s.Fields, err = parseFields(s.Fields); err != nil { // which leaves the empty ones out
		return err
	}
	off, err := parseTags(c.Untag)
	if err != nil {
		return err
	}
	tags := append(s.Tags, c.Tag...)
	if tags, err = parseTags(tags); err != nil {
		return err
	}
	gone := make(map[string]bool, len(off))
	for _, tag := range off {
		gone[tag] = true
	}
	s.Tags = s.Tags[:0:0]
	for _, tag := range tags {
		if !gone[tag] {
			s.Tags = append(s.Tags, tag)
		}
	}
	return nil
}
