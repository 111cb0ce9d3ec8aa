package series

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"pressrun/subscribers/store"
	"pressrun/templates"
)

var (
	// ErrFinished says that a series has no next article now: a normal end, not a fault.
	ErrFinished = errors.New("no next article")
	// ErrSlot says that the slot already has its issue.
	ErrSlot = errors.New("the slot already has its issue")
	// ErrSlug says that a slug is malformed or taken.
	ErrSlug = errors.New("slug")
	// ErrSchedule says that a schedule or a zone can't be used; the text says why.
	ErrSchedule = errors.New("schedule")
	// ErrDisclaimer says that a disclaimer is missing where one must stand.
	ErrDisclaimer = errors.New("disclaimer missing")
	// ErrInvalid says that a value can't be used; the text names the field and the mend.
	ErrInvalid = errors.New("invalid")
	// ErrState says that a change is not possible in the present state.
	ErrState = errors.New("not possible in this state")
)

// Mode says whether all readers get the same issue (Live) or each starts at the first article (Drip).
type Mode string

const (
	Live Mode = "live"
	Drip Mode = "drip"
)

// Series is an ordered list of articles with its sender, schedule, zone and disclaimer.
type Series struct {
	ID                     int64
	Slug, Title            string
	FromName, FromEmail    string
	ReplyTo, PostalAddress string
	Language, Zone         string   // Zone is an IANA name
	Schedule               []string // normalised five-field cron lines
	StartDate              string   // YYYY-MM-DD; empty: at once
	Mode                   Mode
	Welcome                string // none, first, latest
	MinGap, Grace          time.Duration
	WhenNotReady           string // hold, skip
	Paused                 bool
	PlannedFrom            time.Time
	Disclaimer             Disclaimer // the present wording
	Look                   Look
	Private, Sensitive     bool // see PublicName
	Created, Updated       time.Time

	PlannedUntil time.Time // every slot after PlannedFrom up to here has its row

	Opaque string // the name that says nothing of it; empty: it never was sensitive
}

// Look is how the letters of a series look.
type Look struct {
	templates.Look
	Logo string `json:"logo,omitempty"` // hash of a picture; empty: the site's name in letters
}

// Change holds the values of `series add` and `series set`; nil leaves a value as it is (or at its default).
type Change struct {
	Title, FromName, FromEmail, ReplyTo, PostalAddress, Language, Zone *string
	Schedule                                                           []string // nil: unchanged
	StartDate, Welcome, WhenNotReady, Disclaimer, DisclaimerPlace      *string
	Mode                                                               *Mode
	MinGap, Grace                                                      *time.Duration
	Theme, Accent, Ground, Type                                        *string  // empty: the theme's own
	Logo                                                               *Picture // without bytes: none
	Private, Sensitive                                                 *bool
}

// Add makes a series. It fails with all that is wrong at once (ErrInvalid, ErrSchedule, ErrDisclaimer, ErrSlug joined).
// Drip series get welcome "first" and when_not_ready "skip" where the change does not say otherwise, live series "latest"
// and "hold"; the zone is UTC, the language en, the sender's name the title where none is given.
func Add(ctx context.Context, tx *store.Tx, slug string, c Change, now time.Time) (Series, error) {
	s := defaults(c)
	s.Slug = slug
	if err := errors.Join(checkSeriesSlug(slug), s.apply(c)); err != nil {
		return Series{}, fmt.Errorf("series %s: %w", printable(slug), err)
	}
	if err := errors.Join(c.keepLogo(ctx, tx, now), insertSeries(ctx, tx, s, now)); err != nil {
		return Series{}, fmt.Errorf("series %s: %w", slug, err)
	}
	return BySlug(ctx, tx, slug)
}

func defaults(c Change) Series {
	s := Series{
		Language: "en", Zone: "UTC", Mode: Live,
		MinGap: 3 * 24 * time.Hour, Grace: 6 * time.Hour, Disclaimer: Disclaimer{Place: "end"},
	}
	s.Welcome, s.WhenNotReady = s.Mode.defaults()
	s.followMode(c.Mode)
	return s
}

const addSeries = `INSERT INTO series (slug, title, from_name, from_email, reply_to, postal_address, language, zone, schedule,
	start_date, mode, welcome, min_gap, when_not_ready, grace, planned_from, planned_until, created, updated, look, private, sensitive, public_name)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?16, ?16, ?16, ?17, ?18, ?19, ?20)
ON CONFLICT (slug) DO NOTHING RETURNING id`

func insertSeries(ctx context.Context, tx *store.Tx, s Series, now time.Time) error {
	err := tx.QueryRow(ctx, addSeries, s.Slug, s.Title, s.FromName, s.FromEmail, s.ReplyTo, s.PostalAddress, s.Language, s.Zone,
		strings.Join(s.Schedule, "\n"), s.StartDate, string(s.Mode), s.Welcome, s.MinGap.Milliseconds(), s.WhenNotReady,
		s.Grace.Milliseconds(), millis(now), s.Look.encode(), flag(s.Private), flag(s.Sensitive), s.Opaque).Scan(&s.ID)
	if errors.Is(err, store.ErrNotFound) {
		return wrong(ErrSlug, "there is a series of this name already; choose another, or change that one with series set")
	}
	if err != nil {
		return err
	}
	return addDisclaimer(ctx, tx, s.ID, s.Disclaimer, now)
}

const setSeries = `UPDATE series SET title = ?2, from_name = ?3, from_email = ?4, reply_to = ?5, postal_address = ?6,
	language = ?7, zone = ?8, schedule = ?9, start_date = ?10, mode = ?11, welcome = ?12, min_gap = ?13, when_not_ready = ?14,
	grace = ?15, updated = ?16, look = ?17, private = ?18, sensitive = ?19, public_name = ?20
WHERE id = ?1`

// Set changes a series; a new disclaimer text becomes a new version. A new schedule or zone replans the slots to come:
// pinned and skipped dates stay.
func Set(ctx context.Context, tx *store.Tx, slug string, c Change, now time.Time) (Series, error) {
	old, err := BySlug(ctx, tx, slug)
	if err != nil {
		return Series{}, err
	}
	s := old
	s.followMode(c.Mode)
	if err := s.apply(c); err != nil {
		return Series{}, fmt.Errorf("series %s: %w", slug, err)
	}
	_, err = tx.Exec(ctx, setSeries, s.ID, s.Title, s.FromName, s.FromEmail, s.ReplyTo, s.PostalAddress, s.Language, s.Zone,
		strings.Join(s.Schedule, "\n"), s.StartDate, string(s.Mode), s.Welcome, s.MinGap.Milliseconds(), s.WhenNotReady,
		s.Grace.Milliseconds(), millis(now), s.Look.encode(), flag(s.Private), flag(s.Sensitive), s.Opaque)
	if err := errors.Join(err, c.keepLogo(ctx, tx, now)); err != nil {
		return Series{}, fmt.Errorf("series %s: %w", slug, err)
	}
	if s.Disclaimer != old.Disclaimer {
		if err := addDisclaimer(ctx, tx, s.ID, s.Disclaimer, now); err != nil {
			return Series{}, fmt.Errorf("series %s: %w", slug, err)
		}
	}
	if s.Zone != old.Zone || s.StartDate != old.StartDate || !slices.Equal(s.Schedule, old.Schedule) {
		if err := replan(ctx, tx, s, now); err != nil {
			return Series{}, fmt.Errorf("series %s: %w", slug, err)
		}
	}
	return BySlug(ctx, tx, slug)
}

// defaults are what a mode does where the editor doesn't say otherwise (rules 3 and 11).
func (m Mode) defaults() (welcome, whenNotReady string) {
	if m == Drip {
		return "first", "skip"
	}
	return "latest", "hold"
}

// followMode lets what still stands at the old mode's default become the new one's; what an editor chose stays.
func (s *Series) followMode(mode *Mode) {
	if mode == nil || *mode == s.Mode {
		return
	}
	oldWelcome, oldWhenNotReady := s.Mode.defaults()
	welcome, whenNotReady := mode.defaults()
	if s.Welcome == oldWelcome {
		s.Welcome = welcome
	}
	if s.WhenNotReady == oldWhenNotReady {
		s.WhenNotReady = whenNotReady
	}
}

const seriesRows = `SELECT s.id, s.slug, s.title, s.from_name, s.from_email, s.reply_to, s.postal_address, s.language, s.zone, s.schedule,
	s.start_date, s.mode, s.welcome, s.min_gap, s.when_not_ready, s.grace, s.state = 'paused', s.planned_from, s.planned_until,
	s.created, s.updated, d.id, d.version, d.text, d.place, s.look, s.private, s.sensitive, s.public_name
FROM series s
JOIN disclaimers d ON d.series_id = s.id AND d.version = (SELECT max(x.version) FROM disclaimers x WHERE x.series_id = s.id)`

// scan reads a row of seriesRows.
func (s *Series) scan(scan func(dest ...any) error) error {
	var schedule, look string
	var minGap, grace, from, until, created, updated int64
	err := scan(&s.ID, &s.Slug, &s.Title, &s.FromName, &s.FromEmail, &s.ReplyTo, &s.PostalAddress, &s.Language, &s.Zone, &schedule,
		&s.StartDate, &s.Mode, &s.Welcome, &minGap, &s.WhenNotReady, &grace, &s.Paused, &from, &until, &created, &updated,
		&s.Disclaimer.ID, &s.Disclaimer.Version, &s.Disclaimer.Text, &s.Disclaimer.Place, &look, &s.Private, &s.Sensitive, &s.Opaque)
	if err != nil {
		return err
	}
	s.Schedule = strings.Split(schedule, "\n")
	s.MinGap, s.Grace = time.Duration(minGap)*time.Millisecond, time.Duration(grace)*time.Millisecond
	s.PlannedFrom, s.PlannedUntil = instant(from), instant(until)
	s.Created, s.Updated = instant(created), instant(updated)
	return json.Unmarshal([]byte(look), &s.Look)
}

const seriesBySlug = seriesRows + ` WHERE s.slug = ?1 || ''`

// ErrNoSeries is store.ErrNotFound of a series that somebody named.
var ErrNoSeries = fmt.Errorf("%w", store.ErrNotFound)

// BySlug returns ErrNoSeries for an unknown series.
func BySlug(ctx context.Context, q store.Querier, slug string) (Series, error) {
	var s Series
	if err := s.scan(q.QueryRow(ctx, seriesBySlug, slug).Scan); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			err = ErrNoSeries
		}
		return Series{}, fmt.Errorf("series %s: %w", printable(slug), err)
	}
	return s, nil
}

const seriesByID = seriesRows + ` WHERE s.id = +?1`

// ByID returns store.ErrNotFound for an unknown series.
func ByID(ctx context.Context, q store.Querier, id int64) (Series, error) {
	var s Series
	if err := s.scan(q.QueryRow(ctx, seriesByID, id).Scan); err != nil {
		return Series{}, fmt.Errorf("series %d: %w", id, err)
	}
	return s, nil
}

const allSeries = seriesRows + ` ORDER BY s.slug`

// All lists the series by slug.
func All(ctx context.Context, q store.Querier) ([]Series, error) {
	all, err := collect(ctx, q, (*Series).scan, allSeries)
	if err != nil {
		return nil, fmt.Errorf("list series: %w", err)
	}
	return all, nil
}

const pauseSeries = `UPDATE series SET state = 'paused', updated = ?2 WHERE id = ?1 AND state = 'active'`

// Pause stops planning; Resume starts at the next regular slot after now. Both are idempotent.
func Pause(ctx context.Context, tx *store.Tx, slug string, now time.Time) error {
	s, err := BySlug(ctx, tx, slug)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, pauseSeries, s.ID, millis(now)); err != nil {
		return fmt.Errorf("pause series %s: %w", slug, err)
	}
	return nil
}

const resumeSeries = `UPDATE series SET state = 'active', planned_from = ?2, planned_until = ?3, updated = ?2
WHERE id = ?1`

// Resume ends a pause: slots that passed meanwhile are recorded as skipped, nothing is sent for them.
func Resume(ctx context.Context, tx *store.Tx, slug string, now time.Time) error {
	s, err := BySlug(ctx, tx, slug)
	if err != nil || !s.Paused {
		return err
	}
	if err := skipPassed(ctx, tx, s, now); err != nil {
		return fmt.Errorf("resume series %s: %w", slug, err)
	}
	if _, err := tx.Exec(ctx, resumeSeries, s.ID, millis(now), max(millis(s.PlannedUntil), millis(now))); err != nil {
		return fmt.Errorf("resume series %s: %w", slug, err)
	}
	return nil
}
