package main

import (
	"context"
	"fmt"

	"pressrun/newsletter/mailer"
	"pressrun/newsletter/render"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/templates"
)

// sendCheckMail composes a mail as an issue's sender would and hands it to the relay.
func (s *site) sendCheckMail(ctx context.Context, to string) (mailer.Outcome, error) {
	address, err := subscribers.ParseAddress(to)
	if err != nil {
		return mailer.Outcome{}, err
	}
	from, err := s.anySender(ctx, address)
	if err != nil {
		return mailer.Outcome{}, err
	}
	words := templates.In(s.cfg.Language)
	email, err := render.Notice(render.Note{
		Language: s.cfg.Language, SiteName: s.cfg.SiteName, PostalAddress: s.cfg.PostalAddress, PrivacyURL: s.cfg.PrivacyURL,
		Subject: words.T("check.subject", "site", s.cfg.SiteName), Heading: words.T("check.heading"),
		Paragraphs: []string{words.T("check.text", "relay", s.cfg.Relay.Host)},
	})
	if err != nil {
		return mailer.Outcome{}, err
	}
	now := s.now()
	message, err := mailer.Compose(mailer.Draft{
		MessageID: fmt.Sprintf("check-%d@%s", now.UnixNano(), senderDomain(from.Email)), Date: now,
		From: from, To: mailer.Mailbox{Email: address.Wire}, Subject: email.Subject, HTML: email.HTML, Text: email.Text,
	})
	if err != nil {
		return mailer.Outcome{}, err
	}
	if s.cfg.Bounces.Address != "" {
		message.From = s.cfg.Bounces.Path.Sample(s.key) // as readers' mail has: some relays take their own domain alone
	}
	keys, err := s.signing(ctx)
	if err != nil {
		return mailer.Outcome{}, err
	}
	if message, err = s.handover(func() mailer.Keyring { return keys }).Finish(message); err != nil {
		return mailer.Outcome{}, err
	}
	conn, err := s.smtp().Connect(ctx)
	if err != nil {
		return mailer.Outcome{}, err
	}
	defer conn.Close()
	outcome, err := conn.Envelope(ctx, message)
	if err != nil || outcome.State != mailer.Accepted {
		return outcome, err
	}
	return conn.Content(ctx, nil)
}

// anySender is the first series' sender, or without a series the receiver themselves.
func (s *site) anySender(ctx context.Context, to subscribers.Address) (mailer.Mailbox, error) {
	all, err := series.All(ctx, s.db)
	if err != nil {
		return mailer.Mailbox{}, err
	}
	for _, each := range all {
		if a, err := subscribers.ParseAddress(each.FromEmail); err == nil {
			return mailer.Mailbox{Name: each.FromName, Email: a.Wire}, nil
		}
	}
	return mailer.Mailbox{Name: s.cfg.SiteName, Email: to.Wire}, nil
}

func senderDomain(wire string) string {
	for i := len(wire) - 1; i >= 0; i-- {
		if wire[i] == '@' {
			return wire[i+1:]
		}
	}
	return wire
}
