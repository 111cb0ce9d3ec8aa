package desk

import (
	"errors"
	"net/http"

	"pressrun/newsletter/web"
	"pressrun/subscribers/store"
)

// page answers a request of a user who may make it.
type page func(w http.ResponseWriter, r *http.Request, u User) error

// route is one address of the desk with the least role that may use it; anybody where that is empty.
type route struct {
	pattern string
	least   Role
	page    page
}

// table is the one place that says who may do what.
func (d *desk) table() []route {
	all := []route{
		{"GET /desk/login", "", d.login},
		{"POST /desk/login", "", d.askLogin},
		{"GET /desk/login/{token}", "", d.enter},
		{"POST /desk/login/{token}", "", d.signIn},
		{"POST /desk/logout", "", d.signOut},
		{"GET /desk/{$}", Viewer, d.overview},
		{"GET /desk/progress", Viewer, d.progress},
		{"GET /desk/series/{series}", Viewer, d.series},
		{"POST /desk/series/{series}/pause", Editor, d.pauseSeries},
		{"POST /desk/series/{series}/resume", Editor, d.resumeSeries},
		{"GET /desk/article/{article}", Viewer, d.article},
		{"GET /desk/article/{article}/letter", Viewer, d.preview},
		{"GET /desk/issue/{issue...}", Viewer, d.issue},
		{"POST /desk/hold/{issue...}", Editor, d.change("hold")},
		{"POST /desk/release/{issue...}", Editor, d.change("release")},
		{"POST /desk/pause/{issue...}", Editor, d.change("pause")},
		{"POST /desk/resume/{issue...}", Editor, d.change("resume")},
		{"POST /desk/cancel/{issue...}", Editor, d.change("cancel")},
		{"POST /desk/retry/{issue...}", Editor, d.change("retry")},
		{"POST /desk/settle/{issue...}", Editor, d.settle},
	}
	if d.NextWeek != nil {
		all = append(all, route{"POST /desk/next-week", Editor, d.nextWeek})
	}
	return all
}

func (d *desk) routes() (http.Handler, error) {
	mux := http.NewServeMux()
	for _, r := range d.table() {
		mux.Handle(r.pattern, d.answer.Handle(d.only(r.least, r.page)))
	}
	mux.Handle("/desk/", d.answer.Handle(d.only(Viewer, func(http.ResponseWriter, *http.Request, User) error { return store.ErrNotFound })))
	foreign := d.answer.Handle(func(http.ResponseWriter, *http.Request) error { return web.ErrForeign })
	guarded, err := web.Guard(mux, foreign, d.BaseURL, nil, []string{"POST /desk/login/{token}"})
	if err != nil {
		return nil, err
	}
	return web.Secure(guarded, d.BaseURL), nil
}

// only lets users of at least a role through; strangers are shown the way in.
func (d *desk) only(least Role, p page) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		web.Private(w)
		web.Scripted(w)
		if least == "" {
			return p(w, r, User{})
		}
		u, err := d.signedIn(r)
		if errors.Is(err, errSignedOut) {
			http.Redirect(w, r, "/desk/login", http.StatusSeeOther)
			return nil
		}
		if err != nil {
			return err
		}
		formed(w)
		if !u.Role.reaches(least) {
			return web.ErrRole
		}
		return p(w, r, u)
	}
}

// formed lets browsers name the origin of a page that forms stand on: its address holds no token that is good for anything.
func formed(w http.ResponseWriter) { w.Header().Set("Referrer-Policy", "same-origin") }
