package outbox_test

import (
	"context"
	"fmt"
	"os"
	"path"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"pressrun/newsletter/mailer/smtptest"
	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
	"pressrun/subscribers/store/storetest"
)

// stays are the notices in which any of some words stands, in whatever column, by their keys.
func (s *site) stays(words ...string) (all []string) {
	s.Helper()
	rows, err := s.db.Query(context.Background(), `SELECT dedupe, kind || to_name || to_email || from_name || from_email || reply_to || html || text
		FROM notices ORDER BY id`)
	if err != nil {
		s.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var key, said string
		if err := rows.Scan(&key, &said); err != nil {
			s.Fatal(err)
		}
		for _, word := range words {
			if strings.Contains(said, word) {
				all = append(all, key)
				break
			}
		}
	}
	return all
}

// TestNoticeForgetsWhomItWentTo, however it ends, and not before: what was not answered is sent once more.
func TestNoticeForgetsWhomItWentTo(t *testing.T) {
	for _, tt := range []struct {
		name, reply string
		wants       string
		end         func(s *site)
	}{
		{name: "taken", wants: "login sent"},
		{name: "refused", reply: "550 5.1.1 no such user", wants: "login failed dead"},
		{name: "expired", wants: "login failed expired", end: func(s *site) { s.advance(2 * time.Hour) }},
		{name: "suppressed meanwhile", wants: "login skipped", end: func(s *site) { s.suppress("ada@example.org", "manual") }},
		{name: "put off", reply: "451 4.7.1 later", wants: "login pending"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, srv := newSite(t), smtptest.New(t)
			n := s.notice("login", "a")
			n.FromEmail = n.ToEmail // of a site without a series
			s.enqueue(n)
			if tt.reply != "" {
				srv.At("RCPT").Reply(tt.reply)
			}
			if tt.end != nil {
				tt.end(s)
			}
			s.send(srv)
			s.wantNotices(tt.wants)
			waits := tt.wants == "login pending"
			if left := s.stays("ada@", "Ada", "SECRET"); len(left) > 0 != waits {
				t.Errorf("got %q with name, address or link, want some: %v", left, waits)
			}
		})
	}
}

// TestNoticeElsewhereIsItsPersons goes to an address that is not the person's yet: what becomes of it says nothing of the one they
// have, they are shown it, and once they are erased it is empty at once and never leaves.
func TestNoticeElsewhereIsItsPersons(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	ada := s.readers(s.skin, 1)[0]
	elsewhere := func(dedupe string) {
		n := s.notice("login", dedupe)
		n.SubscriberID = ada
		s.enqueue(n)
	}
	elsewhere("refused")
	srv.At("RCPT").Reply("550 5.1.1 no such user").Times(1)
	s.send(srv)
	if reason, _ := s.suppressedBy(1); reason != "" {
		t.Errorf("the address that they have is suppressed for %q", reason)
	}
	elsewhere("taken")
	s.send(srv)
	if m := srv.Messages(); len(m) != 1 || m[0].To != "ada@example.org" {
		t.Fatalf("got %d messages, want one, to ada@example.org", len(m))
	}
	if all, err := outbox.DeliveriesOf(t.Context(), s.db, ada); err != nil || len(all) != 2 || all[0].State != "failed" || all[1].SubscriberID != ada {
		t.Errorf("shown to them: %+v, %v, want both", all, err)
	}

	elsewhere("waits")
	s.tx(func(ctx context.Context, tx *store.Tx) error { return s.people.Erase(ctx, tx, ada) })
	if left := s.stays("ada@", "Ada", "SECRET"); len(left) > 0 {
		t.Errorf("right after the erasure: %q", left)
	}
	s.send(srv)
	s.wantNotices("login failed dead", "login sent", "login skipped")
	if n := len(srv.Messages()); n != 1 {
		t.Errorf("got %d messages, want none after the erasure", n-1)
	}
	checkInvariants(t, s.db, taken(srv), 0)
}

// TestEraseForgetsWhatRelaysSaid, of issues and of notices.
func TestEraseForgetsWhatRelaysSaid(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	ids := s.readers(s.skin, 2)
	n := s.notice("login", "a")
	n.SubscriberID = ids[0]
	s.enqueue(n)
	s.issue(s.skin, "rest")
	s.send(srv)
	s.tx(func(ctx context.Context, tx *store.Tx) error { return s.people.Erase(ctx, tx, ids[0]) })
	var erased, other int
	err := s.db.QueryRow(t.Context(), `SELECT count(*) FILTER (WHERE subscriber_id IS NULL OR subscriber_id = ?1), count(*) FILTER (WHERE subscriber_id = ?2)
		FROM deliveries WHERE reply <> ''`, ids[0], ids[1]).Scan(&erased, &other)
	if err != nil || erased != 0 || other != 1 {
		t.Errorf("got %d replies of the erased and %d of the other, %v, want 0 and 1", erased, other, err)
	}
	checkInvariants(t, s.db, taken(srv), 0)
}

// before are this package's migrations up to a number.
func before(t *testing.T, until string) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	all, err := os.ReadDir("migrations")
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range all {
		if one.Name() < until {
			name := path.Join("migrations", one.Name())
			content, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			files[name] = &fstest.MapFile{Data: content}
		}
	}
	return files
}

// TestOldNoticesAreForgotten brings a database up to date whose notices kept whom they went to.
func TestOldNoticesAreForgotten(t *testing.T) {
	db := storetest.Open(t, subscribers.Migrate, series.Migrate, func(ctx context.Context, db *store.DB) error {
		return store.Migrate(ctx, db, "outbox", before(t, "0009"))
	})
	s := siteOn(t, db, newKey())
	ids := s.readers(s.skin, 2)
	s.tx(func(ctx context.Context, tx *store.Tx) error {
		for i, state := range []string{"sent", "failed", "skipped", "uncertain", "pending"} {
			add := []string{
				fmt.Sprintf(`INSERT INTO notices (id, kind, dedupe, subscriber_id, to_name, to_email, from_name, from_email, subject, html, text, expires, created)
					VALUES (%d, 'editors', 'word %d to ada@example.org', NULL, 'Ada', 'ada@example.org', 'Clinic', 'ada@example.org', 'S', 'SECRET', 'SECRET', 1, 1)`, i+1, i+1),
				fmt.Sprintf(`INSERT INTO deliveries (kind, notice_id, state, class, dated, hash, message_id, next_try, created, updated)
					VALUES ('notice', %d, '%s', CASE '%[2]s' WHEN 'failed' THEN 'dead' ELSE '' END, 1, 'h', 'm', 1, 1, 1)`, i+1, state),
			}
			for _, query := range add {
				if _, err := tx.Exec(ctx, query); err != nil {
					return err
				}
			}
		}
		for i, id := range ids {
			_, err := tx.Exec(ctx, `INSERT INTO notices (kind, dedupe, subscriber_id, from_name, from_email, subject, html, text, expires, created)
				VALUES ('login', ?1, ?2, 'Clinic', 'news@example.org', 'S', 'SECRET', 'SECRET', 1, 1)`, fmt.Sprint("link ", i), id)
			if err == nil {
				_, err = tx.Exec(ctx, `INSERT INTO deliveries (kind, notice_id, subscriber_id, reply, next_try, created, updated)
					VALUES ('notice', (SELECT max(id) FROM notices), ?1, '451 later', 1, 1, 1)`, id)
			}
			if err != nil {
				return err
			}
		}
		return s.people.Erase(ctx, tx, ids[0])
	})
	if err := outbox.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	// Of those that wait only what the erased one's said is gone.
	if got, want := strings.Join(s.stays("ada@", "Ada", "SECRET"), ", "), "editors 5, link 1"; got != want {
		t.Errorf("name, address or link stands in %q, want %q", got, want)
	}
	var keys, replies, strays, notices int
	err := db.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM notices WHERE dedupe LIKE '%@%'), (SELECT count(*) FROM deliveries WHERE reply <> ''),
		(SELECT count(*) FROM pragma_foreign_key_check), (SELECT count(*) FROM deliveries d JOIN notices n ON n.id = d.notice_id)`).
		Scan(&keys, &replies, &strays, &notices)
	if err != nil || keys != 0 || replies != 1 || strays != 0 || notices != 7 {
		t.Errorf("got %d keys with an address, %d replies, %d references to nothing, %d notices, %v, want 0, 1, 0, 7", keys, replies, strays, notices, err)
	}
	s.tx(func(ctx context.Context, tx *store.Tx) error { return s.people.Erase(ctx, tx, ids[1]) })
	if got := s.stays("SECRET"); len(got) != 1 {
		t.Errorf("after one more erasure: %q, want that of the editors alone", got)
	}
}
