package newsletter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
	"pressrun/templates"
)

const (
	proofAhead = 24 * time.Hour   // before a slot its editors see what it will send (rule 20)
	proofAgain = 15 * time.Minute // between two looks at what a slot will send, which may have changed
)

// proofs remembers when slots were last looked at, so that none costs a forecast every half minute.
type proofs map[string]time.Time

// prove mails the editors what the coming slot of each series will send: the letters as readers will see them, and a word with
// what preflight finds and the links to hold and to edit. Each is said once for a slot, and again where the slot will send something
// else: another article, or another revision or disclaimer of it. What can't be rendered is said in the word.
func (p *Publisher) prove(ctx context.Context) error {
	if len(p.site.NotifyTo) == 0 {
		return nil
	}
	all, err := series.All(ctx, p.db)
	if err != nil {
		return fmt.Errorf("proofs: %w", err)
	}
	var errs []error
	for _, s := range all {
		if s.Paused {
			continue
		}
		err := guarded(func() error { return p.proveSeries(ctx, s) })
		if err != nil {
			errs = append(errs, fmt.Errorf("series %s: proof: %w", s.Slug, err))
		}
	}
	return errors.Join(errs...)
}

func (p *Publisher) proveSeries(ctx context.Context, s series.Series) error {
	now := p.now()
	slots, err := coming(ctx, p.db, s, now, 1)
	if err != nil || len(slots) == 0 || slots[0].State != series.SlotPlanned || slots[0].At.Sub(now) > proofAhead {
		return err
	}
	slot := slots[0]
	name := slotName(s, slot)
	if last, looked := p.proofs[name]; looked && now.Sub(last) < proofAgain {
		return nil
	}
	p.proofs[name] = now
	planned, err := p.planSeries(ctx, p.db, s, 1, time.Time{})
	if err != nil || len(planned) == 0 || planned[0].Slot != slot.Wall {
		return err
	}
	return p.proveSlot(ctx, s, slot, planned[0])
}

// inTheWay is what keeps a whole slot from sending what the plan has for it; empty: nothing. In drip a draft keeps only those who wait
// for it.
func (p *Publisher) inTheWay(ctx context.Context, s series.Series, slot series.Slot, row Planned) (string, error) {
	if s.Mode == series.Live {
		return row.Blocked, nil
	}
	obstacle, err := p.obstacle(ctx, p.db, s)
	return cmp.Or(obstacle, judge(s, series.Facts{}, []series.Slot{slot}, p.now())[0].obstacle), err
}

// proofKey is the key of the proof of what a slot sends: a slot that sends something else is proved anew.
func proofKey(s series.Series, slot series.Slot, a series.Article) string {
	return fmt.Sprintf("proof %s %s %d %d", slotName(s, slot), a.Slug, a.Revision, s.Disclaimer.ID)
}

// proveSlot queues the proofs of what a slot sends, but for those that were told, and for articles that aren't ready.
func (p *Publisher) proveSlot(ctx context.Context, s series.Series, slot series.Slot, row Planned) error {
	shown := row.Articles
	if s.Mode == series.Live && row.Article != "" {
		shown = []PlannedArticle{{row.Article, row.Readers}}
	}
	blocked, err := p.inTheWay(ctx, s, slot, row)
	if err != nil {
		return err
	}
	var notices []outbox.Notice
	for _, article := range shown {
		a, err := series.ArticleBySlug(ctx, p.db, article.Article)
		if err != nil {
			return err
		}
		told, err := outbox.Queued(ctx, p.db, p.keyTo(proofKey(s, slot, a), p.site.NotifyTo[0]))
		if err != nil {
			return err
		}
		if told || a.State != series.Ready {
			continue
		}
		found, err := p.foresee(ctx, s, a, slot.At)
		if err != nil {
			return err
		}
		w := p.proofWord(s, slot, a, article.Readers, blocked, found)
		said := templates.In(p.site.Language)
		notices = append(notices, p.noticesTo(ctx, w, said.T("preflight.proof.button"), p.url("desk", "issue", s.Slug, slot.Wall),
			said.T("preflight.proof.edit", "url", p.url("desk", "article", a.Slug)))...)
		notices = append(notices, p.proofLetters(ctx, s, a, slot.At)...)
	}
	if len(notices) == 0 {
		return nil
	}
	return p.db.InTx(ctx, func(tx *store.Tx) error { return p.enqueue(ctx, tx, notices) })
}

// proofWord says what goes when and to how many, what is in the way of that, and what preflight found.
func (p *Publisher) proofWord(s series.Series, slot series.Slot, a series.Article, readers int64, blocked string, found []Finding) word {
	w := templates.In(p.site.Language)
	when := slot.At.In(location(s))
	about := []any{"when", w.Time(when), "title", a.Title, "series", s.Title, "n", readers, "why", blocked}
	said := []string{w.T("preflight.proof.what", about...)}
	if blocked != "" {
		said = []string{w.T("preflight.proof.blocked", about...)}
	}
	if blocked != "" && readers > 0 {
		said = append(said, w.T("preflight.proof.mended", about...))
	}
	for _, f := range found {
		key := "preflight.proof.warning"
		if f.Error {
			key = "preflight.proof.error"
		}
		said = append(said, w.T(key, "what", f.What, "why", f.Why, "mend", f.Mend))
	}
	if len(found) == 0 {
		said = append(said, w.T("preflight.proof.clean"))
	}
	return word{proofKey(s, slot, a), w.T("preflight.proof.subject", "day", w.Date(when), "title", a.Title), said}
}

// proofLetters are the letter itself for each editor, once for each revision of article and disclaimer. One that can't be made is
// left out: the word says why.
func (p *Publisher) proofLetters(ctx context.Context, s series.Series, a series.Article, leaves time.Time) []outbox.Notice {
	f, err := p.writeArticle(ctx, s, a, leaves)
	if err != nil {
		return nil
	}
	subject, html, text := p.nobody(s).Fill(f.Subject, f.HTML, f.Text)
	var all []outbox.Notice
	for _, to := range p.site.NotifyTo {
		all = append(all, outbox.Notice{
			Kind: "test", Dedupe: p.keyTo(fmt.Sprintf("proof %s %d %d", a.Slug, a.Revision, s.Disclaimer.ID), to), ToEmail: to,
			FromName: s.FromName, FromEmail: s.FromEmail, ReplyTo: s.ReplyTo,
			Subject: templates.InMail(cmp.Or(s.Language, p.site.Language)).T("preflight.proof.letter", "subject", subject),
			HTML:    html, Text: text, Expires: p.now().Add(proofAhead),
		})
	}
	return all
}
