package newsletter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pressrun/newsletter/series"
)

// fewArticles is from how many articles left on the editors are told; again at one and at none.
const fewArticles = 4

// left is what goes after an issue as things are: articles, one more at most than the editors are told of, up to a draft that would
// hold its slot. One that is pinned holds its date only.
type left struct {
	articles []series.Article
	goes     time.Time      // when the last of them does
	draft    series.Article // zero: none
}

// articlesLeft looks at what goes in some slots after one that f has as sent already. It changes f.Had.
func articlesLeft(f series.Facts, slots []series.Slot) (l left) {
	for _, slot := range slots {
		switch d := step(f, slot); d.Outcome {
		case series.Send:
			l.articles, l.goes = append(l.articles, d.Article), slot.At
		case series.Blocked:
			if d.Article.ID != slot.PinnedID {
				l.draft = d.Article
				return l
			}
			delete(f.Had, d.Article.ID) // the slot after it goes on in the order
		}
		if len(l.articles) > fewArticles {
			return l
		}
	}
	return l
}

// slotsLeft are the slots after one that articles left would go in: the next ones, as many more as pinned drafts may hold, and further ahead
// those that one is pinned to.
func (p *Publisher) slotsLeft(ctx context.Context, s series.Series, slot series.Slot, pins []series.Pin) ([]series.Slot, error) {
	slots, err := openSlots(ctx, p.db, s, slot.At, fewArticles+1+len(pins))
	if err != nil || len(slots) == 0 {
		return nil, err
	}
	last := slots[len(slots)-1].At
	for _, pin := range pins {
		if pin.At.After(last) {
			slots = append(slots, series.Slot{SeriesID: s.ID, Wall: pin.Wall, At: pin.At, PinnedID: pin.ArticleID})
		}
	}
	return slots, nil
}

// tellLeft tells the editors if articles run out with issues that went by hand, were released, or are a drip slot's: of several,
// the readers who have the fewest left count. slot is theirs, or when they were made. Nothing is stopped by words, so what fails is logged.
func (p *Publisher) tellLeft(ctx context.Context, s series.Series, slot series.Slot, issues ...series.Issue) {
	if len(p.site.NotifyTo) == 0 || len(issues) == 0 {
		return
	}
	last, l, err := p.foremost(ctx, s, slot, issues)
	if err == nil && last.ID != 0 {
		for _, w := range p.afterWords(s, slot, last, l) {
			err = errors.Join(err, p.Tell(ctx, w.dedupe, w.subject, w.paragraphs))
		}
	}
	if err != nil {
		p.log.ErrorContext(ctx, "not told how many articles are left", "series", s.Slug, "error", err)
	}
}

// foremost is the last article that those had who have the fewest left, and what these are. In live all have the same; in drip only
// those count who had one since the slot. Zero: there is nobody.
func (p *Publisher) foremost(ctx context.Context, s series.Series, slot series.Slot, issues []series.Issue) (last series.Article, least left, err error) {
	facts, err := series.FactsOf(ctx, p.db, s)
	if err != nil {
		return last, least, err
	}
	slots, err := p.slotsLeft(ctx, s, slot, facts.Pins)
	if err != nil {
		return last, least, err
	}
	if s.Mode == series.Live {
		last, err = series.ArticleByID(ctx, p.db, issues[0].ArticleID)
		return last, articlesLeft(facts, slots), err
	}
	positions, err := groups(ctx, p.db, s, facts, slot.At)
	if err != nil {
		return last, least, err
	}
	for _, g := range positions {
		had := newest(g.facts)
		if had.ID == 0 || g.facts.Had[had.ID].UnixMilli() < slot.At.UnixMilli() {
			continue
		}
		g.facts.Welcomed = time.Time{} // a welcome puts a slot off, and uses nothing up
		if l := articlesLeft(g.facts, slots); last.ID == 0 || len(l.articles) < len(least.articles) {
			last, least = had, l
		}
	}
	return last, least, nil
}

// newest is the article that was had last; zero: none was.
func newest(f series.Facts) (a series.Article) {
	for _, x := range f.Articles {
		if at, had := f.Had[x.ID]; had && (a.ID == 0 || !at.Before(f.Had[a.ID])) {
			a = x
		}
	}
	return a
}

// afterWords are what the editors hear of what comes after last, which goes in slot.
func (p *Publisher) afterWords(s series.Series, slot series.Slot, last series.Article, l left) []word {
	if len(l.articles) == 0 && l.draft.ID != 0 {
		return []word{p.nextDraftWord(s, l.draft)}
	}
	return p.leftWords(s, slot, last, l)
}

// leftWords says that articles run out: those left after last, which goes in slot.
func (p *Publisher) leftWords(s series.Series, slot series.Slot, last series.Article, l left) []word {
	n := len(l.articles)
	if n != 0 && n != 1 && n != fewArticles {
		return nil
	}
	about := []any{"series", s.Title, "title", last.Title, "when", p.at(s, slot.At), "slug", s.Slug}
	if n == 0 {
		return []word{p.word(fmt.Sprintf("left %s 0 %d", s.Slug, last.ID), "left_none", about...)}
	}
	end, key := l.articles[n-1], "left_one"
	if n == fewArticles {
		key = "left_four"
	}
	about = append(about, "last", end.Title, "goes", p.at(s, l.goes))
	return []word{p.word(fmt.Sprintf("left %s %d %d", s.Slug, n, end.ID), key, about...)}
}
