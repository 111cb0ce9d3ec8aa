package newsletter

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
)

// The words to the editors (rule 20): what happened, what was not lost, what to do. Each has a key that keeps it from
// being said twice.

func slotName(s series.Series, slot series.Slot) string { return s.Slug + "/" + slot.Wall }

func draftWord(s series.Series, slot series.Slot, a series.Article) word {
	return word{"held " + slotName(s, slot), fmt.Sprintf("%s: held, “%s” is still a draft", s.Title, a.Title), []string{
		fmt.Sprintf("On %s the next article of %s was “%s”. It is a draft, so nothing was sent.", at(s, slot.At), s.Title, a.Title),
		"Nothing is lost: the article keeps its turn.",
		fmt.Sprintf("When it is finished: pressrun article ready %s. "+
			"Then send it at once with: pressrun issue release %s, or leave it to the next slot.", a.Slug, slotName(s, slot)),
	}}
}

func emptyWord(s series.Series, slot series.Slot, why string) word {
	return word{"empty " + slotName(s, slot), s.Title + ": nothing to send", []string{
		fmt.Sprintf("On %s nothing was sent. %s", at(s, slot.At), why),
		fmt.Sprintf("Articles that you add (pressrun article import %s PATH) or make ready wait for the next slot.", s.Slug),
	}}
}

func finishedWord(s series.Series, articles []series.Article) word {
	last := int64(0)
	for _, a := range articles {
		if a.State == series.Ready {
			last = a.ID
		}
	}
	return word{fmt.Sprintf("finished %s %d", s.Slug, last), s.Title + ": all readers have had everything", []string{
		"Every reader has had every ready article. An article that you add is their next.",
	}}
}

func hinderedWord(s series.Series, slot series.Slot, h *hindrance) word {
	w := partlyWord(s, slot, h)
	w.paragraphs = append(w.paragraphs, fmt.Sprintf("Then send it at once with: pressrun issue release %s, or leave it to the next slot.", slotName(s, slot)))
	return w
}

func welcomeWord(s series.Series, a series.Article, h *hindrance) word {
	return word{fmt.Sprintf("welcome %s %d", a.Slug, a.Revision), s.Title + ": no welcome can be sent", []string{
		fmt.Sprintf("Somebody confirmed, and “%s” would have welcomed them. %s", a.Title, h.what),
		"Nothing is lost: they get it in its slot. " + h.mend,
	}}
}

// partlyWord is for a drip slot that went out to all but the readers of one article.
func partlyWord(s series.Series, slot series.Slot, h *hindrance) word {
	return word{"held " + slotName(s, slot), s.Title + ": held, an article can't be sent", []string{
		fmt.Sprintf("On %s an article could not be sent. %s", at(s, slot.At), h.what),
		"Nothing is lost: it keeps its turn. " + h.mend,
	}}
}

func failingWord(s series.Series, slot series.Slot, what string) word {
	return word{"failing " + slotName(s, slot), s.Title + ": a slot fails", []string{
		fmt.Sprintf("The slot of %s can't be done: %s", at(s, slot.At), what),
		"Nothing was sent for it and nothing is lost. It is tried again every half minute; the log has the details.",
	}}
}

func uncertainWord(issue series.Issue, counts outbox.Counts) word {
	settle := "pressrun issue settle " + issue.Name + " --as "
	return word{"uncertain " + issue.Name, fmt.Sprintf("Uncertain deliveries: “%s”", outbox.ForNobody(issue).Subject), []string{
		fmt.Sprintf("For %d of %d deliveries of %s the relay's answer was lost: they may have arrived or not. "+
			"They are not sent again by themselves, so that nobody gets the issue twice.", counts.Uncertain, counts.Total(), issue.Name),
		"If the relay's log shows them, or you would rather not risk a second copy: " + settle + "sent. To send them once more: " + settle + "again.",
	}}
}

func lateWord(s series.Series, slot series.Slot, issue, reason string) word {
	return word{"held " + slotName(s, slot), s.Title + ": an issue is held", []string{
		fmt.Sprintf("%s, the issue of %s, is held. %s", issue, at(s, slot.At), reason),
		fmt.Sprintf("Nothing is lost, and the issues after it wait. "+
			"Send it with: pressrun issue release %s, or give its article back with: pressrun issue cancel %s.", issue, issue),
	}}
}

func waitingWord(s series.Series, slot series.Slot, behind string) word {
	return word{"waiting " + slotName(s, slot), s.Title + ": still held", []string{
		fmt.Sprintf("On %s nothing was sent, since %s is held and keeps its turn.", at(s, slot.At), behind),
		fmt.Sprintf("Send it with: pressrun issue release %s, or give its article back with: pressrun issue cancel %s.", behind, behind),
	}}
}

// issueWords are what the editors hear when a live slot gets its issue: that it is held, or that articles run out.
func (p *Publisher) issueWords(ctx context.Context, f series.Facts, frozen series.Frozen, slot series.Slot) []word {
	if frozen.State == series.IssueHeld {
		return []word{lateWord(frozen.Series, slot, slotName(frozen.Series, slot), frozen.Reason)}
	}
	f.Had[frozen.Article.ID] = slot.At
	if d := series.Next(atSlot(f, series.Slot{At: slot.At})); d.Outcome == series.Blocked {
		return []word{nextDraftWord(frozen.Series, d.Article)}
	}
	return p.leftWords(ctx, frozen.Series, slot, frozen.Article, articlesLeft(f, slot))
}

// articlesLeft are the articles that go after a slot as things are, one more at most than the editors are told of.
func articlesLeft(f series.Facts, slot series.Slot) (left []series.Article) {
	for len(left) <= fewArticles {
		d := step(f, series.Slot{At: slot.At})
		switch {
		case d.Outcome == series.Send:
			left = append(left, d.Article)
		case d.Outcome == series.Blocked || f.Pins == nil:
			return left
		default:
			f.Pins = nil // what waits for its date comes after the others
		}
	}
	return left
}

func nextDraftWord(s series.Series, a series.Article) word {
	return word{fmt.Sprintf("draft next %s %d", s.Slug, a.ID), fmt.Sprintf("%s: the next article is a draft", s.Title), []string{
		fmt.Sprintf("“%s” is next and still a draft. If it stays one, the next slot is held.", a.Title),
		"When it is finished: pressrun article ready " + a.Slug,
	}}
}

// fewArticles is from how many articles left on the editors are told; again at one and at none.
const fewArticles = 4

// leftWords says that articles run out: those left after last, which goes in slot.
func (p *Publisher) leftWords(ctx context.Context, s series.Series, slot series.Slot, last series.Article, left []series.Article) []word {
	n := len(left)
	if n != 0 && n != 1 && n != fewArticles {
		return nil
	}
	key, first := fmt.Sprintf("left %s %d %d", s.Slug, n, last.ID), fmt.Sprintf("“%s” is the issue of %s.", last.Title, at(s, slot.At))
	if n == 0 {
		return []word{{key, s.Title + ": no article left", []string{
			first + " No ready article is left after it.",
			"The next slot stays empty unless you add one: pressrun article import " + s.Slug + " PATH",
		}}}
	}
	end := left[n-1]
	key = fmt.Sprintf("left %s %d %d", s.Slug, n, end.ID)
	when := ""
	if goes, err := p.lastGoes(ctx, s, slot, end, n); err == nil && !goes.IsZero() {
		when = fmt.Sprintf(" goes on %s", at(s, goes))
	}
	subject, rest := s.Title+": one article left", fmt.Sprintf("One article is left: “%s”%s.", end.Title, when)
	if n == fewArticles {
		subject, rest = s.Title+": four articles left", fmt.Sprintf("Four articles are left; the last one, “%s”,%s.", end.Title, cmp.Or(when, " follows them"))
	}
	return []word{{key, subject, []string{first + " " + rest}}}
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
