package subscribers

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"pressrun/subscribers/store"
)

// Listed is one line of a list of people.
type Listed struct {
	Subscriber
	Enrolment
	Mailable   bool
	Suppressed string // the gravest reason of a suppression that stands; empty: none
}

const selectListed = `SELECT s.id, s.email, s.address_hash, s.domain_hash, s.name, s.language, s.fields, s.created,
	e.id, e.series_id, e.subscriber_id, e.state, e.ended_by, e.cycle, coalesce(e.paused_until, 0), coalesce(e.reading_id, 0),
	coalesce(e.active_since, 0), coalesce(e.ended_at, 0), e.created, e.updated,
	EXISTS (SELECT 1 FROM mailable m WHERE m.series_id = e.series_id AND m.subscriber_id = e.subscriber_id),
	coalesce((SELECT x.reason FROM suppressions x WHERE x.hash IN (s.address_hash, s.domain_hash) AND x.series_id IN (0, e.series_id)
		ORDER BY CASE x.reason WHEN 'complaint' THEN 1 WHEN 'bounce' THEN 2 WHEN 'manual' THEN 3 WHEN 'erasure' THEN 4 ELSE 5 END LIMIT 1), '')
FROM enrolled e JOIN subscribers s ON s.id = e.subscriber_id
WHERE e.series_id = ?1 AND s.erased IS NULL
ORDER BY e.subscriber_id`

// List calls f for each person of a series in the order of their numbers. With a *store.Tx, f must not write.
func List(ctx context.Context, q store.Querier, seriesID int64, f func(Listed) error) error {
	rows, err := q.Query(ctx, selectListed, seriesID)
	if err != nil {
		return fmt.Errorf("list series %d: %w", seriesID, err)
	}
	defer rows.Close()
	for rows.Next() {
		l, err := scanListed(rows)
		if err != nil {
			return fmt.Errorf("list series %d: %w", seriesID, err)
		}
		if err := f(l); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("list series %d: %w", seriesID, err)
	}
	return nil
}

func scanListed(row scanner) (Listed, error) {
	var p personRow
	var e enrolmentRow
	var l Listed
	if err := row.Scan(slices.Concat(p.columns(), e.columns(), []any{&l.Mailable, &l.Suppressed})...); err != nil {
		return Listed{}, err
	}
	known, err := p.value()
	l.Subscriber, l.Enrolment = known.Subscriber, e.value()
	return l, err
}

const countPeople = `SELECT count(*) FROM subscribers WHERE erased IS NULL`

// CountPeople counts everybody whose address is stored.
func CountPeople(ctx context.Context, q store.Querier) (n int64, err error) {
	if err := q.QueryRow(ctx, countPeople).Scan(&n); err != nil {
		return 0, fmt.Errorf("count people: %w", err)
	}
	return n, nil
}

// errMoved says that people got new fields while an export wrote its columns.
var errMoved = errors.New("people were changed meanwhile: export again")

// Export writes the people of a series as CSV that Import reads back, streaming: email, name, state, language,
// subscribed, then the fields by name. All cells are quoted; those that a spreadsheet would run as a formula are led by an
// apostrophe, which Import takes off again.
func Export(ctx context.Context, q store.Querier, seriesID int64, w io.Writer) (rows int, err error) {
	fields, err := fieldNames(ctx, q, seriesID)
	if err != nil {
		return 0, fmt.Errorf("export series %d: %w", seriesID, err)
	}
	out := bufio.NewWriter(w)
	writeCells(out, append(slices.Clone(exportHeader), fields...))
	err = List(ctx, q, seriesID, func(l Listed) error {
		cells := []string{l.Email, l.Name, exportState(l), l.Language, ""}
		if !l.ActiveSince.IsZero() {
			cells[4] = l.ActiveSince.Format(time.RFC3339Nano)
		}
		known := 0
		for _, name := range fields {
			value, ok := l.Fields[name]
			if ok {
				known++
			}
			cells = append(cells, value)
		}
		if known < len(l.Fields) {
			return errMoved
		}
		rows++
		return writeCells(out, cells)
	})
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return rows, fmt.Errorf("export series %d: %w", seriesID, err)
	}
	return rows, nil
}

const selectFields = `SELECT s.fields FROM enrolments e JOIN subscribers s ON s.id = e.subscriber_id
WHERE e.series_id = ?1 AND s.fields <> '{}'`

// fieldNames collects the names of all fields that people of a series have, sorted.
func fieldNames(ctx context.Context, q store.Querier, seriesID int64) ([]string, error) {
	rows, err := q.Query(ctx, selectFields, seriesID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names := map[string]string{}
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(text), &names); err != nil { // adds to what is there
			return nil, err
		}
	}
	return slices.Sorted(maps.Keys(names)), rows.Err()
}

// exportState says in a word of Import what holds for a person: what only they can take back before what an owner can.
func exportState(l Listed) string {
	is := func(reason string) bool { return l.Suppressed == reason || l.EndedBy == reason }
	switch {
	case is(reasonComplaint):
		return rowComplained
	case is(reasonBounce):
		return rowBounced
	case is(reasonUnsubscribe):
		return rowUnsubscribed
	case is(reasonManual):
		return rowSuppressed
	case l.State == Paused:
		return rowPaused + " until " + l.PausedUntil.Format(time.RFC3339Nano)
	}
	return string(l.State)
}

// writeCells writes one line (RFC 4180), every cell in quotes.
func writeCells(w *bufio.Writer, cells []string) error {
	for i, cell := range cells {
		if i > 0 {
			w.WriteByte(',')
		}
		w.WriteByte('"')
		w.WriteString(strings.ReplaceAll(armed(cell), `"`, `""`))
		w.WriteByte('"')
	}
	_, err := w.WriteString("\r\n") // a bufio.Writer keeps the first error of all its writes
	return err
}
