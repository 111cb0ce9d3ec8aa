package subscribers_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// benchRows is the size that the figures are for. They take a minute:
//
//	go test ./subscribers -run xxx -bench 'Import|Export' -benchtime 1x
const benchRows = 1_000_000

// peopleFile is a file of n people with a name and two fields, in no order, made while it is read.
func peopleFile(n int) io.Reader {
	rng := rand.New(rand.NewPCG(1, 2))
	domains := []string{"mail.example", "post.example", "inbox.example", "web.example", "reader.example"}
	first := []string{"Ada", "Ben", "Cleo", "Dora", "Emil", "Fay", "Gus", "Hal", "Iris", "Jon"}
	last := []string{"Quill", "Marsh", "Pike", "Rowe", "Stone", "Tarn", "Vale", "West", "Yarrow", "Zander"}
	r, w := io.Pipe()
	go func() {
		var b bytes.Buffer
		b.WriteString("email,name,status,Town,Plan\n")
		for i := range n {
			f, l := first[rng.IntN(10)], last[rng.IntN(10)]
			fmt.Fprintf(&b, "%s.%s%d.%x@%s,%s %s,active,\"Port Ellery, %d\",monthly\n", strings.ToLower(f), strings.ToLower(l), rng.IntN(100), i, domains[rng.IntN(5)], f, l, i%100)
			if b.Len() > 1<<16 || i == n-1 {
				if _, err := b.WriteTo(w); err != nil {
					return
				}
			}
		}
		w.Close()
	}()
	return r
}

// cost measures what f needs: the clock, the processor, and the most memory that the process had (Linux).
func cost(b *testing.B, rows int, f func()) {
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // the high water mark begins anew, where that is allowed
	began, spent := time.Now(), cpuTime()
	f()
	b.ReportMetric(float64(rows)/time.Since(began).Seconds(), "rows/s")
	b.ReportMetric(float64((cpuTime()-spent).Nanoseconds())/1e3/float64(rows), "cpu-us/row")
	status, _ := os.ReadFile("/proc/self/status")
	if _, after, ok := strings.Cut(string(status), "VmHWM:"); ok {
		kb, _ := strconv.Atoi(strings.Fields(after)[0])
		b.ReportMetric(float64(kb)/1024, "peak-MB")
	}
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkImport measures how many rows a second come in, in how much memory, and how long others were kept from writing at most.
func BenchmarkImport(b *testing.B) {
	for b.Loop() {
		p := newPeople(b)
		var rep subscribers.ImportReport
		cost(b, benchRows, func() {
			var err error
			rep, err = p.Import(b.Context(), p.db, peopleFile(benchRows), subscribers.ImportOptions{SeriesID: skin, File: "people.csv", Because: "they signed"})
			if err != nil || rep.Added != benchRows {
				b.Fatalf("import: %+v, %v", rep, err)
			}
		})
		b.ReportMetric(float64(rep.LongestHold.Microseconds())/1e3, "longest-hold-ms")
	}
}

// BenchmarkImportAgain is an import of people who are all there.
func BenchmarkImportAgain(b *testing.B) {
	const rows = 100_000
	p := newPeople(b)
	o := subscribers.ImportOptions{SeriesID: skin, File: "people.csv", Because: "they signed"}
	if _, err := p.Import(b.Context(), p.db, peopleFile(rows), o); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		cost(b, rows, func() {
			if rep, err := p.Import(b.Context(), p.db, peopleFile(rows), o); err != nil || rep.Unchanged != rows {
				b.Fatalf("import: %+v, %v", rep, err)
			}
		})
	}
}

// BenchmarkWriteDuringImport measures how long another process waits to write while an import runs.
func BenchmarkWriteDuringImport(b *testing.B) {
	const rows = 200_000
	for b.Loop() {
		p := newPeople(b)
		other, err := store.Open(b.Context(), p.db.Path())
		if err != nil {
			b.Fatal(err)
		}
		defer other.Close()
		ctx, stop := context.WithCancel(b.Context())
		waits := make(chan []time.Duration)
		go func() {
			var all []time.Duration
			for ctx.Err() == nil {
				began := time.Now()
				if err := other.InTx(ctx, func(*store.Tx) error { return nil }); err == nil {
					all = append(all, time.Since(began))
				}
				time.Sleep(20 * time.Millisecond)
			}
			waits <- all
		}()
		if _, err := p.Import(b.Context(), p.db, peopleFile(rows), subscribers.ImportOptions{SeriesID: skin, File: "people.csv", Because: "x"}); err != nil {
			b.Fatal(err)
		}
		stop()
		all := <-waits
		slices.Sort(all)
		b.ReportMetric(float64(all[len(all)/2].Milliseconds()), "median-wait-ms")
		b.ReportMetric(float64(all[len(all)-1].Milliseconds()), "longest-wait-ms")
	}
}

// BenchmarkExport measures how many rows a second go out, in how much memory.
func BenchmarkExport(b *testing.B) {
	p := newPeople(b)
	o := subscribers.ImportOptions{SeriesID: skin, File: "people.csv", Because: "they signed"}
	if _, err := p.Import(b.Context(), p.db, peopleFile(benchRows), o); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		cost(b, benchRows, func() {
			if rows, err := subscribers.Export(b.Context(), p.db, skin, subscribers.Filter{}, io.Discard, nil); err != nil || rows != benchRows {
				b.Fatalf("export: %d rows, %v", rows, err)
			}
		})
	}
}

// BenchmarkSweepProofs measures how long others are kept from writing while there are many of whom the proof alone is kept, none of whom
// can go yet.
func BenchmarkSweepProofs(b *testing.B) {
	const rows = 200_000
	p := newPeople(b)
	o := subscribers.ImportOptions{SeriesID: gut, File: "people.csv", Because: "they signed"}
	if _, err := p.Import(b.Context(), p.db, peopleFile(rows), o); err != nil {
		b.Fatal(err)
	}
	p.must(func(tx *store.Tx) error {
		_, err := tx.Exec(b.Context(), `INSERT INTO proven (subscriber_id) SELECT id FROM subscribers`)
		return err
	})
	var began time.Time
	var longest time.Duration
	p.db.Around(
		func(context.Context, *store.Tx) error { began = time.Now(); return nil },
		func(context.Context, *store.Tx) error { longest = max(longest, time.Since(began)); return nil },
	)
	for b.Loop() {
		p.sweepSensitive(skin)
	}
	b.ReportMetric(float64(longest.Microseconds())/1e3, "longest-hold-ms")
}
