package outbox_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter/bounce"
	"pressrun/newsletter/mailer/smtptest"
	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

var returnPath = must(outbox.ParseReturnPath("Bounces@News.example.org"))

// mail is send with return paths of our own. It returns the message that the server took last.
func (s *site) mail(srv *smtptest.Server) smtptest.Taken {
	s.Helper()
	cfg := s.config(relay(srv))
	cfg.ReturnPath = returnPath
	w := s.start(cfg)
	s.drain(w)
	if err := w.Close(); err != nil {
		s.Fatalf("close: %v", err)
	}
	all := srv.Messages()
	if len(all) == 0 {
		return smtptest.Taken{}
	}
	return all[len(all)-1]
}

// allCounts are an issue's, with what came back.
func (s *site) allCounts(issue int64) outbox.Counts {
	s.Helper()
	c := s.counts(issue)
	if err := c.CountReturned(context.Background(), s.db, issue); err != nil {
		s.Fatal(err)
	}
	return c
}

func (s *site) reports() *outbox.Reports {
	return &outbox.Reports{DB: s.db, Key: s.key, Path: returnPath, Now: s.now, Log: slog.New(slog.DiscardHandler)}
}

// hears has a message come back, and returns what it was taken for.
func (s *site) hears(raw string) outbox.Heard {
	s.Helper()
	heard, err := s.reports().Apply(context.Background(), bounce.Parse([]byte(raw)))
	if err != nil {
		s.Fatal(err)
	}
	return heard
}

// returned is a report to an address (RFC 3464) that names no recipient; said is "550 5.1.1 text".
func returned(to, action, said, id string) string {
	_, rest, _ := strings.Cut(said, " ")
	status, _, _ := strings.Cut(rest, " ")
	return fmt.Sprintf("Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.example.net\r\nTo: <%s>\r\nMessage-ID: <%s@mx.example.net>\r\n"+
		"Auto-Submitted: auto-replied\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"+
		"--b\r\nContent-Type: text/plain\r\n\r\nIt failed.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.net\r\n\r\n"+
		"Action: %s\r\nStatus: %s\r\nDiagnostic-Code: smtp; %s\r\n\r\n--b--\r\n",
		to, id, action, status, said)
}

// complaint is a feedback report (RFC 5965) that quotes a message; from is its Original-Mail-From, if any.
func complaint(kind, from string, of smtptest.Taken) string {
	field := ""
	if from != "" {
		field = "Original-Mail-From: <" + from + ">\r\n"
	}
	header, _, _ := strings.Cut(string(of.Data), "\r\n\r\n")
	return "From: <fbl@provider.example>\r\nTo: <complaints@news.example.org>\r\nMessage-ID: <" + kind + "@provider.example>\r\n" +
		"Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nSpam.\r\n" +
		"--b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: " + kind + "\r\nUser-Agent: x/1\r\nVersion: 1\r\n" + field + "\r\n" +
		"--b\r\nContent-Type: message/rfc822\r\n\r\n" + header + "\r\n\r\nbody\r\n--b--\r\n"
}

// TestWhatABounceMeans: a report that comes later means what the same reply would have meant at once, and is an event on what was sent.
func TestWhatABounceMeans(t *testing.T) {
	for _, tt := range []struct {
		action, said string
		heard        outbox.Heard
		want         string // reason
		bounced      int64
	}{
		{"failed", dead, outbox.HeardBounce, "bounce", 1},
		{"Failed", "550 5.1.10 RESOLVER.ADR.RecipientNotFound", outbox.HeardBounce, "bounce", 1},
		{"failed", "550 5.2.1 mailbox disabled", outbox.HeardBounce, "bounce", 1},
		{"failed", "550 5.4.4 Host or domain name not found", outbox.HeardBounce, "", 1},
		{"failed", "550 5.4.310 DNS domain example.org does not exist", outbox.HeardBounce, "", 1},
		{"failed", "552 5.2.2 over quota", outbox.HeardBounce, "", 1},
		{"failed", "450 4.4.1 Connection timed out", outbox.HeardBounce, "", 1},
		{"failed", "554 5.7.1 blocked using zen.spamhaus.org", outbox.HeardBounce, "", 1},
		{"failed", "550 5.1.1 rejected: your host is on our blacklist", outbox.HeardBounce, "", 1},
		{"failed", "554 5.6.0 identified as spam", outbox.HeardBounce, "", 1},
		{"delayed", "450 4.1.1 user unknown", outbox.HeardPassed, "", 0},
		{"relayed", "250 2.1.5 ok", outbox.HeardPassed, "", 0},
	} {
		t.Run(tt.action+" "+tt.said, func(t *testing.T) {
			t.Parallel()
			s, srv := newSite(t), smtptest.New(t)
			s.readers(s.skin, 1)
			issue := s.issue(s.skin, "rest")
			m := s.mail(srv)
			for range 2 { // read twice, it is one
				if got := s.hears(returned(strings.ToUpper(m.From), tt.action, tt.said, "1")); got != tt.heard {
					t.Errorf("got %s, want %s", got, tt.heard)
				}
			}
			reason, because := s.suppressedBy(1)
			if reason != tt.want || tt.want != "" && (!strings.Contains(because, tt.said[:9]) || !strings.Contains(because, m.MessageID)) {
				t.Errorf("got suppressed for %q because %q, want %q", reason, because, tt.want)
			}
			if strings.Contains(because, "r1") {
				t.Errorf("the evidence names somebody: %q", because)
			}
			if c := s.allCounts(issue.ID); c.Bounced != tt.bounced || c.Sent != 1 || c.Complained != 0 {
				t.Errorf("got %+v", c)
			}
			if sent := srv.Messages(); len(sent) != 1 {
				t.Errorf("%d messages left", len(sent))
			}
		})
	}
}

// TestMailThatIsPassedOn: a mailbox that is gone behind the reader's is not theirs. It counts as one that is full does.
func TestMailThatIsPassedOn(t *testing.T) {
	for _, tt := range []struct{ recipients, want string }{
		{"r1@example.org", "bounce"},
		{"<R1@Example.ORG>", "bounce"},
		{"unknown", "bounce"},
		{"somebody-else@example.net", ""},
		{"somebody-else@example.net, r1@example.org", ""},
		{"r1@example.org, somebody-else@example.net", ""},
	} {
		s, srv := newSite(t), smtptest.New(t)
		ids := s.readers(s.skin, 1)
		s.issue(s.skin, "rest")
		m := s.mail(srv)
		var blocks []string
		for recipient := range strings.SplitSeq(tt.recipients, ", ") {
			blocks = append(blocks, "Original-Recipient: rfc822; r1@example.org\r\nFinal-Recipient: rfc822; "+recipient+
				"\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; "+dead+"\r\n\r\n")
		}
		one, rest, _ := strings.Cut(returned(m.From, "failed", dead, "1"), "Action: ")
		_, rest, _ = strings.Cut(rest, "\r\n\r\n")
		s.hears(one + strings.Join(blocks, "") + rest)
		if got, _ := s.suppressedBy(1); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.recipients, got, tt.want)
		}
		if back := must(outbox.ReturnsOf(t.Context(), s.db, ids[0])); len(back) != 1 || strings.Contains(back[0].Said, "@") {
			t.Errorf("%s: came back %+v", tt.recipients, back)
		}
	}
}

// TestAMailboxThatSendsBackForAMonth: five reports of a full mailbox over thirty days and nothing delivered between are the end. What was
// sent in the last days proves nothing, since it may come back yet; and one that did not come back in a week does.
func TestAMailboxThatSendsBackForAMonth(t *testing.T) {
	const full, blocked, expired = "552 5.2.2 over quota", "550 5.7.1 blocked", "450 4.4.1 timed out"
	for _, tt := range []struct {
		name  string
		every time.Duration
		said  []string // empty: nothing came back
		want  string
	}{
		{"five in 32 days", 8 * 24 * time.Hour, []string{full, expired, full, full, full}, "bounce"},
		{"four in 33 days", 11 * 24 * time.Hour, []string{full, full, full, full}, ""},
		{"five in 28 days", 7 * 24 * time.Hour, []string{full, full, full, full, full}, ""},
		{"one arrived", 8 * 24 * time.Hour, []string{full, full, full, "", full, full, full}, ""},
		{"blocked", 8 * 24 * time.Hour, []string{blocked, blocked, blocked, blocked, blocked, blocked}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, srv := newSite(t), smtptest.New(t)
			s.readers(s.skin, 1)
			for i, said := range tt.said {
				s.issue(s.skin, "rest"+string(rune('a'+i)))
				m := s.mail(srv)
				if said != "" {
					s.hears(returned(m.From, "failed", said, fmt.Sprint(i)))
					s.hears(returned(m.From, "failed", said, fmt.Sprint(i, "again")))
				}
				s.advance(tt.every)
			}
			if got, because := s.suppressedBy(1); got != tt.want {
				t.Errorf("got %q because %q, want %q", got, because, tt.want)
			}
		})
	}
}

// TestDailyLettersThatComeBackLate: servers give up after days; the letters sent meanwhile are no sign of life.
func TestDailyLettersThatComeBackLate(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.readers(s.skin, 1)
	var sent []smtptest.Taken
	for day := range 38 {
		if day%3 == 0 {
			s.issue(s.skin, fmt.Sprint("rest", day))
			sent = append(sent, s.mail(srv))
		}
		if day%3 == 1 && day > 4 { // four days later
			s.hears(returned(sent[day/3-1].From, "failed", "450 4.4.1 timed out", fmt.Sprint(day)))
		}
		s.advance(24 * time.Hour)
	}
	if got, because := s.suppressedBy(1); got != "bounce" {
		t.Errorf("got %q because %q", got, because)
	}
}

// TestADomainThatSendsBackOnTwoDays is as where the relay says so at once.
func TestADomainThatSendsBackOnTwoDays(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.readers(s.skin, 1)
	s.advance(12*time.Hour - s.now().Sub(s.now().Truncate(24*time.Hour))) // noon by UTC
	for i, want := range []string{"", "", "bounce"} {
		s.issue(s.skin, "rest"+string(rune('a'+i)))
		m := s.mail(srv)
		s.hears(returned(m.From, "failed", "550 5.4.4 Host or domain name not found", fmt.Sprint(i)))
		if got, _ := s.suppressedBy(1); got != want {
			t.Errorf("report %d: got %q, want %q", i+1, got, want)
		}
		s.advance(time.Duration(1+22*i) * time.Hour)
	}
}

// TestReportsOfAFormerAddress: what comes back from an address that a reader gave up is not held against the new one, and not kept in
// words that may name the old one.
func TestReportsOfAFormerAddress(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	ids := s.readers(s.skin, 1)
	issue := s.issue(s.skin, "rest")
	m := s.mail(srv)
	s.advance(time.Minute)
	s.moves(ids[0], "new@example.net")
	s.hears(returned(m.From, "failed", dead, "1"))
	s.hears(complaint("abuse", m.From, m))
	if against := must(s.people.Suppressions(t.Context(), s.db, "new@example.net")); len(against) > 0 {
		t.Errorf("got suppressions %+v", against)
	}
	all := must(outbox.ReturnsOf(t.Context(), s.db, ids[0]))
	if len(all) != 2 || all[0].Said != "550 5.1.1" || s.allCounts(issue.ID).Bounced != 1 {
		t.Errorf("got %+v", all)
	}
}

// TestBouncesOfOnePerson take one place of the cap, however many of their letters come back.
func TestBouncesOfOnePerson(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.readers(s.skin, 25)
	s.issue(s.skin, "rest")
	s.mail(srv)
	for i, m := range srv.Messages()[:20] {
		for j := range 3 {
			s.hears(returned(m.From, "failed", dead, fmt.Sprint(i, j)))
		}
	}
	if held := must(s.reports().Again(t.Context())); len(held) > 0 || s.countOf(`SELECT sum(n) FROM suppressed_counts`) != 20 {
		t.Errorf("held are %v", held)
	}
	s.hears(returned(srv.Messages()[20].From, "failed", dead, "21"))
	if held := must(s.reports().Again(t.Context())); held[s.skin.ID] != 1 {
		t.Errorf("held are %v", held)
	}
}

// TestAfterALift: what was sent before a person's address was last taken for good isn't held against it, whether alone or as one of five;
// what is sent since is.
func TestAfterALift(t *testing.T) {
	const full = "552 5.2.2 over quota"
	lift := func(s *site, _ int64) {
		s.tx(func(ctx context.Context, tx *store.Tx) error {
			return s.people.Unsuppress(ctx, tx, address(1), 0, "she wrote")
		})
	}
	confirm := func(s *site, id int64) {
		s.advance(25 * time.Hour)
		s.exec(`INSERT INTO consents (id, subscriber_id, series_id, event, at) VALUES (1000, ?1, ?2, 'requested', ?3)`, id, s.skin.ID, s.now().UnixMilli())
		s.exec(`INSERT INTO consents (subscriber_id, series_id, event, request_id, at) VALUES (?1, ?2, 'confirmed', 1000, ?3)`, id, s.skin.ID, s.now().UnixMilli())
		s.exec(`DELETE FROM suppressions WHERE reason = 'bounce'`)
	}
	undo := func(s *site, id int64) {
		s.exec(`INSERT INTO consents (subscriber_id, series_id, event, at) VALUES (?1, ?2, 'undone', ?3)`, id, s.skin.ID, s.now().UnixMilli())
		s.exec(`DELETE FROM suppressions WHERE reason = 'bounce'`)
	}
	for _, tt := range []struct {
		name, first, second string // what comes back of letters sent before
		letters             int
		lift                func(*site, int64)
		want                string
	}{
		{"bounces, an owner lifts", dead, dead, 2, lift, ""},
		{"bounces, they confirm", dead, dead, 2, confirm, ""},
		{"bounces, they undo", dead, dead, 2, undo, ""},
		{"five soft ones", full, full, 6, lift, ""},
		{"complaints, an owner lifts", "", "", 2, lift, ""},
		{"a complaint, they undo", dead, "", 2, undo, "complaint"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, srv := newSite(t), smtptest.New(t)
			id := s.readers(s.skin, 1)[0]
			back := func(m smtptest.Taken, said string, n int) {
				if said == "" {
					s.hears(strings.Replace(complaint("abuse", m.From, m), "abuse@", fmt.Sprint(n, "@"), 1))
				} else {
					s.hears(returned(m.From, "failed", said, fmt.Sprint(n)))
				}
			}
			var late smtptest.Taken // the last letter, which comes back after the lift
			for i := range tt.letters {
				s.issue(s.skin, fmt.Sprint("rest", i))
				before := late
				if late = s.mail(srv); i > 0 {
					back(before, tt.first, i)
				}
				s.advance(8 * 24 * time.Hour)
			}
			if got, _ := s.suppressedBy(1); got == "" {
				t.Fatal("nothing to lift")
			}
			tt.lift(s, id)
			back(late, tt.second, 100)
			if got, because := s.suppressedBy(1); got != tt.want {
				t.Fatalf("got %q because %q, want %q", got, because, tt.want)
			}
			if tt.want != "" {
				return
			}
			s.advance(time.Minute)
			s.exec(`UPDATE enrolments SET state = 'active', ended_by = '', ended_at = NULL`)
			s.issue(s.skin, "after")
			m := s.mail(srv)
			back(m, full, 101)
			if got, because := s.suppressedBy(1); got != "" {
				t.Errorf("one that is soft: got %q because %q", got, because)
			}
			back(m, dead, 102)
			if got, _ := s.suppressedBy(1); got != "bounce" {
				t.Errorf("one that is dead: got %q", got)
			}
		})
	}
}

// TestALiftBetweenTwoTries: what leaves after a lift counts, though its first try was before.
func TestALiftBetweenTwoTries(t *testing.T) {
	for _, tt := range []struct{ reason, back string }{{"complaint", ""}, {"bounce", dead}} {
		s, srv := newSite(t), smtptest.New(t)
		s.readers(s.skin, 1)
		s.issue(s.skin, "rest")
		srv.At("content").Reply("451 4.3.0 later").Times(1)
		s.mail(srv)
		s.suppress(address(1), "manual")
		s.advance(time.Minute)
		s.tx(func(ctx context.Context, tx *store.Tx) error {
			return s.people.Unsuppress(ctx, tx, address(1), 0, "she wrote")
		})
		s.advance(time.Hour)
		m := s.mail(srv)
		if tt.back == "" {
			s.hears(complaint("abuse", m.From, m))
		} else {
			s.hears(returned(m.From, "failed", tt.back, "1"))
		}
		if got, _ := s.suppressedBy(1); got != tt.reason {
			t.Errorf("got %q, want %q", got, tt.reason)
		}
	}
}

// TestTooManyAtOnce: reports suppress a part of a series within a day; the rest waits, is counted, and goes on as the day goes by.
func TestTooManyAtOnce(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.readers(s.skin, 50)
	issue := s.issue(s.skin, "rest")
	s.mail(srv)
	r := s.reports()
	for i, m := range srv.Messages()[:27] {
		if _, err := r.Apply(t.Context(), bounce.Parse([]byte(returned(m.From, "failed", dead, fmt.Sprint(i))))); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		after      time.Duration
		held, gone int64
	}{{0, 7, 20}, {23 * time.Hour, 7, 20}, {2 * time.Hour, 0, 27}} {
		s.advance(step.after)
		if held := must(s.reports().Again(t.Context())); held[s.skin.ID] != step.held {
			t.Errorf("after %v: %v wait, want %d", step.after, held, step.held)
		}
		gone := int64(0)
		for i := range 50 {
			if reason, _ := s.suppressedBy(i + 1); reason != "" {
				gone++
			}
		}
		if gone != step.gone || s.allCounts(issue.ID).Bounced != 27 {
			t.Errorf("after %v: %d are suppressed, want %d; %+v", step.after, gone, step.gone, s.allCounts(issue.ID))
		}
	}
}

// TestHeldReportsAreGivenUp: where a mail server went wrong, what waits suppresses nobody, and is still seen.
func TestHeldReportsAreGivenUp(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.readers(s.skin, 23)
	issue := s.issue(s.skin, "rest")
	s.mail(srv)
	for i, m := range srv.Messages() {
		s.hears(returned(m.From, "failed", dead, fmt.Sprint(i)))
	}
	if held := must(outbox.HeldReports(t.Context(), s.db)); len(held) != 1 || held[s.skin.ID] != 3 {
		t.Errorf("held are %v", held)
	}
	s.tx(func(ctx context.Context, tx *store.Tx) error {
		n, err := outbox.DropHeld(ctx, tx, s.now())
		if n != 3 {
			t.Errorf("dropped %d", n)
		}
		return err
	})
	s.advance(25 * time.Hour)
	if held := must(s.reports().Again(t.Context())); len(held) > 0 {
		t.Errorf("held are %v", held)
	}
	gone := int64(0)
	for i := range 23 {
		if reason, _ := s.suppressedBy(i + 1); reason != "" {
			gone++
		}
	}
	if gone != 20 || s.allCounts(issue.ID).Bounced != 23 {
		t.Errorf("%d are suppressed, %+v", gone, s.allCounts(issue.ID))
	}
}

// TestErasureForgetsReports: what servers said of somebody goes with them, and what comes later finds nobody.
func TestErasureForgetsReports(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	ids := s.readers(s.skin, 1)
	s.issue(s.skin, "rest")
	m := s.mail(srv)
	s.hears(returned(m.From, "failed", "552 5.2.2 mailbox of ada is full", "1"))
	s.tx(func(ctx context.Context, tx *store.Tx) error { return s.people.Erase(ctx, tx, ids[0]) })
	s.hears(returned(m.From, "failed", "552 5.2.2 mailbox of ada is full", "2"))
	for _, r := range must(outbox.ReturnsOf(t.Context(), s.db, ids[0])) {
		if strings.Contains(r.Said, "ada") {
			t.Errorf("still said: %q", r.Said)
		}
	}
}

// TestCompactedCounts: counts and that it came back stay when the deliveries' rows go. The words of servers go with them, though they came
// later, and those about mail whose row stays once they are as old.
func TestCompactedCounts(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	ids := s.readers(s.skin, 1)
	issue := s.issue(s.skin, "rest")
	m := s.mail(srv)
	n := s.notice("test", "to a subscriber")
	n.ToEmail, n.ToName, n.SubscriberID = "", "", ids[0]
	s.enqueue(n)
	notice := s.mail(srv)
	s.finish()
	s.advance(24 * time.Hour)
	before := s.now()
	s.advance(24 * time.Hour)
	s.hears(returned(m.From, "failed", "552 5.2.2 over quota", "1"))
	s.hears(returned(notice.From, "failed", "552 5.2.2 over quota", "2"))
	said := func() (all []string) {
		for _, r := range must(outbox.ReturnsOf(t.Context(), s.db, ids[0])) {
			all = append(all, r.Said)
		}
		return all
	}
	for _, step := range []struct {
		before time.Time
		moved  int64
		want   []string
	}{
		{before, 1, []string{"552 5.2.2", "552 5.2.2 over quota"}},
		{before, 0, []string{"552 5.2.2", "552 5.2.2 over quota"}},
		{s.now().Add(time.Hour), 0, []string{"552 5.2.2", "552 5.2.2"}},
	} {
		if got := s.compact(step.before); got != step.moved {
			t.Errorf("got %d rows compacted, want %d", got, step.moved)
		}
		if got := said(); !slices.Equal(got, step.want) {
			t.Errorf("got %q, want %q", got, step.want)
		}
	}
	if c := s.allCounts(issue.ID); c.Sent != 1 || c.Bounced != 1 || s.state(issue.ID).State != series.IssueDone {
		t.Errorf("got %+v", c)
	}
	if got := s.hears(returned(m.From, "failed", dead, "3")); got != outbox.HeardUnknown {
		t.Errorf("got %s", got)
	}
}
