package outbox_test

import (
	"context"
	"strings"
	"testing"

	"pressrun/newsletter/mailer/smtptest"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// TestRepliesNameNobody: many relays name the mailbox without its domain. What a reply means is judged by all of its words.
func TestRepliesNameNobody(t *testing.T) {
	for _, tt := range []struct{ email, name, reply, want string }{
		{"ada.lovelace@example.org", "", "550 5.1.1 user Ada.Lovelace unknown", "550 5.1.1 user [address] unknown"},
		{"ada@example.org", "", "550 5.1.1 ada: no such user in Canada", "550 5.1.1 [address]: no such user in Canada"},
		{"a@example.org", "Ada Lovelace", "552 5.2.2 the mailbox of Ada Lovelace is full", "552 5.2.2 the mailbox of [address] is full"},
		{"a@example.org", "", "552 5.2.2 a mailbox is full", "552 5.2.2 a mailbox is full"},
		{"a@example.org", "Ädä Müller", "552 5.2.2 ÄDÄ MÜLLER: full", "552 5.2.2 [address]: full"},
		{"host@example.org", "", "550 5.4.4 Host or domain name not found", "550 5.4.4 [address] or domain name not found"},
	} {
		t.Run(tt.email+" "+tt.reply, func(t *testing.T) {
			s, srv := newSite(t), smtptest.New(t)
			var id int64
			s.tx(func(ctx context.Context, tx *store.Tx) error {
				e, err := s.people.Enrol(ctx, tx, s.skin.ID, subscribers.Addition{Email: tt.email, Name: tt.name}, "test")
				id = e.SubscriberID
				return err
			})
			s.issue(s.skin, "rest")
			srv.At("RCPT").Reply(tt.reply)
			s.send(srv)
			if got := s.delivery(id).Reply; got != tt.want {
				t.Errorf("kept %q, want %q", got, tt.want)
			}
			all, err := s.people.Suppressions(t.Context(), s.db, tt.email)
			if unresolved := strings.Contains(tt.reply, "5.4.4"); err != nil || unresolved && len(all) != 0 {
				t.Errorf("suppressed: %+v, %v; a domain that is not found once is no reason", all, err)
			}
		})
	}
}
