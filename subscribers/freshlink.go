package subscribers

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"pressrun/subscribers/store"
)

var (
	// ErrExpired says that a fresh link has had its hour, was used, or was mailed to an address that is no longer theirs.
	ErrExpired = errors.New("the link has expired")
	// ErrTaken says that a new address has a history of its own here.
	ErrTaken = errors.New("the address is another subscriber's")
)

const (
	linkLives   = time.Hour
	linksADay   = 3              // to one person, of each purpose
	linkForgets = 24 * time.Hour // when what was asked for and not done is deleted: it counts no longer
)

const (
	countLinks = `SELECT count(*) FROM fresh_links WHERE subscriber_id = ?1 AND purpose = ?2 AND asked > ?3`
	insertLink = `INSERT INTO fresh_links (subscriber_id, purpose, address_hash, email, to_hash, asked, expires, ip, agent)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) RETURNING id`
)

// askLink makes a link to be mailed, of a change of address with the new one and its hash; 0 where the person was sent enough of them
// today: anybody can ask for one.
func (r *Registry) askLink(ctx context.Context, tx *store.Tx, p person, purpose, email, hash string, e Evidence) (id int64, err error) {
	if err := stillNewest(ctx, tx, r.Key); err != nil {
		return 0, err
	}
	now := r.now()
	var sent int
	if err := tx.QueryRow(ctx, countLinks, p.ID, purpose, now.Add(-24*time.Hour).UnixMilli()).Scan(&sent); err != nil || sent >= linksADay {
		return 0, err
	}
	err = tx.QueryRow(ctx, insertLink, p.ID, purpose, p.address, email, hash, now.UnixMilli(), now.Add(linkLives).UnixMilli(),
		e.IP, clip(e.Agent, 1000)).Scan(&id)
	return id, err
}

// AskManage makes the token of a link that its person is to be mailed: by it they see and change all that only they may.
// It is good for an hour, and empty where three were made since yesterday.
func (r *Registry) AskManage(ctx context.Context, tx *store.Tx, subscriberID int64, e Evidence) (token string, err error) {
	p, err := personByID(ctx, tx, subscriberID)
	var id int64
	if err == nil {
		id, err = r.askLink(ctx, tx, p, "manage", "", "", e)
	}
	if err != nil {
		return "", fmt.Errorf("link for subscriber %d: %w", subscriberID, err)
	}
	if id == 0 {
		return "", nil
	}
	return r.Key.Seal(Token{Purpose: PurposeManage, SubscriberID: p.ID, Serial: id}), nil
}

const selectLink = `SELECT address_hash, email, expires, changed FROM fresh_links WHERE id = ?1 AND subscriber_id = ?2 AND purpose = ?3`

// link is a row of fresh_links with its person.
type link struct {
	id     int64
	person person
	email  string
}

// openLink reads a fresh link: ErrToken where it is not ours, ErrExpired where its time or its address has gone.
func (r *Registry) openLink(ctx context.Context, q store.Querier, token string, want Purpose, purpose string) (link, error) {
	t, err := r.Key.Open(token, want)
	if err != nil {
		return link{}, err
	}
	l := link{id: t.Serial}
	var hash string
	var expires int64
	var changed sql.NullInt64
	err = q.QueryRow(ctx, selectLink, t.Serial, t.SubscriberID, purpose).Scan(&hash, &l.email, &expires, &changed)
	if err == nil {
		l.person, err = personByID(ctx, q, t.SubscriberID)
	}
	if errors.Is(err, store.ErrNotFound) {
		return link{}, ErrExpired
	}
	if err == nil && (hash != l.person.address || changed.Valid || r.now().UnixMilli() >= expires) {
		err = ErrExpired
	}
	return l, err
}

// Manage returns whom a link of AskManage belongs to. ErrToken, ErrExpired.
func (r *Registry) Manage(ctx context.Context, q store.Querier, token string) (Subscriber, error) {
	l, err := r.openLink(ctx, q, token, PurposeManage, "manage")
	if err != nil {
		return Subscriber{}, fmt.Errorf("manage: %w", err)
	}
	return l.person.Subscriber, nil
}

// AskAddress begins a change of address: manage proves the old one, and the token, mailed to the new one, will prove that. It
// is empty where the person was made three since yesterday, and where the new address, whose owner may never have heard of us, may not be
// asked now: it counts there like a request to join (see Join). ErrAddress, and the errors of Manage.
func (r *Registry) AskAddress(ctx context.Context, tx *store.Tx, manage, email string, e Evidence) (token string, to Address, err error) {
	l, err := r.openLink(ctx, tx, manage, PurposeManage, "manage")
	if err == nil {
		to, err = ParseAddress(email)
	}
	var id int64
	if err == nil {
		id, err = r.askMove(ctx, tx, l.person, to, e)
	}
	if err != nil {
		return "", Address{}, fmt.Errorf("new address: %w", err)
	}
	if id == 0 {
		return "", to, nil
	}
	return r.Key.Seal(Token{Purpose: PurposeAddress, SubscriberID: l.person.ID, Serial: id}), to, nil
}

const countMove = `INSERT INTO unanswered (hash, requests, last) VALUES (?1, 1, ?2)
ON CONFLICT (hash) DO UPDATE SET requests = unanswered.requests + 1, last = excluded.last`

// askMove is askLink for a change of address.
func (r *Registry) askMove(ctx context.Context, tx *store.Tx, p person, to Address, e Evidence) (id int64, err error) {
	next, err := r.lookUp(ctx, tx, to)
	if err != nil {
		return 0, err
	}
	if may, err := r.mayAsk(ctx, tx, next); err != nil || !may {
		return 0, err
	}
	if id, err = r.askLink(ctx, tx, p, "address", to.Typed, next.address, e); err != nil || id == 0 {
		return 0, err
	}
	_, err = tx.Exec(ctx, countMove, next.address, r.now().UnixMilli())
	return id, err
}

// NewAddress returns whom a link of AskAddress belongs to, and the address that it proves. ErrToken, ErrExpired.
func (r *Registry) NewAddress(ctx context.Context, q store.Querier, token string) (Subscriber, Address, error) {
	l, err := r.openLink(ctx, q, token, PurposeAddress, "address")
	if err != nil {
		return Subscriber{}, Address{}, fmt.Errorf("new address: %w", err)
	}
	to, err := ParseAddress(l.email)
	return l.person.Subscriber, to, err
}

// ChangeAddress makes the change that AskAddress began, and returns whose it was and the old address. What stands against the person goes
// along: their leaves, complaints and what an owner set. Leaves and bounces of the new address are lifted from what they get
// now: they have just proved that it is theirs and that mail reaches it. The old one is left with an unsubscribe from everything,
// so that no import brings it back. ErrTaken where the new address has a history here, ErrSuppressed where an owner or a
// complaint keeps it out.
func (r *Registry) ChangeAddress(ctx context.Context, tx *store.Tx, token string, e Evidence) (subscriberID int64, old string, err error) {
	l, err := r.openLink(ctx, tx, token, PurposeAddress, "address")
	if err == nil {
		old = l.person.Email
		err = r.changeAddress(ctx, tx, l, e)
	}
	if err != nil {
		return 0, "", fmt.Errorf("change address: %w", err)
	}
	return l.person.ID, old, nil
}

const (
	setAddress  = `UPDATE subscribers SET email = ?2, email_key = ?3, address_hash = ?4, domain_hash = ?5 WHERE id = ?1`
	linkChanged = `UPDATE fresh_links SET email = ?2, changed = ?3, ip = ?4, agent = ?5 WHERE id = ?1`
)

func (r *Registry) changeAddress(ctx context.Context, tx *store.Tx, l link, e Evidence) error {
	p := l.person
	to, err := ParseAddress(l.email)
	if err != nil {
		return err
	}
	next, err := r.lookUp(ctx, tx, to)
	if err != nil {
		return err
	}
	if next.ID != p.ID {
		if err := r.makeRoom(ctx, tx, next); err != nil {
			return err
		}
		next.address, next.domain = r.Key.hashAddress(to.Key), r.Key.hashAddress("@"+to.Domain)
		if err := r.carrySuppressions(ctx, tx, p, next); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, setAddress, p.ID, to.Typed, to.Key, next.address, next.domain); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, forgiveRequests, next.address); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, linkChanged, l.id, p.Email, r.now().UnixMilli(), e.IP, clip(e.Agent, 1000))
	return err
}

const selectAddressSince = `SELECT coalesce(max(changed), 0) FROM fresh_links WHERE subscriber_id = ?1`

// AddressSince is when a person changed to the address they have; zero: they always had it.
func AddressSince(ctx context.Context, q store.Querier, subscriberID int64) (time.Time, error) {
	var at int64
	if err := q.QueryRow(ctx, selectAddressSince, subscriberID).Scan(&at); err != nil {
		return time.Time{}, fmt.Errorf("subscriber %d: change of address: %w", subscriberID, err)
	}
	return instant(at), nil
}

const selectHistory = `SELECT EXISTS (SELECT 1 FROM consents WHERE subscriber_id = ?1 AND event <> 'requested')
	OR EXISTS (SELECT 1 FROM enrolments WHERE subscriber_id = ?1 AND state <> 'pending')`

// makeRoom clears the new address for whoever has proved it: of somebody there who never confirmed nothing is lost.
func (r *Registry) makeRoom(ctx context.Context, tx *store.Tx, next person) error {
	reason, err := standing(ctx, tx, next, 0)
	if err != nil {
		return err
	}
	if onlyOwnerLifts(reason) {
		return fmt.Errorf("%w: %s", ErrSuppressed, goneWords(reason))
	}
	if next.ID == 0 {
		return nil
	}
	var history bool
	if err := tx.QueryRow(ctx, selectHistory, next.ID).Scan(&history); err != nil {
		return err
	}
	if history {
		return ErrTaken
	}
	return r.blank(ctx, tx, next.ID)
}

const (
	liftForMove = `DELETE FROM suppressions WHERE hash = ?2 AND reason IN ('unsubscribe', 'erasure', 'bounce')
	AND (series_id = 0 OR series_id IN (SELECT series_id FROM enrolments WHERE subscriber_id = ?1 AND state IN ('active', 'paused')))`
	copySuppressions = `INSERT INTO suppressions (hash, series_id, reason, because, created)
SELECT ?2, series_id, reason, because, created FROM suppressions WHERE hash = ?1 AND reason IN ('unsubscribe', 'complaint', 'manual')
ON CONFLICT (hash, series_id, reason) DO NOTHING`
	becauseMoved = "the person changed their address"
)

func (r *Registry) carrySuppressions(ctx context.Context, tx *store.Tx, from, to person) error {
	if _, err := tx.Exec(ctx, liftForMove, from.ID, to.address); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, copySuppressions, from.address, to.address); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, insertSuppression, from.address, 0, reasonUnsubscribe, becauseMoved, r.now().UnixMilli())
	return err
}

// AddressChange is a change of address that was made.
type AddressChange struct {
	Old       string
	At        time.Time
	IP, Agent string
}

const selectChanges = `SELECT email, changed, ip, agent FROM fresh_links WHERE subscriber_id = ?1 AND changed IS NOT NULL ORDER BY changed`

// AddressChanges lists a person's changes of address, oldest first.
func AddressChanges(ctx context.Context, q store.Querier, subscriberID int64) (all []AddressChange, err error) {
	rows, err := q.Query(ctx, selectChanges, subscriberID)
	if err != nil {
		return nil, fmt.Errorf("addresses of subscriber %d: %w", subscriberID, err)
	}
	defer rows.Close()
	for rows.Next() {
		var c AddressChange
		var at int64
		if err := rows.Scan(&c.Old, &at, &c.IP, &c.Agent); err != nil {
			return nil, fmt.Errorf("addresses of subscriber %d: %w", subscriberID, err)
		}
		c.At = instant(at)
		all = append(all, c)
	}
	return all, rows.Err()
}

const deleteLinks = `DELETE FROM fresh_links WHERE changed IS NULL AND asked < ?1`
