package subscribers

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestRuns gives rows in at random: each comes out once, those of an address in their order, in runs that are longer than what waits.
func TestRuns(t *testing.T) {
	const rows, most = 5000, 100
	rng := rand.New(rand.NewPCG(1, 2))
	sorter := runs{most: most}
	var out []*hashed
	for i := range rows {
		h := &hashed{row: row{number: int64(i), addr: Address{Key: fmt.Sprintf("%04d@mail.example", rng.IntN(2000))}}}
		if h = sorter.add(h); h != nil {
			out = append(out, h)
		}
		if len(sorter.waiting) > most {
			t.Fatalf("%d rows wait, want %d at most", len(sorter.waiting), most)
		}
	}
	for h := sorter.rest(); h != nil; h = sorter.rest() {
		out = append(out, h)
	}
	seen, last, began := map[int64]bool{}, map[string]int64{}, 1
	for i, h := range out {
		if before, ok := last[h.addr.Key]; ok && before > h.number {
			t.Errorf("row %d of %s comes after row %d", h.number, h.addr.Key, before)
		}
		if i > 0 && h.addr.Key < out[i-1].addr.Key {
			began++
		}
		seen[h.number], last[h.addr.Key] = true, h.number
	}
	if len(out) != rows || len(seen) != rows {
		t.Errorf("%d rows come out, %d different ones, want %d", len(out), len(seen), rows)
	}
	if most := rows * 2 / (3 * most); began > most {
		t.Errorf("%d runs, want %d at most", began, most)
	}
}
