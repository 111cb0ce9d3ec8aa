package subscribers

import (
	"context"

	"pressrun/subscribers/store"
)

// Add lets tests store a person who is in no series, as Join and Enrol do on their way.
func (r *Registry) Add(ctx context.Context, tx *store.Tx, a Addition) (Subscriber, error) {
	addr, a, err := a.parse()
	if err != nil {
		return Subscriber{}, err
	}
	p, err := r.lookUp(ctx, tx, addr)
	if err == nil {
		_, err = r.put(ctx, tx, addr, a, &p)
	}
	return p.Subscriber, err
}
