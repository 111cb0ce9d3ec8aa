package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

var clickReaders = flag.Int("readers", 20_000, "readers of the issue that BenchmarkOneClickWhileSending sends")

// BenchmarkOneClickWhileSending has serve send an issue, and meanwhile 100 readers a second leave by one click, until it is through
// or 20 seconds are over. Each is in the database and in the journal before it is answered.
//
//	go test ./cmd/pressrun -run xxx -bench OneClickWhileSending -benchtime 1x -args -readers=100000
func BenchmarkOneClickWhileSending(b *testing.B) {
	for b.Loop() {
		clickWhileSending(b, *clickReaders)
	}
}

func clickWhileSending(b *testing.B, readers int) {
	sink, taken, begun := openSink(b)
	site := newTrial(b)
	_, port, err := splitAddr(sink)
	if err != nil {
		b.Fatal(err)
	}
	b.Setenv("PRESSRUN_RELAY_PORT", fmt.Sprint(port))
	b.Setenv("PRESSRUN_BACKUP_DIR", "")
	b.Setenv("PRESSRUN_LOG_LEVEL", "error")
	people := "email\n" + strings.Join(addresses(readers), "\n")
	if err := os.WriteFile("people.csv", []byte(people), 0o600); err != nil {
		b.Fatal(err)
	}
	site.bread()
	site.run("subscriber", "import", "bread", "people.csv", "--as", "active", "--because", "a benchmark")
	key, err := readKey("pressrun.key")
	if err != nil {
		b.Fatal(err)
	}
	b.Setenv("PRESSRUN_LOG_LEVEL", "info") // serve says when it serves
	stop := site.serve()
	queued := make(chan error, 1)
	go func() { queued <- site.try("issue", "send", "bread", "--yes") }() // it returns when serve has taken it up
	<-begun
	took, sent, over := clicks(b, site.base, key, readers, taken)
	if err := <-queued; err != nil {
		b.Fatal(err)
	}
	if len(took) == 0 {
		b.Fatal("the issue was through before anybody could leave: give it more -readers")
	}
	stop()
	wantLeft(b, len(took))
	b.ReportMetric(quantileMS(took, 0.5), "p50-ms")
	b.ReportMetric(quantileMS(took, 0.99), "p99-ms")
	b.ReportMetric(float64(len(took)), "clicks")
	b.ReportMetric(float64(sent)/over.Seconds(), "messages/s")
}

func addresses(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("reader%d@reader.example", i)
	}
	return all
}

// clicks has the last readers leave, whose letters are among the last, 100 a second.
func clicks(b *testing.B, base string, key subscribers.Key, readers int, taken func() int64) (took []time.Duration, sent int64, over time.Duration) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}, Timeout: time.Minute}
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	began, before := time.Now(), taken()
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := 0; i < 2000 && i < readers/2 && taken()+int64(i) < int64(readers)*95/100; i++ {
		<-ticker.C
		token := key.Seal(subscribers.Token{Purpose: subscribers.PurposeUnsubscribe, SubscriberID: int64(readers - i), SeriesID: 1})
		all.Go(func() {
			at := time.Now()
			res, err := client.PostForm(base+"/u/"+token, url.Values{"List-Unsubscribe": {"One-Click"}})
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
			if res.StatusCode != http.StatusOK {
				b.Errorf("one-click: %s", res.Status)
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, time.Since(at))
		})
	}
	all.Wait()
	return took, taken() - before, time.Since(began)
}

// wantLeft wants everybody who was answered in the database.
func wantLeft(b *testing.B, want int) {
	db, err := store.Open(context.Background(), "pressrun.db")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	var left int
	if err := db.QueryRow(context.Background(), `SELECT count(*) FROM suppressions WHERE reason = 'unsubscribe'`).Scan(&left); err != nil || left != want {
		b.Errorf("%d left, %d were answered (%v)", left, want, err)
	}
}

func quantileMS(all []time.Duration, q float64) float64 {
	slices.Sort(all)
	return float64(all[int(q*float64(len(all)-1))]) / float64(time.Millisecond)
}

// openSink is a mail server that takes everything, how much it has taken, and what is closed once somebody sends there.
func openSink(b *testing.B) (addr string, taken func() int64, begun <-chan struct{}) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	s, first := &sink{}, make(chan struct{})
	begin := sync.OnceFunc(func() { close(first) })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			begin()
			go s.serve(conn)
		}
	}()
	return l.Addr().String(), func() int64 {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.took.Messages
	}, first
}
