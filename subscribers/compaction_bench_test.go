package subscribers

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"pressrun/subscribers/store"
	"pressrun/subscribers/store/storetest"
)

// BenchmarkCompactJournal compacts a journal of 1,000,000 leaves of 600,000 people while others leave, and measures how long one
// transaction held the database at most:
//
//	go test ./subscribers -run xxx -bench CompactJournal -benchtime 1x
func BenchmarkCompactJournal(b *testing.B) {
	const leaves, people = 1_000_000, 600_000
	key := testKey(b)
	r := &Registry{Key: key}
	for b.Loop() {
		b.StopTimer()
		db := storetest.Open(b, Migrate)
		if _, err := r.KeepJournal(b.Context(), db); err != nil {
			b.Fatal(err)
		}
		f := &leaveFile{disk: machineDisk{}, path: db.Path() + JournalSuffix, key: key}
		for seq := int64(1); seq < leaves; {
			if _, err := f.read(); err != nil {
				b.Fatal(err)
			}
			var some []left
			for range 10_000 {
				some = append(some, leaveOf(key, seq, fmt.Sprint(seq%people, "@example.org")))
				seq++
			}
			if err := f.add(some); err != nil {
				b.Fatal(err)
			}
		}
		err := db.InTx(b.Context(), func(tx *store.Tx) error { return setJournalled(b.Context(), tx, leaves) })
		if err != nil {
			b.Fatal(err)
		}
		runtime.GC()
		db.Used()
		ctx, stop := context.WithCancel(b.Context())
		var others sync.WaitGroup
		left := 0
		others.Go(func() {
			next := time.NewTicker(5 * time.Millisecond)
			defer next.Stop()
			for ; ctx.Err() == nil; left++ {
				_ = db.InTx(b.Context(), func(tx *store.Tx) error {
					return r.Suppress(b.Context(), tx, fmt.Sprint(left, "@other.example"), 0, reasonManual, "")
				})
				<-next.C
			}
		})
		b.StartTimer()
		if err := r.CompactJournal(b.Context(), db); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		stop()
		others.Wait()
		if _, err := f.read(); err != nil || f.rewritten < people {
			b.Fatalf("compacted to %d records, %v", f.rewritten, err)
		}
		b.ReportMetric(float64(db.Used().Longest.Microseconds())/1e3, "longest-hold-ms")
		b.ReportMetric(float64(left), "leaves-meanwhile")
		_ = os.Remove(f.path)
		b.StartTimer()
	}
}
