package desk

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"pressrun/newsletter"
	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/newsletter/web"
	"pressrun/subscribers/store"
	"pressrun/templates"
)

// issue is the page of an issue, or with ?view=letter the letter alone, for the page's frame.
func (d *desk) issue(w http.ResponseWriter, r *http.Request, u User) error {
	if r.URL.Query().Get("view") == "letter" {
		return d.letter(w, r)
	}
	s, err := d.Publisher.Issue(r.Context(), r.PathValue("issue"))
	if err == nil {
		err = d.Publisher.ForeseeSlot(r.Context(), &s)
	}
	if err != nil {
		return err
	}
	open, err := d.openIssues(r.Context())
	if err != nil {
		return err
	}
	page := templates.DeskIssuePage{DeskFrame: d.frame(r, u), Zone: s.Series.Zone}
	switch { // a slot without an issue has its article at most
	case s.Issue.ID != 0:
		page.Letter, page.About = "/desk/issue/"+s.Issue.Name+"?view=letter", page.T("desk.issue.letter")
	case s.Article != "":
		page.Letter, page.About = "/desk/article/"+s.Article+"/letter?view=desktop", page.T("desk.article.preview")
	}
	page.Issue = d.issueView(page.Words, s, u)
	if s.Planned != nil {
		page.Planned = &templates.DeskSlot{
			Words: page.Words, Readers: s.Planned.Readers, Blocked: s.Planned.Blocked, Others: max(0, len(s.Planned.Articles)-1),
		}
		if s.Series.Paused {
			page.Planned.Blocked = page.T("desk.slot.paused")
		}
	}
	if page.Issue.Ends, err = d.ends(r.Context(), s); err != nil {
		return err
	}
	if slices.ContainsFunc(open, func(o newsletter.Status) bool { return o.Issue.ID == s.Issue.ID }) {
		page.Stream, page.Busy = streamPath(open), busy(open)
	}
	return web.Show(w, http.StatusOK, page.Write)
}

// ends is when an issue that is sent has its last message leave, in its series' zone; zero: no pace is set, or nothing is left.
func (d *desk) ends(ctx context.Context, s newsletter.Status) (time.Time, error) {
	course, err := d.Publisher.Course(ctx, s)
	if err != nil || course.Ends.IsZero() {
		return time.Time{}, err
	}
	zone, err := time.LoadLocation(s.Series.Zone)
	if err != nil {
		zone = time.UTC
	}
	return course.Ends.In(zone), nil
}

// letter is the frozen letter, for a reader without a name. The hole of the personal link stays a hole.
func (d *desk) letter(w http.ResponseWriter, r *http.Request) error {
	issue, err := series.IssueByName(r.Context(), d.DB, r.PathValue("issue"))
	if err != nil {
		return err
	}
	return web.Letter(w, outbox.ForNobody(issue).HTML)
}

// change is the page of a button of an issue. A slot that has not fired is held and released by its name too.
func (d *desk) change(verb string) page {
	return func(w http.ResponseWriter, r *http.Request, u User) error {
		name := r.PathValue("issue")
		done, err := d.do(web.Lasting(r), verb, name, fmt.Sprintf("by %s on the desk", u.Email))
		if err != nil {
			return err
		}
		d.Log.InfoContext(r.Context(), "issue changed on the desk", "issue", name, "change", verb, "user", u.ID)
		return d.backTo(w, r, name, done)
	}
}

// do returns which of the texts desk.done tells it.
func (d *desk) do(ctx context.Context, verb, name, reason string) (done string, err error) {
	p := d.Publisher
	switch verb {
	case "hold":
		return verb, p.HoldIssue(ctx, name, reason)
	case "release":
		return verb, p.ReleaseIssue(ctx, name)
	case "pause":
		return verb, p.PauseIssue(ctx, name, reason)
	case "resume":
		return verb, p.ResumeIssue(ctx, name)
	case "cancel":
		return verb, p.CancelIssue(ctx, name, reason)
	case "retry":
		n, err := p.RetryIssue(ctx, name)
		if n == 0 {
			return "retry_none", err
		}
		return verb, err
	}
	return "", fmt.Errorf("no change of an issue is called %q", verb)
}

func (d *desk) settle(w http.ResponseWriter, r *http.Request, u User) error {
	if err := web.ParseForm(w, r); err != nil {
		return err
	}
	as, name := r.PostForm.Get("as"), r.PathValue("issue")
	if as != "sent" && as != "again" {
		return web.ErrForm
	}
	n, left, err := d.Publisher.SettleIssue(web.Lasting(r), name, as)
	if err != nil {
		return err
	}
	d.Log.InfoContext(r.Context(), "issue settled on the desk", "issue", name, "as", as, "deliveries", n, "user", u.ID)
	done := "settle_" + as
	if left > 0 {
		done = "settle_left"
	}
	return d.backTo(w, r, name, done)
}

// backTo goes to an issue's page, or to the overview where the name is a slot's.
func (d *desk) backTo(w http.ResponseWriter, r *http.Request, name, done string) error {
	_, err := series.IssueByName(r.Context(), d.DB, name)
	switch {
	case errors.Is(err, store.ErrNotFound): // a slot, or in drip all the issues of one
		return back(w, r, "/desk/", done)
	case err != nil:
		return err
	}
	return back(w, r, "/desk/issue/"+name, done)
}

// issueView is an issue as the desk shows it to a user.
func (d *desk) issueView(words templates.Words, s newsletter.Status, u User) templates.DeskIssue {
	view := templates.DeskIssue{
		Words: words, Name: s.Issue.Name, Path: "/desk/issue/" + s.Issue.Name, Subject: s.Issue.Subject, Series: s.Series.Title,
		Kind: s.Issue.Kind, State: string(s.Issue.State), Reason: s.Issue.Reason, Counts: counts(s.Counts),
		Settled: s.Counts.Total() - s.Counts.Open(), Total: s.Counts.Total(), Line: line(words, s.Counts), Uncertain: s.Counts.Uncertain,
	}
	if view.Subject == "" {
		view.Subject = words.T("desk.issue.none")
		if s.Planned != nil {
			view.Subject = words.T("desk.slot.none")
		}
	}
	if s.Series.Slug != "" {
		view.SeriesPath = "/desk/series/" + s.Series.Slug
	}
	if wall, err := time.Parse("2006-01-02T15:04", s.Issue.Slot); err == nil {
		view.When = wall
	}
	if u.Role.reaches(Editor) {
		view.Actions = issueActions(s)
	}
	return view
}

// counts are those of an issue; what is on its way in some manner still waits. What came back later is shown where something did.
func counts(c outbox.Counts) []templates.DeskCount {
	all := []templates.DeskCount{{State: "open", N: c.Open()}, {State: "sent", N: c.Sent}}
	for _, back := range []templates.DeskCount{{State: "bounced", N: c.Bounced}, {State: "complained", N: c.Complained}} {
		if back.N > 0 {
			all = append(all, back)
		}
	}
	return append(all,
		templates.DeskCount{State: "failed", N: c.Failed}, templates.DeskCount{State: "skipped", N: c.Skipped},
		templates.DeskCount{State: "uncertain", N: c.Uncertain})
}

// line says the counts in a few words, leaving out what there is none of.
func line(words templates.Words, c outbox.Counts) string {
	if c.Total() == 0 {
		return words.T("desk.progress.none")
	}
	parts := []string{words.T("desk.progress.line", "sent", c.Sent, "total", c.Total())}
	for _, more := range []templates.DeskCount{{State: "failed", N: c.Failed}, {State: "skipped", N: c.Skipped}, {State: "uncertain", N: c.Uncertain}} {
		if more.N > 0 {
			parts = append(parts, words.T("desk.progress."+more.State, "n", more.N))
		}
	}
	return strings.Join(parts, " · ")
}

// issueActions are the buttons that make sense in an issue's state. Whether one is possible is decided when it is pressed.
func issueActions(s newsletter.Status) []templates.DeskAction {
	act := func(verb string) templates.DeskAction {
		return templates.DeskAction{Verb: verb, Path: "/desk/" + verb + "/" + s.Issue.Name, Grave: verb == "cancel"}
	}
	var all []templates.DeskAction
	if s.Planned != nil { // a slot to come, which is held and released, and left out by its date
		if s.Issue.State == series.IssueHeld {
			return []templates.DeskAction{act("release")}
		}
		return []templates.DeskAction{act("hold")}
	}
	switch s.Issue.State {
	case series.IssuePlanned, series.IssueFilling:
		all = append(all, act("hold"), act("cancel"))
	case series.IssueSending:
		if len(s.Stops) > 0 {
			all = append(all, act("resume"))
		}
		all = append(all, act("pause"), act("cancel"))
	case series.IssuePaused:
		all = append(all, act("resume"), act("cancel"))
	case series.IssueHeld:
		all = append(all, act("release"), act("cancel"))
	case series.IssueDone:
		if s.Counts.Failed > 0 {
			all = append(all, act("retry"))
		}
	}
	settle := func(as string) templates.DeskAction {
		return templates.DeskAction{Verb: "settle_" + as, Path: "/desk/settle/" + s.Issue.Name, Value: as}
	}
	if s.Counts.Uncertain > 0 {
		all = append(all, settle("sent"))
		if s.Issue.State != series.IssueCancelled {
			all = append(all, settle("again"))
		}
	}
	return all
}

// slotActions are the buttons of a coming slot: it can be held before it has an issue.
func (d *desk) slotActions(ctx context.Context, s series.Series, wall string, u User) ([]templates.DeskAction, error) {
	if !u.Role.reaches(Editor) {
		return nil, nil
	}
	slot, err := series.SlotByWall(ctx, d.DB, s.ID, wall)
	switch {
	case errors.Is(err, store.ErrNotFound): // so far ahead that it has no row yet
	case err != nil:
		return nil, err
	case slot.State != series.SlotPlanned:
		return nil, nil
	}
	verb := "hold"
	if slot.Hold {
		verb = "release"
	}
	return []templates.DeskAction{{Verb: verb, Path: "/desk/" + verb + "/" + s.Slug + "/" + wall}}, nil
}
