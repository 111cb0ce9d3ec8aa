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
	"pressrun/newsletter/importer"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

func (a *app) articleCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:     "article",
		Short:   "Articles: import, look, make ready, order, withdraw, export",
		Example: "  pressrun article import skin articles/ --dry-run\n  pressrun article list skin",
		Long:    "An article is named by its slug, which is unique in the site; `article list` shows them.",
	},
		a.articleImportCommand(), a.articleListCommand(), a.articleShowCommand(), a.articleReadyCommand(),
		a.articleWithdrawCommand(), a.articleMoveCommand(), a.articleExportCommand(),
	)
}

// errRolledBack ends the transaction of a dry run.
var errRolledBack = errors.New("nothing was changed")

// try runs f in a transaction, and takes back what it did where it is only a dry run.
func (s *site) try(ctx context.Context, dryRun bool, f func(tx *store.Tx) error) error {
	err := s.db.InTx(ctx, func(tx *store.Tx) error {
		if err := f(tx); err != nil || !dryRun {
			return err
		}
		return errRolledBack
	})
	if dryRun && errors.Is(err, errRolledBack) {
		return nil
	}
	return err
}

// articleLine is an article as list, show, ready and move print it.
type articleLine struct {
	Article   string               `json:"article"`
	Series    string               `json:"series"`
	Place     int64                `json:"place"`
	State     string               `json:"state"`
	Title     string               `json:"title"`
	Date      string               `json:"date,omitempty"`
	Revision  int64                `json:"revision"`
	Elsewhere bool                 `json:"published_elsewhere"`
	Source    string               `json:"source,omitempty"`
	Updated   string               `json:"updated"`
	Text      *articleText         `json:"text,omitempty"`
	Meta      map[string]string    `json:"meta,omitempty"`
	Past      *int64               `json:"readers_past,omitempty"`
	Before    *int64               `json:"readers_before,omitempty"`
	Issued    *time.Time           `json:"issued,omitempty"`           // ready and move: when it had its issue in a live series
	Lacking   *int64               `json:"readers_without,omitempty"`  // with Issued
	Broken    bool                 `json:"issue_broken_off,omitempty"` // with Issued: issue send --article goes to those without it
	Findings  []newsletter.Finding `json:"findings,omitempty"`         // of preflight, by ready
}

// articleText is what show adds to the line.
type articleText struct {
	Subject        string `json:"subject"`
	Preheader      string `json:"preheader"`
	Description    string `json:"description"`
	Disclaimer     string `json:"disclaimer"`
	DisclaimerMode string `json:"disclaimer_mode"`
	Markdown       string `json:"markdown"`
}

func articleLineOf(s series.Series, a series.Article) (articleLine, error) {
	zone, err := time.LoadLocation(s.Zone)
	if err != nil {
		return articleLine{}, fmt.Errorf("series %s: zone: %w", s.Slug, err)
	}
	return articleLine{
		Article: a.Slug, Series: s.Slug, Place: a.Rank, State: string(a.State), Title: a.Title, Date: a.Date, Revision: a.Revision,
		Elsewhere: a.Elsewhere, Source: a.Source, Updated: a.Updated.In(zone).Format(time.RFC3339),
	}, nil
}

func (a *app) articleListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list SERIES",
		Short:   "The articles of a series in their order",
		Example: "  pressrun article list skin\n  pressrun article list skin --json",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, given []string) error {
			return a.with(cmd.Context(), func(s *site) error { return a.listArticles(cmd.Context(), s, given[0]) })
		},
	}
	a.jsonFlag(cmd)
	return cmd
}

func (a *app) listArticles(ctx context.Context, s *site, slug string) error {
	of, err := series.BySlug(ctx, s.db, slug)
	if err != nil {
		return err
	}
	articles, err := series.Articles(ctx, s.db, of.ID)
	if err != nil {
		return err
	}
	lines := []articleLine{}
	for _, article := range articles {
		line, err := articleLineOf(of, article)
		if err != nil {
			return err
		}
		lines = append(lines, line)
	}
	return a.print(lines, func(w io.Writer) {
		if len(lines) == 0 {
			fmt.Fprintf(w, "no articles yet: pressrun article import %s PATH\n", slug)
			return
		}
		fmt.Fprintln(w, "PLACE\tARTICLE\tSTATE\tDATE\tTITLE")
		for _, l := range lines {
			state := l.State
			if l.Elsewhere {
				state += ", published elsewhere"
			}
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\n", l.Place, l.Article, state, cmp.Or(l.Date, "-"), l.Title)
		}
	})
}

// articlesBySlug finds articles and their series. All names that are unknown are said at once.
func (s *site) articlesBySlug(ctx context.Context, slugs []string) ([]series.Article, map[int64]series.Series, error) {
	var found []series.Article
	of := map[int64]series.Series{}
	var problems []error
	for _, slug := range slugs {
		article, err := series.ArticleBySlug(ctx, s.db, slug)
		if err == nil && of[article.SeriesID].ID == 0 {
			of[article.SeriesID], err = series.ByID(ctx, s.db, article.SeriesID)
		}
		if err != nil {
			problems = append(problems, err)
			continue
		}
		found = append(found, article)
	}
	return found, of, errors.Join(problems...)
}

func (a *app) articleShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show ARTICLE...",
		Short:   "Articles with their texts; --json is an array",
		Example: "  pressrun article show happy-gut",
		Args:    args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, given []string) error {
			return a.with(cmd.Context(), func(s *site) error { return a.showArticles(cmd.Context(), s, given) })
		},
	}
	a.jsonFlag(cmd)
	return cmd
}

func (a *app) showArticles(ctx context.Context, s *site, slugs []string) error {
	articles, of, err := s.articlesBySlug(ctx, slugs)
	if err != nil {
		return err
	}
	var lines []articleLine
	for _, article := range articles {
		line, err := articleLineOf(of[article.SeriesID], article)
		if err != nil {
			return err
		}
		line.Meta = article.Meta
		line.Text = &articleText{
			Subject: article.Subject, Preheader: article.Preheader, Description: article.Description,
			Disclaimer: article.Disclaimer, DisclaimerMode: article.DisclaimerMode, Markdown: article.Markdown,
		}
		lines = append(lines, line)
	}
	if a.json {
		return a.print(lines, nil)
	}
	for i, line := range lines { // not through a table: tabs of the texts stay what they are
		if i > 0 {
			fmt.Fprintln(a.out)
		}
		printArticle(a.out, line)
	}
	return nil
}

func printArticle(w io.Writer, l articleLine) {
	fmt.Fprintf(w, "%s: %s, place %d of series %s, revision %d\n", l.Article, l.State, l.Place, l.Series, l.Revision)
	for _, row := range []struct{ name, value string }{
		{"Title", l.Title},
		{"Subject", l.Text.Subject},
		{"Preheader", l.Text.Preheader},
		{"Description", l.Text.Description},
		{"Date", l.Date},
		{"Source", l.Source},
		{"Disclaimer (" + l.Text.DisclaimerMode + ")", l.Text.Disclaimer},
	} {
		if row.value != "" {
			fmt.Fprintf(w, "%s: %s\n", row.name, row.value)
		}
	}
	fmt.Fprintf(w, "\n%s\n", l.Text.Markdown)
}

func (a *app) articleWithdrawCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "withdraw ARTICLE...",
		Short: "Take articles out of next for everybody, and cancel what is queued of them",
		Long: `Takes articles out of next for everybody at once and cancels their deliveries that were not handed over yet. Nobody is moved;
the neighbours close up. "article ready" brings one back.`,
		Example: "  pressrun article withdraw happy-gut",
		Args:    args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, given []string) error {
			return a.with(cmd.Context(), func(s *site) error { return a.withdrawArticles(cmd.Context(), s, given) })
		},
	}
	a.jsonFlag(cmd)
	return cmd
}

// withdrawn is what withdraw prints for each article.
type withdrawn struct {
	Article   string `json:"article"`
	Cancelled int64  `json:"deliveries_cancelled"`
}

func (a *app) withdrawArticles(ctx context.Context, s *site, slugs []string) error {
	if _, _, err := s.articlesBySlug(ctx, slugs); err != nil {
		return err
	}
	done := []withdrawn{}
	var failed error
	for _, slug := range slugs {
		cancelled, err := s.publisher.Withdraw(ctx, slug)
		if err != nil {
			failed = err
			break
		}
		done = append(done, withdrawn{slug, cancelled})
	}
	return errors.Join(failed, a.print(done, func(w io.Writer) {
		for _, d := range done {
			fmt.Fprintf(w, "%s is withdrawn; queued deliveries cancelled: %d\n", d.Article, d.Cancelled)
		}
	}))
}

func (a *app) articleExportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export SERIES DIR",
		Short: "Write the articles of a series as Markdown files that import reads",
		Long: `Writes one Markdown file with front matter per article, numbered in their order. The folder is made where it is missing; one
that holds other articles is refused. What isn't ready is marked as draft or withdrawn. The folder can then be edited, kept in git, and
brought back with "pressrun sync".`,
		Example: "  pressrun article export skin skin-articles/",
		Args:    args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, given []string) error {
			return a.with(cmd.Context(), func(s *site) error { return a.exportArticles(cmd.Context(), s, given[0], given[1]) })
		},
	}
	a.jsonFlag(cmd)
	return cmd
}

func (a *app) exportArticles(ctx context.Context, s *site, slug, dir string) error {
	of, err := series.BySlug(ctx, s.db, slug)
	if err != nil {
		return err
	}
	articles, err := series.Articles(ctx, s.db, of.ID)
	if err != nil {
		return err
	}
	files, err := importer.Export(dir, articles, func(hash string) (series.Picture, error) { return series.PictureByHash(ctx, s.db, hash) })
	if err != nil {
		return err
	}
	written := struct {
		Folder string   `json:"folder"`
		Files  []string `json:"files"`
	}{dir, append([]string{}, files...)}
	return a.print(written, func(w io.Writer) {
		fmt.Fprintf(w, "%s of %s in %s\n", countOf(int64(len(files)), "article", "articles"), slug, strings.TrimSuffix(dir, "/"))
	})
}
