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
	Language   string `json:"language,omitempty"`
	Zone       string `json:"zone,omitempty"`

	Tags   []string          `json:"tags,omitempty"`
	Fields map[string]string `json:"fields,omitempty"`
}

func (a *app) subscriberListCommand() *cobra.Command {
	var where string
	var count bool
	cmd := &cobra.Command{
		Use:   "list SERIES",
		Short: "The people of a series, or how many there are",
		Long:  filterHelp,
		Example: "  pressrun subscriber list skin\n  pressrun subscriber list skin --where 'tag = vip' --json\n" +
			"  pressrun subscriber list skin --where 'state = active and language = de' --count",
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, given []string) error {
			return a.with(cmd.Context(), func(s *site) error {
				of, picks, err := s.segment(cmd, given[0], where)
				if err != nil {
					return err
				}
				if count {
					return a.countPeople(cmd.Context(), s, of, picks)
				}
				return a.listPeople(cmd.Context(), s, of, picks)
			})
		},
	}
	whereFlag(cmd, &where)
	cmd.Flags().BoolVar(&count, "count", false, "only how many, and how many of them are mailed")
	a.jsonFlag(cmd)
	return cmd
}

// countedLine is what list --count prints.
type countedLine struct {
	Series   string `json:"series"`
	People   int64  `json:"people"`
	Mailable int64  `json:"mailable"` // would get an issue now
}

func (a *app) countPeople(ctx context.Context, s *site, of series.Series, where subscribers.Filter) error {
	line := countedLine{Series: of.Slug}
	var err error
	if line.People, err = subscribers.CountPicked(ctx, s.db, of.ID, where); err != nil {
		return err
	}
	if err := subscribers.Picked(ctx, s.db, of.ID, where, func(int64) { line.Mailable++ }); err != nil {
		return err
	}
	return a.print(line, func(w io.Writer) {
		fmt.Fprintf(w, "%s, of whom %d would be mailed now.\n", countOf(line.People, "person", "people"), line.Mailable)
	})
}

func (a *app) listPeople(ctx context.Context, s *site, of series.Series, where subscribers.Filter) error {
	slug := of.Slug
	lines := []listedLine{}
	err := subscribers.List(ctx, s.db, of.ID, where, func(l subscribers.Listed) error {
		lines = append(lines, listedLine{
			Email: l.Email, Name: l.Name, Status: string(l.State), EndedBy: l.EndedBy, Suppressed: l.Suppressed, Mailable: l.Mailable,
			Since: stamp(l.ActiveSince), Language: l.Language, Zone: l.Zone, Tags: l.Tags, Fields: l.Fields,
		})
		return nil
	})
	if err != nil {
		return err
	}
	return a.print(lines, func(w io.Writer) {
		if len(lines) == 0 && where != (subscribers.Filter{}) {
			fmt.Fprintln(w, "nobody is picked")
			return
		}
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
func stamp(t time.Time) string { return newsletter.Stamp(t) }

func (a *app) subscriberShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show EMAIL",
		Short:   "Everything known about somebody",
		Example: "  pressrun subscriber show ada@example.org\n  pressrun subscriber show ada@example.org --json",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, given []string) error {
			return a.with(cmd.Context(), func(s *site) error {
				shown, err := s.publisher.Person(cmd.Context(), given[0])
				if err != nil {
					return typed(given[0], err)
				}
				return a.print(shown, func(w io.Writer) { printPerson(w, shown) })
			})
		},
	}
	a.jsonFlag(cmd)
	return cmd
}

// typed names the address that is unknown, or is none, as it was typed: errors of the database mask it or leave it out, since
// logs hold no addresses.
func typed(email string, err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("subscriber %s: %w: nobody here has this address", email, store.ErrNotFound)
	case errors.Is(err, subscribers.ErrAddress):
		return fmt.Errorf("%q: %w", email, err)
	}
	return err
}

// printAbout prints what is known of the person themselves.
func printAbout(w io.Writer, p newsletter.Person) {
	fmt.Fprintf(w, "%s: %s\n", strings.TrimSpace(p.Name+" <"+p.Email+">"), p.Status)
	if p.Created != "" {
		fmt.Fprintf(w, "Known since:\t%s\n", p.Created)
	}
	if p.Language != "" {
		fmt.Fprintf(w, "Language:\t%s\n", p.Language)
	}
	if p.Zone != "" {
		fmt.Fprintf(w, "Time zone:\t%s\n", p.Zone)
	}
	if len(p.Tags) > 0 {
		fmt.Fprintf(w, "Tags:\t%s\n", strings.Join(p.Tags, ", "))
	}
	for _, name := range slices.Sorted(maps.Keys(p.Fields)) {
		fmt.Fprintf(w, "%s:\t%s\n", name, oneLine(p.Fields[name]))
	}
}

func printPerson(w io.Writer, p newsletter.Person) {
	printAbout(w, p)
	for _, e := range p.Enrolments {
		state := strings.TrimSpace(e.Status + " " + cmp.Or(e.EndedBy, e.Since))
		if e.CycleSince != "" {
			state += fmt.Sprintf(", in cycle %d since %s", e.Cycle, e.CycleSince)
		}
		fmt.Fprintf(w, "Series %s:\t%s\n", e.Series, state)
	}
	for _, x := range p.Suppressions {
		what := cmp.Or(x.Series, "everything")
		if x.Domain {
			what += ", the whole domain"
		}
		fmt.Fprintf(w, "Suppressed:\t%s of %s since %s\t%s\n", x.Reason, what, x.Created, x.Because)
	}
	if len(p.Deliveries) > 0 {
		fmt.Fprintln(w, "\nDELIVERY\tARTICLE\tCYCLE\tSTATE\tWHEN\tREPLY")
	}
	for _, d := range p.Deliveries {
		cycle := "-"
		if d.Cycle > 0 {
			cycle = fmt.Sprint(d.Cycle)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", cmp.Or(d.Issue, d.Kind), cmp.Or(d.Article, "-"), cycle, d.State, d.Updated, oneLine(d.Reply))
		if d.Bounced != "" {
			fmt.Fprintf(w, "\t\t\tbounced\t%s\t%s\n", d.Bounced, oneLine(d.Said))
		}
		if d.Complained != "" {
			fmt.Fprintf(w, "\t\t\tcomplained\t%s\t\n", d.Complained)
		}
	}
	if len(p.Events) > 0 {
		fmt.Fprintln(w, "\nEVENT\tSERIES\tWHEN\tHOW")
	}
	for _, e := range p.Events {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", e.Event, cmp.Or(e.Series, "everything"), e.At, oneLine(strings.TrimSpace(e.Reason+" "+cmp.Or(e.Note, e.Because, e.Form, e.IP))))
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
   8  withdrawn articles are nobody's                            14  once a cycle; who starts again has another`,
		Example: "  pressrun subscriber explain ada@example.org --slots 4",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, given []string) error {
			if slots < 1 {
				return usagef(cmd, "--slots must be 1 or more, not %d", slots)
			}
			return a.with(cmd.Context(), func(s *site) error {
				lines, err := s.publisher.Explain(cmd.Context(), given[0], slots)
				if err != nil {
					return typed(given[0], err)
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
	same := func(a, b newsletter.Explained) bool {
		return a.Article == "" && b.Article == "" && a.Outcome == b.Outcome && a.Why == b.Why
	}
	for _, line := range folded(lines, func(l newsletter.Explained) string { return l.Series }, same) {
		l, rule := line.first, "-"
		if l.Rule > 0 {
			rule = fmt.Sprint(l.Rule)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", l.Series,
			line.span(func(l newsletter.Explained) string { return l.At.Format(slotFormat) }), cmp.Or(l.Article, "-"), l.Outcome, rule, l.Why)
	}
}
