package newsletter

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"pressrun/newsletter/outbox"
	"pressrun/newsletter/render"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
	"pressrun/templates"
)

// linkLives is how long a link that was asked for is worth mailing: as long as it can be used.
const linkLives = time.Hour

// AskMine takes the wish of whoever has an address for a fresh link, by which they see and change what only they may (THREATS
// T27). Like Subscribe it looks at nobody: TakeRequests mails the link, if anybody has the address. subscribers.ErrAddress where it
// is none, subscribers.ErrMany.
func (p *Publisher) AskMine(ctx context.Context, email, language string, e subscribers.Evidence) error {
	err := p.enter(ctx, subscribers.Asked{Manage: true, Addition: subscribers.Addition{Email: email, Language: language}, Evidence: e}, false)
	if err != nil {
		return fmt.Errorf("ask for a link: %w", err)
	}
	return nil
}

// mailMine mails the link that a form asked for, if anybody has the address.
func (p *Publisher) mailMine(ctx context.Context, tx *store.Tx, c confirmable) error {
	person, err := subscribers.ByEmail(ctx, tx, c.Addition.Email)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return p.mailManage(ctx, tx, person, c.mail, c.Evidence)
}

// AskMineBy is AskMine for the person of an unsubscribe link; of who is gone nothing happens.
func (p *Publisher) AskMineBy(ctx context.Context, token string, e subscribers.Evidence) error {
	t, _, err := p.key.OpenLeave(token) // the mailbox is asked, whatever the link is
	if err != nil {
		return err
	}
	v, err := p.visit(ctx, p.db, t)
	if err != nil || v.Masked == "" {
		return err
	}
	person, err := subscribers.ByID(ctx, p.db, t.SubscriberID)
	if err != nil {
		return fmt.Errorf("ask for a link: %w", err)
	}
	return p.AskMine(ctx, person.Email, v.Language, e)
}

func (p *Publisher) mineMail(language string) (render.Email, error) {
	w := templates.In(cmp.Or(language, p.site.Language))
	return p.note(render.Note{
		Language: w.Language(), Subject: w.T("letter.mine_subject", "site", p.site.Name),
		Paragraphs: []string{w.T("letter.mine_text", "site", p.site.Name)},
		Button:     &render.Link{Title: w.T("letter.mine_button"), URL: p.url("mine", tokenHole)},
		After:      []string{w.T("letter.mine_after")},
	})
}

func (p *Publisher) mailManage(ctx context.Context, tx *store.Tx, person subscribers.Subscriber, mail render.Email, e subscribers.Evidence) error {
	token, err := p.people.AskManage(ctx, tx, person.ID, e)
	if err != nil || token == "" {
		return err
	}
	return p.enqueue(ctx, tx, []outbox.Notice{p.linkNotice(ctx, tx, mail, token, noticeTo{subscriberID: person.ID}, "")})
}

// linkNotice is a mail with a fresh link in it, to a person's address or to one given. Kind login: it lets its reader in, once it has
// reached them.
func (p *Publisher) linkNotice(ctx context.Context, tx *store.Tx, mail render.Email, token string, person noticeTo, email string) outbox.Notice {
	from := p.sender(ctx, tx, person)
	to := outbox.Notice{SubscriberID: person.subscriberID, ToEmail: email}
	hash := sha256.Sum256([]byte(token))
	to.Kind, to.Dedupe, to.Expires = "login", "link "+hex.EncodeToString(hash[:]), p.now().Add(linkLives)
	to.FromName, to.FromEmail = from.FromName, from.FromEmail
	to.Subject = mail.Subject
	to.HTML, to.Text = strings.ReplaceAll(mail.HTML, tokenHole, token), strings.ReplaceAll(mail.Text, tokenHole, token)
	return to
}

// Mine is the page of a fresh link.
type Mine struct {
	Masked, Language string
	Preferences      string // token of the page of preferences; empty: they are in no series
}

// VisitMine reads a fresh link. subscribers.ErrToken, subscribers.ErrExpired.
func (p *Publisher) VisitMine(ctx context.Context, token string) (Mine, error) {
	person, err := p.people.Manage(ctx, p.db, token)
	if err != nil {
		return Mine{}, err
	}
	m := Mine{Masked: masked(person.Email), Language: cmp.Or(person.Language, p.site.Language)}
	enrolments, err := subscribers.Enrolments(ctx, p.db, person.ID)
	if err != nil {
		return Mine{}, err
	}
	if len(enrolments) > 0 {
		m.Preferences = p.key.Seal(subscribers.Token{
			Purpose: subscribers.PurposeUnsubscribe, SubscriberID: person.ID, SeriesID: enrolments[0].SeriesID,
		})
	}
	return m, nil
}

func masked(email string) string {
	address, err := subscribers.ParseAddress(email)
	if err != nil {
		return ""
	}
	return address.Masked()
}

// Download is all that is known about the person of a fresh link: the document of Person.
func (p *Publisher) Download(ctx context.Context, token string) (Person, error) {
	person, err := p.people.Manage(ctx, p.db, token)
	if err != nil {
		return Person{}, err
	}
	return p.Person(ctx, person.Email)
}

// EraseMine erases the person of a fresh link.
func (p *Publisher) EraseMine(ctx context.Context, token string) error {
	err := p.db.InTx(ctx, func(tx *store.Tx) error {
		person, err := p.people.Manage(ctx, tx, token)
		if err != nil {
			return err
		}
		return p.people.Erase(ctx, tx, person.ID)
	})
	if err != nil {
		return err
	}
	if _, err := subscribers.Wipe(ctx, p.db); err != nil { // they are erased; RunDue tries again
		p.log.ErrorContext(ctx, "the log still has who was erased", "error", err)
	}
	return nil
}

// AskAddress mails a link to a new address, by which it is proved; the fresh link has proved the old one. It answers the
// same whatever becomes of the mail: the new address, masked so that it doesn't look like the old one. subscribers.ErrAddress,
// subscribers.ErrMany, since it mails somebody who may never have asked, and the errors of VisitMine.
func (p *Publisher) AskAddress(ctx context.Context, token, email, language string, e subscribers.Evidence) (masked string, err error) {
	w := templates.In(cmp.Or(language, p.site.Language))
	mail, err := p.note(render.Note{
		Language: w.Language(), Subject: w.T("letter.address_subject", "site", p.site.Name),
		Paragraphs: []string{w.T("letter.address_text", "site", p.site.Name)},
		Button:     &render.Link{Title: w.T("letter.address_button"), URL: p.url("address", tokenHole)},
		After:      []string{w.T("letter.address_after")},
	})
	if err != nil {
		return "", fmt.Errorf("new address: %w", err)
	}
	network, _ := netip.ParseAddr(e.IP) // those without an address are one network
	if err := p.people.Admit(ctx, p.db, network); err != nil {
		return "", fmt.Errorf("new address: %w", err)
	}
	err = p.db.InTx(ctx, func(tx *store.Tx) error {
		person, err := p.people.Manage(ctx, tx, token)
		if err == nil {
			err = p.people.CountSignUp(ctx, tx, network)
		}
		if err != nil {
			return err
		}
		from, err := subscribers.ParseAddress(person.Email)
		if err != nil {
			return fmt.Errorf("new address of subscriber %d: %w", person.ID, err)
		}
		link, to, err := p.people.AskAddress(ctx, tx, token, email, e)
		if err != nil {
			return err
		}
		if _, masked = subscribers.MaskedApart(from, to); link == "" {
			return nil
		}
		return p.enqueue(ctx, tx, []outbox.Notice{p.linkNotice(ctx, tx, mail, link, noticeTo{person.ID, true}, to.Typed)})
	})
	if err != nil {
		return "", err
	}
	p.wake()
	return masked, nil
}

// NewAddress is the page of the link that was mailed to a new address.
type NewAddress struct{ Old, New, Language string }

// VisitAddress reads it; both addresses come masked, but never alike. subscribers.ErrToken, subscribers.ErrExpired.
func (p *Publisher) VisitAddress(ctx context.Context, token string) (NewAddress, error) {
	person, to, err := p.people.NewAddress(ctx, p.db, token)
	if err != nil {
		return NewAddress{}, err
	}
	from, err := subscribers.ParseAddress(person.Email)
	if err != nil {
		return NewAddress{}, fmt.Errorf("new address of subscriber %d: %w", person.ID, err)
	}
	v := NewAddress{Language: cmp.Or(person.Language, p.site.Language)}
	v.Old, v.New = subscribers.MaskedApart(from, to)
	return v, nil
}

// ChangeAddress makes the change, and tells the old address. The errors of subscribers.Registry.ChangeAddress.
func (p *Publisher) ChangeAddress(ctx context.Context, token string, e subscribers.Evidence) error {
	v, err := p.VisitAddress(ctx, token)
	if err != nil {
		return err
	}
	w := templates.In(v.Language)
	mail, err := p.note(render.Note{
		Language: w.Language(), Subject: w.T("letter.moved_subject", "site", p.site.Name),
		Paragraphs: []string{w.T("letter.moved_text", "site", p.site.Name, "email", v.New)},
		After:      []string{w.T("letter.moved_after")},
	})
	if err != nil {
		return fmt.Errorf("change address: %w", err)
	}
	err = p.db.InTx(ctx, func(tx *store.Tx) error {
		id, old, err := p.people.ChangeAddress(ctx, tx, token, e)
		if err != nil {
			return err
		}
		n := p.linkNotice(ctx, tx, mail, "moved "+token, noticeTo{subscriberID: id}, old)
		n.Expires = p.now().Add(requestLives)
		return p.enqueue(ctx, tx, []outbox.Notice{n})
	})
	if err == nil {
		p.wake()
	}
	return err
}
