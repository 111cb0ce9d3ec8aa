package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pressrun/newsletter"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
)

// seriesLine is a series as list and show print it.
type seriesLine struct {
	Series        string               `json:"series"`
	Title         string               `json:"title"`
	State         string               `json:"state"` // active, paused
	Mode          string               `json:"mode"`
	From          seriesSender         `json:"from"`
	ReplyTo       string               `json:"reply_to"`
	PostalAddress string               `json:"postal_address"`
	Language      string               `json:"language"`
	Schedule      []string             `json:"schedule"`
	ScheduleWords string               `json:"schedule_words"`
	Zone          string               `json:"zone"`
	Start         string               `json:"start"`
	Welcome       string               `json:"welcome"`
	WhenNotReady  string               `json:"when_not_ready"`
	MinGap        string               `json:"min_gap"`
	Grace         string               `json:"grace"`
	Disclaimer    seriesDisclaimer     `json:"disclaimer"`
	Look          series.Look          `json:"look"`
	Private       bool                 `json:"private"`
	Sensitive     bool                 `json:"sensitive"`
	Page          string               `json:"page"` // its public page
	Form          string               `json:"form"` // HTML that subscribes from any site
	Articles      seriesArticles       `json:"articles"`
	Subscribers   seriesSubscribers    `json:"subscribers"`
	NextSlots     []newsletter.Planned `json:"next_slots"`
}

type seriesSender struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

type seriesDisclaimer struct {
	Version int    `json:"version"`
	Place   string `json:"place"`
	Text    string `json:"text"`
}

type seriesArticles struct {
	Ready     int `json:"ready"`
	Draft     int `json:"draft"`
	Withdrawn int `json:"withdrawn"`
}

type seriesSubscribers struct {
	Active   int64 `json:"active"`
	Pending  int64 `json:"pending"`
	Paused   int64 `json:"paused"`
	Ended    int64 `json:"ended"`
	Mailable int64 `json:"mailable"`
}

// describeSeries gathers what is known about a series, with its next slots.
func (s *site) describeSeries(ctx context.Context, of series.Series, slots int) (seriesLine, error) {
	people, err := subscribers.Count(ctx, s.db, of.ID)
	if err != nil {
		return seriesLine{}, err
	}
	articles, err := series.Articles(ctx, s.db, of.ID)
	if err != nil {
		return seriesLine{}, err
	}
	next, err := s.publisher.Plan(ctx, of.Slug, slots, time.Time{})
	if err != nil {
		return seriesLine{}, err
	}
	line := seriesLine{
		Series: of.Slug, Title: of.Title, State: seriesState(of), Mode: string(of.Mode), From: seriesSender{of.FromName, of.FromEmail},
		ReplyTo: of.ReplyTo, PostalAddress: of.PostalAddress, Language: of.Language, Schedule: of.Schedule,
		ScheduleWords: series.DescribeSchedule(of.Schedule), Zone: of.Zone, Start: of.StartDate, Welcome: of.Welcome,
		WhenNotReady: of.WhenNotReady, MinGap: of.MinGap.String(), Grace: of.Grace.String(),
		Look: of.Look, Private: of.Private, Sensitive: of.Sensitive,
		Page: s.absoluteURL("/s/" + of.PublicName()), Form: s.publisher.FormSnippet(of),
		Disclaimer:  seriesDisclaimer{of.Disclaimer.Version, of.Disclaimer.Place, of.Disclaimer.Text},
		Subscribers: seriesSubscribers{people.Active, people.Pending, people.Paused, people.Ended, people.Mailable},
		NextSlots:   append([]newsletter.Planned{}, next...),
	}
	for _, article := range articles {
		switch article.State {
		case series.Ready:
			line.Articles.Ready++
		case series.Draft:
			line.Articles.Draft++
		case series.Withdrawn:
			line.Articles.Withdrawn++
		}
	}
	return line, nil
}

func (a *app) seriesListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "The series of the site",
		Example: "  pressrun series list\n  pressrun series list --json",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), func(s *site) error { return a.listSeries(cmd.Context(), s) })
		},
	}
	a.jsonFlag(cmd)
	return cmd
}

func (a *app) listSeries(ctx context.Context, s *site) error {
	all, err := series.All(ctx, s.db)
	if err != nil {
		return err
	}
	lines := []seriesLine{}
	for _, of := range all {
		line, err := s.describeSeries(ctx, of, 1)
		if err != nil {
			return err
		}
		lines = append(lines, line)
	}
	return a.print(lines, func(w io.Writer) {
		if len(lines) == 0 {
			fmt.Fprintln(w, "no series yet: pressrun series add SERIES (--help shows one)")
			return
		}
		fmt.Fprintln(w, "SERIES\tSTATE\tMODE\tSCHEDULE\tREADY\tREADERS\tTITLE")
		for _, l := range lines {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s (%s)\t%d\t%d\t%s\n", l.Series, l.State, l.Mode, l.ScheduleWords, l.Zone, l.Articles.Ready, l.Subscribers.Mailable, l.Title)
		}
	})
}

func (a *app) seriesShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show SERIES",
		Short:   "All about a series: sender, schedule, next slots, disclaimer, counts",
		Example: "  pressrun series show skin\n  pressrun series show skin --json",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, given []string) error {
			return a.with(cmd.Context(), func(s *site) error { return a.showSeries(cmd.Context(), s, given[0]) })
		},
	}
	a.jsonFlag(cmd)
	return cmd
}

func (a *app) showSeries(ctx context.Context, s *site, slug string) error {
	of, err := series.BySlug(ctx, s.db, slug)
	if err != nil {
		return err
	}
	line, err := s.describeSeries(ctx, of, 4)
	if err != nil {
		return err
	}
	return a.print(line, func(w io.Writer) { printSeries(w, line) })
}

func printSeries(w io.Writer, l seriesLine) {
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("Series", "%s: %s", l.Series, l.Title)
	row("State", "%s, %s", l.State, l.Mode)
	row("From", "%s <%s>", l.From.Name, l.From.Email)
	row("Answers to", "%s", cmp.Or(l.ReplyTo, l.From.Email))
	row("Postal address", "%s", l.PostalAddress)
	row("Language", "%s", l.Language)
	row("Schedule", "%s (%s)", l.ScheduleWords, l.Zone)
	if l.Start != "" {
		row("From date", "%s", l.Start)
	}
	row("Welcome", "%s", l.Welcome)
	row("When not ready", "%s", l.WhenNotReady)
	row("Articles", "%d ready, %d drafts, %d withdrawn", l.Articles.Ready, l.Articles.Draft, l.Articles.Withdrawn)
	row("Subscribers", "%d active, %d to confirm, %d paused, %d ended; %d can be mailed now", l.Subscribers.Active, l.Subscribers.Pending,
		l.Subscribers.Paused, l.Subscribers.Ended, l.Subscribers.Mailable)
	row("Public page", "%s%s", l.Page, seriesShown(l))
	for i, line := range foldPlan(l.NextSlots) {
		name := ""
		if i == 0 {
			name = "Next slots"
		}
		row(name, "%s  %s", line.span(plannedSlot), nextText(line.first))
	}
	fmt.Fprintf(w, "\nDisclaimer, version %d, at the %s of every letter:\n", l.Disclaimer.Version, strings.ReplaceAll(l.Disclaimer.Place, "both", "start and the end"))
	fmt.Fprintf(w, "\n  %s\n", strings.ReplaceAll(l.Disclaimer.Text, "\n", "\n  "))
	fmt.Fprintf(w, "\nThe sign-up form for any page on any site:\n\n  %s\n", strings.ReplaceAll(strings.TrimSpace(l.Form), "\n", "\n  "))
}

// nextText says what a coming slot is for and what is in its way.
func nextText(row newsletter.Planned) string {
	if row.Article != "" && row.Blocked != "" {
		return row.Article + "; in its way: " + row.Blocked
	}
	return cmp.Or(row.Article, row.Blocked)
}

// seriesShown says who may see the page of a series.
func seriesShown(l seriesLine) string {
	switch {
	case l.Sensitive && l.Private:
		return " (private, sensitive)"
	case l.Sensitive:
		return " (sensitive)"
	case l.Private:
		return " (private)"
	}
	return ""
}
