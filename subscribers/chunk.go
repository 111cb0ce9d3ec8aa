package subscribers

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"pressrun/subscribers/store"
)

// The rows of an import are read and checked by one goroutine while another writes those before them. They are sorted by address,
// so many at a time: a transaction then touches few pages of the index of addresses, which made it three times as fast.

const (
	windowRows = 16 << 10 // rows that are sorted together
	batchRows  = 64       // rows that one statement looks up or writes
)

// How long a transaction of an import takes rows, and how long it may hold the database with its commit.
const (
	firstHold = 10 * time.Millisecond
	mostHold  = 25 * time.Millisecond
	leastHold = 4 * time.Millisecond  // less would only be more commits
	longHold  = 35 * time.Millisecond // then half of it
	shortHold = 25 * time.Millisecond // then a quarter more
)

// hashed is a row with the hashes of its address.
type hashed struct {
	row
	address, domain string
}

// takeAll goes through the file twice: those who are gone first, so that no order of lines mails them. It passes over the
// rows that were taken before.
func (im *importing) takeAll(ctx context.Context, db *store.DB) error {
	err := db.InTx(ctx, func(tx *store.Tx) (err error) {
		im.tx = tx
		im.reading, err = im.addReading(ctx)
		return err
	})
	c := &chunks{importing: im, over: im.taken, hold: firstHold}
	if err == nil && im.gone > 0 {
		err = c.pass(ctx, db, true)
	}
	if err == nil {
		err = c.pass(ctx, db, false)
	}
	if err != nil {
		return err
	}
	for _, b := range im.became {
		outcome, _ := b.words("")
		im.report.count(outcome)
	}
	return im.finish(ctx, db)
}

// chunks takes the rows of an import in short transactions.
type chunks struct {
	*importing
	over int64         // how many rows, in the order of the passes, were taken before
	hold time.Duration // how long the next transaction takes rows
}

// pass takes the rows of those who are gone, or of all others.
func (c *chunks) pass(ctx context.Context, db *store.DB, gone bool) error {
	reading, stop := context.WithCancel(ctx)
	windows, free := make(chan []hashed), make(chan []hashed, 2)
	free <- nil
	free <- nil
	failed := make(chan error, 1)
	go func() {
		defer close(windows)
		failed <- c.read(reading, gone, windows, free)
	}()
	var err error
	for window := range windows {
		if err == nil {
			err = c.takeWindow(ctx, db, window)
		}
		if err != nil {
			stop()
		}
		free <- window[:0]
	}
	stop()
	if read := <-failed; err == nil {
		err = read
	}
	return err
}

// read sends the rows of a pass in sorted windows, each in a slice that came from free.
func (c *chunks) read(ctx context.Context, gone bool, windows chan<- []hashed, free <-chan []hashed) error {
	hash := c.Key.addressHasher()
	window := <-free
	send := func() error {
		slices.SortStableFunc(window, func(a, b hashed) int { return strings.Compare(a.addr.Key, b.addr.Key) })
		select {
		case windows <- window:
		case <-ctx.Done():
			return ctx.Err()
		}
		window = <-free
		return nil
	}
	err := c.sheet.each(func(row row) error {
		row.fault, row.state = c.fault(row), c.state(row)
		if gone != (isGone(row.state) && row.fault == nil) {
			return nil
		}
		h := hashed{row: row}
		if row.fault == nil {
			h.address, h.domain = hash(row.addr.Key), hash("@"+row.addr.Domain)
		}
		if window = append(window, h); len(window) < windowRows {
			return nil
		}
		return send()
	})
	if err != nil || len(window) == 0 {
		return err
	}
	return send()
}

// takeWindow takes rows in as many transactions as that needs.
func (c *chunks) takeWindow(ctx context.Context, db *store.DB, rows []hashed) error {
	before := min(c.over, int64(len(rows)))
	c.over -= before
	for rows = rows[before:]; len(rows) > 0; {
		n, held, err := c.takeSome(ctx, db, rows)
		if err != nil {
			return err
		}
		c.adapt(held)
		rows = rows[n:]
		if err := store.Rest(ctx, held); err != nil {
			return err
		}
	}
	return nil
}

func (c *chunks) adapt(held time.Duration) {
	c.report.LongestHold = max(c.report.LongestHold, held)
	switch {
	case held > longHold:
		c.hold = max(c.hold/2, leastHold)
	case held < shortHold:
		c.hold = min(c.hold+c.hold/4, mostHold)
	}
}

// takeSome takes the first of rows in one transaction. It says how many, and for how long others were kept out.
func (c *chunks) takeSome(ctx context.Context, db *store.DB, rows []hashed) (taken int, held time.Duration, err error) {
	var began time.Time
	err = db.InTx(ctx, func(tx *store.Tx) error {
		began = time.Now()
		c.tx = tx
		for taken < len(rows) && (taken == 0 || time.Since(began) < c.hold) {
			some := differentPeople(rows[taken:])
			if err := c.takeBatch(ctx, some); err != nil {
				return fmt.Errorf("lines around %d: %w", some[0].line, err)
			}
			taken += len(some)
		}
		return c.advance(ctx, tx, taken)
	})
	if err != nil {
		return 0, 0, err
	}
	held = time.Since(began)
	c.taken += int64(taken)
	c.progress()
	return taken, held, nil
}

// differentPeople are the first rows, a batch at most, of which none is about the same address as another.
func differentPeople(rows []hashed) []hashed {
	n := 1
	for n < min(len(rows), batchRows) && (rows[n].fault != nil || rows[n].addr.Key != rows[n-1].addr.Key) {
		n++
	}
	return rows[:n]
}

// takeBatch takes rows about different people: those who are new together, the others one by one.
func (c *chunks) takeBatch(ctx context.Context, rows []hashed) error {
	all, err := c.findAll(ctx, rows)
	if err != nil {
		return err
	}
	var fresh []newcomer
	for i := range rows {
		row, f := &rows[i], all[i]
		b := becameRefused
		switch {
		case row.fault != nil:
		case f.ID == 0 && f.standing == "":
			fresh = append(fresh, c.newcomer(row))
			b = becameAdded
			if isGone(row.state) {
				b = becameSuppressed
			}
		case isGone(row.state):
			b, err = c.takeGone(ctx, row.row, f)
		default:
			b, err = c.takePerson(ctx, row.row, f)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", row.line, err)
		}
		c.became[row.number] = b
	}
	return c.insertAll(ctx, fresh)
}

const selectPeopleByKeys = `SELECT id, email, address_hash, domain_hash, name, language, zone, fields, tags, created, email_key
FROM subscribers WHERE email_key IN `

const selectEnrolmentsOf = `SELECT e.id, e.series_id, e.subscriber_id, e.state, e.ended_by, e.cycle, coalesce(e.paused_until, 0),
	coalesce(e.reading_id, 0), coalesce(e.active_since, 0), coalesce(e.ended_at, 0), e.created, e.updated,
	EXISTS (SELECT 1 FROM enrolments r JOIN imports i ON i.id = r.import_id WHERE r.id = e.id AND i.done IS NULL)
FROM enrolled e WHERE e.series_id = ?1 AND e.subscriber_id IN `

const selectStandingAll = `SELECT hash, reason FROM suppressions WHERE series_id IN (0, ?1) AND hash IN `

// findAll is find for many rows; of rows with a fault it finds nothing.
func (c *chunks) findAll(ctx context.Context, rows []hashed) ([]found, error) {
	all := make([]found, len(rows))
	at := make(map[string]int, len(rows))
	keys, hashes := make([]any, 0, batchRows), make([]any, 0, 2*batchRows)
	for i, row := range rows {
		if row.fault != nil {
			continue
		}
		all[i].address, all[i].domain = row.address, row.domain
		at[row.addr.Key] = i
		keys, hashes = append(keys, row.addr.Key), append(hashes, row.address)
		if !slices.Contains(hashes, any(row.domain)) {
			hashes = append(hashes, row.domain)
		}
	}
	if len(keys) == 0 {
		return all, nil
	}
	if err := c.findPeople(ctx, all, at, keys); err != nil {
		return nil, err
	}
	return all, c.findStanding(ctx, all, hashes)
}

func (c *chunks) findPeople(ctx context.Context, all []found, at map[string]int, keys []any) error {
	of := map[int64]int{}
	ids := []any{c.o.SeriesID}
	err := c.eachOf(ctx, selectPeopleByKeys+in(1, batchRows), pad(keys, batchRows), func(rows scanner) error {
		var r personRow
		var key string
		if err := rows.Scan(append(r.columns(), &key)...); err != nil {
			return err
		}
		p, err := r.value()
		i := at[key]
		all[i].person = p
		of[p.ID] = i
		ids = append(ids, p.ID)
		return err
	})
	if err != nil || len(of) == 0 {
		return err
	}
	return c.eachOf(ctx, selectEnrolmentsOf+in(2, batchRows), pad(ids, 1+batchRows), func(rows scanner) error {
		var r enrolmentRow
		var loose bool
		if err := rows.Scan(append(r.columns(), &loose)...); err != nil {
			return err
		}
		i := of[r.SubscriberID]
		all[i].enrolment, all[i].loose = r.value(), loose
		return nil
	})
}

func (c *chunks) findStanding(ctx context.Context, all []found, hashes []any) error {
	gravest := map[string]string{}
	args := pad(append([]any{c.o.SeriesID}, hashes...), 1+2*batchRows)
	err := c.eachOf(ctx, selectStandingAll+in(2, 2*batchRows), args, func(rows scanner) error {
		var hash, reason string
		err := rows.Scan(&hash, &reason)
		gravest[hash] = graver(gravest[hash], reason)
		return err
	})
	for i := range all {
		all[i].standing = graver(gravest[all[i].address], gravest[all[i].domain])
	}
	return err
}

// eachOf calls f for each row of a query.
func (im *importing) eachOf(ctx context.Context, query string, args []any, f func(scanner) error) error {
	rows, err := im.tx.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// in is a list of n parameters from a number on.
func in(first, n int) string {
	return numbered("("+strings.Repeat("?, ", n-1)+"?)", first)
}

// pad fills a list up with its last value, so that one statement serves lists of all lengths.
func pad(args []any, n int) []any {
	for len(args) < n {
		args = append(args, args[len(args)-1])
	}
	return args
}

// numbered gives each bare ? of a text a number, from first on.
func numbered(s string, first int) string {
	b := make([]byte, 0, 2*len(s))
	for i := range len(s) {
		if b = append(b, s[i]); s[i] == '?' && (i+1 == len(s) || s[i+1] < '0' || s[i+1] > '9') {
			b = strconv.AppendInt(b, int64(first), 10)
			first++
		}
	}
	return string(b)
}
