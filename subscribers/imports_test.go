package subscribers_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// manyPeople is a file of n active people with somebody who left among them.
func manyPeople(n int) string {
	var b strings.Builder
	b.WriteString("email,status\n")
	for i := range n {
		fmt.Fprintf(&b, "r%d@example.org,active\n", i)
		if i == n/2 {
			b.WriteString("gone@example.org,unsubscribed\n")
		}
	}
	return b.String()
}

// stopAfter imports file until so many rows are taken at least, and says how many were.
func (p *people) stopAfter(file string, rows int64) (stopped int) {
	p.Helper()
	ctx, stop := context.WithCancel(p.Context())
	defer stop()
	o := subscribers.ImportOptions{SeriesID: skin, File: "people.csv", Because: "they signed", Reading: []int64{4}}
	o.Progress = func(taken, _ int64) {
		if stopped = int(taken); taken >= rows {
			stop()
		}
	}
	if _, err := p.Import(ctx, p.db, strings.NewReader(file), o); !errors.Is(err, context.Canceled) {
		p.Fatalf("import: got %v, want it stopped", err)
	}
	return stopped
}

func (p *people) finishImports() int {
	p.Helper()
	n, err := p.FinishImports(p.Context(), p.db)
	if err != nil {
		p.Fatal(err)
	}
	return n
}

// wantTraces compares the rows of imports, parts, people, consents and readings.
func (p *people) wantTraces(when string, want ...int) {
	p.Helper()
	var got []int
	for _, table := range []string{"imports", "import_parts", "subscribers", "consents", "readings"} {
		got = append(got, p.count(`SELECT count(*) FROM `+table))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		p.Errorf("%s: imports, parts, people, consents, readings (-want +got):\n%s", when, diff)
	}
}

func TestImportStoppedBeforeItIsAccepted(t *testing.T) {
	p := newPeople(t)
	p.stopAfter(manyPeople(300), 0)
	p.wantTraces("stopped", 0, 0, 0, 0, 0)
	p.must(func(tx *store.Tx) error { // what a crash leaves
		_, err := tx.Exec(t.Context(), `INSERT INTO imports (id, series_id, sum, terms, begun, touched) VALUES (7, 1, '', '{}', ?1, ?1)`, p.clock.UnixMilli())
		for n := 0; err == nil && n < 3; n++ {
			_, err = tx.Exec(t.Context(), `INSERT INTO import_parts (import_id, number, data) VALUES (7, ?1, ?2)`, n, []byte("email\n"))
		}
		return err
	})
	p.pass(9 * time.Minute)
	p.finishImports()
	p.wantTraces("perhaps it is at work still", 1, 3, 0, 0, 0)
	p.pass(time.Minute)
	p.finishImports()
	p.wantTraces("crashed", 0, 0, 0, 0, 0)
}

// TestImportStoppedMidwayComesToItsEnd compares with an import that nobody stopped, and with those who left meanwhile.
func TestImportStoppedMidwayComesToItsEnd(t *testing.T) {
	const n = 20_000
	file := manyPeople(n)
	p := newPeople(t)
	taken := p.stopAfter(file, 100)
	if taken > n {
		t.Fatal("the import was through before it could be stopped")
	}
	p.wantTraces("stopped", 1, 1, taken, taken, 1)
	if mailable := p.count(`SELECT count(*) FROM mailable`); mailable != 0 {
		t.Errorf("stopped: %d people are mailable, want none", mailable)
	}
	p.suppress("r0@example.org", 0, "complaint")    // who is in
	p.suppress("r9999@example.org", 0, "complaint") // who is not
	if finished := p.finishImports(); finished != 0 {
		t.Errorf("at once: %d imports finished, want none: it may be at work", finished)
	}
	p.pass(time.Minute)
	if finished := p.finishImports(); finished != 1 {
		t.Errorf("%d imports finished, want 1", finished)
	}
	if mailable := p.count(`SELECT count(*) FROM mailable WHERE reading_id IS NOT NULL`); mailable != n-2 {
		t.Errorf("finished: %d people are mailable as readers, want all but the two who complained", mailable)
	}
	for _, email := range []string{"gone@example.org", "r0@example.org", "r9999@example.org"} {
		p.wantGets(skin, email, false, "finished")
	}
	if finished := p.finishImports(); finished != 0 {
		t.Errorf("again: %d imports finished, want none", finished)
	}
	forms := p.count(`SELECT count(DISTINCT form) FROM consents WHERE event = 'imported' AND form LIKE 'people.csv:%' AND at = ?1`,
		p.clock.Add(-time.Minute).UnixMilli())
	if parts := p.count(`SELECT count(*) FROM import_parts`); parts != 0 || forms != n {
		t.Errorf("%d parts are left, %d rows have their evidence of that instant; want 0 and %d", parts, forms, n)
	}
}

// TestImportStoppedUnderAnotherVersion has the file of a stopped import read otherwise than when its first rows were taken, as a version
// with more words does: nobody is passed over, and what was done already is not done twice.
func TestImportStoppedUnderAnotherVersion(t *testing.T) {
	const n = 20_000
	for _, tt := range []struct {
		name, was, is string
		mailable      int
	}{
		{"some turn out to be gone", "r1999", "unsubscribed", n - 11},
		{"as before, by a version that kept no sum", "", "", n},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPeople(t)
			file := manyPeople(n)
			taken := p.stopAfter(file, 100)
			if taken > n/2 {
				t.Fatalf("%d rows were taken before it could be stopped, which is too many", taken)
			}
			if tt.was != "" {
				var b strings.Builder
				for line := range strings.Lines(file) {
					if strings.HasPrefix(line, tt.was) {
						line = strings.Replace(line, "active", tt.is, 1)
					}
					b.WriteString(line)
				}
				file = b.String()
			}
			p.must(func(tx *store.Tx) error {
				_, err := tx.Exec(t.Context(), `UPDATE import_parts SET data = ?1 WHERE number = 0`, []byte(file))
				if err == nil && tt.was == "" {
					_, err = tx.Exec(t.Context(), `UPDATE imports SET taken_sum = 0`)
				}
				return err
			})
			p.pass(time.Minute)
			if finished := p.finishImports(); finished != 1 {
				t.Errorf("%d imports finished, want 1", finished)
			}
			turned := p.count(`SELECT count(*) FROM consents WHERE event = 'imported' AND because LIKE 'unsubscribed%' AND email <> 'gone@example.org'
				AND EXISTS (SELECT 1 FROM consents c WHERE c.subscriber_id = consents.subscriber_id AND c.id < consents.id)`)
			p.wantTraces("finished", 1, 0, n+1, n+1+turned, 1)
			if mailable := p.count(`SELECT count(*) FROM mailable`); mailable != tt.mailable {
				t.Errorf("%d people are mailable, want %d", mailable, tt.mailable)
			}
			p.wantGets(skin, "r19990@example.org", tt.was == "", "finished")
		})
	}
}

// TestImportTakenAgainHeedsWhoCameBack: whoever confirmed after the import had them out stays in, though their row is taken again.
func TestImportTakenAgainHeedsWhoCameBack(t *testing.T) {
	p := newPeople(t)
	p.stopAfter(manyPeople(20_000), 100)
	p.pass(time.Minute)
	p.active(skin, "gone@example.org")
	p.must(func(tx *store.Tx) error {
		_, err := tx.Exec(t.Context(), `UPDATE imports SET taken_sum = 0`)
		return err
	})
	if finished := p.finishImports(); finished != 1 {
		t.Errorf("%d imports finished, want 1", finished)
	}
	p.wantGets(skin, "gone@example.org", true, "finished")
}

// TestImportThatAnotherVersionFindsFaultsIn: it comes to its end, and says so.
func TestImportThatAnotherVersionFindsFaultsIn(t *testing.T) {
	const n = 20_000
	p := newPeople(t)
	file := manyPeople(n)
	p.stopAfter(file, 100)
	p.must(func(tx *store.Tx) error {
		_, err := tx.Exec(t.Context(), `UPDATE import_parts SET data = ?1`, []byte(strings.Replace(file, "r19999@example.org,active", "r19999@example.org,unheard", 1)))
		return err
	})
	p.pass(time.Minute)
	if _, err := p.FinishImports(t.Context(), p.db); err == nil || !strings.Contains(err.Error(), "it is done, but 1 of 20001 rows has a fault") {
		t.Errorf("got %v, want one row with a fault", err)
	}
	if mailable := p.count(`SELECT count(*) FROM mailable`); mailable != n-1 {
		t.Errorf("%d people are mailable, want %d", mailable, n-1)
	}
	if finished := p.finishImports(); finished != 0 {
		t.Errorf("again: %d imports finished, want none", finished)
	}
}

// TestImportTakenForStopped: an import that slept so long that another process went on with it takes nobody twice.
func TestImportTakenForStopped(t *testing.T) {
	const n = 20_000
	p := newPeople(t)
	took := false
	o := subscribers.ImportOptions{SeriesID: skin, File: "people.csv", Because: "they signed"}
	o.Progress = func(taken, _ int64) {
		if taken > 1 && !took { // the one who left, and some more
			took = true
			p.pass(time.Minute)
			if finished := p.finishImports(); finished != 1 {
				t.Errorf("%d imports finished, want 1", finished)
			}
		}
	}
	if _, err := p.Import(t.Context(), p.db, strings.NewReader(manyPeople(n)), o); err == nil || !strings.Contains(err.Error(), "another process goes on with it") {
		t.Errorf("import: got %v, want it to say that another process goes on", err)
	}
	p.wantTraces("at the end", 1, 0, n+1, n+1, 0)
	if mailable := p.count(`SELECT count(*) FROM mailable`); mailable != n {
		t.Errorf("%d people are mailable, want %d", mailable, n)
	}
}
