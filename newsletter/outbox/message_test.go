package outbox_test

import (
	"bytes"
	"context"
	"fmt"
	"net/mail"
	"testing"

	"pressrun/newsletter/mailer"
	"pressrun/newsletter/mailer/smtptest"
	"pressrun/newsletter/outbox"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// What the relay gets is what go-mail builds for the person alone, with the words that a preview shows.
func TestMessageIsComposed(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	names := []string{"", "Ada Lovelace", "Zoë <b>Ångström</b> & Co", "evil.example", "李雷", "O'Brien,  \"Bob\""}
	s.tx(func(ctx context.Context, tx *store.Tx) error {
		for i, name := range names {
			if _, err := s.people.Enrol(ctx, tx, s.skin.ID, subscribers.Addition{Email: address(i + 1), Name: name}, "test"); err != nil {
				return err
			}
		}
		return nil
	})
	f := s.frozen(s.skin, s.article(s.skin, "rest"))
	f.Subject = nameHole("Dear reader") + ", rest is best"
	f.HTML += "<p>" + nameHole("R&amp;D, dear friend") + "</p>"
	f.Text += nameHole("Dear friend") + "\nFrom us\n"
	issue := s.freeze(f)
	if _, err := outbox.FillLive(context.Background(), s.db, issue.ID, s.now); err != nil {
		t.Fatal(err)
	}
	s.send(srv)
	got := srv.Messages()
	if len(got) != len(names) {
		t.Fatalf("got %d messages, want %d", len(got), len(names))
	}
	for _, m := range got {
		s.composed(m, f.Subject, f.HTML, f.Text, names)
	}
}

// composed compares a message with what its own header and Fill make of it.
func (s *site) composed(got smtptest.Taken, subject, html, text string, names []string) {
	s.Helper()
	head, err := mail.ReadMessage(bytes.NewReader(got.Data))
	if err != nil {
		s.Fatal(err)
	}
	var person int
	if _, err := fmt.Sscanf(got.To, "r%d@", &person); err != nil {
		s.Fatal(err)
	}
	date, err := head.Header.Date()
	if err != nil {
		s.Fatal(err)
	}
	name, url := names[person-1], head.Header.Get("List-Unsubscribe")
	d := mailer.Draft{
		MessageID: got.MessageID, Date: date, From: mailer.Mailbox{Name: "Harbour Clinic", Email: "news@example.org"},
		To: mailer.Mailbox{Name: name, Email: got.To}, FeedbackID: head.Header.Get("Feedback-ID"),
		List: &mailer.List{ID: "skin.example.org", Name: "Harbour Clinic", UnsubscribeURL: url[1 : len(url)-1]},
	}
	d.Subject, d.HTML, d.Text = outbox.Personal{Name: name, UnsubscribeURL: d.List.UnsubscribeURL}.Fill(subject, html, text)
	want, err := mailer.Compose(d)
	if err != nil || !bytes.Equal(got.Data, want.Bytes) {
		s.Errorf("%q gets\n%s\nwant, %v,\n%s", name, got.Data, err, want.Bytes)
	}
}
