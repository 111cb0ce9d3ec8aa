package outbox_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pressrun/newsletter/mailer/smtptest"
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
					(SELECT count(*) FROM mailable m WHERE m.series_id = NEW.series_id AND m.subscriber_id = NEW.subscriber_id
						AND (m.cycle = NEW.cycle OR NOT EXISTS (SELECT 1 FROM articles o WHERE o.id = NEW.article_id AND o.series_id = NEW.series_id))));
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
type took struct {
	messageID, hash string // of its bytes without signatures
	unsigned        error  // its signature does not verify; nil also where the test signs nothing
}

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

func (c changed) arrow() string { return c.was + " → " + c.became }

// arrows of DELIVERY, and what has to be true of each of who takes it and of how its row stands. "" is a row that is not there yet.
var arrows = map[string]func(changed) bool{
	" → pending":           func(c changed) bool { return c.raised == 0 },
	"pending → claimed":    func(c changed) bool { return c.raised == 1 && c.owner != "" },
	"pending → skipped":    func(c changed) bool { return c.issueState.String == "cancelled" && !c.amb },
	"pending → uncertain":  func(c changed) bool { return c.issueState.String == "cancelled" && c.amb },
	"claimed → pending":    func(c changed) bool { return c.raised <= 1 && c.tries <= 1 },
	"claimed → failed":     func(c changed) bool { return c.raised == 0 && c.tries <= 1 },
	"claimed → skipped":    func(c changed) bool { return !c.amb },
	"claimed → uncertain":  func(c changed) bool { return c.amb },
	"claimed → inflight":   func(c changed) bool { return c.raised == 0 && c.tries == 1 && c.owner == c.wasOwner },
	"inflight → sent":      func(c changed) bool { return c.raised == 0 },
	"inflight → failed":    func(c changed) bool { return c.raised == 0 },
	"inflight → pending":   func(c changed) bool { return c.raised == 0 || c.kind == "notice" && c.amb },
	"inflight → skipped":   func(c changed) bool { return c.issueState.String == "cancelled" && !c.amb },
	"inflight → uncertain": func(c changed) bool { return c.kind == "issue" || c.amb },
	"uncertain → sent":     func(changed) bool { return true },
	"uncertain → pending":  func(c changed) bool { return c.amb },
	"failed → pending":     func(changed) bool { return true },
}

// inDB is a delivery as the database has it.
type inDB struct {
	id, issue, subscriber, tries, nextTry    int64
	kind, state, hash, messageID, issueState string
	amb                                      bool
}

func (d inDB) final() bool {
	return d.state == "sent" || d.state == "failed" || d.state == "skipped"
}

// evidence is all that the invariants are judged by: the rows, their history, and what the only servers of these messages took.
type evidence struct {
	rows       []inDB
	history    []changed
	copies     map[string][]took // by Message-ID
	shown      map[int64]outbox.Counts
	issues     []string // series, slot and article of each issue in a slot
	overlaps   []string // transactions of one row at once, as seen on the line
	latest     int64    // the last change of a row, by the site's clock
	unanswered int      // how many may be uncertain: kills times connections, and replies lost
}

// told are the rows that somebody's word made sent: no server need have them.
func (e evidence) told() map[int64]bool {
	all := map[int64]bool{}
	for _, c := range e.history {
		if c.arrow() == "uncertain → sent" {
			all[c.delivery] = true
		}
	}
	return all
}

func (e evidence) of(d inDB) []took {
	if d.messageID == "" {
		return nil
	}
	return e.copies[d.messageID]
}

// invariant is one of DELIVERY's, by its number and name there; broken lists what breaks it.
type invariant struct {
	name   string
	broken func(evidence) []string
}

// eachRow makes an invariant of a condition that breaks it, for one row and the copies of it that servers have.
func eachRow(breaks func(e evidence, d inDB, copies int) bool) func(evidence) []string {
	return func(e evidence) (all []string) {
		for _, d := range e.rows {
			if n := len(e.of(d)); breaks(e, d, n) {
				all = append(all, fmt.Sprintf("%+v has %d copies", d, n))
			}
		}
		return all
	}
}

// eachChange is eachRow for one line of the audit.
func eachChange(breaks func(changed) bool) func(evidence) []string {
	return func(e evidence) (all []string) {
		for _, c := range e.history {
			if breaks(c) {
				all = append(all, c.String())
			}
		}
		return all
	}
}

// marksOfIssues is for what must be true in the very transaction that marks.
func marksOfIssues(breaks func(changed) bool) func(evidence) []string {
	return eachChange(func(c changed) bool { return c.kind == "issue" && c.became == "inflight" && breaks(c) })
}

var invariants = []invariant{
	{"I1 never twice", eachRow(func(_ evidence, d inDB, copies int) bool { return d.kind == "issue" && copies > 1 && !d.amb })},
	{"I2 sent is taken", sentIsTaken},
	{"I3 done is final", eachRow(func(_ evidence, d inDB, _ int) bool {
		return d.issueState == "done" && !d.final() && d.state != "uncertain"
	})},
	{"I4 taken is known", eachRow(func(_ evidence, d inDB, copies int) bool {
		return copies > 0 && !d.amb && d.state != "inflight" && d.state != "sent" && d.state != "uncertain"
	})},
	{"I5 nobody who left is marked", marksOfIssues(func(c changed) bool { return c.mailable != 1 })},
	{"I6 nothing stopped is marked", marksOfIssues(func(c changed) bool {
		return c.issueState.String != "sending" || c.articleState.String == "withdrawn"
	})},
	{"I7 only the holder changes a row", heldOnly},
	{"I8 one transaction at once", oneAtOnce},
	{"I9 everything ends", everythingEnds},
	{"I10 a second copy is announced", eachRow(func(_ evidence, d inDB, copies int) bool { return copies > 1 && !d.amb })},
	{"I11 one row a person, one issue a slot", onePerPerson},
	{"I12 few are uncertain", fewUncertain},
	{"I13 messages are whole", whole},
	{"I14 counts are rows", countsAreRows},
}

func sentIsTaken(e evidence) []string {
	told := e.told()
	return eachRow(func(_ evidence, d inDB, copies int) bool { return d.state == "sent" && copies == 0 && !told[d.id] })(e)
}

// heldOnly: each change is one of the arrows, made by who held the row, or by the reaper that raises its epoch.
func heldOnly(e evidence) (all []string) {
	owner := map[int64]string{}
	for _, c := range e.history {
		if ok := arrows[c.arrow()]; ok == nil || !ok(c) {
			all = append(all, "no arrow of DELIVERY: "+c.String())
		}
		if c.wasOwner != owner[c.delivery] {
			all = append(all, fmt.Sprintf("held by %q: %s", owner[c.delivery], c))
		}
		owner[c.delivery] = c.owner
	}
	return all
}

// oneAtOnce: each change begins where the last one ended, so nothing is claimed that somebody holds, and on the line no two
// transactions were open for one row.
func oneAtOnce(e evidence) []string {
	all := slices.Clone(e.overlaps)
	at := map[int64]string{}
	for _, c := range e.history {
		if at[c.delivery] != c.was {
			all = append(all, fmt.Sprintf("it was %q: %s", at[c.delivery], c))
		}
		at[c.delivery] = c.became
	}
	return all
}

// everythingEnds: tries are bounded, what waits comes within the longest wait, what is held has a holder whose lease ends,
// and what is final stays so.
func everythingEnds(e evidence) []string {
	const mostTries, longestWait = 40, 10 * 60 * 60 * 1000
	all := eachRow(func(e evidence, d inDB, _ int) bool {
		return d.tries > mostTries || d.state == "pending" && d.nextTry > e.latest+longestWait
	})(e)
	return append(all, eachChange(func(c changed) bool { return c.was == "sent" || c.was == "skipped" })(e)...)
}

// onePerPerson: nobody is added to an issue after its fill, welcomes aside.
func onePerPerson(e evidence) []string {
	all := eachChange(func(c changed) bool {
		return c.was == "" && c.kind == "issue" && c.issueState.String != "filling" && c.issueKind.String != "welcome"
	})(e)
	seen := map[string]bool{}
	twice := func(key string) {
		if seen[key] {
			all = append(all, "twice: "+key)
		}
		seen[key] = true
	}
	for _, d := range e.rows {
		if d.issue != 0 {
			twice(fmt.Sprintf("issue %d for subscriber %d", d.issue, d.subscriber))
		}
	}
	for _, key := range e.issues {
		twice(key)
	}
	return all
}

func fewUncertain(e evidence) []string {
	n := 0
	for _, d := range e.rows {
		if d.state == "uncertain" {
			n++
		}
	}
	if n <= e.unanswered {
		return nil
	}
	return []string{fmt.Sprintf("got %d uncertain, want at most %d", n, e.unanswered)}
}

func whole(e evidence) (all []string) {
	known := map[string]bool{}
	for _, d := range e.rows {
		known[d.messageID] = true
		for _, m := range e.of(d) {
			if m.hash != d.hash || m.unsigned != nil {
				all = append(all, fmt.Sprintf("delivery %d: the server has a message of hash %s, the row says %s; its signature: %v", d.id, m.hash, d.hash, m.unsigned))
			}
		}
	}
	for id := range e.copies {
		if !known[id] || id == "" {
			all = append(all, "the server has a message that no delivery knows: "+id)
		}
	}
	return all
}

func countsAreRows(e evidence) (all []string) {
	counted := map[int64]outbox.Counts{}
	for _, d := range e.rows {
		tally(counted, d)
	}
	for issue, got := range e.shown {
		if want := counted[issue]; got != want {
			all = append(all, fmt.Sprintf("issue %d: shown %+v, the rows are %+v", issue, got, want))
		}
	}
	return all
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

// checkInvariants asserts DELIVERY's I1 to I14 on a database without a living worker and the log of its only server.
// unanswered is how many messages may be uncertain at most: kills times connections and replies lost.
func checkInvariants(t testing.TB, db *store.DB, log []took, unanswered int) {
	t.Helper()
	e := gather(t, db, log)
	e.unanswered = unanswered
	e.check(t)
}

func (e evidence) check(t testing.TB) {
	t.Helper()
	for _, rule := range invariants {
		for _, broken := range rule.broken(e) {
			t.Errorf("%s: %s", rule.name, broken)
		}
	}
}

func gather(t testing.TB, db *store.DB, log []took) evidence {
	t.Helper()
	e := evidence{
		rows: deliveriesIn(t, db), history: historyIn(t, db), copies: map[string][]took{}, shown: map[int64]outbox.Counts{},
	}
	if err := db.QueryRow(context.Background(), `SELECT coalesce(max(updated), 0) FROM deliveries`).Scan(&e.latest); err != nil {
		t.Fatal(err)
	}
	for _, m := range log {
		e.copies[m.messageID] = append(e.copies[m.messageID], m)
	}
	rows, err := db.Query(context.Background(), `SELECT id, CASE kind WHEN 'slot' THEN coalesce(series_id, 0) || ' ' || slot || ' ' || coalesce(article_id, 0)
		ELSE name END FROM issues`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var key string
		if err := rows.Scan(&id, &key); err != nil {
			t.Fatal(err)
		}
		e.issues = append(e.issues, key)
		if e.shown[id], err = outbox.Count(context.Background(), db, id); err != nil {
			t.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return e
}

func deliveriesIn(t testing.TB, db *store.DB) (all []inDB) {
	t.Helper()
	rows, err := db.Query(context.Background(), `SELECT d.id, coalesce(d.issue_id, 0), coalesce(d.subscriber_id, 0), d.tries, d.next_try, d.kind, d.state, d.hash,
		d.message_id, d.amb, coalesce(i.state, '') FROM deliveries d LEFT JOIN issues i ON i.id = d.issue_id ORDER BY d.id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var d inDB
		if err := rows.Scan(&d.id, &d.issue, &d.subscriber, &d.tries, &d.nextTry, &d.kind, &d.state, &d.hash, &d.messageID, &d.amb, &d.issueState); err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func historyIn(t testing.TB, db *store.DB) (all []changed) {
	t.Helper()
	rows, err := db.Query(context.Background(), `SELECT delivery_id, kind, was, became, was_owner, owner, raised, was_amb, amb, tries, issue_state, issue_kind,
		article_state, mailable FROM audit ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var c changed
		if err := rows.Scan(&c.delivery, &c.kind, &c.was, &c.became, &c.wasOwner, &c.owner, &c.raised, &c.wasAmb, &c.amb, &c.tries,
			&c.issueState, &c.issueKind, &c.articleState, &c.mailable); err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestInvariantsFail breaks each invariant in the evidence of a site where all hold: what can't fail proves nothing.
func TestInvariantsFail(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.readers(s.skin, 3)
	s.issue(s.skin, "rest")
	s.send(srv)
	s.finish()
	for _, tt := range []struct {
		name  string
		spoil func(*evidence)
	}{
		{"I1 ", func(e *evidence) { e.copy(0) }},
		{"I2 ", func(e *evidence) { delete(e.copies, e.rows[0].messageID) }},
		{"I3 ", func(e *evidence) { e.rows[0].state = "pending" }},
		{"I4 ", func(e *evidence) { e.rows[0].state = "skipped" }},
		{"I5 ", func(e *evidence) { e.last("claimed → inflight").mailable = 0 }},
		{"I6 ", func(e *evidence) { e.last("claimed → inflight").issueState.String = "paused" }},
		{"I7 ", func(e *evidence) { e.last("inflight → sent").wasOwner = "another" }},
		{"I8 ", func(e *evidence) { e.history = append(e.history, *e.last("pending → claimed")) }},
		{"I9 ", func(e *evidence) { e.rows[0].tries = 41 }},
		{"I10 ", func(e *evidence) { e.copy(0) }},
		{"I11 ", func(e *evidence) { e.rows[1].subscriber = e.rows[0].subscriber }},
		{"I12 ", func(e *evidence) { e.rows[0].state = "uncertain" }},
		{"I13 ", func(e *evidence) { e.rows[0].hash = "another" }},
		{"I14 ", func(e *evidence) { e.shown[e.rows[0].issue] = outbox.Counts{Sent: 2} }},
	} {
		e := gather(t, s.db, taken(srv))
		e.check(t)
		tt.spoil(&e)
		found := false
		for _, rule := range invariants {
			found = found || strings.HasPrefix(rule.name, tt.name) && len(rule.broken(e)) > 0
		}
		if !found {
			t.Errorf("%s: got nothing broken, want it", tt.name)
		}
	}
	if want := 14; len(invariants) != want {
		t.Errorf("got %d invariants, want %d", len(invariants), want)
	}
}

// copy has a server take a row's message once more.
func (e *evidence) copy(row int) {
	id := e.rows[row].messageID
	e.copies[id] = append(e.copies[id], e.copies[id]...)
}

// last is the last change along an arrow.
func (e *evidence) last(arrow string) *changed {
	for i := len(e.history) - 1; ; i-- {
		if e.history[i].arrow() == arrow {
			return &e.history[i]
		}
	}
}
