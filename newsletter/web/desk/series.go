package desk

import (
	"context"
	"net/http"
	"time"

	"pressrun/newsletter/series"
	"pressrun/newsletter/web"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
	"pressrun/templates"
)

const slotsOfSeries = 6 // on its page

func (d *desk) series(w http.ResponseWriter, r *http.Request, u User) error {
	s, err := series.BySlug(r.Context(), d.DB, r.PathValue("series"))
	if err != nil {
		return err
	}
	page := templates.DeskSeries{
		DeskFrame: d.frame(r, u), Title: s.Title, Rhythm: series.DescribeSchedule(s.Schedule), Zone: s.Zone, Mode: string(s.Mode),
		Paused: s.Paused, Public: "/s/" + s.PublicName(), Form: d.Publisher.FormSnippet(s),
	}
	people, err := subscribers.Count(r.Context(), d.DB, s.ID)
	if err != nil {
		return err
	}
	page.Counts = []templates.DeskCount{
		{State: "mailable", N: people.Mailable},
		{State: "active", N: people.Active},
		{State: "pending", N: people.Pending},
		{State: "paused", N: people.Paused},
		{State: "ended", N: people.Ended},
	}
	if page.Coming, err = d.slots(r.Context(), []series.Series{s}, s.Slug, slotsOfSeries, u); err != nil {
		return err
	}
	if page.Articles, err = d.articles(r.Context(), s, page.Coming); err != nil {
		return err
	}
	if u.Role.reaches(Editor) {
		page.Actions = seriesActions(s)
	}
	return web.Show(w, http.StatusOK, page.Write)
}

func seriesActions(s series.Series) []templates.DeskAction {
	verb := "pause"
	if s.Paused {
		verb = "resume"
	}
	return []templates.DeskAction{{Verb: verb + "_series", Path: "/desk/series/" + s.Slug + "/" + verb}}
}

// articles lists the articles in order, with when they went out and which is the next slot's.
func (d *desk) articles(ctx context.Context, s series.Series, coming []templates.DeskSlot) ([]templates.DeskArticle, error) {
	all, err := series.Articles(ctx, d.DB, s.ID)
	if err != nil {
		return nil, err
	}
	issued := map[int64]time.Time{}
	if s.Mode == series.Live {
		if issued, _, err = series.Had(ctx, d.DB, s.ID); err != nil {
			return nil, err
		}
	}
	zone, err := time.LoadLocation(s.Zone)
	if err != nil {
		return nil, err
	}
	views := make([]templates.DeskArticle, len(all))
	for i, a := range all {
		path := "/desk/article/" + a.Slug
		views[i] = templates.DeskArticle{
			Number: i + 1, Title: a.Title, Path: path, State: string(a.State), Elsewhere: a.Elsewhere,
			Next: s.Mode == series.Live && len(coming) > 0 && coming[0].ArticlePath == path,
		}
		if at, ok := issued[a.ID]; ok {
			views[i].Issued = at.In(zone)
		}
	}
	return views, nil
}

func (d *desk) pauseSeries(w http.ResponseWriter, r *http.Request, u User) error {
	return d.setSeries(w, r, u, "pause", series.Pause)
}

func (d *desk) resumeSeries(w http.ResponseWriter, r *http.Request, u User) error {
	return d.setSeries(w, r, u, "resume", series.Resume)
}

func (d *desk) setSeries(w http.ResponseWriter, r *http.Request, u User, verb string, set func(context.Context, *store.Tx, string, time.Time) error) error {
	slug := r.PathValue("series")
	err := d.DB.InTx(web.Lasting(r), func(tx *store.Tx) error { return set(web.Lasting(r), tx, slug, d.Now()) })
	if err != nil {
		return err
	}
	d.Log.InfoContext(r.Context(), "series changed on the desk", "series", slug, "change", verb, "user", u.ID)
	return back(w, r, "/desk/series/"+slug, verb+"_series")
}
