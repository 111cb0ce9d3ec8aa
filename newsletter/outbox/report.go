package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"pressrun/newsletter/bounce"
	"pressrun/newsletter/mailer"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

const (
	// reportSpan is how long after a delivery reports of it are believed.
	reportSpan = 30 * 24 * time.Hour
	// reportWait is how long servers on the way try before they give up, and say so (RFC 5321 section 4.5.4.1).
	reportWait = 5 * 24 * time.Hour
	// Within capSpan bounces may suppress so many of a series' readers; the rest waits. Whoever forges reports, or a server that goes
	// wrong, empties no list while nobody looks. No complaint waits: none is to get another letter.
	capSpan  = 24 * time.Hour
	capFloor = 20
	capShare = 20 // a 20th of them
)

const (
	bounced         = "bounced"
	complained      = "complained"
	complaintReason = "complaint"
)

// Heard is what a message in the mailbox of bounces was taken for.
type Heard string

const (
	HeardBounce    Heard = "bounce"
	HeardComplaint Heard = "complaint"
	HeardPassed    Heard = "passed"   // delayed, delivered, relayed: no bounce
	HeardFeedback  Heard = "feedback" // of another type than a complaint
	HeardAuto      Heard = "auto"
	HeardAnswer    Heard = "answer"
	HeardForged    Heard = "forged"  // its return path is none that we made
	HeardUnknown   Heard = "unknown" // a report without a return path, or of a delivery that isn't there, or that never left
	HeardMissed    Heard = "missed"  // the mail server does not give it out
	HeardOld       Heard = "old"     // of a delivery of more than 30 days ago
)

// Understood says that nobody needs to look at the message.
func (h Heard) Understood() bool {
	return h == HeardBounce || h == HeardComplaint || h == HeardPassed || h == HeardFeedback
}

// Reports applies what comes back by mail. A report changes something only where it proves by a MAC which delivery it is about; who is
// named in it is never looked at. Use a new one for each look into the mailbox.
type Reports struct {
	DB   *store.DB
	Key  subscribers.Key
	Path ReturnPath
	Now  func() time.Time
	Log  *slog.Logger

	most map[int64]int64 // by series: how many may be suppressed within capSpan
}

// Apply takes one report, in one transaction. Taken twice it changes nothing the second time.
func (r *Reports) Apply(ctx context.Context, report bounce.Report) (Heard, error) {
	switch report.Kind {
	case bounce.Auto:
		return HeardAuto, nil
	case bounce.Answer:
		return HeardAnswer, nil
	}
	if err := r.learnMost(ctx); err != nil {
		return "", err
	}
	var heard Heard
	err := r.DB.InTx(ctx, func(tx *store.Tx) (err error) {
		heard, err = r.apply(ctx, tx, report)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("report: %w", err)
	}
	return heard, nil
}

func (r *Reports) apply(ctx context.Context, tx *store.Tx, report bounce.Report) (Heard, error) {
	d, heard, err := r.find(ctx, tx, report)
	if err != nil || heard != "" {
		return heard, err
	}
	switch report.Kind {
	case bounce.Failed:
		return HeardBounce, r.hear(ctx, tx, d, bounced, report)
	case bounce.Complaint:
		return HeardComplaint, r.hear(ctx, tx, d, complained, report)
	case bounce.Passed:
		heard = HeardPassed
	default:
		heard = HeardFeedback
	}
	return heard, r.arrived(ctx, tx, d)
}

// returned is a delivery as a report needs it. Numbers that are 0 are none, instants are Unix milliseconds.
type returned struct {
	id, issue, subscriber, series, created, dated, updated int64
	state                                                  state
	messageID                                              string
}

const selectReturned = `SELECT id, coalesce(issue_id, 0), coalesce(subscriber_id, 0), coalesce(series_id, 0), created, coalesce(dated, 0), updated, state,
	message_id
FROM deliveries WHERE id = ?1`

func returnedByID(ctx context.Context, q store.Querier, id int64) (d returned, err error) {
	err = q.QueryRow(ctx, selectReturned, id).Scan(&d.id, &d.issue, &d.subscriber, &d.series, &d.created, &d.dated, &d.updated, &d.state, &d.messageID)
	return d, err
}

// early says that what became of it isn't known yet, though its message has left, or had a chance to.
func (d returned) early() bool {
	return d.state == inflight || d.state == claimed || d.state == pending
}

// find is the delivery that a report proves to be about; else heard says what the report is.
func (r *Reports) find(ctx context.Context, q store.Querier, report bounce.Report) (d returned, heard Heard, err error) {
	heard = HeardUnknown
	for _, address := range report.Paths {
		id, ok := r.Path.delivery(address)
		if !ok {
			continue
		}
		d, err = returnedByID(ctx, q, id)
		switch {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return d, "", err
		case r.Path.proves(r.Key, address, d.id, d.created):
			return d, r.worth(d, report.Kind), nil
		default:
			heard = HeardForged
		}
	}
	if report.Kind != bounce.Complaint {
		return returned{}, heard, nil
	}
	d, err = r.complainedOf(ctx, q, report.Original)
	if errors.Is(err, store.ErrNotFound) {
		return returned{}, heard, nil
	}
	return d, r.worth(d, report.Kind), err
}

// worth is empty for a delivery of which reports of a kind are believed. Whatever was made of it, who complains has seen it.
func (r *Reports) worth(d returned, kind bounce.Kind) Heard {
	over := d.state == failed || d.state == skipped
	switch {
	case d.subscriber == 0, d.dated == 0, over && kind != bounce.Complaint:
		return HeardUnknown
	case r.Now().Sub(time.UnixMilli(d.updated)) > reportSpan:
		return HeardOld
	}
	return ""
}

const selectComplained = `SELECT id FROM deliveries WHERE subscriber_id = ?1 AND message_id = ?2 AND dated IS NOT NULL`

// complainedOf finds the delivery of a message that a complaint quotes: providers send complaints to an address of the site's, and take
// addresses out of them. The Message-ID is a MAC of the delivery's number; whose it is says the token of the link to leave.
func (r *Reports) complainedOf(ctx context.Context, q store.Querier, o bounce.Original) (returned, error) {
	link, err := url.Parse(o.Unsubscribe)
	if err != nil {
		return returned{}, store.ErrNotFound
	}
	token, err := r.Key.Open(path.Base(link.Path), subscribers.PurposeUnsubscribe) // none of a secret that may have been stolen
	if err != nil {
		return returned{}, store.ErrNotFound
	}
	var id int64
	if err := q.QueryRow(ctx, selectComplained, token.SubscriberID, o.MessageID).Scan(&id); err != nil {
		return returned{}, err
	}
	return returnedByID(ctx, q, id)
}

// event is a row of bounces.
type event struct {
	id, delivery, series int64
	kind, class          string
	reply                mailer.Reply
	held                 bool
}

const insertEvent = `INSERT INTO bounces (delivery_id, issue_id, subscriber_id, series_id, kind, report, class, code, enhanced, said, heard)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
ON CONFLICT (delivery_id, kind, code, enhanced, report) DO NOTHING RETURNING id`

// hear keeps a bounce or a complaint, and does what it means if that can be done now.
func (r *Reports) hear(ctx context.Context, tx *store.Tx, d returned, kind string, report bounce.Report) error {
	e := event{delivery: d.id, kind: kind, reply: report.Reply}
	if kind == bounced {
		e.class = classOf(report.Reply)
	}
	person, theirs, err := r.addressee(ctx, tx, d)
	if err != nil {
		return err
	}
	if e.class == string(mailer.ClassDead) && theirs && passedOn(person, report.Recipients) {
		e.class = string(mailer.ClassMailbox)
	}
	if e.reply = saidOf(person, e.reply); !theirs {
		e.reply.Text = "" // it may name the address that they had
	}
	err = tx.QueryRow(ctx, insertEvent, d.id, orNull(d.issue), d.subscriber, d.series, kind, report.ID, e.class, e.reply.Code,
		e.reply.Enhanced, e.reply.Text, r.Now().UnixMilli()).Scan(&e.id)
	if errors.Is(err, store.ErrNotFound) {
		return nil // read before
	}
	if err == nil && kind == complained && theirs {
		err = r.complain(ctx, tx, d, e, person)
	}
	if err == nil {
		err = r.weigh(ctx, tx, d, e)
	}
	if err != nil {
		return fmt.Errorf("delivery %d: %s: %w", d.id, kind, err)
	}
	return nil
}

// complain suppresses who complained, unless an owner has lifted that since their message last left.
func (r *Reports) complain(ctx context.Context, tx *store.Tx, d returned, e event, who person) error {
	lifted, err := subscribers.ComplaintLifted(ctx, tx, d.subscriber)
	if err != nil || lifted.UnixMilli() > d.updated {
		return err
	}
	return r.suppress(ctx, tx, d, e, who, e.said())
}

// classOf is the class of a bounce. What a server on the way gave up is expired, unless it was our doing.
func classOf(reply mailer.Reply) string {
	class := mailer.Classify(reply)
	switch {
	case class != mailer.ClassTransient || reply.Code >= 500:
		return string(class)
	case reply.Code == 421 || strings.HasPrefix(reply.Enhanced, "4.7."):
		return string(mailer.ClassBlocked)
	}
	return classExpired
}

// passedOn says that a report is of another address than somebody's (RFC 3464 section 2.3.2): their mail is passed on, perhaps to several,
// and what is wrong there is no end of theirs.
func passedOn(to person, recipients []string) bool {
	theirs, err := subscribers.ParseAddress(to.email)
	return err == nil && slices.ContainsFunc(recipients, func(recipient string) bool {
		named, err := subscribers.ParseAddress(recipient)
		return err == nil && named.Key != theirs.Key
	})
}

// addressee is the person of a delivery; theirs is false where its message went to an address that is theirs no more.
func (r *Reports) addressee(ctx context.Context, q store.Querier, d returned) (to person, theirs bool, err error) {
	s, err := subscribers.ByID(ctx, q, d.subscriber)
	if errors.Is(err, store.ErrNotFound) {
		return person{}, false, nil
	}
	var since time.Time
	if err == nil {
		since, err = subscribers.AddressSince(ctx, q, d.subscriber)
	}
	return person{s.Name, s.Email}, err == nil && since.UnixMilli() <= d.dated, err
}

const (
	applyEvent = `UPDATE bounces SET applied = ?2, held = 0, suppressed = ?3 WHERE id = ?1`
	holdEvent  = `UPDATE bounces SET held = 1 WHERE id = ?1`
)

// weigh does what an event means for its delivery, and a bounce for the address: who complained was suppressed when that was heard. Where
// the delivery's own end isn't known yet, or too many are suppressed already, it waits.
func (r *Reports) weigh(ctx context.Context, tx *store.Tx, d returned, e event) error {
	if d.early() {
		return nil
	}
	if d.state == uncertain {
		if _, err := Evidence(ctx, tx, d.id, "it had arrived: "+e.said(), r.Now()); err != nil {
			return err
		}
		d.state = sent
	}
	to, why, err := r.against(ctx, tx, d, e)
	if err != nil {
		return err
	}
	if why == "" {
		_, err := tx.Exec(ctx, applyEvent, e.id, r.Now().UnixMilli(), 0)
		return err
	}
	room, err := r.hasRoom(ctx, tx, d)
	if err == nil && !room {
		_, err = tx.Exec(ctx, holdEvent, e.id)
		return err
	}
	if err == nil {
		err = r.suppress(ctx, tx, d, e, to, why)
	}
	if err == nil {
		_, err = tx.Exec(ctx, applyEvent, e.id, r.Now().UnixMilli(), 1)
	}
	return err
}

// suppress suppresses the person of a delivery for what came back of it.
func (r *Reports) suppress(ctx context.Context, tx *store.Tx, d returned, e event, to person, why string) error {
	reason := bounceReason
	if e.kind == complained {
		reason = complaintReason
	}
	people := subscribers.Registry{Key: r.Key, Now: r.Now}
	if err := people.Suppress(ctx, tx, to.email, 0, reason, fmt.Sprintf("%s (message <%s>)", why, d.messageID)); err != nil {
		return err
	}
	r.Log.InfoContext(ctx, "address suppressed by a report", "delivery", d.id, "subscriber", d.subscriber, "kind", e.kind, "class", e.class)
	return nil
}

// said is an event in words.
func (e event) said() string {
	if e.kind == complained {
		return "a complaint came by mail"
	}
	return strings.TrimSuffix("a bounce came by mail: "+e.reply.String(), ": ")
}

// against says why a bounce is held against the address that its delivery went to, and which that is; empty: it isn't.
func (r *Reports) against(ctx context.Context, q store.Querier, d returned, e event) (to person, why string, err error) {
	if d.state != sent || e.kind != bounced {
		return person{}, "", nil
	}
	to, theirs, err := r.addressee(ctx, q, d)
	if err != nil || !theirs {
		return person{}, "", err
	}
	lifted, err := subscribers.BounceLifted(ctx, q, d.subscriber)
	if err != nil || lifted.UnixMilli() > d.updated {
		return person{}, "", err
	}
	f := failure{
		delivery: d.id, subscriber: d.subscriber, class: e.class, reply: e.reply, said: e.said(),
		at: time.UnixMilli(d.updated), proved: r.Now().Add(-reportWait),
	}
	why, err = f.hopeless(ctx, q)
	return to, why, err
}
