package subscribers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"pressrun/subscribers/store"
)

// How long a series keeps people whose mere presence says something of them.
const (
	sensitiveRequests = 3 * 24 * time.Hour
	sensitiveLeft     = 90 * 24 * time.Hour
)

// SweepSensitive is Sweep for series that say something of their readers: requests never confirmed go after 3 days. People who
// left 90 days ago are erased where they get nothing else; of those who do, what only this series needed goes: the enrolment, what
// they had read before they came, why they left and what was noted of it. They stay out as before, by a suppression under
// their hash, and who confirms again goes on behind the last letter they had.
//
// What stays of them until they have left everything for 90 days too: the consents, whose trigger lets go only of people in erasure
// (they are the proof that GDPR article 7(1) asks for), and with those the words and the form that they agreed to. Fields and tags stay as well:
// they are the person's, and nothing says by which series they came. So do the deliveries, which are not this package's: without
// them the same letter could come twice. A new enrolment is in the cycle that the consents know.
//
// Of all sensitive series together, also where none is one any more, people of whom the proof alone is left are erased once they have left
// everything for 90 days.
//
// At most 200 people of each kind at a time. They are looked for while others write, and some in each transaction are looked at again and
// go, so that nobody waits for it.
func (r *Registry) SweepSensitive(ctx context.Context, db *store.DB, series []int64) (err error) {
	before := r.now().Add(-sensitiveLeft).UnixMilli()
	for _, id := range series {
		if one := r.sweepSeries(ctx, db, id, before); one != nil {
			err = errors.Join(err, fmt.Errorf("sweep series %d: %w", id, one))
		}
	}
	if proven := r.sweepProven(ctx, db, before); proven != nil {
		err = errors.Join(err, fmt.Errorf("sweep proofs: %w", proven))
	}
	return err
}

func (r *Registry) sweepSeries(ctx context.Context, db *store.DB, seriesID, before int64) error {
	err := short(ctx, db, func(tx *store.Tx) error {
		_, err := r.sweep(ctx, tx, r.now().Add(-sensitiveRequests).UnixMilli(), seriesID)
		return err
	})
	if err != nil {
		return err
	}
	if err := r.eraseGone(ctx, db, seriesID, before); err != nil {
		return err
	}
	return forgetLeft(ctx, db, seriesID, before)
}

// someTogether calls f for the people whom a query finds, some of them in each transaction.
func someTogether(ctx context.Context, db *store.DB, f func(*store.Tx, int64) error, query string, args ...any) error {
	const together = 20
	rows, err := db.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	people, err := scanIDs(rows)
	if err != nil {
		return err
	}
	for some := range slices.Chunk(people, together) {
		err := short(ctx, db, func(tx *store.Tx) error {
			for _, id := range some {
				if err := f(tx, id); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// getsNothing is the condition that somebody of e has got nothing since the instant ?2, and asked for nothing.
const getsNothing = `NOT EXISTS (SELECT 1 FROM enrolments o WHERE o.subscriber_id = e.subscriber_id AND (o.state <> 'ended' OR o.ended_at >= ?2))
	AND NOT EXISTS (SELECT 1 FROM open_requests q WHERE q.subscriber_id = e.subscriber_id)`

const (
	longGone       = `FROM enrolments e WHERE e.series_id = ?1 AND e.state = 'ended' AND e.ended_at < ?2 AND ` + getsNothing
	selectLongGone = `SELECT e.subscriber_id ` + longGone + ` LIMIT 200`
	isLongGone     = `SELECT EXISTS (SELECT 1 ` + longGone + ` AND e.subscriber_id = ?3)`
)

// eraseGone erases who left the series and gets nothing else.
func (r *Registry) eraseGone(ctx context.Context, db *store.DB, seriesID, before int64) error {
	return someTogether(ctx, db, func(tx *store.Tx, id int64) error {
		var gone bool
		if err := tx.QueryRow(ctx, isLongGone, seriesID, before, id).Scan(&gone); err != nil || !gone {
			return err
		}
		return r.Erase(ctx, tx, id)
	}, selectLongGone, seriesID, before)
}

const (
	selectProvenNow = `SELECT p.subscriber_id FROM proven p WHERE p.look_at <= ?1 ORDER BY p.look_at LIMIT 200`
	isProvenGone    = `SELECT EXISTS (SELECT 1 FROM proven e WHERE e.subscriber_id = ?1 AND ` + getsNothing + `)`
	// Who gets something can't have left long ago before as long again has passed; of the others, a request may be open.
	lookLater = `UPDATE proven SET look_at = CASE
	WHEN EXISTS (SELECT 1 FROM enrolments o WHERE o.subscriber_id = ?1 AND o.state IN ('active', 'paused')) THEN ?2 + ?3
	WHEN EXISTS (SELECT 1 FROM enrolments o WHERE o.subscriber_id = ?1 AND o.ended_at >= ?2 - ?3)
		THEN (SELECT max(o.ended_at) FROM enrolments o WHERE o.subscriber_id = ?1) + ?3 + 1
	ELSE ?2 + ?4 END
WHERE subscriber_id = ?1`
)

// sweepProven erases who is kept for the proof alone and gets nothing any more. Each is looked at when that may be.
func (r *Registry) sweepProven(ctx context.Context, db *store.DB, before int64) error {
	const again = 24 * time.Hour
	now := r.now().UnixMilli()
	return someTogether(ctx, db, func(tx *store.Tx, id int64) error {
		var gone bool
		if err := tx.QueryRow(ctx, isProvenGone, id, before).Scan(&gone); err != nil {
			return err
		}
		if gone {
			return r.Erase(ctx, tx, id)
		}
		_, err := tx.Exec(ctx, lookLater, id, now, sensitiveLeft.Milliseconds(), again.Milliseconds())
		return err
	}, selectProvenNow, now)
}

const (
	leftOne = `FROM enrolments e
WHERE e.series_id = ?1 AND e.state = 'ended' AND e.ended_at < ?2
	AND EXISTS (SELECT 1 FROM enrolments o WHERE o.subscriber_id = e.subscriber_id AND (o.state <> 'ended' OR o.ended_at >= ?2))
	AND NOT EXISTS (SELECT 1 FROM open_requests q WHERE q.subscriber_id = e.subscriber_id AND q.series_id = e.series_id)`
	selectLeftOne = `SELECT e.subscriber_id ` + leftOne + ` LIMIT 200`
	isLeftOne     = `SELECT EXISTS (SELECT 1 ` + leftOne + ` AND e.subscriber_id = ?3)`
)

// What of an end is kept, and what goes. The enrolment alone may keep them out, of whom a confirmation for another series, or an owner,
// lifted what stood against everything: so the end is made to stand for this one first, as of its own time. A complaint that an owner
// lifted leaves the way back open that a leave does: their own confirmation. Reasons for leaving everything since are of another leave.
const (
	insertKeptEnd = `INSERT INTO suppressions (hash, series_id, reason, created)
SELECT s.address_hash, e.series_id, CASE WHEN e.ended_by = 'complaint' AND NOT EXISTS (SELECT 1 FROM suppressions x
	WHERE x.hash = s.address_hash AND x.series_id IN (0, e.series_id) AND x.reason = 'complaint') THEN 'unsubscribe' ELSE e.ended_by END, e.ended_at
FROM enrolments e JOIN subscribers s ON s.id = e.subscriber_id
WHERE e.series_id = ?1 AND e.subscriber_id = ?2
ON CONFLICT (hash, series_id, reason) DO NOTHING`
	silenceEnd = `UPDATE suppressions SET because = ''
WHERE hash = (SELECT s.address_hash FROM subscribers s WHERE s.id = ?2) AND series_id = ?1 AND reason IN ('unsubscribe', 'bounce', 'complaint')`
	insertProven = `INSERT INTO proven (subscriber_id)
SELECT e.subscriber_id FROM enrolments e WHERE e.series_id = ?1 AND e.subscriber_id = ?2
ON CONFLICT (subscriber_id) DO NOTHING`
	deleteEnrolment     = `DELETE FROM enrolments WHERE series_id = ?1 AND subscriber_id = ?2`
	deleteSeriesReasons = `DELETE FROM leave_reasons
WHERE consent_id IN (SELECT c.id FROM consents c WHERE c.subscriber_id = ?2 AND (c.series_id = +?1 OR (c.series_id IS NULL AND c.at < +?3)))`
)

// forgetLeft removes what only the series needed of people who still get another.
func forgetLeft(ctx context.Context, db *store.DB, seriesID, before int64) error {
	return someTogether(ctx, db, func(tx *store.Tx, id int64) error {
		var left bool
		if err := tx.QueryRow(ctx, isLeftOne, seriesID, before, id).Scan(&left); err != nil || !left {
			return err
		}
		if _, err := tx.Exec(ctx, deleteSeriesReasons, seriesID, id, before); err != nil {
			return err
		}
		for _, query := range []string{insertKeptEnd, silenceEnd, insertProven, deleteEnrolment} {
			if _, err := tx.Exec(ctx, query, seriesID, id); err != nil {
				return err
			}
		}
		return nil
	}, selectLeftOne, seriesID, before)
}
