package newsletter_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"pressrun/newsletter"
	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
	"pressrun/subscribers/store/storetest"
)

// clock is an injected clock that stands still until it is moved.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = t
}

// world is a site on a real database file. It begins on Monday, 1 March 2027, at 08:00 UTC; series have a slot every
// Tuesday at 09:00 UTC unless a test says otherwise.
type world struct {
	t      tester
	ctx    context.Context
	db     *store.DB
	clock  *clock
	key    subscribers.Key
	people *subscribers.Registry
	site   newsletter.Site
	cfg    newsletter.Config
	p      *newsletter.Publisher
}

var monday = time.Date(2027, 3, 1, 8, 0, 0, 0, time.UTC)

// tuesday is the instant of the nth slot, from 1.
func tuesday(n int) time.Time { return monday.Add(25*time.Hour + time.Duration(n-1)*7*24*time.Hour) }

// wall is the name of the nth slot.
func wall(n int) string { return tuesday(n).Format("2006-01-02T15:04") }

func newWorld(t testing.TB) *world {
	t.Helper()
	return worldOn(t, storetest.Open(t, newsletter.Migrate))
}

// tester is what testing.T and rapid.T share.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

func worldOn(t tester, db *store.DB) *world {
	t.Helper()
	key, err := subscribers.NewKey()
	if err != nil {
		t.Fatalf("key: %v", err)
	}
	w := &world{t: t, ctx: context.Background(), db: db, clock: &clock{t: monday}, key: key}
	w.people = &subscribers.Registry{Key: key, Now: w.clock.now}
	w.site = newsletter.Site{
		Name: "Harbour Clinic", BaseURL: &url.URL{Scheme: "http", Host: "127.0.0.1:8080"}, Zone: "UTC", Language: "en",
		NotifyTo: []string{"editor@example.org"},
	}
	w.cfg = newsletter.Config{DB: db, Key: key, Site: w.site, Now: w.clock.now, Log: slog.New(slog.DiscardHandler)}
	w.p = w.publisher(w.cfg)
	return w
}

func (w *world) publisher(cfg newsletter.Config) *newsletter.Publisher {
	w.t.Helper()
	p, err := newsletter.New(cfg)
	if err != nil {
		w.t.Fatalf("publisher: %v", err)
	}
	return p
}

func (w *world) check(what string, err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("%s: %v", what, err)
	}
}

func (w *world) tx(what string, f func(tx *store.Tx) error) {
	w.t.Helper()
	w.check(what, w.db.InTx(w.ctx, f))
}

func ptr[T any](v T) *T { return &v }

// series adds a series with a slot every Tuesday at 09:00; no welcome unless change says so.
func (w *world) series(slug string, change series.Change) series.Series {
	w.t.Helper()
	c := series.Change{
		Title: ptr("The " + slug + " letters"), FromName: ptr("Clinic"), FromEmail: ptr("letters@clinic.example"),
		PostalAddress: ptr("12 Quay Street"), Disclaimer: ptr("This is no medical advice."), DisclaimerPlace: change.DisclaimerPlace,
		Schedule: []string{"0 9 * * TUE"}, Zone: ptr("UTC"), Mode: change.Mode, Welcome: ptr("none"), WhenNotReady: change.WhenNotReady,
		MinGap: change.MinGap, Grace: change.Grace,
	}
	if change.Welcome != nil {
		c.Welcome = change.Welcome
	}
	if change.Schedule != nil {
		c.Schedule = change.Schedule
	}
	var s series.Series
	w.tx("add series", func(tx *store.Tx) (err error) {
		s, err = series.Add(w.ctx, tx, slug, c, w.clock.now())
		return err
	})
	return s
}

// articles adds ready articles in order; a name that ends in "?" stays a draft.
func (w *world) articles(s series.Series, slugs ...string) {
	w.t.Helper()
	var in []series.Incoming
	for _, slug := range slugs {
		name, draft := strings.CutSuffix(slug, "?")
		in = append(in, series.Incoming{Slug: name, Draft: draft, Text: series.Text{
			Title: "About " + name, Markdown: "A few words about " + name + ", with **weight**.",
		}})
	}
	w.importArticles(s, in...)
}

func (w *world) importArticles(s series.Series, in ...series.Incoming) {
	w.t.Helper()
	w.tx("import articles", func(tx *store.Tx) error {
		_, err := series.ImportArticles(w.ctx, tx, s.ID, in, series.ImportOptions{Ready: true}, w.clock.now())
		return err
	})
}

// article changes one article by one of series' functions.
func (w *world) article(slug string, change func(context.Context, *store.Tx, int64, time.Time) error) {
	w.t.Helper()
	w.tx("change article "+slug, func(tx *store.Tx) error {
		a, err := series.ArticleBySlug(w.ctx, tx, slug)
		if err != nil {
			return err
		}
		return change(w.ctx, tx, a.ID, w.clock.now())
	})
}

// enrol makes active readers.
func (w *world) enrol(s series.Series, names ...string) {
	w.t.Helper()
	for _, name := range names {
		w.tx("enrol "+name, func(tx *store.Tx) error {
			_, err := w.people.Enrol(w.ctx, tx, s.ID, subscribers.Addition{Email: name + "@reader.example", Name: name}, "test")
			return err
		})
	}
}

func (w *world) person(name string) subscribers.Subscriber {
	w.t.Helper()
	person, err := subscribers.ByEmail(w.ctx, w.db, name+"@reader.example")
	w.check("find "+name, err)
	return person
}

// link is a person's unsubscribe token.
func (w *world) link(s series.Series, name string) string {
	w.t.Helper()
	return w.key.Seal(subscribers.Token{Purpose: subscribers.PurposeUnsubscribe, SubscriberID: w.person(name).ID, SeriesID: s.ID})
}

// run does what is due at an instant and says it in short: "2027-03-02T09:00 issued 2".
func (w *world) run(at time.Time) []string {
	w.t.Helper()
	w.clock.set(at)
	happened, err := w.p.RunDue(w.ctx)
	w.check("run due", err)
	short := []string{}
	for _, h := range happened {
		short = append(short, fmt.Sprintf("%s %s %d", h.Slot, h.State, h.Readers))
	}
	return short
}

// plan says the next slots in short: "2027-03-02T09:00 one 2".
func (w *world) plan(slug string, n int) []string {
	w.t.Helper()
	planned, err := w.p.Plan(w.ctx, slug, n, time.Time{})
	w.check("plan", err)
	short := []string{}
	for _, row := range planned {
		line := fmt.Sprintf("%s %s %d", row.Slot, row.Article, row.Readers)
		if row.Blocked != "" {
			line += " !"
		}
		short = append(short, line)
	}
	return short
}

// issue is the state of an issue and its rows in short: "sending pending=2".
func (w *world) issue(name string) string {
	w.t.Helper()
	st, err := w.p.Issue(w.ctx, name)
	w.check("issue "+name, err)
	short := string(st.Issue.State)
	for _, c := range []struct {
		name string
		n    int64
	}{
		{"pending", st.Counts.Pending},
		{"sent", st.Counts.Sent},
		{"failed", st.Counts.Failed},
		{"skipped", st.Counts.Skipped},
		{"uncertain", st.Counts.Uncertain},
	} {
		if c.n > 0 {
			short += fmt.Sprintf(" %s=%d", c.name, c.n)
		}
	}
	return short
}

// issues are the names of all issues with their articles, oldest first.
func (w *world) issues() []string {
	w.t.Helper()
	all, err := w.p.IssueList(w.ctx, "", 0)
	w.check("issues", err)
	names := []string{}
	for i := len(all) - 1; i >= 0; i-- {
		names = append(names, all[i].Issue.Name+" "+all[i].Article)
	}
	return names
}

// deliveriesOf are the articles whose issues have a row for a person, in order, with the state of the row.
func (w *world) deliveriesOf(name string) []string {
	w.t.Helper()
	rows, err := outbox.DeliveriesOf(w.ctx, w.db, w.person(name).ID)
	w.check("deliveries of "+name, err)
	short := []string{}
	for _, row := range rows {
		if row.ArticleID == 0 {
			short = append(short, row.Kind+" "+row.State)
			continue
		}
		a, err := series.ArticleByID(w.ctx, w.db, row.ArticleID)
		w.check("article", err)
		short = append(short, a.Slug+" "+row.State)
	}
	return short
}

// notices are the subjects of the notices of a kind, in order.
func (w *world) notices(kind string) []string {
	w.t.Helper()
	rows, err := w.db.Query(w.ctx, `SELECT subject FROM notices WHERE kind = ?1 ORDER BY id`, kind)
	w.check("notices", err)
	defer rows.Close()
	subjects := []string{}
	for rows.Next() {
		var subject string
		w.check("notices", rows.Scan(&subject))
		subjects = append(subjects, subject)
	}
	w.check("notices", rows.Err())
	return subjects
}

// noticeText is the text of the newest notice of a kind.
func (w *world) noticeText(kind string) string {
	w.t.Helper()
	var text string
	w.check("notice", w.db.QueryRow(w.ctx, `SELECT text FROM notices WHERE kind = ?1 ORDER BY id DESC LIMIT 1`, kind).Scan(&text))
	return text
}

// noticeTextOf is the text of the newest notice with a subject.
func (w *world) noticeTextOf(subject string) string {
	w.t.Helper()
	var text string
	w.check("notice", w.db.QueryRow(w.ctx, `SELECT text FROM notices WHERE subject = ?1 ORDER BY id DESC LIMIT 1`, subject).Scan(&text))
	return strings.Join(strings.Fields(text), " ")
}

// start starts delivery to a relay; the caller closes the worker.
func (w *world) start(relay outbox.Relay) *outbox.Worker {
	w.t.Helper()
	worker, err := outbox.Start(outbox.Config{
		DB: w.db, Relay: relay, Key: w.key, BaseURL: w.site.BaseURL, Connections: 2, Now: w.clock.now, Log: slog.New(slog.DiscardHandler),
	})
	w.check("start worker", err)
	return worker
}

// deliver has a relay take what may leave now.
func (w *world) deliver(relay *moody) {
	w.t.Helper()
	worker := w.start(relay)
	w.check("drain", worker.Drain(w.ctx))
	w.check("close", worker.Close())
	w.check("finish", w.p.Finish(w.ctx))
}

// skip leaves out the date of the nth slot.
func (w *world) skip(s series.Series, n int) {
	w.t.Helper()
	w.tx("skip", func(tx *store.Tx) error {
		_, err := series.SkipDate(w.ctx, tx, s, tuesday(n).Format(time.DateOnly), w.clock.now())
		return err
	})
}
