package newsletter

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"time"

	"pressrun/newsletter/mailer"
	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
	"pressrun/templates"
)

// Preview is a message as a reader would get it.
type Preview struct {
	Article, Subject string
	HTML, Text       string
	EML              []byte
	Pictures         map[string]series.Picture // of ours in the HTML, by address
}

// Preview renders the next article of a series (or the named one) as the message for a subscriber (or, email "", for a reader
// without a name). Its links are inert: the token belongs to nobody. ErrNothing where no article is next.
func (p *Publisher) Preview(ctx context.Context, seriesSlug, articleSlug, email string) (Preview, error) {
	s, err := series.BySlug(ctx, p.db, seriesSlug)
	if err != nil {
		return Preview{}, fmt.Errorf("preview: %w", err)
	}
	to := mailer.Mailbox{Email: "reader@example.org"}
	var subscriberID int64
	if email != "" {
		person, err := subscribers.ByEmail(ctx, p.db, email)
		if err != nil {
			return Preview{}, fmt.Errorf("preview: %w", err)
		}
		address, err := subscribers.ParseAddress(person.Email)
		if err != nil {
			return Preview{}, fmt.Errorf("preview: %w", err)
		}
		subscriberID, to = person.ID, mailer.Mailbox{Name: person.Name, Email: address.Wire}
	}
	a, err := p.articleFor(ctx, s, articleSlug, subscriberID)
	if err != nil {
		return Preview{}, fmt.Errorf("preview: %w", err)
	}
	at, err := p.leaves(ctx, s)
	if err != nil {
		return Preview{}, fmt.Errorf("preview: %w", err)
	}
	frozen, err := p.writeArticle(ctx, s, a, at)
	if err != nil {
		return Preview{}, fmt.Errorf("preview: %w", err)
	}
	v, err := p.previewOf(frozen, to)
	if err != nil {
		return Preview{}, err
	}
	v.Pictures, err = p.picturesIn(ctx, v.HTML)
	return v, err
}

var pictureFile = regexp.MustCompile(`/p/([0-9a-f]{64})\.(?:jpg|png)`)

// picturesIn are our own pictures that HTML loads, by address.
func (p *Publisher) picturesIn(ctx context.Context, html string) (map[string]series.Picture, error) {
	found := map[string]series.Picture{}
	for _, m := range pictureFile.FindAllStringSubmatch(html, -1) {
		picture, err := series.PictureByHash(ctx, p.db, m[1])
		if errors.Is(err, store.ErrNotFound) {
			continue // somebody else's address
		}
		if err != nil {
			return nil, fmt.Errorf("preview: %w", err)
		}
		found[p.url("p", picture.File(m[1]))] = picture
	}
	return found, nil
}

// previewOf composes the message as the outbox would.
func (p *Publisher) previewOf(f series.Frozen, to mailer.Mailbox) (Preview, error) {
	reader := p.nobody(f.Series)
	reader.Name = to.Name
	v := Preview{Article: f.Article.Slug}
	v.Subject, v.HTML, v.Text = reader.Fill(f.Subject, f.HTML, f.Text)
	from, err := subscribers.ParseAddress(f.Series.FromEmail)
	if err != nil {
		return Preview{}, fmt.Errorf("preview: sender of series %s: %w", f.Series.Slug, err)
	}
	m, err := mailer.Compose(mailer.Draft{
		MessageID: "preview." + f.Article.Slug + "@" + from.Domain, Date: p.now(),
		From: mailer.Mailbox{Name: f.Series.FromName, Email: from.Wire}, To: to, ReplyTo: f.Series.ReplyTo,
		Subject: v.Subject, HTML: v.HTML, Text: v.Text,
		List: &mailer.List{ID: outbox.ListID(f.Series.ListLabel(), f.Series.FromEmail), Name: f.Series.FromName, UnsubscribeURL: reader.UnsubscribeURL},
	})
	if err != nil {
		return Preview{}, fmt.Errorf("preview: %w", err)
	}
	v.EML = m.Bytes
	return v, nil
}

// InertLink is an unsubscribe link that looks like a reader's and belongs to nobody: pressing its button changes nothing.
func (p *Publisher) InertLink(s series.Series) string { return p.nobody(s).UnsubscribeURL }

// nobody is a reader without a name, whose links are inert.
func (p *Publisher) nobody(s series.Series) outbox.Personal {
	token := p.key.Seal(subscribers.Token{Purpose: subscribers.PurposeUnsubscribe, SeriesID: s.ID})
	return outbox.Personal{UnsubscribeURL: p.url("u", token), PreferencesURL: p.url("preferences", token)}
}

// articleFor is the article of a slug, or, where it is empty, what comes next in the series; in drip for that reader. A
// draft that would block is next too: it is what the editor wants to see.
func (p *Publisher) articleFor(ctx context.Context, s series.Series, slug string, subscriberID int64) (series.Article, error) {
	if slug != "" {
		return p.articleOf(ctx, s, slug)
	}
	slot, found, err := firstOpen(ctx, p.db, s, p.now())
	if err != nil {
		return series.Article{}, err
	}
	if !found {
		slot.At = p.now()
	}
	facts, err := series.FactsOf(ctx, p.db, s)
	if err == nil && s.Mode == series.Drip {
		facts, err = p.dripFacts(ctx, s, subscriberID)
	}
	if err != nil {
		return series.Article{}, err
	}
	d := series.Next(atSlot(facts, slot))
	if d.Article.ID == 0 {
		return series.Article{}, fmt.Errorf("series %s: %w: %s Any article can be named", s.Slug, ErrNothing, d.Why)
	}
	return series.ArticleByID(ctx, p.db, d.Article.ID)
}

// dripFacts are the facts of one reader; of somebody new for subscriberID 0.
func (p *Publisher) dripFacts(ctx context.Context, s series.Series, subscriberID int64) (series.Facts, error) {
	facts, err := series.FactsOf(ctx, p.db, s)
	if err != nil || subscriberID == 0 {
		return facts, err
	}
	reader, err := outbox.ReaderOf(ctx, p.db, s.ID, subscriberID)
	if err != nil {
		return facts, fmt.Errorf("series %s: this person was never in it: %w", s.Slug, err)
	}
	return readerFacts(facts, reader), nil
}

// articleOf is an article by its slug; series.ErrNoArticle too where it belongs to another series.
func (p *Publisher) articleOf(ctx context.Context, s series.Series, slug string) (series.Article, error) {
	a, err := series.ArticleBySlug(ctx, p.db, slug)
	if err != nil {
		return a, err
	}
	if a.SeriesID != s.ID {
		return a, fmt.Errorf("article %s is not in series %s: %w", slug, s.Slug, series.ErrNoArticle)
	}
	return a, nil
}

// testExpires is how long a test is worth sending.
const testExpires = 24 * time.Hour

// SendTest queues an article (the next one where articleSlug is empty) as a test notice to one address, as readers will
// see it; its unsubscribe link is inert. Who may send tests where is the caller's to decide.
func (p *Publisher) SendTest(ctx context.Context, seriesSlug, articleSlug, to string) error {
	address, err := subscribers.ParseAddress(to)
	if err != nil {
		return fmt.Errorf("test: %w", err)
	}
	s, err := series.BySlug(ctx, p.db, seriesSlug)
	if err != nil {
		return fmt.Errorf("test: %w", err)
	}
	a, err := p.articleFor(ctx, s, articleSlug, 0)
	if err != nil {
		return fmt.Errorf("test: %w", err)
	}
	at, err := p.leaves(ctx, s)
	if err != nil {
		return fmt.Errorf("test: %w", err)
	}
	f, err := p.writeArticle(ctx, s, a, at)
	if err != nil {
		return fmt.Errorf("test: %w", err)
	}
	subject, html, text := p.nobody(s).Fill(f.Subject, f.HTML, f.Text)
	n := outbox.Notice{
		Kind: "test", Dedupe: "test " + rand.Text(), ToEmail: address.Typed, FromName: s.FromName, FromEmail: s.FromEmail, ReplyTo: s.ReplyTo,
		Subject: templates.InMail(cmp.Or(s.Language, p.site.Language)).T("letter.test_subject", "subject", subject),
		HTML:    html, Text: text, Expires: p.now().Add(testExpires),
	}
	if err := p.db.InTx(ctx, func(tx *store.Tx) error { return p.enqueue(ctx, tx, []outbox.Notice{n}) }); err != nil {
		return fmt.Errorf("test: %w", err)
	}
	p.wake()
	return nil
}
