package newsletter_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"pressrun/newsletter"
	"pressrun/newsletter/mailbox"
	"pressrun/newsletter/mailbox/mailboxtest"
	"pressrun/newsletter/mailer"
	"pressrun/newsletter/mailer/smtptest"
	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// heardWorld is a world whose mail leaves by SMTP and whose bounces come by IMAP, with an issue that went to n readers.
type heardWorld struct {
	*world
	imap *mailboxtest.Server
	srv  *smtptest.Server
	log  *strings.Builder
}

func newHeardWorld(t *testing.T, n int) *heardWorld {
	t.Helper()
	h := &heardWorld{world: newWorld(t), imap: mailboxtest.New(t, mailer.StartTLS), srv: smtptest.New(t), log: &strings.Builder{}}
	path, err := outbox.ParseReturnPath("bounces@news.example.org")
	h.check("return path", err)
	h.cfg.Mailbox, h.cfg.ReturnPath, h.cfg.Log = h.imap, path, slog.New(slog.NewTextHandler(h.log, nil))
	h.p = h.publisher(h.cfg)
	s := h.series("skin", series.Change{})
	h.articles(s, "rest")
	var names []string
	for i := range n {
		names = append(names, fmt.Sprint("r", i))
	}
	h.enrol(s, names...)
	h.run(tuesday(1))
	cfg := outbox.Config{
		DB: h.db, Key: h.key, BaseURL: h.site.BaseURL, Now: h.clock.now, Log: slog.New(slog.DiscardHandler), ReturnPath: path,
		Relay: outbox.RelayFunc(func(ctx context.Context) (outbox.Conn, error) {
			return mailer.SMTP{Host: "127.0.0.1", Port: h.srv.Port(), TLS: mailer.NoTLS, Helo: "mail.example.org"}.Connect(ctx)
		}),
	}
	w, err := outbox.Start(cfg)
	h.check("start", err)
	h.check("drain", errors.Join(w.Drain(t.Context()), w.Close()))
	return h
}

func (h *heardWorld) hear() string {
	h.t.Helper()
	heard, err := h.p.Hear(h.ctx)
	h.check("hear", err)
	return fmt.Sprint(heard)
}

// sentTo is the message that somebody got.
func (h *heardWorld) sentTo(name string) smtptest.Taken {
	h.t.Helper()
	for _, m := range h.srv.Messages() {
		if strings.HasPrefix(m.To, name+"@") {
			return m
		}
	}
	h.t.Fatalf("nothing was sent to %s", name)
	return smtptest.Taken{}
}

// told are the words to the editors that are about the mailbox.
func (h *heardWorld) told() (all []string) {
	h.t.Helper()
	for _, subject := range h.notices("editors") {
		if strings.Contains(subject, "ounces") {
			all = append(all, subject)
		}
	}
	return all
}

func failure(to, id string) string {
	return "Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.example.net\r\nTo: <" + to + ">\r\nMessage-ID: <" + id + "@mx.example.net>\r\n" +
		"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nIt failed.\r\n" +
		"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.net\r\n\r\n" +
		"Action: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 <secret-reader@example.net> unknown\r\n\r\n--b--\r\n"
}

func answer(to, header, id string) string {
	return "From: secret-reader@example.net\r\nTo: <" + to + ">\r\nMessage-ID: <" + id + "@example.net>\r\n" + header + "\r\nI am at sea.\r\n"
}

// TestHear: what came to a letter's own return path is applied and marked as read; what is no report, or proves nothing, stays unread;
// nothing is answered, and no log names anybody.
func TestHear(t *testing.T) {
	h := newHeardWorld(t, 3)
	one := h.sentTo("r0")
	h.imap.Put(failure(one.From, "1"), answer(one.From, "", "2"), answer(one.From, "Auto-Submitted: auto-replied\r\n", "3"),
		failure("bounces+1.aaaaaaaaaaaaaaaaaaaaaaaa@news.example.org", "4"), failure("bounces@news.example.org", "5"), failure(one.From, "6"))
	if got, want := h.hear(), "map[answer:1 auto:1 bounce:2 forged:1 unknown:1]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := fmt.Sprint(h.imap.Unread(), h.imap.All()); got != "[2 3 4 5] [1 2 3 4 5 6]" {
		t.Errorf("unread and all are %s", got)
	}
	person, err := h.p.Person(h.ctx, "r0@reader.example")
	h.check("person", err)
	d := person.Deliveries[0]
	if person.Status != "suppressed" || d.State != "sent" || d.Bounced == "" || d.Complained != "" || d.Said != "550 5.1.1 <[address]> unknown" {
		t.Errorf("got %s, %+v", person.Status, d)
	}
	if got := h.hear(); got != "map[]" {
		t.Errorf("the second look: got %s", got)
	}
	var queued int
	h.check("queued", h.db.QueryRow(h.ctx, `SELECT count(*) FROM deliveries`).Scan(&queued))
	if queued != len(h.srv.Messages()) || len(h.told()) > 0 {
		t.Errorf("%d deliveries, of which %d left before; the editors are told %q", queued, len(h.srv.Messages()), h.told())
	}
	if said := h.log.String(); strings.Contains(said, "secret-reader") || strings.Contains(said, "r0@") || !strings.Contains(said, "mailbox of bounces read") {
		t.Errorf("logged:\n%s", said)
	}
	heard, err := outbox.HeardSince(h.ctx, h.db, h.clock.now())
	h.check("heard", err)
	if got := fmt.Sprint(heard); got != "map[answer:1 auto:1 bounce:2 forged:1 unknown:1]" {
		t.Errorf("counted %s", got)
	}
}

// TestHearWhatIsLost: a message that the server doesn't give out is counted, and left; nobody is told that the mailbox is away.
func TestHearWhatIsLost(t *testing.T) {
	h := newHeardWorld(t, 1)
	h.imap.Put("Subject: lost\r\n\r\nlost\r\n", failure(h.sentTo("r0").From, "1"))
	h.imap.Lose(1, true)
	if got := h.hear(); got != "map[bounce:1 missed:1]" || !slices.Equal(h.imap.Unread(), []imap.UID{1}) {
		t.Errorf("got %s, unread %v", got, h.imap.Unread())
	}
	m, err := outbox.Mailbox(h.ctx, h.db, h.imap.Name())
	h.check("mailbox", err)
	if m.Next != 3 || !m.Failing.IsZero() || !strings.Contains(h.log.String(), "message 1: ") {
		t.Errorf("got %+v, logged:\n%s", m, h.log)
	}
}

// cutMailbox is a mailbox whose reader dies after a message was applied: before it was marked as read, or after.
type cutMailbox struct {
	*mailboxtest.Server
	marked bool
}

var errCut = errors.New("made by the test")

func (c cutMailbox) Each(ctx context.Context, since time.Time, r mailbox.Reader) error {
	return c.Server.Each(ctx, since, cutReader{r, c.marked})
}

type cutReader struct {
	mailbox.Reader
	marked bool
}

func (c cutReader) Read(ctx context.Context, raw []byte) (bool, error) {
	understood, err := c.Reader.Read(ctx, raw)
	if !c.marked {
		err = errors.Join(err, errCut)
	}
	return understood, err
}

func (c cutReader) Passed(context.Context, mailbox.Position) error { return errCut }

// TestHearAfterACrash: whatever was done of a message when the program died, the next look brings it to the same end, once.
func TestHearAfterACrash(t *testing.T) {
	for _, marked := range []bool{false, true} {
		h := newHeardWorld(t, 2)
		h.imap.Put(failure(h.sentTo("r0").From, "1"))
		cfg := h.cfg
		cfg.Mailbox = cutMailbox{h.imap, marked}
		if _, err := h.publisher(cfg).Hear(h.ctx); !errors.Is(err, errCut) {
			t.Errorf("got %v", err)
		}
		if got := h.hear(); got != "map[bounce:1]" {
			t.Errorf("got %s", got)
		}
		person, err := h.p.Person(h.ctx, "r0@reader.example")
		h.check("person", err)
		events := 0
		for _, e := range person.Events {
			if e.Event == "suppressed" {
				events++
			}
		}
		all, err := h.p.IssueList(h.ctx, "skin", 0)
		h.check("issues", err)
		if events != 1 || all[0].Counts.Bounced != 1 || len(h.imap.Unread()) != 0 {
			t.Errorf("got %d events, %+v, unread %v", events, all[0].Counts, h.imap.Unread())
		}
	}
}

// TestAMailboxThatIsAway: the editors hear of it once, after an hour, and again where it goes away anew.
func TestAMailboxThatIsAway(t *testing.T) {
	h := newHeardWorld(t, 1)
	away := h.cfg
	wrong := h.imap.IMAP
	wrong.Password = "seeded-secret"
	away.Mailbox = wrong
	p := h.publisher(away)
	for i, step := range []struct {
		after time.Duration
		away  bool
		told  int
	}{
		{0, true, 0},
		{59 * time.Minute, true, 0},
		{2 * time.Minute, true, 1},
		{5 * time.Minute, true, 1},
		{5 * time.Minute, false, 1},
		{5 * time.Minute, true, 1},
		{61 * time.Minute, true, 2},
	} {
		h.clock.set(h.clock.now().Add(step.after))
		var err error
		if step.away {
			_, err = p.Hear(h.ctx)
		} else {
			_, err = h.p.Hear(h.ctx)
		}
		if (err != nil) != step.away || err != nil && strings.Contains(err.Error(), "seeded-secret") {
			t.Errorf("step %d: got %v", i, err)
		}
		if told := h.told(); len(told) != step.told {
			t.Errorf("step %d: the editors are told %q, want %d", i, told, step.told)
		}
	}
	if said := h.noticeText("editors"); !strings.Contains(said, "can’t be read since") || strings.Contains(said, "seeded-secret") {
		t.Errorf("said %q", said)
	}
}

// TestAFloodOfReports is told to the editors once a day.
func TestAFloodOfReports(t *testing.T) {
	h := newHeardWorld(t, 23)
	for i, m := range h.srv.Messages() {
		h.imap.Put(failure(m.From, fmt.Sprint(i)))
	}
	for range 2 {
		h.hear()
		if told := h.told(); len(told) != 1 || !strings.Contains(h.noticeText("editors"), "3 more wait") {
			t.Errorf("told %q", told)
		}
	}
	h.clock.set(h.clock.now().Add(25 * time.Hour))
	h.hear()
	all, err := h.p.IssueList(h.ctx, "skin", 0)
	h.check("issues", err)
	if all[0].Counts.Bounced != 23 || len(h.told()) != 1 {
		t.Errorf("got %+v, told %q", all[0].Counts, h.told())
	}
}

// blockedReport says that mail was refused because of us.
func blockedReport(to, id string) string {
	return strings.NewReplacer("5.1.1", "5.7.26", "<secret-reader@example.net> unknown", "unauthenticated").Replace(failure(to, id))
}

func abuse(from, id string) string {
	return "From: fbl@provider.example\r\nTo: <fbl@example.org>\r\nMessage-ID: <" + id + "@provider.example>\r\n" +
		"Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n--b\r\nContent-Type: message/feedback-report\r\n\r\n" +
		"Feedback-Type: abuse\r\nUser-Agent: x/1\r\nVersion: 1\r\nOriginal-Mail-From: <" + from + ">\r\n\r\n--b--\r\n"
}

// subjects counts words to the editors that begin so.
func (h *heardWorld) subjects(begin string) (n int) {
	h.t.Helper()
	for _, subject := range h.notices("editors") {
		if strings.HasPrefix(subject, begin) {
			n++
		}
	}
	return n
}

// TestBlocksAreTold: mail that comes back because of us is told to the editors once a day, with the last words.
func TestBlocksAreTold(t *testing.T) {
	h := newHeardWorld(t, 3)
	const subject = "Mailbox providers refuse our mail"
	h.imap.Put(failure(h.sentTo("r0").From, "0"))
	if h.hear(); h.subjects(subject) != 0 {
		t.Error("told of a dead address")
	}
	for i, want := range []int{1, 1, 2} {
		h.imap.Put(blockedReport(h.sentTo("r1").From, fmt.Sprint("a", i)), blockedReport(h.sentTo("r2").From, fmt.Sprint("b", i)))
		h.hear()
		if got := h.subjects(subject); got != want {
			t.Errorf("look %d: told %d times, want %d", i+1, got, want)
		}
		if h.hear(); h.subjects(subject) != want {
			t.Errorf("look %d: told again with nothing new", i+1)
		}
		h.clock.set(h.clock.now().Truncate(24 * time.Hour).Add(time.Duration(9+i*24) * time.Hour))
	}
	if said := h.noticeText("editors"); !strings.Contains(said, "2 letters came back") || !strings.Contains(said, "550 5.7.26 unauthenticated") {
		t.Errorf("said %q", said)
	}
}

// TestComplaintsAreTold: an issue's complaints are told once a day from one in a thousand on. Five and three in a thousand pause what is left
// of it, once.
func TestComplaintsAreTold(t *testing.T) {
	h := newHeardWorld(t, 12)
	const told, paused = "Complaints about", "Paused for complaints"
	var id int64
	h.check("issue", h.db.QueryRow(h.ctx, `SELECT id FROM issues`).Scan(&id))
	h.tx("two thousand have it, and it goes on", func(tx *store.Tx) error {
		_, err := tx.Exec(h.ctx, `INSERT INTO kept_counts (issue_id, sent, failed, skipped) VALUES (?1, 1988, 0, 0)`, id)
		if err == nil {
			_, err = tx.Exec(h.ctx, `UPDATE issues SET state = 'sending', done_at = NULL`)
		}
		return err
	})
	for i, step := range []struct{ told, paused int }{{0, 0}, {1, 0}, {1, 0}, {1, 0}, {1, 0}, {1, 1}, {1, 1}} {
		h.imap.Put(abuse(h.sentTo(fmt.Sprint("r", i)).From, fmt.Sprint(i)))
		h.hear()
		if got := (struct{ told, paused int }{h.subjects(told), h.subjects(paused)}); got != step {
			t.Errorf("complaint %d: got %+v, want %+v", i+1, got, step)
		}
		issue, err := series.IssueByID(h.ctx, h.db, id)
		h.check("issue", err)
		if want := i == 5; (issue.State == series.IssuePaused) != want {
			t.Errorf("complaint %d: the issue is %s", i+1, issue.State)
		}
		if issue.State == series.IssuePaused {
			if !strings.Contains(issue.Reason, "6 of 2000 who got it") {
				t.Errorf("paused because %q", issue.Reason)
			}
			h.check("resume", h.p.ResumeIssue(h.ctx, issue.Name))
		}
	}
}

// TestNoMailbox: without one nothing is heard; nor is it in a copy of a database, which would take another's reports for its own.
func TestNoMailbox(t *testing.T) {
	w := newWorld(t)
	if heard, err := w.p.Hear(w.ctx); heard != nil || err != nil {
		t.Errorf("got %v, %v", heard, err)
	}
	h := newHeardWorld(t, 1)
	h.imap.Put(failure(h.sentTo("r0").From, "1"))
	h.tx("hold", func(tx *store.Tx) error {
		_, err := tx.Exec(h.ctx, `INSERT INTO instance (id, machine, inode, heartbeat, held) VALUES (1, 'another', 1, 0, 'a copy')
			ON CONFLICT (id) DO UPDATE SET held = excluded.held`)
		return err
	})
	if got := h.hear(); got != "map[]" || len(h.imap.Unread()) != 1 {
		t.Errorf("a copy: got %s, unread %v", got, h.imap.Unread())
	}
}

var _ newsletter.Mailbox = mailbox.IMAP{}
