package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"pressrun/newsletter/importer"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
	"pressrun/templates"
)

func (a *app) seriesCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:     "series",
		Short:   "Series: make, look, change, pause, skip a date, pin an article",
		Example: "  pressrun series show skin\n  pressrun series skip skin 2027-12-28",
		Long:    "A series is an ordered list of articles with its own sender, schedule, zone and disclaimer.",
	},
		a.seriesAddCommand(), a.seriesListCommand(), a.seriesShowCommand(), a.seriesSetCommand(), a.seriesPauseCommand(),
		a.seriesResumeCommand(), a.seriesSkipCommand(), a.seriesPinCommand(),
	)
}

// seriesFlags are the flags of add and set.
type seriesFlags struct {
	title, from, replyTo, postalAddress, language, zone string
	start, mode, welcome, whenNotReady                  string
	disclaimer, place                                   string
	theme, accent, ground, scale, logo                  string
	schedule                                            []string
	minGap, grace                                       time.Duration
	private, sensitive                                  bool
}

// define declares the flags. What a value is when it is not given, only add has to say.
func (f *seriesFlags) define(cmd *cobra.Command, adding bool) {
	usage := func(what, otherwise string) string {
		if adding {
			return what + " (default: " + otherwise + ")"
		}
		return what
	}
	flags := cmd.Flags()
	flags.StringVar(&f.title, "title", "", "title that readers see")
	flags.StringVar(&f.from, "from", "", `sender, as "Name <news@example.org>"`)
	flags.StringVar(&f.postalAddress, "postal-address", "", usage("postal address below every letter", "the site's"))
	flags.StringVar(&f.disclaimer, "disclaimer", "", "words that every letter carries, or @FILE that holds them")
	flags.StringVar(&f.place, "disclaimer-place", "", usage("where the disclaimer stands: start, end or both", "end"))
	flags.StringArrayVar(&f.schedule, "schedule", nil, `slots, as "tuesdays 09:00" or cron's "0 9 * * TUE"; may be repeated`)
	flags.StringVar(&f.zone, "zone", "", usage("IANA zone of the schedule, such as Europe/Berlin", "the site's"))
	flags.StringVar(&f.mode, "mode", "", usage("live: all get the same article; drip: each starts at the first", "live"))
	flags.StringVar(&f.start, "start", "", "first local date with a slot, YYYY-MM-DD")
	flags.StringVar(&f.replyTo, "reply-to", "", usage("address that answers go to", "the sender's"))
	flags.StringVar(&f.welcome, "welcome", "", usage("article right after confirming: none, first or latest", "latest; in drip first"))
	flags.StringVar(&f.whenNotReady, "when-not-ready", "", usage("a draft at the head: hold the slot, or skip the draft", "hold; in drip skip"))
	flags.StringVar(&f.language, "language", "", usage("language of the letters, such as en or de", "the site's"))
	flags.StringVar(&f.theme, "theme", "", usage("how letters look: journal, or plain as a letter from a person", "journal"))
	flags.StringVar(&f.accent, "accent", "", "colour of links, numbers and buttons, as #1a6358; empty: the theme's")
	flags.StringVar(&f.ground, "ground", "", "colour around the letter, in plain its paper, as #f3f1ec; empty: the theme's")
	flags.StringVar(&f.scale, "type", "", usage("size of the text: normal or large", "normal"))
	flags.StringVar(&f.logo, "logo", "", "picture file that stands for the site's name on top; empty: none")
	flags.BoolVar(&f.private, "private", false, "keep its pages from search programs and off the site's first page; --private=false takes it back")
	flags.BoolVar(&f.sensitive, "sensitive", false, "what it is about says something of its readers (health): explicit consent, links and headers without its name, people forgotten sooner; --sensitive=false takes it back")
	flags.DurationVar(&f.minGap, "min-gap", 0, usage("shortest time between a welcome and the next letter; in live it is the welcome that gives way", "72h"))
	flags.DurationVar(&f.grace, "grace", 0, usage("how late a slot may be and still go out by itself", "6h"))
}

// change reads the flags that were given.
func (f *seriesFlags) change(cmd *cobra.Command) (series.Change, error) {
	given := cmd.Flags().Changed
	var c series.Change
	f.changeTexts(cmd, &c)
	if given("mode") {
		c.Mode = new(series.Mode(f.mode))
	}
	if given("schedule") {
		c.Schedule = f.schedule
	}
	if given("private") {
		c.Private = &f.private
	}
	if given("sensitive") {
		c.Sensitive = &f.sensitive
	}
	if given("min-gap") {
		c.MinGap = &f.minGap
	}
	if given("grace") {
		c.Grace = &f.grace
	}
	if given("from") {
		c.FromName, c.FromEmail = splitSender(f.from)
	}
	if given("logo") {
		c.Logo = &series.Picture{}
		if f.logo != "" {
			logo, err := importer.ReadPicture(f.logo)
			if err != nil {
				return c, usagef(cmd, "--logo: %w", err)
			}
			c.Logo = &logo
		}
	}
	return c, f.readDisclaimer(cmd, &c)
}

// changeTexts reads the flags that are taken as they were typed.
func (f *seriesFlags) changeTexts(cmd *cobra.Command, c *series.Change) {
	for _, flag := range []struct {
		name string
		from *string
		to   **string
	}{
		{"title", &f.title, &c.Title},
		{"reply-to", &f.replyTo, &c.ReplyTo},
		{"postal-address", &f.postalAddress, &c.PostalAddress},
		{"language", &f.language, &c.Language},
		{"zone", &f.zone, &c.Zone},
		{"start", &f.start, &c.StartDate},
		{"welcome", &f.welcome, &c.Welcome},
		{"when-not-ready", &f.whenNotReady, &c.WhenNotReady},
		{"disclaimer-place", &f.place, &c.DisclaimerPlace},
		{"theme", &f.theme, &c.Theme},
		{"accent", &f.accent, &c.Accent},
		{"ground", &f.ground, &c.Ground},
		{"type", &f.scale, &c.Type},
	} {
		if cmd.Flags().Changed(flag.name) {
			*flag.to = flag.from
		}
	}
}

// readDisclaimer takes the words, or reads them from the file that @FILE names.
func (f *seriesFlags) readDisclaimer(cmd *cobra.Command, c *series.Change) error {
	if !cmd.Flags().Changed("disclaimer") {
		return nil
	}
	words := f.disclaimer
	if file, ok := strings.CutPrefix(words, "@"); ok {
		in, err := os.Open(file)
		if err != nil {
			return usagef(cmd, "--disclaimer: %w", err)
		}
		defer in.Close()
		const most = 64 << 10 // far above what a disclaimer may hold, far below what a wrong file can
		text, err := io.ReadAll(io.LimitReader(in, most))
		if err != nil {
			return usagef(cmd, "--disclaimer: %w", err)
		}
		words = string(text)
	}
	c.Disclaimer = &words
	return nil
}

// splitSender takes "Name <address>" apart; an address alone leaves the name as it is. Whether they can be used, series
// says with all else.
func splitSender(from string) (name, email *string) {
	from = strings.TrimSpace(from)
	open := strings.LastIndexByte(from, '<')
	if open < 0 || !strings.HasSuffix(from, ">") {
		return nil, &from
	}
	before, address := strings.TrimSpace(from[:open]), from[open+1:len(from)-1]
	if len(before) > 1 && before[0] == '"' && before[len(before)-1] == '"' {
		before = before[1 : len(before)-1]
	}
	return &before, &address
}

// asUsage makes wrong usage of what is wrong with the values of flags.
func asUsage(cmd *cobra.Command, err error) error {
	if errors.Is(err, series.ErrInvalid) || errors.Is(err, series.ErrSlug) || errors.Is(err, series.ErrSchedule) || errors.Is(err, series.ErrDisclaimer) {
		return usageError{err: err, cmd: cmd}
	}
	return err
}

func (a *app) seriesAddCommand() *cobra.Command {
	var f seriesFlags
	cmd := &cobra.Command{
		Use:   "add SERIES",
		Short: "Make a series",
		Long: `Makes a series. SERIES is its short name in links and commands: small letters, digits, hyphens. Nothing is sent before it has
ready articles and confirmed readers.`,
		Example: `  pressrun series add skin --title "Skin letters" --from "Harbour Clinic <news@example.org>" \
      --postal-address "1 Quay Street, Harbour" --disclaimer "Please note: this is no medical advice." \
      --schedule "tuesdays 09:00" --zone Europe/Berlin
  pressrun series add essays --mode drip --schedule "mondays and thursdays 18:00" --disclaimer @disclaimer.md …`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, given []string) error {
			c, err := f.change(cmd)
			if err != nil {
				return err
			}
			return a.with(cmd.Context(), func(s *site) error { return asUsage(cmd, a.addSeries(cmd.Context(), s, given[0], c)) })
		},
	}
	f.define(cmd, true)
	return cmd
}

func (a *app) addSeries(ctx context.Context, s *site, slug string, c series.Change) error {
	for _, d := range []struct {
		to   **string
		site string
	}{{&c.PostalAddress, s.cfg.PostalAddress}, {&c.Zone, s.cfg.Zone}, {&c.Language, s.cfg.Language}} {
		if *d.to == nil && d.site != "" {
			*d.to = &d.site
		}
	}
	var made series.Series
	err := s.db.InTx(ctx, func(tx *store.Tx) (err error) {
		made, err = series.Add(ctx, tx, slug, c, s.now())
		return err
	})
	if errors.Is(err, series.ErrInvalid) && c.PostalAddress == nil {
		return fmt.Errorf("%w\n(postal_address in the configuration is the one of all series that have none)", err)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "Series %s: %s (%s).\n", made.Slug, series.DescribeSchedule(made.Schedule), made.Zone)
	a.sayTooShort(made)
	a.sayEnglish(made)
	if err := a.printNextSlot(made, s.now()); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "Now its articles: pressrun article import %s PATH\n", made.Slug)
	return nil
}

// sayTooShort says which months the schedule leaves out, since they don't have the day it names.
func (a *app) sayTooShort(of series.Series) {
	if months := series.TooShort(of.Schedule); months != "" {
		fmt.Fprintf(a.out, "No slot in %s: too short for the day that the schedule names. Every month has a day 28.\n", months)
	}
}

// sayMode says what a change of mode means for the next slot.
func (a *app) sayMode(ctx context.Context, s *site, of series.Series) error {
	articles, err := series.Articles(ctx, s.db, of.ID)
	if err != nil {
		return err
	}
	elsewhere := 0
	for _, article := range articles {
		if article.Elsewhere && article.State == series.Ready {
			elsewhere++
		}
	}
	switch {
	case elsewhere == 0:
	case of.Mode == series.Live:
		fmt.Fprintf(a.out, "%s published elsewhere before: in the archive only.\n", countOf(int64(elsewhere), "article was", "articles were"))
	default:
		fmt.Fprintf(a.out, "%s published elsewhere before and will go out too, to all but whom an import says to have read them (--received-through).\n",
			countOf(int64(elsewhere), "article was", "articles were"))
	}
	next, err := s.publisher.Foresee(ctx, s.db, of)
	if err == nil && next.Slot != "" {
		sayNext(a.out, &next)
	}
	return err
}

// sayModeFirst says what a change of mode means for the readers before it is done, and where somebody can answer asks when it takes
// articles from them. What it takes they get after all once it is taken back.
func (a *app) sayModeFirst(ctx context.Context, s *site, before, after series.Series) error {
	m, err := s.publisher.CompareModes(ctx, s.db, before, after)
	if err != nil {
		return err
	}
	if after.Mode == series.Live {
		fmt.Fprintln(a.out, "In live everybody gets the same article in a slot, the first that had no issue.")
	} else {
		fmt.Fprintln(a.out, "In drip each reader gets their own next, the first article that they have not had from here.")
	}
	if m.Gain > 0 {
		fmt.Fprintf(a.out, "Of %s %d get what was not to come for them: %s.\n", countOf(m.Readers, "reader", "readers"), m.Gain, someOf(m.Gained))
	}
	if m.Lose == 0 {
		return nil
	}
	fmt.Fprintf(a.out, "Of %s %d don't get any more what was still to come for them: %s.\n", countOf(m.Readers, "reader", "readers"), m.Lose, someOf(m.Lost))
	if _, asked := a.terminal(); asked {
		return a.confirm("Change the mode of " + before.Slug + "?")
	}
	fmt.Fprintf(a.out, "To take it back before the next slot: pressrun series set %s --mode %s\n", before.Slug, before.Mode)
	return nil
}

// someOf names articles with their number, the first of them where they are many.
func someOf(slugs []string) string {
	n := countOf(int64(len(slugs)), "article", "articles")
	if more := len(slugs) - mostNamed; more > 0 {
		return fmt.Sprintf("%s (%s and %d more)", n, strings.Join(slugs[:mostNamed], ", "), more)
	}
	return fmt.Sprintf("%s (%s)", n, strings.Join(slugs, ", "))
}

// sayEnglish says that letters speak English around the texts of a series in a language that they have no words of.
func (a *app) sayEnglish(of series.Series) {
	language, _, _ := strings.Cut(of.Language, "-")
	if has, _, _ := strings.Cut(templates.InMail(of.Language).Language(), "-"); has != language {
		fmt.Fprintf(a.out, "Letters have no words in %s: what stands around the articles, footers and buttons, is in English.\n", of.Language)
	}
}

// printNextSlot says when the next slot of a series is.
func (a *app) printNextSlot(of series.Series, now time.Time) error {
	if of.Paused {
		fmt.Fprintf(a.out, "It is paused: no slot sends anything, and no issue on hold can be released, until `pressrun series resume %s`.\n", of.Slug)
		return nil
	}
	next, err := series.Upcoming(of.Schedule, of.Zone, of.StartDate, now, 1)
	if err != nil || len(next) == 0 {
		return err
	}
	fmt.Fprintf(a.out, "Next slot by its schedule: %s.\n", next[0].At.Format(slotFormat))
	return nil
}

// slotFormat shows a slot's instant in its series' zone.
const slotFormat = "Mon 2006-01-02 15:04 MST"

func (a *app) seriesSetCommand() *cobra.Command {
	var f seriesFlags
	cmd := &cobra.Command{
		Use:   "set SERIES",
		Short: "Change a series",
		Long: `Changes what the flags name and leaves the rest. A new schedule or zone plans the coming slots anew from now on; skipped and
pinned dates stay. A new disclaimer is a new version: issues that are frozen keep the one they carry. Another mode says first what it
means for the readers, in numbers; welcome and when-not-ready, where they are at the mode's defaults, follow it.`,
		Example: `  pressrun series set skin --schedule "thursdays 18:00" --zone Europe/Berlin
  pressrun series set skin --disclaimer @disclaimer.md --disclaimer-place both`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, given []string) error {
			c, err := f.change(cmd)
			if err != nil {
				return err
			}
			some := false
			cmd.LocalNonPersistentFlags().VisitAll(func(flag *pflag.Flag) { some = some || flag.Changed })
			if !some {
				return usagef(cmd, "say what to set: --help lists the flags")
			}
			return a.with(cmd.Context(), func(s *site) error { return asUsage(cmd, a.setSeries(cmd.Context(), s, given[0], c)) })
		},
	}
	f.define(cmd, false)
	return cmd
}

func (a *app) setSeries(ctx context.Context, s *site, slug string, c series.Change) error {
	var before, changed series.Series
	var people subscribers.Counts
	set := func(tx *store.Tx) (err error) {
		if before, err = series.BySlug(ctx, tx, slug); err != nil {
			return err
		}
		if changed, err = series.Set(ctx, tx, slug, c, s.now()); err != nil {
			return err
		}
		people, err = subscribers.Count(ctx, tx, changed.ID)
		return err
	}
	if c.Mode != nil {
		err := s.try(ctx, true, set)
		if err == nil && before.Mode != changed.Mode {
			err = a.sayModeFirst(ctx, s, before, changed)
		}
		if err != nil {
			return err
		}
	}
	if err := s.db.InTx(ctx, set); err != nil {
		return err
	}
	if names := changedParts(before, changed, c); len(names) > 0 {
		fmt.Fprintf(a.out, "Changed: %s.\n", strings.Join(names, ", "))
	} else {
		fmt.Fprintln(a.out, "Nothing was changed: it was so already.")
	}
	if here := people.Active + people.Paused; changed.Sensitive && !before.Sensitive && here > 0 {
		fmt.Fprintf(a.out, "%s here from before it was sensitive, without the explicit consent to what it says of people that GDPR article 9 asks for.\n"+
			"Nobody is taken out by this: ask for a new sign-up on its page, or be sure that what was agreed to covers it.\n", countOf(here, "reader is", "readers are"))
	}
	fmt.Fprintf(a.out, "Series %s: %s (%s), disclaimer version %d.\n", changed.Slug, series.DescribeSchedule(changed.Schedule), changed.Zone, changed.Disclaimer.Version)
	if before.Language != changed.Language {
		a.sayEnglish(changed)
	}
	if strings.Join(before.Schedule, "\n") != strings.Join(changed.Schedule, "\n") {
		a.sayTooShort(changed)
	}
	if err := a.printNextSlot(changed, s.now()); err != nil || before.Mode == changed.Mode {
		return err
	}
	return a.sayMode(ctx, s, changed)
}

// changedParts names what of a series is other than before. What follows its mode unasked is named with what it is now.
func changedParts(before, after series.Series, c series.Change) (names []string) {
	followed := map[string]string{}
	if c.Welcome == nil {
		followed["welcome"] = after.Welcome
	}
	if c.WhenNotReady == nil {
		followed["when-not-ready"] = after.WhenNotReady
	}
	for _, part := range []struct {
		name string
		is   func(series.Series) any
	}{
		{"title", func(s series.Series) any { return s.Title }},
		{"sender", func(s series.Series) any { return [2]string{s.FromName, s.FromEmail} }},
		{"reply-to", func(s series.Series) any { return s.ReplyTo }},
		{"postal address", func(s series.Series) any { return s.PostalAddress }},
		{"language", func(s series.Series) any { return s.Language }},
		{"zone", func(s series.Series) any { return s.Zone }},
		{"schedule", func(s series.Series) any { return strings.Join(s.Schedule, "\n") }},
		{"start", func(s series.Series) any { return s.StartDate }},
		{"mode", func(s series.Series) any { return s.Mode }},
		{"welcome", func(s series.Series) any { return s.Welcome }},
		{"min-gap", func(s series.Series) any { return s.MinGap }},
		{"grace", func(s series.Series) any { return s.Grace }},
		{"when-not-ready", func(s series.Series) any { return s.WhenNotReady }},
		{"disclaimer", func(s series.Series) any { return s.Disclaimer.Text }},
		{"disclaimer-place", func(s series.Series) any { return s.Disclaimer.Place }},
		{"look", func(s series.Series) any { return s.Look }},
		{"private", func(s series.Series) any { return s.Private }},
		{"sensitive", func(s series.Series) any { return s.Sensitive }},
	} {
		if part.is(before) == part.is(after) {
			continue
		}
		if now := followed[part.name]; now != "" {
			part.name = fmt.Sprintf("%s (with the mode, to %s)", part.name, now)
		}
		names = append(names, part.name)
	}
	return names
}
