package store

import (
	"context"
	"errors"
	"sync"
)

// errPanicked is told to those whose commit ended with another's panic.
var errPanicked = errors.New("another change that shared this commit failed")

// joint gathers what many ask to be committed at the same moment.
type joint struct {
	mu      sync.Mutex
	waiting []*part
	led     bool // one of those who asked commits for the others
}

type part struct {
	do   func(*Tx) error
	done chan error    // told once, when it is on the disk or can't be
	lead chan struct{} // told instead that it is its turn to commit for those who wait
}

// Together is InTx for short changes that many people make at once, each for themselves: those that wait while a commit is on
// its way share the next one, and with it the wait for the disk. One that fails takes nobody along, so f may run twice and the
// first time be rolled back. Whoever commits does so for others too, so that the end of ctx stops nothing that has begun.
func (db *DB) Together(ctx context.Context, f func(*Tx) error) error {
	own := &part{do: f, done: make(chan error, 1), lead: make(chan struct{}, 1)}
	db.joint.mu.Lock()
	db.joint.waiting = append(db.joint.waiting, own)
	if !db.joint.led {
		db.joint.led = true
		own.lead <- struct{}{}
	}
	db.joint.mu.Unlock()
	select {
	case err := <-own.done:
		return err
	case <-own.lead:
	}
	db.joint.mu.Lock()
	all := db.joint.waiting
	db.joint.waiting = nil
	db.joint.mu.Unlock()
	defer db.joint.pass()
	db.commit(context.WithoutCancel(ctx), all)
	return <-own.done
}

// pass gives the lead to the first of those who came meanwhile.
func (j *joint) pass() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.led = len(j.waiting) > 0; j.led {
		j.waiting[0].lead <- struct{}{}
	}
}

// commit writes all in one transaction, and where one of them fails, not the disk, each in its own.
func (db *DB) commit(ctx context.Context, all []*part) {
	told := 0
	defer func() { // a panic in one of them is its caller's; the others must not wait for ever
		for _, p := range all[told:] {
			p.done <- errPanicked
		}
	}()
	err := db.InTx(ctx, func(tx *Tx) error {
		for _, p := range all {
			if err := p.do(tx); err != nil {
				return err
			}
		}
		return nil
	})
	apart := err != nil && len(all) > 1 && !errors.Is(err, ErrDisk) && !errors.Is(err, ErrBusy)
	for _, p := range all {
		if apart {
			err = db.InTx(ctx, p.do)
		}
		p.done <- err
		told++
	}
}
