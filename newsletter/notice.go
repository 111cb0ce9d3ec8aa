package newsletter

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"pressrun/newsletter/outbox"
	"pressrun/newsletter/render"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
	"pressrun/templates"
)

// editorsExpire is how long a word to the editors is worth sending.
const editorsExpire = 7 * 24 * time.Hour

// word is something the editors must hear once (rule 20).
type word struct {
	dedupe, subject string
	paragraphs      []string
}

// Tell queues a word to the editors, once for each dedupe key (rule 20).
func (p *Publisher) Tell(ctx context.Context, dedupe, subject string, paragraphs []string) error {
	notices := p.notices(ctx, word{dedupe, subject, paragraphs})
	err := p.db.InTx(ctx, func(tx *store.Tx) error { return p.enqueue(ctx, tx, notices) })
	if err != nil {
		return fmt.Errorf("tell the editors %s: %w", dedupe, err)
	}
	p.wake()
	return nil
}

// notices writes words as the mails of all editors, without a lock. What can't be written is logged and left out: telling
// the editors never stops what they are told about.
func (p *Publisher) notices(ctx context.Context, words ...word) []outbox.Notice {
	var all []outbox.Notice
	for _, w := range words {
		all = append(all, p.noticesTo(ctx, w, templates.In(p.site.Language).T("letter.desk_button"), p.url("desk")+"/")...)
	}
	return all
}

// noticesTo is notices for a word with a button of its own and paragraphs below it.
func (p *Publisher) noticesTo(ctx context.Context, w word, button, to string, after ...string) []outbox.Notice {
	mail, err := p.note(render.Note{
		Subject: w.subject, Paragraphs: w.paragraphs, Button: &render.Link{Title: button, URL: to}, After: after,
	})
	if err != nil {
		p.log.ErrorContext(ctx, "word to the editors not written", "subject", w.subject, "error", err)
		return nil
	}
	from := p.sender(ctx, p.db, noticeTo{})
	var all []outbox.Notice
	for _, to := range p.site.NotifyTo {
		all = append(all, outbox.Notice{
			Kind: "editors", Dedupe: p.keyTo(w.dedupe, to), ToEmail: to, FromName: from.FromName, FromEmail: cmp.Or(from.FromEmail, to),
			Subject: mail.Subject, HTML: mail.HTML, Text: mail.Text, Expires: p.now().Add(editorsExpire),
		})
	}
	return all
}

// keyTo is the key of a word to somebody. It stays when they are no editor any more, so their address isn't in it.
func (p *Publisher) keyTo(dedupe, email string) string {
	return fmt.Sprintf("%s to %x", dedupe, p.key.MAC("editor", email)[:8])
}

// note renders a note with what all of the site's notes share.
func (p *Publisher) note(n render.Note) (render.Email, error) {
	n.Language, n.Templates = cmp.Or(n.Language, templates.In(p.site.Language).Language()), p.site.Templates
	n.SiteName, n.PostalAddress, n.PrivacyURL = p.site.Name, cmp.Or(n.PostalAddress, p.site.PostalAddress), p.site.PrivacyURL
	n.Heading = cmp.Or(n.Heading, n.Subject)
	return render.Notice(n)
}

// noticeTo is who gets a notice, as far as its sender depends on that.
type noticeTo struct {
	subscriberID int64 // 0: an editor, or somebody who signs in
	unproved     bool  // it goes to an address of which they have not shown that it is theirs
}

// sender is who writes on behalf of the site: its name, from the address of a series. By that whoever sees the mail takes its reader for one
// of the series', so a private or a sensitive one writes to others only where the site has none that is neither. To their own mailbox
// what they get comes first, whose address they know.
func (p *Publisher) sender(ctx context.Context, q store.Querier, to noticeTo) series.Series {
	from := series.Series{FromName: p.site.Name}
	all, err := series.All(ctx, q)
	var theirs map[int64]bool
	if err == nil {
		theirs, err = seriesOf(ctx, q, to.subscriberID)
	}
	if err != nil {
		p.log.ErrorContext(ctx, "sender of notices not found", "error", err)
	}
	best := slices.MinFunc(append(all, series.Series{}), func(a, b series.Series) int {
		return cmp.Compare(to.shyness(a, theirs[a.ID]), to.shyness(b, theirs[b.ID]))
	})
	from.FromEmail = best.FromEmail
	return from
}

// seriesOf are the series that somebody gets.
func seriesOf(ctx context.Context, q store.Querier, subscriberID int64) (map[int64]bool, error) {
	theirs := map[int64]bool{}
	if subscriberID == 0 {
		return theirs, nil
	}
	enrolments, err := subscribers.Enrolments(ctx, q, subscriberID)
	for _, e := range enrolments {
		theirs[e.SeriesID] = e.State == subscribers.Active || e.State == subscribers.Paused
	}
	return theirs, err
}

// shyness says how far a series is from writing to somebody.
func (to noticeTo) shyness(s series.Series, theirs bool) int {
	anybodys := !s.Private && !s.Sensitive
	switch {
	case s.ID == 0:
		return 7 // none at all
	case theirs && anybodys:
		return 0
	case theirs && !to.unproved && !s.Sensitive:
		return 1
	case theirs && !to.unproved:
		return 2
	case anybodys:
		return 3
	case theirs:
		return 4
	case !s.Sensitive:
		return 5
	}
	return 6
}

func (p *Publisher) enqueue(ctx context.Context, tx *store.Tx, notices []outbox.Notice) error {
	for _, n := range notices {
		if _, err := outbox.Enqueue(ctx, tx, n, p.now()); err != nil {
			return err
		}
	}
	return nil
}

// MailLoginLink queues the mail with a one-time login link to a user of the desk. The same link is mailed once.
func (p *Publisher) MailLoginLink(ctx context.Context, email, link string, expires time.Time) error {
	w := templates.In(p.site.Language)
	mail, err := p.note(render.Note{
		Subject:    w.T("desk.login_mail_subject", "site", p.site.Name),
		Paragraphs: []string{w.T("desk.login_mail_text", "site", p.site.Name)},
		Button:     &render.Link{Title: w.T("desk.login_mail_button"), URL: link},
		After:      []string{w.T("desk.login_mail_after")},
	})
	if err != nil {
		return fmt.Errorf("login link: %w", err)
	}
	from := p.sender(ctx, p.db, noticeTo{})
	hash := sha256.Sum256([]byte(link))
	n := outbox.Notice{
		Kind: "login", Dedupe: "login " + hex.EncodeToString(hash[:]), ToEmail: email,
		FromName: from.FromName, FromEmail: cmp.Or(from.FromEmail, email),
		Subject: mail.Subject, HTML: mail.HTML, Text: mail.Text, Expires: expires,
	}
	if err := p.db.InTx(ctx, func(tx *store.Tx) error { return p.enqueue(ctx, tx, []outbox.Notice{n}) }); err != nil {
		return fmt.Errorf("login link: %w", err)
	}
	p.wake()
	return nil
}
