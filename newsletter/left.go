package newsletter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"pressrun/newsletter/series"
)

// fewArticles is from how many articles left on the editors are told; again at one and at none.
const fewArticles = 4

// left is what goes after an issue as things are: articles, one more at most than the editors are told of, up to a draft that would
// hold its slot.
type left struct {
	articles []series.Article
	draft    series.Article // zero: none
}

// articlesLeft looks at what goes after a slot that f has as sent already. It changes f.Had.
func articlesLeft(f series.Facts, slot series.Slot) (l left) {
	for len(l.articles) <= fewArticles {
		d := step(f, series.Slot{At: slot.At})
		switch {
		case d.Outcome == series.Send:
			l.articles = append(l.articles, d.Article)
		case d.Outcome == series.Blocked:
			l.draft = d.Article
			return l
		case f.Pins == nil:
			return l
		default:
			f.Pins = nil // what waits for its date comes after the others
		}
	}
	return l
}

// tellLeft tells the editors if articles run out with issues that went by hand, were released, or are a drip slot's: of several,
// the readers who have the fewest left count. slot is theirs, or when they were made. Nothing is stopped by words, so what fails is logged.
func (p *Publisher) tellLeft(ctx context.Context, s series.Series, slot series.Slot, issues ...series.Issue) {
	if len(p.site.NotifyTo) == 0 || len(issues) == 0 {
		return
	}
	last, l, err := p.foremost(ctx, s, slot, issues)
	if err == nil && last.ID != 0 {
		for _, w := range p.afterWords(ctx, s, slot, last, l) {
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
	if s.Mode == series.Live {
		facts, err := liveFacts(ctx, p.db, s)
		if err == nil {
			last, err = series.ArticleByID(ctx, p.db, issues[0].ArticleID)
		}
		if err != nil {
			return last, least, err
		}
		return last, articlesLeft(facts, slot), nil
	}
	facts, err := seriesFacts(ctx, p.db, s)
	if err != nil {
		return last, least, err
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
		if l := articlesLeft(g.facts, slot); last.ID == 0 || len(l.articles) < len(least.articles) {
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
func (p *Publisher) afterWords(ctx context.Context, s series.Series, slot series.Slot, last series.Article, l left) []word {
	if len(l.articles) == 0 && l.draft.ID != 0 {
		return []word{p.nextDraftWord(s, l.draft)}
	}
	return p.leftWords(ctx, s, slot, last, l.articles)
}

// leftWords says that articles run out: those left after last, which goes in slot.
func (p *Publisher) leftWords(ctx context.Context, s series.Series, slot series.Slot, last series.Article, left []series.Article) []word {
	n := len(left)
	if n != 0 && n != 1 && n != fewArticles {
		return nil
	}
	about := []any{"series", s.Title, "title", last.Title, "when", p.at(s, slot.At), "slug", s.Slug}
	if n == 0 {
		return []word{p.word(fmt.Sprintf("left %s 0 %d", s.Slug, last.ID), "left_none", about...)}
	}
	end, key := left[n-1], "left_one"
	if n == fewArticles {
		key = "left_four"
	}
	about = append(about, "last", end.Title)
	if goes, err := p.lastGoes(ctx, s, slot, end, n); err == nil && !goes.IsZero() {
		key, about = key+"_on", append(about, "goes", p.at(s, goes))
	}
	return []word{p.word(fmt.Sprintf("left %s %d %d", s.Slug, n, end.ID), key, about...)}
}

// lastGoes is when the last of n articles left after slot goes: where it is pinned to, else in the nth slot from there.
// Zero: that slot is not known.
func (p *Publisher) lastGoes(ctx context.Context, s series.Series, slot series.Slot, last series.Article, n int) (time.Time, error) {
	pins, err := series.Pins(ctx, p.db, s.ID)
	if err != nil {
		return time.Time{}, err
	}
	if pin, waits := (series.Facts{Pins: pins, At: slot.At}).Reserved(last.ID); waits {
		return pin.At, nil
	}
	slots, err := coming(ctx, p.db, s, slot.At, 4*n)
	slots = slices.DeleteFunc(slots, func(x series.Slot) bool { return x.State == series.SlotSkipped })
	if err != nil || len(slots) < n {
		return time.Time{}, err
	}
	return slots[n-1].At, nil
}
