package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"pressrun/newsletter"
	"pressrun/newsletter/importer"
	"pressrun/newsletter/series"
)

func (a *app) issueCorrectCommand() *cobra.Command {
	var note string
	cmd := &cobra.Command{
		Use:   "correct ISSUE --note TEXT",
		Short: "Send the article as it is now, under a note, to those who had an older revision",
		Long: `Import the mended article first: pressrun article import SERIES PATH. The archive page changes with the correction; issues
already sent don't.`,
		Example: "  pressrun issue correct skin/2027-03-30T09:00 --note 'The dose in step 2 was wrong.' --yes",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, given []string) error {
			if note == "" {
				return usagef(cmd, "say what was wrong: --note TEXT")
			}
			return a.with(cmd.Context(), func(s *site) error {
				send := func(dryRun bool) (q queued, err error) {
					q.Issue, q.Readers, err = s.publisher.Correct(cmd.Context(), given[0], note, dryRun)
					return q, err
				}
				return a.sendIssue(cmd, s, send, func(q queued) string {
					of, _, _ := strings.Cut(given[0], "/")
					return fmt.Sprintf("Send a correction of %s to %s?%s", given[0], countOf(q.Readers, "reader", "readers"), a.also(s.saidPaused(cmd.Context(), of)))
				})
			})
		},
	}
	cmd.Flags().StringVar(&note, "note", "", "what readers are told above the article")
	a.yesFlag(cmd)
	a.jsonFlag(cmd)
	return cmd
}

func (a *app) issueAnnounceCommand() *cobra.Command {
	var to newsletter.Announcement
	var file string
	cmd := &cobra.Command{
		Use:   "announce SERIES... --article ARTICLE|--file FILE",
		Short: "Send a letter outside the order to the readers of one or more series, once to each",
		Long: `Sends an article, or the text of a file, to everybody active in the series, once to each; nobody's next article moves by it. Who had
the same words within a week is left out, so a command that is run again mails nobody twice.

An article counts as had by whoever gets it, also in its own series where that is another one. Sent to the whole of its own live series it
had its issue, and the slots go on without it; sent to some of them, or to another series, it keeps its turn for the others.

` + filterHelp,
		Example: "  pressrun issue announce skin sleep --file moving-house.md --yes\n" +
			"  pressrun issue announce skin --article leaky-gut --yes\n" +
			"  pressrun issue announce skin gut --where 'tag = vip and language = de' --file invitation.md",
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, given []string) error {
			if (to.Article == "") == (file == "") {
				return usagef(cmd, "say what to send: --article ARTICLE or --file FILE")
			}
			to.Series = given
			if file != "" {
				found, err := importer.Read(file)
				if err != nil {
					return err
				}
				if len(found.Articles) != 1 {
					return fmt.Errorf("%s holds %d articles; an announcement is one", file, len(found.Articles))
				}
				for _, p := range found.Problems {
					fmt.Fprintf(a.err, "note: %s\n", p)
				}
				to.Title, to.Markdown = found.Articles[0].Title, found.Articles[0].Markdown
			}
			return a.with(cmd.Context(), func(s *site) error {
				send := func(dryRun bool) (q queued, err error) {
					q.Article = to.Article
					q.Issue, q.Readers, err = s.publisher.Announce(cmd.Context(), to, dryRun)
					return q, err
				}
				return a.sendIssue(cmd, s, send, func(q queued) string {
					said := a.also(s.saidPaused(cmd.Context(), to.Series...) + s.saidTurn(cmd.Context(), to))
					return fmt.Sprintf("Send this announcement to %s?%s", countOf(q.Readers, "reader", "readers"), said)
				})
			})
		},
	}
	cmd.Flags().StringVar(&to.Article, "article", "", "an article of any series; it counts as had")
	cmd.Flags().StringVar(&file, "file", "", "a Markdown or text file; its title is the subject")
	whereFlag(cmd, &to.Where)
	a.yesFlag(cmd)
	a.jsonFlag(cmd)
	return cmd
}

// saidPaused says of what is sent by hand that a pause doesn't keep it; empty where none of the series is paused.
func (s *site) saidPaused(ctx context.Context, slugs ...string) (said string) {
	for _, slug := range slugs {
		if of, err := series.BySlug(ctx, s.db, slug); err == nil && of.Paused {
			said += fmt.Sprintf(" Series %s is paused: that keeps its slots, and this goes out all the same.", slug)
		}
	}
	return said
}

// saidTurn says what an announcement does to the turn of its article in its own series; empty: it has none, or there is nothing to say.
func (s *site) saidTurn(ctx context.Context, to newsletter.Announcement) string {
	a, err := series.ArticleBySlug(ctx, s.db, to.Article)
	if err != nil {
		return ""
	}
	of, err := series.ByID(ctx, s.db, a.SeriesID)
	if err != nil {
		return ""
	}
	had, _, err := series.Had(ctx, s.db, of.ID)
	_, issued := had[a.ID]
	switch {
	case err != nil || issued || of.Mode != series.Live:
		return ""
	case to.Everybody(of.Slug):
		return fmt.Sprintf(" It counts as the issue of “%s” in %s, whose slots go on without it.", a.Slug, of.Slug)
	}
	return fmt.Sprintf(" “%s” keeps its turn in %s, for those who lack it then.", a.Slug, of.Slug)
}
