package subscribers

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"pressrun/subscribers/store"
)

// State is the state of an enrolment.
type State string

const (
	Pending State = "pending" // not confirmed, or brought by an import that was not finished
	Active  State = "active"
	Paused  State = "paused" // until a date
	Ended   State = "ended"
)

// Enrolment is a person in a series.
type Enrolment struct {
	ID, SeriesID, SubscriberID int64
	State                      State
	EndedBy                    string    // unsubscribe, bounce, complaint; empty unless State is Ended
	Cycle                      int64     // from 1; see StartAgain
	CycleSince                 time.Time // when it began; zero: it is the first
	PausedUntil                time.Time // zero unless Paused
	ReadingID                  int64     // see Readings; counts in the first cycle alone; 0: none
	ActiveSince                time.Time // of the last time they became active; zero: never
	EndedAt                    time.Time // zero unless Ended
	Created, Updated           time.Time
}

// enrolmentRow is where the columns of an enrolment are read into.
type enrolmentRow struct {
	Enrolment
	cycleSince, paused, since, ended, created, updated int64
}

func (r *enrolmentRow) columns() []any {
	return []any{
		&r.ID, &r.SeriesID, &r.SubscriberID, &r.State, &r.EndedBy, &r.Cycle, &r.cycleSince, &r.paused, &r.ReadingID,
		&r.since, &r.ended, &r.created, &r.updated,
	}
}

func (r *enrolmentRow) value() Enrolment {
	if r.State == Paused {
		r.PausedUntil = instant(r.paused)
	}
	r.CycleSince, r.ActiveSince, r.EndedAt = instant(r.cycleSince), instant(r.since), instant(r.ended)
	r.Created, r.Updated = instant(r.created), instant(r.updated)
	return r.Enrolment
}

func scanEnrolment(row scanner) (Enrolment, error) {
	var r enrolmentRow
	if err := row.Scan(r.columns()...); err != nil {
		return Enrolment{}, err
	}
	return r.value(), nil
}

const selectEnrolments = `SELECT id, series_id, subscriber_id, state, ended_by, cycle, coalesce(cycle_since, 0), coalesce(paused_until, 0),
	coalesce(reading_id, 0), coalesce(active_since, 0), coalesce(ended_at, 0), created, updated
FROM enrolled WHERE subscriber_id = ?1 ORDER BY series_id`

// Enrolments lists a person's enrolments by series number.
func Enrolments(ctx context.Context, q store.Querier, subscriberID int64) ([]Enrolment, error) {
	rows, err := q.Query(ctx, selectEnrolments, subscriberID)
	if err != nil {
		return nil, fmt.Errorf("enrolments of subscriber %d: %w", subscriberID, err)
	}
	defer rows.Close()
	var all []Enrolment
	for rows.Next() {
		e, err := scanEnrolment(rows)
		if err != nil {
			return nil, fmt.Errorf("enrolments of subscriber %d: %w", subscriberID, err)
		}
		all = append(all, e)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("enrolments of subscriber %d: %w", subscriberID, err)
	}
	return all, nil
}

const selectEnrolment = `SELECT id, series_id, subscriber_id, state, ended_by, cycle, coalesce(cycle_since, 0), coalesce(paused_until, 0),
	coalesce(reading_id, 0), coalesce(active_since, 0), coalesce(ended_at, 0), created, updated
FROM enrolled WHERE series_id = ?1 AND subscriber_id = ?2`

// EnrolmentOf returns store.ErrNotFound for somebody who never was in the series.
func EnrolmentOf(ctx context.Context, q store.Querier, seriesID, subscriberID int64) (Enrolment, error) {
	e, err := scanEnrolment(q.QueryRow(ctx, selectEnrolment, seriesID, subscriberID))
	if err != nil {
		return Enrolment{}, fmt.Errorf("subscriber %d in series %d: %w", subscriberID, seriesID, err)
	}
	return e, nil
}

// enrolmentOrNone is EnrolmentOf with the zero Enrolment for nobody.
func enrolmentOrNone(ctx context.Context, q store.Querier, seriesID, subscriberID int64) (Enrolment, error) {
	e, err := EnrolmentOf(ctx, q, seriesID, subscriberID)
	if errors.Is(err, store.ErrNotFound) {
		return Enrolment{}, nil
	}
	return e, err
}

// start is how a new enrolment begins.
type start struct {
	state State
	by    string    // what ended it; empty unless state is Ended
	since time.Time // when they became active; zero: never
	until time.Time // of Paused
}

// The cycle is the one that the record knows: an enrolment that a sweep took away goes on where it was left off.
const insertEnrolment = `INSERT INTO enrolments (series_id, subscriber_id, state, ended_by, ended_at, active_since, paused_until, created, updated,
	cycle, cycle_since)
SELECT ?1, ?2, ?3, ?4, nullif(?5, 0), nullif(?6, 0), nullif(?7, 0), ?8, ?8, 1 + count(*), max(c.at)
FROM consents c WHERE c.subscriber_id = ?2 AND c.series_id = ?1 AND c.event = 'restarted'
RETURNING id, series_id, subscriber_id, state, ended_by, cycle, coalesce(cycle_since, 0), coalesce(paused_until, 0),
	coalesce(reading_id, 0), coalesce(active_since, 0), coalesce(ended_at, 0), created, updated`

func (r *Registry) enrol(ctx context.Context, tx *store.Tx, seriesID, subscriberID int64, s start) (Enrolment, error) {
	now := r.now()
	ended, since, until := s.instants(now)
	return scanEnrolment(tx.QueryRow(ctx, insertEnrolment, seriesID, subscriberID, s.state, s.by, ended, since, until, now.UnixMilli()))
}

// instants are the columns of a start, 0 for none.
func (s start) instants(now time.Time) (ended, since, until int64) {
	if s.state == Ended {
		ended = now.UnixMilli()
	}
	if !s.since.IsZero() {
		since = s.since.UnixMilli()
	}
	if !s.until.IsZero() {
		until = s.until.UnixMilli()
	}
	return ended, since, until
}

const activateEnrolment = `UPDATE enrolments SET state = 'active', ended_by = '', ended_at = NULL, paused_until = NULL,
	active_since = ?2, import_id = NULL, updated = ?3
WHERE id = ?1
RETURNING id, series_id, subscriber_id, state, ended_by, cycle, coalesce(cycle_since, 0), coalesce(paused_until, 0),
	coalesce(reading_id, 0), coalesce(active_since, 0), coalesce(ended_at, 0), created, updated`

// activate makes a pending or ended enrolment active. The cycle stays: who comes back goes on where they left off
// (SERIES rule 14).
func (r *Registry) activate(ctx context.Context, tx *store.Tx, e Enrolment, since time.Time) (Enrolment, error) {
	return scanEnrolment(tx.QueryRow(ctx, activateEnrolment, e.ID, since.UnixMilli(), r.now().UnixMilli()))
}

// Enrol makes an active enrolment without a confirmation, on the word of the site's owner (because). It never revives:
// somebody who left, bounced, complained, was erased or suppressed stays out, with ErrSuppressed. Somebody active or paused stays
// as they are. Errors wrap ErrAddress, ErrField and, without a reason, ErrBecause.
func (r *Registry) Enrol(ctx context.Context, tx *store.Tx, seriesID int64, a Addition, because string) (Enrolment, error) {
	addr, a, err := a.parse()
	if err != nil {
		return Enrolment{}, fmt.Errorf("enrol: %w", err)
	}
	because = strings.TrimSpace(because)
	if because == "" {
		return Enrolment{}, fmt.Errorf("enrol: %w", ErrBecause)
	}
	e, err := r.enrolOnWord(ctx, tx, seriesID, addr, a, because)
	if err != nil {
		return Enrolment{}, fmt.Errorf("enrol: %w", err)
	}
	return e, nil
}

func (r *Registry) enrolOnWord(ctx context.Context, tx *store.Tx, seriesID int64, addr Address, a Addition, because string) (Enrolment, error) {
	f, err := r.find(ctx, tx, seriesID, addr)
	if err != nil {
		return Enrolment{}, err
	}
	if gone := f.keptOut(); gone != "" {
		return Enrolment{}, fmt.Errorf("%w: %s", ErrSuppressed, goneWords(gone))
	}
	if _, err := r.put(ctx, tx, addr, a, &f.person); err != nil {
		return Enrolment{}, err
	}
	e := f.enrolment
	switch e.State {
	case Active, Paused:
		return e, nil
	case Pending:
		e, err = r.activate(ctx, tx, e, r.now())
	default:
		e, err = r.enrol(ctx, tx, seriesID, f.ID, start{state: Active, since: r.now()})
	}
	if err != nil {
		return Enrolment{}, err
	}
	_, err = r.record(ctx, tx, f.person, Consent{SeriesID: seriesID, Event: eventAdded, Evidence: Evidence{Because: because}, Email: addr.Typed})
	return e, err
}

// found is all that decides whether an address may come into a series.
type found struct {
	person
	enrolment Enrolment // zero: none
	loose     bool      // the enrolment is of an import that is not done
	standing  string    // the gravest suppression; empty: none
}

func (r *Registry) find(ctx context.Context, q store.Querier, seriesID int64, addr Address) (f found, err error) {
	if f.person, err = r.lookUp(ctx, q, addr); err != nil {
		return found{}, err
	}
	if f.ID != 0 {
		if f.enrolment, err = enrolmentOrNone(ctx, q, seriesID, f.ID); err != nil {
			return found{}, err
		}
	}
	f.standing, err = standing(ctx, q, f.person, seriesID)
	return f, err
}

// keptOut returns the reason that keeps them out unless they themselves come back: a suppression, or how their enrolment
// ended; "" for none.
func (f found) keptOut() string { return cmp.Or(f.standing, f.enrolment.EndedBy) }

// goneWords says a reason of a suppression as what happened to the person.
func goneWords(reason string) string {
	switch reason {
	case reasonUnsubscribe:
		return "they unsubscribed"
	case reasonBounce:
		return "mail to them bounced"
	case reasonComplaint:
		return "they complained"
	case reasonErasure:
		return "they were erased"
	}
	return "they were suppressed by hand"
}

const pauseEnrolment = `UPDATE enrolments SET state = 'paused', paused_until = ?3, updated = ?4
WHERE subscriber_id = ?1 AND series_id = ?2 AND state IN ('active', 'paused')`

// Pause keeps an active person from getting issues until a date, when Wake makes them active again. store.ErrNotFound
// for somebody who is not active in the series.
func (r *Registry) Pause(ctx context.Context, tx *store.Tx, subscriberID, seriesID int64, until time.Time, e Evidence) error {
	p, err := personByID(ctx, tx, subscriberID)
	if err != nil {
		return fmt.Errorf("pause subscriber %d: %w", subscriberID, err)
	}
	n, err := tx.Exec(ctx, pauseEnrolment, subscriberID, seriesID, until.UnixMilli(), r.now().UnixMilli())
	if err == nil && n == 0 {
		err = store.ErrNotFound
	}
	if err == nil {
		_, err = r.record(ctx, tx, p, Consent{SeriesID: seriesID, Event: eventPaused, Evidence: e})
	}
	if err != nil {
		return fmt.Errorf("pause subscriber %d in series %d: %w", subscriberID, seriesID, err)
	}
	return nil
}

const (
	recordWoken = `INSERT INTO consents (subscriber_id, series_id, event, at, email)
SELECT e.subscriber_id, e.series_id, 'resumed', ?1, s.email FROM enrolments e JOIN subscribers s ON s.id = e.subscriber_id
WHERE e.state = 'paused' AND e.paused_until <= ?1`
	wakePaused = `UPDATE enrolments SET state = 'active', paused_until = NULL, updated = ?1 WHERE state = 'paused' AND paused_until <= ?1`
)

// Wake makes the paused whose date has come active again and returns how many.
func (r *Registry) Wake(ctx context.Context, tx *store.Tx) (int64, error) {
	now := r.now().UnixMilli()
	if _, err := tx.Exec(ctx, recordWoken, now); err != nil {
		return 0, fmt.Errorf("wake the paused: %w", err)
	}
	n, err := tx.Exec(ctx, wakePaused, now)
	if err != nil {
		return 0, fmt.Errorf("wake the paused: %w", err)
	}
	return n, nil
}

const selectMailable = `SELECT EXISTS (SELECT 1 FROM mailable WHERE series_id = ?1 AND subscriber_id = ?2)`

// Mailable says whether the view mailable has the person in the series.
func Mailable(ctx context.Context, q store.Querier, seriesID, subscriberID int64) (bool, error) {
	var yes bool
	if err := q.QueryRow(ctx, selectMailable, seriesID, subscriberID).Scan(&yes); err != nil {
		return false, fmt.Errorf("mailable: subscriber %d in series %d: %w", subscriberID, seriesID, err)
	}
	return yes, nil
}

const selectReachable = `SELECT EXISTS (SELECT 1 FROM mailable WHERE series_id = ?1 AND subscriber_id = ?2)
	OR EXISTS (SELECT 1 FROM on_break WHERE series_id = ?1 AND subscriber_id = ?2)`

// Reachable says whether a person is mailable in the series, or on a break from it and mailable after that as things are.
func Reachable(ctx context.Context, q store.Querier, seriesID, subscriberID int64) (bool, error) {
	var yes bool
	if err := q.QueryRow(ctx, selectReachable, seriesID, subscriberID).Scan(&yes); err != nil {
		return false, fmt.Errorf("reachable: subscriber %d in series %d: %w", subscriberID, seriesID, err)
	}
	return yes, nil
}

// Counts are people of a series by enrolment state, and how many of the active ones are mailable.
type Counts struct{ Pending, Active, Paused, Ended, Mailable int64 }

const selectCounts = `SELECT
	coalesce(sum(CASE WHEN state = 'pending' THEN 1 END), 0), coalesce(sum(CASE WHEN state = 'active' THEN 1 END), 0),
	coalesce(sum(CASE WHEN state = 'paused' THEN 1 END), 0), coalesce(sum(CASE WHEN state = 'ended' THEN 1 END), 0),
	(SELECT count(*) FROM mailable WHERE series_id = ?1)
FROM enrolled WHERE series_id = ?1`

// Count counts the people of a series.
func Count(ctx context.Context, q store.Querier, seriesID int64) (Counts, error) {
	var c Counts
	if err := q.QueryRow(ctx, selectCounts, seriesID).Scan(&c.Pending, &c.Active, &c.Paused, &c.Ended, &c.Mailable); err != nil {
		return Counts{}, fmt.Errorf("count series %d: %w", seriesID, err)
	}
	return c, nil
}

const selectReadings = `SELECT id, articles FROM readings WHERE series_id = ?1`

// Readings returns, by the number of a reading, the articles that its people had before they came to the series.
func Readings(ctx context.Context, q store.Querier, seriesID int64) (map[int64][]int64, error) {
	rows, err := q.Query(ctx, selectReadings, seriesID)
	if err != nil {
		return nil, fmt.Errorf("readings of series %d: %w", seriesID, err)
	}
	defer rows.Close()
	all := map[int64][]int64{}
	for rows.Next() {
		var id int64
		var text string
		if err := rows.Scan(&id, &text); err != nil {
			return nil, fmt.Errorf("readings of series %d: %w", seriesID, err)
		}
		var articles []int64
		if err := json.Unmarshal([]byte(text), &articles); err != nil {
			return nil, fmt.Errorf("reading %d: %w", id, err)
		}
		all[id] = articles
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("readings of series %d: %w", seriesID, err)
	}
	return all, nil
}
