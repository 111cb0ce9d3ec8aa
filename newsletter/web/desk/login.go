package desk

import (
	"context"
	"errors"
	"net/http"

	"pressrun/newsletter/web"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
	"pressrun/templates"
)

func (d *desk) login(w http.ResponseWriter, r *http.Request, _ User) error {
	formed(w)
	page := templates.DeskLogin{DeskFrame: d.frame(r, User{}), Action: "/desk/login"}
	return web.Show(w, http.StatusOK, page.Write)
}

// maxAsked is how many login links may wait to be mailed.
const maxAsked = 100

// askLogin looks at nobody: MailLinks does, beside all requests, so that neither the page nor its time, nor that of the next
// request on the same connection, tells who may sign in. Where too many wait, nobody gets a link, and nobody is told.
func (d *desk) askLogin(w http.ResponseWriter, r *http.Request, _ User) error {
	if err := web.ParseForm(w, r); err != nil {
		return err
	}
	if err := d.logins.Allow(r); err != nil {
		return err
	}
	page := templates.DeskLogin{DeskFrame: d.frame(r, User{}), Asked: true}
	if err := web.Show(w, http.StatusOK, page.Write); err != nil {
		return err
	}
	address, err := subscribers.ParseAddress(r.PostForm.Get("email"))
	if err != nil {
		return nil // nobody's
	}
	select {
	case d.asked <- address.Typed:
	default:
		d.Log.WarnContext(r.Context(), "no login link mailed: too many wait")
	}
	return nil
}

// MailLinks mails the login links that are asked for, until ctx ends; then those that wait still. What waits in a crash has to
// be asked for again.
func (d *Desk) MailLinks(ctx context.Context) {
	for {
		select {
		case email := <-d.desk.asked:
			d.desk.mailAsked(ctx, email)
		case <-ctx.Done():
			for {
				select {
				case email := <-d.desk.asked:
					d.desk.mailAsked(ctx, email)
				default:
					return
				}
			}
		}
	}
}

func (d *desk) mailAsked(ctx context.Context, email string) {
	if err := d.mailLink(context.WithoutCancel(ctx), email); err != nil {
		d.Log.ErrorContext(ctx, "no login link mailed", "cause", err)
	}
}

func (d *desk) mailLink(ctx context.Context, email string) error {
	now := d.SessionNow()
	var u User
	var path string
	err := d.DB.InTx(ctx, func(tx *store.Tx) (err error) {
		u, path, err = askForLink(ctx, tx, email, now)
		return err
	})
	if err != nil || path == "" {
		return err
	}
	return d.Publisher.MailLoginLink(ctx, u.Email, d.BaseURL.JoinPath(path).String(), now.Add(linkLasts))
}

// enter shows the button of a login link. Looking doesn't use it up.
func (d *desk) enter(w http.ResponseWriter, r *http.Request, _ User) error {
	err := checkLink(r.Context(), d.DB, r.PathValue("token"), d.SessionNow())
	if errors.Is(err, errLink) {
		return d.deadLink(w, r)
	}
	if err != nil {
		return err
	}
	page := templates.DeskEnter{DeskFrame: d.frame(r, User{}), Action: loginAddress + r.PathValue("token")}
	return web.Show(w, http.StatusOK, page.Write)
}

func (d *desk) signIn(w http.ResponseWriter, r *http.Request, _ User) error {
	var secret string
	err := d.DB.InTx(web.Lasting(r), func(tx *store.Tx) (err error) {
		secret, err = signIn(web.Lasting(r), tx, r.PathValue("token"), d.cookie.Read(r), d.SessionNow())
		return err
	})
	if errors.Is(err, errLink) {
		return d.deadLink(w, r)
	}
	if err != nil {
		return err
	}
	d.cookie.Set(w, secret, sessionLasts)
	http.Redirect(w, r, "/desk/", http.StatusSeeOther)
	return nil
}

// deadLink offers a fresh link to whoever comes with a used or old one.
func (d *desk) deadLink(w http.ResponseWriter, r *http.Request) error {
	formed(w)
	page := templates.DeskLogin{DeskFrame: d.frame(r, User{}), Action: "/desk/login", Dead: true}
	return web.Show(w, http.StatusGone, page.Write)
}

func (d *desk) signOut(w http.ResponseWriter, r *http.Request, _ User) error {
	err := d.DB.InTx(web.Lasting(r), func(tx *store.Tx) error { return endSession(web.Lasting(r), tx, d.cookie.Read(r)) })
	if err != nil {
		return err
	}
	d.cookie.Clear(w)
	http.Redirect(w, r, "/desk/login", http.StatusSeeOther)
	return nil
}
