package subscribers

import (
	"context"
	"fmt"
	"strings"
)

// newcomer is a row about somebody unknown, against whom nothing stands.
type newcomer struct {
	*hashed
	id int64
	start
	because string
}

func (c *chunks) newcomer(row *hashed) newcomer {
	n := newcomer{hashed: row, start: c.start(row.row), because: c.o.Because}
	if isGone(row.state) {
		n.start, n.because = goneStart(row.row), c.goneBecause(row.state)
	}
	return n
}

// insertAll stores newcomers as takePerson and takeGone would one by one. They come in groups of a power of two, so that few
// statements need to be prepared.
func (c *chunks) insertAll(ctx context.Context, all []newcomer) error {
	for n := batchRows; n > 0; n /= 2 {
		for len(all) >= n {
			for _, insert := range []func(context.Context, []newcomer) error{
				c.insertPeople, c.insertEnrolments, c.insertConsents, c.insertSuppressions,
			} {
				if err := insert(ctx, all[:n]); err != nil {
					return err
				}
			}
			all = all[n:]
		}
	}
	return nil
}

// groupOf is a statement that inserts, and how many rows.
type groupOf struct {
	insert string
	rows   int
}

// inserting is the text of a statement with a row of values, whose parameters are numbered from first on, for each newcomer.
func (c *chunks) inserting(insert, values string, all []newcomer, first int) string {
	group := groupOf{insert, len(all)}
	if c.texts[group] == "" {
		c.texts[group] = fmt.Sprintf(insert, numbered(strings.Repeat(values+", ", len(all)-1)+values, first))
	}
	return c.texts[group]
}

// insert runs a statement and keeps the memory of its arguments for the next one.
func (c *chunks) insert(ctx context.Context, statement string, args []any) error {
	c.args = args
	_, err := c.tx.Exec(ctx, statement, args...)
	return err
}

const selectLastPerson = `SELECT coalesce(max(id), 0) FROM subscribers`

const (
	insertPeople = `INSERT INTO subscribers (created, id, email, email_key, address_hash, domain_hash, name, language, zone, fields, tags) VALUES %s`
	personValues = `(?1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
)

// insertPeople gives the next numbers itself, as SQLite would, since nobody else can meanwhile: to have them returned takes a quarter longer.
func (c *chunks) insertPeople(ctx context.Context, all []newcomer) error {
	var last int64
	if err := c.tx.QueryRow(ctx, selectLastPerson).Scan(&last); err != nil {
		return err
	}
	args := append(c.args[:0], c.now().UnixMilli())
	for i, n := range all {
		all[i].id = last + int64(i) + 1
		args = append(args, all[i].id, n.addr.Typed, n.addr.Key, n.address, n.domain, n.Name, n.Language, n.Zone, n.fields, tagsText(n.Tags))
	}
	return c.insert(ctx, c.inserting(insertPeople, personValues, all, 2), args)
}

const (
	insertEnrolments = `INSERT INTO enrolments (series_id, import_id, reading_id, created, updated, subscriber_id, state, ended_by, ended_at,
	active_since, paused_until) VALUES %s`
	enrolmentValues = `(?1, ?2, nullif(?3, 0), ?4, ?4, ?, ?, ?, nullif(?, 0), nullif(?, 0), nullif(?, 0))`
)

func (c *chunks) insertEnrolments(ctx context.Context, all []newcomer) error {
	args := append(c.args[:0], c.o.SeriesID, c.id, c.reading, c.now().UnixMilli())
	for _, n := range all {
		ended, since, until := n.start.instants(c.now())
		args = append(args, n.id, n.start.state, n.by, ended, since, until)
	}
	return c.insert(ctx, c.inserting(insertEnrolments, enrolmentValues, all, 5), args)
}

const (
	insertConsents = `INSERT INTO consents (series_id, event, at, subscriber_id, form, wording, because, email) VALUES %s`
	consentValues  = `(?1, 'imported', ?2, ?, ?, ?, ?, ?)`
)

func (c *chunks) insertConsents(ctx context.Context, all []newcomer) error {
	args := append(c.args[:0], c.o.SeriesID, c.now().UnixMilli())
	for _, n := range all {
		args = append(args, n.id, c.form(n.line), n.consent, n.because, n.addr.Typed)
	}
	return c.insert(ctx, c.inserting(insertConsents, consentValues, all, 3), args)
}

const (
	insertSuppressionsOf = `INSERT INTO suppressions (created, hash, series_id, reason, because) VALUES %s`
	suppressionValues    = `(?1, ?, ?, ?, ?)`
)

// insertSuppressions suppresses the newcomers if they are gone; all of a batch are, or none.
func (c *chunks) insertSuppressions(ctx context.Context, all []newcomer) error {
	if !isGone(all[0].row.state) {
		return nil
	}
	args := append(c.args[:0], c.now().UnixMilli())
	for _, n := range all {
		reason := goneReason(n.row.state)
		args = append(args, n.address, c.goneScope(reason), reason, n.because)
	}
	return c.insert(ctx, c.inserting(insertSuppressionsOf, suppressionValues, all, 2), args)
}
