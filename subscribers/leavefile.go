package subscribers

import (
	"bytes"
	"crypto/hmac"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// left is one record of the journal: somebody, or a domain, that may not be mailed from then on.
type left struct {
	seq      int64 // in the order of commits; never falls from one record to the next
	at       int64 // ms
	seriesID int64 // 0: everything
	reason   string
	hash     string // of a suppression
}

// scope is what of a record makes another one for the same superfluous.
func (l left) scope() left { return left{seriesID: l.seriesID, reason: l.reason, hash: l.hash} }

// The file is a header and records of the same size. Each ends in a keyed MAC over the rest of it, so that one that was torn
// by a power cut, or is another site's, is none.
//
//	header: name (24 octets), fingerprint of the key (16), records at the last rewriting (8), highest number then (8),
//	        nothing (16), MAC (16)
//	record: number, time, series (8 each, big-endian), reason (16, filled up with NUL), hash (32), MAC (16)
const (
	recordSize   = 88
	recordMAC    = 16
	leaveName    = "pressrun leaves 1\n"
	printAt      = 24
	rewrittenAt  = 40
	numberAt     = 48
	scopeAt      = 16 // to the end of the hash
	reasonAt     = 24
	reasonOctets = 16
	hashAt       = reasonAt + reasonOctets
	hashOctets   = 32
)

// leaveFile is the journal on the disk. It keeps no handle: whoever has the database's write lock may replace the file, and
// only they use it.
type leaveFile struct {
	disk disk
	path string
	key  Key

	seen      fileID // as it was when it was read or written last; zero: it was not, or that failed
	records   int64  // whole ones, up to the last good one
	last      int64  // number of the last good one, or the one that the file began with
	rewritten int64  // records that were there after it was rewritten
	named     uint64 // the inode whose name is on the disk for sure; 0: of none
}

// fileID tells whether a file is the one that was seen, and as long.
type fileID struct {
	inode uint64
	size  int64
}

// disk is where the journal lives: the machine's, or in tests one that loses what was not synced.
type disk interface {
	Stat(path string) (fileID, error) // os.ErrNotExist where there is none
	Open(path string) (diskFile, error)
	Create(path string) (diskFile, error) // a new one, whose name leads to it alone
	Rename(from, to string) error
	SyncFolder(path string) error
}

type diskFile interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	Sync() error
}

// seal appends the MAC to a header or record.
func (f *leaveFile) seal(body []byte) []byte {
	return append(body, f.key.MAC("journal of leaves", string(body))[:recordMAC]...)
}

func (f *leaveFile) good(raw []byte) bool {
	body := raw[:len(raw)-recordMAC]
	return hmac.Equal(f.seal(slices.Clone(body)), raw)
}

func (f *leaveFile) header(records, last int64) []byte {
	body := make([]byte, recordSize-recordMAC)
	copy(body, leaveName)
	copy(body[printAt:rewrittenAt], f.key.fingerprint())
	binary.BigEndian.PutUint64(body[rewrittenAt:], uint64(records))
	binary.BigEndian.PutUint64(body[numberAt:], uint64(last))
	return f.seal(body)
}

func (f *leaveFile) encode(l left) ([]byte, error) {
	hash, err := base64.RawURLEncoding.DecodeString(l.hash)
	if err != nil || len(hash) != hashOctets || len(l.reason) > reasonOctets {
		return nil, fmt.Errorf("a suppression for %q has no hash of ours", l.reason)
	}
	body := make([]byte, reasonAt, recordSize)
	for i, n := range []int64{l.seq, l.at, l.seriesID} {
		binary.BigEndian.PutUint64(body[8*i:], uint64(n))
	}
	body = append(body, l.reason...)
	body = append(body[:hashAt:recordSize], hash...) // what is between is NUL: it was made so
	return f.seal(body), nil
}

// decode says whether raw is a whole record of ours.
func (f *leaveFile) decode(raw []byte) (l left, ok bool) {
	if !f.good(raw) {
		return left{}, false
	}
	for i, n := range []*int64{&l.seq, &l.at, &l.seriesID} {
		*n = int64(binary.BigEndian.Uint64(raw[8*i:]))
	}
	l.reason = string(bytes.TrimRight(raw[reasonAt:hashAt], "\x00"))
	l.hash = base64.RawURLEncoding.EncodeToString(raw[hashAt : hashAt+hashOctets])
	return l, true
}

// unchanged says whether the file is as it was seen last.
func (f *leaveFile) unchanged() (bool, error) {
	now, err := f.disk.Stat(f.path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil && now == f.seen, err
}

// read looks at the file anew: os.ErrNotExist where there is none, ErrForeignJournal where it is another site's. What lies
// behind its last good record was torn by a power cut, before anybody was answered: cut says how many octets that are.
func (f *leaveFile) read() (cut int64, err error) {
	*f = leaveFile{disk: f.disk, path: f.path, key: f.key, named: f.named}
	now, err := f.disk.Stat(f.path)
	if err != nil {
		return 0, err
	}
	if now.size < recordSize {
		return 0, os.ErrNotExist // it was never made: a header is synced before it gets this name
	}
	file, err := f.disk.Open(f.path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := f.readHeader(file); err != nil {
		return 0, err
	}
	f.records = (now.size - recordSize) / recordSize
	err = f.backwards(file, func(raw []byte) bool {
		l, ok := f.decode(raw)
		if !ok {
			f.records--
			return true
		}
		f.last = max(f.last, l.seq)
		return false
	})
	f.seen = now
	return now.size - (f.records+1)*recordSize, err
}

func (f *leaveFile) readHeader(file diskFile) error {
	raw := make([]byte, recordSize)
	if _, err := file.ReadAt(raw, 0); err != nil {
		return err
	}
	if !f.good(raw) {
		return ErrForeignJournal
	}
	f.rewritten = int64(binary.BigEndian.Uint64(raw[rewrittenAt:]))
	f.last = int64(binary.BigEndian.Uint64(raw[numberAt:]))
	return nil
}

// backwards calls g for each record, or what stands in the place of one, the last one first, until it says no.
func (f *leaveFile) backwards(file diskFile, g func(raw []byte) bool) error {
	const together = 512
	raw := make([]byte, together*recordSize)
	for end := f.records; end > 0; {
		begin := max(0, end-together)
		some := raw[:(end-begin)*recordSize]
		if _, err := file.ReadAt(some, (begin+1)*recordSize); err != nil {
			return err
		}
		for ; end > begin; end-- {
			if !g(some[(end-begin-1)*recordSize : (end-begin)*recordSize]) {
				return nil
			}
		}
	}
	return nil
}

// since lists the records with a higher number than seq, oldest first. damaged counts what is no record though later ones are.
func (f *leaveFile) since(seq int64) (all []left, damaged int, err error) {
	file, err := f.disk.Open(f.path)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	err = f.backwards(file, func(raw []byte) bool {
		switch l, ok := f.decode(raw); {
		case !ok:
			damaged++
		case l.seq > seq:
			all = append(all, l)
		default:
			return false
		}
		return true
	})
	slices.Reverse(all)
	return all, damaged, err
}

// add appends records and returns when they are on the disk, and the file's name too: whoever put it there may have failed to make that
// last, and a power cut would bring the old one back. Where that fails none of them is there, or the next read finds
// them: they were not answered, but asked for.
func (f *leaveFile) add(all []left) error {
	raw := make([]byte, 0, len(all)*recordSize)
	for _, l := range all {
		one, err := f.encode(l)
		if err != nil {
			return err
		}
		raw = append(raw, one...)
	}
	if err := f.syncName(); err != nil {
		return err
	}
	file, err := f.disk.Open(f.path)
	if err != nil {
		return err
	}
	end := (f.records + 1) * recordSize
	seen := f.seen
	f.seen = fileID{} // until all went well
	_, err = file.WriteAt(raw, end)
	if err == nil {
		err = file.Sync()
	}
	if err == nil && seen.size > end+int64(len(raw)) { // a torn tail that was longer than what covers it
		err = errors.Join(file.Truncate(end+int64(len(raw))), file.Sync())
	}
	if err != nil {
		return errors.Join(err, file.Truncate(end), file.Close())
	}
	if err := file.Close(); err != nil {
		return err
	}
	f.seen = fileID{seen.inode, end + int64(len(raw))}
	f.records += int64(len(all))
	f.last = all[len(all)-1].seq
	return nil
}

func (f *leaveFile) syncName() error {
	if f.named == f.seen.inode && f.named != 0 {
		return nil
	}
	if err := f.disk.SyncFolder(filepath.Dir(f.path)); err != nil {
		return err
	}
	f.named = f.seen.inode
	return nil
}

// rewrite replaces the file by one of these records, whole or not at all. last is the highest number that was given.
func (f *leaveFile) rewrite(all []left, last int64) error {
	fresh := f.path + ".new"
	raw := f.header(int64(len(all)), last)
	for _, l := range all {
		one, err := f.encode(l)
		if err != nil {
			return err
		}
		raw = append(raw, one...)
	}
	file, err := f.disk.Create(fresh)
	if err != nil {
		return err
	}
	if _, err = file.WriteAt(raw, 0); err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = f.replaceBy(fresh)
	}
	if err != nil {
		return err
	}
	_, err = f.read()
	return err
}

// replaceBy puts a file that is on the disk in the journal's place.
func (f *leaveFile) replaceBy(fresh string) error {
	if err := f.disk.Rename(fresh, f.path); err != nil {
		return err
	}
	return f.disk.SyncFolder(filepath.Dir(f.path))
}

// lastOf keeps the last record of each scope.
func lastOf(all []left) []left {
	last := make(map[left]int, len(all))
	for i, l := range all {
		last[l.scope()] = i
	}
	kept := all[:0]
	for i, l := range all {
		if last[l.scope()] == i {
			kept = append(kept, l)
		}
	}
	return kept
}

// machineDisk is the machine's own.
type machineDisk struct{}

func (machineDisk) Stat(path string) (fileID, error) {
	info, err := os.Stat(path)
	if err != nil {
		return fileID{}, err
	}
	id := fileID{size: info.Size()}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		id.inode = sys.Ino
	}
	return id, nil
}

func (machineDisk) Open(path string) (diskFile, error) { return os.OpenFile(path, os.O_RDWR, 0) }

func (machineDisk) Create(path string) (diskFile, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
}

func (machineDisk) Rename(from, to string) error { return os.Rename(from, to) }

// SyncFolder makes names that were made in a folder last.
func (machineDisk) SyncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
