package subscribers

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
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
	Enrolment  Enrolment // in the first series; that of somebody who left stays ended until they confirm
	Series     []int64   // those that the confirmation is for
	Token      string    // of the confirmation link; empty where no confirmation must be sent (active already, suppressed, asked too often)
	Serial     int64
}

// Join records that somebody asks to get series: a new enrolment is pending, an active one stays as it is, and that of
// somebody who left stays ended; all wait for one Confirm. Somebody suppressed by a complaint or by hand gets no token.
// An address gets at most one confirmation a day, for whatever series or for a change of address, and three ever that it does not
// answer: beyond that the Token is empty too. Where it is empty nothing was
// changed, and what somebody has told of themselves who confirmed once is never changed: anybody can type their address.
// Errors wrap ErrAddress and ErrField, and ErrOldKey where the key was rotated since.
func (r *Registry) Join(ctx context.Context, tx *store.Tx, seriesIDs []int64, a Addition, e Evidence) (Request, error) {
	addr, a, err := a.parse()
	if err != nil {
		return Request{}, fmt.Errorf("join series %d: %w", seriesIDs, err)
	}
	req, err := r.join(ctx, tx, seriesIDs, addr, a, e)
	if err != nil {
		return Request{}, fmt.Errorf("join series %d: %w", seriesIDs, err)
	}
	return req, nil
}

func (r *Registry) join(ctx context.Context, tx *store.Tx, seriesIDs []int64, addr Address, a Addition, e Evidence) (Request, error) {
	p, err := r.lookUp(ctx, tx, addr)
	if err != nil {
		return Request{}, err
	}
	req := Request{Subscriber: p.Subscriber}
	wanted, err := r.joinable(ctx, tx, p, seriesIDs, &req)
	if err != nil {
		return Request{}, err
	}
	may, err := r.mayAsk(ctx, tx, p)
	if err != nil || !may || len(wanted) == 0 {
		return req, err
	}
	if p.ID == 0 {
		err = r.insert(ctx, tx, addr, a, &p)
	} else {
		err = r.rename(ctx, tx, a, &p)
	}
	if err != nil {
		return Request{}, err
	}
	req.Subscriber = p.Subscriber
	return req, r.request(ctx, tx, p, wanted, addr, e, &req)
}

// joinable leaves out the series that somebody gets already, or is kept out of until an owner lifts that.
func (r *Registry) joinable(ctx context.Context, q store.Querier, p person, seriesIDs []int64, req *Request) (wanted []Enrolment, err error) {
	for i, id := range seriesIDs {
		enrolment := Enrolment{SeriesID: id}
		if p.ID != 0 {
			if enrolment, err = enrolmentOrNone(ctx, q, id, p.ID); err != nil {
				return nil, err
			}
			enrolment.SeriesID = id
		}
		reason, err := standing(ctx, q, p, id)
		if err != nil {
			return nil, err
		}
		if i == 0 && enrolment.ID != 0 {
			req.Enrolment = enrolment
		}
		if enrolment.State != Active && enrolment.State != Paused && !onlyOwnerLifts(reason) {
			wanted = append(wanted, enrolment)
		}
	}
	return wanted, nil
}

// request records one request for each series, all of one instant: by it Confirm knows what one form asked for.
func (r *Registry) request(ctx context.Context, tx *store.Tx, p person, wanted []Enrolment, addr Address, e Evidence, req *Request) error {
	if err := stillNewest(ctx, tx, r.Key); err != nil {
		return err
	}
	at := r.now()
	for _, enrolment := range wanted {
		id := enrolment.SeriesID
		if enrolment.ID == 0 {
			var err error
			if enrolment, err = r.enrol(ctx, tx, id, p.ID, start{state: Pending}); err != nil {
				return err
			}
		}
		serial, err := r.record(ctx, tx, p, Consent{SeriesID: id, Event: eventRequested, At: at, Evidence: e, Email: addr.Typed})
		if err != nil {
			return err
		}
		if req.Serial == 0 {
			req.Serial, req.Enrolment = serial, enrolment
			req.Token = r.Key.Seal(Token{Purpose: PurposeConfirm, SubscriberID: p.ID, SeriesID: id, Serial: serial})
		}
		req.Series = append(req.Series, id)
	}
	return nil
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
	count(DISTINCT CASE WHEN id > coalesce((SELECT max(id) FROM consents WHERE subscriber_id = ?1 AND event = 'confirmed'), 0) THEN at END)
		+ coalesce((SELECT requests FROM unanswered WHERE hash = ?2), 0),
	coalesce(max(at), 0), coalesce((SELECT last FROM unanswered WHERE hash = ?2), 0)
FROM consents WHERE subscriber_id = ?1 AND event = 'requested'`

// mayAsk says whether a confirmation may be mailed. Whoever answers has shown that the mailbox is theirs, so that only
// unanswered ones count for ever; for the day each of them does. What one form asked for is one.
func (r *Registry) mayAsk(ctx context.Context, tx *store.Tx, p person) (bool, error) {
	var unanswered, joined, moved int64
	if err := tx.QueryRow(ctx, selectAsked, p.ID, p.address).Scan(&unanswered, &joined, &moved); err != nil {
		return false, err
	}
	return unanswered < maxRequests && !r.now().Before(instant(max(joined, moved)).Add(requestEvery)), nil
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

// Confirmed is an enrolment as a confirmation left it; Fresh where it was this one that made it active.
type Confirmed struct {
	Enrolment
	Fresh bool
}

// Confirm activates the enrolments that token's request, and all that were made with it, asked for, and lifts what only the
// person can lift: their unsubscribe from these series or from everything, their erasure, and a bounce. Confirming twice is one
// confirmation: none is fresh the second time. ErrToken or ErrNotPending where the link has nothing to confirm (any more);
// with ErrSuppressed besides where a complaint or an owner keeps the address out.
func (r *Registry) Confirm(ctx context.Context, tx *store.Tx, token string, e Evidence) ([]Confirmed, error) {
	t, err := r.Key.OpenConfirm(ctx, tx, token)
	if err != nil {
		return nil, fmt.Errorf("confirm: %w", err)
	}
	all, err := r.confirmAll(ctx, tx, t, Consent{Event: eventConfirmed, Evidence: e, Token: digest(token)})
	if err != nil {
		return nil, fmt.Errorf("confirm request %d: %w", t.Serial, err)
	}
	return all, nil
}

func (r *Registry) confirmAll(ctx context.Context, tx *store.Tx, t Token, proof Consent) (all []Confirmed, err error) {
	together, err := RequestsWith(ctx, tx, t)
	if err != nil {
		return nil, err
	}
	none := ErrNotPending
	for _, one := range together {
		enrolment, fresh, err := r.confirm(ctx, tx, one, proof)
		if errors.Is(err, ErrNotPending) {
			none = err
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, Confirmed{enrolment, fresh})
	}
	if len(all) == 0 {
		return nil, none
	}
	return all, nil
}

const selectTogether = `SELECT id, series_id FROM consents
WHERE subscriber_id = ?1 AND event = 'requested' AND at = (SELECT at FROM consents WHERE id = ?2 AND subscriber_id = ?1) ORDER BY id`

// RequestsWith are the tokens of all requests that were made with the one that t confirms: those of one form. None where it
// is gone.
func RequestsWith(ctx context.Context, q store.Querier, t Token) (all []Token, err error) {
	rows, err := q.Query(ctx, selectTogether, t.SubscriberID, t.Serial)
	if err != nil {
		return nil, fmt.Errorf("requests with %d: %w", t.Serial, err)
	}
	defer rows.Close()
	for rows.Next() {
		one := Token{Purpose: PurposeConfirm, SubscriberID: t.SubscriberID}
		if err := rows.Scan(&one.Serial, &one.SeriesID); err != nil {
			return nil, fmt.Errorf("requests with %d: %w", t.Serial, err)
		}
		all = append(all, one)
	}
	if !slices.Contains(all, t) {
		return nil, rows.Err()
	}
	return all, rows.Err()
}

const (
	selectAnswered = `SELECT EXISTS (SELECT 1 FROM consents WHERE request_id = ?1)`
	selectOpen     = `SELECT EXISTS (SELECT 1 FROM open_requests WHERE id = ?1 AND subscriber_id = ?2 AND series_id = ?3)`
)

func (r *Registry) confirm(ctx context.Context, tx *store.Tx, t Token, proof Consent) (Enrolment, bool, error) {
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
	if err := r.welcomeBack(ctx, tx, p, t, proof); err != nil {
		return Enrolment{}, false, err
	}
	if in { // enrolled by the owner meanwhile
		return enrolment, true, nil
	}
	enrolment, err = r.activate(ctx, tx, enrolment, r.now())
	return enrolment, true, err
}

const (
	liftOwn         = `DELETE FROM suppressions WHERE hash = ?1 AND series_id IN (0, ?2) AND reason IN ('unsubscribe', 'erasure', 'bounce')`
	forgiveRequests = `DELETE FROM unanswered WHERE hash = ?1`
)

// welcomeBack records the confirmation, of which proof has all but the request, and lifts what it lifts; ErrSuppressed where more
// stands than the person can lift.
func (r *Registry) welcomeBack(ctx context.Context, tx *store.Tx, p person, t Token, proof Consent) error {
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
	proof.SeriesID, proof.RequestID = t.SeriesID, t.Serial
	_, err = r.record(ctx, tx, p, proof)
	return err
}

const (
	countExpired = `INSERT INTO unanswered (hash, requests)
SELECT s.address_hash, count(DISTINCT r.at) FROM consents r JOIN subscribers s ON s.id = r.subscriber_id
WHERE r.event = 'requested' AND r.at < ?1 AND (r.series_id = ?2 OR ?2 = 0) AND NOT EXISTS (SELECT 1 FROM consents c WHERE c.request_id = r.id)
	AND r.id > coalesce((SELECT max(c.id) FROM consents c WHERE c.subscriber_id = r.subscriber_id AND c.event = 'confirmed'), 0)
GROUP BY s.address_hash
ON CONFLICT (hash) DO UPDATE SET requests = unanswered.requests + excluded.requests`
	deleteExpired = `DELETE FROM consents
WHERE event = 'requested' AND at < ?1 AND (series_id = ?2 OR ?2 = 0)
	AND NOT EXISTS (SELECT 1 FROM consents c WHERE c.request_id = consents.id)`
	deleteUnconfirmed = `DELETE FROM enrolments
WHERE state = 'pending' AND created < ?1 AND (series_id = ?2 OR ?2 = 0)
	AND NOT EXISTS (SELECT 1 FROM consents c
		WHERE c.subscriber_id = enrolments.subscriber_id AND (c.series_id IS NULL OR c.series_id = enrolments.series_id))
RETURNING subscriber_id`
)

// Sweep deletes requests that were never confirmed within 14 days, the enrolments that nothing else stands for, and people who
// have nothing else (their row is emptied as in Erase; they may ask again). Of a request only its number in the count of
// unanswered ones stays, under the keyed hash. Fresh links that led to nothing go too. It returns how many requests were deleted.
func (r *Registry) Sweep(ctx context.Context, tx *store.Tx) (int64, error) {
	n, err := r.sweep(ctx, tx, r.now().Add(-requestLives).UnixMilli(), 0)
	if err == nil {
		_, err = tx.Exec(ctx, deleteLinks, r.now().Add(-linkForgets).UnixMilli())
	}
	if err == nil {
		_, err = tx.Exec(ctx, deleteSignUps, r.now().Add(-signUpHour).UnixMilli())
	}
	if err != nil {
		return 0, fmt.Errorf("sweep requests: %w", err)
	}
	return n, nil
}

// sweep is Sweep for requests of a series, or with 0 of all.
func (r *Registry) sweep(ctx context.Context, tx *store.Tx, before, seriesID int64) (int64, error) {
	if _, err := tx.Exec(ctx, countExpired, before, seriesID); err != nil {
		return 0, err
	}
	n, err := tx.Exec(ctx, deleteExpired, before, seriesID)
	if err != nil {
		return 0, err
	}
	rows, err := tx.Query(ctx, deleteUnconfirmed, before, seriesID)
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
