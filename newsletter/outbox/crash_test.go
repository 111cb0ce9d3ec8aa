package outbox_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"pressrun/newsletter/mailer"
	"pressrun/newsletter/mailer/smtptest"
	"pressrun/newsletter/outbox"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

var (
	kills = flag.Int("kills", 20, "how often TestKill kills the sender")
	seed  = flag.Uint64("seed", 0, "of TestKill; 0: a new one")
)

// A process with these in its environment is TestKill's sender.
const (
	childDatabase = "OUTBOX_CRASH_CHILD"
	childKey      = "OUTBOX_CRASH_KEY"
	childRelay    = "OUTBOX_CRASH_RELAY"
)

// childConnections is how many rows one kill may leave uncertain.
const childConnections = 4

func TestMain(m *testing.M) {
	path := os.Getenv(childDatabase)
	if path == "" {
		goleak.VerifyTestMain(m)
		return
	}
	if err := child(path); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// child sends what is pending and ends.
func child(path string) error {
	ctx := context.Background()
	db, err := store.Open(ctx, path)
	if err != nil {
		return err
	}
	key, err := subscribers.ParseKey(os.Getenv(childKey))
	if err != nil {
		return err
	}
	port, err := strconv.Atoi(os.Getenv(childRelay))
	if err != nil {
		return err
	}
	w, err := outbox.Start(outbox.Config{
		DB: db, Key: key, Connections: childConnections, BaseURL: must(url.Parse("https://news.example.org")),
		Relay: smtp(mailer.SMTP{Host: "127.0.0.1", Port: port, TLS: mailer.NoTLS, Helo: "mail.example.org"}),
	})
	if err != nil {
		return err
	}
	return errors.Join(w.Drain(ctx), w.Close(), db.Close())
}

// Where a kill is meant to hit: at a command of the n-th transaction, as the server sees it, or at any time.
const (
	atRcpt    = "RCPT"    // claimed, its envelope on the way
	atContent = "content" // marked, its content there, no reply yet
	atMail    = "MAIL"    // the next message's; the last one's 250 was read, and its result waits for company
	anyTime   = "any"
)

// killer kills the sender once where it was told to.
type killer struct {
	srv *smtptest.Server

	mu       sync.Mutex
	point    string // empty: not armed
	left     int
	process  *os.Process
	answered map[string]bool // messages that had their 250 when the kill came
}

func newKiller(srv *smtptest.Server) *killer {
	k := &killer{srv: srv}
	for _, point := range []string{atRcpt, atContent, atMail} {
		srv.At(point).Call(func() { k.reach(point) })
	}
	return k
}

func (k *killer) reach(point string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if point != k.point {
		return
	}
	if k.left--; k.left == 0 {
		k.kill()
	}
}

func (k *killer) kill() {
	k.point = ""
	k.answered = map[string]bool{}
	for _, m := range k.srv.Messages() {
		k.answered[m.MessageID] = m.Acknowledged
	}
	_ = k.process.Kill() // it may have ended by itself
}

// run starts a sender and kills it at the n-th time at the point; it reports whether the kill came before the end.
func (k *killer) run(t *testing.T, s *site, point string, n int) (killed bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childDatabase+"="+s.db.Path(), childKey+"="+s.key.Encode(), childRelay+"="+strconv.Itoa(k.srv.Port()))
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	k.mu.Lock()
	k.point, k.left, k.process, k.answered = point, n, cmd.Process, nil
	k.mu.Unlock()
	if point == anyTime {
		timer := time.AfterFunc(time.Duration(n)*10*time.Millisecond, func() { k.mu.Lock(); defer k.mu.Unlock(); k.kill() })
		defer timer.Stop()
	}
	err := cmd.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.point = ""
	if err != nil && k.answered == nil {
		t.Fatalf("the sender ended by itself: %v\n%s", err, said.String())
	}
	return err != nil
}

// hits counts what kills left behind.
type hits struct{ kills, claimed, inflight, between int }

// look counts the rows that a killed sender left claimed, in flight, and in flight with their 250 out already.
func (h *hits) look(t *testing.T, s *site, k *killer) {
	t.Helper()
	h.kills++
	var c, i, b bool
	for _, d := range deliveriesIn(t, s.db) {
		c = c || d.state == "claimed"
		i = i || d.state == "inflight" && !k.answered[d.messageID]
		b = b || d.state == "inflight" && k.answered[d.messageID]
	}
	for _, x := range []struct {
		hit   bool
		count *int
	}{{c, &h.claimed}, {i, &h.inflight}, {b, &h.between}} {
		if x.hit {
			*x.count++
		}
	}
}

// TestKill kills a real sender on a real database again and again while it talks to a real server: everybody gets the issue
// once, nobody is lost, and at most one delivery for each connection and kill is uncertain.
func TestKill(t *testing.T) {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("-seed=%d", *seed)
	random := rand.New(rand.NewPCG(*seed, 0))
	var h hits
	for round := 0; h.kills < *kills; round++ {
		killRound(t, &h, random)
	}
	t.Logf("%d kills: %d with rows claimed, %d with rows in flight, %d between a 250 and its commit", h.kills, h.claimed, h.inflight, h.between)
	if h.claimed == 0 || h.inflight == 0 || h.between == 0 {
		t.Errorf("got hits %+v, want each state hit", h)
	}
}

// killRound is one issue for 2,000 readers, sent through as many kills as fit.
func killRound(t *testing.T, h *hits, random *rand.Rand) {
	t.Helper()
	const readers, mostKills = 2000, 30
	s, srv := newSite(t), smtptest.New(t)
	s.readers(s.skin, readers)
	issue := s.issue(s.skin, "rest")
	k := newKiller(srv)
	points := []string{atRcpt, atMail, atContent, atMail, anyTime}
	before := 0
	for i := 0; h.kills < *kills && i < mostKills; i++ {
		if !k.run(t, s, points[i%len(points)], 1+random.IntN(60)) {
			break
		}
		before++
		h.look(t, s, k)
		checkInvariants(t, s.db, taken(srv), before*childConnections)
	}
	if k.run(t, s, "", 0) {
		t.Fatal("the last sender was killed")
	}
	s.finish()
	checkInvariants(t, s.db, taken(srv), before*childConnections)
	c := s.counts(issue.ID)
	if s.state(issue.ID).State != "done" || c.Sent+c.Uncertain != readers || c.Total() != readers {
		t.Errorf("got issue %s with %s, want done, and all of %d sent or uncertain", s.state(issue.ID).State, words(c), readers)
	}
	checkEverybody(t, srv, readers, c)
}

// checkEverybody compares the issue with what the server took: nobody twice, nobody lost who is not uncertain.
func checkEverybody(t *testing.T, srv *smtptest.Server, readers int, c outbox.Counts) {
	t.Helper()
	got := map[string]int{}
	for _, m := range srv.Messages() {
		got[m.To]++
	}
	missing := int64(0)
	for i := range readers {
		switch got[address(i+1)] {
		case 0:
			missing++
		case 1:
		default:
			t.Errorf("%s got %d copies", address(i+1), got[address(i+1)])
		}
	}
	if missing > c.Uncertain {
		t.Errorf("%d readers got nothing, but only %d are uncertain", missing, c.Uncertain)
	}
}
