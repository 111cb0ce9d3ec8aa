package desk

import (
	"context"
	"errors"
	"net/http"

	"pressrun/newsletter/web"
	"pressrun/subscribers/store"
	"pressrun/templates"
)

func (d *desk) login(w http.ResponseWriter, r *http.Request, _ User) error {
	page := templates.DeskLogin{DeskFrame: d.frame(r, User{}), Action: "/desk/login"}
	return web.Show(w, http.StatusOK, page.Write)
}

// askLogin answers first and looks afterwards: neither the page nor the time it takes tells who may sign in.
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
	_ = http.NewResponseController(w).Flush() // fails only where the visitor has gone
	if err := d.mailLink(web.Lasting(r), r.PostForm.Get("email")); err != nil {
		d.Log.ErrorContext(r.Context(), "no login link mailed", "cause", err)
	}
	return nil
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
