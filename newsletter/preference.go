package newsletter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// Preferences are what somebody gets and how, as the page of their unsubscribe link shows it.
type Preferences struct {
	Masked     string // the address, not given away; empty where the person is gone
	Language   string // of the page
	Own        string // the language that they chose; empty: none
	Everything bool   // they left everything
	Old        bool   // the link is from before a rotation of the key: of the series nothing is told, and nothing but leaving is possible
	Series     []Preference
}

// Preference is a series to somebody.
type Preference struct {
	Series      series.Series
	State       subscribers.State // empty: they never were in it
	PausedUntil time.Time         // in the series' zone; zero: they are not paused
	Next        time.Time         // when the next letter comes to them, in the series' zone; zero: that is not known
	Asking      bool              // a confirmation is waited for
	Waiting     bool              // a letter of it is on its way to them
	MayAgain    bool              // they had something of it, and may start again: now, or when they have come back
}

// Preferences reads the page of an unsubscribe link. subscribers.ErrToken where it is not ours.
func (p *Publisher) Preferences(ctx context.Context, token string) (Preferences, error) {
	t, old, err := p.key.OpenLeave(token)
	if err != nil {
		return Preferences{}, err
	}
	v, err := p.visit(ctx, p.db, t)
	switch {
	case err != nil || v.Masked == "":
		return Preferences{Language: v.Language}, err
	case old:
		return Preferences{Masked: v.Masked, Language: v.Language, Everything: v.Everything, Old: true}, nil
	}
	person, err := subscribers.ByID(ctx, p.db, t.SubscriberID)
	if err != nil {
		return Preferences{}, fmt.Errorf("preferences: %w", err)
	}
	prefs := Preferences{Masked: v.Masked, Language: v.Language, Own: person.Language, Everything: v.Everything}
	all, err := series.All(ctx, p.db)
	if err != nil {
		return Preferences{}, err
	}
	for _, s := range all {
		one, shown, err := p.preference(ctx, t, s)
		if err != nil {
			return Preferences{}, fmt.Errorf("preferences: %w", err)
		}
		if shown {
			prefs.Series = append(prefs.Series, one)
		}
	}
	return prefs, nil
}

// preference says what a series is to somebody, and whether the page of their link shows it. A forwarded letter must not tell
// who gets a sensitive series: that one is shown by its own letters alone. A private one is shown to who is in it.
func (p *Publisher) preference(ctx context.Context, t subscribers.Token, s series.Series) (one Preference, shown bool, err error) {
	one.Series = s
	e, err := subscribers.EnrolmentOf(ctx, p.db, s.ID, t.SubscriberID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return one, false, err
	}
	one.State = e.State
	switch {
	case s.ID == t.SeriesID:
	case s.Sensitive, s.Private && e.State != subscribers.Active && e.State != subscribers.Paused:
		return one, false, nil
	}
	if e.State == subscribers.Paused {
		one.PausedUntil = e.PausedUntil.In(location(s))
	}
	if one.Asking, err = subscribers.Asking(ctx, p.db, t.SubscriberID, s.ID); err != nil {
		return one, false, err
	}
	if e.State != subscribers.Active && (e.State != subscribers.Ended || s.Mode != series.Drip) {
		return one, true, nil
	}
	reader, err := outbox.ReaderOf(ctx, p.db, s.ID, t.SubscriberID)
	one.MayAgain, one.Waiting = mayStartAgain(s, reader), e.State == subscribers.Active && reader.Waiting
	if err == nil && e.State == subscribers.Active {
		one.Next, err = p.promised(ctx, s, reader)
	}
	return one, true, err
}

// Wish is one change that somebody makes on that page.
type Wish struct {
	Verb     string // pause, resume, again, leave, join, language
	Series   string // its name
	Until    string // of pause: the first day with letters again, YYYY-MM-DD
	Language string // of language; empty: the series'
}

// ErrDay says that a pause can't end on a day.
var ErrDay = errors.New("not a day for the end of a pause")

// longestPause keeps a slip of the finger from being a leave.
const longestPause = 366 * 24 * time.Hour

// Prefer makes a change. A join is a request like that of the form: it mails a link to confirm. subscribers.ErrToken,
// store.ErrNotFound for a series that the page doesn't show, ErrDay, ErrAgain, subscribers.ErrField. By a link from before a rotation of the key only
// leave is possible; anything else is subscribers.ErrExpired.
func (p *Publisher) Prefer(ctx context.Context, token string, w Wish, e subscribers.Evidence) error {
	t, old, err := p.key.OpenLeave(token)
	if err != nil {
		return err
	}
	if old && w.Verb != "leave" {
		return fmt.Errorf("preferences by a link of an old secret: %w", subscribers.ErrExpired)
	}
	if w.Verb == "language" {
		return p.db.InTx(ctx, func(tx *store.Tx) error { return p.people.SetLanguage(ctx, tx, t.SubscriberID, w.Language) })
	}
	s, err := series.ByName(ctx, p.db, w.Series)
	if err != nil {
		return err
	}
	if _, shown, err := p.preference(ctx, t, s); err != nil || !shown {
		return errors.Join(err, fmt.Errorf("preferences: series %s: %w", s.Slug, store.ErrNotFound))
	}
	switch w.Verb {
	case "pause":
		return p.pauseReader(ctx, t.SubscriberID, s, w.Until, e)
	case "resume":
		return p.db.InTx(ctx, func(tx *store.Tx) error { return p.people.Resume(ctx, tx, t.SubscriberID, s.ID, e) })
	case "again":
		return p.db.InTx(ctx, func(tx *store.Tx) error { return p.startAgain(ctx, tx, t.SubscriberID, s.ID, e) })
	case "leave":
		return p.db.InTx(ctx, func(tx *store.Tx) error { return p.people.Unsubscribe(ctx, tx, t.SubscriberID, s.ID, e) })
	case "join":
		return p.joinReader(ctx, t.SubscriberID, s, e)
	}
	return fmt.Errorf("preferences: the wish %w: %q is none", subscribers.ErrField, w.Verb)
}

func (p *Publisher) pauseReader(ctx context.Context, subscriberID int64, s series.Series, until string, e subscribers.Evidence) error {
	day, err := time.ParseInLocation(time.DateOnly, until, location(s))
	if err != nil || !day.After(p.now()) || day.After(p.now().Add(longestPause)) {
		return fmt.Errorf("pause until %q: %w", until, ErrDay)
	}
	return p.db.InTx(ctx, func(tx *store.Tx) error { return p.people.Pause(ctx, tx, subscriberID, s.ID, day, e) })
}

// joinReader is a form of somebody whose link has told who they are: it is looked at before the answer, which may say so.
func (p *Publisher) joinReader(ctx context.Context, subscriberID int64, s series.Series, e subscribers.Evidence) error {
	person, err := subscribers.ByID(ctx, p.db, subscriberID)
	if err != nil {
		return err
	}
	err = p.Subscribe(ctx, Signup{
		Series: []string{s.PublicName()}, Email: person.Email, Language: cmp.Or(person.Language, s.Language), Evidence: e,
	})
	if err != nil {
		return err
	}
	return p.TakeRequests(ctx)
}

// SayWhy keeps the reason for a leave that the reader of an unsubscribe link gives, if they like. Without a leave, or for who
// is gone, nothing happens. subscribers.ErrToken, subscribers.ErrField.
func (p *Publisher) SayWhy(ctx context.Context, token, reason, note string) error {
	t, _, err := p.key.OpenLeave(token)
	if err != nil {
		return err
	}
	err = p.db.InTx(ctx, func(tx *store.Tx) error { return p.people.SayWhy(ctx, tx, t.SubscriberID, t.SeriesID, reason, note) })
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}
