package newsletter

import (
	"context"
	"fmt"
	"strings"
	"time"

	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/templates"
)

// The words to the editors (rule 20): what happened, what was not lost, what to do. Each has a dedupe key that keeps it from being said
// twice.

func slotName(s series.Series, slot series.Slot) string { return s.Slug + "/" + slot.Wall }

// word is said by the texts editors.KEY of the catalogue: subject, what, kept and mend, as far as there are such; args fill all of them.
func (p *Publisher) word(dedupe, key string, args ...any) word {
	w := templates.In(p.site.Language)
	said := word{dedupe: dedupe, subject: w.T("editors."+key+".subject", args...)}
	for _, part := range []string{"what", "kept", "mend"} {
		if text := "editors." + key + "." + part; w.Has(text) {
			said.paragraphs = append(said.paragraphs, w.T(text, args...))
		}
	}
	return said
}

// at writes a slot's time for editors, in the series' zone.
func (p *Publisher) at(s series.Series, t time.Time) string {
	return templates.In(p.site.Language).Time(t.In(location(s)))
}

func (p *Publisher) draftWord(s series.Series, slot series.Slot, a series.Article) word {
	name := slotName(s, slot)
	return p.word("held "+name, "draft", "series", s.Title, "title", a.Title, "when", p.at(s, slot.At), "article", a.Slug, "issue", name)
}

func (p *Publisher) emptyWord(s series.Series, slot series.Slot, why string) word {
	return p.word("empty "+slotName(s, slot), "empty", "series", s.Title, "when", p.at(s, slot.At), "why", why, "slug", s.Slug)
}

// nobodyWord is for a slot without readers; kept says what that means for its article.
func (p *Publisher) nobodyWord(s series.Series, slot series.Slot, kept string) word {
	return p.word("empty "+slotName(s, slot), "nobody", "series", s.Title, "when", p.at(s, slot.At), "kept", kept, "slug", s.Slug)
}

func (p *Publisher) welcomedWord(s series.Series, slot series.Slot) word {
	return p.word("empty "+slotName(s, slot), "welcomed", "series", s.Title, "when", p.at(s, slot.At))
}

func (p *Publisher) finishedWord(s series.Series, articles []series.Article) word {
	last := int64(0)
	for _, a := range articles {
		if a.State == series.Ready {
			last = a.ID
		}
	}
	return p.word(fmt.Sprintf("finished %s %d", s.Slug, last), "finished", "series", s.Title)
}

func (p *Publisher) hinderedWord(s series.Series, slot series.Slot, h *hindrance) word {
	name := slotName(s, slot)
	return p.word("held "+name, "hindered", "series", s.Title, "when", p.at(s, slot.At), "problem", h.what, "remedy", h.mend, "issue", name)
}

// partlyWord is for a drip slot that went out to all but the readers of one article.
func (p *Publisher) partlyWord(s series.Series, slot series.Slot, h *hindrance) word {
	return p.word("held "+slotName(s, slot), "partly", "series", s.Title, "when", p.at(s, slot.At), "problem", h.what, "remedy", h.mend)
}

func (p *Publisher) welcomeWord(s series.Series, a series.Article, h *hindrance) word {
	return p.word(fmt.Sprintf("welcome %s %d", a.Slug, a.Revision), "welcome", "series", s.Title, "title", a.Title, "problem", h.what, "remedy", h.mend)
}

// holdGoesOn ends what is said of a slot on hold that ended with nothing to send.
func (p *Publisher) holdGoesOn(slot series.Slot) string {
	return templates.In(p.site.Language).T("editors.hold.goes_on", "reason", strings.TrimRight(slot.Reason, "."))
}

// TellNoBackup tells the editors that a night (YYYY-MM-DD) is without its backup, once for that night.
func (p *Publisher) TellNoBackup(ctx context.Context, night, folder string, cause error) error {
	w := p.word("backup "+night, "backup", "night", night, "folder", folder, "problem", cause.Error())
	return p.Tell(ctx, w.dedupe, w.subject, w.paragraphs)
}

func (p *Publisher) failingWord(s series.Series, slot series.Slot, what string) word {
	return p.word("failing "+slotName(s, slot), "failing", "series", s.Title, "when", p.at(s, slot.At), "problem", what)
}

// importWord is for a slot that waits for an import; the command forget gives that up.
func (p *Publisher) importWord(s series.Series, slot series.Slot, why, forget string) word {
	return p.word("import "+slotName(s, slot), "import", "series", s.Title, "when", p.at(s, slot.At), "problem", why, "forget", forget)
}

func (p *Publisher) uncertainWord(issue series.Issue, counts outbox.Counts) word {
	return p.word("uncertain "+issue.Name, "uncertain", "subject", outbox.ForNobody(issue).Subject, "n", counts.Uncertain,
		"total", counts.Total(), "issue", issue.Name)
}

func (p *Publisher) lateWord(s series.Series, slot series.Slot, issue, reason string) word {
	return p.word("held "+slotName(s, slot), "late", "series", s.Title, "issue", issue, "when", p.at(s, slot.At), "reason", reason)
}

func (p *Publisher) waitingWord(s series.Series, slot series.Slot, behind string) word {
	return p.word("waiting "+slotName(s, slot), "waiting", "series", s.Title, "when", p.at(s, slot.At), "issue", behind)
}

// issueWords are what the editors hear when a live slot gets its issue: that it is held, or that articles run out. Of one that is held
// the latter is told once it is released.
func (p *Publisher) issueWords(ctx context.Context, f series.Facts, frozen series.Frozen, slot series.Slot) []word {
	if frozen.State == series.IssueHeld {
		return []word{p.lateWord(frozen.Series, slot, slotName(frozen.Series, slot), frozen.Reason)}
	}
	slots, err := p.slotsLeft(ctx, frozen.Series, slot, f.Pins)
	if err != nil {
		p.log.ErrorContext(ctx, "not told how many articles are left", "series", frozen.Series.Slug, "error", err)
		return nil
	}
	f.Had[frozen.Article.ID] = slot.At
	return p.afterWords(frozen.Series, slot, frozen.Article, articlesLeft(f, slots))
}

func (p *Publisher) nextDraftWord(s series.Series, a series.Article) word {
	return p.word(fmt.Sprintf("draft next %s %d", s.Slug, a.ID), "next_draft", "series", s.Title, "title", a.Title, "article", a.Slug)
}
