package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"pressrun/newsletter/outbox"
	"pressrun/subscribers/store"
)

// benchSink is the mail server, in a process of its own.
type benchSink struct {
	addr   string
	cmd    *exec.Cmd
	orders io.WriteCloser
	words  *bufio.Reader
}

func (b *bench) startSink(ctx context.Context) (*benchSink, error) {
	args := []string{"bench-sink", "--latency", b.o.latency.String()}
	if b.o.chunking {
		args = append(args, "--chunking")
	}
	cmd, err := b.command(ctx, args...)
	if err != nil {
		return nil, err
	}
	s := &benchSink{cmd: cmd}
	out, err := cmd.StdoutPipe()
	if err == nil {
		s.orders, err = cmd.StdinPipe()
	}
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("start the bench's mail server: %w", err)
	}
	s.words = bufio.NewReader(out)
	if s.addr, err = s.words.ReadString('\n'); err != nil {
		return nil, errors.Join(fmt.Errorf("start the bench's mail server: %w", err), s.Close())
	}
	s.addr = strings.TrimSpace(s.addr)
	return s, nil
}

// taken is what it took since the last call.
func (s *benchSink) taken() (t took, err error) {
	if _, err = io.WriteString(s.orders, "\n"); err == nil {
		var line []byte
		if line, err = s.words.ReadBytes('\n'); err == nil {
			err = json.Unmarshal(line, &t)
		}
	}
	if err != nil {
		return t, fmt.Errorf("ask the bench's mail server: %w", err)
	}
	return t, nil
}

// Close has it end, which it does when nobody can give it orders any more.
func (s *benchSink) Close() error {
	err := s.orders.Close()
	if ended := s.cmd.Wait(); ended != nil && s.cmd.ProcessState != nil && s.cmd.ProcessState.ExitCode() > 0 {
		err = errors.Join(err, fmt.Errorf("the bench's mail server: %w", ended))
	}
	return err
}

// fill plays the slot: the issue is frozen, and its rows are written.
func (b *bench) fill(ctx context.Context) error {
	b.site.db.Used()
	happened, err := b.site.publisher.RunDue(ctx)
	if err != nil {
		return err
	}
	if len(happened) != 1 || len(happened[0].Issues) != 1 {
		return fmt.Errorf("the slot of the bench made no issue: %+v", happened)
	}
	b.report.FillLock = ms(b.site.db.Used().Longest)
	status, err := b.site.publisher.Issue(ctx, happened[0].Issues[0])
	if err != nil {
		return err
	}
	b.issue = status.Issue
	took := b.issue.SendingSince.Sub(b.issue.Frozen).Seconds()
	b.report.FillSeconds, b.report.FillRows = took, float64(b.o.subscribers)/max(took, 0.001)
	return nil
}

// send delivers the issue, by the code of run-due.
func (b *bench) send(ctx context.Context) (err error) {
	runtime.GC()
	b.site.db.Used()
	before, began := usage(), time.Now()
	worker, stop, err := b.site.startWorker(ctx)
	if err != nil {
		return err
	}
	err = b.site.drain(ctx, worker, b.app.err)
	took, spent, used := time.Since(began), usage(), b.site.db.Used()
	if err = errors.Join(err, stop()); err != nil {
		return err
	}
	if b.took, err = b.sink.taken(); err != nil {
		return err
	}
	r := &b.report
	r.Messages, r.SinkMessages = b.site.said.sent.Load(), b.took.Messages
	r.Seconds, r.PerSecond = took.Seconds(), float64(r.Messages)/took.Seconds()
	r.Commits = used.Commits
	r.CPU = perMessage(spent.cpu-before.cpu, r.Messages)
	r.PeakRSS, r.BodyBytes = spent.peak, b.took.Bytes/max(b.took.Messages, 1)
	r.FirstMS = ms(time.Unix(0, b.took.First).Sub(began))
	return nil
}

// perMessage is in µs.
func perMessage(cpu time.Duration, n int64) float64 {
	return float64(cpu) / float64(time.Microsecond) / float64(max(n, 1))
}

// spent is what this process has used since it began.
type spent struct {
	cpu  time.Duration
	peak float64 // MB
}

func usage() spent {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return spent{}
	}
	peak := float64(u.Maxrss) / 1024
	if runtime.GOOS == "darwin" { // which counts octets there
		peak /= 1024
	}
	return spent{time.Duration(u.Utime.Nano() + u.Stime.Nano()), peak}
}

// verify compares what the server took with the rows.
func (b *bench) verify(ctx context.Context) error {
	var rows took
	err := outbox.EachSent(ctx, b.site.db, b.issue.ID, func(hash string, marks int64) error {
		rows.Messages++
		b.report.Marks += marks
		return rows.Sum.addHex(hash)
	})
	if err != nil {
		return err
	}
	if b.report.Synchronous, err = synchronous(ctx, b.site.db); err != nil {
		return err
	}
	b.disagreement = b.report.disagrees(int64(b.o.subscribers), rows, b.took.Sum)
	b.report.Verified = b.disagreement == nil
	return nil
}

// disagrees is errDisagree with all numbers where one of them is not the other's.
func (r benchReport) disagrees(subscribers int64, rows took, sum digest) error {
	equal := rows.Sum == sum
	for _, n := range []int64{rows.Messages, r.Messages, r.Marks, r.SinkMessages} {
		if n != subscribers || !equal {
			return fmt.Errorf("%w: %d subscribers, %d rows sent, %d answers, %d marks, %d messages at the server, hashes equal: %v",
				errDisagree, subscribers, rows.Messages, r.Messages, r.Marks, r.SinkMessages, equal)
		}
	}
	return nil
}

const readSynchronous = `SELECT CASE synchronous WHEN 0 THEN 'OFF' WHEN 1 THEN 'NORMAL' WHEN 2 THEN 'FULL' ELSE 'EXTRA' END FROM pragma_synchronous`

// synchronous asks the connection that writes.
func synchronous(ctx context.Context, db *store.DB) (word string, err error) {
	err = db.InTx(ctx, func(tx *store.Tx) error { return tx.QueryRow(ctx, readSynchronous).Scan(&word) })
	return word, err
}
