package subscribers

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"slices"
	"syscall"
)

// lossyDisk is a disk whose power can be cut: it knows what of its files was synced, and gives every disk that a cut now could
// leave behind.
type lossyDisk struct {
	names, kept map[string]*lossyFile // as programs see them, and as they are after a cut
	full        bool                  // writes half of what it is given, and fails
	nameless    bool                  // fails to make names last
	after       func()                // each change; nil: nobody is told
	inodes      uint64
}

type lossyFile struct {
	disk       *lossyDisk
	inode      uint64
	data, kept []byte
	synced     bool // kept is all of data
}

func newLossyDisk(files map[string][]byte) *lossyDisk {
	d := &lossyDisk{names: map[string]*lossyFile{}, kept: map[string]*lossyFile{}}
	for name, data := range files {
		d.inodes++
		f := &lossyFile{disk: d, inode: d.inodes, data: slices.Clone(data), kept: slices.Clone(data), synced: true}
		d.names[name], d.kept[name] = f, f
	}
	return d
}

func (d *lossyDisk) changed() {
	if d.after != nil {
		d.after()
	}
}

func (d *lossyDisk) Stat(path string) (fileID, error) {
	f, ok := d.names[path]
	if !ok {
		return fileID{}, os.ErrNotExist
	}
	return fileID{f.inode, int64(len(f.data))}, nil
}

func (d *lossyDisk) Open(path string) (diskFile, error) {
	f, ok := d.names[path]
	if !ok {
		return nil, os.ErrNotExist
	}
	return f, nil
}

func (d *lossyDisk) Create(path string) (diskFile, error) {
	if d.full {
		return nil, syscall.ENOSPC
	}
	d.inodes++
	f := &lossyFile{disk: d, inode: d.inodes}
	d.names[path] = f
	d.changed()
	return f, nil
}

func (d *lossyDisk) Rename(from, to string) error {
	d.names[to] = d.names[from]
	delete(d.names, from)
	d.changed()
	return nil
}

func (d *lossyDisk) SyncFolder(string) error {
	if d.nameless {
		return syscall.EIO
	}
	d.kept = maps.Clone(d.names)
	d.changed()
	return nil
}

func (f *lossyFile) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(f.data).ReadAt(p, off)
}

func (f *lossyFile) WriteAt(p []byte, off int64) (n int, err error) {
	if f.disk.full {
		p, err = p[:len(p)/2], syscall.ENOSPC
	}
	if grow := int(off) + len(p) - len(f.data); grow > 0 {
		f.data = append(f.data, make([]byte, grow)...)
	}
	f.synced = false
	n = copy(f.data[off:], p)
	f.disk.changed()
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return n, err
}

func (f *lossyFile) Truncate(size int64) error {
	f.data, f.synced = f.data[:size:size], false
	f.disk.changed()
	return nil
}

func (f *lossyFile) Sync() error {
	if f.disk.full {
		return errors.New("the disk is full")
	}
	f.kept, f.synced = slices.Clone(f.data), true
	f.disk.changed()
	return nil
}

func (f *lossyFile) Close() error { return nil }

// cuts gives every content that a file can have after a power cut now. What was not synced may be lost, torn at any octet, or
// be there but for its beginning, which reads as NUL.
func (f *lossyFile) cuts(step int) [][]byte {
	all := [][]byte{f.kept}
	if f.synced {
		return all
	}
	for n := 0; n <= len(f.data); n += step {
		if n >= len(f.kept) || !bytes.Equal(f.data[:n], f.kept[:n]) {
			all = append(all, f.data[:n])
		}
		if n > len(f.kept) {
			late := slices.Clone(f.data)
			clear(late[len(f.kept):n])
			all = append(all, late)
		}
	}
	return append(all, f.data)
}

// cuts gives every disk that a power cut now could leave behind, as the content of a file: names that were not synced are
// the old or the new ones. nil: there is no such file.
func (d *lossyDisk) cuts(name string, step int) [][]byte {
	var all [][]byte
	for _, names := range []map[string]*lossyFile{d.kept, d.names} {
		if f, ok := names[name]; ok {
			all = append(all, f.cuts(step)...)
		} else {
			all = append(all, nil)
		}
	}
	return all
}
