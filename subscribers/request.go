package subscribers

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"pressrun/subscribers/store"
)

// ErrNotPending says that a confirmation has nothing to confirm: its request is gone, was followed by another, or by a
// leave.
var ErrNotPending = errors.New("nothing to confirm")

// How often an address may be asked to confirm, and how long an answer may take.
const (
	requestEvery = 24 * time.Hour
	maxRequests  = 3
	requestLives = 14 * 24 * time.Hour
)

// Request is the outcome of asking to join. Where nobody had to be stored, Subscriber and Enrolment are zero.
type Request struct {
	Subscriber Subscriber
	Enrolment  Enrolment // that of somebody who left stays ended until they confirm
	Token      string    // of the confirmation link; empty where no confirmation must be sent (active already, suppressed, asked too often)
	Serial     int64
}

// Join records that somebody asks to get a series: a new enrolment is pending, an active one stays as it is, and that of
// somebody who left stays ended; all wait for Confirm. Somebody suppressed by a complaint, a bounce or by hand gets no token.
// An address gets at most one confirmation a day, for whatever series, and three ever that it does not answer: beyond that
// the Token is empty too. Where it is empty nothing was
// changed, and what somebody has told of themselves who confirmed once is never changed: anybody can type their address.
// Errors wrap ErrAddress and ErrField.
func (r *Registry) Join(ctx context.Context, tx *store.Tx, seriesID int64, a Addition, e Evidence) (Request, error) {
	addr, a, err := a.parse()
	if err != nil {
		return Request{}, fmt.Errorf("join series %d: %w", seriesID, err)
	}
	req, err := r.join(ctx, tx, seriesID, addr, a, e)
	if err != nil {
		return Request{}, fmt.Errorf("join series %d: %w", seriesID, err)
	}
	return req, nil
}

func (r *Registry) join(ctx context.Context, tx *store.Tx, seriesID int64, addr Address, a Addition, e Evidence) (Request, error) {
	f, err := r.find(ctx, tx, seriesID, addr)
	if err != nil {
		return Request{}, err
	}
	may, err := r.mayAsk(ctx, tx, f)
	if err != nil {
		return Request{}, err
	}
	if !may {
		return Request{Subscriber: f.Subscriber, Enrolment: f.enrolment}, nil
	}
	if f.ID == 0 {
		err = r.insert(ctx, tx, addr, a, &f.person)
	} else {
		err = r.rename(ctx, tx, a, &f.person)
	}
	if err != nil {
		return Request{}, err
	}
	if f.enrolment.ID == 0 {
		if f.enrolment, err = r.enrol(ctx, tx, seriesID, f.ID, start{state: Pending}); err != nil {
			return Request{}, err
		}
	}
	serial, err := r.record(ctx, tx, f.person, Consent{SeriesID: seriesID, Event: eventRequested, Evidence: e, Email: addr.Typed})
	if err != nil {
		return Request{}, err
	}
	token := r.Key.Seal(Token{Purpose: PurposeConfirm, SubscriberID: f.ID, SeriesID: seriesID, Serial: serial})
	return Request{Subscriber: f.Subscriber, Enrolment: f.enrolment, Token: token, Serial: serial}, nil
}

const renameUnknown = `UPDATE subscribers SET name = ?2, language = ?3
WHERE id = ?1 AND EXISTS (SELECT 1 FROM consents c WHERE c.subscriber_id = ?1)
	AND NOT EXISTS (SELECT 1 FROM consents c WHERE c.subscriber_id = ?1 AND c.event <> 'requested')`

// rename replaces what was typed for somebody of whom there are only requests: whoever asks last may be they themselves, and
// the first one a stranger.
func (r *Registry) rename(ctx context.Context, tx *store.Tx, a Addition, p *person) error {
	n, err := tx.Exec(ctx, renameUnknown, p.ID, a.Name, a.Language)
	if err == nil && n > 0 {
		p.Name, p.Language = a.Name, a.Language
	}
	return err
}

const selectAsked = `SELECT
	count(CASE WHEN id > coalesce((SELECT max(id) FROM consents WHERE subscriber_id = ?1 AND event = 'confirmed'), 0) THEN 1 END)
		+ coalesce((SELECT requests FROM unanswered WHERE hash = ?2), 0),
	coalesce(max(at), 0)
FROM consents WHERE subscriber_id = ?1 AND event = 'requested'`

// mayAsk says whether a confirmation may be mailed. Whoever answers has shown that the mailbox is theirs, so that only
// unanswered ones count for ever; for the day each of them does.
func (r *Registry) mayAsk(ctx context.Context, tx *store.Tx, f found) (bool, error) {
	if f.enrolment.State == Active || f.enrolment.State == Paused || onlyOwnerLifts(f.standing) {
		return false, nil
	}
	var unanswered, last int64
	if err := tx.QueryRow(ctx, selectAsked, f.ID, f.address).Scan(&unanswered, &last); err != nil {
		return false, err
	}
	return unanswered < maxRequests && !r.now().Before(instant(last).Add(requestEvery)), nil
}

const selectAsking = `SELECT EXISTS (SELECT 1 FROM open_requests WHERE subscriber_id = ?1 AND (series_id = ?2 OR ?2 = 0))`

// Asking says whether a confirmation of theirs is waited for: a request to join a series (0: any), by somebody new or by
// somebody who left, that was neither answered nor followed by a leave.
func Asking(ctx context.Context, q store.Querier, subscriberID, seriesID int64) (bool, error) {
	var yes bool
	if err := q.QueryRow(ctx, selectAsking, subscriberID, seriesID).Scan(&yes); err != nil {
		return false, fmt.Errorf("requests of subscriber %d in series %d: %w", subscriberID, seriesID, err)
	}
	return yes, nil
}

// Confirm activates the enrolment that token's request made and lifts what only the person can lift: their unsubscribe
// from this series or from everything, and their erasure. Confirming twice is one confirmation (fresh is false the second time).
// ErrToken or ErrNotPending where the link has nothing to confirm (any more); with ErrSuppressed besides where a bounce, a
// complaint or an owner keeps the address out.
func (r *Registry) Confirm(ctx context.Context, tx *store.Tx, token string, e Evidence) (enrolment Enrolment, fresh bool, err error) {
	t, err := r.Key.Open(token, PurposeConfirm)
	if err != nil {
		return Enrolment{}, false, fmt.Errorf("confirm: %w", err)
	}
	enrolment, fresh, err = r.confirm(ctx, tx, t, e)
	if err != nil {
		return Enrolment{}, false, fmt.Errorf("confirm request %d: %w", t.Serial, err)
	}
	return enrolment, fresh, nil
}

const (
	selectAnswered = `SELECT EXISTS (SELECT 1 FROM consents WHERE request_id = ?1)`
	selectOpen     = `SELECT EXISTS (SELECT 1 FROM open_requests WHERE id = ?1 AND subscriber_id = ?2 AND series_id = ?3)`
)

func (r *Registry) confirm(ctx context.Context, tx *store.Tx, t Token, e Evidence) (Enrolment, bool, error) {
	p, err := personByID(ctx, tx, t.SubscriberID)
	if errors.Is(err, store.ErrNotFound) {
		return Enrolment{}, false, ErrNotPending
	}
	if err != nil {
		return Enrolment{}, false, err
	}
	enrolment, err := enrolmentOrNone(ctx, tx, t.SeriesID, p.ID)
	if err != nil {
		return Enrolment{}, false, err
	}
	in := enrolment.State == Active || enrolment.State == Paused
	var answered, open bool
	if err := tx.QueryRow(ctx, selectAnswered, t.Serial).Scan(&answered); err != nil {
		return Enrolment{}, false, err
	}
	if answered && in {
		return enrolment, false, nil
	}
	if err := tx.QueryRow(ctx, selectOpen, t.Serial, p.ID, t.SeriesID).Scan(&open); err != nil {
		return Enrolment{}, false, err
	}
	if !open || enrolment.ID == 0 {
		return Enrolment{}, false, ErrNotPending
	}
	if err := r.welcomeBack(ctx, tx, p, t, e); err != nil {
		return Enrolment{}, false, err
	}
	if in { // enrolled by the owner meanwhile
		return enrolment, true, nil
	}
	enrolment, err = r.activate(ctx, tx, enrolment, r.now())
	return enrolment, true, err
}

const (
	liftOwn         = `DELETE FROM suppressions WHERE hash = ?1 AND series_id IN (0, ?2) AND reason IN ('unsubscribe', 'erasure')`
	forgiveRequests = `DELETE FROM unanswered WHERE hash = ?1`
)

// welcomeBack records the confirmation and lifts what it lifts; ErrSuppressed where more stands than the person can lift.
func (r *Registry) welcomeBack(ctx context.Context, tx *store.Tx, p person, t Token, e Evidence) error {
	reason, err := standing(ctx, tx, p, t.SeriesID)
	if err != nil {
		return err
	}
	if onlyOwnerLifts(reason) {
		return fmt.Errorf("%w: %w: %s", ErrNotPending, ErrSuppressed, goneWords(reason))
	}
	if _, err := tx.Exec(ctx, liftOwn, p.address, t.SeriesID); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, forgiveRequests, p.address); err != nil {
		return err
	}
	_, err = r.record(ctx, tx, p, Consent{SeriesID: t.SeriesID, Event: eventConfirmed, RequestID: t.Serial, Evidence: e})
	return err
}

const (
	countExpired = `INSERT INTO unanswered (hash, requests)
SELECT s.address_hash, count(*) FROM consents r JOIN subscribers s ON s.id = r.subscriber_id
WHERE r.event = 'requested' AND r.at < ?1 AND NOT EXISTS (SELECT 1 FROM consents c WHERE c.request_id = r.id)
	AND r.id > coalesce((SELECT max(c.id) FROM consents c WHERE c.subscriber_id = r.subscriber_id AND c.event = 'confirmed'), 0)
GROUP BY s.address_hash
ON CONFLICT (hash) DO UPDATE SET requests = unanswered.requests + excluded.requests`
	deleteExpired = `DELETE FROM consents
WHERE event = 'requested' AND at < ?1 AND NOT EXISTS (SELECT 1 FROM consents c WHERE c.request_id = consents.id)`
	deleteUnconfirmed = `DELETE FROM enrolments
WHERE state = 'pending' AND created < ?1
	AND NOT EXISTS (SELECT 1 FROM consents c
		WHERE c.subscriber_id = enrolments.subscriber_id AND (c.series_id IS NULL OR c.series_id = enrolments.series_id))
RETURNING subscriber_id`
)

// Sweep deletes requests that were never confirmed within 14 days, the enrolments that nothing else stands for, and people who
// have nothing else (their row is emptied as in Erase; they may ask again). Of a request only its number in the count of
// unanswered ones stays, under the keyed hash. It returns how many requests were deleted.
func (r *Registry) Sweep(ctx context.Context, tx *store.Tx) (int64, error) {
	n, err := r.sweep(ctx, tx, r.now().Add(-requestLives).UnixMilli())
	if err != nil {
		return 0, fmt.Errorf("sweep requests: %w", err)
	}
	return n, nil
}

func (r *Registry) sweep(ctx context.Context, tx *store.Tx, before int64) (int64, error) {
	if _, err := tx.Exec(ctx, countExpired, before); err != nil {
		return 0, err
	}
	n, err := tx.Exec(ctx, deleteExpired, before)
	if err != nil {
		return 0, err
	}
	rows, err := tx.Query(ctx, deleteUnconfirmed, before)
	if err != nil {
		return 0, err
	}
	people, err := scanIDs(rows)
	if err != nil {
		return 0, err
	}
	for _, id := range people {
		if err := r.forget(ctx, tx, id); err != nil {
			return 0, err
		}
	}
	return n, nil
}

func scanIDs(rows *sql.Rows) (ids []int64, err error) {
	defer rows.Close()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

const selectHasNothing = `SELECT NOT EXISTS (SELECT 1 FROM enrolments WHERE subscriber_id = ?1)
	AND NOT EXISTS (SELECT 1 FROM consents WHERE subscriber_id = ?1)`

// forget empties the row of somebody who has neither an enrolment nor a consent left.
func (r *Registry) forget(ctx context.Context, tx *store.Tx, id int64) error {
	var nothing bool
	if err := tx.QueryRow(ctx, selectHasNothing, id).Scan(&nothing); err != nil || !nothing {
		return err
	}
	return r.blank(ctx, tx, id)
}
