package outbox_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter/mailer"
	"pressrun/newsletter/mailer/smtptest"
	"pressrun/newsletter/outbox"
)

// BenchmarkWrite writes a letter of 12 KB for one person, into memory that is used again, as a connection does.
func BenchmarkWrite(b *testing.B) {
	key, err := mailer.NewDKIMKey("example.org", "s1", false)
	if err != nil {
		b.Fatal(err)
	}
	for _, signed := range []struct {
		about  string
		finish func(mailer.Message) (mailer.Message, error)
	}{{"unsigned", nil}, {"rsa", mailer.Handover{Keys: func() mailer.Keyring { return mailer.Keyring{key} }}.Finish}} {
		for _, person := range []struct{ about, name string }{{"none", ""}, {"ascii", "Ada Lovelace"}, {"accented", "Zoë Brontë"}, {"arabic", "محمد علي"}} {
			b.Run(signed.about+"/name="+person.about, func(b *testing.B) { benchWrite(b, person.name, signed.finish) })
		}
	}
}

func benchWrite(b *testing.B, name string, finish func(mailer.Message) (mailer.Message, error)) {
	s := siteOn(b, openQuiet(b), newKey())
	s.readers(s.skin, 1)
	f := s.frozen(s.skin, s.article(s.skin, "rest"))
	hello := outbox.NameHoleBefore + "reader" + outbox.NameHoleAfter
	words := strings.Repeat("Water the skin as you would a plant: a little, and often — never all at once. ", 30)
	f.HTML = strings.Replace(f.HTML, "<body>", "<body><p>Dear "+hello+",</p><p style=\"margin:0 0 16px\">"+strings.Repeat(words+"\n", 3)+"</p>", 1)
	f.Text = "Dear " + hello + ",\n\n" + words + "\n" + f.Text
	issue := s.freeze(f)
	if _, err := outbox.FillLive(context.Background(), s.db, issue.ID, s.now); err != nil {
		b.Fatal(err)
	}
	cfg := s.config(relay(smtptest.New(b)))
	cfg.MayLeave = func(context.Context) error { return outbox.ErrHeld } // nothing is claimed but by Claim
	cfg.Lease = time.Hour
	cfg.Finish = finish
	steps, err := s.start(cfg).Claim(1)
	if err != nil || steps.Len() != 1 {
		b.Fatal(steps.Len(), err)
	}
	room := make([]byte, 0, 64<<10)
	b.ReportAllocs()
	for b.Loop() {
		content, err := steps.WriteTo(context.Background(), 0, name, room)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(content)))
	}
}
