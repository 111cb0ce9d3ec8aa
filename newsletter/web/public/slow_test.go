package public_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter/web"
	"pressrun/newsletter/web/webtest"
	"pressrun/subscribers"
)

// slowSite serves a site, and has clients hold n connections open that say something now and then, in their header or in their
// body.
func slowSite(t testing.TB, s *webtest.Site, h http.Handler, n int) (base string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := web.NewServer(h, s.Log.Logger())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(web.LimitListener(l, 4096, 256, nil)) }()
	t.Cleanup(func() {
		server.Close()
		<-ended
	})
	for i := range n {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatalf("slow connection %d: %v", i, err)
		}
		t.Cleanup(func() { conn.Close() })
		said := "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "
		if i%2 == 1 {
			said = "POST /s/skin/subscribe HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 60000\r\n\r\nemail="
		}
		if _, err := io.WriteString(conn, said); err != nil {
			t.Fatalf("slow connection %d: %v", i, err)
		}
	}
	return "http://" + l.Addr().String()
}

// click does what a mail program does for RFC 8058, on a connection of its own.
func click(base, token string) error {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	res, err := client.Post(base+"/u/"+token, "application/x-www-form-urlencoded",
		strings.NewReader(url.Values{"List-Unsubscribe": {"One-Click"}}.Encode()))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("got %s, want 200", res.Status)
	}
	return nil
}

// TestSlowClients holds a thousand connections open that never come to an end: one-clicks are answered all the same.
func TestSlowClients(t *testing.T) {
	s := webtest.New(t)
	skin := s.AddSeries(t, "skin", "Water")
	base := slowSite(t, s, handler(t, s), 1000)
	for i := range 20 {
		id, token := s.AddReader(t, skin, fmt.Sprintf("reader%d@example.org", i))
		if err := click(base, token); err != nil {
			t.Fatalf("click %d: %v", i, err)
		}
		if got := state(t, s, skin, id); got != subscribers.Ended {
			t.Errorf("click %d was answered, and the reader is %s", i, got)
		}
	}
}

// BenchmarkSlowClients is the time of a one-click while a thousand slow connections are open.
func BenchmarkSlowClients(b *testing.B) {
	s := webtest.New(b)
	skin := s.AddSeries(b, "skin", "Water")
	var tokens []string
	for i := range 500 {
		_, token := s.AddReader(b, skin, fmt.Sprintf("reader%d@example.org", i))
		tokens = append(tokens, token)
	}
	base := slowSite(b, s, handler(b, s), 1000)
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		began := time.Now()
		if err := click(base, tokens[i%len(tokens)]); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	b.ReportMetric(quantile(took, 0.5), "p50-ms")
	b.ReportMetric(quantile(took, 0.99), "p99-ms")
}
