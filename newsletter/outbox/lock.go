package outbox

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ErrRunning says that another process sends from this database file.
var ErrRunning = errors.New("another pressrun sends from this database")

// Lock is the right to send from a database file: one process a file. The lock file also keeps the sender's last
// heartbeat, by which an older copy of the database put in its place is found out.
type Lock struct {
	mu sync.Mutex
	f  *os.File // nil once closed
}

func lockPath(path string) string { return path + ".lock" }

// TryLock takes the lock file beside the database (path + ".lock") or fails with ErrRunning. The lock ends with the process.
func TryLock(path string) (*Lock, error) {
	f, err := os.OpenFile(lockPath(path), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrRunning
		}
		return nil, errors.Join(fmt.Errorf("lock %s: %w", lockPath(path), err), f.Close())
	}
	return &Lock{f: f}, nil
}

// Close gives the right back. Safe to call twice. The file stays: removing it would let two processes lock two files.
func (l *Lock) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f == nil {
		return nil
	}
	f := l.f
	l.f = nil
	return f.Close()
}

// note keeps a heartbeat that the database has.
func (l *Lock) note(heartbeat time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f == nil {
		return nil
	}
	return writeNote(l.f, heartbeat)
}

// writeNote is always as long as the last one, so that no mixture of two can be read.
func writeNote(f *os.File, heartbeat time.Time) error {
	if _, err := f.WriteAt(fmt.Appendf(nil, "%020d\n", heartbeat.UnixMilli()), 0); err != nil {
		return fmt.Errorf("note heartbeat: %w", err)
	}
	return nil
}

// renote replaces the heartbeat that the lock file of a database keeps, whoever has the lock.
func renote(path string, heartbeat time.Time) error {
	f, err := os.OpenFile(lockPath(path), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("note heartbeat: %w", err)
	}
	return errors.Join(writeNote(f, heartbeat), f.Close())
}

// noted reads the heartbeat that the lock file of a database keeps; zero where there is none.
func noted(path string) (time.Time, error) {
	text, err := os.ReadFile(lockPath(path))
	if errors.Is(err, os.ErrNotExist) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("noted heartbeat: %w", err)
	}
	ms, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return time.Time{}, nil // new, or somebody else's words: it says nothing
	}
	return time.UnixMilli(ms), nil
}
