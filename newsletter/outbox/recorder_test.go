package outbox_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// buildRecorder builds testdata/recorder with the C compiler that SQLite was built with.
func buildRecorder(t *testing.T) (library string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("skipped: the recorder of SQLite's file operations needs LD_PRELOAD as Linux has it")
	}
	compiler := os.Getenv("CC")
	if compiler == "" {
		compiler = "cc"
	}
	compiler, err := exec.LookPath(compiler)
	if err != nil {
		t.Skipf("skipped: no C compiler to build the recorder of SQLite's file operations with: %v", err)
	}
	library = filepath.Join(t.TempDir(), "recorder.so")
	out, err := exec.CommandContext(t.Context(), compiler, "-shared", "-fPIC", "-O1", "-o", library, "testdata/recorder/recorder.c", "-ldl", "-lpthread").CombinedOutput()
	if err != nil {
		t.Fatalf("build the recorder: %v\n%s", err, out)
	}
	return library
}

// again runs the calling test once more in a process of its own, under the recorder, and returns what it printed.
func again(t *testing.T, library string, env ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.run=^"+strings.SplitN(t.Name(), "/", 2)[0]+"$")
	cmd.Env = append(append(os.Environ(), "LD_PRELOAD="+library), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("under the recorder: %v\n%s", err, out)
	}
	return string(out)
}

// facts appends lines of the test's own to a recording, in the order in which they became true.
type facts struct {
	mu sync.Mutex
	f  *os.File
}

func (f *facts) note(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := fmt.Fprintf(f.f, "F "+format+"\n", args...); err != nil {
		panic(err)
	}
}

// recorded is one entry of a recording: what SQLite did to a file, or a line of somebody else's.
type recorded struct {
	do   byte   // W, T, S, O, U, D; 0: a line
	file string // db, wal, journal
	at   int64  // of W its offset, of T the size
	data []byte // of W
	line string
}

func readRecording(path string) (all []recorded, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for rest := text; len(rest) > 0; {
		line, after, ok := bytes.Cut(rest, []byte("\n"))
		if !ok {
			return nil, io.ErrUnexpectedEOF
		}
		rest = after
		r := recorded{line: string(line)}
		if len(line) > 0 && bytes.IndexByte([]byte("WTSOUD"), line[0]) >= 0 && (len(line) == 1 || line[1] == ' ') {
			var size int
			r.do = line[0]
			if _, err := fmt.Sscan(string(line[1:]), &r.file, &r.at, &size); err != nil && !errors.Is(err, io.EOF) && err.Error() != "unexpected newline" {
				return nil, fmt.Errorf("%q: %w", line, err)
			}
			if size > len(rest) {
				return nil, io.ErrUnexpectedEOF
			}
			r.data, rest = rest[:size], rest[size:]
		}
		all = append(all, r)
	}
	return all, nil
}

// sector is what a disk writes whole.
const sector = 512

// disk is what a machine's disk has of a database while a recording is played, and what the system has not written yet.
type disk struct {
	files map[string]*onDisk
}

type onDisk struct {
	durable []byte
	open    []recorded // since the last sync
	there   bool       // its name is in the folder
	renamed bool       // created or removed since the folder was synced: a cut may find either
}

func newDisk() *disk {
	return &disk{map[string]*onDisk{"db": {there: true}, "wal": {}, "journal": {}}} // our program makes the database itself
}

func (d *disk) play(r recorded) {
	if r.do == 'D' {
		for _, f := range d.files {
			f.renamed = false
		}
	}
	f := d.files[r.file]
	if f == nil {
		return
	}
	switch r.do {
	case 'W', 'T':
		f.open = append(f.open, r)
	case 'S':
		for _, one := range f.open {
			f.durable = one.apply(f.durable, 0, int64(len(one.data)))
		}
		f.open = nil
	case 'O':
		f.there, f.renamed, f.durable, f.open = true, true, nil, nil
	case 'U':
		f.there, f.renamed = false, true
	}
}

// apply does to a file what the entry did, as far as the octets from..to of it.
func (r recorded) apply(file []byte, from, to int64) []byte {
	end := r.at + to
	if r.do == 'T' {
		end = r.at
	}
	if grow := end - int64(len(file)); grow > 0 {
		file = append(file, make([]byte, grow)...)
	}
	if r.do == 'T' {
		return file[:r.at]
	}
	copy(file[r.at+from:end], r.data[from:to])
	return file
}

// The ways in which a power cut treats what was not synced.
const (
	dropAll   = iota // nothing of it is there
	tornOrder        // it is there up to somewhere in the middle of a write
	tornAny          // each sector of it is there or not
	cutWays
)

// cut writes into a folder what the disk has after a power cut.
func (d *disk) cut(way int, random *rand.Rand, folder, name string) error {
	for _, suffix := range []string{"db", "wal", "journal"} {
		f := d.files[suffix]
		path := filepath.Join(folder, name)
		if suffix != "db" {
			path += "-" + suffix
		}
		there := f.there
		if f.renamed && way != dropAll {
			there = random.IntN(2) == 0
		} else if f.renamed {
			there = !f.there
		}
		if !there {
			if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
			continue
		}
		if err := os.WriteFile(path, f.afterCut(way, random), 0o600); err != nil {
			return err
		}
	}
	err := os.Remove(filepath.Join(folder, name+"-shm"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

func (f *onDisk) afterCut(way int, random *rand.Rand) []byte {
	left := bytes.Clone(f.durable)
	if way == dropAll || len(f.open) == 0 {
		return left
	}
	whole := random.IntN(len(f.open) + 1) // of tornOrder
	for i, r := range f.open {
		n := int64(len(r.data))
		switch {
		case way == tornOrder && i < whole:
			left = r.apply(left, 0, n)
		case way == tornOrder && i == whole && n > 0:
			left = r.apply(left, 0, random.Int64N(n))
		case way == tornOrder && i >= whole:
			return left
		case r.do == 'T':
			if random.IntN(2) == 0 {
				left = r.apply(left, 0, 0)
			}
		default:
			for from := int64(0); from < n; from += sector - (r.at+from)%sector {
				if random.IntN(2) == 0 {
					left = r.apply(left, from, min(n, from+sector-(r.at+from)%sector))
				}
			}
		}
	}
	return left
}
