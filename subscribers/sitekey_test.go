package subscribers_test

import (
	"errors"
	"testing"

	"pressrun/subscribers"
	"pressrun/subscribers/store/storetest"
)

func TestBindKey(t *testing.T) {
	db := storetest.Open(t, subscribers.Migrate)
	own, other := newKey(t), newKey(t)
	for _, tt := range []struct {
		name string
		key  subscribers.Key
		want error
	}{
		{"the first", own, nil},
		{"the same", own, nil},
		{"another", other, subscribers.ErrForeignKey},
		{"the first again", own, nil},
	} {
		if got := subscribers.BindKey(t.Context(), db, tt.key); !errors.Is(got, tt.want) || (got == nil) != (tt.want == nil) {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}
