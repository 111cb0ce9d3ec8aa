package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// Role is what a user of the desk may do.
type Role string

// The roles, each with all rights of the one below it.
const (
	Owner  Role = "owner"  // everything
	Editor Role = "editor" // changes issues and series
	Viewer Role = "viewer" // reads
)

// ErrRole says that there is no such role.
var ErrRole = errors.New("no such role: owner, editor or viewer")

// reaches says whether a role has the rights of least.
func (r Role) reaches(least Role) bool {
	order := []Role{Viewer, Editor, Owner}
	return slices.Contains(order, r) && slices.Index(order, r) >= slices.Index(order, least)
}

// User is somebody who may sign in.
type User struct {
	ID      int64
	Email   string
	Role    Role
	Created time.Time
}

const findUser = `SELECT id, email, role, created FROM users WHERE email_key = ?1`

// userByEmail returns store.ErrNotFound for nobody and subscribers.ErrAddress for no address.
func userByEmail(ctx context.Context, q store.Querier, email string) (User, error) {
	address, err := subscribers.ParseAddress(email)
	if err != nil {
		return User{}, err
	}
	return scanUser(q.QueryRow(ctx, findUser, address.Key))
}

func scanUser(row interface{ Scan(...any) error }) (u User, err error) {
	var created int64
	if err := row.Scan(&u.ID, &u.Email, &u.Role, &created); err != nil {
		return User{}, err
	}
	u.Created = time.UnixMilli(created).UTC()
	return u, nil
}

const upsertUser = `INSERT INTO users (email, email_key, role, created, updated) VALUES (?1, ?2, ?3, ?4, ?4)
ON CONFLICT (email_key) DO UPDATE SET role = excluded.role, updated = excluded.updated
RETURNING id, email, role, created`

// AddUser makes a user. One who is known gets the role, and with another role than before their sessions end.
// The error is ErrRole or subscribers.ErrAddress where a value can't be used.
func AddUser(ctx context.Context, tx *store.Tx, email string, role Role, now time.Time) (User, error) {
	if !role.reaches(Viewer) {
		return User{}, fmt.Errorf("role %q: %w", role, ErrRole)
	}
	address, err := subscribers.ParseAddress(email)
	if err != nil {
		return User{}, err
	}
	before, err := scanUser(tx.QueryRow(ctx, findUser, address.Key))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return User{}, fmt.Errorf("add user: %w", err)
	}
	u, err := scanUser(tx.QueryRow(ctx, upsertUser, address.Typed, address.Key, role, now.UnixMilli()))
	if err != nil {
		return User{}, fmt.Errorf("add user: %w", err)
	}
	if before.ID != 0 && before.Role != role {
		err = endSessions(ctx, tx, u.ID)
	}
	return u, err
}

const listUsers = `SELECT id, email, role, created FROM users ORDER BY id`

// Users lists the users, the oldest first.
func Users(ctx context.Context, q store.Querier) ([]User, error) {
	rows, err := q.Query(ctx, listUsers)
	if err != nil {
		return nil, fmt.Errorf("users: %w", err)
	}
	defer rows.Close()
	var all []User
	for rows.Next() {
		u, err := scanUser(rows)
		if err != nil {
			return nil, fmt.Errorf("users: %w", err)
		}
		all = append(all, u)
	}
	return all, rows.Err()
}

const removeUser = `DELETE FROM users WHERE email_key = ?1`

// RemoveUser removes a user; their sessions and links end at once. store.ErrNotFound for nobody.
func RemoveUser(ctx context.Context, tx *store.Tx, email string) error {
	address, err := subscribers.ParseAddress(email)
	if err != nil {
		return err
	}
	n, err := tx.Exec(ctx, removeUser, address.Key)
	if err != nil {
		return fmt.Errorf("remove user: %w", err)
	}
	if n == 0 {
		return store.ErrNotFound
	}
	return nil
}
