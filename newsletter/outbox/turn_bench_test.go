package outbox

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter/mailer"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
	"pressrun/subscribers/store/storetest"
)

// benched is a database with an issue that is filled for many readers.
type benched struct {
	*testing.B
	db    *store.DB
	w     *Worker
	issue series.Issue
}

const benchedReaders = 4096

func newBenched(b *testing.B) *benched {
	key, err := subscribers.NewKey()
	if err != nil {
		b.Fatal(err)
	}
	f := &benched{B: b, db: storetest.Open(b, subscribers.Migrate, series.Migrate, Migrate)}
	f.w = &Worker{cfg: Config{DB: f.db, Key: key, Lease: time.Hour}, owner: "bench", now: time.Now, people: subscribers.Registry{Key: key, Now: time.Now}}
	f.tx(func(ctx context.Context, tx *store.Tx) error {
		text := func(s string) *string { return &s }
		of, err := series.Add(ctx, tx, "skin", series.Change{
			Title: text("Clear skin"), FromName: text("Clinic"), FromEmail: text("news@example.org"), PostalAddress: text("1 Quay"),
			Zone: text("UTC"), Schedule: []string{"0 9 * * TUE"}, Disclaimer: text("No advice."),
		}, time.Now())
		if err != nil {
			return err
		}
		in := []series.Incoming{{Slug: "rest", Text: series.Text{Title: "Rest", Markdown: "Rest."}}}
		articles, err := series.ImportArticles(ctx, tx, of.ID, in, series.ImportOptions{Ready: true}, time.Now())
		for i := 0; i < benchedReaders && err == nil; i++ {
			_, err = f.w.people.Enrol(ctx, tx, of.ID, subscribers.Addition{Email: fmt.Sprintf("r%d@example.org", i), Name: "Ada"}, "bench")
		}
		if err != nil {
			return err
		}
		body := "No advice. " + UnsubscribeHole
		f.issue, err = series.Freeze(ctx, tx, series.Frozen{
			Series: of, Article: articles[0].Article, Kind: "slot", State: series.IssueFilling, Subject: "Rest", Slot: "2027-03-02T09:00",
			HTML: "<p>" + body + "</p>", Text: body, ArticleHTML: "<p>Rest.</p>",
		}, time.Now())
		return err
	})
	if _, err := FillLive(b.Context(), f.db, f.issue.ID, time.Now); err != nil {
		b.Fatal(err)
	}
	return f
}

func (f *benched) tx(do func(ctx context.Context, tx *store.Tx) error) {
	f.Helper()
	if err := f.db.InTx(f.Context(), func(tx *store.Tx) error { return do(f.Context(), tx) }); err != nil {
		f.Fatal(err)
	}
}

// rows are all in the given state, as their holder knows them.
func (f *benched) rows(s state) (all []row) {
	f.tx(func(ctx context.Context, tx *store.Tx) (err error) {
		if _, err = tx.Exec(ctx, `UPDATE deliveries SET state = ?1, owner = 'bench', epoch = 1, lease_until = 1, dated = 1, hash = 'h', message_id = 'm'`, string(s)); err != nil {
			return err
		}
		if all, err = scanRows(tx.Query(ctx, selectDead, "", anyLease)); err == nil {
			err = f.w.address(ctx, tx, all, 1)
		}
		return err
	})
	return all
}

// groups calls do for each row, 16 in a commit, as many as connections bring.
func (f *benched) groups(from state, do func(ctx context.Context, tx *store.Tx, r row) error) {
	var rows []row
	f.ReportAllocs()
	for f.Loop() {
		if len(rows) < 16 {
			f.StopTimer()
			rows = f.rows(from)
			f.StartTimer()
		}
		f.tx(func(ctx context.Context, tx *store.Tx) error {
			for _, r := range rows[:16] {
				if err := do(ctx, tx, r); err != nil {
					return err
				}
			}
			return nil
		})
		rows = rows[16:]
	}
	f.ReportMetric(16*float64(f.N)/f.Elapsed().Seconds(), "rows/s")
}

// BenchmarkMark is 16 marks and their commit.
func BenchmarkMark(b *testing.B) {
	f := newBenched(b)
	l := letter{Message: mailer.Message{Hash: strings.Repeat("h", 64), MessageID: strings.Repeat("m", 44)}, dated: 1}
	f.groups(claimed, func(ctx context.Context, tx *store.Tx, r row) error {
		l.to = r.to
		m := marking{w: f.w, row: r, letter: l}
		err := m.mark(ctx, tx)
		if err == nil && !m.marked {
			err = fmt.Errorf("delivery %d is not marked", r.id)
		}
		return err
	})
}

// BenchmarkSettle is 16 accepted messages and their commit.
func BenchmarkSettle(b *testing.B) {
	newBenched(b).groups(inflight, func(ctx context.Context, tx *store.Tx, r row) error {
		became, err := turn{row: r, from: inflight, to: sent, reply: "250 2.0.0 queued as 4F2A1", reached: true}.make(ctx, tx, time.Now())
		if err == nil && became != sent {
			err = fmt.Errorf("delivery %d is %s", r.id, became)
		}
		return err
	})
}
