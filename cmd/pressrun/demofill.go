package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"pressrun/newsletter/importer"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

const (
	demoSeries  = "letters"
	demoAddress = "12 Quay Street, Port Ellery PE1 4TZ"
	// demoDisclaimer stands in for the closing note that a user's own articles may lack.
	demoDisclaimer = "Please note: this is a sample disclaimer of the demo. Your own stands here in every issue."
)

// demoReaders are the demo's subscribers: people who do not exist, at a domain that can't (RFC 2606).
var demoReaders = []subscribers.Addition{
	{Name: "Ada Quill", Email: "ada.quill@reader.example"},
	{Name: "Benedikt Sommer", Email: "benedikt.sommer@reader.example"},
	{Name: "Chidi Okafor", Email: "chidi.okafor@reader.example"},
	{Name: "Dorothea Lindqvist", Email: "dorothea.lindqvist@reader.example"},
	{Name: "Emre Yıldız", Email: "emre.yildiz@reader.example"},
	{Name: "Fatou Diallo", Email: "fatou.diallo@reader.example"},
	{Name: "Giulia Ferrante", Email: "giulia.ferrante@reader.example"},
	{Name: "Hana Nováková", Email: "hana.novakova@reader.example"},
	{Name: "Ines Carvalho", Email: "ines.carvalho@reader.example"},
	{Name: "Jonas Brück", Email: "jonas.brueck@reader.example"},
	{Name: "Kirsten O’Hara", Email: "kirsten.ohara@reader.example"},
	{Name: "Lucía Fuentes", Email: "lucia.fuentes@reader.example"},
	{Name: "Mateusz Zieliński", Email: "mateusz.zielinski@reader.example"},
	{Name: "Noor Haddad", Email: "noor.haddad@reader.example"},
	{Name: "Olga Petrova", Email: "olga.petrova@reader.example"},
	{Name: "Priya Raman", Email: "priya.raman@reader.example"},
	{Name: "Quentin Lefèvre", Email: "quentin.lefevre@reader.example"},
	{Name: "Rosa Marchetti", Email: "rosa.marchetti@reader.example"},
	{Name: "Søren Dahl", Email: "soren.dahl@reader.example"},
	{Name: "Tamar Levi", Email: "tamar.levi@reader.example"},
	{Name: "Ursula Kern", Email: "ursula.kern@reader.example"},
	{Name: "Viktor Horváth", Email: "viktor.horvath@reader.example"},
	{Name: "Wanjiru Kamau", Email: "wanjiru.kamau@reader.example"},
	{Name: "Yuki Tanabe", Email: "yuki.tanabe@reader.example"},
}

// fill makes the demo's series, articles and subscribers, so that its first slot is due now.
func (d *demo) fill(ctx context.Context, found importer.Found) error {
	disclaimer := found.Disclaimer
	if disclaimer == "" {
		disclaimer = demoDisclaimer
	}
	start := d.now().Truncate(time.Minute)
	change, err := demoChange(d.site.cfg, start, disclaimer)
	if err != nil {
		return err
	}
	return d.site.db.InTx(ctx, func(tx *store.Tx) error {
		// Planned from just before this minute, so that the slot of this very minute is the first.
		s, err := series.Add(ctx, tx, demoSeries, change, start.Add(-time.Second))
		if err != nil {
			return err
		}
		if _, err := series.ImportArticles(ctx, tx, s.ID, found.Articles, series.ImportOptions{Ready: true}, start.Add(-time.Second)); err != nil {
			return err
		}
		for _, a := range demoReaders {
			if _, err := d.site.people.Enrol(ctx, tx, s.ID, a, "sample subscriber of the demo"); err != nil {
				return err
			}
		}
		return nil
	})
}

func demoChange(cfg Config, start time.Time, disclaimer string) (series.Change, error) {
	zone, err := time.LoadLocation(cfg.Zone)
	if err != nil {
		return series.Change{}, fmt.Errorf("zone: %w", err)
	}
	local := start.In(zone)
	title, name, email, postal := "Letters from Harbour Clinic", "Harbour Clinic", "letters@harbour-clinic.example", demoAddress
	return series.Change{
		Title: &title, FromName: &name, FromEmail: &email, PostalAddress: &postal, Zone: &cfg.Zone, Language: &cfg.Language,
		Schedule:   []string{fmt.Sprintf("%d %d * * %d", local.Minute(), local.Hour(), local.Weekday())},
		Disclaimer: &disclaimer,
	}, nil
}

// printFound shows what was read: the order, what decided it, the disclaimer, and what was left out.
func printFound(w io.Writer, found importer.Found) {
	fmt.Fprintf(w, "Read %s, ordered by %s:\n", countOf(int64(len(found.Articles)), "article", "articles"), found.OrderedBy)
	for _, source := range found.Sources {
		fmt.Fprintf(w, "  %s\n", source)
	}
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for i, article := range found.Articles {
		fmt.Fprintf(table, "  %d\t%s\t%s\n", i+1, article.Title, article.Source)
	}
	_ = table.Flush() // a tabwriter fails only where w does, and w is the terminal
	if found.Disclaimer == "" {
		fmt.Fprintln(w, "No closing note was found in them, so the demo uses a sample disclaimer.")
	} else {
		fmt.Fprintf(w, "Their closing note becomes the disclaimer: “%s”\n", found.Disclaimer)
	}
	for _, p := range found.Problems {
		fmt.Fprintf(w, "  %s\n", p)
	}
	fmt.Fprintln(w)
}
