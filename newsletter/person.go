package newsletter

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// Person is everything known about somebody: what an owner is shown, and what the person is given who asks.
type Person struct {
	Email        string              `json:"email"`
	Status       string              `json:"status"` // active, paused, pending, ended, suppressed, erased, none
	Name         string              `json:"name"`
	Language     string              `json:"language"`
	Zone         string              `json:"zone"`
	Tags         []string            `json:"tags"`
	Fields       map[string]string   `json:"fields"`
	Created      string              `json:"created,omitempty"`
	Enrolments   []PersonEnrolment   `json:"enrolments"`
	Suppressions []PersonSuppression `json:"suppressions"`
	Deliveries   []PersonDelivery    `json:"deliveries"`
	Events       []PersonEvent       `json:"events"`
}

// PersonEnrolment is somebody in a series.
type PersonEnrolment struct {
	Series      string   `json:"series"`
	Status      string   `json:"status"`
	EndedBy     string   `json:"ended_by,omitempty"`
	Mailable    bool     `json:"mailable"`
	Cycle       int64    `json:"cycle"`
	CycleSince  string   `json:"cycle_since,omitempty"` // when they started again
	Since       string   `json:"since,omitempty"`
	Ended       string   `json:"ended,omitempty"`
	PausedUntil string   `json:"paused_until,omitempty"`
	Created     string   `json:"created"`
	HadBefore   []string `json:"had_before,omitempty"` // articles they had before they came; they count in cycle 1 alone
}

// PersonSuppression is what keeps mail from them.
type PersonSuppression struct {
	Series  string `json:"series"` // empty: everything
	Reason  string `json:"reason"`
	Because string `json:"because"`
	Domain  bool   `json:"domain"` // it stands against all of the domain
	Created string `json:"created"`
}

// PersonDelivery is one mail to them.
type PersonDelivery struct {
	Issue   string `json:"issue"` // empty for a notice
	Kind    string `json:"kind"`
	Series  string `json:"series"`
	Article string `json:"article,omitempty"`
	Cycle   int64  `json:"cycle,omitempty"` // of its article; 0: it has none that counts
	State   string `json:"state"`
	Class   string `json:"class,omitempty"`
	Reply   string `json:"reply,omitempty"`
	Tries   int    `json:"tries"`
	Dated   string `json:"dated,omitempty"`
	Updated string `json:"updated"`

	Bounced    string `json:"bounced,omitempty"` // when it came back by mail; Said: with what words
	Complained string `json:"complained,omitempty"`
	Said       string `json:"said,omitempty"`
}

// PersonEvent is how they came, stayed or left.
type PersonEvent struct {
	Event   string `json:"event"`
	Series  string `json:"series"` // empty: everything
	At      string `json:"at"`
	Email   string `json:"email"`
	Because string `json:"because,omitempty"`
	Form    string `json:"form,omitempty"`
	Wording string `json:"wording,omitempty"`
	Version string `json:"wording_version,omitempty"`
	Words   string `json:"language,omitempty"` // that the wording is in
	Token   string `json:"token,omitempty"`    // id of the link that was used
	Mail    string `json:"message_id,omitempty"`
	IP      string `json:"ip,omitempty"`
	Agent   string `json:"agent,omitempty"`
	Reason  string `json:"reason,omitempty"` // of a leave: what they said of it afterwards
	Note    string `json:"note,omitempty"`
}

// Person collects what is known about an address. One that nobody has, but that is suppressed, is shown as that.
func (p *Publisher) Person(ctx context.Context, email string) (Person, error) {
	shown := Person{
		Email: email, Tags: []string{}, Fields: map[string]string{}, Enrolments: []PersonEnrolment{}, Suppressions: []PersonSuppression{},
		Deliveries: []PersonDelivery{}, Events: []PersonEvent{},
	}
	slugs, err := p.seriesSlugs(ctx)
	if err != nil {
		return shown, err
	}
	if err := p.addSuppressions(ctx, &shown, slugs); err != nil {
		return shown, err
	}
	person, err := subscribers.ByEmail(ctx, p.db, email)
	if errors.Is(err, store.ErrNotFound) && len(shown.Suppressions) > 0 {
		shown.Status = shown.overall()
		return shown, nil
	}
	if err != nil {
		return shown, err
	}
	shown.Email, shown.Name, shown.Language, shown.Created = person.Email, person.Name, person.Language, Stamp(person.Created)
	shown.Zone, shown.Fields, shown.Tags = person.Zone, person.Fields, append(shown.Tags, person.Tags...)
	for _, add := range []func(context.Context, *Person, int64, map[int64]string) error{p.addEnrolments, p.addDeliveries, p.addEvents} {
		if err := add(ctx, &shown, person.ID, slugs); err != nil {
			return shown, err
		}
	}
	shown.Status = shown.overall()
	return shown, nil
}

// seriesSlugs are the slugs of all series by number; 0, which stands for everything, has none.
func (p *Publisher) seriesSlugs(ctx context.Context) (map[int64]string, error) {
	all, err := series.All(ctx, p.db)
	if err != nil {
		return nil, err
	}
	slugs := map[int64]string{}
	for _, each := range all {
		slugs[each.ID] = each.Slug
	}
	return slugs, nil
}

func (p *Publisher) addSuppressions(ctx context.Context, shown *Person, slugs map[int64]string) error {
	all, err := p.people.Suppressions(ctx, p.db, shown.Email)
	for _, x := range all {
		shown.Suppressions = append(shown.Suppressions, PersonSuppression{
			Series: slugs[x.SeriesID], Reason: x.Reason, Because: x.Because, Domain: x.Domain, Created: Stamp(x.Created),
		})
	}
	return err
}

// articleSlugs remembers the slugs of articles by number.
type articleSlugs map[int64]string

// of returns the slug of an article; empty for number 0.
func (m articleSlugs) of(ctx context.Context, q store.Querier, id int64) (string, error) {
	if slug, known := m[id]; known || id == 0 {
		return slug, nil
	}
	article, err := series.ArticleByID(ctx, q, id)
	m[id] = article.Slug
	return article.Slug, err
}

func (p *Publisher) addEnrolments(ctx context.Context, shown *Person, id int64, slugs map[int64]string) error {
	all, err := subscribers.Enrolments(ctx, p.db, id)
	if err != nil {
		return err
	}
	articles := articleSlugs{}
	for _, e := range all {
		mailable, err := subscribers.Mailable(ctx, p.db, e.SeriesID, id)
		if err != nil {
			return err
		}
		readings, err := subscribers.Readings(ctx, p.db, e.SeriesID)
		if err != nil {
			return err
		}
		line := PersonEnrolment{
			Series: slugs[e.SeriesID], Status: string(e.State), EndedBy: e.EndedBy, Mailable: mailable, Cycle: e.Cycle,
			CycleSince: Stamp(e.CycleSince), Since: Stamp(e.ActiveSince), Ended: Stamp(e.EndedAt), PausedUntil: Stamp(e.PausedUntil), Created: Stamp(e.Created),
		}
		for _, articleID := range readings[e.ReadingID] {
			slug, err := articles.of(ctx, p.db, articleID)
			if err != nil {
				return err
			}
			line.HadBefore = append(line.HadBefore, slug)
		}
		shown.Enrolments = append(shown.Enrolments, line)
	}
	return nil
}

func (p *Publisher) addDeliveries(ctx context.Context, shown *Person, id int64, slugs map[int64]string) error {
	all, err := outbox.DeliveriesOf(ctx, p.db, id)
	if err != nil {
		return err
	}
	returned, err := outbox.ReturnsOf(ctx, p.db, id)
	if err != nil {
		return err
	}
	articles := articleSlugs{}
	for _, d := range all {
		article, err := articles.of(ctx, p.db, d.ArticleID)
		if err != nil {
			return err
		}
		line := PersonDelivery{
			Issue: d.Issue, Kind: d.Kind, Series: slugs[d.SeriesID], Article: article, State: d.State, Class: d.Class,
			Reply: d.Reply, Tries: d.Tries, Dated: Stamp(d.Dated), Updated: Stamp(d.Updated),
		}
		if d.ArticleID != 0 {
			line.Cycle = d.Cycle
		}
		line.addReturned(d, returned)
		shown.Deliveries = append(shown.Deliveries, line)
	}
	return nil
}

// addReturned adds the first bounce and the first complaint of a delivery, whose row may be gone by now.
func (line *PersonDelivery) addReturned(d outbox.Delivery, returned []outbox.Returned) {
	for _, r := range returned {
		if r.DeliveryID != d.ID && (d.ID != 0 || r.IssueID != d.IssueID) {
			continue
		}
		switch {
		case r.Kind == "complained" && line.Complained == "":
			line.Complained = Stamp(r.Heard)
		case r.Kind == "bounced" && line.Bounced == "":
			line.Bounced, line.Said = Stamp(r.Heard), r.Said
		}
	}
}

func (p *Publisher) addEvents(ctx context.Context, shown *Person, id int64, slugs map[int64]string) error {
	all, err := subscribers.Consents(ctx, p.db, id)
	if err != nil {
		return err
	}
	reasons, err := subscribers.Reasons(ctx, p.db, id)
	if err != nil {
		return err
	}
	for _, c := range all {
		shown.Events = append(shown.Events, PersonEvent{
			Event: c.Event, Series: slugs[c.SeriesID], At: Stamp(c.At), Email: c.Email, Because: c.Because, Form: c.Form,
			Wording: c.Wording, Version: c.WordingVersion, Words: c.Language, Token: c.Token, Mail: c.MessageID, IP: c.IP, Agent: c.Agent,
			Reason: reasons[c.ID].Reason, Note: reasons[c.ID].Note,
		})
	}
	moves, err := subscribers.AddressChanges(ctx, p.db, id)
	for _, m := range moves {
		shown.Events = append(shown.Events, PersonEvent{
			Event: "address_changed", At: Stamp(m.At), Email: shown.Email, Because: "from " + m.Old, IP: m.IP, Agent: m.Agent,
		})
	}
	slices.SortStableFunc(shown.Events, func(a, b PersonEvent) int { return strings.Compare(a.At, b.At) })
	return err
}

// overall is one word for all: whether they get anything, else what is nearest to that.
func (shown Person) overall() string {
	states := map[string]bool{}
	for _, e := range shown.Enrolments {
		if e.Mailable {
			return "active"
		}
		states[e.Status] = true
	}
	for _, x := range shown.Suppressions {
		switch {
		case x.Reason == "erasure" && len(shown.Enrolments) == 0:
			return "erased"
		case x.Reason != "unsubscribe" && x.Reason != "erasure":
			return "suppressed"
		}
	}
	for _, state := range []string{"paused", "pending", "ended"} {
		if states[state] {
			return state
		}
	}
	if len(shown.Suppressions) > 0 {
		return "ended"
	}
	return "none"
}

// Stamp writes an instant for JSON (RFC 3339, UTC); empty for none.
func Stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
