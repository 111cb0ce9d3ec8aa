// Package desk is where editors see what is sent and what is coming, and stop or release it. It owns the users of the
// desk, their sessions and login links, and nothing else: what an issue may do, newsletter.Publisher decides.
//
// GET and HEAD change nothing but a session's note of its last use. A session ends at sign-out, after twelve idle hours,
// after seven days, and when its user's role changes. After a crash, who was signed in still is; after a restore nobody is.
package desk

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"pressrun/newsletter"
	"pressrun/newsletter/web"
	"pressrun/subscribers/store"
	"pressrun/templates"
)

// Config is what the desk needs.
type Config struct {
	DB        *store.DB
	Publisher *newsletter.Publisher
	BaseURL   *url.URL
	Now       func() time.Time                // the site's clock; nil means time.Now
	Log       *slog.Logger                    // nil means slog.Default
	Trouble   func() error                    // the worker's; nil: none
	NextWeek  func(ctx context.Context) error // demo's button; nil: no button
	InboxURL  string                          // demo's inbox; empty: no link

	// SessionNow is the clock of sessions, login links and limits: real time, also where a demo puts Now forward.
	// nil means time.Now.
	SessionNow func() time.Time
}

const (
	loginsPerNetwork = 20    // asked for by mail, an hour
	loginsInAll      = 1_000 // an hour
)

// desk answers for the editors' pages.
type desk struct {
	Config
	assets  map[string]templates.Asset
	answer  web.Answerer
	cookie  web.Cookie
	logins  *web.Limiter
	asked   chan string   // addresses that a login link is asked for
	streams chan struct{} // a place for each stream of progress
}

// Desk is the handler of everything under /desk/; routes.go lists it. The style sheet and the script are served by the public
// pages, under /static/. MailLinks belongs beside it.
type Desk struct {
	http.Handler
	desk *desk
}

// New checks cfg.
func New(cfg Config) (*Desk, error) {
	d, err := newDesk(cfg)
	if err != nil {
		return nil, err
	}
	routes, err := d.routes()
	return &Desk{Handler: routes, desk: d}, err
}

func newDesk(cfg Config) (*desk, error) {
	if cfg.DB == nil || cfg.Publisher == nil || cfg.BaseURL == nil {
		return nil, fmt.Errorf("desk: database, publisher and base URL are needed")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.SessionNow == nil {
		cfg.SessionNow = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	assets, err := templates.Assets()
	if err != nil {
		return nil, err
	}
	d := &desk{
		Config: cfg, assets: assets, cookie: web.NewCookie(cfg.BaseURL),
		logins: web.NewLimiter(cfg.SessionNow, loginsPerNetwork, loginsInAll), streams: make(chan struct{}, maxStreams),
		asked: make(chan string, maxAsked),
	}
	d.answer = web.Answerer{Log: cfg.Log, Page: d.showTrouble}
	return d, nil
}

// signedIn finds the user of a request and notes that their session is in use.
func (d *desk) signedIn(r *http.Request) (User, error) {
	secret, now := d.cookie.Read(r), d.SessionNow()
	u, used, err := sessionUser(r.Context(), d.DB, secret, now)
	if err != nil {
		return User{}, err
	}
	if now.Sub(used) >= sessionTouch {
		err := d.DB.InTx(r.Context(), func(tx *store.Tx) error { return touchSession(r.Context(), tx, secret, now) })
		if err != nil { // a full disk must not keep editors out
			d.Log.ErrorContext(r.Context(), "session not noted", "user", u.ID, "cause", err)
		}
	}
	return u, nil
}

// frame is what stands around a page for a user. The desk speaks English, whatever the site's readers are spoken to in: its pages
// say so, and have no date or error in another language.
func (d *desk) frame(r *http.Request, u User) templates.DeskFrame {
	site := d.Publisher.Site()
	f := templates.DeskFrame{
		Own: site.Templates, Site: site.Name, User: u.Email, InboxURL: d.InboxURL,
		Style: d.assets["pressrun.css"].Path, Icon: d.assets["icon.svg"].Path, Script: d.assets["desk.js"].Path,
	}
	if done := r.URL.Query().Get("done"); done != "" && f.Has("desk.done."+done) {
		f.Notice = done
	}
	return f
}

func (d *desk) showTrouble(w http.ResponseWriter, r *http.Request, problem web.Problem) error {
	web.Private(w)
	web.Scripted(w)
	u, _, _ := sessionUser(r.Context(), d.DB, d.cookie.Read(r), d.SessionNow()) // a stranger where that can't be read
	page := templates.DeskTrouble{DeskFrame: d.frame(r, u), Name: problem.Name, Detail: problem.Detail}
	page.Notice = ""
	return web.Show(w, problem.Status, page.Write)
}

// back sends the browser to a page after something was done, so that loading it again does nothing twice.
func back(w http.ResponseWriter, r *http.Request, path, done string) error {
	to := url.URL{Path: path, RawQuery: url.Values{"done": {done}}.Encode()}
	http.Redirect(w, r, to.String(), http.StatusSeeOther)
	return nil
}
