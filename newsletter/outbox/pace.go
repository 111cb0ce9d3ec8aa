package outbox

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"pressrun/newsletter/pace"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

const (
	selectSpeeds  = `SELECT id, speed, clean FROM lanes WHERE speed IS NOT NULL`
	selectHanded  = `SELECT scope, per, until, n FROM handed`
	selectWarmUps = `SELECT domain, step, day, taken, judged, refused FROM warm_ups`
)

// keptPace reads what a Pacer before left behind.
func keptPace(ctx context.Context, q store.Querier) (k pace.Kept, err error) {
	k.Speeds, k.Warm = map[pace.Lane]pace.Speed{}, map[string]pace.Warming{}
	var lane pace.Lane
	var speed pace.Speed
	var left pace.Left
	var per, until int64
	var domain string
	var warm pace.Warming
	for _, read := range []struct {
		query string
		into  []any
		keep  func()
	}{
		{selectSpeeds, []any{&lane, &speed.PerSecond, &speed.Clean}, func() { k.Speeds[lane] = speed }},
		{selectHanded, []any{&left.Scope, &per, &until, &left.N}, func() {
			left.Per, left.Until = time.Duration(per)*time.Millisecond, time.UnixMilli(until)
			k.Left = append(k.Left, left)
		}},
		{selectWarmUps, []any{&domain, &warm.Step, &warm.Day, &warm.Taken, &warm.Judged, &warm.Refused}, func() { k.Warm[domain] = warm }},
	} {
		if err := eachRow(ctx, q, read.query, read.into, read.keep); err != nil {
			return pace.Kept{}, fmt.Errorf("what the pace was: %w", err)
		}
	}
	return k, nil
}

func eachRow(ctx context.Context, q store.Querier, query string, into []any, f func(), args ...any) error {
	rows, err := q.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		f()
	}
	return rows.Err()
}

const (
	updateSpeed  = `UPDATE lanes SET speed = ?2, clean = ?3 WHERE id = ?1`
	insertHanded = `INSERT INTO handed (scope, per, until, n) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (scope, per, until) DO UPDATE SET n = excluded.n`
	// Or what was counted under a clock that was ahead, later than the slice of now: it was counted anew, in that slice.
	deleteHanded = `DELETE FROM handed WHERE until + per <= ?1 OR until > ?1 + per / ?2`
	updateWarmUp = `UPDATE warm_ups SET step = ?2, day = ?3, taken = ?4, judged = ?5, refused = ?6 WHERE domain = ?1`
)

// keepPace writes what outlives the run, in the transaction of the claim that it is about: what may not leave a second time
// after a crash was counted before it left.
func keepPace(ctx context.Context, tx *store.Tx, k pace.Kept, now time.Time) error {
	for lane, s := range k.Speeds {
		if _, err := tx.Exec(ctx, updateSpeed, lane, s.PerSecond, s.Clean); err != nil {
			return fmt.Errorf("keep the pace: %w", err)
		}
	}
	for _, l := range k.Left {
		if _, err := tx.Exec(ctx, insertHanded, l.Scope, l.Per.Milliseconds(), l.Until.UnixMilli(), l.N); err != nil {
			return fmt.Errorf("keep the pace: %w", err)
		}
	}
	for domain, warm := range k.Warm {
		if _, err := tx.Exec(ctx, updateWarmUp, domain, warm.Step, warm.Day, warm.Taken, warm.Judged, warm.Refused); err != nil {
			return fmt.Errorf("keep the pace: %w", err)
		}
	}
	if len(k.Left) > 0 {
		if _, err := tx.Exec(ctx, deleteHanded, now.UnixMilli(), pace.Slices); err != nil {
			return fmt.Errorf("keep the pace: %w", err)
		}
	}
	return nil
}

const (
	selectWarmDomains = `SELECT domain FROM warm_ups ORDER BY domain`
	insertWarmUp      = `INSERT INTO warm_ups (domain) VALUES (?1) ON CONFLICT (domain) DO NOTHING`
	deleteWarmUp      = `DELETE FROM warm_ups WHERE domain = ?1`
)

// SetWarmUps makes the given sender domains those that are being warmed up. One that is not among them any more begins anew
// if it ever comes back.
func SetWarmUps(ctx context.Context, db *store.DB, domains []string) error {
	have := []string{}
	var domain string
	if err := eachRow(ctx, db, selectWarmDomains, []any{&domain}, func() { have = append(have, domain) }); err != nil {
		return fmt.Errorf("warm-ups: %w", err)
	}
	want := slices.Sorted(slices.Values(domains))
	if slices.Equal(have, want) {
		return nil
	}
	err := db.InTx(ctx, func(tx *store.Tx) error {
		for _, domain := range have {
			if !slices.Contains(want, domain) {
				if _, err := tx.Exec(ctx, deleteWarmUp, domain); err != nil {
					return err
				}
			}
		}
		for _, domain := range want {
			if _, err := tx.Exec(ctx, insertWarmUp, domain); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("warm-ups: %w", err)
	}
	return nil
}

// WarmUps are the sender domains that are being warmed up, as they stand on the day of at.
func WarmUps(ctx context.Context, q store.Querier, at time.Time) (map[string]pace.Warming, error) {
	kept, err := keptPace(ctx, q)
	for domain, warm := range kept.Warm {
		kept.Warm[domain] = warm.On(at)
	}
	return kept.Warm, err
}

const isWarming = `SELECT EXISTS (SELECT 1 FROM warm_ups WHERE domain = ?1)`

// oldestFirst says whether an issue goes to those first who confirmed longest ago: its sender's domain is being warmed up, and
// they complain least.
func oldestFirst(ctx context.Context, q store.Querier, issue series.Issue) (yes bool, err error) {
	if err := q.QueryRow(ctx, isWarming, domainOf(issue.FromEmail)).Scan(&yes); err != nil {
		return false, fmt.Errorf("issue %d: warm-up: %w", issue.ID, err)
	}
	return yes, nil
}

const selectSenders = `SELECT i.id, i.from_email FROM issues i WHERE i.state = 'sending' AND i.state NOT IN ('done', 'cancelled')`

// share is a part of the issues that are sent: those of one sender that is being warmed up, or all the others.
type share struct {
	warming   string
	only, not string // their numbers, as ",3,17,"; empty: all, none
}

// shares parts the issues that are sent by how their senders have to be treated.
func (w *Worker) shares(ctx context.Context, q store.Querier) ([]share, error) {
	if len(w.cfg.Pace.WarmUp) == 0 {
		return []share{{}}, nil
	}
	lists, warm := map[string]string{}, ","
	var id int64
	var from string
	err := eachRow(ctx, q, selectSenders, []any{&id, &from}, func() {
		if domain := domainOf(from); w.pacer.Warming(domain) {
			lists[domain] += fmt.Sprint(id, ",")
			warm += fmt.Sprint(id, ",")
		}
	})
	if err != nil {
		return nil, fmt.Errorf("senders: %w", err)
	}
	all := []share{{not: warm}}
	for _, domain := range slices.Sorted(maps.Keys(lists)) {
		all = append(all, share{warming: domain, only: "," + lists[domain]})
	}
	return all, nil
}

// warming is the domain of an issue's sender where that is being warmed up; else empty.
func (w *Worker) warming(ctx context.Context, issueID int64) string {
	if len(w.cfg.Pace.WarmUp) == 0 || issueID == 0 {
		return ""
	}
	issue, err := w.issues.get(ctx, w, issueID)
	if err == nil && w.pacer.Warming(issue.domain) {
		return issue.domain
	}
	return ""
}

// What waits of the issues up to one, that one included: they go first.
const countAhead = `SELECT d.lane, count(*) FROM issues i CROSS JOIN deliveries d
WHERE i.state NOT IN ('done', 'cancelled') AND (i.id = ?1 OR (i.state = 'sending' AND (i.id < ?1 OR ?1 = 0)))
	AND d.issue_id = i.id AND d.state = 'pending'
	AND NOT EXISTS (SELECT 1 FROM stops s WHERE s.issue_id = i.id AND s.lane IN (d.lane, -1))
GROUP BY d.lane`

// CourseOf is when what waits of an issue goes out at the pace of now, behind the issues that are sent before it. What
// providers are stopped for is left out.
func CourseOf(ctx context.Context, q store.Querier, plan pace.Plan, issue series.Issue, now time.Time) (pace.Course, error) {
	rows, err := ahead(ctx, q, issue.ID)
	if err != nil || len(rows) == 0 {
		return pace.Course{}, err
	}
	return course(ctx, q, plan, rows, issue.FromEmail, now)
}

func ahead(ctx context.Context, q store.Querier, issueID int64) (map[pace.Lane]int, error) {
	rows := map[pace.Lane]int{}
	var lane pace.Lane
	var n int
	if err := eachRow(ctx, q, countAhead, []any{&lane, &n}, func() { rows[lane] = n }, issueID); err != nil {
		return nil, fmt.Errorf("issue %d: count what waits: %w", issueID, err)
	}
	return rows, nil
}

const countProviders = `SELECT coalesce(l.lane, 0), count(*)
FROM mailable m JOIN addressed a ON a.subscriber_id = m.subscriber_id LEFT JOIN lane_domains l ON l.domain = a.domain
WHERE m.series_id = ?1 GROUP BY coalesce(l.lane, 0)`

// Providers counts the mailable readers of a series by their mailbox providers.
func Providers(ctx context.Context, q store.Querier, seriesID int64) (map[pace.Lane]int, error) {
	rows := map[pace.Lane]int{}
	var lane pace.Lane
	var n int
	if err := eachRow(ctx, q, countProviders, []any{&lane, &n}, func() { rows[lane] = n }, seriesID); err != nil {
		return nil, fmt.Errorf("series %d: count providers: %w", seriesID, err)
	}
	return rows, nil
}

// CourseFor is when an issue for so many readers would go out, if it began at the given time: behind what waits now, if that is
// now. providers is what Providers counted of its series.
func CourseFor(ctx context.Context, q store.Querier, plan pace.Plan, providers map[pace.Lane]int, readers int64, fromEmail string, at, now time.Time) (pace.Course, error) {
	rows := map[pace.Lane]int{}
	if !at.After(now) {
		var err error
		if rows, err = ahead(ctx, q, 0); err != nil {
			return pace.Course{}, err
		}
	}
	total, left := 0, int(readers)
	for _, n := range providers {
		total += n
	}
	for lane, n := range providers {
		part := int(int64(n) * readers / int64(total))
		rows[lane] += part
		left -= part
	}
	if left > 0 {
		rows[pace.Rest] += left
	}
	maps.DeleteFunc(rows, func(_ pace.Lane, n int) bool { return n == 0 })
	if len(rows) == 0 {
		return pace.Course{}, nil
	}
	return course(ctx, q, plan, rows, fromEmail, later(at, now))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func course(ctx context.Context, q store.Querier, plan pace.Plan, rows map[pace.Lane]int, fromEmail string, at time.Time) (pace.Course, error) {
	kept, err := keptPace(ctx, q)
	if err != nil {
		return pace.Course{}, err
	}
	warming := domainOf(fromEmail)
	if !slices.Contains(plan.WarmUp, warming) {
		warming = ""
	}
	if plan.Zone != nil {
		at = at.In(plan.Zone)
	}
	return pace.New(plan, kept).Course(rows, warming, at), nil
}

// afterHours says that the hours of issues ended since a delivery was claimed.
func (w *Worker) afterHours(r row) bool { return r.issue != 0 && !w.cfg.Pace.Hours.Open(w.now()) }

// shortWait is how long Drain waits for the pace: that of a second or a minute, and not that of a day.
const shortWait = 2 * time.Minute

const selectDueLanes = `SELECT l.id, i.from_email FROM issues i CROSS JOIN lanes l
WHERE i.state = 'sending' AND i.state NOT IN ('done', 'cancelled')
	AND NOT EXISTS (SELECT 1 FROM stops s WHERE s.issue_id = i.id AND s.lane = l.id)
	AND EXISTS (SELECT 1 FROM deliveries d
		WHERE d.issue_id = i.id AND d.lane = l.id AND d.state = 'pending' AND d.next_try <= ?1)`

const noticeDue = `SELECT EXISTS (SELECT 1 FROM deliveries WHERE issue_id IS NULL AND lane = 0 AND state = 'pending' AND next_try <= ?1)`

// untilPace is how long what is due may not leave for the pace alone; 0 where nothing is kept by it. It is never 0 where
// issues may leave and something of them is due: then its time came since the claim, and it is claimed next.
func (w *Worker) untilPace(ctx context.Context, issues bool) time.Duration {
	if w.cfg.Pace.Off() {
		return 0
	}
	now := w.now()
	var next time.Time
	var waits bool
	err := w.cfg.DB.QueryRow(ctx, noticeDue, now.UnixMilli()).Scan(&waits)
	if at := w.pacer.NextNotice(now); waits && (issues || at.After(now)) {
		next = at
	}
	if err == nil && issues {
		var soonest time.Time
		soonest, _, err = w.nextDue(ctx, now)
		if next.IsZero() || !soonest.IsZero() && soonest.Before(next) {
			next = soonest
		}
	}
	switch {
	case err != nil:
		w.log.Warn("the pace could not be read", "error", err)
		return time.Second
	case next.IsZero():
		return 0
	}
	return max(next.Sub(now), time.Millisecond)
}

// nextDue is when the first of the issues' rows that are due may leave, and what it waits for; zero: none is due.
func (w *Worker) nextDue(ctx context.Context, now time.Time) (soonest time.Time, why string, err error) {
	var lane pace.Lane
	var from string
	err = eachRow(ctx, w.cfg.DB, selectDueLanes, []any{&lane, &from}, func() {
		warming := ""
		if domain := domainOf(from); w.pacer.Warming(domain) {
			warming = domain
		}
		if at, reason := w.pacer.Next(lane, warming, now); soonest.IsZero() || at.Before(soonest) {
			soonest, why = at, reason
		}
	}, now.UnixMilli())
	return soonest, why, err
}

const selectFirstSender = `SELECT i.from_email FROM issues i WHERE i.state = 'sending' AND i.state NOT IN ('done', 'cancelled') ORDER BY i.id LIMIT 1`

// Backlog is when all that waits of issues goes out at the pace of now, and what keeps it; "" where that isn't the pace.
func Backlog(ctx context.Context, q store.Querier, plan pace.Plan, now time.Time) (c pace.Course, why string, err error) {
	if plan.Off() {
		return c, "", nil
	}
	rows, err := ahead(ctx, q, 0)
	if err != nil || len(rows) == 0 {
		return c, "", err
	}
	var from string
	if err := q.QueryRow(ctx, selectFirstSender).Scan(&from); err != nil {
		return c, "", fmt.Errorf("backlog: %w", err)
	}
	if c, err = course(ctx, q, plan, rows, from, now); err != nil || !c.Begins.After(now) {
		return c, "", err
	}
	kept, err := keptPace(ctx, q)
	if err != nil {
		return c, "", err
	}
	p := pace.New(plan, kept)
	warming := ""
	if domain := domainOf(from); p.Warming(domain) {
		warming = domain
	}
	for lane := range rows {
		if at, reason := p.Next(lane, warming, now); at.Equal(c.Begins) {
			why = reason
		}
	}
	return c, why, nil
}
