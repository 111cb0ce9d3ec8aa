package pace

import "time"

// Slices is into how many slices a window is cut: what was granted in one counts as if it all had left at its end.
const Slices = 64

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
	moved   bool    // what left under a clock that was ahead, since it was kept: more than the last slice has changed
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

// forget drops what left longer ago than the window is long. What left under a clock that was ahead, left now at the latest: so a clock
// that is set back by a window's length or more, and then right again, has what left before it forgotten. Only a second clock could tell
// that from one that was ahead and is right now.
func (w *window) forget(now time.Time) {
	for len(w.slices) > 0 && !now.Before(w.slices[0].Until.Add(w.Per)) {
		w.slices = w.slices[1:]
	}
	end, ahead := w.end(now), 0
	for last := len(w.slices) - 1; last >= 0 && w.slices[last].Until.After(end); last-- {
		ahead += w.slices[last].N
		w.slices = w.slices[:last]
		w.moved = true
	}
	w.add(ahead, end)
}

// end is that of the slice in which now is.
func (w *window) end(now time.Time) time.Time {
	slice := max(w.Per/Slices, time.Millisecond)
	end := now.Truncate(slice)
	if end.Before(now) {
		end = end.Add(slice)
	}
	return end
}

// add counts n in the slice with the given end, which is the last one or comes after it.
func (w *window) add(n int, end time.Time) {
	if n <= 0 {
		return
	}
	w.changed = true
	if last := len(w.slices) - 1; last >= 0 && !w.slices[last].Until.Before(end) {
		w.slices[last].N += n
		return
	}
	w.slices = append(w.slices, Slice{end, n})
}

// next is when left is more than 0 again: now or later.
func (w *window) next(now time.Time, keep int) time.Time {
	w.forget(now)
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
	w.forget(now)
	w.add(n, w.end(now))
}

// giveBack notes that n of those that were taken last didn't leave.
func (w *window) giveBack(n int) {
	for last := len(w.slices) - 1; last >= 0 && n > 0; last-- {
		w.changed = true
		if w.slices[last].N > n {
			w.slices[last].N -= n
			return
		}
		n -= w.slices[last].N
		w.slices = w.slices[:last]
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
