package newsletter_test

import (
	"bytes"
	"context"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"regexp"
	"slices"
	"testing"

	"pressrun/newsletter"
	"pressrun/newsletter/mailer"
	"pressrun/newsletter/mailer/smtptest"
	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
)

// smtp is the relay of a test server.
func smtp(server *smtptest.Server) outbox.Relay { return smtpAt(server.Port()) }

func smtpAt(port int) outbox.Relay {
	relay := mailer.SMTP{Host: "127.0.0.1", Port: port, TLS: mailer.NoTLS, Helo: "news.example"}
	return outbox.RelayFunc(func(ctx context.Context) (outbox.Conn, error) {
		conn, err := relay.Connect(ctx)
		if err != nil {
			return nil, err
		}
		return conn, nil
	})
}

// letters are the messages of issues that a server took.
func letters(server *smtptest.Server) []smtptest.Taken {
	return slices.DeleteFunc(server.Messages(), func(m smtptest.Taken) bool { return !bytes.Contains(m.Data, []byte("\r\nList-Id:")) })
}

// recipients are the addresses of messages, in order of the alphabet.
func recipients(messages []smtptest.Taken) []string {
	var all []string
	for _, m := range messages {
		all = append(all, m.To)
	}
	slices.Sort(all)
	return all
}

// textPart is the plain text of a message.
func textPart(t *testing.T, data []byte) string {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("read message: %v", err)
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatalf("content type: %v", err)
	}
	part, err := multipart.NewReader(m.Body, params["boundary"]).NextRawPart()
	if err != nil {
		t.Fatalf("first part: %v", err)
	}
	text, err := io.ReadAll(quotedprintable.NewReader(part))
	if err != nil {
		t.Fatalf("first part: %v", err)
	}
	return string(text)
}

var tokenOf = regexp.MustCompile(`http://127\.0\.0\.1:8080/(?:c|u)/([A-Za-z0-9_.-]+)`)

// wantProof wants all that shows the consent of somebody who asked and confirmed (GDPR article 7(1)).
func wantProof(w *world, email, messageID string) {
	w.t.Helper()
	person, err := w.p.Person(w.ctx, email)
	w.check("person", err)
	if len(person.Events) != 2 {
		w.t.Fatalf("events of %s: %+v, want the request and the confirmation", email, person.Events)
	}
	for i, event := range []string{"requested", "confirmed"} {
		e := person.Events[i]
		if e.Event != event || e.Email != email || e.Series != "skin" || e.At == "" || e.IP == "" || e.Agent == "" || e.Form == "" ||
			e.Wording == "" || len(e.Version) != 16 {
			w.t.Errorf("proof of %s: %+v, want every field", event, e)
		}
	}
	asked, confirmed := person.Events[0], person.Events[1]
	if asked.Words != "en" || asked.Version != confirmed.Version || len(confirmed.Token) != 16 || confirmed.Mail != messageID {
		w.t.Errorf("proof: asked %+v, confirmed %+v; want the language, the link's id, and the mail %s", asked, confirmed, messageID)
	}
}

func TestMainPathOverSMTP(t *testing.T) {
	server := smtptest.New(t)
	w := newWorld(t)
	worker := w.start(smtp(server))
	defer func() { w.check("close", worker.Close()) }()
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two")
	w.enrol(s, "ada", "ben")

	w.check("subscribe", w.subscribe(newsletter.Signup{Series: []string{"skin"}, Email: "cyd@reader.example", Evidence: evidence()}))
	w.check("drain", worker.Drain(w.ctx))
	confirmation := server.Messages()[0]
	equal(t, "confirmation goes to", confirmation.To, "cyd@reader.example")
	link := tokenOf.FindStringSubmatch(textPart(t, confirmation.Data))
	v, err := w.p.Confirm(w.ctx, link[1], evidence())
	w.check("confirm", err)
	equal(t, "next slot", v[0].Next, tuesday(1))
	wantProof(w, "cyd@reader.example", confirmation.MessageID)

	w.run(monday)
	w.run(tuesday(1))
	w.check("drain", worker.Drain(w.ctx))
	first := letters(server)
	equal(t, "first issue", recipients(first), []string{"ada@reader.example", "ben@reader.example", "cyd@reader.example"})
	for _, m := range first {
		contains(t, "mail", textPart(t, m.Data), "A few words about one", "This is no medical advice.", "12 Quay Street")
	}
	w.run(tuesday(1))
	equal(t, "issue", w.issue("skin/"+wall(1)), "done sent=3")

	for _, m := range first {
		if m.To == "ben@reader.example" {
			link = tokenOf.FindStringSubmatch(string(m.Data))
		}
	}
	w.check("unsubscribe", w.p.Unsubscribe(w.ctx, link[1], false, evidence()))
	w.run(tuesday(2))
	w.check("drain", worker.Drain(w.ctx))
	equal(t, "second issue", recipients(letters(server)[3:]), []string{"ada@reader.example", "cyd@reader.example"})
}

func TestAnUnsubscribeInMidSendIsObeyed(t *testing.T) {
	server := smtptest.New(t)
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one")
	w.enrol(s, "ada", "ben")
	w.run(monday)
	w.run(tuesday(1))
	w.check("unsubscribe", w.p.Unsubscribe(w.ctx, w.link(s, "ben"), false, evidence()))
	worker := w.start(smtp(server))
	defer func() { w.check("close", worker.Close()) }()
	w.check("drain", worker.Drain(w.ctx))
	equal(t, "recipients", recipients(letters(server)), []string{"ada@reader.example"})
	equal(t, "issue", w.issue("skin/"+wall(1)), "sending sent=1 skipped=1")
}

func TestRule20UncertainDeliveriesAreTold(t *testing.T) {
	server := smtptest.New(t)
	server.At("content ada@reader.example").Drop(false)
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one")
	w.enrol(s, "ada", "ben")
	w.run(monday)
	w.run(tuesday(1))
	worker := w.start(smtp(server))
	defer func() { w.check("close", worker.Close()) }()
	w.check("drain", worker.Drain(w.ctx))
	w.run(tuesday(1))
	w.run(tuesday(1))
	equal(t, "issue", w.issue("skin/"+wall(1)), "done sent=1 uncertain=1")
	equal(t, "editors", w.notices("editors")[1:], []string{"Uncertain deliveries: “About one”"})
	n, _, err := w.p.SettleIssue(w.ctx, "skin/"+wall(1), "sent")
	w.check("settle", err)
	equal(t, "settled", n, int64(1))
	equal(t, "issue", w.issue("skin/"+wall(1)), "done sent=2")
}
