package desk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pressrun/newsletter/web"
	"pressrun/subscribers/store"
)

const (
	sessionIdle  = 12 * time.Hour
	sessionLasts = 7 * 24 * time.Hour
	sessionTouch = 10 * time.Minute // how exactly its last use is known
)

const (
	forgetSessions = `DELETE FROM sessions WHERE created <= ?1 OR used <= ?2`
	insertSession  = `INSERT INTO sessions (hash, user_id, created, used) VALUES (?1, ?2, ?3, ?3)`
)

func newSession(ctx context.Context, tx *store.Tx, userID int64, now time.Time) (secret string, err error) {
	if _, err := tx.Exec(ctx, forgetSessions, now.Add(-sessionLasts).UnixMilli(), now.Add(-sessionIdle).UnixMilli()); err != nil {
		return "", fmt.Errorf("session: %w", err)
	}
	secret = web.NewSecret()
	if _, err := tx.Exec(ctx, insertSession, web.Hash(secret), userID, now.UnixMilli()); err != nil {
		return "", fmt.Errorf("session: %w", err)
	}
	return secret, nil
}

const findSession = `SELECT s.used, u.id, u.email, u.role, u.created FROM sessions s JOIN users u ON u.id = s.user_id
WHERE s.hash = ?1 AND s.created > ?2 AND s.used > ?3`

// errSignedOut says that a request has no session, or one that has ended.
var errSignedOut = errors.New("not signed in")

// sessionUser finds who a secret belongs to, and when their session was used last; errSignedOut where it ended.
func sessionUser(ctx context.Context, q store.Querier, secret string, now time.Time) (u User, used time.Time, err error) {
	if secret == "" {
		return User{}, time.Time{}, errSignedOut
	}
	var usedAt, created int64
	row := q.QueryRow(ctx, findSession, web.Hash(secret), now.Add(-sessionLasts).UnixMilli(), now.Add(-sessionIdle).UnixMilli())
	err = row.Scan(&usedAt, &u.ID, &u.Email, &u.Role, &created)
	if errors.Is(err, store.ErrNotFound) {
		return User{}, time.Time{}, errSignedOut
	}
	if err != nil {
		return User{}, time.Time{}, fmt.Errorf("session: %w", err)
	}
	u.Created = time.UnixMilli(created).UTC()
	return u, time.UnixMilli(usedAt), nil
}

const useSession = `UPDATE sessions SET used = ?2 WHERE hash = ?1`

func touchSession(ctx context.Context, tx *store.Tx, secret string, now time.Time) error {
	if _, err := tx.Exec(ctx, useSession, web.Hash(secret), now.UnixMilli()); err != nil {
		return fmt.Errorf("session: %w", err)
	}
	return nil
}

const deleteSession = `DELETE FROM sessions WHERE hash = ?1`

func endSession(ctx context.Context, tx *store.Tx, secret string) error {
	if _, err := tx.Exec(ctx, deleteSession, web.Hash(secret)); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

const deleteSessionsOf = `DELETE FROM sessions WHERE user_id = ?1`

func endSessions(ctx context.Context, tx *store.Tx, userID int64) error {
	if _, err := tx.Exec(ctx, deleteSessionsOf, userID); err != nil {
		return fmt.Errorf("end sessions: %w", err)
	}
	return nil
}

const (
	deleteSessions = `DELETE FROM sessions`
	deleteLinks    = `DELETE FROM links`
)

// SignOutAll ends every session and every login link: in a database that takes the place of a younger one they may be those
// of somebody who was removed since.
func SignOutAll(ctx context.Context, tx *store.Tx) error {
	for _, query := range []string{deleteSessions, deleteLinks} {
		if _, err := tx.Exec(ctx, query); err != nil {
			return fmt.Errorf("sign everybody out: %w", err)
		}
	}
	return nil
}
