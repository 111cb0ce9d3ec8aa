package newsletter_test

import (
	"strings"
	"testing"

	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// TestWhoWritesNotices: the address that a notice comes from tells who sees it of a series. A sensitive one's goes to its own readers'
// mailboxes, and to nobody else while the site has another.
func TestWhoWritesNotices(t *testing.T) {
	type site map[string]series.Change
	sensitive, private := series.Change{Sensitive: ptr(true), Private: ptr(true)}, series.Change{Private: ptr(true)}
	three := site{"ahiv": sensitive, "board": private, "tea": {}}
	for _, tt := range []struct {
		name               string
		site               site
		in, left           string // series of the reader
		mine, moves, moved string // whose address writes: to their mailbox, to a new one, to the one they moved from
		desk               string
	}{
		{"of the open one", three, "tea", "", "tea", "tea", "tea", "tea"},
		{"of the sensitive one", three, "ahiv", "", "ahiv", "tea", "ahiv", "tea"},
		{"of the private one", three, "board", "", "board", "tea", "board", "tea"},
		{"of both", three, "ahiv tea", "", "tea", "tea", "tea", "tea"},
		{"who left the sensitive one", three, "tea", "ahiv", "tea", "tea", "tea", "tea"},
		{"who left the sensitive one and gets nothing", three, "", "ahiv", "tea", "tea", "tea", "tea"},
		{"of a site with no other", site{"ahiv": sensitive}, "ahiv", "", "ahiv", "ahiv", "ahiv", "ahiv"},
		{"of the sensitive one, beside a private one", site{"ahiv": sensitive, "board": private}, "ahiv", "", "ahiv", "ahiv", "ahiv", "board"},
		{"of the private one, beside a sensitive one", site{"ahiv": sensitive, "board": private}, "board", "", "board", "board", "board", "board"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			for _, slug := range []string{"ahiv", "board", "tea"} { // as they are listed
				change, has := tt.site[slug]
				if !has {
					continue
				}
				w.series(slug, series.Change{})
				change.FromEmail = ptr(slug + "@clinic.example")
				w.tx("set", func(tx *store.Tx) error { _, err := series.Set(w.ctx, tx, slug, change, w.clock.now()); return err })
			}
			for _, slug := range strings.Fields(tt.in + " " + tt.left) {
				s, err := series.BySlug(w.ctx, w.db, slug)
				w.check("series", err)
				w.enrol(s, "ada")
				if slug == tt.left {
					w.check("leave", w.p.Unsubscribe(w.ctx, w.link(s, "ada"), false, evidence()))
				}
			}
			newest := func() string {
				var from string
				w.check("sender", w.db.QueryRow(w.ctx, `SELECT from_email FROM notices ORDER BY id DESC LIMIT 1`).Scan(&from))
				slug, _, _ := strings.Cut(from, "@")
				return slug
			}
			id := w.person("ada").ID
			w.check("ask", w.p.AskMine(w.ctx, "ada@reader.example", "en", evidence()))
			w.check("forms", w.p.TakeRequests(w.ctx))
			equal(t, "to their mailbox", newest(), tt.mine)
			manage := w.key.Seal(subscribers.Token{Purpose: subscribers.PurposeManage, SubscriberID: id, Serial: 1})
			_, err := w.p.AskAddress(w.ctx, manage, "new@reader.example", "en", evidence())
			w.check("move", err)
			equal(t, "to a new address", newest(), tt.moves)
			address := w.key.Seal(subscribers.Token{Purpose: subscribers.PurposeAddress, SubscriberID: id, Serial: 2})
			w.check("moved", w.p.ChangeAddress(w.ctx, address, evidence()))
			equal(t, "to the old address", newest(), tt.moved)
			w.check("login", w.p.MailLoginLink(w.ctx, "editor@example.org", "http://127.0.0.1:8080/desk/x", w.clock.now()))
			equal(t, "to a desk user", newest(), tt.desk)
			w.check("word", w.p.Tell(w.ctx, "a", "A word", []string{"Said."}))
			equal(t, "to editors", newest(), tt.desk)
		})
	}
}
