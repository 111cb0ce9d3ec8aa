package subscribers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"pressrun/subscribers/store"
)

// ErrSuppressed says that somebody left, bounced, complained, was erased or was suppressed by hand, and that only they
// themselves (or an owner, for a complaint and what was done by hand) can change that.
var ErrSuppressed = errors.New("suppressed")

// The reasons of suppressions.
const (
	reasonUnsubscribe = "unsubscribe"
	reasonBounce      = "bounce"
	reasonComplaint   = "complaint"
	reasonErasure     = "erasure"
	reasonManual      = "manual"
)

// Suppression is one reason not to mail an address or a domain.
type Suppression struct {
	SeriesID int64  // 0: everything
	Reason   string // unsubscribe, bounce, complaint, erasure, manual
	Because  string
	Domain   bool // it stands against all addresses of the domain
	Created  time.Time
}

// target is an address or, led by "@" in key, a whole domain.
type target struct{ key string }

func (t target) isDomain() bool { return t.key[0] == '@' }

// parseTarget reads an address, or a domain with or without a leading "@".
func parseTarget(s string) (target, error) {
	s = strings.TrimSpace(s)
	if name := strings.TrimPrefix(s, "@"); !strings.Contains(name, "@") {
		domain, err := parseDomain(name)
		if err != nil {
			return target{}, err
		}
		return target{"@" + domain}, nil
	}
	addr, err := ParseAddress(s)
	return target{addr.Key}, err
}

// Suppress keeps an address, or with a bare domain all of its addresses, from getting anything of the series
// (0: of the site). A bounce or a complaint also ends the address's enrolments in that scope; by hand ("manual") they stay and
// wait for Unsuppress. Reason is unsubscribe, bounce, complaint or manual; a domain takes manual alone. target may be
// unknown to us. It is idempotent. Errors wrap ErrAddress.
func (r *Registry) Suppress(ctx context.Context, tx *store.Tx, target string, seriesID int64, reason, because string) error {
	t, err := parseTarget(target)
	if err != nil {
		return fmt.Errorf("suppress: %w", err)
	}
	if t.isDomain() && reason != reasonManual {
		return fmt.Errorf("suppress for %s: %w: a whole domain can only be suppressed by hand", reason, ErrAddress)
	}
	if err := r.suppress(ctx, tx, t, seriesID, reason, because); err != nil {
		return fmt.Errorf("suppress: %w", err)
	}
	return nil
}

const insertSuppression = `INSERT INTO suppressions (hash, series_id, reason, because, created) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (hash, series_id, reason) DO NOTHING`

func (r *Registry) suppress(ctx context.Context, tx *store.Tx, t target, seriesID int64, reason, because string) error {
	p, err := personByKey(ctx, tx, t.key) // no address begins with "@", so a domain finds nobody
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return r.suppressHash(ctx, tx, r.Key.hashAddress(t.key), p, seriesID, reason, because)
}

// suppressHash is suppress for a person, with number 0 for nobody whom we know.
func (r *Registry) suppressHash(ctx context.Context, tx *store.Tx, hash string, p person, seriesID int64, reason, because string) error {
	if p.ID != 0 && reason == reasonUnsubscribe {
		return r.leave(ctx, tx, p, seriesID, Evidence{Because: because})
	}
	now := r.now()
	n, err := tx.Exec(ctx, insertSuppression, hash, seriesID, reason, because, now.UnixMilli())
	if err != nil || n == 0 || p.ID == 0 {
		return err
	}
	if reason != reasonManual {
		if _, err := end(ctx, tx, p, seriesID, reason, now); err != nil {
			return err
		}
	}
	e := Evidence{Because: strings.TrimSuffix(reason+": "+because, ": ")}
	_, err = r.record(ctx, tx, p, Consent{SeriesID: seriesID, Event: eventSuppressed, Evidence: e})
	return err
}

const endEnrolments = `UPDATE enrolments SET state = 'ended', ended_by = ?3, ended_at = ?4, updated = ?4
WHERE subscriber_id = ?1 AND (series_id = ?2 OR ?2 = 0)
	AND (state <> 'ended' OR (?3 <> 'unsubscribe' AND ended_by NOT IN ('complaint', ?3)))`

// end ends the enrolments of p in a series, or with 0 all, and returns how many changed. A bounce outweighs an
// unsubscribe and a complaint both, since they are harder to come back from.
func end(ctx context.Context, tx *store.Tx, p person, seriesID int64, by string, now time.Time) (int64, error) {
	return tx.Exec(ctx, endEnrolments, p.ID, seriesID, by, now.UnixMilli())
}

const (
	liftTarget = `DELETE FROM suppressions WHERE hash = ?1 AND (series_id = ?2 OR ?2 = 0) AND reason IN ('manual', 'bounce', 'complaint')`
	standsAt   = `SELECT count(*), coalesce(sum(CASE WHEN reason IN ('manual', 'bounce', 'complaint') THEN 1 END), 0)
FROM suppressions WHERE hash = ?1`
)

// Unsuppress lifts what was set by hand, and a bounce or complaint with the owner's reason: of a series, or with 0 of the site and all
// series. Never an unsubscribe or an erasure (ErrSuppressed). An enrolment that a bounce or a complaint ended stays ended: the person may now ask again and
// confirm. store.ErrNotFound where there is nothing to lift, ErrBecause without a reason.
func (r *Registry) Unsuppress(ctx context.Context, tx *store.Tx, target string, seriesID int64, because string) error {
	t, err := parseTarget(target)
	if err != nil {
		return fmt.Errorf("unsuppress: %w", err)
	}
	if err := r.unsuppress(ctx, tx, t, seriesID, strings.TrimSpace(because)); err != nil {
		return fmt.Errorf("unsuppress: %w", err)
	}
	return nil
}

func (r *Registry) unsuppress(ctx context.Context, tx *store.Tx, t target, seriesID int64, because string) error {
	if because == "" {
		return ErrBecause
	}
	n, err := tx.Exec(ctx, liftTarget, r.Key.hashAddress(t.key), seriesID)
	if err != nil {
		return err
	}
	if n == 0 {
		return r.whyNotLifted(ctx, tx, t)
	}
	p, err := personByKey(ctx, tx, t.key)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = r.record(ctx, tx, p, Consent{SeriesID: seriesID, Event: eventUnsuppressed, Evidence: Evidence{Because: because}})
	return err
}

const (
	selectComplaintLifted = `SELECT coalesce(max(at), 0) FROM consents WHERE subscriber_id = ?1 AND event = 'unsuppressed'`
	selectBounceLifted    = `SELECT coalesce(max(at), 0) FROM consents WHERE subscriber_id = ?1 AND event IN ('unsuppressed', 'confirmed', 'undone')`
)

// ComplaintLifted is when an owner last lifted what stood against a person; zero: never. A complaint of mail that they got before is none
// of what they get since.
func ComplaintLifted(ctx context.Context, q store.Querier, subscriberID int64) (time.Time, error) {
	return lifted(ctx, q, selectComplaintLifted, subscriberID)
}

// BounceLifted is ComplaintLifted for bounces, against which the person's own word stands too: they confirmed, or undid that they left,
// by mail that had arrived.
func BounceLifted(ctx context.Context, q store.Querier, subscriberID int64) (time.Time, error) {
	return lifted(ctx, q, selectBounceLifted, subscriberID)
}

func lifted(ctx context.Context, q store.Querier, query string, subscriberID int64) (time.Time, error) {
	var at int64
	if err := q.QueryRow(ctx, query, subscriberID).Scan(&at); err != nil {
		return time.Time{}, fmt.Errorf("subscriber %d: last lift: %w", subscriberID, err)
	}
	return instant(at), nil
}

func (r *Registry) whyNotLifted(ctx context.Context, tx *store.Tx, t target) error {
	_, domain, _ := strings.Cut(t.key, "@")
	for _, try := range []struct{ key, why string }{
		{t.key, "they left or were erased, and only they themselves can come back"},
		{"@" + domain, "all of " + domain + " is suppressed, not this address"},
	} {
		var all, elsewhere int
		if err := tx.QueryRow(ctx, standsAt, r.Key.hashAddress(try.key)).Scan(&all, &elsewhere); err != nil {
			return err
		}
		switch {
		case all > 0 && elsewhere > 0 && try.key == t.key:
			return fmt.Errorf("%w, but not in this series: lift it where it stands, or everywhere", ErrSuppressed)
		case all > 0:
			return fmt.Errorf("%w: %s", ErrSuppressed, try.why)
		}
	}
	return fmt.Errorf("nothing stands against it: %w", store.ErrNotFound)
}

const selectSuppressions = `SELECT series_id, reason, because, hash = ?2, created FROM suppressions
WHERE hash IN (?1, ?2) ORDER BY created, id`

// Suppressions lists what stands against an address and its domain, oldest first. The address may be unknown to us.
func (r *Registry) Suppressions(ctx context.Context, q store.Querier, email string) ([]Suppression, error) {
	addr, err := ParseAddress(email)
	if err != nil {
		return nil, err
	}
	rows, err := q.Query(ctx, selectSuppressions, r.Key.hashAddress(addr.Key), r.Key.hashAddress("@"+addr.Domain))
	if err != nil {
		return nil, fmt.Errorf("suppressions: %w", err)
	}
	defer rows.Close()
	var all []Suppression
	for rows.Next() {
		var s Suppression
		var created int64
		if err := rows.Scan(&s.SeriesID, &s.Reason, &s.Because, &s.Domain, &created); err != nil {
			return nil, fmt.Errorf("suppressions: %w", err)
		}
		s.Created = instant(created)
		all = append(all, s)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("suppressions: %w", err)
	}
	return all, nil
}

// Sorted in Go: an ORDER BY made it nine times as slow, and imports ask it for every row.
const selectStanding = `SELECT reason FROM suppressions WHERE hash IN (?1, ?2) AND series_id IN (0, ?3)`

// standing returns the gravest reason that keeps somebody, known or not, from a series; "" for none.
func standing(ctx context.Context, q store.Querier, p person, seriesID int64) (string, error) {
	rows, err := q.Query(ctx, selectStanding, p.address, p.domain, seriesID)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	gravest := ""
	for rows.Next() {
		var reason string
		if err := rows.Scan(&reason); err != nil {
			return "", err
		}
		gravest = graver(gravest, reason)
	}
	return gravest, rows.Err()
}

// reasonsByGravity are ordered by how hard they are to lift.
func reasonsByGravity() []string {
	return []string{reasonUnsubscribe, reasonErasure, reasonBounce, reasonManual, reasonComplaint}
}

func gravity(reason string) int { return slices.Index(reasonsByGravity(), reason) }

// graver is the reason that is harder to lift; "" is none.
func graver(a, b string) string {
	if gravity(b) > gravity(a) {
		return b
	}
	return a
}

// onlyOwnerLifts says whether the person's own confirmation can't lift a suppression of this reason.
func onlyOwnerLifts(reason string) bool {
	return gravity(reason) >= gravity(reasonManual)
}
