package newsletter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// Announcement is what is sent outside the order, and to whom.
type Announcement struct {
	Series          []string // slugs
	Where           string   // of these series only whom this filter picks (subscribers.Filter); empty: everybody
	Article         string   // the slug of an article of any series; or else
	Title, Markdown string   // a text of its own
}

// Everybody says whether an announcement goes to all readers of a series. Of the article's own series it is the article's issue then,
// as one sent by hand is; else the article keeps its turn there, and those who had it are left out.
func (a Announcement) Everybody(series string) bool {
	return strings.TrimSpace(a.Where) == "" && slices.Contains(a.Series, series)
}

// Announce sends an article, or a Markdown text with a title, to the active readers of the given series, or a segment of them,
// outside the order (rule 18), once to each person: who had the same words within a week is left out, so that a command that is run again
// mails nobody twice. It carries the disclaimers of all of these series; the sender is the article's series, else the first.
func (p *Publisher) Announce(ctx context.Context, a Announcement, dryRun bool) (issue string, readers int64, err error) {
	p.due.Lock()
	defer p.due.Unlock()
	wrap := func(err error) error { return fmt.Errorf("announce: %w", err) }
	to, err := p.addressed(ctx, a)
	if err != nil {
		return "", 0, wrap(err)
	}
	frozen, err := p.announcement(ctx, to, a)
	if err != nil {
		return "", 0, wrap(err)
	}
	had, err := p.hadSame(ctx, frozen)
	if err != nil {
		return "", 0, wrap(err)
	}
	if dryRun {
		if readers, err = p.countAnnouncement(ctx, to, frozen.Article, had); err == nil && readers == 0 {
			err = errNobodyLacks
		}
		if err != nil {
			return "", 0, wrap(err)
		}
		return "", readers, nil
	}
	if err := p.mayLeave(ctx); err != nil {
		return "", 0, wrap(err)
	}
	issue, readers, err = p.fillAnnouncement(ctx, frozen, to, had)
	if err != nil {
		return "", 0, wrap(err)
	}
	if frozen.Everybody {
		p.tellLeft(ctx, frozen.Series, p.thisMinute(frozen.Series), series.Issue{ArticleID: frozen.Article.ID})
	}
	p.wake()
	return issue, readers, nil
}

// errNobodyLacks says that an announcement would reach nobody.
var errNobodyLacks = fmt.Errorf("%w: nobody is there who has not had it (to say it again within a week, change the words)", ErrNothing)

// addressee is a series that an announcement goes to, and whom of it.
type addressee struct {
	series.Series
	all    bool
	picked map[int64]bool // unless all
}

func (a addressee) has(subscriberID int64) bool { return a.all || a.picked[subscriberID] }

// addressed are the series that an announcement goes to.
func (p *Publisher) addressed(ctx context.Context, a Announcement) ([]addressee, error) {
	if len(a.Series) == 0 {
		return nil, fmt.Errorf("%w: it needs at least one series", series.ErrInvalid)
	}
	var all []addressee
	for _, slug := range a.Series {
		s, err := series.BySlug(ctx, p.db, slug)
		if err != nil {
			return nil, err
		}
		if err := p.allImported(ctx, p.db, s); err != nil {
			return nil, err
		}
		to := addressee{Series: s, all: strings.TrimSpace(a.Where) == "", picked: map[int64]bool{}}
		if !to.all {
			where, err := subscribers.ReadFilter(ctx, p.db, a.Where, location(s))
			if err == nil {
				err = subscribers.Picked(ctx, p.db, s.ID, where, func(id int64) { to.picked[id] = true })
			}
			if err != nil {
				return nil, err
			}
		}
		all = append(all, to)
	}
	return all, nil
}

// announcement renders what an announcement says.
func (p *Publisher) announcement(ctx context.Context, to []addressee, said Announcement) (series.Frozen, error) {
	from := to[0].Series
	var a series.Article
	l, err := p.frame(ctx, p.db, from)
	if err != nil {
		return series.Frozen{}, err
	}
	l.Title, l.Markdown = said.Title, said.Markdown
	if said.Article != "" {
		if a, err = series.ArticleBySlug(ctx, p.db, said.Article); err != nil {
			return series.Frozen{}, err
		}
		if a.State != series.Ready {
			return series.Frozen{}, fmt.Errorf("%w: article %s is %s; make it ready first", ErrNothing, said.Article, a.State)
		}
		if from, err = series.ByID(ctx, p.db, a.SeriesID); err != nil {
			return series.Frozen{}, err
		}
		if l, err = p.letter(ctx, p.db, from, a); err != nil {
			return series.Frozen{}, err
		}
	}
	texts := []string{from.Disclaimer.Text}
	for _, s := range to {
		if !slices.Contains(texts, s.Disclaimer.Text) {
			texts = append(texts, s.Disclaimer.Text)
		}
	}
	l.Disclaimer = strings.Join(texts, "\n\n")
	frozen, err := p.write(ctx, from, a, l)
	if err == nil {
		err = p.cleared(ctx, frozen)
	}
	frozen.Slot, frozen.Kind = p.thisMinute(series.Series{Zone: p.site.Zone}).Wall, "announcement"
	frozen.Everybody = a.ID != 0 && said.Everybody(from.Slug)
	return frozen, err
}

// sameWords is for how long an announcement with the same words is the same announcement.
const sameWords = 7 * 24 * time.Hour

// hadSame are the people who had an announcement of the same words lately. Where it is an article's, that counts as had
// anyway.
func (p *Publisher) hadSame(ctx context.Context, f series.Frozen) (map[int64]bool, error) {
	if f.Article.ID != 0 {
		return nil, nil
	}
	all, err := series.Issues(ctx, p.db, 0, 0)
	if err != nil {
		return nil, err
	}
	had := map[int64]bool{}
	for _, issue := range all {
		if p.now().Sub(issue.Frozen) >= sameWords {
			break
		}
		if issue.Kind != f.Kind || issue.ArticleID != 0 || issue.Subject != f.Subject {
			continue
		}
		if issue, err = series.IssueByID(ctx, p.db, issue.ID); err != nil {
			return nil, err
		}
		if issue.Text != f.Text {
			continue
		}
		if err := outbox.Recipients(ctx, p.db, issue.ID, func(subscriber int64) { had[subscriber] = true }); err != nil {
			return nil, err
		}
	}
	return had, nil
}

// eachLacking calls f with the readers of one series whom an announcement goes to, some at a time: none who had its article, in
// whatever series (rule 14), or who had the same words.
func (p *Publisher) eachLacking(ctx context.Context, s addressee, a series.Article, same map[int64]bool, f func(ids []int64) error) error {
	return eachReaders(ctx, p.db, s.ID, 0, func(readers []outbox.Reader) error {
		had := same
		if a.ID != 0 {
			var err error
			if had, err = outbox.HadBy(ctx, p.db, a.SeriesID, a.ID, readers[0].SubscriberID, readers[len(readers)-1].SubscriberID); err != nil {
				return err
			}
		}
		ids := make([]int64, 0, len(readers))
		for _, r := range readers {
			if !had[r.SubscriberID] && s.has(r.SubscriberID) {
				ids = append(ids, r.SubscriberID)
			}
		}
		return f(ids)
	})
}

// countAnnouncement counts the people whom an announcement would go to.
func (p *Publisher) countAnnouncement(ctx context.Context, to []addressee, a series.Article, same map[int64]bool) (int64, error) {
	people := map[int64]bool{}
	for _, s := range to {
		err := p.eachLacking(ctx, s, a, same, func(ids []int64) error {
			for _, id := range ids {
				people[id] = true
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	return int64(len(people)), nil
}

// fillAnnouncement freezes the issue, writes its rows in chunks and opens it. Who reads several of its series gets it as a reader of
// the article's own, whose sender it has; else of the first.
func (p *Publisher) fillAnnouncement(ctx context.Context, f series.Frozen, to []addressee, same map[int64]bool) (name string, readers int64, err error) {
	if own := slices.IndexFunc(to, func(s addressee) bool { return s.ID == f.Article.SeriesID }); own > 0 {
		to[0], to[own] = to[own], to[0]
	}
	var issue series.Issue
	err = p.db.InTx(ctx, func(tx *store.Tx) error {
		issue, err = series.Freeze(ctx, tx, f, p.now())
		return sameMinute(err)
	})
	if err != nil {
		return "", 0, err
	}
	for i, s := range to {
		n, err := p.addReaders(ctx, issue, s, f.Article, same)
		readers += n
		if err == nil && readers == 0 && i == len(to)-1 {
			err = errNobodyLacks
		}
		if err != nil {
			discard := p.db.InTx(context.WithoutCancel(ctx), func(tx *store.Tx) error {
				return outbox.Cancel(ctx, tx, issue.ID, "It could not be queued for all readers; nobody got it.", p.now())
			})
			return "", 0, errors.Join(err, discard)
		}
	}
	return issue.Name, readers, p.db.InTx(ctx, func(tx *store.Tx) error { return outbox.Open(ctx, tx, p.now(), issue.ID) })
}

// addReaders writes the rows of an announcement for the readers of one series, and says how many.
func (p *Publisher) addReaders(ctx context.Context, issue series.Issue, s addressee, a series.Article, same map[int64]bool) (added int64, err error) {
	err = p.eachLacking(ctx, s, a, same, func(ids []int64) error {
		return p.db.InTx(ctx, func(tx *store.Tx) error {
			n, err := outbox.AddFor(ctx, tx, issue.ID, s.ID, ids, p.now())
			added += n
			return err
		})
	})
	return added, err
}
