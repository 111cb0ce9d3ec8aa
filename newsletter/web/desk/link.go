package desk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pressrun/newsletter/web"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

const (
	linkLasts    = time.Hour
	linksAnHour  = 5 // that one user may ask for by mail
	loginAddress = "/desk/login/"
)

const firstOwner = `SELECT id, email, role, created FROM users WHERE role = 'owner' ORDER BY id LIMIT 1`

// NewLink makes a one-time login link's path ("/desk/login/TOKEN"), good for one sign-in within an hour (stored hashed).
// store.ErrNotFound for no user; with email "" the first owner.
func NewLink(ctx context.Context, tx *store.Tx, email string, now time.Time) (path string, err error) {
	var u User
	if email == "" {
		u, err = scanUser(tx.QueryRow(ctx, firstOwner))
	} else {
		u, err = userByEmail(ctx, tx, email)
	}
	if err != nil {
		return "", fmt.Errorf("login link: %w", err)
	}
	return newLink(ctx, tx, u.ID, now)
}

const (
	forgetLinks = `DELETE FROM links WHERE expires <= ?1`
	insertLink  = `INSERT INTO links (hash, user_id, created, expires) VALUES (?1, ?2, ?3, ?4)`
)

func newLink(ctx context.Context, tx *store.Tx, userID int64, now time.Time) (string, error) {
	if _, err := tx.Exec(ctx, forgetLinks, now.UnixMilli()); err != nil {
		return "", fmt.Errorf("login link: %w", err)
	}
	secret := web.NewSecret()
	if _, err := tx.Exec(ctx, insertLink, web.Hash(secret), userID, now.UnixMilli(), now.Add(linkLasts).UnixMilli()); err != nil {
		return "", fmt.Errorf("login link: %w", err)
	}
	return loginAddress + secret, nil
}

const countLinks = `SELECT count(*) FROM links WHERE user_id = ?1 AND created > ?2`

// askForLink makes a link for whoever has the address. path is empty where nobody has it, or where they asked for too
// many: the visitor is told the same in every case.
func askForLink(ctx context.Context, tx *store.Tx, email string, now time.Time) (u User, path string, err error) {
	u, err = userByEmail(ctx, tx, email)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, subscribers.ErrAddress) {
		return User{}, "", nil
	}
	if err != nil {
		return User{}, "", fmt.Errorf("login link: %w", err)
	}
	var n int
	if err := tx.QueryRow(ctx, countLinks, u.ID, now.Add(-linkLasts).UnixMilli()).Scan(&n); err != nil {
		return User{}, "", fmt.Errorf("login link: %w", err)
	}
	if n >= linksAnHour {
		return User{}, "", nil
	}
	path, err = newLink(ctx, tx, u.ID, now)
	return u, path, err
}

const findLink = `SELECT user_id FROM links WHERE hash = ?1 AND used IS NULL AND expires > ?2`

// checkLink says whether a link would sign somebody in, and changes nothing: scanners open links too.
func checkLink(ctx context.Context, q store.Querier, secret string, now time.Time) error {
	var id int64
	err := q.QueryRow(ctx, findLink, web.Hash(secret), now.UnixMilli()).Scan(&id)
	if errors.Is(err, store.ErrNotFound) {
		return errLink
	}
	return err
}

const useLink = `UPDATE links SET used = ?2 WHERE hash = ?1 AND used IS NULL AND expires > ?2 RETURNING user_id`

// signIn uses up a link and begins a session, whose secret it returns. Another session of the same browser ends: a secret
// that somebody planted there is worth nothing.
func signIn(ctx context.Context, tx *store.Tx, linkSecret, oldSecret string, now time.Time) (secret string, err error) {
	var userID int64
	err = tx.QueryRow(ctx, useLink, web.Hash(linkSecret), now.UnixMilli()).Scan(&userID)
	if errors.Is(err, store.ErrNotFound) {
		return "", errLink
	}
	if err != nil {
		return "", fmt.Errorf("sign in: %w", err)
	}
	if err := endSession(ctx, tx, oldSecret); err != nil {
		return "", err
	}
	return newSession(ctx, tx, userID, now)
}

// errLink says that a login link was used, is too old, or never was one.
var errLink = errors.New("no such login link any more")
