package public_test

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"syscall"
	"testing"
	"time"

	"pressrun/newsletter/web"
	"pressrun/newsletter/web/webtest"
)

// BenchmarkLeavePage gets the page of unsubscribe links over 8 connections that are kept, through what serve has in front of it,
// and says too what it costs, its client in it, where the machine has other work:
// `go test ./newsletter/web/public -run xxx -bench LeavePage -benchtime 20000x`.
func BenchmarkLeavePage(b *testing.B) {
	const connections, readers = 8, 100
	s := webtest.New(b)
	h := handler(b, s)
	skin := s.AddSeries(b, "skin", "Water")
	requests := make([][]byte, readers)
	for i := range requests {
		_, token := s.AddReader(b, skin, fmt.Sprintf("reader%d@example.org", i))
		requests[i] = []byte("GET /u/" + token + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
	}
	server := httptest.NewUnstartedServer(nil)
	server.Config = web.NewServer(web.ClientAddress(h, nil, slog.New(slog.DiscardHandler)), s.Log.Logger())
	server.Listener = web.LimitListener(server.Listener, 4096, 256, nil)
	server.Start()
	defer server.Close()
	b.ResetTimer()
	before := cpu()
	var all sync.WaitGroup
	for c := range connections {
		all.Go(func() {
			if err := getEach(server.Listener.Addr().String(), requests, b.N/connections+1, c); err != nil {
				b.Error(err)
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64((cpu()-before).Microseconds())/float64(b.N), "cpu-µs/page")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pages/s")
}

// cpu is the processor time of this process so far.
func cpu() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// getEach sends n requests over a connection of its own, one after the other, and reads their answers.
func getEach(address string, requests [][]byte, n, from int) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	for i := range n {
		if _, err := conn.Write(requests[(from+i)%len(requests)]); err != nil {
			return err
		}
		a, err := http.ReadResponse(in, nil)
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, a.Body); err != nil || a.StatusCode != http.StatusOK {
			return fmt.Errorf("status %d: %w", a.StatusCode, err)
		}
	}
	return nil
}
