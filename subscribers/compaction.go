package subscribers

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"

	"pressrun/subscribers/store"
)

// Growth: people leave and come back, and so can a program. Once there are twice as many records as were left by the last
// rewriting, and this many more, only the last one of each scope is kept.
const mostRepeated = 10_000

const (
	fewRecords  = 4096    // can be copied while others wait
	mostInCache = 4 << 20 // octets: the disk is given them early, since others' syncs would wait for all of them
)

// compaction writes the journal anew without the records that later ones repeat. Numbers stay, so that every backup still knows what it
// missed. Reading and writing it takes seconds where a million people left, so that is done while others append: a step under the
// write lock says up to where, and the one that finds only few records more puts the new file in the old one's place. A crash, or
// somebody who wrote the file anew meanwhile, leaves the old one as it was, and beside it what the next compaction replaces.
type compaction struct {
	file       leaveFile // the old one, as of the last step
	old, fresh diskFile
	freshID    uint64
	copied     int64 // records of the old file that are kept or dropped
	kept       int64 // records of the new one
}

// CompactJournal drops from the journal beside db (see KeepJournal) what later records repeat, once that is much. Others wait for a few
// milliseconds at most.
func (r *Registry) CompactJournal(ctx context.Context, db *store.DB) error {
	err := r.compactJournal(ctx, db, db.Path()+JournalSuffix, machineDisk{})
	if err != nil {
		return fmt.Errorf("compact the journal of leaves: %w", err)
	}
	return nil
}

func (r *Registry) compactJournal(ctx context.Context, db *store.DB, path string, on disk) (err error) {
	c := &compaction{file: leaveFile{disk: on, path: path, key: r.Key}}
	defer func() { err = errors.Join(err, c.close()) }()
	for done := false; ; {
		err := db.InTx(ctx, func(*store.Tx) (err error) {
			done, err = c.step()
			return err
		})
		if err != nil || done {
			return err
		}
		if err := c.copy(ctx); err != nil {
			return err
		}
	}
}

func (c *compaction) close() (err error) {
	for _, file := range []diskFile{c.old, c.fresh} {
		if file != nil {
			err = errors.Join(err, file.Close())
		}
	}
	return err
}

func (c *compaction) freshPath() string { return c.file.path + ".compacted" }

// step looks, under the write lock, how far the old file goes. It is done where there is nothing to do, where another program wrote the
// file anew, and where it ended the compaction.
func (c *compaction) step() (done bool, err error) {
	before := c.file.seen
	if _, err := c.file.read(); errors.Is(err, os.ErrNotExist) {
		return true, nil
	} else if err != nil {
		return false, err
	}
	switch {
	case c.fresh == nil && c.file.records <= 2*c.file.rewritten+mostRepeated:
		return true, nil
	case c.fresh == nil:
		return false, c.begin()
	case c.file.seen.inode != before.inode:
		return true, nil
	case c.file.records-c.copied <= fewRecords:
		return true, c.finish()
	}
	return false, nil
}

func (c *compaction) begin() (err error) {
	if c.old, err = c.file.disk.Open(c.file.path); err != nil {
		return err
	}
	if c.fresh, err = c.file.disk.Create(c.freshPath()); err != nil {
		return err
	}
	made, err := c.file.disk.Stat(c.freshPath())
	c.freshID = made.inode
	return err
}

// copy writes what is kept of the old file, up to where the last step saw it, and returns when that is on the disk.
func (c *compaction) copy(ctx context.Context) error {
	keep := func(int64) bool { return true }
	if c.copied == 0 {
		last, err := c.lastOfScope(ctx)
		if err != nil {
			return err
		}
		keep = func(i int64) bool { return last[i/8]&(1<<(i%8)) != 0 }
	}
	if err := c.copyTo(ctx, c.file.records, keep); err != nil {
		return err
	}
	return c.fresh.Sync()
}

// lastOfScope has a bit for each record that none behind it repeats. What can't be read is kept: who restores a backup is told of it.
func (c *compaction) lastOfScope(ctx context.Context) ([]byte, error) {
	bits := make([]byte, c.file.records/8+1)
	seen := map[[sha256.Size / 2]byte]struct{}{}
	i := c.file.records
	err := c.file.backwards(c.old, func(raw []byte) bool {
		i--
		repeated := false
		if c.file.good(raw) {
			sum := sha256.Sum256(raw[scopeAt : hashAt+hashOctets])
			scope := [sha256.Size / 2]byte(sum[:])
			_, repeated = seen[scope]
			seen[scope] = struct{}{}
		}
		if !repeated {
			bits[i/8] |= 1 << (i % 8)
		}
		return ctx.Err() == nil
	})
	return bits, errors.Join(err, ctx.Err())
}

// copyTo appends the records before the end-th to the new file, as far as they are kept.
func (c *compaction) copyTo(ctx context.Context, end int64, keep func(i int64) bool) error {
	const together = 512
	in := make([]byte, together*recordSize)
	out := make([]byte, 0, len(in))
	cached := 0
	for c.copied < end {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(together, end-c.copied)
		if _, err := c.old.ReadAt(in[:n*recordSize], (c.copied+1)*recordSize); err != nil {
			return err
		}
		out = out[:0]
		for i := range n {
			if keep(c.copied + i) {
				out = append(out, in[i*recordSize:(i+1)*recordSize]...)
			}
		}
		if len(out) > 0 {
			if _, err := c.fresh.WriteAt(out, (c.kept+1)*recordSize); err != nil {
				return err
			}
		}
		c.copied, c.kept = c.copied+n, c.kept+int64(len(out)/recordSize)
		if cached += len(out); cached > mostInCache {
			if err := c.fresh.Sync(); err != nil {
				return err
			}
			cached = 0
		}
	}
	return nil
}

// finish copies the last records and puts the new file in the old one's place, unless the new one's name is another's by now.
func (c *compaction) finish() error {
	if now, err := c.file.disk.Stat(c.freshPath()); err != nil || now.inode != c.freshID {
		return err
	}
	if err := c.copyTo(context.Background(), c.file.records, func(int64) bool { return true }); err != nil {
		return err
	}
	if _, err := c.fresh.WriteAt(c.file.header(c.kept, c.file.last), 0); err != nil {
		return err
	}
	if err := c.fresh.Sync(); err != nil {
		return err
	}
	return c.file.replaceBy(c.freshPath())
}
