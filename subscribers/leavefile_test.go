package subscribers

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pressrun/subscribers/store/storetest"
)

func testKey(t testing.TB) Key {
	t.Helper()
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func leaveOf(key Key, seq int64, email string) left {
	return left{seq: seq, at: 1_800_000_000_000 + seq, seriesID: seq % 3, reason: reasonUnsubscribe, hash: key.hashAddress(email)}
}

// afterCut opens what a cut left behind.
func afterCut(key Key, data []byte) (*leaveFile, error) {
	files := map[string][]byte{}
	if data != nil {
		files["j"] = data
	}
	f := &leaveFile{disk: newLossyDisk(files), path: "j", key: key}
	_, err := f.read()
	return f, err
}

// TestLeavesOutlivePowerCuts cuts the power after every change of the disk, at every octet: what was acknowledged is there,
// nothing is there that nobody asked for, and the file goes on.
func TestLeavesOutlivePowerCuts(t *testing.T) {
	key := testKey(t)
	d := newLossyDisk(nil)
	f := &leaveFile{disk: d, path: "j", key: key}
	var acknowledged, asked []left
	cuts := 0
	d.after = func() {
		for _, data := range d.cuts("j", 1) {
			cuts++
			g, err := afterCut(key, data)
			if errors.Is(err, os.ErrNotExist) && len(acknowledged) == 0 {
				continue
			}
			if err != nil {
				t.Fatalf("cut %d, %d octets: %v", cuts, len(data), err)
			}
			all, _, err := g.since(-1)
			if err != nil {
				t.Fatalf("cut %d: %v", cuts, err)
			}
			wantCovered(t, fmt.Sprintf("cut %d", cuts), all, acknowledged, asked)
			more := leaveOf(key, g.last+1, "more@example.org")
			if err := g.add([]left{more}); err != nil {
				t.Fatalf("cut %d: add after it: %v", cuts, err)
			}
			if _, err := g.read(); err != nil || g.last != more.seq {
				t.Fatalf("cut %d: read after that: last %d, %v; want %d", cuts, g.last, err, more.seq)
			}
		}
	}
	if err := f.rewrite(nil, 0); err != nil {
		t.Fatal(err)
	}
	seq := int64(0)
	for round := range 6 {
		var all []left
		for i := range 1 + round%3 {
			seq++
			all = append(all, leaveOf(key, seq, fmt.Sprintf("%d-%d@example.org", round%4, i)))
		}
		asked = append(asked, all...)
		if err := f.add(all); err != nil {
			t.Fatal(err)
		}
		acknowledged = append(acknowledged, all...)
	}
	if err := f.rewrite(lastOf(append([]left{}, acknowledged...)), f.last); err != nil {
		t.Fatal(err)
	}
	c := &compaction{file: leaveFile{disk: d, path: "j", key: key}}
	again := func(email string) {
		seq++
		l := leaveOf(key, seq, email)
		asked = append(asked, l)
		if err := f.add([]left{l}); err != nil {
			t.Fatal(err)
		}
		acknowledged = append(acknowledged, l)
	}
	again("0-0@example.org")
	if _, err := c.file.read(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.begin(), c.copy(t.Context())); err != nil {
		t.Fatal(err)
	}
	again("1-0@example.org")
	if done, err := c.step(); err != nil || !done {
		t.Fatalf("the compaction's last step: %v, %v; want it done", done, err)
	}
	if _, err := f.read(); err != nil || f.last != seq || f.rewritten != f.records {
		t.Fatalf("compacted: %d of %d records, the last is %d, %v; want %d", f.rewritten, f.records, f.last, err, seq)
	}
	if cuts < 2000 {
		t.Errorf("only %d cuts were played", cuts)
	}
	t.Logf("%d cuts", cuts)
}

// wantCovered wants all to have each acknowledged record, or a later one of its scope, and none that nobody asked for.
func wantCovered(t *testing.T, when string, all, acknowledged, asked []left) {
	t.Helper()
	last, known := map[left]int64{}, map[left]bool{}
	for _, l := range asked {
		known[l] = true
	}
	for i, l := range all {
		if !known[l] {
			t.Fatalf("%s: %+v was never asked for", when, l)
		}
		if i > 0 && all[i-1].seq > l.seq {
			t.Fatalf("%s: record %d comes after %d", when, l.seq, all[i-1].seq)
		}
		last[l.scope()] = l.seq
	}
	for _, l := range acknowledged {
		if last[l.scope()] < l.seq {
			t.Fatalf("%s: the acknowledged %+v is lost", when, l)
		}
	}
}

// TestLeavesBehindDamage reads past records that a failing disk has changed.
func TestLeavesBehindDamage(t *testing.T) {
	key := testKey(t)
	d := newLossyDisk(nil)
	f := &leaveFile{disk: d, path: "j", key: key}
	var all []left
	for seq := range int64(5) {
		all = append(all, leaveOf(key, seq+1, fmt.Sprint(seq, "@example.org")))
	}
	if err := errors.Join(f.rewrite(nil, 0), f.add(all)); err != nil {
		t.Fatal(err)
	}
	d.names["j"].data[3*recordSize+20] ^= 1
	if _, err := f.read(); err != nil {
		t.Fatal(err)
	}
	got, damaged, err := f.since(1)
	if err != nil || damaged != 1 {
		t.Errorf("since: %d damaged, %v; want 1", damaged, err)
	}
	if diff := cmp.Diff([]left{all[1], all[3], all[4]}, got, cmp.AllowUnexported(left{})); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

// TestLeavesAreCompacted has one person leave again and again: the file stays small, and the others' records stay.
func TestLeavesAreCompacted(t *testing.T) {
	key := testKey(t)
	db := storetest.Open(t, Migrate)
	d := newLossyDisk(nil)
	f := &leaveFile{disk: d, path: "j", key: key}
	if err := f.rewrite(nil, 0); err != nil {
		t.Fatal(err)
	}
	const rounds = 3 * mostRepeated / 100
	seq, biggest := int64(0), int64(0)
	for range rounds {
		var all []left
		for i := range 100 {
			seq++
			l := leaveOf(key, seq, "again@example.org")
			if l.seriesID = 1; i == 50 && seq < 100 {
				l.hash = key.hashAddress("once@example.org")
			}
			all = append(all, l)
		}
		if err := (&Registry{Key: key}).compactJournal(t.Context(), db, "j", d); err != nil {
			t.Fatal(err)
		}
		if _, err := f.read(); err != nil {
			t.Fatal(err)
		}
		if err := f.add(all); err != nil {
			t.Fatal(err)
		}
		biggest = max(biggest, f.records)
	}
	if biggest > 2*mostRepeated {
		t.Errorf("%d records at the most, want no more than %d of %d", biggest, 2*mostRepeated, seq)
	}
	all, _, err := f.since(-1)
	if err != nil || all[0].seq != 51 || all[0].hash != key.hashAddress("once@example.org") || all[len(all)-1].seq != seq {
		t.Errorf("kept %d to %d, %v; want 51 to %d", all[0].seq, all[len(all)-1].seq, err, seq)
	}
}

// TestLeavesWhileCompacted: what is appended meanwhile, and what can't be read, is in the new file; a file that somebody else wrote
// meanwhile stays.
func TestLeavesWhileCompacted(t *testing.T) {
	key := testKey(t)
	d := newLossyDisk(nil)
	f := &leaveFile{disk: d, path: "j", key: key}
	seq := int64(0)
	add := func(n int) {
		t.Helper()
		var all []left
		for range n {
			seq++
			all = append(all, leaveOf(key, seq, fmt.Sprint(seq%3000, "@example.org")))
		}
		if err := f.add(all); err != nil {
			t.Fatal(err)
		}
	}
	start := func() *compaction {
		t.Helper()
		c := &compaction{file: leaveFile{disk: d, path: "j", key: key}}
		if done, err := c.step(); done || err != nil {
			t.Fatalf("first step: %v, %v; want more to do", done, err)
		}
		if err := c.copy(t.Context()); err != nil {
			t.Fatal(err)
		}
		return c
	}
	if err := f.rewrite(nil, 0); err != nil {
		t.Fatal(err)
	}
	add(mostRepeated + 1)
	d.names["j"].data[(mostRepeated-5)*recordSize+20] ^= 1
	c := start()
	for _, step := range []struct {
		more int
		done bool
	}{{fewRecords + 700, false}, {fewRecords, true}} {
		add(step.more)
		if done, err := c.step(); done != step.done || err != nil {
			t.Fatalf("step with %d more: %v, %v; want %v", step.more, done, err, step.done)
		}
		if !step.done {
			if err := c.copy(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := f.read(); err != nil {
		t.Fatal(err)
	}
	all, damaged, err := f.since(-1)
	if err != nil || damaged != 1 || f.last != seq || len(all) != 3000+2*fewRecords+700 {
		t.Errorf("%d records, %d damaged, the last is %d, %v; want %d, 1 and %d", len(all), damaged, f.last, err, 3000+2*fewRecords+700, seq)
	}

	add(2 * int(f.rewritten))
	c = start()
	if err := f.rewrite(all, seq); err != nil {
		t.Fatal(err)
	}
	if done, err := c.step(); !done || err != nil {
		t.Errorf("step behind another's file: %v, %v; want it given up", done, err)
	}
	add(2*int(f.rewritten) + mostRepeated)
	c, other := start(), start()
	if done, err := other.step(); !done || err != nil {
		t.Fatalf("the later of two: %v, %v", done, err)
	}
	if done, err := c.step(); !done || err != nil {
		t.Fatalf("the earlier of two: %v, %v", done, err)
	}
	if _, err := f.read(); err != nil || f.last != seq {
		t.Errorf("at the end: last %d, %v; want %d", f.last, err, seq)
	}
}

// FuzzLeaveFile reads any octets behind a header of ours, and goes on with what it found.
func FuzzLeaveFile(f *testing.F) {
	key := keyOf(make([]byte, keySize))
	head := (&leaveFile{key: key}).header(0, 0)
	one, err := (&leaveFile{key: key}).encode(leaveOf(key, 1, "ada@example.org"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(head, one)
	f.Add(head[:40], one[:40])
	f.Add(head, append(append([]byte{}, one...), one[:87]...))
	f.Fuzz(func(t *testing.T, head, rest []byte) {
		g, err := afterCut(key, append(append([]byte{}, head...), rest...))
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, ErrForeignJournal) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := g.since(-1); err != nil {
			t.Fatal(err)
		}
		if err := g.add([]left{leaveOf(key, g.last+1, "new@example.org")}); err != nil {
			t.Fatal(err)
		}
		last := g.last
		if _, err := g.read(); err != nil || g.last != last {
			t.Fatalf("read: last %d, %v; want %d", g.last, err, last)
		}
	})
}
