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
	finished, err := p.FinishImports(t.Context(), p.db)
	if finished != 1 || err == nil || !strings.Contains(err.Error(), "it is done, but 1 of 20001 rows has a fault") {
		t.Errorf("got %d finished, %v; want one, and that a row has a fault", finished, err)
	}
	if mailable := p.count(`SELECT count(*) FROM mailable`); mailable != n-1 {
		t.Errorf("%d people are mailable, want %d", mailable, n-1)
	}
	if finished := p.finishImports(); finished != 0 {
		t.Errorf("again: %d imports finished, want none", finished)
	}
}

// TestImportStoppedIsReadAsItWas: the file is kept as it was decoded; it is not measured once more for its character set, so that a row
// which was refused stays out.
func TestImportStoppedIsReadAsItWas(t *testing.T) {
	p := newPeople(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	o := subscribers.ImportOptions{SeriesID: skin, File: "people.csv", Because: "x", GoodRows: true}
	o.Progress = func(taken, _ int64) {
		if taken > 0 {
			stop()
		}
	}
	file := "\ufeffemail,status\nada@example.org,active\nbob\xe9@example.org,active\n"
	if _, err := p.Import(ctx, p.db, strings.NewReader(file), o); !errors.Is(err, context.Canceled) {
		t.Fatalf("import: got %v, want it stopped", err)
	}
	p.pass(time.Minute)
	if finished := p.finishImports(); finished != 1 {
		t.Errorf("%d imports finished, want one", finished)
	}
	if people := p.count(`SELECT count(*) FROM subscribers`); people != 1 {
		t.Errorf("%d people are in, want Ada alone", people)
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

// breakImport makes the file that is kept of the first import that is not done unreadable, so that nobody can go on with it.
func (p *people) breakImport() {
	p.Helper()
	p.must(func(tx *store.Tx) error {
		_, err := tx.Exec(p.Context(), `UPDATE import_parts SET data = ?1
			WHERE import_id = (SELECT min(id) FROM imports WHERE done IS NULL)`, []byte("name\nAda\n"))
		return err
	})
}

func (p *people) unfinished() (subscribers.Unfinished, error) {
	return subscribers.UnfinishedImport(p.Context(), p.db, skin)
}

// TestImportBehindOneThatFails: it comes to its end, and the one that fails says why.
func TestImportBehindOneThatFails(t *testing.T) {
	const n = 20_000
	p := newPeople(t)
	p.stopAfter(manyPeople(n), 100)
	p.breakImport()
	p.stopAfter(strings.ReplaceAll(manyPeople(n), "@example.org", "@other.example"), 100)
	p.pass(time.Minute)
	finished, err := p.FinishImports(t.Context(), p.db)
	if finished != 1 || err == nil || !strings.Contains(err.Error(), "no column is called email") {
		t.Errorf("got %d finished, %v; want the second finished and the first's error", finished, err)
	}
	if mailable := p.count(`SELECT count(*) FROM mailable`); mailable != n {
		t.Errorf("%d people are mailable, want the %d of the second", mailable, n)
	}
	if u, err := p.unfinished(); err != nil || !strings.Contains(u.Failed, "no column is called email") {
		t.Errorf("unfinished: got %+v, %v; want why it failed", u, err)
	}
}

// TestImportThatFailsSaysWhyAtOnce: before anybody tried to go on with it.
func TestImportThatFailsSaysWhyAtOnce(t *testing.T) {
	p := newPeople(t)
	p.must(func(tx *store.Tx) error {
		_, err := tx.Exec(t.Context(), `CREATE TRIGGER fault BEFORE INSERT ON enrolments BEGIN SELECT RAISE(FAIL, 'no enrolment here'); END`)
		return err
	})
	if _, err := p.imports("email,status\nada@example.org,active\n", onWord); err == nil {
		t.Fatal("the import went through")
	}
	if u, err := p.unfinished(); err != nil || !strings.Contains(u.Failed, "no enrolment here") {
		t.Errorf("unfinished: got %+v, %v; want why it failed", u, err)
	}
	p.must(func(tx *store.Tx) error { _, err := tx.Exec(t.Context(), `DROP TRIGGER fault`); return err })
	p.pass(time.Minute)
	if finished := p.finishImports(); finished != 1 {
		t.Errorf("%d imports finished, want 1", finished)
	}
	if _, err := p.unfinished(); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("unfinished: got %v, want none", err)
	}
}

// TestForgetImport gives up an import that stopped midway: nobody who was in is lost, who came by it stays pending until they or another
// import say more, and who left by it stays out.
func TestForgetImport(t *testing.T) {
	const n = 20_000
	p := newPeople(t)
	p.active(skin, "reader@example.org")
	p.active(skin, "r0@example.org")
	file := manyPeople(n)
	taken := p.stopAfter(file, 100)
	p.breakImport()
	if _, err := p.ForgetImport(t.Context(), p.db, skin, "another.csv"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("another file: got %v, want ErrNotFound", err)
	}
	if _, err := p.ForgetImport(t.Context(), p.db, skin+1, "people.csv"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("another series: got %v, want ErrNotFound", err)
	}
	got, err := p.ForgetImport(t.Context(), p.db, skin, "people.csv")
	if err != nil || got != int64(taken) {
		t.Fatalf("forget: got %d rows, %v; want %d", got, err, taken)
	}
	if _, err := p.unfinished(); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("unfinished: got %v, want none", err)
	}
	p.pass(time.Hour)
	if finished := p.finishImports(); finished != 0 {
		t.Errorf("%d imports finished, want none", finished)
	}
	count := func(when string, want subscribers.Counts) {
		t.Helper()
		if got, err := subscribers.Count(t.Context(), p.db, skin); err != nil || got != want {
			t.Errorf("%s: got %+v, %v; want %+v", when, got, err, want)
		}
	}
	if parts := p.count(`SELECT count(*) FROM import_parts`); parts != 0 {
		t.Errorf("%d parts of the file are left", parts)
	}
	p.wantGets(skin, "reader@example.org", true, "forgotten")
	p.wantGets(skin, "r0@example.org", true, "forgotten")
	p.wantGets(skin, "gone@example.org", false, "forgotten")
	pending := int64(p.count(`SELECT count(*) FROM enrolled WHERE state = 'pending'`))
	count("forgotten", subscribers.Counts{Active: 2, Pending: pending, Ended: 1, Mailable: 2})
	if _, err := p.imports(file, onWord); err != nil {
		t.Fatal(err)
	}
	count("imported again", subscribers.Counts{Active: n + 1, Ended: 1, Mailable: n + 1})
}

// TestForgetImportAtWork: the import that is at work takes no row more.
func TestForgetImportAtWork(t *testing.T) {
	p := newPeople(t)
	forgotten := int64(0)
	o := subscribers.ImportOptions{SeriesID: skin, File: "people.csv", Because: "they signed"}
	o.Progress = func(taken, _ int64) {
		if taken > 1 && forgotten == 0 {
			var err error
			if forgotten, err = p.ForgetImport(t.Context(), p.db, skin, "people.csv"); err != nil {
				t.Error(err)
			}
		}
	}
	_, err := p.Import(t.Context(), p.db, strings.NewReader(manyPeople(20_000)), o)
	if err == nil || !strings.Contains(err.Error(), "it was given up") || strings.Contains(err.Error(), "brings it to its end") {
		t.Errorf("import: got %v, want it to say only that it was given up", err)
	}
	if people := int64(p.count(`SELECT count(*) FROM enrolments`)); people != forgotten {
		t.Errorf("%d people are here, want the %d of before", people, forgotten)
	}
	if mailable := p.count(`SELECT count(*) FROM mailable`); mailable != 0 {
		t.Errorf("%d people are mailable, want none", mailable)
	}
}

// TestForgetImportOfTwo: of two imports of one name the one that was stopped is given up, not the one at work.
func TestForgetImportOfTwo(t *testing.T) {
	const n = 20_000
	p := newPeople(t)
	taken := p.stopAfter(manyPeople(n), 100)
	p.pass(2 * time.Minute)
	forgotten := int64(0)
	o := subscribers.ImportOptions{SeriesID: skin, File: "people.csv", Because: "they signed"}
	o.Progress = func(now, _ int64) {
		if now > 1 && forgotten == 0 {
			var err error
			if forgotten, err = p.ForgetImport(t.Context(), p.db, skin, "people.csv"); err != nil || forgotten != int64(taken) {
				t.Errorf("forget: got %d rows, %v; want the %d of the stopped one", forgotten, err, taken)
			}
		}
	}
	if _, err := p.Import(t.Context(), p.db, strings.NewReader(manyPeople(n+1)), o); err != nil {
		t.Errorf("import: got %v, want it brought to its end", err)
	}
}

// TestImportAgainReplacesTheStoppedOne: the same file by the same terms has brought all whom the stopped one would; by others it hasn't.
func TestImportAgainReplacesTheStoppedOne(t *testing.T) {
	const n = 20_000
	for _, tt := range []struct {
		because  string
		replaced bool
	}{{"they signed", true}, {"they wrote", false}} {
		t.Run(tt.because, func(t *testing.T) {
			p := newPeople(t)
			p.stopAfter(manyPeople(n), 100)
			p.pass(time.Second)
			o := subscribers.ImportOptions{SeriesID: skin, File: "people.csv", Because: tt.because, Reading: []int64{4}}
			if _, err := p.Import(t.Context(), p.db, strings.NewReader(manyPeople(n)), o); err != nil {
				t.Fatal(err)
			}
			if mailable := p.count(`SELECT count(*) FROM mailable`); mailable != n {
				t.Errorf("%d people are mailable, want %d", mailable, n)
			}
			if _, err := p.unfinished(); errors.Is(err, store.ErrNotFound) != tt.replaced {
				t.Errorf("unfinished: got %v; want it replaced: %t", err, tt.replaced)
			}
			p.pass(time.Minute)
			p.finishImports()
			if parts := p.count(`SELECT count(*) FROM import_parts`); parts != 0 {
				t.Errorf("%d parts of files are left", parts)
			}
		})
	}
}
