// Package webtest makes a whole site on a real database for tests of its faces.
package webtest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"pressrun/newsletter"
	"pressrun/newsletter/pace"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
	"pressrun/subscribers/store/storetest"
)

// Disclaimer stands in every series of a test.
const Disclaimer = "Please note: nothing in it is advice."

// Site is a site with its database, clock and log.
type Site struct {
	DB        *store.DB
	Key       subscribers.Key
	People    *subscribers.Registry
	Publisher *newsletter.Publisher
	Base      *url.URL
	Log       *Log

	mu  sync.Mutex
	now time.Time
}

// New makes a site without series on Monday 1 March 2027, noon UTC. more are migrations beyond newsletter's.
func New(t testing.TB, more ...func(context.Context, *store.DB) error) *Site {
	t.Helper()
	key, err := subscribers.NewKey()
	if err != nil {
		t.Fatalf("key: %v", err)
	}
	s := &Site{
		Key: key, Base: &url.URL{Scheme: "http", Host: "127.0.0.1:8080"}, Log: &Log{},
		now: time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC),
		DB:  storetest.Open(t, append([]func(context.Context, *store.DB) error{newsletter.Migrate}, more...)...),
	}
	s.People = &subscribers.Registry{Key: key, Now: s.Now}
	s.Pace(t, pace.Plan{})
	return s
}

// Pace has the site send at a pace. What was made of it before goes on without.
func (s *Site) Pace(t testing.TB, plan pace.Plan) {
	t.Helper()
	var err error
	s.Publisher, err = newsletter.New(newsletter.Config{DB: s.DB, Key: s.Key, Site: s.Config(), Now: s.Now, Log: s.Log.Logger(), Pace: plan})
	if err != nil {
		t.Fatalf("publisher: %v", err)
	}
}

// Rotate gives the site's key another secret, as "pressrun key rotate" does, and starts the site anew.
func (s *Site) Rotate(t testing.TB) {
	t.Helper()
	err := subscribers.BindKey(t.Context(), s.DB, s.Key)
	if err == nil {
		s.Key, err = s.Key.Rotate()
	}
	if err == nil {
		err = subscribers.BindKey(t.Context(), s.DB, s.Key)
	}
	if err != nil {
		t.Fatalf("rotate: %v", err)
	}
	s.People = &subscribers.Registry{Key: s.Key, Now: s.Now}
	s.Pace(t, pace.Plan{})
}

// Config is the site's own.
func (s *Site) Config() newsletter.Site {
	return newsletter.Site{
		Name: "Harbour Clinic", PostalAddress: "12 Quay Street\nPortsmouth PO1 3XY", BaseURL: s.Base, Zone: "Europe/London",
		Language: "en", PrivacyURL: "https://www.harbour.example/privacy",
	}
}

// Now is the site's clock, which stands still.
func (s *Site) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// Pass moves the clock on.
func (s *Site) Pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// InTx runs f in a transaction that has to succeed.
func (s *Site) InTx(t testing.TB, f func(*store.Tx) error) {
	t.Helper()
	if err := s.DB.InTx(t.Context(), f); err != nil {
		t.Fatalf("transaction: %v", err)
	}
}

// AddSeries makes a live series with an article, ready, for each title.
func (s *Site) AddSeries(t testing.TB, slug string, titles ...string) series.Series {
	t.Helper()
	var made series.Series
	s.InTx(t, func(tx *store.Tx) (err error) {
		made, err = series.Add(t.Context(), tx, slug, series.Change{
			Title: new("The " + slug + " letters"), FromName: new("Mara Quay"), FromEmail: new("mara@harbour.example"),
			PostalAddress: new("12 Quay Street, Portsmouth"), Zone: new("Europe/London"), Disclaimer: new(Disclaimer),
			Schedule: []string{"0 9 * * 2"},
		}, s.Now())
		if err != nil || len(titles) == 0 {
			return err
		}
		var in []series.Incoming
		for i, title := range titles {
			in = append(in, series.Incoming{Slug: fmt.Sprintf("%s-%d", slug, i+1), Text: series.Text{
				Title: title, Description: "About " + title, Markdown: "The text of *" + title + "*.\n\nAnd more.",
			}})
		}
		_, err = series.ImportArticles(t.Context(), tx, made.ID, in, series.ImportOptions{Ready: true}, s.Now())
		return err
	})
	return made
}

// Set changes a series.
func (s *Site) Set(t testing.TB, of series.Series, c series.Change) (changed series.Series) {
	t.Helper()
	s.InTx(t, func(tx *store.Tx) (err error) {
		changed, err = series.Set(t.Context(), tx, of.Slug, c, s.Now())
		return err
	})
	return changed
}

// AddReader makes an active reader and returns their number and the token of their unsubscribe link.
func (s *Site) AddReader(t testing.TB, in series.Series, email string) (id int64, token string) {
	t.Helper()
	s.InTx(t, func(tx *store.Tx) error {
		e, err := s.People.Enrol(t.Context(), tx, in.ID, subscribers.Addition{Email: email}, "a test")
		id = e.SubscriberID
		return err
	})
	return id, s.Key.Seal(subscribers.Token{Purpose: subscribers.PurposeUnsubscribe, SubscriberID: id, SeriesID: in.ID})
}

// AskToJoin makes a pending reader and returns the token of their confirmation link.
func (s *Site) AskToJoin(t testing.TB, in series.Series, email string) (token string) {
	t.Helper()
	s.InTx(t, func(tx *store.Tx) error {
		r, err := s.People.Join(t.Context(), tx, []int64{in.ID}, subscribers.Addition{Email: email}, subscribers.Evidence{Form: "a test"})
		token = r.Token
		return err
	})
	return token
}

// Send makes the next article of a series an issue, and so public, and returns its name.
func (s *Site) Send(t testing.TB, in series.Series) string {
	t.Helper()
	if s.Count(t, `SELECT count(*) FROM mailable WHERE series_id = ?1`, in.ID) == 0 {
		s.AddReader(t, in, "first@reader.example") // nothing is sent to nobody
	}
	issue, _, _, err := s.Publisher.SendNow(t.Context(), in.Slug, "", false)
	if err != nil {
		t.Fatalf("send %s: %v", in.Slug, err)
	}
	return issue
}

// Dump is everything in the database, table by table, to be compared.
func (s *Site) Dump(t testing.TB) string {
	t.Helper()
	var tables []string
	s.each(t, `SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name`, func(row []any) { tables = append(tables, fmt.Sprint(row[0])) })
	var b strings.Builder
	for _, table := range tables {
		fmt.Fprintf(&b, "== %s\n", table)
		s.each(t, `SELECT * FROM `+table+` ORDER BY 1`, func(row []any) { fmt.Fprintf(&b, "%q\n", row) })
	}
	return b.String()
}

// Count is the one number that a query gives.
func (s *Site) Count(t testing.TB, query string, args ...any) (n int) {
	t.Helper()
	if err := s.DB.QueryRow(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func (s *Site) each(t testing.TB, query string, f func(row []any)) {
	t.Helper()
	rows, err := s.DB.Query(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	for rows.Next() {
		row, at := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			at[i] = &row[i]
		}
		if err := rows.Scan(at...); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		f(row)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// Log keeps what is logged, at every level.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Logger writes to l.
func (l *Log) Logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String is all that was logged.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Answer is what a handler answered.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Request is one request of a test.
type Request struct {
	Method, Path string
	Form         url.Values // sent urlencoded
	Body         string     // instead of a form
	Header       map[string]string
	Cookies      []*http.Cookie
	From         string // address of the sender; empty: 192.0.2.1
}

// Do has a handler answer a request.
func Do(t testing.TB, h http.Handler, q Request) Answer {
	t.Helper()
	var body io.Reader = strings.NewReader(q.Body)
	if q.Form != nil {
		body = strings.NewReader(q.Form.Encode())
	}
	r := httptest.NewRequestWithContext(t.Context(), q.Method, q.Path, body)
	r.Host = "127.0.0.1:8080"
	if q.Form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range q.Header {
		r.Header.Set(name, value)
	}
	for _, c := range q.Cookies {
		r.AddCookie(c)
	}
	if q.From != "" {
		r.RemoteAddr = q.From + ":1234"
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return Answer{Status: w.Code, Header: w.Header(), Body: w.Body.String()}
}
