package series

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"pressrun/subscribers/store"
)

// IssueState is the state of an issue: planned → filling → sending ↔ paused → done; held ↔ planned; any before done → cancelled.
type IssueState string

const (
	IssuePlanned   IssueState = "planned"
	IssueFilling   IssueState = "filling"
	IssueSending   IssueState = "sending"
	IssuePaused    IssueState = "paused"
	IssueHeld      IssueState = "held"
	IssueDone      IssueState = "done"
	IssueCancelled IssueState = "cancelled"
)

// Issue is an article frozen for sending. Its content never changes again.
type Issue struct {
	ID                            int64
	Name                          string // skin/2027-03-30T09:00
	SeriesID, ArticleID, Revision int64  // 0 where it has none
	Slot                          string // wall time
	Kind                          string // slot, now, welcome, correction, announcement
	State                         IssueState
	Reason                        string
	Reached                       bool // somebody had it: a cancel does not give its article back
	Subject, HTML, Text           string
	ArticleHTML                   string
	DisclaimerID                  int64
	FromName, FromEmail, ReplyTo  string
	Language                      string
	FillAfter                     int64     // the last subscriber whose row was filled
	Frozen, SendingSince, DoneAt  time.Time // zero where not yet
}

// Frozen is what Freeze keeps.
type Frozen struct {
	Series      Series
	Article     Article // as it was rendered; Freeze checks that revision and state are still these
	Slot        string  // wall time, or the local minute for issues outside a slot
	Kind        string
	State       IssueState // filling, or held with Reason
	Reason      string
	Subject     string
	HTML, Text  string
	ArticleHTML string
	Everybody   bool // of an announcement: it goes to everybody of its article's series, and counts as the article's issue there
}

// Freeze makes the issue, named by DELIVERY's rule (NAME/ARTICLE in drip). It fails with ErrSlot where the slot has one,
// with ErrState where the article or the series' disclaimer changed since it was rendered or the article is not ready,
// and with ErrDisclaimer where the disclaimer isn't in both HTML and text: the check is on the words themselves, whitespace
// and marks aside. A welcome fails with ErrSlot too where WelcomeIssue would have found one. One sent by hand ends the slots of
// its series that are held without an issue and without an editor's word, as the next slot's does.
func Freeze(ctx context.Context, tx *store.Tx, f Frozen, now time.Time) (Issue, error) {
	name := f.name()
	if err := f.check(); err != nil {
		return Issue{}, fmt.Errorf("freeze issue %s: %w", name, err)
	}
	i := Issue{
		SeriesID: f.Series.ID, ArticleID: f.Article.ID, Revision: f.Article.Revision, DisclaimerID: f.Series.Disclaimer.ID,
	}
	if err := AsFrozen(ctx, tx, i); err != nil {
		return Issue{}, fmt.Errorf("freeze issue %s: %w", name, err)
	}
	if err := CheckDisclaimer(f.Series, f.Article, f.HTML, f.Text); err != nil {
		return Issue{}, fmt.Errorf("freeze issue %s: %w", name, err)
	}
	id, err := f.insert(ctx, tx, name, now)
	if err == nil && f.Kind == "now" {
		err = overtake(ctx, tx, f.Series.ID, f.Slot, now, now)
	}
	if err != nil {
		return Issue{}, fmt.Errorf("freeze issue %s: %w", name, err)
	}
	return IssueByID(ctx, tx, id)
}

// name is the issue's name by DELIVERY's rule.
func (f Frozen) name() string {
	switch {
	case f.Kind == "announcement":
		return "site/" + f.Slot + "/announcement"
	case f.Kind != "slot":
		return f.Series.Slug + "/" + f.Slot + "/" + f.Kind
	case f.Series.Mode == Drip:
		return f.Series.Slug + "/" + f.Slot + "/" + f.Article.Slug
	}
	return f.Series.Slug + "/" + f.Slot
}

// check refuses what no caller should ask for.
func (f Frozen) check() error {
	var p problems
	if !slices.Contains([]string{"slot", "now", "welcome", "correction", "announcement"}, f.Kind) {
		p.add("kind", ErrInvalid, "%q is none of slot, now, welcome, correction, announcement", f.Kind)
	}
	if _, err := time.Parse(wallLayout, f.Slot); err != nil {
		p.add("slot", ErrInvalid, "%q is no local time such as 2027-03-30T09:00", f.Slot)
	}
	if f.State != IssueFilling && (f.State != IssueHeld || f.Reason == "") {
		p.add("state", ErrInvalid, "%q is neither filling nor held with a reason", f.State)
	}
	if f.Article.ID == 0 && f.Kind != "correction" && f.Kind != "announcement" {
		p.add("article", ErrInvalid, "an issue of kind %s carries one", f.Kind)
	}
	if f.Article.ID != 0 && f.Article.SeriesID != f.Series.ID && f.Kind != "announcement" {
		p.add("article", ErrInvalid, "%s belongs to another series", f.Article.Slug)
	}
	if strings.TrimSpace(f.Subject) == "" {
		p.add("subject", ErrInvalid, "it is empty")
	} else if err := checkLine(f.Subject, 998); err != nil {
		p.add("subject", ErrInvalid, "%v", err)
	}
	return errors.Join(p...)
}

const freeze = `INSERT INTO issues (name, series_id, article_id, revision, slot, kind, state, reason, subject, html, text, article_html,
	disclaimer_id, from_name, from_email, reply_to, language, frozen, updated, everybody)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?18, ?19)
ON CONFLICT DO NOTHING RETURNING id`

func (f Frozen) insert(ctx context.Context, tx *store.Tx, name string, now time.Time) (id int64, err error) {
	series := f.Series.ID
	if f.Kind == "announcement" {
		series = 0 // it is the site's
	}
	for _, name := range f.candidates(name) {
		err = tx.QueryRow(ctx, freeze, name, orNull(series), orNull(f.Article.ID), orNull(f.Article.Revision), f.Slot, f.Kind, string(f.State),
			f.Reason, f.Subject, f.HTML, f.Text, f.ArticleHTML, f.Series.Disclaimer.ID, f.Series.FromName, f.Series.FromEmail,
			f.Series.ReplyTo, f.Series.Language, millis(now), flag(f.Everybody)).Scan(&id)
		if !errors.Is(err, store.ErrNotFound) {
			return id, err
		}
	}
	return 0, ErrSlot
}

// candidates are the names an issue may take: a slot's has one, others made in the same minute are told apart by their
// article or a number.
func (f Frozen) candidates(name string) []string {
	if f.Kind == "slot" {
		return []string{name}
	}
	names := []string{name}
	if f.Article.ID != 0 {
		names = append(names, name+"/"+f.Article.Slug)
	}
	for n := 2; n < 10; n++ {
		names = append(names, fmt.Sprintf("%s-%d", name, n))
	}
	return names
}

const frozenWording = `SELECT EXISTS (SELECT 1 FROM disclaimers d WHERE d.id = ?1
	AND d.version = (SELECT max(x.version) FROM disclaimers x WHERE x.series_id = d.series_id))`

// AsFrozen fails with ErrState where an issue's article is not ready any more or has another revision, or where the
// series' disclaimer has a newer wording, than were frozen. Whoever ends its filling asks in the same transaction.
func AsFrozen(ctx context.Context, q store.Querier, i Issue) error {
	if i.ArticleID != 0 {
		a, err := ArticleByID(ctx, q, i.ArticleID)
		switch {
		case err != nil:
			return err
		case a.State != Ready:
			return wrong(ErrState, "article %s is %s, not ready; nothing was sent", a.Slug, a.State)
		case a.Revision != i.Revision:
			return wrong(ErrState, "article %s has revision %d now, and %d was rendered; nothing was sent", a.Slug, a.Revision, i.Revision)
		}
	}
	var newest bool
	if err := q.QueryRow(ctx, frozenWording, i.DisclaimerID).Scan(&newest); err != nil {
		return err
	}
	if !newest {
		return wrong(ErrState, "the series has another disclaimer than the one that was rendered; nothing was sent")
	}
	return nil
}

// issueHead are the columns of an issue but its documents.
const issueHead = `i.id, i.name, i.series_id, i.article_id, i.revision, i.slot, i.kind, i.state, i.reason, i.reached, i.subject,
	i.disclaimer_id, i.from_name, i.from_email, i.reply_to, i.language, i.fill_after, i.frozen, i.sending_since, i.done_at`

const issueRows = `SELECT ` + issueHead + `, i.html, i.text, i.article_html FROM issues i`

// scan reads a row that begins with issueHead; more are what follows.
func (i *Issue) scan(scan func(dest ...any) error, more ...any) error {
	var series, article, revision, since, done sql.NullInt64
	var frozen int64
	err := scan(append([]any{
		&i.ID, &i.Name, &series, &article, &revision, &i.Slot, &i.Kind, &i.State, &i.Reason, &i.Reached, &i.Subject,
		&i.DisclaimerID, &i.FromName, &i.FromEmail, &i.ReplyTo, &i.Language, &i.FillAfter, &frozen, &since, &done,
	}, more...)...)
	i.SeriesID, i.ArticleID, i.Revision = series.Int64, article.Int64, revision.Int64
	i.Frozen, i.SendingSince, i.DoneAt = instant(frozen), instantOrZero(since), instantOrZero(done)
	return err
}

func scanIssueHead(i *Issue, scan func(dest ...any) error) error { return i.scan(scan) }

const issueByName = issueRows + ` WHERE i.name = ?1`

// IssueByName returns store.ErrNotFound for an unknown issue.
func IssueByName(ctx context.Context, q store.Querier, name string) (Issue, error) {
	var i Issue
	if err := i.scan(q.QueryRow(ctx, issueByName, name).Scan, &i.HTML, &i.Text, &i.ArticleHTML); err != nil {
		return Issue{}, fmt.Errorf("issue %q: %w", name, err)
	}
	return i, nil
}

const issueByID = issueRows + ` WHERE i.id = ?1`

// IssueByID returns store.ErrNotFound for an unknown issue.
func IssueByID(ctx context.Context, q store.Querier, id int64) (Issue, error) {
	var i Issue
	if err := i.scan(q.QueryRow(ctx, issueByID, id).Scan, &i.HTML, &i.Text, &i.ArticleHTML); err != nil {
		return Issue{}, fmt.Errorf("issue %d: %w", id, err)
	}
	return i, nil
}

const welcomeIssue = issueRows + ` JOIN articles a ON a.id = i.article_id AND a.revision = i.revision
JOIN disclaimers d ON d.id = i.disclaimer_id AND d.version = (SELECT max(x.version) FROM disclaimers x WHERE x.series_id = d.series_id)
WHERE i.series_id = ?1 AND i.article_id = ?2 AND i.kind = 'welcome' AND i.state <> 'cancelled'`

// WelcomeIssue finds the welcome that carries an article's present revision and the series' present disclaimer: there is
// one of them, and its rows are added singly. It returns store.ErrNotFound where it has to be frozen first.
func WelcomeIssue(ctx context.Context, q store.Querier, seriesID, articleID int64) (Issue, error) {
	var i Issue
	if err := i.scan(q.QueryRow(ctx, welcomeIssue, seriesID, articleID).Scan, &i.HTML, &i.Text, &i.ArticleHTML); err != nil {
		return Issue{}, fmt.Errorf("welcome of article %d: %w", articleID, err)
	}
	return i, nil
}

const newestIssues = `SELECT ` + issueHead + ` FROM issues i WHERE ?1 = 0 OR i.series_id = ?1 ORDER BY i.frozen DESC, i.id DESC LIMIT ?2`

// Issues lists the issues of a series (0: of all), newest first, at most n (0: all), without HTML and Text.
func Issues(ctx context.Context, q store.Querier, seriesID int64, n int) ([]Issue, error) {
	all, err := collect(ctx, q, scanIssueHead, newestIssues, seriesID, limit(n))
	if err != nil {
		return nil, fmt.Errorf("list issues: %w", err)
	}
	return all, nil
}

const openIssues = `SELECT ` + issueHead + ` FROM issues i WHERE i.state NOT IN ('done', 'cancelled') ORDER BY i.frozen, i.id`

// OpenIssues lists issues that are neither done nor cancelled, oldest first, without HTML and Text.
func OpenIssues(ctx context.Context, q store.Querier) ([]Issue, error) {
	all, err := collect(ctx, q, scanIssueHead, openIssues)
	if err != nil {
		return nil, fmt.Errorf("list open issues: %w", err)
	}
	return all, nil
}

// mayFollow says which states a move may start from (DELIVERY, "Issue"). No arrow leads out of cancelled.
func mayFollow(to IssueState) []IssueState {
	switch to {
	case IssuePlanned:
		return []IssueState{IssueHeld}
	case IssueHeld:
		return []IssueState{IssuePlanned, IssueFilling}
	case IssueFilling:
		return []IssueState{IssuePlanned}
	case IssueSending: // from held where it had begun; from done where uncertain or failed rows are sent again
		return []IssueState{IssueFilling, IssuePaused, IssueHeld, IssueDone}
	case IssuePaused:
		return []IssueState{IssueSending}
	case IssueDone:
		return []IssueState{IssueSending, IssuePaused}
	case IssueCancelled:
		return []IssueState{IssuePlanned, IssueFilling, IssueSending, IssuePaused, IssueHeld}
	}
	return nil
}

const transition = `UPDATE issues SET state = ?2, reason = ?3, updated = ?4,
	sending_since = CASE WHEN ?2 = 'sending' THEN coalesce(sending_since, ?4) ELSE sending_since END,
	done_at = CASE WHEN ?2 = 'done' THEN ?4 END
WHERE id = ?1`

// Transition moves an issue along its states; ErrState names the present one where that move does not exist. The reason
// replaces the one before, so a resume or a release takes it away.
func Transition(ctx context.Context, tx *store.Tx, issueID int64, to IssueState, reason string, now time.Time) error {
	i, err := IssueByID(ctx, tx, issueID)
	if err != nil {
		return err
	}
	if !slices.Contains(mayFollow(to), i.State) {
		return wrong(ErrState, "issue %s is %s and can't become %s", i.Name, i.State, to)
	}
	if _, err := tx.Exec(ctx, transition, i.ID, string(to), reason, millis(now)); err != nil {
		return fmt.Errorf("issue %s: %w", i.Name, err)
	}
	return nil
}

const reached = `UPDATE issues SET reached = 1 WHERE id = ?1 AND reached = 0`

// Reached notes that somebody had the issue: cancelling it no longer gives its article back.
func Reached(ctx context.Context, tx *store.Tx, issueID int64) error {
	if _, err := tx.Exec(ctx, reached, issueID); err != nil {
		return fmt.Errorf("issue %d: %w", issueID, err)
	}
	return nil
}

const filled = `UPDATE issues SET fill_after = ?2 WHERE id = ?1 AND fill_after < ?2`

// Filled notes the last subscriber whose row was filled, so that a crash resumes there.
func Filled(ctx context.Context, tx *store.Tx, issueID, subscriberID int64) error {
	if _, err := tx.Exec(ctx, filled, issueID, subscriberID); err != nil {
		return fmt.Errorf("issue %d: %w", issueID, err)
	}
	return nil
}

const hadArticles = `SELECT i.article_id, min(i.frozen), min(CASE i.kind WHEN 'announcement' THEN 1 ELSE 0 END)
FROM issues i JOIN articles a ON a.id = i.article_id
WHERE a.series_id = ?1 AND (i.kind = 'slot' OR i.kind = 'now' OR (i.kind = 'announcement' AND i.everybody = 1))
	AND NOT (i.state = 'cancelled' AND i.reached = 0)
GROUP BY i.article_id`

// Had says for each article of the series that counts as issued (rule 1: one cancelled before anybody had it aside)
// when that was first: the facts of a live series. Welcomes and corrections don't count, and of announcements only those to everybody
// of the series (rule 18); announced are the articles that count by such a one alone.
func Had(ctx context.Context, q store.Querier, seriesID int64) (had map[int64]time.Time, announced map[int64]bool, err error) {
	type issued struct {
		article, at int64
		announced   bool
	}
	scan := func(x *issued, scan func(dest ...any) error) error { return scan(&x.article, &x.at, &x.announced) }
	all, err := collect(ctx, q, scan, hadArticles, seriesID)
	if err != nil {
		return nil, nil, fmt.Errorf("issued articles of series %d: %w", seriesID, err)
	}
	had, announced = make(map[int64]time.Time, len(all)), map[int64]bool{}
	for _, x := range all {
		had[x.article] = instant(x.at)
		if x.announced {
			announced[x.article] = true
		}
	}
	return had, announced, nil
}

// Fate is what became of the issues of an article, in slots and by hand.
type Fate struct {
	Sent    time.Time // when the first that is being sent or was sent was frozen; zero: none
	Stopped bool      // one is held or paused: an editor's word is waited for
	Broken  bool      // all were cancelled, one of them after somebody had it: others are without it
}

const articleFates = `SELECT i.article_id, coalesce(min(CASE WHEN i.state IN ('sending', 'done') THEN i.frozen END), 0),
	max(CASE WHEN i.state IN ('held', 'paused') THEN 1 ELSE 0 END),
	max(CASE WHEN i.state = 'cancelled' THEN i.reached ELSE 0 END), min(CASE WHEN i.state = 'cancelled' THEN 1 ELSE 0 END)
FROM issues i WHERE i.series_id = ?1 AND i.kind IN ('slot', 'now') GROUP BY i.article_id`

// Fates says of each article of a series that had an issue what became of that: whether it may be given to newcomers, and whether it may
// be sent again to those who are without it.
func Fates(ctx context.Context, q store.Querier, seriesID int64) (map[int64]Fate, error) {
	type fate struct {
		article, sent             int64
		stopped, reached, allOver bool
	}
	scan := func(x *fate, scan func(dest ...any) error) error {
		return scan(&x.article, &x.sent, &x.stopped, &x.reached, &x.allOver)
	}
	all, err := collect(ctx, q, scan, articleFates, seriesID)
	if err != nil {
		return nil, fmt.Errorf("fates of articles of series %d: %w", seriesID, err)
	}
	fates := make(map[int64]Fate, len(all))
	for _, x := range all {
		f := Fate{Stopped: x.stopped, Broken: x.reached && x.allOver}
		if x.sent != 0 {
			f.Sent = instant(x.sent)
		}
		fates[x.article] = f
	}
	return fates, nil
}
