package newsletter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"pressrun/newsletter/outbox"
	"pressrun/newsletter/render"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// Subscribe takes a form. It looks at no address: for each one it asks the database the same and writes the same, so that
// neither its answer nor its time tells who is on the list. TakeRequests then finds out whether a confirmation is due. When
// it returns nil the form is on the disk.
//
// Errors are for what the visitor can mend (subscribers.ErrAddress, subscribers.ErrField), an unknown series, and
// subscribers.ErrMany where too many forms came from their network.
func (p *Publisher) Subscribe(ctx context.Context, form Signup) error {
	wanted, err := p.named(ctx, form.Series)
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	form.Language = cmp.Or(form.Language, wanted[0].Language, p.site.Language)
	form.Evidence.Language = cmp.Or(form.Evidence.Language, form.Language)
	asked := subscribers.Asked{
		Addition: subscribers.Addition{Email: form.Email, Name: form.Name, Language: form.Language}, Evidence: form.Evidence,
	}
	for _, s := range wanted {
		asked.Series = append(asked.Series, s.ID)
	}
	if err := p.enter(ctx, asked, form.ByOwner); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	return nil
}

// enter is the one door through which strangers come in, whatever form they used. The caps stop everybody but the owner.
func (p *Publisher) enter(ctx context.Context, asked subscribers.Asked, owner bool) error {
	from, _ := netip.ParseAddr(asked.Evidence.IP) // those without an address are one network
	if !owner {
		if err := p.people.Admit(ctx, p.db, from); err != nil { // without a lock: a flood must not hold it
			return err
		}
	}
	err := p.db.Together(ctx, func(tx *store.Tx) error {
		if !owner {
			if err := p.people.CountSignUp(ctx, tx, from); err != nil {
				return err
			}
		}
		return p.people.Ask(ctx, tx, asked)
	})
	if err != nil {
		return err
	}
	select {
	case p.asked <- struct{}{}:
	default:
	}
	return nil
}

// formsTogether is how many forms are looked at in one transaction.
const formsTogether = 50

// TakeRequests looks at the forms that wait, and queues a confirmation for whoever may be asked, or the link they wish. Nothing that the visitor typed
// stands in the mail. Run does so as soon as a form came; a crash before that leaves it for the next call.
func (p *Publisher) TakeRequests(ctx context.Context) error {
	p.taking.Lock()
	defer p.taking.Unlock()
	for {
		waiting, err := subscribers.Waiting(ctx, p.db, formsTogether)
		if err != nil || len(waiting) == 0 {
			return err
		}
		if err := p.takeAll(ctx, waiting); err != nil {
			return fmt.Errorf("sign-ups that wait: %w", err)
		}
		p.wake()
	}
}

// confirmable is a form with the mail that asks to confirm it.
type confirmable struct {
	subscribers.Asked
	wanted []series.Series
	mail   render.Email
}

func (p *Publisher) takeAll(ctx context.Context, waiting []subscribers.Asked) error {
	var all []confirmable
	for _, a := range waiting { // rendered before the lock
		c, err := p.confirmable(ctx, a, all)
		if err != nil {
			return err
		}
		all = append(all, c)
	}
	return p.db.InTx(ctx, func(tx *store.Tx) error {
		for _, c := range all {
			if err := p.join(ctx, tx, c); err != nil {
				return fmt.Errorf("form %d: %w", c.ID, err)
			}
		}
		return nil
	})
}

// confirmable writes the mail for a form, or takes that of another one for the same series.
func (p *Publisher) confirmable(ctx context.Context, a subscribers.Asked, before []confirmable) (confirmable, error) {
	for _, c := range before {
		if c.Manage == a.Manage && c.Addition.Language == a.Addition.Language && slices.Equal(c.Series, a.Series) {
			return confirmable{Asked: a, wanted: c.wanted, mail: c.mail}, nil
		}
	}
	c := confirmable{Asked: a}
	for _, id := range a.Series {
		s, err := series.ByID(ctx, p.db, id)
		if err != nil {
			return confirmable{}, err
		}
		c.wanted = append(c.wanted, s)
	}
	var err error
	if a.Manage {
		c.mail, err = p.mineMail(a.Addition.Language)
		return c, err
	}
	c.mail, err = p.confirmation(ctx, c.wanted, a.Addition.Language)
	return c, err
}

// join queues the mail of a form where one is due.
func (p *Publisher) join(ctx context.Context, tx *store.Tx, c confirmable) error {
	err := subscribers.TakeAsked(ctx, tx, c.Asked)
	if errors.Is(err, store.ErrNotFound) {
		return nil // another process has it
	}
	if err != nil {
		return err
	}
	if c.Manage {
		return p.mailMine(ctx, tx, c)
	}
	request, err := p.people.JoinAsked(ctx, tx, c.Asked)
	if errors.Is(err, subscribers.ErrAddress) || errors.Is(err, subscribers.ErrField) { // a newer version takes less than the one that stored it
		p.log.WarnContext(ctx, "sign-up dropped", "form", c.ID, "cause", err)
		return nil
	}
	if err != nil || request.Token == "" {
		return err
	}
	about, from := int64(0), c.wanted[0]
	if len(request.Series) == 1 {
		about = request.Series[0]
	}
	return p.enqueue(ctx, tx, []outbox.Notice{{
		Kind: "confirmation", Dedupe: confirmationOf(request.Serial),
		SubscriberID: request.Subscriber.ID, SeriesID: about,
		FromName: from.FromName, FromEmail: from.FromEmail, ReplyTo: from.ReplyTo, Subject: c.mail.Subject,
		HTML: strings.ReplaceAll(c.mail.HTML, tokenHole, request.Token), Text: strings.ReplaceAll(c.mail.Text, tokenHole, request.Token),
		Expires: c.At.Add(requestLives),
	}})
}

// confirmationOf is the key of the mail that asks to confirm a request.
func confirmationOf(serial int64) string { return fmt.Sprintf("confirmation %d", serial) }

// takeWhenAsked looks at forms as they come, until ctx ends.
func (p *Publisher) takeWhenAsked(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.asked:
		}
		if err := p.TakeRequests(ctx); err != nil && ctx.Err() == nil {
			p.log.ErrorContext(ctx, "sign-ups wait", "error", err) // RunDue tries again
		}
	}
}
