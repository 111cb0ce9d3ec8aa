package main

import (
	"bufio"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// yardstick is what this machine does without us, measured before and after the send, since it may not be alone on it.
type yardstick struct {
	n         int64
	took, cpu time.Duration
}

// measured adds n of what began then, with what this process had used.
func (y *yardstick) measured(n int64, began time.Time, before spent) {
	y.n += n
	y.took += time.Since(began)
	y.cpu += usage().cpu - before.cpu
}

func (y *yardstick) rate() float64 { return float64(y.n) / max(y.took.Seconds(), 1e-9) }

// bareMessages is how many messages the bare client sends at most, each of the two times.
const bareMessages = 10_000

// measureClient sends messages of the same size to the same server by a client that does nothing else: no database, one round
// trip a message.
func (b *bench) measureClient(ctx context.Context) error {
	preview, err := b.site.publisher.Preview(ctx, benchSeries, benchSeries, "")
	if err != nil {
		return err
	}
	n := int64(min(b.o.subscribers, bareMessages))
	before, began := usage(), time.Now()
	var left atomic.Int64
	left.Store(n)
	faults := make(chan error, b.o.connections)
	for range b.o.connections {
		go func() { faults <- bareClient(ctx, b.sink.addr, preview.EML, &left) }()
	}
	for range b.o.connections {
		err = errors.Join(err, <-faults)
	}
	b.client.measured(n, began, before)
	if err != nil {
		return fmt.Errorf("bare client: %w", err)
	}
	taken, err := b.sink.taken()
	if err == nil && taken.Messages != n {
		err = fmt.Errorf("bare client: the server took %d of %d messages", taken.Messages, n)
	}
	return err
}

// bareClient sends messages over one connection as long as some are left: the content of one and the envelope of the next in
// one write.
func bareClient(ctx context.Context, addr string, content []byte, left *atomic.Int64) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	replies := bufio.NewReader(conn)
	turn := func(out []byte, answers int) error {
		if _, err := conn.Write(out); err != nil {
			return err
		}
		for range answers {
			if err := bareReply(replies); err != nil {
				return err
			}
		}
		return nil
	}
	envelope := "MAIL FROM:<letters@bench.example>\r\nRCPT TO:<reader@bench.example>\r\nDATA\r\n"
	message := slices.Concat(content, []byte(".\r\n"))
	both := slices.Concat(message, []byte(envelope))
	if err := turn([]byte("EHLO bench.example\r\n"), 2); err != nil { // greeting, EHLO
		return err
	}
	if left.Add(-1) < 0 {
		return turn([]byte("QUIT\r\n"), 1)
	}
	if err := turn([]byte(envelope), 3); err != nil {
		return err
	}
	for left.Add(-1) >= 0 {
		if err := turn(both, 4); err != nil {
			return err
		}
	}
	return turn(message, 1)
}

// bareReply reads a reply of any number of lines, which has to be a good one.
func bareReply(r *bufio.Reader) error {
	for {
		line, err := r.ReadSlice('\n')
		switch {
		case err != nil:
			return err
		case len(line) < 4 || line[0] != '2' && line[0] != '3':
			return fmt.Errorf("the server says %q", line)
		case line[3] != '-':
			return nil
		}
	}
}

// measureInsert writes the rows of the same issue by one statement, into the database as it was before the fill.
func (b *bench) measureInsert(ctx context.Context) (err error) {
	db, err := store.Open(ctx, filepath.Join(b.dir, benchCopy))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	issue, err := b.again(ctx, db)
	if err != nil {
		return err
	}
	began := time.Now()
	err = db.InTx(ctx, func(tx *store.Tx) error {
		n, err := outbox.FillBare(ctx, tx, issue.ID, b.app.now())
		if err == nil && n != int64(b.o.subscribers) {
			err = fmt.Errorf("wrote %d rows of %d", n, b.o.subscribers)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("fill by one statement: %w", err)
	}
	r := &b.report
	r.InsertSeconds = time.Since(began).Seconds()
	r.FillRatio = r.FillSeconds / r.InsertSeconds
	return nil
}

// again freezes the issue in another database.
func (b *bench) again(ctx context.Context, db *store.DB) (issue series.Issue, err error) {
	of, err := series.BySlug(ctx, db, benchSeries)
	if err != nil {
		return issue, err
	}
	article, err := series.ArticleBySlug(ctx, db, benchSeries)
	if err != nil {
		return issue, err
	}
	f := series.Frozen{
		Series: of, Article: article, Slot: b.issue.Slot, Kind: b.issue.Kind, State: series.IssueFilling,
		Subject: b.issue.Subject, HTML: b.issue.HTML, Text: b.issue.Text, ArticleHTML: b.issue.ArticleHTML,
	}
	err = db.InTx(ctx, func(tx *store.Tx) error {
		issue, err = series.Freeze(ctx, tx, f, b.app.now())
		return err
	})
	return issue, err
}

// signingTime is how long signing alone is measured, each of the two times.
const signingTime = time.Second

// measureSigning counts what RSA signatures of 2048 bits all cores make when they do nothing else.
func (b *bench) measureSigning(context.Context) error {
	if !b.o.dkim {
		return nil
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	hash := sha256.Sum256([]byte("bench"))
	var made atomic.Int64
	var cores sync.WaitGroup
	before, began := usage(), time.Now()
	for range runtime.GOMAXPROCS(0) {
		cores.Go(func() {
			for time.Since(began) < signingTime {
				if _, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, hash[:]); err == nil {
					made.Add(1)
				}
			}
		})
	}
	cores.Wait()
	b.signing.measured(made.Load(), began, before)
	return nil
}

// compare puts the yardsticks to what was measured.
func (b *bench) compare(context.Context) error {
	r := &b.report
	r.BareRate = b.client.rate()
	r.BareRatio = r.PerSecond / r.BareRate
	if b.o.latency > 0 {
		r.BoundRate = float64(b.o.connections) / b.o.latency.Seconds()
		r.BoundRatio = r.PerSecond / r.BoundRate
	}
	if b.o.dkim {
		r.SigningRate = b.signing.rate()
		r.SigningRatio = r.PerSecond / r.SigningRate
		r.SigningCPU = perMessage(b.signing.cpu, b.signing.n)
	}
	return nil
}
