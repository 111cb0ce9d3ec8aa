package desk_test

import (
	"net/http"
	"testing"
	"time"

	"pressrun/newsletter/web/desk"
	"pressrun/subscribers/store"
)

func TestSessions(t *testing.T) {
	t.Run("a planted cookie is worth nothing", func(t *testing.T) {
		o := open(t)
		o.add(t, "mara@example.org", desk.Owner)
		planted := &http.Cookie{Name: "pressrun-8080", Value: "PLANTED"}
		a := o.post(t, planted, o.link(t, ""), nil)
		if c := cookie(t, a); c.Value == planted.Value {
			t.Error("the session took the planted secret")
		}
		wants(t, "the planted one", o.get(t, planted, "/desk/"), 303)
	})
	t.Run("signing in ends the browser's session before", func(t *testing.T) {
		o := open(t)
		first := o.signIn(t, "mara@example.org", desk.Owner)
		second := cookie(t, o.post(t, first, o.link(t, ""), nil))
		wants(t, "the first", o.get(t, first, "/desk/"), 303)
		wants(t, "the second", o.get(t, second, "/desk/"), 200)
	})
	t.Run("sign out", func(t *testing.T) {
		o := open(t)
		c := o.signIn(t, "mara@example.org", desk.Owner)
		a := o.post(t, c, "/desk/logout", nil)
		if got := cookie(t, a); a.Status != 303 || got.MaxAge >= 0 {
			t.Errorf("got %d and cookie %+v, want 303 and no cookie any more", a.Status, got)
		}
		wants(t, "afterwards", o.get(t, c, "/desk/"), 303)
	})
	t.Run("idle", func(t *testing.T) {
		o := open(t)
		c := o.signIn(t, "mara@example.org", desk.Owner)
		for range 3 { // used every eleven hours it lives
			o.Pass(11 * time.Hour)
			wants(t, "after eleven hours", o.get(t, c, "/desk/"), 200)
		}
		o.Pass(12 * time.Hour)
		wants(t, "after twelve", o.get(t, c, "/desk/"), 303)
	})
	t.Run("seven days", func(t *testing.T) {
		o := open(t)
		c := o.signIn(t, "mara@example.org", desk.Owner)
		for range 15 {
			o.Pass(11 * time.Hour)
			wants(t, "in use", o.get(t, c, "/desk/"), 200)
		}
		o.Pass(3 * time.Hour)
		wants(t, "after seven days", o.get(t, c, "/desk/"), 303)
	})
	t.Run("another role", func(t *testing.T) {
		o := open(t)
		c := o.signIn(t, "mara@example.org", desk.Owner)
		o.add(t, "mara@example.org", desk.Owner)
		wants(t, "the same role", o.get(t, c, "/desk/"), 200)
		o.add(t, "mara@example.org", desk.Viewer)
		wants(t, "another role", o.get(t, c, "/desk/"), 303)
	})
	t.Run("removed", func(t *testing.T) {
		o := open(t)
		c := o.signIn(t, "mara@example.org", desk.Owner)
		link := o.link(t, "")
		o.InTx(t, func(tx *store.Tx) error { return desk.RemoveUser(t.Context(), tx, "mara@example.org") })
		wants(t, "the session", o.get(t, c, "/desk/"), 303)
		wants(t, "the link", o.post(t, nil, link, nil), 410)
	})
}
