package pace

import "time"

// slicesOf is into how many slices a window is cut: what was granted in one counts as if it all had left at its end.
const slicesOf = 64

// Slice is how many messages left until an instant, of one limit.
type Slice struct {
	Until time.Time // the end of the slice
	N     int
}

// window counts what left under a limit. It holds in every stretch of time of the limit's length.
type window struct {
	Limit
	slices  []Slice // oldest first
	changed bool    // since it was kept
}

// left is how many more may leave now if keep of them are kept back.
func (w *window) left(now time.Time, keep int) int {
	w.forget(now)
	n := w.N - keep
	for _, s := range w.slices {
		n -= s.N
	}
	return max(n, 0)
}

// forget drops what left longer ago than the window is long.
func (w *window) forget(now time.Time) {
	for len(w.slices) > 0 && !now.Before(w.slices[0].Until.Add(w.Per)) {
		w.slices = w.slices[1:]
	}
}

// next is when left is more than 0 again: now or later.
func (w *window) next(now time.Time, keep int) time.Time {
	over := w.N - keep - 1
	for i := len(w.slices) - 1; i >= 0; i-- {
		if over -= w.slices[i].N; over < 0 {
			return later(now, w.slices[i].Until.Add(w.Per))
		}
	}
	return now
}

// take notes that n leave now.
func (w *window) take(n int, now time.Time) {
	if n <= 0 {
		return
	}
	w.changed = true
	slice := max(w.Per/slicesOf, time.Millisecond)
	until := now.Truncate(slice)
	if until.Before(now) {
		until = until.Add(slice)
	}
	if last := len(w.slices) - 1; last >= 0 && !w.slices[last].Until.Before(until) {
		w.slices[last].N += n // also where the clock went back
		return
	}
	w.slices = append(w.slices, Slice{until, n})
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
