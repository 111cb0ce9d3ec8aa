package outbox

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"strings"
	"time"

	"pressrun/newsletter/pace"
	"pressrun/subscribers/store"
)

// perConnection is how many rows wait, claimed, for each connection. All of them go back when the process dies.
const perConnection = 16

// room is how many rows may be claimed now: notices, issues' rows, and all together.
type room struct {
	notices, issues, most int
	newest                bool // of the newest issue first
}

// claim makes rows ours, as many as may leave now: notices first, then the oldest sending issue's by next_try, of each
// provider its share. With held set only what may leave before go-live is claimed: tests and login links.
func (w *Worker) claim(r room, held bool) (got []row, err error) {
	stray := w.doubt && w.held.Load() == 0
	again := false // a run before this one was undone, and what it kept with it
	var granted []grant
	forget := func() { // nothing of it leaves
		for _, g := range granted {
			g.giveBack(w.pacer)
		}
		granted = nil
	}
	err = w.writer.ask(0, func(ctx context.Context, tx *store.Tx) error {
		got = nil
		forget() // of a run before this one, which was undone
		if stray {
			if err := w.giveAllBack(ctx, tx); err != nil {
				return err
			}
		}
		now := w.now()
		lease := now.Add(w.cfg.Lease).UnixMilli()
		may := min(r.notices, r.most, w.pacer.MayNotices(now))
		if got, err = scanRows(tx.Query(ctx, claimNotices, w.owner, lease, now.UnixMilli(), may, flag(!held))); err != nil {
			return err
		}
		w.pacer.TakeNotices(len(got), now)
		granted = append(granted, grant{n: len(got), notices: true})
		if n := min(r.issues, r.most-len(got)); !held && n > 0 {
			c := laneClaim{w: w, now: now, lease: lease, n: n, newest: r.newest}
			err = c.claim(ctx, tx)
			granted = append(granted, c.granted...)
			got = append(got, c.merged()...)
		}
		if err == nil && !w.cfg.Pace.Off() {
			err = keepPace(ctx, tx, w.pacer.Keep(w.doubt || again), now)
			again = true
		}
		return err
	})
	if err != nil {
		w.doubt = true
		forget()
		return nil, fmt.Errorf("claim: %w", err)
	}
	w.doubt = w.doubt && !stray
	return got, nil
}

// grant is what the pace let leave.
type grant struct {
	n       int
	notices bool
	lane    pace.Lane // of issues
	warming string
}

func (g grant) giveBack(p *pace.Pacer) {
	if g.notices {
		p.GiveBackNotices(g.n)
	} else {
		p.GiveBack(g.lane, g.warming, g.n)
	}
}

// laneClaim is one claim of issues' rows, lane by lane, so that no provider's rows stand behind those of one that has to wait.
type laneClaim struct {
	w      *Worker
	now    time.Time
	lease  int64
	n      int // rows still wanted
	newest bool
	shares []share
	got    [][]row // of each lane

	granted []grant
}

// claim gives each lane an equal part at first, and what is left to those that had more. After each claim that found something
// another lane comes first.
func (c *laneClaim) claim(ctx context.Context, tx *store.Tx) (err error) {
	if c.shares, err = c.w.shares(ctx, tx); err != nil {
		return err
	}
	var any bool
	if err := tx.QueryRow(ctx, anyStop).Scan(&any); err != nil {
		return err
	}
	c.w.halts.Store(any)
	lanes := c.w.lanes.all(c.w.turn)
	defer func() {
		if len(c.got) > 0 {
			c.w.turn++
		}
	}()
	for _, part := range []int{max(1, c.n/len(lanes)), c.n} {
		more := lanes[:0:0]
		for _, lane := range lanes {
			want := min(part, c.n)
			n, err := c.lane(ctx, tx, lane, want)
			if err != nil {
				return err
			}
			if n == want && n > 0 {
				more = append(more, lane)
			}
		}
		lanes = more
	}
	return nil
}

// lane claims up to n rows of a lane, as many as its pace allows.
func (c *laneClaim) lane(ctx context.Context, tx *store.Tx, lane pace.Lane, n int) (claimed int, err error) {
	w := c.w
	for _, s := range c.shares {
		may := min(n-claimed, w.pacer.May(lane, s.warming, c.now))
		if may <= 0 {
			continue
		}
		query := claimIssues
		if c.newest {
			query = claimNewest
		}
		rows, err := w.claimed(tx.Query(ctx, query, w.owner, c.lease, c.now.UnixMilli(), may, lane, s.only, s.not, markRoom))
		if err != nil {
			return claimed, err
		}
		w.pacer.Take(lane, s.warming, len(rows), c.now)
		c.granted = append(c.granted, grant{n: len(rows), lane: lane, warming: s.warming})
		claimed += len(rows)
		if len(rows) > 0 {
			c.got = append(c.got, rows)
		}
	}
	c.n -= claimed
	return claimed, nil
}

// merged are the rows of all lanes, those of one provider as far from each other as can be.
func (c *laneClaim) merged() (all []row) {
	for i := 0; ; i++ {
		before := len(all)
		for _, rows := range c.got {
			if i < len(rows) {
				all = append(all, rows[i])
			}
		}
		if len(all) == before {
			return all
		}
	}
}

const claimNotices = `UPDATE deliveries SET state = 'claimed', owner = ?1, epoch = epoch + 1, lease_until = ?2, updated = ?3
WHERE id IN (
	SELECT d.id FROM deliveries d JOIN notices n ON n.id = d.notice_id
	WHERE d.issue_id IS NULL AND d.lane = 0 AND d.state = 'pending' AND d.next_try <= +?3 AND (?5 = 1 OR n.kind IN ('test', 'login'))
	ORDER BY d.next_try LIMIT +?4)
RETURNING id, epoch, owner, state, coalesce(issue_id, 0), coalesce(notice_id, 0), coalesce(subscriber_id, 0), coalesce(series_id, 0),
	cycle, tries, next_try, waited, coalesce(dated, 0), created, amb, lane`

// The issue before its rows, so that the index on (issue_id, lane, next_try) gives them in order and nothing is sorted; "NOT
// IN" says again what "sending" implies, since that is how the index of open issues is found. With each row comes to whom it
// goes, if that person may be mailed now: the mark asks again, this is what a message is written from.
const claimIssues = `UPDATE deliveries SET state = 'claimed', owner = ?1, epoch = epoch + 1, lease_until = ?2, updated = ?3, room = CASE hash WHEN '' THEN ?8 ELSE '' END
WHERE id IN (
	SELECT d.id FROM issues i CROSS JOIN deliveries d
	WHERE i.state = 'sending' AND i.state NOT IN ('done', 'cancelled')
		AND (?6 = '' OR ?6 LIKE '%,' || i.id || ',%') AND ?7 NOT LIKE '%,' || i.id || ',%'
		AND NOT EXISTS (SELECT 1 FROM stops s WHERE s.issue_id = i.id AND s.lane = +?5)
		AND d.issue_id = i.id AND d.lane = +?5 AND d.state = 'pending' AND d.next_try <= +?3
	ORDER BY i.id, d.next_try LIMIT +?4)
RETURNING id, epoch, issue_id, subscriber_id, series_id, cycle, tries, next_try, waited, coalesce(dated, 0), created, amb, lane,
	(SELECT m.email || char(10) || m.name FROM mailable m
	WHERE m.series_id = deliveries.series_id AND m.subscriber_id = deliveries.subscriber_id
		AND (m.cycle = deliveries.cycle
			OR NOT EXISTS (SELECT 1 FROM articles o WHERE o.id = deliveries.article_id AND o.series_id = deliveries.series_id)))`

var claimNewest = strings.Replace(claimIssues, "ORDER BY i.id,", "ORDER BY i.id DESC,", 1)

// markRoom is about what the first mark of a row writes more than it takes away: hash, Message-ID and date.
var markRoom = strings.Repeat(" ", 136)

// claimed reads what claimIssues and claimNewest return.
func (w *Worker) claimed(rows *sql.Rows, err error) (all []row, _ error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		r := row{owner: w.owner}
		var to sql.RawBytes
		if err := rows.Scan(&r.id, &r.epoch, &r.issue, &r.subscriber, &r.seriesID, &r.cycle, &r.tries, &r.nextTry, &r.waited,
			&r.dated, &r.created, &r.amb, &r.lane, &to); err != nil {
			return nil, err
		}
		r.to.email, r.to.name, _ = strings.Cut(string(to), "\n")
		all = append(all, r)
	}
	return all, rows.Err()
}

func scanRows(rows *sql.Rows, err error) ([]row, error) {
	all, _, err := scanStates(rows, err)
	return all, err
}

// scanStates reads rows with the states they are in.
func scanStates(rows *sql.Rows, err error) (all []row, states []state, _ error) {
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r row
		var s state
		if err := rows.Scan(&r.id, &r.epoch, &r.owner, &s, &r.issue, &r.notice, &r.subscriber, &r.seriesID,
			&r.cycle, &r.tries, &r.nextTry, &r.waited, &r.dated, &r.created, &r.amb, &r.lane); err != nil {
			return nil, nil, err
		}
		all, states = append(all, r), append(states, s)
	}
	return all, states, rows.Err()
}

const renewLeases = `UPDATE deliveries SET lease_until = ?2 WHERE owner <> '' AND owner = ?1`

// renew keeps what is ours, however long a relay takes.
func (w *Worker) renew() error {
	err := w.writer.ask(0, func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Exec(ctx, renewLeases, w.owner, w.now().Add(w.cfg.Lease).UnixMilli())
		return err
	})
	if err != nil {
		return fmt.Errorf("renew leases: %w", err)
	}
	return nil
}

const selectDead = `SELECT id, epoch, owner, state, coalesce(issue_id, 0), coalesce(notice_id, 0), coalesce(subscriber_id, 0),
	coalesce(series_id, 0), cycle, tries, next_try, waited, coalesce(dated, 0), created, amb, lane
FROM deliveries WHERE owner <> '' AND owner <> ?1 AND lease_until < ?2`

// takeOver frees the rows of other owners whose lease ended before the given instant: claimed ones are pending again; of
// one in flight nobody knows what became of it. Rows of this worker are never dead, whatever the clock does.
func takeOver(ctx context.Context, tx *store.Tx, owner string, before int64, shelf time.Duration, now time.Time) (freed, unknown int, err error) {
	rows, states, err := scanStates(tx.Query(ctx, selectDead, owner, before))
	if err != nil {
		return 0, 0, fmt.Errorf("take over: %w", err)
	}
	for i, r := range rows {
		t := turn{row: r, from: states[i], to: pending}
		if t.from == inflight {
			t = unanswered(r, "the sender died before it noted the relay's answer", shelf, now)
			unknown++
		} else {
			freed++
		}
		t.takeOver = true
		if _, err := t.make(ctx, tx, now); err != nil {
			return 0, 0, fmt.Errorf("take over: %w", err)
		}
	}
	return freed, unknown, nil
}

// anyLease is later than every lease: with the lock of the database file held, no other owner can be alive.
const anyLease = math.MaxInt64

// A next_try further ahead was written under a clock that has gone back since.
const (
	clampNotices = `UPDATE deliveries SET next_try = ?2 WHERE issue_id IS NULL AND lane = 0 AND state = 'pending' AND next_try > ?1`
	clampIssues  = `UPDATE deliveries SET next_try = ?2 WHERE id IN (
	SELECT d.id FROM issues i CROSS JOIN lanes l CROSS JOIN deliveries d
	WHERE i.state = 'sending' AND i.state NOT IN ('done', 'cancelled')
		AND d.issue_id = i.id AND d.lane = l.id AND d.state = 'pending' AND d.next_try > ?1
	LIMIT 1000)`
)

// clamp keeps any row from waiting longer than the longest wait.
func clamp(ctx context.Context, tx *store.Tx, now time.Time) error {
	latest := now.Add(longestWait).UnixMilli()
	for _, query := range []string{clampNotices, clampIssues} {
		if _, err := tx.Exec(ctx, query, latest, latest); err != nil {
			return fmt.Errorf("clamp next tries: %w", err)
		}
	}
	return nil
}
