package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pressrun/newsletter/mailer"
	"pressrun/newsletter/mailer/smtptest"
	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
	"pressrun/subscribers/store/storetest"
)

const disclaimer = "Please note: these pages are no medical advice."

// site is a database with one series, the key of its links, and a clock that tests may put forward.
type site struct {
	testing.TB
	db     *store.DB
	key    subscribers.Key
	people *subscribers.Registry
	ahead  atomic.Int64 // of the wall clock
	skin   series.Series
	slots  int
}

func migrateAll(ctx context.Context, db *store.DB) error {
	for _, migrate := range []func(context.Context, *store.DB) error{subscribers.Migrate, series.Migrate, outbox.Migrate} {
		if err := migrate(ctx, db); err != nil {
			return err
		}
	}
	return nil
}

func newSite(t testing.TB) *site {
	t.Helper()
	return siteOn(t, storetest.Open(t, migrateAll, audit), newKey())
}

// openQuiet is a database without audit, for measuring.
func openQuiet(t testing.TB) *store.DB { return storetest.Open(t, migrateAll) }

func newKey() subscribers.Key { return must(subscribers.NewKey()) }

func siteOn(t testing.TB, db *store.DB, key subscribers.Key) *site {
	t.Helper()
	s := &site{TB: t, db: db, key: key}
	s.people = &subscribers.Registry{Key: key, Now: s.now}
	s.skin = s.addSeries("skin")
	return s
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func (s *site) now() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }

func (s *site) advance(d time.Duration) { s.ahead.Add(int64(d)) }

// tx runs f in a transaction that has to succeed.
func (s *site) tx(f func(ctx context.Context, tx *store.Tx) error) {
	s.Helper()
	ctx := context.Background()
	if err := s.db.InTx(ctx, func(tx *store.Tx) error { return f(ctx, tx) }); err != nil {
		s.Fatalf("transaction: %v", err)
	}
}

func ptr[T any](v T) *T { return &v }

func (s *site) addSeries(slug string) (added series.Series) {
	s.Helper()
	s.tx(func(ctx context.Context, tx *store.Tx) (err error) {
		added, err = series.Add(ctx, tx, slug, series.Change{
			Title: ptr("Clear skin"), FromName: ptr("Harbour Clinic"), FromEmail: ptr("news@example.org"),
			PostalAddress: ptr("1 Quay, Harbour"), Zone: ptr("UTC"), Schedule: []string{"0 9 * * TUE"}, Disclaimer: ptr(disclaimer),
		}, s.now())
		return err
	})
	return added
}

// article adds a ready article at the end of a series.
func (s *site) article(of series.Series, slug string) (added series.Article) {
	s.Helper()
	s.tx(func(ctx context.Context, tx *store.Tx) error {
		in := []series.Incoming{{Slug: slug, Text: series.Text{Title: "About " + slug, Markdown: "Rest is best."}}}
		all, err := series.ImportArticles(ctx, tx, of.ID, in, series.ImportOptions{Ready: true}, s.now())
		if err == nil {
			added = all[0].Article
		}
		return err
	})
	return added
}

// readers adds n confirmed readers of the series: r1@example.org, r2@example.org …
func (s *site) readers(of series.Series, n int) (ids []int64) {
	s.Helper()
	s.tx(func(ctx context.Context, tx *store.Tx) error {
		for i := range n {
			e, err := s.people.Enrol(ctx, tx, of.ID, subscribers.Addition{Email: address(i + 1), Name: fmt.Sprint("Reader ", i+1)}, "test")
			if err != nil {
				return err
			}
			ids = append(ids, e.SubscriberID)
		}
		return nil
	})
	return ids
}

func address(i int) string { return fmt.Sprintf("r%d@example.org", i) }

// frozen is what an issue of the article carries, in the next of the site's slots.
func (s *site) frozen(of series.Series, a series.Article) series.Frozen {
	s.slots++
	return series.Frozen{
		Series: of, Article: a, Kind: "slot", State: series.IssueFilling, Subject: a.Title,
		Slot: time.Date(2027, 3, 2, 9, 0, 0, 0, time.UTC).AddDate(0, 0, 7*s.slots).Format("2006-01-02T15:04"),
		HTML: fmt.Sprintf("<html><body><p>Rest is best.</p><p>%s</p><p><a href=%q>Leave</a></p></body></html>", disclaimer, outbox.UnsubscribeHole),
		Text: "Rest is best.\n\n" + disclaimer + "\n\nLeave: " + outbox.UnsubscribeHole + "\n", ArticleHTML: "<p>Rest is best.</p>",
	}
}

func (s *site) freeze(f series.Frozen) (issue series.Issue) {
	s.Helper()
	s.tx(func(ctx context.Context, tx *store.Tx) (err error) {
		issue, err = series.Freeze(ctx, tx, f, s.now())
		return err
	})
	return issue
}

// issue freezes a new article of the series and fills the issue: it is ready to be sent.
func (s *site) issue(of series.Series, slug string) series.Issue {
	s.Helper()
	issue := s.freeze(s.frozen(of, s.article(of, slug)))
	if _, err := outbox.FillLive(context.Background(), s.db, issue.ID, s.now); err != nil {
		s.Fatalf("fill: %v", err)
	}
	return issue
}

func (s *site) state(issue int64) series.Issue {
	s.Helper()
	i, err := series.IssueByID(context.Background(), s.db, issue)
	if err != nil {
		s.Fatal(err)
	}
	return i
}

func (s *site) counts(issue int64) outbox.Counts {
	s.Helper()
	c, err := outbox.Count(context.Background(), s.db, issue)
	if err != nil {
		s.Fatal(err)
	}
	return c
}

// delivery is the newest delivery of a person.
func (s *site) delivery(subscriber int64) outbox.Delivery {
	s.Helper()
	all, err := outbox.DeliveriesOf(context.Background(), s.db, subscriber)
	if err != nil || len(all) == 0 {
		s.Fatalf("deliveries of %d: got %d, %v, want one", subscriber, len(all), err)
	}
	return all[len(all)-1]
}

func (s *site) unsubscribe(subscriber int64, of series.Series) {
	s.Helper()
	s.tx(func(ctx context.Context, tx *store.Tx) error {
		return s.people.Unsubscribe(ctx, tx, subscriber, of.ID, subscribers.Evidence{})
	})
}

func relay(srv *smtptest.Server) outbox.Relay {
	return smtpTo(srv.Port())
}

func smtpTo(port int) outbox.Relay {
	return smtp(mailer.SMTP{Host: "127.0.0.1", Port: port, TLS: mailer.NoTLS, Helo: "mail.example.org"})
}

func smtp(m mailer.SMTP) outbox.Relay {
	return outbox.RelayFunc(func(ctx context.Context) (outbox.Conn, error) {
		conn, err := m.Connect(ctx)
		if err != nil {
			return nil, err
		}
		return conn, nil
	})
}

// config is a worker of one connection, so that what tests see has one order.
func (s *site) config(r outbox.Relay) outbox.Config {
	return outbox.Config{
		DB: s.db, Relay: r, Key: s.key, BaseURL: must(url.Parse("https://news.example.org")), Connections: 1, Now: s.now,
		Log: slog.New(slog.DiscardHandler),
	}
}

// start starts a worker that is closed when the test ends, if it isn't before.
func (s *site) start(cfg outbox.Config) *outbox.Worker {
	s.Helper()
	w, err := outbox.Start(cfg)
	if err != nil {
		s.Fatalf("start: %v", err)
	}
	s.Cleanup(func() { _ = w.Close() })
	return w
}

// drain waits until nothing can be sent now.
func (s *site) drain(w *outbox.Worker) {
	s.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	if err := w.Drain(ctx); err != nil {
		s.Fatalf("drain: %v", err)
	}
}

// send runs a worker until nothing can be sent now, and closes it.
func (s *site) send(srv *smtptest.Server) {
	s.Helper()
	w := s.start(s.config(relay(srv)))
	s.drain(w)
	if err := w.Close(); err != nil {
		s.Fatalf("close: %v", err)
	}
}

func (s *site) finish() {
	s.Helper()
	if _, err := outbox.Finish(context.Background(), s.db, s.now()); err != nil {
		s.Fatal(err)
	}
}

// wants fails unless the counts are those given, in words such as "2 sent, 1 skipped".
func (s *site) wants(issue int64, want string) {
	s.Helper()
	if got := words(s.counts(issue)); got != want {
		s.Errorf("issue %d: got %s, want %s", issue, got, want)
	}
}

func words(c outbox.Counts) string {
	var all []string
	for _, x := range []struct {
		n    int64
		word string
	}{
		{c.Pending, "pending"},
		{c.Claimed, "claimed"},
		{c.Inflight, "inflight"},
		{c.Sent, "sent"},
		{c.Failed, "failed"},
		{c.Skipped, "skipped"},
		{c.Uncertain, "uncertain"},
	} {
		if x.n > 0 {
			all = append(all, fmt.Sprint(x.n, " ", x.word))
		}
	}
	return strings.Join(all, ", ")
}

// until fails unless the condition comes true in 20 seconds. It is for what happens on the worker's own time.
func (s *site) until(what string, cond func() bool) {
	s.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-ctx.Done():
			s.Fatalf("never came: %s", what)
		case <-tick.C:
		}
	}
}

var errTest = errors.New("made by the test")

// logged is a log that can be read back while it is written.
type logged struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logged) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelInfo}))
}

// steadyClock stands still until it is set.
type steadyClock struct{ at atomic.Int64 }

func (c *steadyClock) now() time.Time { return time.Unix(0, c.at.Load()).UTC() }

func (c *steadyClock) set(t time.Time) { c.at.Store(t.UnixNano()) }
