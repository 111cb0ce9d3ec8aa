package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pressrun/newsletter"
	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// listedLine is one person as list prints them.
type listedLine struct {
	Email      string `json:"email"`
	Name       string `json:"name"`
	Status     string `json:"status"` // active, paused, pending, ended
	EndedBy    string `json:"ended_by,omitempty"`
	Suppressed string `json:"suppressed,omitempty"` // unsubscribe, bounce, complaint, erasure, manual
	Mailable   bool   `json:"mailable"`
	Since      string `json:"since,omitempty"` // active since
}

func (a *app) subscriberListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list SERIES",
		Short:   "The people of a series",
		Example: "  pressrun subscriber list skin\n  pressrun subscriber list skin --json",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, given []string) error {
			return a.with(cmd.Context(), func(s *site) error { return a.listPeople(cmd.Context(), s, given[0]) })
		},
	}
	a.jsonFlag(cmd)
	return cmd
}

func (a *app) listPeople(ctx context.Context, s *site, slug string) error {
	of, err := series.BySlug(ctx, s.db, slug)
	if err != nil {
		return err
	}
	lines := []listedLine{}
	err = subscribers.List(ctx, s.db, of.ID, func(l subscribers.Listed) error {
		lines = append(lines, listedLine{
			Email: l.Email, Name: l.Name, Status: string(l.State), EndedBy: l.EndedBy, Suppressed: l.Suppressed, Mailable: l.Mailable,
			Since: stamp(l.ActiveSince),
		})
		return nil
	})
	if err != nil {
		return err
	}
	return a.print(lines, func(w io.Writer) {
		if len(lines) == 0 {
			fmt.Fprintf(w, "nobody yet: pressrun subscriber add %s EMAIL, or import %s FILE\n", slug, slug)
			return
		}
		fmt.Fprintln(w, "EMAIL\tNAME\tSTATE\tSINCE")
		for _, l := range lines {
			state := l.Status
			if why := cmp.Or(l.EndedBy, l.Suppressed); why != "" {
				state += " (" + why + ")"
			}
			since, _, _ := strings.Cut(l.Since, "T")
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", l.Email, cmp.Or(l.Name, "-"), state, cmp.Or(since, "-"))
		}
	})
}

// stamp writes an instant for JSON (RFC 3339, UTC); empty for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// shownPerson is everything known about somebody.
type shownPerson struct {
	Email        string             `json:"email"`
	Status       string             `json:"status"` // active, paused, pending, ended, suppressed, erased, none
	Name         string             `json:"name"`
	Language     string             `json:"language"`
	Fields       map[string]string  `json:"fields"`
	Created      string             `json:"created,omitempty"`
	Enrolments   []shownEnrolment   `json:"enrolments"`
	Suppressions []shownSuppression `json:"suppressions"`
	Deliveries   []shownDelivery    `json:"deliveries"`
	Events       []shownEvent       `json:"events"`
}

type shownEnrolment struct {
	Series      string   `json:"series"`
	Status      string   `json:"status"`
	EndedBy     string   `json:"ended_by,omitempty"`
	Mailable    bool     `json:"mailable"`
	Cycle       int64    `json:"cycle"`
	Since       string   `json:"since,omitempty"`
	Ended       string   `json:"ended,omitempty"`
	PausedUntil string   `json:"paused_until,omitempty"`
	Created     string   `json:"created"`
	HadBefore   []string `json:"had_before,omitempty"` // articles they had before they came
}

type shownSuppression struct {
	Series  string `json:"series"` // empty: everything
	Reason  string `json:"reason"`
	Because string `json:"because"`
	Domain  bool   `json:"domain"` // it stands against all of the domain
	Created string `json:"created"`
}

type shownDelivery struct {
	Issue   string `json:"issue"` // empty for a notice
	Kind    string `json:"kind"`
	Series  string `json:"series"`
	Article string `json:"article,omitempty"`
	State   string `json:"state"`
	Class   string `json:"class,omitempty"`
	Reply   string `json:"reply,omitempty"`
	Tries   int    `json:"tries"`
	Dated   string `json:"dated,omitempty"`
	Updated string `json:"updated"`
}

type shownEvent struct {
	Event   string `json:"event"`
	Series  string `json:"series"` // empty: everything
	At      string `json:"at"`
	Email   string `json:"email"`
	Because string `json:"because,omitempty"`
	Form    string `json:"form,omitempty"`
	Wording string `json:"wording,omitempty"`
	IP      string `json:"ip,omitempty"`
	Agent   string `json:"agent,omitempty"`
}

func (a *app) subscriberShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show EMAIL",
		Short:   "Everything known about somebody",
		Example: "  pressrun subscriber show ada@example.org\n  pressrun subscriber show ada@example.org --json",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, given []string) error {
			return a.with(cmd.Context(), func(s *site) error {
				shown, err := s.person(cmd.Context(), given[0])
				if err != nil {
					return err
				}
				return a.print(shown, shown.print)
			})
		},
	}
	a.jsonFlag(cmd)
	return cmd
}

// person collects what is known about an address. One that nobody has, but that is suppressed, is shown as that.
func (s *site) person(ctx context.Context, email string) (shownPerson, error) {
	shown := shownPerson{
		Email: email, Fields: map[string]string{}, Enrolments: []shownEnrolment{}, Suppressions: []shownSuppression{},
		Deliveries: []shownDelivery{}, Events: []shownEvent{},
	}
	slugs, err := s.seriesSlugs(ctx)
	if err != nil {
		return shown, err
	}
	if err := s.addSuppressions(ctx, &shown, slugs); err != nil {
		return shown, err
	}
	person, err := subscribers.ByEmail(ctx, s.db, email)
	if errors.Is(err, store.ErrNotFound) && len(shown.Suppressions) > 0 {
		shown.Status = shown.overall()
		return shown, nil
	}
	if err != nil {
		return shown, err
	}
	shown.Email, shown.Name, shown.Language, shown.Created = person.Email, person.Name, person.Language, stamp(person.Created)
	shown.Fields = person.Fields
	for _, add := range []func(context.Context, *shownPerson, int64, map[int64]string) error{s.addEnrolments, s.addDeliveries, s.addEvents} {
		if err := add(ctx, &shown, person.ID, slugs); err != nil {
			return shown, err
		}
	}
	shown.Status = shown.overall()
	return shown, nil
}

// seriesSlugs are the slugs of all series by number; 0, which stands for everything, has none.
func (s *site) seriesSlugs(ctx context.Context) (map[int64]string, error) {
	all, err := series.All(ctx, s.db)
	if err != nil {
		return nil, err
	}
	slugs := map[int64]string{}
	for _, each := range all {
		slugs[each.ID] = each.Slug
	}
	return slugs, nil
}

func (s *site) addSuppressions(ctx context.Context, shown *shownPerson, slugs map[int64]string) error {
	all, err := s.people.Suppressions(ctx, s.db, shown.Email)
	for _, x := range all {
		shown.Suppressions = append(shown.Suppressions, shownSuppression{
			Series: slugs[x.SeriesID], Reason: x.Reason, Because: x.Because, Domain: x.Domain, Created: stamp(x.Created),
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

func (s *site) addEnrolments(ctx context.Context, shown *shownPerson, id int64, slugs map[int64]string) error {
	all, err := subscribers.Enrolments(ctx, s.db, id)
	if err != nil {
		return err
	}
	articles := articleSlugs{}
	for _, e := range all {
		mailable, err := subscribers.Mailable(ctx, s.db, e.SeriesID, id)
		if err != nil {
			return err
		}
		readings, err := subscribers.Readings(ctx, s.db, e.SeriesID)
		if err != nil {
			return err
		}
		line := shownEnrolment{
			Series: slugs[e.SeriesID], Status: string(e.State), EndedBy: e.EndedBy, Mailable: mailable, Cycle: e.Cycle,
			Since: stamp(e.ActiveSince), Ended: stamp(e.EndedAt), PausedUntil: stamp(e.PausedUntil), Created: stamp(e.Created),
		}
		for _, articleID := range readings[e.ReadingID] {
			slug, err := articles.of(ctx, s.db, articleID)
			if err != nil {
				return err
			}
			line.HadBefore = append(line.HadBefore, slug)
		}
		shown.Enrolments = append(shown.Enrolments, line)
	}
	return nil
}

func (s *site) addDeliveries(ctx context.Context, shown *shownPerson, id int64, slugs map[int64]string) error {
	all, err := outbox.DeliveriesOf(ctx, s.db, id)
	if err != nil {
		return err
	}
	articles := articleSlugs{}
	for _, d := range all {
		article, err := articles.of(ctx, s.db, d.ArticleID)
		if err != nil {
			return err
		}
		shown.Deliveries = append(shown.Deliveries, shownDelivery{
			Issue: d.Issue, Kind: d.Kind, Series: slugs[d.SeriesID], Article: article, State: d.State, Class: d.Class,
			Reply: d.Reply, Tries: d.Tries, Dated: stamp(d.Dated), Updated: stamp(d.Updated),
		})
	}
	return nil
}

func (s *site) addEvents(ctx context.Context, shown *shownPerson, id int64, slugs map[int64]string) error {
	all, err := subscribers.Consents(ctx, s.db, id)
	for _, c := range all {
		shown.Events = append(shown.Events, shownEvent{
			Event: c.Event, Series: slugs[c.SeriesID], At: stamp(c.At), Email: c.Email, Because: c.Because, Form: c.Form,
			Wording: c.Wording, IP: c.IP, Agent: c.Agent,
		})
	}
	return err
}

// overall is one word for all: whether they get anything, else what is nearest to that.
func (p shownPerson) overall() string {
	states := map[string]bool{}
	for _, e := range p.Enrolments {
		if e.Mailable {
			return "active"
		}
		states[e.Status] = true
	}
	for _, x := range p.Suppressions {
		switch {
		case x.Reason == "erasure" && len(p.Enrolments) == 0:
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
	if len(p.Suppressions) > 0 {
		return "ended"
	}
	return "none"
}

func (p shownPerson) print(w io.Writer) {
	fmt.Fprintf(w, "%s: %s\n", strings.TrimSpace(p.Name+" <"+p.Email+">"), p.Status)
	if p.Created != "" {
		fmt.Fprintf(w, "Known since:\t%s\n", p.Created)
	}
	if p.Language != "" {
		fmt.Fprintf(w, "Language:\t%s\n", p.Language)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Fields)) {
		fmt.Fprintf(w, "%s:\t%s\n", name, oneLine(p.Fields[name]))
	}
	for _, e := range p.Enrolments {
		fmt.Fprintf(w, "Series %s:\t%s\n", e.Series, strings.TrimSpace(e.Status+" "+cmp.Or(e.EndedBy, e.Since)))
	}
	for _, x := range p.Suppressions {
		what := cmp.Or(x.Series, "everything")
		if x.Domain {
			what += ", the whole domain"
		}
		fmt.Fprintf(w, "Suppressed:\t%s of %s since %s\t%s\n", x.Reason, what, x.Created, x.Because)
	}
	if len(p.Deliveries) > 0 {
		fmt.Fprintln(w, "\nDELIVERY\tARTICLE\tSTATE\tWHEN\tREPLY")
	}
	for _, d := range p.Deliveries {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", cmp.Or(d.Issue, d.Kind), cmp.Or(d.Article, "-"), d.State, d.Updated, oneLine(d.Reply))
	}
	if len(p.Events) > 0 {
		fmt.Fprintln(w, "\nEVENT\tSERIES\tWHEN\tHOW")
	}
	for _, e := range p.Events {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", e.Event, cmp.Or(e.Series, "everything"), e.At, oneLine(cmp.Or(e.Because, e.Form, e.IP)))
	}
}

func (a *app) subscriberExplainCommand() *cobra.Command {
	var slots int
	cmd := &cobra.Command{
		Use:   "explain EMAIL",
		Short: "What somebody will get, when, and which rule says so",
		Long: `Asks the function by which the sender itself decides. Each line names the rule that decided:

   1  the lowest-ranked ready article that they haven't had      10  skipped, pinned and paused dates
   3  the welcome and the gap after it                           11  nothing ready, a held or empty slot
   4  no going back: what is behind them is not sent             12  a slot that is late is held
   5  what was published or read before                          13  who gets it: confirmed, active, not suppressed
   8  withdrawn articles are nobody's                            14  once: nobody gets an article twice`,
		Example: "  pressrun subscriber explain ada@example.org --slots 4",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, given []string) error {
			if slots < 1 {
				return usagef(cmd, "--slots must be 1 or more, not %d", slots)
			}
			return a.with(cmd.Context(), func(s *site) error {
				lines, err := s.publisher.Explain(cmd.Context(), given[0], slots)
				if err != nil {
					return err
				}
				return a.print(lines, func(w io.Writer) { printExplained(w, given[0], lines) })
			})
		},
	}
	cmd.Flags().IntVar(&slots, "slots", 12, "how many slots of each series")
	a.jsonFlag(cmd)
	return cmd
}

func printExplained(w io.Writer, email string, lines []newsletter.Explained) {
	if len(lines) == 0 {
		fmt.Fprintf(w, "%s is in no series that has slots to come.\n", email)
		return
	}
	fmt.Fprintln(w, "SERIES\tSLOT\tARTICLE\tOUTCOME\tRULE\tWHY")
	for _, l := range lines {
		rule := "-"
		if l.Rule > 0 {
			rule = fmt.Sprint(l.Rule)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", l.Series, l.At.Format("Mon 2006-01-02 15:04 MST"), cmp.Or(l.Article, "-"), l.Outcome, rule, l.Why)
	}
}
