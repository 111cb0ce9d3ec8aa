package subscribers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"pressrun/subscribers/store"
)

// The rows of an import are read and checked by one goroutine while another writes those before them. They come in runs that are
// sorted by address: a transaction then touches few pages of the index of addresses, which made it three times as fast. An import
// that was stopped goes on after as many rows as were taken, which are the same only in the same order: a sum over the rows that were
// taken says whether they are. Where another version sorted or read them otherwise, the import takes all of them again.

const (
	sortedRows = 32 << 10 // rows that wait for those that belong before them
	windowRows = 2 << 10  // rows that are handed over together
	batchRows  = 64       // rows that one statement looks up or writes
)

// How long a transaction of an import takes rows, and how long it may hold the database with its commit: so short that one which
// the machine holds up, with a slow disk or other programs, still keeps nobody waiting for 50 ms.
const (
	firstHold = 5 * time.Millisecond
	mostHold  = 12 * time.Millisecond
	leastHold = 4 * time.Millisecond  // less would only be more commits
	longHold  = 20 * time.Millisecond // then half of it
	shortHold = 15 * time.Millisecond // then a quarter more
)

// hashed is a row with the hashes of its address, in a run.
type hashed struct {
	row
	address, domain string
	run             int
}

// errOtherOrder says that other rows than those before which an import goes on were taken.
var errOtherOrder = errors.New("rows of it came in another order")

// takeAll takes the rows that were not taken before, or all of them where that can't be told.
func (im *importing) takeAll(ctx context.Context, db *store.DB) error {
	err := db.InTx(ctx, func(tx *store.Tx) (err error) {
		im.tx = tx
		im.reading, err = im.addReading(ctx)
		return err
	})
	if err == nil {
		err = im.takeRest(ctx, db)
	}
	if errors.Is(err, errOtherOrder) {
		if err = im.startOver(ctx, db); err == nil {
			err = im.takeRest(ctx, db)
		}
	}
	if err != nil {
		return err
	}
	for _, b := range im.became {
		outcome, _ := b.words("")
		im.report.count(outcome)
		if b == becamePending {
			im.report.Pending++
		}
	}
	return im.finish(ctx, db)
}

// takeRest goes through the file twice: those who are gone first, so that no order of lines mails them. It passes over as many rows
// as were taken before.
func (im *importing) takeRest(ctx context.Context, db *store.DB) (err error) {
	c := &chunks{importing: im, over: im.taken, hold: firstHold, texts: map[groupOf]string{}}
	if im.gone > 0 {
		err = c.pass(ctx, db, true)
	}
	if err == nil {
		err = c.pass(ctx, db, false)
	}
	if err == nil && c.over > 0 {
		err = errOtherOrder
	}
	return err
}

// after is the sum over rows in the order that they are taken in, and as what, with one more.
func (im *importing) after(sum int64, h *hashed) int64 {
	const prime = 1099511628211 // of FNV-1a
	state := h.state
	if h.fault != nil {
		state = "refused"
	}
	x := (uint64(sum) ^ uint64(h.number+1)) * prime
	for i := range len(state) {
		x = (x ^ uint64(state[i])) * prime
	}
	return int64(x)
}

// chunks takes the rows of an import in short transactions.
type chunks struct {
	*importing
	over   int64              // how many rows, in the order of the passes, were taken before
	passed int64              // the sum over those that were passed over
	hold   time.Duration      // how long the next transaction takes rows
	texts  map[groupOf]string // of the statements that insert
	logged int                // rows since the log was moved into the file

	// What each batch needs anew, kept so that its memory is.
	args  []any
	found []found
	fresh []newcomer
}

// pass takes the rows of those who are gone, or of all others.
func (c *chunks) pass(ctx context.Context, db *store.DB, gone bool) error {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	windows := make(chan []*hashed, 1)
	failed := make(chan error, 1)
	go func() {
		defer close(windows)
		failed <- c.read(reading, gone, windows)
	}()
	var rows []*hashed
	var err error
	for window := range windows {
		if err != nil {
			continue // until the other has noticed
		}
		// Some stay, so that the next transaction need not be a short one.
		if rows, err = c.takeAllBut(ctx, db, append(rows, window...), windowRows); err != nil {
			stop()
		}
	}
	if read := <-failed; err == nil {
		err = read
	}
	if err == nil {
		_, err = c.takeAllBut(ctx, db, rows, 0)
	}
	return err
}

// read sends the rows of a pass in sorted runs.
func (c *chunks) read(ctx context.Context, gone bool, windows chan<- []*hashed) error {
	hash := c.hasher()
	sorter := runs{most: sortedRows}
	var window []*hashed
	send := func() error {
		select {
		case windows <- window:
			window = nil
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	give := func(h *hashed) error {
		if h.fault == nil {
			h.address, h.domain = hash(h.addr)
		}
		if window = append(window, h); len(window) < windowRows {
			return nil
		}
		return send()
	}
	err := c.sheet.each(func(row row) error {
		row.fault, row.state = c.fault(row), c.state(row)
		if gone != (isGone(row.state) && row.fault == nil) {
			return nil
		}
		if h := sorter.add(&hashed{row: row}); h != nil {
			return give(h)
		}
		return nil
	})
	for h := sorter.rest(); err == nil && h != nil; h = sorter.rest() {
		err = give(h)
	}
	if err != nil || len(window) == 0 {
		return err
	}
	return send()
}

// hasher returns both hashes of addresses; those of domains it remembers, since most of a file's are few.
func (c *chunks) hasher() func(Address) (address, domain string) {
	const most = 1000
	hash := c.Key.addressHasher()
	domains := map[string]string{}
	return func(a Address) (address, domain string) {
		domain, known := domains[a.Domain]
		if !known {
			if len(domains) == most {
				clear(domains)
			}
			domain = hash("@" + a.Domain)
			domains[strings.Clone(a.Domain)] = domain
		}
		return hash(a.Key), domain
	}
}

// takeAllBut takes rows in as many transactions as that needs, until no more than some are left, which it returns.
func (c *chunks) takeAllBut(ctx context.Context, db *store.DB, rows []*hashed, some int) (left []*hashed, err error) {
	before := min(c.over, int64(len(rows)))
	for _, h := range rows[:before] {
		c.passed = c.after(c.passed, h)
	}
	if c.over -= before; before > 0 && c.over == 0 && c.passed != c.order {
		return nil, errOtherOrder
	}
	for rows = rows[before:]; len(rows) > some; {
		n, held, err := c.takeSome(ctx, db, rows)
		if err != nil {
			return nil, err
		}
		c.adapt(held)
		rows = rows[n:]
		if err := c.rest(ctx, db, n, held); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// loggedRows make about three quarters of the log that SQLite lets grow before it moves it into the file within a commit.
const loggedRows = 2000

// rest lets others write after a transaction of n rows. Once the log is long it is moved into the file meanwhile: else a commit
// would have to, and others wait for it.
func (c *chunks) rest(ctx context.Context, db *store.DB, n int, held time.Duration) error {
	if c.logged += n; c.logged < loggedRows {
		return store.Rest(ctx, held)
	}
	c.logged = 0
	began := time.Now()
	if err := db.Checkpoint(ctx); err != nil {
		return err
	}
	return store.Rest(ctx, max(0, held-4*time.Since(began)))
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
func (c *chunks) takeSome(ctx context.Context, db *store.DB, rows []*hashed) (taken int, held time.Duration, err error) {
	var began time.Time
	var order int64
	err = db.InTx(ctx, func(tx *store.Tx) error {
		began = time.Now()
		c.tx, order = tx, c.order
		for taken < len(rows) && (taken == 0 || time.Since(began) < c.hold) {
			some := differentPeople(rows[taken:])
			if err := c.takeBatch(ctx, some); err != nil {
				return fmt.Errorf("lines around %d: %w", some[0].line, err)
			}
			for _, h := range some {
				order = c.after(order, h)
			}
			taken += len(some)
		}
		return c.advance(ctx, tx, taken, order)
	})
	if err != nil {
		return 0, 0, err
	}
	held = time.Since(began)
	c.taken, c.order = c.taken+int64(taken), order
	c.progress()
	return taken, held, nil
}

// differentPeople are the first rows of a run, a batch at most, of which none is about the same address as another.
func differentPeople(rows []*hashed) []*hashed {
	n := 1
	for n < min(len(rows), batchRows) && rows[n].run == rows[0].run && (rows[n].fault != nil || rows[n].addr.Key != rows[n-1].addr.Key) {
		n++
	}
	return rows[:n]
}

// takeBatch takes rows about different people: those who are new together, the others one by one.
func (c *chunks) takeBatch(ctx context.Context, rows []*hashed) error {
	all, err := c.findAll(ctx, rows)
	if err != nil {
		return err
	}
	fresh := c.fresh[:0]
	for i := range rows {
		row, f := rows[i], all[i]
		b := becameRefused
		switch {
		case row.fault != nil:
		case f.ID == 0 && f.standing == "":
			fresh = append(fresh, c.newcomer(row))
			b = c.added(row.row)
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
	c.fresh = fresh
	return c.insertAll(ctx, fresh)
}

const selectPeopleByKeys = `SELECT id, email, address_hash, domain_hash, name, language, zone, fields, tags, created, email_key
FROM subscribers WHERE email_key IN `

// What this import did already counts for it, so that it does nothing twice.
const selectEnrolmentsOf = `SELECT e.id, e.series_id, e.subscriber_id, CASE WHEN r.import_id = ?2 THEN r.state ELSE e.state END, e.ended_by,
	e.cycle, coalesce(e.cycle_since, 0), coalesce(e.paused_until, 0), coalesce(e.reading_id, 0), coalesce(e.active_since, 0), coalesce(e.ended_at, 0), e.created, e.updated,
	EXISTS (SELECT 1 FROM imports i WHERE i.id = r.import_id AND i.id <> ?2 AND i.done IS NULL)
FROM enrolled e JOIN enrolments r ON r.id = e.id WHERE e.series_id = ?1 AND e.subscriber_id IN `

const selectStandingAll = `SELECT hash, reason FROM suppressions WHERE series_id IN (0, ?1) AND hash IN `

// The lists that end these, always as long: one statement serves all batches.
var batchFrom1, batchFrom3, hashesFrom2 = in(1, batchRows), in(3, batchRows), in(2, 2*batchRows)

// findAll is find for many rows; of rows with a fault it finds nothing.
func (c *chunks) findAll(ctx context.Context, rows []*hashed) ([]found, error) {
	c.found = slices.Grow(c.found[:0], len(rows))[:len(rows)]
	clear(c.found)
	all := c.found
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
	ids := []any{c.o.SeriesID, c.id}
	err := c.eachOf(ctx, selectPeopleByKeys+batchFrom1, pad(keys, batchRows), func(rows scanner) error {
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
	return c.eachOf(ctx, selectEnrolmentsOf+batchFrom3, pad(ids, 2+batchRows), func(rows scanner) error {
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
	err := c.eachOf(ctx, selectStandingAll+hashesFrom2, args, func(rows scanner) error {
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
