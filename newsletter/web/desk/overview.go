package desk

import (
	"context"
	"net/http"
	"slices"
	"time"

	"pressrun/newsletter"
	"pressrun/newsletter/series"
	"pressrun/newsletter/web"
	"pressrun/templates"
)

const (
	slotsAhead   = 3  // of each series, on the overview
	issuesLately = 20 // on the overview

	heldSlotsShown = 60 * 24 * time.Hour
)

func (d *desk) overview(w http.ResponseWriter, r *http.Request, u User) error {
	page := templates.DeskOverview{DeskFrame: d.frame(r, u)}
	page.Here = "overview"
	if d.NextWeek != nil && u.Role.reaches(Editor) {
		page.NextWeek = "/desk/next-week"
	}
	if d.Trouble != nil {
		if err := d.Trouble(); err != nil {
			page.Trouble = err.Error()
		}
	}
	if err := d.fillIssues(r.Context(), &page, u); err != nil {
		return err
	}
	all, err := series.All(r.Context(), d.DB)
	if err != nil {
		return err
	}
	page.NoSeries = len(all) == 0
	if page.Coming, err = d.slots(r.Context(), all, "", slotsAhead, u); err != nil {
		return err
	}
	return web.Show(w, http.StatusOK, page.Write)
}

// fillIssues sorts the issues by what an editor does with them: decide, watch, or know.
func (d *desk) fillIssues(ctx context.Context, page *templates.DeskOverview, u User) error {
	open, err := d.openIssues(ctx)
	if err != nil {
		return err
	}
	page.Stream, page.Busy = streamPath(open), busy(open)
	for _, s := range open {
		view := d.issueView(page.Words, s, u)
		if view.Ends, err = d.ends(ctx, s); err != nil {
			return err
		}
		if s.Issue.State == series.IssueHeld {
			page.Decide = append(page.Decide, view)
		} else {
			page.Now = append(page.Now, view)
		}
	}
	held, err := d.heldSlots(ctx)
	if err != nil {
		return err
	}
	for _, s := range held {
		page.Decide = append(page.Decide, d.issueView(page.Words, s, u))
	}
	recent, err := d.Publisher.IssueList(ctx, "", issuesLately)
	if err != nil {
		return err
	}
	for _, s := range recent {
		if s.Counts.Uncertain > 0 && s.Issue.State != series.IssueHeld {
			page.Decide = append(page.Decide, d.issueView(page.Words, s, u))
		} else if s.Issue.State == series.IssueDone || s.Issue.State == series.IssueCancelled {
			page.Lately = append(page.Lately, d.issueView(page.Words, s, u))
		}
	}
	return nil
}

// openIssues are the issues that are neither done nor cancelled, the oldest first. A welcome stays open for those who
// come, so it counts only while somebody's is on its way.
func (d *desk) openIssues(ctx context.Context) ([]newsletter.Status, error) {
	open, err := series.OpenIssues(ctx, d.DB)
	if err != nil {
		return nil, err
	}
	var all []newsletter.Status
	for _, issue := range open {
		s, err := d.Publisher.Issue(ctx, issue.Name)
		if err != nil {
			return nil, err
		}
		if s.Issue.Kind != "welcome" || s.Counts.Open() > 0 {
			all = append(all, s)
		}
	}
	return all, nil
}

// heldSlots are the slots for which no issue could be made, each as if it were a held issue: those of the last weeks, and those that an
// editor holds for however long.
func (d *desk) heldSlots(ctx context.Context) ([]newsletter.Status, error) {
	all, err := series.All(ctx, d.DB)
	if err != nil {
		return nil, err
	}
	var held []newsletter.Status
	for _, s := range all {
		slots, err := series.HeldSlots(ctx, d.DB, s.ID, d.Now().Add(-heldSlotsShown))
		if err != nil {
			return nil, err
		}
		for _, slot := range slots {
			status, err := d.Publisher.Issue(ctx, s.Slug+"/"+slot.Wall)
			if err != nil {
				return nil, err
			}
			held = append(held, status)
		}
	}
	return held, nil
}

// busy says whether numbers are moving.
func busy(open []newsletter.Status) bool {
	return slices.ContainsFunc(open, func(s newsletter.Status) bool {
		return s.Issue.State == series.IssueFilling || s.Issue.State == series.IssueSending
	})
}

// slots are the coming slots of one series or, with slug "", of all.
func (d *desk) slots(ctx context.Context, all []series.Series, slug string, n int, u User) ([]templates.DeskSlot, error) {
	planned, err := d.Publisher.Plan(ctx, slug, n, time.Time{})
	if err != nil {
		return nil, err
	}
	var views []templates.DeskSlot
	for _, p := range planned {
		i := slices.IndexFunc(all, func(s series.Series) bool { return s.Slug == p.Series })
		if i < 0 {
			continue // added since
		}
		view := templates.DeskSlot{
			At: p.At, Article: p.Title, Others: max(0, len(p.Articles)-1), Readers: p.Readers, Blocked: p.Blocked, Ends: p.Ends,
		}
		if slug == "" {
			view.Series, view.SeriesPath = all[i].Title, "/desk/series/"+p.Series
		}
		if all[i].Paused { // the plan names a command, and here is a button
			view.Blocked = view.T("desk.slot.paused")
			if slug != "" { // the page says so of them all
				view.Blocked = ""
			}
		}
		if p.Article != "" {
			view.ArticlePath = "/desk/article/" + p.Article
		}
		if view.Actions, err = d.slotActions(ctx, all[i], p.Slot, u); err != nil {
			return nil, err
		}
		views = append(views, view)
	}
	return views, nil
}

func (d *desk) nextWeek(w http.ResponseWriter, r *http.Request, _ User) error {
	if err := d.NextWeek(web.Lasting(r)); err != nil {
		return err
	}
	return back(w, r, "/desk/", "week")
}
