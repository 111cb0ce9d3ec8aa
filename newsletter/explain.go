package newsletter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// Explained is one line of what a person will get and why.
type Explained struct {
	Series  string    `json:"series"`
	Slot    string    `json:"slot"`
	At      time.Time `json:"at"`
	Article string    `json:"article"` // empty: nothing
	Outcome string    `json:"outcome"` // send, had, empty, blocked, too soon, skipped, missed, waiting, paused, out
	Rule    int       `json:"rule"`
	Cycle   int64     `json:"cycle"` // above 1: they have started again
	Why     string    `json:"why"`
}

// Explain says what somebody will get, when, and which rule says so (rule 21). It forecasts as Plan does. Somebody who
// was never in a series gets no line; an unknown address is store.ErrNotFound.
func (p *Publisher) Explain(ctx context.Context, email string, slots int) ([]Explained, error) {
	person, err := subscribers.ByEmail(ctx, p.db, email)
	if err != nil {
		return nil, err
	}
	enrolments, err := subscribers.Enrolments(ctx, p.db, person.ID)
	if err != nil {
		return nil, err
	}
	all := []Explained{}
	for _, e := range enrolments {
		lines, err := p.explainEnrolment(ctx, e, slots)
		if err != nil {
			return nil, fmt.Errorf("explain: %w", err)
		}
		all = append(all, lines...)
	}
	slices.SortStableFunc(all, func(a, b Explained) int { return a.At.Compare(b.At) })
	return all, nil
}

func (p *Publisher) explainEnrolment(ctx context.Context, e subscribers.Enrolment, n int) ([]Explained, error) {
	s, err := series.ByID(ctx, p.db, e.SeriesID)
	if err != nil {
		return nil, err
	}
	slots, _, err := p.forecastSlots(ctx, p.db, s, n, time.Time{})
	if err != nil {
		return nil, err
	}
	out, err := p.out(ctx, s, e)
	if err != nil {
		return nil, err
	}
	facts, err := series.FactsOf(ctx, p.db, s)
	if err != nil {
		return nil, err
	}
	decide, err := p.decider(ctx, s, facts, e.SubscriberID, slots)
	if err != nil {
		return nil, err
	}
	obstacle, err := p.obstacle(ctx, p.db, s)
	if err != nil {
		return nil, err
	}
	judged := judge(s, facts, slots, p.now())
	all := make([]Explained, min(len(slots), n))
	for i, slot := range slots[:len(all)] {
		line := Explained{Series: s.Slug, Slot: slot.Wall, At: slot.At.In(location(s)), Cycle: e.Cycle}
		switch why := judged[i]; {
		case out != "":
			line.Outcome, line.Rule, line.Why = "out", 13, out
		case s.Paused:
			line.Outcome, line.Rule, line.Why = "paused", 10, "The series is paused."
		case why.idle != "":
			line.Outcome, line.Rule, line.Why = why.idle, why.rule, why.obstacle
		case slot.At.Before(e.PausedUntil):
			// The series goes on meanwhile: in live this slot's article is gone for them where others are there, in drip theirs waits.
			if s.Mode == series.Live {
				decide(slot)
			}
			line.Outcome, line.Rule, line.Why = "paused", 13, "This person has paused until "+at(s, e.PausedUntil)+"."
			obstacle = ""
		default:
			line.decided(decide(slot), why, obstacle)
			obstacle = "" // it is in the way of the first slot, also of one in a break; once mended, the others go
		}
		all[i] = line
	}
	return all, nil
}

// decided fills in a decision and what stands in its slot's way.
func (line *Explained) decided(d series.Decision, slot judgement, obstacle string) {
	line.Outcome, line.Article, line.Rule, line.Why = string(d.Outcome), d.Article.Slug, d.Rule, d.Why
	for _, more := range []string{slot.obstacle, obstacle} {
		if more != "" {
			line.Why += " " + more
		}
	}
}

// explained is a decision; where it is that nothing is left, with the ready articles that were passed by (rule 4), since
// those are what somebody who asks has in mind.
func explained(f series.Facts, d series.Decision) series.Decision {
	if d.Outcome != series.Empty {
		return d
	}
	passed, behind := series.Passed(f), []string{}
	for _, a := range f.Articles {
		if x := passed[a.ID]; x.Rule == 4 {
			behind = append(behind, a.Title)
			d.Rule = 4
		}
	}
	switch len(behind) {
	case 0:
	case 1:
		d.Why += fmt.Sprintf(" “%s” stands behind what went out already, and no backfill was asked for.", behind[0])
	default:
		d.Why += fmt.Sprintf(" “%s” and %d more stand behind what went out already, and no backfill was asked for.", behind[0], len(behind)-1)
	}
	return d
}

// out says why somebody gets nothing of a series at all (rules 13 and 15); empty: they are mailable or paused.
func (p *Publisher) out(ctx context.Context, s series.Series, e subscribers.Enrolment) (string, error) {
	switch e.State {
	case subscribers.Pending:
		return "This person has not confirmed yet.", nil
	case subscribers.Ended:
		on := e.EndedAt.In(location(s)).Format("2 January 2006")
		if e.EndedBy == "bounce" {
			return fmt.Sprintf("Mail to this person could not be delivered, for good: their enrolment ended on %s (bounce).", on), nil
		}
		return fmt.Sprintf("This person left on %s (%s).", on, e.EndedBy), nil
	case subscribers.Active, subscribers.Paused:
		mailable, err := subscribers.Reachable(ctx, p.db, s.ID, e.SubscriberID)
		if err != nil || mailable {
			return "", err
		}
		return "The address is suppressed.", nil
	}
	return "", nil
}

// outcomeHad is what a live slot is to somebody who has its article already.
const outcomeHad series.Outcome = "had"

// decider returns the function that decides one of some slots after the other for one person, as if each were sent.
func (p *Publisher) decider(ctx context.Context, s series.Series, facts series.Facts, subscriberID int64, slots []series.Slot) (func(series.Slot) series.Decision, error) {
	reader, err := outbox.ReaderOf(ctx, p.db, s.ID, subscriberID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	if s.Mode == series.Drip {
		facts = readerFacts(facts, reader)
		return func(slot series.Slot) series.Decision { return explained(atSlot(facts, slot), step(facts, slot)) }, nil
	}
	forecast, err := newLiveForecast(ctx, p.db, s, facts, slots)
	if err != nil {
		return nil, err
	}
	return func(slot series.Slot) series.Decision {
		d := forecast.decide(slot)
		_, had := reader.Had[d.Article.ID]
		switch {
		case d.Outcome != series.Send:
			return explained(atSlot(forecast.facts, slot), d)
		case had:
			return series.Decision{Outcome: outcomeHad, Rule: 14, Why: fmt.Sprintf("The issue is “%s”, which this person has had already.", d.Article.Title)}
		case reader.Before[d.Article.ID]:
			return series.Decision{Outcome: outcomeHad, Rule: 5, Why: fmt.Sprintf("The issue is “%s”, which this person read before the enrolment here.", d.Article.Title)}
		}
		return d
	}, nil
}
