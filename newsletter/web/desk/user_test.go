package desk_test

import (
	"errors"
	"testing"

	"pressrun/newsletter/web/desk"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

func TestUsers(t *testing.T) {
	o := open(t)
	o.add(t, "Mara@Example.org", desk.Owner)
	o.add(t, "eve@example.org", desk.Viewer)
	o.add(t, "mara@example.org", desk.Editor) // the same person
	users, err := desk.Users(t.Context(), o.DB)
	if err != nil || len(users) != 2 {
		t.Fatalf("got users %v (%v), want two", users, err)
	}
	if u := users[0]; u.Email != "Mara@Example.org" || u.Role != desk.Editor || !u.Created.Equal(o.Now()) {
		t.Errorf("got %+v, want Mara as typed first, now an editor", u)
	}
	for _, tt := range []struct {
		email string
		role  desk.Role
		want  error
	}{{"x@example.org", "boss", desk.ErrRole}, {"x@example.org", "", desk.ErrRole}, {"no address", desk.Owner, subscribers.ErrAddress}} {
		err := o.DB.InTx(t.Context(), func(tx *store.Tx) error {
			_, err := desk.AddUser(t.Context(), tx, tt.email, tt.role, o.Now())
			return err
		})
		if !errors.Is(err, tt.want) {
			t.Errorf("add %s as %q: got %v, want %v", tt.email, tt.role, err, tt.want)
		}
	}
	remove := func(email string) error {
		return o.DB.InTx(t.Context(), func(tx *store.Tx) error { return desk.RemoveUser(t.Context(), tx, email) })
	}
	if err := remove("EVE@example.org"); err != nil {
		t.Errorf("remove: %v", err)
	}
	if err := remove("eve@example.org"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("remove again: got %v, want ErrNotFound", err)
	}
}
