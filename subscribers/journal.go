package subscribers

import (
	"context"
	"errors"
	"fmt"
	"os"

	"pressrun/subscribers/store"
)

// ErrForeignJournal says that the journal of leaves beside a database is another site's, or damaged from its first line on.
var ErrForeignJournal = errors.New("this journal of leaves belongs to another site")

// JournalSuffix is what the name of the journal has behind its database's.
const JournalSuffix = ".leaves"

// journal keeps every leave (unsubscribe, suppression, erasure) in a file beside the database: an older database that takes
// the place of this one, such as a backup, learns from it who left since. Of a person it has the keyed hash that suppressions
// have, and nothing else.
//
// A transaction that adds a suppression, by whatever code (a trigger notes it), appends it to the file and syncs that before it
// commits; so who was answered is in both. The database knows the number of the last record that it has. What the file has
// beyond that is done again at the start of the next transaction: after a crash between the two it is one leave, after a restore
// all of them. So a record is done once in each database, and never undoes what its person said later there: a new confirmation
// or an undo came after the commit that has the record's number. In a restored backup that is older than the confirmation the
// person is out again, since the proof of it is lost.
//
// While the file can't be written nothing is committed at all (store.ErrDisk): an answer would promise what can't be kept, and
// a site that its readers can't leave must not go on mailing them.
//
// The write lock of the database guards the file too, between processes as well.
type journal struct {
	*Registry
	file leaveFile
	sure bool     // that the database has all of the file
	did  Replayed // since the start
}

// Replayed is what KeepJournal did to a database.
type Replayed struct {
	Leaves  int   // that the database did not have: it is a backup, or a crash came between the file and the database
	Damaged int   // records that can't be read, though later ones can: whom they name is not known
	Cut     int64 // octets of a record that a power cut tore; it was not answered
	Remade  bool  // the file was missing, or older than the database: it was written anew from what stands in the database
}

// KeepJournal has all writing through db kept in the journal beside it, and does again in db what that has and db has not; such a
// database also skips numbers (SkipNumbers), since links name people by them. It is called once, before db is shared; its key must be
// bound (BindKey). A missing file is made. ErrForeignJournal where it is another site's: nothing was changed.
func (r *Registry) KeepJournal(ctx context.Context, db *store.DB) (Replayed, error) {
	return r.keepJournal(ctx, db, db.Path()+JournalSuffix, machineDisk{})
}

func (r *Registry) keepJournal(ctx context.Context, db *store.DB, path string, on disk) (Replayed, error) {
	j := &journal{Registry: r, file: leaveFile{disk: on, path: path, key: r.Key}}
	// Mostly there is nothing to do, and who only looks must not wait for who writes.
	if ok, err := j.agrees(ctx, db); err != nil {
		return Replayed{}, j.wrap(err)
	} else if !ok {
		if err := db.InTx(ctx, func(tx *store.Tx) error { return j.first(ctx, tx) }); err != nil {
			return Replayed{}, err
		}
	}
	db.Around(j.begin, j.end)
	return j.did, nil
}

// first is begin of a database that was just opened. One that lacks leaves is taken for an older one, which gave numbers since that
// it does not know of; where only a crash came between file and commit, skipping some harms nobody.
func (j *journal) first(ctx context.Context, tx *store.Tx) error {
	if err := j.begin(ctx, tx); err != nil || j.did.Leaves == 0 {
		return err
	}
	return j.SkipNumbers(ctx, tx)
}

func (j *journal) wrap(err error) error {
	if errors.Is(err, ErrForeignJournal) {
		return fmt.Errorf("%s: %w", j.file.path, err)
	}
	return fmt.Errorf("journal of leaves %s: %w (%w)", j.file.path, store.ErrDisk, err)
}

// agrees says whether file and database have the same last record.
func (j *journal) agrees(ctx context.Context, q store.Querier) (bool, error) {
	_, err := j.file.read()
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	seq, err := journalled(ctx, q)
	j.sure = err == nil && seq == j.file.last
	return j.sure, err
}

const selectJournalled = `SELECT seq FROM journal WHERE id = 1`

// journalled is the number of the last record that the database has.
func journalled(ctx context.Context, q store.Querier) (seq int64, err error) {
	return seq, q.QueryRow(ctx, selectJournalled).Scan(&seq)
}

// begin makes sure that the database has what the file has.
func (j *journal) begin(ctx context.Context, tx *store.Tx) error {
	same, err := j.file.unchanged()
	if err == nil && same && j.sure {
		return nil
	}
	if err == nil {
		err = j.catchUp(ctx, tx)
	}
	if err != nil {
		return j.wrap(err)
	}
	return nil
}

func (j *journal) catchUp(ctx context.Context, tx *store.Tx) error {
	j.sure = false
	cut, err := j.file.read()
	missing := errors.Is(err, os.ErrNotExist)
	if err != nil && !missing {
		return err
	}
	j.did.Cut += cut
	seq, err := journalled(ctx, tx)
	if err != nil {
		return err
	}
	switch {
	case missing || j.file.last < seq:
		j.did.Remade = true
		return j.remake(ctx, tx, seq)
	case j.file.last > seq:
		return j.replay(ctx, tx, seq) // and be sure of it once that is committed
	}
	j.sure = true
	return nil
}

const selectAllStanding = `SELECT hash, series_id, reason, created FROM suppressions ORDER BY id`

// remake writes the file anew: what it had, and all that stands in the database, which it may lack.
func (j *journal) remake(ctx context.Context, tx *store.Tx, seq int64) error {
	var all []left
	if j.file.records > 0 {
		var err error
		if all, _, err = j.file.since(-1); err != nil {
			return err
		}
	}
	seq = max(seq, 1)
	rows, err := tx.Query(ctx, selectAllStanding)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		l := left{seq: seq}
		if err := rows.Scan(&l.hash, &l.seriesID, &l.reason, &l.at); err != nil {
			return err
		}
		all = append(all, l)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	if err := j.file.rewrite(lastOf(all), seq); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, deleteLeaving); err != nil { // what stands is in the file now
		return err
	}
	return setJournalled(ctx, tx, seq)
}

const updateJournalled = `UPDATE journal SET seq = ?1 WHERE id = 1`

func setJournalled(ctx context.Context, tx *store.Tx, seq int64) error {
	_, err := tx.Exec(ctx, updateJournalled, seq)
	return err
}

const (
	selectLastLeaving = `SELECT coalesce(max(id), 0) FROM leaving`
	deleteReplayed    = `DELETE FROM leaving WHERE id > ?1` // the file has them
)

// replay does again what the file has and the database has not.
func (j *journal) replay(ctx context.Context, tx *store.Tx, seq int64) error {
	all, damaged, err := j.file.since(seq)
	if err != nil {
		return err
	}
	people, err := peopleOf(ctx, tx, all)
	if err != nil {
		return err
	}
	var before int64
	if err := tx.QueryRow(ctx, selectLastLeaving).Scan(&before); err != nil {
		return err
	}
	for _, l := range all {
		if err := j.at(instant(l.at)).leaveAgain(ctx, tx, l, people[l.hash]); err != nil {
			return fmt.Errorf("record %d: %w", l.seq, err)
		}
	}
	if _, err := tx.Exec(ctx, deleteReplayed, before); err != nil {
		return err
	}
	j.did.Leaves, j.did.Damaged = j.did.Leaves+len(all), j.did.Damaged+damaged
	return setJournalled(ctx, tx, j.file.last)
}

const selectHashes = `SELECT id, address_hash FROM subscribers WHERE erased IS NULL`

// peopleOf finds the people whom records name by going through all of them once: that is rare, and an index for it would be
// paid for by every import.
func peopleOf(ctx context.Context, q store.Querier, all []left) (map[string]int64, error) {
	people := make(map[string]int64, len(all))
	for _, l := range all {
		people[l.hash] = 0
	}
	rows, err := q.Query(ctx, selectHashes)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var hash string
		if err := rows.Scan(&id, &hash); err != nil {
			return nil, err
		}
		if _, named := people[hash]; named {
			people[hash] = id
		}
	}
	return people, rows.Err()
}

const fromJournal = "the journal of leaves: this database was older"

// leaveAgain does what a record says, of a person with a number (0: nobody is known by this hash) at its time, which r has.
func (r *Registry) leaveAgain(ctx context.Context, tx *store.Tx, l left, subscriberID int64) error {
	p, err := personByID(ctx, tx, subscriberID)
	if errors.Is(err, store.ErrNotFound) {
		p, err = person{address: l.hash}, nil
	}
	switch {
	case err != nil:
		return err
	case l.reason == reasonErasure && p.ID != 0:
		return r.erase(ctx, tx, p)
	case l.reason == reasonErasure:
		return r.leaveHash(ctx, tx, l.hash)
	}
	return r.suppressHash(ctx, tx, l.hash, p, l.seriesID, l.reason, fromJournal)
}

const (
	selectLeaving = `SELECT hash, series_id, reason, at FROM leaving ORDER BY id`
	deleteLeaving = `DELETE FROM leaving`
)

// end writes what this transaction adds into the file, before it commits.
func (j *journal) end(ctx context.Context, tx *store.Tx) error {
	all, err := leavingIn(ctx, tx)
	if err != nil || len(all) == 0 {
		return err
	}
	seq, err := journalled(ctx, tx)
	if err != nil {
		return err
	}
	for i := range all {
		seq++
		all[i].seq = seq
	}
	j.sure = false // until the next transaction has seen that this one was committed
	if err := j.file.add(all); err != nil {
		return j.wrap(err)
	}
	if _, err := tx.Exec(ctx, deleteLeaving); err != nil {
		return err
	}
	return setJournalled(ctx, tx, seq)
}

func leavingIn(ctx context.Context, tx *store.Tx) ([]left, error) {
	rows, err := tx.Query(ctx, selectLeaving)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []left
	for rows.Next() {
		var l left
		if err := rows.Scan(&l.hash, &l.seriesID, &l.reason, &l.at); err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	return all, rows.Err()
}
