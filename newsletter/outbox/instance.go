package outbox

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"pressrun/subscribers/store"
)

// ErrHeld says that this database may not send: restored, copied, or not live yet.
var ErrHeld = errors.New("sending is on hold")

// Instance is what the database says of where it is and whether it may send.
type Instance struct {
	Held      string    // why not; empty: it may
	LiveSince time.Time // zero: go-live has not passed
	LiveFor   string    // what go-live passed for, in its caller's words: for anything else it has not
	Heartbeat time.Time
}

// longAway is how old the last heartbeat of a sender that did not end in order may be before a database in the middle of an
// issue asks an editor: a restored snapshot of it would send again what was sent since. Slots that were missed are held by
// their series' grace.
const longAway = 6 * time.Hour

// clockSlack is how far in the future a heartbeat may be: clocks are corrected by seconds, not by more than this.
const clockSlack = 10 * time.Minute

// place is a machine and a file on it.
type place struct {
	machine string // empty: not known, and like every other
	inode   int64
}

const selectInstance = `SELECT machine, inode, heartbeat, held, live_since, live_for FROM instance WHERE id = 1`

func readInstance(ctx context.Context, q store.Querier) (Instance, place, error) {
	var inst Instance
	var at place
	var beat, live sql.NullInt64
	err := q.QueryRow(ctx, selectInstance).Scan(&at.machine, &at.inode, &beat, &inst.Held, &live, &inst.LiveFor)
	inst.Heartbeat, inst.LiveSince = instant(beat), instant(live)
	return inst, at, err
}

// ReadInstance reads the record; the zero Instance where there is none yet.
func ReadInstance(ctx context.Context, q store.Querier) (Instance, error) {
	inst, _, err := readInstance(ctx, q)
	if errors.Is(err, store.ErrNotFound) {
		return Instance{}, nil
	}
	if err != nil {
		return Instance{}, fmt.Errorf("instance: %w", err)
	}
	return inst, nil
}

const tryInstance = `UPDATE instance SET tried = tried + 1 WHERE id = 1`

// TryWrite commits a change that means nothing, to see that the database can be written.
func TryWrite(ctx context.Context, db *store.DB) error {
	err := db.InTx(ctx, func(tx *store.Tx) error {
		n, err := tx.Exec(ctx, tryInstance)
		if err == nil && n != 1 {
			err = store.ErrNotFound
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("try to write the database: %w", err)
	}
	return nil
}

const (
	insertInstance = `INSERT INTO instance (id, machine, inode, heartbeat) VALUES (1, ?1, ?2, ?3)`
	holdInstance   = `UPDATE instance SET held = ?1 WHERE id = 1 AND held = ''`
	placeInstance  = `UPDATE instance SET machine = ?1, inode = ?2, heartbeat = CASE WHEN heartbeat < ?3 THEN ?3 ELSE heartbeat END WHERE id = 1`
)

// CheckInstance compares the database's record with this machine and file and puts it in hold where they differ (a copy, a
// restored backup), where the lock file knows a later heartbeat (an older copy in the same place), where the last heartbeat
// is in the future by more than ten minutes, or where, once live, it is six hours old and the sender did not end in order,
// in the middle of an issue. The first call on a new database makes the record. With the hold goes what onHold does in the same
// transaction, where it is not nil: whoever finds that a database is an older one has more to do than not to send. The record then is of
// this file. One that is on hold already keeps its reason, but another file in the place of that one has onHold run again: it is an
// older one too.
func CheckInstance(ctx context.Context, db *store.DB, now time.Time, onHold store.Hook) (Instance, error) {
	here, err := whereIs(db.Path())
	if err != nil {
		return Instance{}, fmt.Errorf("instance: %w", err)
	}
	last, err := noted(db.Path())
	if err != nil {
		return Instance{}, fmt.Errorf("instance: %w", err)
	}
	judge := func(q store.Querier) (inst Instance, fresh bool, err error) {
		inst, at, err := readInstance(ctx, q)
		if err != nil {
			return inst, false, err
		}
		odd := misplaced(inst, at, here, last)
		if inst.Held != "" {
			return inst, odd != "", nil
		}
		inst.Held = cmp.Or(odd, early(inst, now))
		if inst.Held == "" && !inst.LiveSince.IsZero() && now.Sub(inst.Heartbeat) > longAway {
			inst.Held, err = midway(ctx, q, inst, now)
		}
		return inst, inst.Held != "", err
	}
	// Mostly there is nothing to write, and who only looks must not wait for who writes.
	inst, fresh, err := judge(db)
	if err == nil && !fresh {
		return inst, nil
	}
	err = db.InTx(ctx, func(tx *store.Tx) error {
		if inst, fresh, err = judge(tx); errors.Is(err, store.ErrNotFound) {
			inst = Instance{Heartbeat: now}
			_, err = tx.Exec(ctx, insertInstance, here.machine, here.inode, now.UnixMilli())
			return err
		}
		if err != nil || !fresh {
			return err
		}
		if _, err = tx.Exec(ctx, holdInstance, inst.Held); err == nil {
			_, err = tx.Exec(ctx, placeInstance, here.machine, here.inode, last.UnixMilli())
		}
		if err == nil && onHold != nil {
			err = onHold(ctx, tx)
		}
		return err
	})
	if err != nil {
		return Instance{}, fmt.Errorf("instance: %w", err)
	}
	return inst, nil
}

// misplaced says why a database is not the one that was here; empty: nothing is odd.
func misplaced(inst Instance, at, here place, noted time.Time) string {
	switch {
	case at.machine != "" && here.machine != "" && at.machine != here.machine:
		return "this database comes from another machine: if that one still sends, readers would get everything twice"
	case at.inode != here.inode:
		return "this file is a copy or a restored backup: what was sent since it was made, it does not know"
	case noted.After(inst.Heartbeat):
		return fmt.Sprintf("this database is older than the last sender here, of %s: what was sent since, it does not know",
			noted.UTC().Format(time.RFC3339))
	}
	return ""
}

// early says that it is earlier than it can be; empty: it is not.
func early(inst Instance, now time.Time) string {
	if inst.Heartbeat.Sub(now) <= clockSlack {
		return ""
	}
	return fmt.Sprintf("this machine's clock is behind: the last sender here was alive at %s", inst.Heartbeat.UTC().Format(time.RFC3339))
}

const selectMidway = `SELECT EXISTS (SELECT 1 FROM instance WHERE closed = 0)
	AND (EXISTS (SELECT 1 FROM issues i WHERE i.state IN ('planned', 'filling') AND i.state NOT IN ('done', 'cancelled'))
		OR EXISTS (SELECT 1 FROM issues i CROSS JOIN deliveries d
			WHERE i.state = 'sending' AND i.state NOT IN ('done', 'cancelled') AND d.issue_id = i.id AND d.state = 'pending')
		OR EXISTS (SELECT 1 FROM deliveries d JOIN issues i ON i.id = d.issue_id
			WHERE d.owner <> '' AND i.state = 'sending'))`

// midway says why a database whose sender was last alive long ago should not go on by itself; empty: it had nothing to send,
// or ended in order, as a program that is run once a day does.
func midway(ctx context.Context, q store.Querier, inst Instance, now time.Time) (string, error) {
	var yes bool
	if err := q.QueryRow(ctx, selectMidway).Scan(&yes); err != nil || !yes {
		return "", err
	}
	return fmt.Sprintf("the last sender here was alive %s ago, in the middle of an issue: "+
		"if this is a restored backup, what was sent since would be sent again", now.Sub(inst.Heartbeat).Round(time.Hour)), nil
}

// HoldAll keeps a database from sending until LiftHold, because of what held says. One that is held already keeps its reason.
func HoldAll(ctx context.Context, tx *store.Tx, held string) error {
	if _, err := tx.Exec(ctx, holdInstance, held); err != nil {
		return fmt.Errorf("hold: %w", err)
	}
	return nil
}

const heartbeat = `UPDATE instance SET heartbeat = ?1, closed = 0 WHERE id = 1`

// Heartbeat records that the sender lives.
func Heartbeat(ctx context.Context, tx *store.Tx, now time.Time) error {
	if _, err := tx.Exec(ctx, heartbeat, now.UnixMilli()); err != nil {
		return fmt.Errorf("heartbeat: %w", err)
	}
	return nil
}

const closeInstance = `UPDATE instance SET closed = 1 WHERE id = 1`

// endInOrder records that the sender ended and left nothing claimed or in flight.
func endInOrder(ctx context.Context, tx *store.Tx) error {
	if _, err := tx.Exec(ctx, closeInstance); err != nil {
		return fmt.Errorf("end in order: %w", err)
	}
	return nil
}

const bindInstance = `INSERT INTO instance (id, machine, inode, heartbeat) VALUES (1, ?1, ?2, ?3)
ON CONFLICT (id) DO UPDATE SET machine = ?1, inode = ?2, heartbeat = ?3, closed = 1, held = ''`

// LiftHold lets a held database send again from this machine and the file at path.
func LiftHold(ctx context.Context, tx *store.Tx, path string, now time.Time) error {
	here, err := whereIs(path)
	if err == nil {
		_, err = tx.Exec(ctx, bindInstance, here.machine, here.inode, now.UnixMilli())
	}
	if err == nil {
		err = renote(path, now)
	}
	if err != nil {
		return fmt.Errorf("lift hold: %w", err)
	}
	return nil
}

const goLive = `UPDATE instance SET live_since = CASE WHEN live_for = ?2 THEN coalesce(live_since, ?1) ELSE ?1 END, live_for = ?2
WHERE id = 1`

// GoLive records that the checklist passed, and what it passed for: a fingerprint of the settings that it looked at, by
// which the caller knows that they are others now. It fails with store.ErrNotFound before the first CheckInstance or
// LiftHold.
func GoLive(ctx context.Context, tx *store.Tx, bound string, now time.Time) error {
	n, err := tx.Exec(ctx, goLive, now.UnixMilli(), bound)
	if err == nil && n == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("go live: %w", err)
	}
	return nil
}

// whereIs names this machine and the file at path.
func whereIs(path string) (place, error) {
	info, err := os.Stat(path)
	if err != nil {
		return place{}, err
	}
	sys, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return place{}, fmt.Errorf("%s has no inode: %w", path, errors.ErrUnsupported)
	}
	return place{machine: machine("/etc/machine-id"), inode: int64(sys.Ino)}, nil
}

// machine is the hash of a machine's id, which is a secret of the machine; empty where it has none, as in many containers.
// Their host names are no help: they change with every start.
func machine(file string) string {
	text, err := os.ReadFile(file)
	id := strings.TrimSpace(string(text))
	if err != nil || id == "" {
		return ""
	}
	sum := sha256.Sum256([]byte("pressrun instance " + id))
	return hex.EncodeToString(sum[:16])
}
