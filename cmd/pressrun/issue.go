package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pressrun/newsletter"
	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/newsletter/web/desk"
	"pressrun/subscribers"
)

func (a *app) issueCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:     "issue",
		Short:   "Issues: send by hand, test, look, hold, release, correct, announce",
		Example: "  pressrun issue list skin\n  pressrun issue hold skin/2027-03-30T09:00 --because 'a figure is wrong'",
		Long: `An issue is named SERIES/SLOT, such as skin/2027-03-30T09:00, with /ARTICLE after it in a drip series. A slot that has not
fired yet can be held and released by the same name.`,
	},
		a.issueSendCommand(), a.issueTestCommand(), a.issueListCommand(), a.issueShowCommand(),
		a.issueChangeCommand("hold", "Keep an issue, or a coming slot, from sending", (*newsletter.Publisher).HoldIssue),
		a.issueReleaseCommand("release", "Let a held issue send, also where its time has passed", (*newsletter.Publisher).ReleaseIssue),
		a.issueChangeCommand("pause", "Stop an issue in mid-send; nobody is removed", (*newsletter.Publisher).PauseIssue),
		a.issueReleaseCommand("resume", "Go on with a paused issue where it stopped", (*newsletter.Publisher).ResumeIssue),
		a.issueCancelCommand(),
		a.issueSettleCommand(), a.issueRetryCommand(), a.issueCorrectCommand(), a.issueAnnounceCommand(),
	)
}

// queued is what the commands print that make an issue.
type queued struct {
	Issue    string    `json:"issue"`
	Article  string    `json:"article"`
	Readers  int64     `json:"readers"`
	Delivery *delivery `json:"delivery"`
}

func (a *app) issueSendCommand() *cobra.Command {
	var article string
	cmd := &cobra.Command{
		Use:     "send SERIES",
		Short:   "Send the next article, or the named one, now; the coming slot takes the one after",
		Example: "  pressrun issue send skin\n  pressrun issue send skin --article leaky-gut --yes",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, given []string) error {
			return a.with(cmd.Context(), func(s *site) error {
				send := func(dryRun bool) (q queued, err error) {
					q.Issue, q.Article, q.Readers, err = s.publisher.SendNow(cmd.Context(), given[0], article, dryRun)
					return q, err
				}
				return a.sendIssue(cmd, s, send, func(q queued) string {
					ends := a.also(s.saidPaused(cmd.Context(), given[0]) + s.saidCourse(cmd.Context(), given[0], q.Readers))
					return fmt.Sprintf("Send “%s” to %s of %s now?%s", q.Article, countOf(q.Readers, "reader", "readers"), given[0], ends)
				})
			})
		},
	}
	cmd.Long = "Makes the issue, asks, and delivers, with a bar on a terminal. " + watchHelp + ` The last object is the one that --json prints
alone, with "delivery" in it. An article whose issue was withdrawn or cancelled in mid-send goes, named by --article, to those who are
without it.`
	cmd.Flags().StringVar(&article, "article", "", "this article instead of the next one")
	a.watchFlag(cmd)
	a.yesFlag(cmd)
	a.jsonFlag(cmd)
	return cmd
}

// also is what a question ends with. Where nobody is asked it is said all the same.
func (a *app) also(said string) string {
	if a.yes && said != "" {
		fmt.Fprintln(a.err, strings.TrimSpace(said))
	}
	return said
}

// sendIssue says what would be sent, asks, sends and delivers.
func (a *app) sendIssue(cmd *cobra.Command, s *site, send func(dryRun bool) (queued, error), question func(queued) string) error {
	would, err := send(true)
	if err != nil {
		return err
	}
	if err := s.mayLeave(cmd.Context()); err != nil {
		return fmt.Errorf("no issue was made: %w", err)
	}
	if err := a.confirm(question(would)); err != nil {
		return err
	}
	q, err := send(false)
	if err != nil {
		return err
	}
	var d delivery
	var failed error
	if a.watch {
		d, failed = a.deliverWatched(cmd.Context(), s, q.Issue)
	} else {
		d, failed = s.deliver(cmd.Context(), a.err)
	}
	q.Delivery = &d
	if a.watch && a.json {
		return errors.Join(failed, jsonLine(a.out, q))
	}
	trial := ""
	if s.cfg.trial() {
		said, err := s.saidTrial(cmd.Context())
		failed, trial = errors.Join(failed, err), said+"\n"
	}
	made, err := s.publisher.IssuesWith(cmd.Context(), q.Issue)
	failed = errors.Join(failed, err)
	return errors.Join(failed, a.print(q, func(w io.Writer) {
		fmt.Fprintf(w, "%s, for %s. %s\n%s", q.Issue, countOf(q.Readers, "reader", "readers"), d.saidOf(sentOf(made)), trial)
	}))
}

func (a *app) issueTestCommand() *cobra.Command {
	var article, to string
	cmd := &cobra.Command{
		Use:     "test SERIES",
		Short:   "Send a letter to one address to look at; it counts for nobody",
		Example: "  pressrun issue test skin --to me@example.org --yes",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, given []string) error {
			if to == "" {
				return usagef(cmd, "say where to: --to EMAIL")
			}
			if _, err := subscribers.ParseAddress(to); err != nil {
				return usagef(cmd, "--to %q: %w", to, err)
			}
			return a.with(cmd.Context(), func(s *site) error {
				if err := s.mayTest(cmd.Context(), to); err != nil {
					return err
				}
				if err := a.confirm(fmt.Sprintf("Send a test of %s to %s?", given[0], to)); err != nil {
					return err
				}
				if err := s.publisher.SendTest(cmd.Context(), given[0], article, to); err != nil {
					return err
				}
				d, err := s.deliver(cmd.Context(), a.err)
				d.Notices = 0 // a test is one
				fmt.Fprintf(a.out, "A test of %s for %s. %s\n", given[0], to, d.said())
				if err == nil && d.Refused > 0 && d.Sent == 0 {
					err = errors.New("the test was refused: nobody got it")
				}
				return err
			})
		},
	}
	cmd.Flags().StringVar(&article, "article", "", "this article instead of the next one")
	cmd.Flags().StringVar(&to, "to", "", "the address that gets the test")
	a.yesFlag(cmd)
	return cmd
}

// mayTest refuses tests to an address that nothing may be sent to, and until go-live has passed to others than the site's own
// users.
func (s *site) mayTest(ctx context.Context, to string) error {
	against, err := s.people.Suppressions(ctx, s.db, to)
	if err != nil {
		return err
	}
	for _, one := range against {
		if one.SeriesID == 0 && one.Reason != "unsubscribe" && one.Reason != "erasure" {
			return fmt.Errorf("a test goes to no address that is suppressed (%s: %s); `pressrun subscriber unsuppress` lifts it", one.Reason, one.Because)
		}
	}
	held := s.mayLeave(ctx)
	if held == nil {
		return nil
	}
	address, err := subscribers.ParseAddress(to)
	if err != nil {
		return err
	}
	users, err := desk.Users(ctx, s.db)
	if err != nil {
		return err
	}
	for _, user := range users {
		if own, err := subscribers.ParseAddress(user.Email); err == nil && own.Key == address.Key {
			return nil
		}
	}
	return fmt.Errorf("%w; until then a test goes to the users of this site only (pressrun user list)", held)
}

// issueLine is an issue as list and show print it.
type issueLine struct {
	Issue   string        `json:"issue"`
	Series  string        `json:"series"`
	Article string        `json:"article"`
	Slot    string        `json:"slot"`
	State   string        `json:"state"`
	Counts  outbox.Counts `json:"counts"`
	Subject string        `json:"subject"`
	Kind    string        `json:"kind"`
	Reason  string        `json:"reason"`
	Began   string        `json:"began,omitempty"` // RFC 3339; when it began to be sent
	Done    string        `json:"done,omitempty"`
	Ends    string        `json:"ends,omitempty"` // when its last message leaves at the pace that is set
	Stops   []stopLine    `json:"stops,omitempty"`

	Remaining int64 `json:"remaining"` // deliveries that are not through yet

	Planned *newsletter.Planned `json:"planned,omitempty"` // the plan's row of a slot that has not fired
}

// said is the state in a word. A welcome is never done: its rows come one by one, with those who confirm.
func (l issueLine) said() string {
	if l.Kind == "welcome" && l.State == string(series.IssueSending) && l.Remaining == 0 {
		return "for newcomers"
	}
	return l.State
}

// stopLine is a mailbox provider that an issue doesn't go to since it refused it.
type stopLine struct {
	Provider string `json:"provider"` // empty: the relay itself
	Class    string `json:"class"`
	Reply    string `json:"reply"`
	Since    string `json:"since"`
	Waiting  int64  `json:"waiting"`
}

func lineOf(st newsletter.Status) issueLine {
	zone, err := time.LoadLocation(st.Series.Zone)
	if err != nil {
		zone = time.UTC
	}
	stamp := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.In(zone).Format(time.RFC3339)
	}
	var stops []stopLine
	for _, s := range st.Stops {
		stops = append(stops, stopLine{s.Lane, s.Class, s.Reply, stamp(s.Since), s.Waiting})
	}
	return issueLine{
		Stops: stops,
		Issue: st.Issue.Name, Series: st.Series.Slug, Article: st.Article, Slot: st.Issue.Slot, State: string(st.Issue.State),
		Counts: st.Counts, Subject: st.Issue.Subject, Kind: st.Issue.Kind, Reason: st.Issue.Reason,
		Began: stamp(st.Issue.SendingSince), Done: stamp(st.Issue.DoneAt), Remaining: st.Counts.Open(),
		Planned: st.Planned,
	}
}

func linesOf(all []newsletter.Status) []issueLine {
	lines := make([]issueLine, len(all))
	for i, st := range all {
		lines[i] = lineOf(st)
	}
	return lines
}

func (a *app) issueListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list [SERIES]",
		Short:   "List issues with what became of their deliveries, newest first",
		Example: "  pressrun issue list skin --json",
		Args:    args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, given []string) error {
			return a.with(cmd.Context(), func(s *site) error {
				slug := ""
				if len(given) > 0 {
					slug = given[0]
				}
				all, err := s.publisher.IssueList(cmd.Context(), slug, 0)
				if err != nil {
					return err
				}
				lines := linesOf(all)
				return a.print(lines, func(w io.Writer) { printIssues(w, lines) })
			})
		},
	}
	a.jsonFlag(cmd)
	return cmd
}

func printIssues(w io.Writer, lines []issueLine) {
	if len(lines) == 0 {
		fmt.Fprintln(w, "no issues yet; pressrun plan shows the coming ones")
		return
	}
	fmt.Fprintln(w, "ISSUE\tARTICLE\tSTATE\tSENT\tOPEN\tFAILED\tSKIPPED\tUNCERTAIN")
	for _, l := range lines {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\n", l.Issue, cmp.Or(l.Article, "-"), l.said(),
			l.Counts.Sent, l.Counts.Open(), l.Counts.Failed, l.Counts.Skipped, l.Counts.Uncertain)
	}
}

func (a *app) issueShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show ISSUE",
		Short:   "Show one issue, or why its slot has none; of a drip slot all its issues",
		Example: "  pressrun issue show skin/2027-03-30T09:00\n  pressrun issue show skin/2027-03-30T09:00 --watch",
		Long: "Shows an issue with the counts of its deliveries by state. " + watchHelp + `
It ends when the issue is done or cancelled, or with Ctrl-C, which stops the watching only.`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, given []string) error {
			if !strings.Contains(given[0], "/") {
				return usagef(cmd, "%q is no issue: one is named SERIES/SLOT, such as skin/2027-03-30T09:00, and `pressrun issue list` shows them", given[0])
			}
			return a.with(cmd.Context(), func(s *site) error {
				if a.watch {
					return a.watchOf(s).run(cmd.Context(), given[0])
				}
				return a.showIssue(cmd, s, given[0])
			})
		},
	}
	a.watchFlag(cmd)
	a.jsonFlag(cmd)
	return cmd
}

func (a *app) showIssue(cmd *cobra.Command, s *site, name string) error {
	all, err := s.publisher.IssuesNamed(cmd.Context(), name)
	if err != nil {
		return err
	}
	if len(all) > 1 {
		lines := linesOf(all)
		return a.print(lines, func(w io.Writer) { printIssues(w, lines) })
	}
	if err := s.publisher.ForeseeSlot(cmd.Context(), &all[0]); err != nil {
		return err
	}
	l := lineOf(all[0])
	course, err := s.publisher.Course(cmd.Context(), all[0])
	if err != nil {
		return err
	}
	if zone, err := time.LoadLocation(all[0].Series.Zone); err == nil && !course.Ends.IsZero() {
		l.Ends = course.Ends.In(zone).Format(time.RFC3339)
	}
	return a.print(l, func(w io.Writer) {
		fmt.Fprintf(w, "issue\t%s\nstate\t%s\n", l.Issue, l.said())
		for _, row := range [][2]string{{"subject", l.Subject}, {"article", l.Article}, {"reason", l.Reason}, {"began", l.Began}, {"done", l.Done}, {"ends", l.Ends}} {
			if row[1] != "" {
				fmt.Fprintf(w, "%s\t%s\n", row[0], row[1])
			}
		}
		if l.Planned != nil {
			printPlanned(w, l.Planned)
			return
		}
		c := l.Counts
		fmt.Fprintf(w, "pending\t%d\nclaimed\t%d\nin flight\t%d\nsent\t%d\nfailed\t%d\nskipped\t%d\nuncertain\t%d\n",
			c.Pending, c.Claimed, c.Inflight, c.Sent, c.Failed, c.Skipped, c.Uncertain)
		if c.Bounced > 0 {
			fmt.Fprintf(w, "bounced\t%d, of those sent\n", c.Bounced)
		}
		if c.Complained > 0 {
			fmt.Fprintf(w, "complained\t%d, of those sent\n", c.Complained)
		}
		if c.Uncertain > 0 {
			fmt.Fprintf(w, "\nUncertain: the relay's answer was lost, so they may have arrived or not. Its log may tell. Then:\n"+
				"  pressrun issue settle %[1]s --as sent|again\n", l.Issue)
		}
	})
}

// printPlanned says what a slot that has not fired is going to send.
func printPlanned(w io.Writer, row *newsletter.Planned) {
	fmt.Fprintf(w, "at\t%s\nreaders\t%d\n", row.At.Format(time.RFC3339), row.Readers)
	if len(row.Articles) > 1 {
		for _, each := range row.Articles {
			fmt.Fprintf(w, "\t%s: %s\n", each.Article, countOf(each.Readers, "reader", "readers"))
		}
	}
	if row.Blocked != "" {
		fmt.Fprintf(w, "in the way\t%s\n", row.Blocked)
	}
}

// issueChangeCommand is a command that stops an issue in some way: it mails nobody, so it doesn't ask.
func (a *app) issueChangeCommand(name, short string, change func(*newsletter.Publisher, context.Context, string, string) error) *cobra.Command {
	var because string
	cmd := &cobra.Command{
		Use:     name + " ISSUE",
		Short:   short,
		Example: "  pressrun issue " + name + " skin/2027-03-30T09:00 --because 'a figure is wrong'",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, given []string) error {
			return a.with(cmd.Context(), func(s *site) error {
				if err := change(s.publisher, cmd.Context(), given[0], because); err != nil {
					return err
				}
				return a.showIssue(cmd, s, given[0])
			})
		},
	}
	cmd.Flags().StringVar(&because, "because", "by an editor", "the reason, shown to the other editors")
	a.jsonFlag(cmd)
	return cmd
}

// issueCancelCommand can't be taken back, so it asks.
func (a *app) issueCancelCommand() *cobra.Command {
	cmd := a.issueChangeCommand("cancel", "End an issue; one that reached nobody gives its article back", (*newsletter.Publisher).CancelIssue)
	cmd.Long = `Ends an issue for good. Whoever has it keeps it, nobody else gets it; ` + "`issue pause`" + ` stops it so that it can go on. A slot that is
due, or held without an issue, is skipped. One that is still to come has nothing to cancel: ` + "`series skip`" + ` leaves its date out.`
	cmd.Example += " --yes"
	cancel := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, given []string) error {
		err := a.with(cmd.Context(), func(s *site) error {
			all, err := s.publisher.IssuesNamed(cmd.Context(), given[0])
			if err != nil {
				return err
			}
			var open int64
			for _, st := range all {
				if err := s.publisher.MayCancel(st); err != nil {
					return err
				}
				open += st.Counts.Open()
			}
			question := fmt.Sprintf("Cancel %s for good?", titled(given[0], all))
			if open > 0 {
				question += fmt.Sprintf(" %s without it; `pressrun issue pause` can be taken back.", countOf(open, "reader stays", "readers stay"))
			}
			return a.confirm(question)
		})
		if err != nil {
			return err
		}
		return cancel(cmd, given)
	}
	a.yesFlag(cmd)
	return cmd
}

// issueReleaseCommand is a command that lets an issue send: it mails people, so it asks.
func (a *app) issueReleaseCommand(name, short string, change func(*newsletter.Publisher, context.Context, string) error) *cobra.Command {
	cmd := &cobra.Command{
		Use:     name + " ISSUE",
		Short:   short,
		Example: "  pressrun issue " + name + " skin/2027-03-30T09:00 --yes",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, given []string) error {
			return a.with(cmd.Context(), func(s *site) error {
				all, err := s.publisher.IssuesNamed(cmd.Context(), given[0])
				if err != nil {
					return err
				}
				if err := a.confirm(fmt.Sprintf("Send what is left of %s?", titled(given[0], all))); err != nil {
					return err
				}
				if err := change(s.publisher, cmd.Context(), given[0]); err != nil {
					return err
				}
				if len(all) == 1 && all[0].Planned != nil { // it sends at its time, and what waits of others is no part of it
					return a.showIssue(cmd, s, given[0])
				}
				return a.deliverAndShow(cmd, s, given[0])
			})
		},
	}
	a.yesFlag(cmd)
	a.jsonFlag(cmd)
	return cmd
}

// titled is a name of issues with their subjects, as far as they have any.
func titled(name string, all []newsletter.Status) string {
	var subjects []string
	for _, st := range all {
		if st.Issue.Subject != "" {
			subjects = append(subjects, "“"+st.Issue.Subject+"”")
		}
	}
	if len(subjects) == 0 {
		return name
	}
	return name + " (" + strings.Join(subjects, ", ") + ")"
}

func (a *app) issueSettleCommand() *cobra.Command {
	var as string
	cmd := &cobra.Command{
		Use:   "settle ISSUE --as sent|again",
		Short: "Decide about uncertain deliveries: count them as sent, or send them once more",
		Long: `A delivery is uncertain where the relay's answer was lost: it may have arrived or not, and nothing sends it again by itself.
The relay's log may tell. "again" can give somebody the issue twice; it leaves out who has started the series again since.`,
		Example: "  pressrun issue settle skin/2027-03-30T09:00 --as sent",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, given []string) error {
			if as != "sent" && as != "again" {
				return usagef(cmd, "--as must be sent or again, not %q", as)
			}
			return a.with(cmd.Context(), func(s *site) error {
				if as == "again" {
					if err := a.confirm(fmt.Sprintf("Send the uncertain deliveries of %s once more?", given[0])); err != nil {
						return err
					}
				}
				return a.changed(cmd, s, given[0], func() (int64, error) {
					n, left, err := s.publisher.SettleIssue(cmd.Context(), given[0], as)
					if left > 0 {
						fmt.Fprintf(a.err, "not sent again: %d, since who it is for has started the series again and gets the article in its turn. "+
							"To count the rest as sent: pressrun issue settle %s --as sent\n", left, given[0])
					}
					return n, err
				})
			})
		},
	}
	cmd.Flags().StringVar(&as, "as", "", "sent: they count as sent; again: they are sent once more")
	a.yesFlag(cmd)
	a.jsonFlag(cmd)
	return cmd
}

func (a *app) issueRetryCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "retry ISSUE",
		Short:   "Try deliveries again that failed, but not for their address: blocked, settings, content, too old",
		Example: "  pressrun issue retry skin/2027-03-30T09:00 --yes",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, given []string) error {
			return a.with(cmd.Context(), func(s *site) error {
				if err := a.confirm(fmt.Sprintf("Send the failed deliveries of %s again?", given[0])); err != nil {
					return err
				}
				return a.changed(cmd, s, given[0], func() (int64, error) { return s.publisher.RetryIssue(cmd.Context(), given[0]) })
			})
		},
	}
	a.yesFlag(cmd)
	a.jsonFlag(cmd)
	return cmd
}

// changed changes a number of deliveries, delivers what is pending then, and shows the issue.
func (a *app) changed(cmd *cobra.Command, s *site, name string, change func() (int64, error)) error {
	n, err := change()
	if err != nil {
		return err
	}
	fmt.Fprintf(a.err, "deliveries changed: %d\n", n)
	return a.deliverAndShow(cmd, s, name)
}

// deliverAndShow delivers what is pending, and shows what an issue came to.
func (a *app) deliverAndShow(cmd *cobra.Command, s *site, name string) error {
	before, err := s.publisher.IssuesNamed(cmd.Context(), name)
	if err != nil {
		return err
	}
	d, err := s.deliver(cmd.Context(), a.err)
	after, failed := s.publisher.IssuesNamed(cmd.Context(), name)
	fmt.Fprintln(a.err, d.saidOf(sentOf(after)-sentOf(before)))
	err = errors.Join(err, failed)
	if err == nil {
		err = s.waiting(cmd.Context(), d)
	}
	return errors.Join(err, a.showIssue(cmd, s, name))
}
