package subscribers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"pressrun/subscribers/store"
)

// An import happens or it doesn't, though none of its transactions is long. Its file is stored in parts that nobody looks at,
// and one short transaction accepts it. From then on its rows are taken some at a time, and in the end all of them are: by
// Import itself, or, where that was stopped, by FinishImports. Then one more transaction makes them count together. What was
// never accepted is forgotten. What can't be brought to its end is given up by ForgetImport: then it stays as it was stopped.

const (
	partSize      = 512 << 10        // octets of a file that one transaction stores
	importStopped = time.Minute      // an accepted import that nobody has worked at for so long was stopped
	importLost    = 10 * time.Minute // one that was never accepted, likewise
)

// errImportTaken says that an import is not this process's any more.
var errImportTaken = errors.New("another process goes on with it, or it was given up")

// terms are what an import's row keeps of its options.
type terms struct {
	File    string  `json:"file"`
	As      State   `json:"as"`
	Because string  `json:"because"`
	Reading []int64 `json:"reading,omitempty"`
	// GoodRows says that rows with a fault were known when it was accepted.
	GoodRows bool `json:"good_rows,omitempty"`
}

// run stores the file, accepts it, takes its rows and calls then, where there is one.
func (im *importing) run(ctx context.Context, db *store.DB, then func(store.Querier) error) error {
	if err := im.keep(ctx, db); err != nil {
		return errors.Join(err, im.forget(context.WithoutCancel(ctx), db))
	}
	err := im.takeAll(ctx, db)
	switch {
	case errors.Is(err, errImportTaken):
		return fmt.Errorf("stopped after %d of %d rows: %w", im.taken, im.rows, err)
	case err != nil:
		err = errors.Join(err, im.noteFailed(ctx, db, err))
		return fmt.Errorf("stopped after %d of %d rows: nothing is lost and nobody new of it is mailed yet; "+
			"serve, or the next run-due, brings it to its end: %w", im.taken, im.rows, err)
	}
	if then == nil {
		return nil
	}
	return then(db)
}

const (
	insertImport = `INSERT INTO imports (series_id, sum, terms, begun, touched) VALUES (?1, ?2, ?3, ?4, ?5) RETURNING id`
	insertPart   = `INSERT INTO import_parts (import_id, number, data) VALUES (?1, ?2, ?3)`
	touchImport  = `UPDATE imports SET touched = ?2 WHERE id = ?1`
	acceptImport = `UPDATE imports SET accepted = ?2, touched = ?2 WHERE id = ?1`
)

// keep stores the file and, at last, accepts it.
func (im *importing) keep(ctx context.Context, db *store.DB) error {
	t, err := json.Marshal(terms{im.o.File, im.o.As, im.o.Because, im.o.Reading, im.o.GoodRows})
	if err != nil {
		return err
	}
	err = db.InTx(ctx, func(tx *store.Tx) error {
		row := tx.QueryRow(ctx, insertImport, im.o.SeriesID, im.sheet.sum, string(t), im.now().UnixMilli(), im.clock().UnixMilli())
		return row.Scan(&im.id)
	})
	if err == nil {
		err = im.keepParts(ctx, db)
	}
	if err != nil {
		return err
	}
	return db.InTx(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, acceptImport, im.id, im.clock().UnixMilli())
		return err
	})
}

func (im *importing) keepParts(ctx context.Context, db *store.DB) error {
	part := make([]byte, partSize)
	for n, in := 0, im.sheet.reader(0); ; n++ {
		size, err := io.ReadFull(in, part)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("read the file: %w", err)
		}
		err = short(ctx, db, func(tx *store.Tx) error {
			_, err := tx.Exec(ctx, insertPart, im.id, n, part[:size])
			if err == nil {
				_, err = tx.Exec(ctx, touchImport, im.id, im.clock().UnixMilli())
			}
			return err
		})
		if err != nil {
			return err
		}
	}
}

// short is one of many transactions in a row: others get their turn after it.
func short(ctx context.Context, db *store.DB, f func(*store.Tx) error) error {
	began := time.Now()
	if err := db.InTx(ctx, f); err != nil {
		return err
	}
	return store.Rest(ctx, time.Since(began))
}

const (
	advanceImport = `UPDATE imports SET taken = ?3, taken_sum = ?4, touched = ?5, failed = ''
WHERE id = ?1 AND taken = ?2 AND done IS NULL AND given_up IS NULL`
	finishImport = `UPDATE imports SET done = ?2, failed = '' WHERE id = ?1 AND given_up IS NULL`
	// All whom the stopped one brought were here before this one began, which has taken them over.
	replaceImports = `UPDATE imports SET given_up = ?2
WHERE id <> ?1 AND accepted IS NOT NULL AND done IS NULL AND given_up IS NULL AND touched < ?3
	AND (series_id, sum, terms) = (SELECT x.series_id, x.sum, x.terms FROM imports x WHERE x.id = ?1)`
)

// advance notes, in the transaction of some rows, that they are taken, and the sum over all that are. It fails where another process
// took them.
func (im *importing) advance(ctx context.Context, tx *store.Tx, rows int, order int64) error {
	n, err := tx.Exec(ctx, advanceImport, im.id, im.taken, im.taken+int64(rows), order, im.clock().UnixMilli())
	if err == nil && n == 0 {
		err = errImportTaken
	}
	return err
}

// startOver has all rows taken again. Of those that were, nothing happens twice.
func (im *importing) startOver(ctx context.Context, db *store.DB) error {
	err := db.InTx(ctx, func(tx *store.Tx) error { return im.advance(ctx, tx, int(-im.taken), 0) })
	im.taken, im.order = 0, 0
	return err
}

// finish makes all rows count and drops the file. Imports of the same that were stopped before it began have nothing left to bring.
func (im *importing) finish(ctx context.Context, db *store.DB) error {
	err := db.InTx(ctx, func(tx *store.Tx) error {
		n, err := tx.Exec(ctx, finishImport, im.id, im.clock().UnixMilli())
		if err == nil && n == 0 {
			err = errImportTaken
		}
		if err == nil {
			_, err = tx.Exec(ctx, replaceImports, im.id, im.clock().UnixMilli(), im.now().UnixMilli())
		}
		return err
	})
	if err != nil {
		return err
	}
	return im.dropParts(ctx, db)
}

const (
	deletePart = `DELETE FROM import_parts
WHERE import_id = ?1 AND number = (SELECT max(x.number) FROM import_parts x WHERE x.import_id = ?1)`
	countFile = `UPDATE wiped SET erased = erased + 1 WHERE erased > 0`
)

// dropParts deletes the file. Somebody who was erased may have stood in it, so that it counts as one more of them to Wipe.
func (im *importing) dropParts(ctx context.Context, db *store.DB) error {
	for left := int64(1); left > 0; {
		err := short(ctx, db, func(tx *store.Tx) (err error) {
			if left, err = tx.Exec(ctx, deletePart, im.id); left > 0 && err == nil {
				_, err = tx.Exec(ctx, countFile)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

const deleteImport = `DELETE FROM imports WHERE id = ?1`

// forget takes an import back that was never accepted.
func (im *importing) forget(ctx context.Context, db *store.DB) error {
	if err := im.dropParts(ctx, db); err != nil {
		return err
	}
	return db.InTx(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, deleteImport, im.id)
		return err
	})
}

const selectStoppedImports = `SELECT id, series_id, sum, terms, begun, accepted IS NOT NULL, done IS NOT NULL OR given_up IS NOT NULL, taken, taken_sum, touched
FROM imports
WHERE (accepted IS NULL AND touched <= ?1)
	OR (accepted IS NOT NULL AND touched <= ?2 AND (done IS NULL AND given_up IS NULL OR EXISTS (SELECT 1 FROM import_parts p WHERE p.import_id = imports.id)))
ORDER BY id`

// stopped is an import that ended before its end.
type stopped struct {
	importing
	accepted, ended bool // ended: done or given up
	sum             string
	touched         int64
}

// FinishImports brings imports to their end that were stopped after they were accepted, and forgets those that never were.
// One that fails stops no other; it is tried again in a minute, and UnfinishedImport says why it failed. It returns how many it
// finished, also where it errs.
func (r *Registry) FinishImports(ctx context.Context, db *store.DB) (finished int, err error) {
	all, err := r.stoppedImports(ctx, db)
	if err != nil {
		return 0, fmt.Errorf("stopped imports: %w", err)
	}
	var errs []error
	for _, s := range all {
		done, err := s.end(ctx, db)
		if done {
			finished++
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("import %d of %s, stopped after %d rows: %w", s.id, s.o.File, s.taken, err))
		}
	}
	return finished, errors.Join(errs...)
}

// end does what is left to do of an import, and says whether all of it is in by that.
func (s *stopped) end(ctx context.Context, db *store.DB) (finished bool, err error) {
	switch {
	case s.ended:
		return false, s.dropParts(ctx, db)
	case !s.accepted:
		return false, s.forget(ctx, db)
	}
	finished, err = s.goOn(ctx, db)
	if err != nil && !finished {
		err = errors.Join(err, s.noteFailed(ctx, db, err))
	}
	return finished, err
}

const failImport = `UPDATE imports SET failed = ?2 WHERE id = ?1 AND done IS NULL`

// noteFailed keeps why a try failed. One that was stopped, or lost to another process, is no failure.
func (im *importing) noteFailed(ctx context.Context, db *store.DB, cause error) error {
	if ctx.Err() != nil || errors.Is(cause, errImportTaken) {
		return nil
	}
	what, _, _ := strings.Cut(cause.Error(), "\n")
	return db.InTx(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, failImport, im.id, what)
		return err
	})
}

func (r *Registry) stoppedImports(ctx context.Context, q store.Querier) ([]*stopped, error) {
	rows, err := q.Query(ctx, selectStoppedImports, r.now().Add(-importLost).UnixMilli(), r.now().Add(-importStopped).UnixMilli())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []*stopped
	for rows.Next() {
		s := &stopped{importing: importing{clock: r.now, report: &ImportReport{}}}
		var text string
		var begun int64
		if err := rows.Scan(&s.id, &s.o.SeriesID, &s.sum, &text, &begun, &s.accepted, &s.ended, &s.taken, &s.order, &s.touched); err != nil {
			return nil, err
		}
		var t terms
		if err := json.Unmarshal([]byte(text), &t); err != nil {
			return nil, fmt.Errorf("terms of import %d: %w", s.id, err)
		}
		s.Registry = r.at(instant(begun))
		s.o.File, s.o.As, s.o.Because, s.o.Reading, s.o.GoodRows = t.File, t.As, t.Because, t.Reading, t.GoodRows
		all = append(all, s)
	}
	return all, rows.Err()
}

const claimImport = `UPDATE imports SET touched = ?3 WHERE id = ?1 AND touched = ?2 AND given_up IS NULL`

// goOn takes the rows that are left, unless another process just began to, and says whether all are in then.
func (s *stopped) goOn(ctx context.Context, db *store.DB) (finished bool, err error) {
	var ours int64
	err = db.InTx(ctx, func(tx *store.Tx) (err error) {
		ours, err = tx.Exec(ctx, claimImport, s.id, s.touched, s.clock().UnixMilli())
		return err
	})
	if err != nil || ours == 0 {
		return false, err
	}
	kept, err := keptSpool(beside(db.Path()), s.parts(ctx, db), s.sum)
	if err != nil {
		return false, err
	}
	defer kept.Close()
	if s.sheet, err = readSheet(kept, s.o.As); err != nil {
		return false, err
	}
	faults, err := s.examine()
	if err == nil {
		err = s.takeAll(ctx, db)
	}
	if err != nil {
		return false, err
	}
	if faults != nil {
		err = fmt.Errorf("it is done, but %s that the version which accepted it had not found: import the file again to see which", s.faults())
	}
	return true, err
}

const selectPart = `SELECT data FROM import_parts WHERE import_id = ?1 AND number = ?2`

// parts reads the file of an import as it was kept.
func (im *importing) parts(ctx context.Context, q store.Querier) io.Reader {
	number := 0
	var rest []byte
	return readFunc(func(p []byte) (int, error) {
		if len(rest) == 0 {
			err := q.QueryRow(ctx, selectPart, im.id, number).Scan(&rest)
			if errors.Is(err, store.ErrNotFound) {
				return 0, io.EOF
			}
			if err != nil {
				return 0, err
			}
			number++
		}
		n := copy(p, rest)
		rest = rest[n:]
		return n, nil
	})
}

type readFunc func(p []byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

const anyPart = `SELECT EXISTS (SELECT 1 FROM import_parts)`

// KeepsFile says whether the file of an import is kept, with all who are in it, since it is not done.
func KeepsFile(ctx context.Context, q store.Querier) (keeps bool, err error) {
	if err := q.QueryRow(ctx, anyPart).Scan(&keeps); err != nil {
		return false, fmt.Errorf("files of imports: %w", err)
	}
	return keeps, nil
}

// Unfinished is an import that was accepted and is not done: it is at work, or it was stopped. Nobody whom it brings is mailed until it is.
type Unfinished struct {
	File   string
	Again  time.Time // from when FinishImports goes on with it, unless it is at work
	Failed string    // why the last try to go on with it failed; empty: it didn't
}

const selectUnfinished = `SELECT terms, touched, failed FROM imports
WHERE series_id = ?1 AND accepted IS NOT NULL AND done IS NULL AND given_up IS NULL ORDER BY failed = '', id LIMIT 1`

// UnfinishedImport is the import of a series that is not done, of several the first that failed; store.ErrNotFound where all are.
func UnfinishedImport(ctx context.Context, q store.Querier, seriesID int64) (Unfinished, error) {
	var u Unfinished
	var text string
	var touched int64
	err := q.QueryRow(ctx, selectUnfinished, seriesID).Scan(&text, &touched, &u.Failed)
	var t terms
	if err == nil {
		err = json.Unmarshal([]byte(text), &t)
	}
	if err != nil {
		return Unfinished{}, fmt.Errorf("unfinished import of series %d: %w", seriesID, err)
	}
	u.File, u.Again = t.File, instant(touched).Add(importStopped)
	return u, nil
}

const (
	selectToForget = `SELECT id, terms, taken, failed <> '' OR touched <= ?2 FROM imports
WHERE series_id = ?1 AND accepted IS NOT NULL AND done IS NULL AND given_up IS NULL ORDER BY id`
	giveUpImport = `UPDATE imports SET given_up = ?2 WHERE id = ?1`
)

// ForgetImport gives up the imports of a file into a series that are not done, and returns how many of their rows were taken.
// These stay: who came by them as active counts as pending until they confirm, or another import brings them; who is gone by
// them stays gone; who was in before stays in. Of the rows that were not taken nothing happens any more, also where a process is at
// work on them. store.ErrNotFound where no such import is.
func (r *Registry) ForgetImport(ctx context.Context, db *store.DB, seriesID int64, file string) (taken int64, err error) {
	var ids []int64
	err = db.InTx(ctx, func(tx *store.Tx) (err error) {
		ids, taken, err = toForget(ctx, tx, seriesID, file, r.now())
		for _, id := range ids {
			if err == nil {
				_, err = tx.Exec(ctx, giveUpImport, id, r.now().UnixMilli())
			}
		}
		return err
	})
	if err == nil && len(ids) == 0 {
		err = fmt.Errorf("no import of it waits: %w", store.ErrNotFound)
	}
	for _, id := range ids {
		if err == nil {
			err = (&importing{id: id}).dropParts(ctx, db)
		}
	}
	if err != nil {
		return 0, fmt.Errorf("forget the import of %s: %w", file, err)
	}
	return taken, nil
}

// toForget finds the imports of a file that are not done, and how many of their rows were taken: those that failed or were stopped,
// and only where there are none those at work.
func toForget(ctx context.Context, q store.Querier, seriesID int64, file string, now time.Time) (ids []int64, taken int64, err error) {
	rows, err := q.Query(ctx, selectToForget, seriesID, now.Add(-importStopped).UnixMilli())
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	wait := false
	for rows.Next() {
		var id, n int64
		var text string
		var waits bool
		var t terms
		if err := rows.Scan(&id, &text, &n, &waits); err != nil {
			return nil, 0, err
		}
		if err := json.Unmarshal([]byte(text), &t); err != nil {
			return nil, 0, fmt.Errorf("terms of import %d: %w", id, err)
		}
		switch {
		case t.File != file, wait && !waits:
			continue
		case waits && !wait:
			ids, taken, wait = nil, 0, true
		}
		ids, taken = append(ids, id), taken+n
	}
	return ids, taken, rows.Err()
}
