package outbox_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
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

	"github.com/emersion/go-msgauth/dkim"
	"go.uber.org/goleak"

	"pressrun/newsletter/mailer"
	"pressrun/newsletter/mailer/smtptest"
	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

var (
	kills = flag.Int("kills", 20, "how often TestKill kills the sender, 20 at least")
	seed  = flag.Uint64("seed", 0, "of TestKill; 0: a new one")
)

// A process with these in its environment is TestKill's sender.
const (
	childDatabase = "OUTBOX_CRASH_CHILD"
	childKey      = "OUTBOX_CRASH_KEY"
	childRelay    = "OUTBOX_CRASH_RELAY"
	childDKIM     = "OUTBOX_CRASH_DKIM"  // a key in PEM; empty: it signs nothing
	childAhead    = "OUTBOX_CRASH_AHEAD" // of the wall clock; empty: not at all
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

// child fills the issues that are not filled, sends what is pending, and ends. It says on its standard output where it is.
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
	ahead, err := time.ParseDuration(cmp.Or(os.Getenv(childAhead), "0s"))
	if err != nil {
		return err
	}
	cfg := outbox.Config{
		DB: db, Key: key, Connections: childConnections, BaseURL: must(url.Parse("https://news.example.org")), Relay: smtpTo(port),
		Now: func() time.Time { return time.Now().Add(ahead) },
	}
	if pem := os.Getenv(childDKIM); pem != "" {
		signature := must(mailer.ParseDKIMKey("example.org", "kill", []byte(pem)))
		cfg.Finish = mailer.Handover{Keys: func() mailer.Keyring { return mailer.Keyring{signature} }, Always: true}.Finish
	}
	if err := fillAll(ctx, db); err != nil {
		return err
	}
	w, err := outbox.Start(cfg)
	if err != nil {
		return err
	}
	err = w.Drain(ctx)
	fmt.Println(atEnd)
	_, failed := outbox.Finish(ctx, db, cfg.Now())
	return errors.Join(err, failed, w.Close(), db.Close())
}

// fillAll tells of each issue, and of each chunk as its transaction begins.
func fillAll(ctx context.Context, db *store.DB) error {
	rows, err := db.Query(ctx, `SELECT id FROM issues WHERE state IN ('planned', 'filling') ORDER BY id`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return err
		}
		fmt.Println(atPlanned)
		chunk := func() time.Time { fmt.Println(atChunk); return time.Now() }
		if _, err := outbox.FillLive(ctx, db, id, chunk); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Where a kill is meant to hit, at the n-th time; by what the child says, or by what goes over its line.
const (
	atPlanned = "planned" // an issue is about to be filled
	atChunk   = "chunk"   // a transaction of the fill has begun
	atRcpt    = "RCPT"    // an envelope is on its way
	atContent = "content" // the server has a message, and its reply has not reached the child
	atTaken   = "taken"   // its 250 has, and the child may not have noted that yet
	atEnd     = "drained" // all is sent, and the issue not done
	anyTime   = "any"     // at a multiple of three milliseconds after the start
)

// killer kills the sender once where it was told to, and keeps what the line showed.
type killer struct {
	random  *rand.Rand
	line    *tap
	servers []*smtptest.Server // that offer PIPELINING, CHUNKING, both and neither
	dkim    mailer.DKIMKey
	pem     string

	mu       sync.Mutex
	point    string // empty: not armed
	left     int
	loses    int // replies on the way that are lost, and their connection with them
	lost     int
	process  *os.Process
	killed   bool
	rcpt     recipients
	open     map[int][]string // by connection: recipients without a 250 yet
	answered map[string]bool  // recipients whose 250 reached the child
	overlaps []string
	together int // what a client wrote at once: the end of a content and the next envelope
	chunks   int // contents by BDAT
	log      []took
	read     []int // messages of each server that the log has
}

func newKiller(t *testing.T, random *rand.Rand) *killer {
	t.Helper()
	k := &killer{random: random, dkim: must(mailer.NewDKIMKey("example.org", "kill", true)), answered: map[string]bool{}}
	k.pem = string(must(k.dkim.PEM()))
	for _, extensions := range [][]string{{"8BITMIME"}, {"8BITMIME", "PIPELINING"}, {"8BITMIME", "CHUNKING"}, {"8BITMIME", "PIPELINING", "CHUNKING"}} {
		k.servers = append(k.servers, smtptest.New(t, smtptest.WithExtensions(append(extensions, "ENHANCEDSTATUSCODES")...)))
	}
	k.read = make([]int, len(k.servers))
	k.line = newTap(t, hooks{before: k.passes, after: k.passed})
	return k
}

// passes sees what is about to go over the line. A server's reply that is to be lost does not.
func (k *killer) passes(p piece) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(p.text) == 0 {
		delete(k.open, p.conn)
		return true
	}
	if !p.fromServer {
		k.chunks += bytes.Count(p.text, []byte("BDAT "))
		if bytes.Contains(p.text, []byte("\r\n.\r\nMAIL FROM:")) {
			k.together++
		}
		for _, to := range k.rcpt.in(p) {
			k.begins(p.conn, to)
			k.reach(atRcpt)
		}
		return true
	}
	if !p.ends() {
		return true
	}
	k.reach(atContent)
	if k.loses > 0 && !k.killed {
		k.loses--
		k.lost++
		delete(k.open, p.conn)
		return false
	}
	return true
}

// begins notes a transaction. One before it on its connection, if not taken, was refused or dropped.
func (k *killer) begins(conn int, to string) {
	for other, all := range k.open {
		for _, one := range all {
			if one == to && other != conn {
				k.overlaps = append(k.overlaps, fmt.Sprintf("%s on connections %d and %d", to, other, conn))
			}
		}
	}
	k.open[conn] = append(k.open[conn], to)
}

func (k *killer) passed(p piece) bool {
	if !p.ends() {
		return true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if all := k.open[p.conn]; len(all) > 0 && !k.killed {
		k.answered[all[0]] = true
		k.open[p.conn] = all[1:]
	}
	k.reach(atTaken)
	return true
}

// reach kills at the n-th time, or up to a millisecond later where a commit is what comes next.
func (k *killer) reach(point string) {
	if point != k.point {
		return
	}
	if k.left--; k.left == 0 {
		if point == atTaken || point == atChunk {
			time.Sleep(time.Duration(k.random.IntN(1000)) * time.Microsecond)
		}
		k.kill()
	}
}

func (k *killer) kill() {
	k.point, k.killed = "", true
	_ = k.process.Kill() // it may have ended by itself
}

// Write reads what the child says.
func (k *killer) Write(said []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for line := range strings.Lines(string(said)) {
		k.reach(strings.TrimSpace(line))
	}
	return len(said), nil
}

// run starts a sender before one of the servers and kills it at the n-th time at the point; it reports whether the kill came
// before the end.
func (k *killer) run(t *testing.T, s *site, point string, n int) (killed bool) {
	t.Helper()
	k.line.hangUp()
	k.line.leadTo(k.servers[k.random.IntN(len(k.servers))].Addr())
	cmd := s.sender(t.Context(), k.line.port())
	cmd.Env = append(cmd.Env, childDKIM+"="+k.pem)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = k, &said
	k.mu.Lock()
	err := cmd.Start()
	k.point, k.left, k.killed, k.process, k.open = point, n, false, cmd.Process, map[int][]string{}
	k.loses = 0
	if point != "" && k.random.IntN(4) == 0 {
		k.loses = 1
	}
	k.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if point == anyTime {
		timer := time.AfterFunc(time.Duration(n)*3*time.Millisecond, func() { k.mu.Lock(); defer k.mu.Unlock(); k.kill() })
		defer timer.Stop()
	}
	err = cmd.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.point = ""
	if err != nil && !k.killed {
		t.Fatalf("the sender ended by itself: %v\n%s", err, said.String())
	}
	return err != nil
}

// sender is a process that fills and sends what waits, not started yet.
func (s *site) sender(ctx context.Context, port int) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), childDatabase+"="+s.db.Path(), childKey+"="+s.key.Encode(), childRelay+"="+strconv.Itoa(port),
		childAhead+"="+time.Duration(s.ahead.Load()).String())
	return cmd
}

// taken is the log of all servers; each message is read and verified once.
func (k *killer) taken() []took {
	for i, srv := range k.servers {
		all := srv.Messages()
		for _, m := range all[k.read[i]:] {
			k.log = append(k.log, k.verify(m))
		}
		k.read[i] = len(all)
	}
	return k.log
}

// verify takes the signature off a message and checks it.
func (k *killer) verify(m smtptest.Taken) took {
	found, err := dkim.VerifyWithOptions(bytes.NewReader(m.Data), &dkim.VerifyOptions{LookupTXT: func(string) ([]string, error) {
		return []string{k.dkim.Record()}, nil
	}})
	switch {
	case err != nil:
	case len(found) != 1:
		err = fmt.Errorf("it has %d signatures", len(found))
	default:
		err = found[0].Err
	}
	rest := m.Data
	for signature := true; signature && len(rest) > 0; signature = rest[0] == ' ' || rest[0] == '\t' {
		rest = rest[bytes.Index(rest, []byte("\r\n"))+2:]
	}
	sum := sha256.Sum256(rest)
	return took{messageID: m.MessageID, hash: hex.EncodeToString(sum[:]), unsigned: err}
}

// hits counts what kills left behind.
type hits struct{ kills, planned, filling, claimed, inflight, between, finishing, lost, twice, together, chunks int }

func (h hits) String() string {
	return fmt.Sprintf("%d kills: %d with the issue planned, %d filling, %d with rows claimed, %d with rows in flight, "+
		"%d between a 250 and its commit, %d with all sent and the issue not done; %d readers lost, %d twice "+
		"(%d contents written with the next envelope, %d by BDAT)",
		h.kills, h.planned, h.filling, h.claimed, h.inflight, h.between, h.finishing, h.lost, h.twice, h.together, h.chunks)
}

// look counts what a killed sender left: the issue's state, and rows claimed, in flight, and in flight with their 250 out already.
func (h *hits) look(t *testing.T, s *site, k *killer, issue int64) {
	t.Helper()
	h.kills++
	k.mu.Lock()
	defer k.mu.Unlock()
	var claimed, inflight, between, open bool
	for _, d := range deliveriesIn(t, s.db) {
		answered := k.answered[address(int(d.subscriber))]
		claimed = claimed || d.state == "claimed"
		inflight = inflight || d.state == "inflight" && !answered
		between = between || d.state == "inflight" && answered
		open = open || !d.final() && d.state != "uncertain"
	}
	state := s.state(issue).State
	for _, x := range []struct {
		hit   bool
		count *int
	}{
		{state == series.IssuePlanned, &h.planned},
		{state == series.IssueFilling, &h.filling},
		{claimed, &h.claimed},
		{inflight, &h.inflight},
		{between, &h.between},
		{state == series.IssueSending && !open, &h.finishing},
	} {
		if x.hit {
			*x.count++
		}
	}
}

// TestKill kills a real sender on a real database again and again while it fills an issue and talks to real servers:
// everybody gets the issue once, nobody is lost, and at most one delivery for each connection and kill is uncertain.
func TestKill(t *testing.T) {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("-seed=%d", *seed)
	random := rand.New(rand.NewPCG(*seed, 0))
	var h hits
	most := *kills
	for round := 0; h.kills < most && !t.Failed(); round++ {
		t.Run(fmt.Sprint("round ", round), func(t *testing.T) { killRound(t, &h, random, most) })
		if h.kills >= most && h.missed() && most < *kills+60 {
			most += 20 // a busy machine kills late
		}
	}
	t.Log(h)
	if h.missed() {
		t.Errorf("got %s: want each state hit", h)
	}
}

// missed says whether a state that matters was never hit.
func (h hits) missed() bool {
	return min(h.planned, h.filling, h.claimed, h.inflight, h.between) == 0
}

// killRound is one issue for 2,000 readers, filled and sent through as many kills as fit.
func killRound(t *testing.T, h *hits, random *rand.Rand, most int) {
	t.Helper()
	const readers, mostKills = 2000, 20
	s, k := newSite(t), newKiller(t, random)
	s.readers(s.skin, readers)
	issue := s.planned("rest")
	filling := []string{atPlanned, atChunk, atChunk, atChunk}
	sending := []string{atRcpt, atTaken, atContent, atTaken, anyTime, atContent}
	before := 0
	for i := 0; h.kills < most && i < mostKills; i++ {
		point, n := sending[i%len(sending)], 1+random.IntN(60)
		if i < len(filling) {
			point, n = filling[i], min(max(1, i), 2) // the fill has four transactions
		}
		if !k.run(t, s, point, n) {
			break // all is sent
		}
		before++
		h.look(t, s, k, issue.ID)
		k.check(t, s, before)
	}
	if k.run(t, s, atEnd, 1) {
		before++
		h.look(t, s, k, issue.ID)
		k.check(t, s, before)
	}
	if k.run(t, s, "", 0) {
		t.Fatal("the last sender was killed")
	}
	k.check(t, s, before)
	c := s.counts(issue.ID)
	if s.state(issue.ID).State != "done" || c.Sent+c.Uncertain != readers || c.Total() != readers {
		t.Errorf("got issue %s with %s, want done, and all of %d sent or uncertain", s.state(issue.ID).State, words(c), readers)
	}
	h.everybody(t, k, readers, c)
	k.mu.Lock()
	defer k.mu.Unlock()
	h.together, h.chunks = h.together+k.together, h.chunks+k.chunks
}

// planned makes an issue of a new article that was released and not filled yet.
func (s *site) planned(slug string) (issue series.Issue) {
	f := s.frozen(s.skin, s.article(s.skin, slug))
	f.State, f.Reason = series.IssueHeld, "an editor looks at it"
	issue = s.freeze(f)
	s.tx(func(ctx context.Context, tx *store.Tx) error {
		return series.Transition(ctx, tx, issue.ID, series.IssuePlanned, "", s.now())
	})
	return issue
}

// check asserts the invariants after a number of kills.
func (k *killer) check(t *testing.T, s *site, kills int) {
	t.Helper()
	e := gather(t, s.db, k.taken())
	k.mu.Lock()
	e.overlaps, e.unanswered = k.overlaps, kills*childConnections+k.lost
	k.mu.Unlock()
	e.check(t)
}

// everybody compares the issue with what the servers took: nobody twice, nobody lost who is not uncertain.
func (h *hits) everybody(t *testing.T, k *killer, readers int, c outbox.Counts) {
	t.Helper()
	got := map[string]int{}
	for _, srv := range k.servers {
		for _, m := range srv.Messages() {
			got[m.To]++
		}
	}
	missing := 0
	for i := range readers {
		switch got[address(i+1)] {
		case 0:
			missing++
		case 1:
		default:
			h.twice++
			t.Errorf("%s got %d copies", address(i+1), got[address(i+1)])
		}
	}
	if lost := missing - int(c.Uncertain); lost > 0 {
		h.lost += lost
		t.Errorf("%d readers got nothing, but only %d are uncertain", missing, c.Uncertain)
	}
}
