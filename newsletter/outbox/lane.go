package outbox

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"pressrun/newsletter/mailer"
	"pressrun/newsletter/pace"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// lanes knows the mailbox provider of each domain that has a lane of its own; all others are the rest. A delivery whose lane is
// another by now, since its domain was given one, is found out when its message is written.
type lanes struct {
	mu    sync.Mutex
	of    map[string]pace.Lane
	names map[pace.Lane]string
}

const (
	selectLanes   = `SELECT id, name FROM lanes`
	selectDomains = `SELECT domain, lane FROM lane_domains`
)

func (l *lanes) load(ctx context.Context, q store.Querier) error {
	names, of := map[pace.Lane]string{}, map[string]pace.Lane{}
	var lane pace.Lane
	var name string
	err := eachRow(ctx, q, selectLanes, []any{&lane, &name}, func() { names[lane] = name })
	if err == nil {
		err = eachRow(ctx, q, selectDomains, []any{&name, &lane}, func() { of[name] = lane })
	}
	if err != nil {
		return fmt.Errorf("lanes: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.names, l.of = names, of
	return nil
}

func (l *lanes) lane(domain string) pace.Lane {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.of[domain]
}

// all are the lanes in order, from the nth on and around.
func (l *lanes) all(n int) []pace.Lane {
	l.mu.Lock()
	defer l.mu.Unlock()
	ids := slices.Sorted(maps.Keys(l.names))
	n %= len(ids)
	return append(ids[n:], ids[:n]...)
}

// domainOf is the part of an address behind its @, as lanes know it.
func domainOf(email string) string {
	return strings.ToLower(email[strings.LastIndexByte(email, '@')+1:])
}

// strayed says that a delivery belongs to another lane than it was filled with, and puts it there: its domain was given one
// meanwhile, or its reader has another address.
func (w *Worker) strayed(r row) bool {
	lane := w.lanes.lane(r.domain)
	if r.issue == 0 || lane == r.lane {
		return false
	}
	moved := r
	moved.lane = lane
	w.writer.record(r.issue, func(ctx context.Context, tx *store.Tx) error {
		_, err := turn{row: moved, from: claimed, to: pending}.make(ctx, tx, w.now())
		return err
	}, func() { w.end(r) })
	return true
}

const (
	anyStop   = `SELECT EXISTS (SELECT 1 FROM stops s JOIN issues i ON i.id = s.issue_id WHERE i.state NOT IN ('done', 'cancelled'))`
	isStopped = `SELECT EXISTS (SELECT 1 FROM stops WHERE issue_id = ?1 AND (lane = ?2 OR lane = ?3))`
)

// stoppedMeanwhile says that a delivery's provider, or all of its issue, was stopped after it was claimed, and gives it back.
func (w *Worker) stoppedMeanwhile(ctx context.Context, r row) (yes bool) {
	if r.issue == 0 || !w.halts.Load() {
		return false
	}
	if err := w.cfg.DB.QueryRow(ctx, isStopped, r.issue, r.lane, everyLane).Scan(&yes); err != nil {
		yes = true // it is looked at again when it is claimed the next time
	}
	if yes {
		w.giveBack(r, r.nextTry)
	}
	return yes
}

// refusedInARow is how many refusals of one class, with no acceptance between, stop a provider, or an issue.
const refusedInARow = 5

// deadInARow is how many addresses in a row, with no acceptance between, may not exist: more are a relay that lost its table
// of users, or the wrong relay, and each of them would be suppressed.
const deadInARow = 25

// manyPlaces is from how many providers on refusals in a row are not a provider's: then the relay itself refuses us.
const manyPlaces = 3

// streak is the refusals of one class that an issue met at one provider; at "" those of all of it.
type streak struct {
	issue int64
	class mailer.Class
	place string // a lane's number, or a domain of the rest
}

// streaks counts refusals that are about us or about what the issue says, and not about the recipient; and those of recipients
// that are too many in a row to be about them.
type streaks struct {
	mu     sync.Mutex
	row    map[streak]int
	places map[streak]map[string]int // of those at "": how many are of which place
}

// halt is what refusals stop.
type halt int

const (
	nothing halt = iota
	provider
	wholeIssue
)

var judgedClasses = []mailer.Class{mailer.ClassBlocked, mailer.ClassContent, mailer.ClassDead}

// judge says whether an answer means that more of the issue would fare no better. Where the relay refuses our sender or login,
// five in a row of several providers, or 25 addresses in a row as unknown, that is all of it; where a provider has blocked five
// in a row, or refused what five say, that is what goes to this one. Then it is better to have readers wait than to fail them
// one by one.
func (s *streaks) judge(r row, out mailer.Outcome) halt {
	if r.issue == 0 {
		return nothing
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case out.State == mailer.Accepted && len(s.row) == 0:
	case out.State == mailer.Accepted:
		for _, class := range judgedClasses {
			delete(s.row, streak{r.issue, class, r.place()})
			delete(s.row, streak{r.issue, class, ""})
			delete(s.places, streak{r.issue, class, ""})
		}
	case out.State != mailer.Refused:
	case out.Class == mailer.ClassConfig:
		return wholeIssue
	case out.Class == mailer.ClassDead:
		return s.begunAnew(s.countDead(streak{r.issue, out.Class, ""}), streak{r.issue, out.Class, ""})
	case slices.Contains(judgedClasses, out.Class):
		here := streak{r.issue, out.Class, r.place()}
		return s.begunAnew(s.count(here), here)
	}
	return nothing
}

// begunAnew forgets the refusals that stop something: after an editor had it go on, one more doesn't stop it again.
func (s *streaks) begunAnew(stops halt, here streak) halt {
	switch stops {
	case provider:
		all := streak{here.issue, here.class, ""}
		s.row[all] -= s.places[all][here.place]
		delete(s.places[all], here.place)
		delete(s.row, here)
	case wholeIssue:
		maps.DeleteFunc(s.row, func(k streak, _ int) bool { return k.issue == here.issue && k.class == here.class })
		delete(s.places, streak{here.issue, here.class, ""})
	}
	return stops
}

func (s *streaks) countDead(all streak) halt {
	s.begin()
	if s.row[all]++; s.row[all] >= deadInARow {
		return wholeIssue
	}
	return nothing
}

func (s *streaks) begin() {
	if s.row == nil {
		s.row, s.places = map[streak]int{}, map[streak]map[string]int{}
	}
}

func (s *streaks) count(here streak) halt {
	s.begin()
	all := streak{here.issue, here.class, ""}
	s.row[here]++
	s.row[all]++
	if s.places[all] == nil {
		s.places[all] = map[string]int{}
	}
	s.places[all][here.place]++
	switch {
	case s.row[all] >= refusedInARow && len(s.places[all]) >= manyPlaces:
		return wholeIssue
	case s.row[here] >= refusedInARow:
		return provider
	}
	return nothing
}

// place is where a delivery goes, as streaks tell places apart.
func (r row) place() string {
	if r.lane != pace.Rest {
		return fmt.Sprint(int64(r.lane))
	}
	return r.domain
}

// everyLane stands in stops for all of an issue.
const everyLane pace.Lane = -1

const (
	insertStop = `INSERT INTO stops (issue_id, lane, class, reply, since) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (issue_id, lane) DO NOTHING`
	// A domain of the rest gets a lane, so that what else goes there can be left out.
	insertLane       = `INSERT INTO lanes (id, name) SELECT max(id) + 1, ?1 FROM lanes WHERE id >= 0 ON CONFLICT (name) DO NOTHING`
	insertLaneDomain = `INSERT INTO lane_domains (domain, lane) SELECT ?1, id FROM lanes WHERE name = ?1 ON CONFLICT (domain) DO NOTHING`
	selectLane       = `SELECT lane FROM lane_domains WHERE domain = ?1`
)

// stopProvider keeps what is left of an issue for a delivery's provider until an editor resumes it. The rest of the issue goes on.
func (w *Worker) stopProvider(ctx context.Context, tx *store.Tx, r row, out mailer.Outcome) error {
	issue, err := series.IssueByID(ctx, tx, r.issue)
	if err != nil || issue.State != series.IssueSending {
		return err
	}
	lane := r.lane
	if lane == pace.Rest {
		for _, query := range []string{insertLane, insertLaneDomain} {
			if _, err := tx.Exec(ctx, query, r.domain); err != nil {
				return fmt.Errorf("lane of a domain: %w", err)
			}
		}
		if err := tx.QueryRow(ctx, selectLane, r.domain).Scan(&lane); err != nil {
			return fmt.Errorf("lane of a domain: %w", err)
		}
		if err := w.lanes.load(ctx, tx); err != nil {
			return err
		}
	}
	w.halts.Store(true)
	w.log.Error("provider stopped: it refuses our mail", "issue", r.issue, "lane", int64(lane), "code", out.Reply.Code, "enhanced", out.Reply.Enhanced)
	return stop(ctx, tx, r.issue, lane, out, w.now())
}

func stop(ctx context.Context, tx *store.Tx, issueID int64, lane pace.Lane, out mailer.Outcome, now time.Time) error {
	if _, err := tx.Exec(ctx, insertStop, issueID, lane, string(out.Class), out.Reply.String(), now.UnixMilli()); err != nil {
		return fmt.Errorf("issue %d: stop lane %d: %w", issueID, lane, err)
	}
	return nil
}

const deleteStops = `DELETE FROM stops WHERE issue_id = ?1`

// goOn lifts what refusals stopped of an issue and says how many providers, or all of it, that were.
func goOn(ctx context.Context, tx *store.Tx, issueID int64) (int64, error) {
	n, err := tx.Exec(ctx, deleteStops, issueID)
	if err != nil {
		return 0, fmt.Errorf("issue %d: lift stops: %w", issueID, err)
	}
	return n, nil
}

// Stop is a provider that an issue doesn't go to since it refused it.
type Stop struct {
	IssueID int64
	Lane    string // its name; empty: the relay itself, and all of the issue is paused
	Class   string
	Reply   string
	Since   time.Time
	Waiting int64 // rows
}

const selectStops = `SELECT s.issue_id, coalesce(l.name, ''), s.class, s.reply, s.since,
	CASE WHEN s.lane < 0 THEN (SELECT count(*) FROM deliveries d WHERE d.issue_id = s.issue_id AND d.state = 'pending')
		ELSE (SELECT count(*) FROM deliveries d WHERE d.issue_id = s.issue_id AND d.lane = s.lane AND d.state = 'pending') END
FROM stops s JOIN issues i ON i.id = s.issue_id LEFT JOIN lanes l ON l.id = s.lane
WHERE i.state NOT IN ('done', 'cancelled') AND (?1 = 0 OR s.issue_id = ?1) ORDER BY s.issue_id, s.since, s.lane`

// Stops lists what refusals stopped of an issue, or with 0 of all open ones.
func Stops(ctx context.Context, q store.Querier, issueID int64) (all []Stop, _ error) {
	rows, err := q.Query(ctx, selectStops, issueID)
	if err != nil {
		return nil, fmt.Errorf("stops: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var s Stop
		var since int64
		if err := rows.Scan(&s.IssueID, &s.Lane, &s.Class, &s.Reply, &since, &s.Waiting); err != nil {
			return nil, fmt.Errorf("stops: %w", err)
		}
		s.Since = time.UnixMilli(since).UTC()
		all = append(all, s)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("stops: %w", err)
	}
	return all, nil
}
