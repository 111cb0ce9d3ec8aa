package outbox_test

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pressrun/newsletter/outbox"
	"pressrun/subscribers/store"
)

// audit records every change of a delivery with what was true of its person and issue in the same transaction.
func audit(ctx context.Context, db *store.DB) error {
	return db.InTx(ctx, func(tx *store.Tx) error {
		for _, query := range []string{
			`CREATE TABLE audit (
				id INTEGER PRIMARY KEY, delivery_id INTEGER, kind TEXT, was TEXT, became TEXT, was_owner TEXT, owner TEXT,
				raised INTEGER, was_amb INTEGER, amb INTEGER, tries INTEGER, issue_state TEXT, issue_kind TEXT, article_state TEXT, mailable INTEGER)`,
			`CREATE TRIGGER audit_new AFTER INSERT ON deliveries BEGIN
				INSERT INTO audit (delivery_id, kind, was, became, was_owner, owner, raised, was_amb, amb, tries, issue_state, issue_kind, mailable)
				VALUES (NEW.id, NEW.kind, '', NEW.state, '', NEW.owner, 0, 0, NEW.amb, 0, (SELECT state FROM issues WHERE id = NEW.issue_id),
					(SELECT kind FROM issues WHERE id = NEW.issue_id), 1);
			END`,
			`CREATE TRIGGER audit_change AFTER UPDATE OF state ON deliveries BEGIN
				INSERT INTO audit (delivery_id, kind, was, became, was_owner, owner, raised, was_amb, amb, tries, issue_state, issue_kind, article_state, mailable)
				VALUES (NEW.id, NEW.kind, OLD.state, NEW.state, OLD.owner, NEW.owner, NEW.epoch - OLD.epoch, OLD.amb, NEW.amb, NEW.tries - OLD.tries,
					(SELECT state FROM issues WHERE id = NEW.issue_id), (SELECT kind FROM issues WHERE id = NEW.issue_id),
					(SELECT a.state FROM articles a JOIN issues i ON i.article_id = a.id WHERE i.id = NEW.issue_id),
					(SELECT count(*) FROM mailable m WHERE m.series_id = NEW.series_id AND m.subscriber_id = NEW.subscriber_id AND m.cycle = NEW.cycle));
			END`,
		} {
			if _, err := tx.Exec(ctx, query); err != nil {
				return err
			}
		}
		return nil
	})
}

// took is a message that a server has, by its own log.
type took struct{ messageID, hash string }

// changed is a line of the audit.
type changed struct {
	delivery                            int64
	kind, was, became, wasOwner, owner  string
	raised, tries, mailable             int64
	wasAmb, amb                         bool
	issueState, issueKind, articleState sql.NullString
}

func (c changed) String() string {
	return fmt.Sprintf("delivery %d: %s %s → %s, owner %q → %q, epoch +%d, tries +%d, amb %v → %v, issue %s, article %s, mailable %d",
		c.delivery, c.kind, c.was, c.became, c.wasOwner, c.owner, c.raised, c.tries, c.wasAmb, c.amb, c.issueState.String, c.articleState.String, c.mailable)
}

// arrows of DELIVERY, and what has to be true of each.
var arrows = map[string]func(changed) bool{
	" → pending": func(c changed) bool { // I11
		return c.kind == "notice" || c.issueState.String == "filling" || c.issueKind.String == "welcome"
	},
	"pending → claimed":     func(c changed) bool { return c.raised == 1 && c.owner != "" },
	"pending → skipped":     func(c changed) bool { return c.issueState.String == "cancelled" && !c.amb },
	"pending → uncertain":   func(c changed) bool { return c.issueState.String == "cancelled" && c.amb },
	"claimed → pending":     func(c changed) bool { return c.raised <= 1 && c.tries <= 1 },
	"claimed → failed":      func(c changed) bool { return c.raised == 0 && c.tries <= 1 },
	"claimed → skipped":     func(c changed) bool { return !c.amb },
	"claimed → uncertain":   func(c changed) bool { return c.amb },
	"claimed → inflight":    mayMark,
	"inflight → sent":       func(c changed) bool { return c.raised == 0 },
	"inflight → failed":     func(c changed) bool { return c.raised == 0 },
	"inflight → pending":    func(c changed) bool { return c.raised == 0 || c.kind == "notice" && c.amb },
	"inflight → skipped":    func(c changed) bool { return c.issueState.String == "cancelled" && !c.amb },
	"inflight → uncertain":  func(c changed) bool { return c.kind == "issue" || c.amb },
	"uncertain → sent":      func(changed) bool { return true },
	"uncertain → pending":   func(c changed) bool { return c.amb },
	"failed → pending":      func(changed) bool { return true },
	"pending → failed":      func(changed) bool { return false },
	"uncertain → uncertain": func(changed) bool { return false },
}

// mayMark is I5 and I6: the person was mailable, the issue sending and its article not withdrawn in the transaction that
// marked, and I7: nobody but the holder marked it.
func mayMark(c changed) bool {
	if c.raised != 0 || c.tries != 1 || c.owner != c.wasOwner {
		return false
	}
	return c.kind == "notice" || c.mailable == 1 && c.issueState.String == "sending" && c.articleState.String != "withdrawn"
}

// checkInvariants asserts DELIVERY's I1 to I14 on a database without a living worker and the log of its only server.
// unanswered is how many messages may be uncertain at most: kills times connections and replies lost.
func checkInvariants(t testing.TB, db *store.DB, log []took, unanswered int) {
	t.Helper()
	told := checkArrows(t, db)
	acc := map[string][]string{}
	for _, m := range log {
		acc[m.messageID] = append(acc[m.messageID], m.hash)
	}
	n := 0
	counted := map[int64]outbox.Counts{}
	for _, d := range deliveriesIn(t, db) {
		copies := acc[d.messageID]
		if d.messageID == "" {
			copies = nil
		}
		checkCopies(t, d, copies, told[d.id])
		delete(acc, d.messageID)
		if d.state == "uncertain" {
			n++
		}
		tally(counted, d)
	}
	if n > unanswered {
		t.Errorf("I12: got %d uncertain, want at most %d", n, unanswered)
	}
	if len(acc) > 0 {
		t.Errorf("I13: the server has messages that no delivery knows: %v", slices.Collect(maps.Keys(acc)))
	}
	for issue, want := range counted {
		if got, err := outbox.Count(context.Background(), db, issue); err != nil || got != want {
			t.Errorf("I14: issue %d: got counts %+v, %v, want %+v", issue, got, err, want)
		}
	}
}

// inDB is a delivery as the database has it.
type inDB struct {
	id, issue, tries                         int64
	kind, state, hash, messageID, issueState string
	amb                                      bool
}

func deliveriesIn(t testing.TB, db *store.DB) (all []inDB) {
	t.Helper()
	rows, err := db.Query(context.Background(), `SELECT d.id, coalesce(d.issue_id, 0), d.tries, d.kind, d.state, d.hash, d.message_id, d.amb,
		coalesce(i.state, '') FROM deliveries d LEFT JOIN issues i ON i.id = d.issue_id ORDER BY d.id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var d inDB
		if err := rows.Scan(&d.id, &d.issue, &d.tries, &d.kind, &d.state, &d.hash, &d.messageID, &d.amb, &d.issueState); err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// told: a person, or evidence, made it sent, so that the server need not have it.
func checkCopies(t testing.TB, d inDB, copies []string, told bool) {
	t.Helper()
	done := d.issueState == "done"
	final := d.state == "sent" || d.state == "failed" || d.state == "skipped" || d.state == "uncertain"
	for _, rule := range []struct {
		name   string
		broken bool
	}{
		{"I1/I10 a second copy without amb", len(copies) > 1 && !d.amb},
		{"I2 sent and no copy", d.state == "sent" && len(copies) == 0 && !told},
		{"I3 done and neither final nor uncertain", done && !final},
		{"I4 a copy, and neither sent, uncertain nor amb", len(copies) > 0 && final && d.state != "sent" && d.state != "uncertain" && !d.amb},
		{"I4 a copy, and nobody on its way to say so", len(copies) > 0 && (d.state == "pending" || d.state == "claimed") && !d.amb},
		{"I9 too many tries", d.tries > 40},
	} {
		if rule.broken {
			t.Errorf("%s: delivery %+v has %d copies", rule.name, d, len(copies))
		}
	}
	for _, hash := range copies {
		if hash != d.hash {
			t.Errorf("I13: delivery %d: the server has a message of hash %s, the row says %s", d.id, hash, d.hash)
		}
	}
}

func tally(counted map[int64]outbox.Counts, d inDB) {
	if d.issue == 0 {
		return
	}
	c := counted[d.issue]
	*map[string]*int64{
		"pending": &c.Pending, "claimed": &c.Claimed, "inflight": &c.Inflight, "sent": &c.Sent, "failed": &c.Failed,
		"skipped": &c.Skipped, "uncertain": &c.Uncertain,
	}[d.state]++
	counted[d.issue] = c
}

// checkArrows asserts that each change was one of DELIVERY's arrows and began where the last one ended (I5 to I8, I11). It
// returns which deliveries became sent by somebody's word.
func checkArrows(t testing.TB, db *store.DB) (told map[int64]bool) {
	t.Helper()
	rows, err := db.Query(context.Background(), `SELECT delivery_id, kind, was, became, was_owner, owner, raised, was_amb, amb, tries, issue_state, issue_kind,
		article_state, mailable FROM audit ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	at := map[int64]string{}
	told = map[int64]bool{}
	for rows.Next() {
		var c changed
		if err := rows.Scan(&c.delivery, &c.kind, &c.was, &c.became, &c.wasOwner, &c.owner, &c.raised, &c.wasAmb, &c.amb, &c.tries,
			&c.issueState, &c.issueKind, &c.articleState, &c.mailable); err != nil {
			t.Fatal(err)
		}
		ok := arrows[c.was+" → "+c.became]
		if ok == nil || !ok(c) {
			t.Errorf("no arrow of DELIVERY: %s", c)
		}
		if at[c.delivery] != c.was {
			t.Errorf("delivery %d: a change from %q, but it was %q", c.delivery, c.was, at[c.delivery])
		}
		at[c.delivery] = c.became
		told[c.delivery] = c.was == "uncertain" && c.became == "sent" || told[c.delivery]
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return told
}
