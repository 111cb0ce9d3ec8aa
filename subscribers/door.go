package subscribers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"pressrun/subscribers/store"
)

// ErrMany says that more forms came from a network, or from everywhere, than people send.
var ErrMany = errors.New("too many sign-ups")

// How many forms are taken in an hour. Each may mail somebody who never asked, so that these are also the most confirmations that
// strangers can have us send.
const (
	signUpsPerNetwork = 20
	signUpsInAll      = 3600
	signUpHour        = time.Hour
)

// Asked is a form that waits to be looked at: for series, or for a link to what is somebody's own.
type Asked struct {
	ID       int64     `json:"-"`
	At       time.Time `json:"-"`
	Series   []int64
	Manage   bool // see AskManage
	Addition Addition
	Evidence Evidence
}

// Admit fails with ErrMany where a form from this network is one too many. It changes nothing.
func (r *Registry) Admit(ctx context.Context, q store.Querier, from netip.Addr) error {
	var own, all int64
	err := q.QueryRow(ctx, countSignUps, Network(from).String(), r.now().Add(-signUpHour).UnixMilli()).Scan(&own, &all)
	if err != nil {
		return fmt.Errorf("sign-ups of the last hour: %w", err)
	}
	if own >= signUpsPerNetwork || all >= signUpsInAll {
		return ErrMany
	}
	return nil
}

const countSignUps = `SELECT (SELECT count(*) FROM sign_ups WHERE network = ?1 AND at > ?2), (SELECT count(*) FROM sign_ups WHERE at > ?2)`

const (
	deleteSignUps = `DELETE FROM sign_ups WHERE at <= ?1`
	insertSignUp  = `INSERT INTO sign_ups (network, at) VALUES (?1, ?2)`
)

// CountSignUp counts a form from a network; ErrMany where it is one too many. Of whom it came nothing is kept but that network, for
// an hour.
func (r *Registry) CountSignUp(ctx context.Context, tx *store.Tx, from netip.Addr) error {
	now := r.now()
	if _, err := tx.Exec(ctx, deleteSignUps, now.Add(-signUpHour).UnixMilli()); err != nil {
		return fmt.Errorf("count a sign-up: %w", err)
	}
	if err := r.Admit(ctx, tx, from); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, insertSignUp, Network(from).String(), now.UnixMilli()); err != nil {
		return fmt.Errorf("count a sign-up: %w", err)
	}
	return nil
}

const insertAsked = `INSERT INTO asked (at, form) VALUES (?1, ?2)`

// Ask keeps a form for TakeAsked. It looks at nobody, so that it takes the same for every address. Errors wrap ErrAddress and ErrField.
func (r *Registry) Ask(ctx context.Context, tx *store.Tx, a Asked) error {
	if _, _, err := a.Addition.parse(); err != nil {
		return fmt.Errorf("ask: %w", err)
	}
	form, err := json.Marshal(a)
	if err == nil {
		_, err = tx.Exec(ctx, insertAsked, r.now().UnixMilli(), string(form))
	}
	if err != nil {
		return fmt.Errorf("ask: %w", err)
	}
	return nil
}

const selectWaiting = `SELECT id, at, form FROM asked ORDER BY id LIMIT ?1`

// Waiting returns the forms that wait, the first n of them.
func Waiting(ctx context.Context, q store.Querier, n int) ([]Asked, error) {
	rows, err := q.Query(ctx, selectWaiting, n)
	if err != nil {
		return nil, fmt.Errorf("forms that wait: %w", err)
	}
	defer rows.Close()
	var all []Asked
	for rows.Next() {
		var a Asked
		var at int64
		var form string
		err := rows.Scan(&a.ID, &at, &form)
		if err == nil {
			err = json.Unmarshal([]byte(form), &a)
		}
		if err != nil {
			return nil, fmt.Errorf("forms that wait: %w", err)
		}
		a.At = instant(at)
		all = append(all, a)
	}
	return all, rows.Err()
}

const deleteAsked = `DELETE FROM asked WHERE id = ?1`

// TakeAsked takes a form from those that wait. store.ErrNotFound where another process took it.
func TakeAsked(ctx context.Context, tx *store.Tx, a Asked) error {
	n, err := tx.Exec(ctx, deleteAsked, a.ID)
	if err == nil && n == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("take form %d: %w", a.ID, err)
	}
	return nil
}

// JoinAsked is Join for a form that waited, as of the time it came.
func (r *Registry) JoinAsked(ctx context.Context, tx *store.Tx, a Asked) (Request, error) {
	return r.at(a.At).Join(ctx, tx, a.Series, a.Addition, a.Evidence)
}
