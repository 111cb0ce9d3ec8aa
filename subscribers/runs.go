package subscribers

import "container/heap"

// runs brings rows into the order of their addresses, not all of them, but in runs of about twice as many as it holds: a row that
// comes too late for the run that is being given out waits for the next one. Rows of the same address stay in their order.
type runs struct {
	most    int // rows that wait
	waiting rowHeap
	run     int    // that is being given out
	last    string // the address that was given out last
}

// add takes a row in and gives out the first of those that wait; nil while there is room for more.
func (r *runs) add(h *hashed) *hashed {
	h.run = r.run
	if h.addr.Key < r.last {
		h.run++
	}
	if len(r.waiting) < r.most {
		heap.Push(&r.waiting, h)
		return nil
	}
	if first := r.waiting[0]; first.before(h) {
		r.waiting[0], h = h, first
		heap.Fix(&r.waiting, 0)
	}
	r.run, r.last = h.run, h.addr.Key
	return h
}

// rest gives out the first of those that still wait; nil when there is none.
func (r *runs) rest() *hashed {
	if len(r.waiting) == 0 {
		return nil
	}
	return heap.Pop(&r.waiting).(*hashed)
}

func (h *hashed) before(other *hashed) bool {
	switch {
	case h.run != other.run:
		return h.run < other.run
	case h.addr.Key != other.addr.Key:
		return h.addr.Key < other.addr.Key
	}
	return h.number < other.number
}

type rowHeap []*hashed

func (w rowHeap) Len() int           { return len(w) }
func (w rowHeap) Less(i, j int) bool { return w[i].before(w[j]) }
func (w rowHeap) Swap(i, j int)      { w[i], w[j] = w[j], w[i] }
func (w *rowHeap) Push(h any)        { *w = append(*w, h.(*hashed)) }

func (w *rowHeap) Pop() any {
	all := *w
	last := all[len(all)-1]
	all[len(all)-1] = nil
	*w = all[:len(all)-1]
	return last
}
