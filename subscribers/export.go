package subscribers

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"pressrun/subscribers/store"
)

// errMoved says that people got new fields while an export wrote its columns.
var errMoved = errors.New("people were changed meanwhile: export again")

// Export writes the people of a series whom where picks as CSV that Import reads back, streaming: email, name, state, language,
// subscribed, zone, tags, consent (how they came, as JSON), then the fields by name. All cells are quoted; those that a spreadsheet
// would run as a formula are led by an apostrophe, which Import takes off again. Progress, if not nil, is called now and then with
// the rows written.
func Export(ctx context.Context, q store.Querier, seriesID int64, where Filter, w io.Writer, progress func(rows int64)) (rows int64, err error) {
	wrap := func(err error) error { return fmt.Errorf("export series %d: %w", seriesID, err) }
	names, err := fieldNames(ctx, q, seriesID, where)
	if err != nil {
		return 0, wrap(err)
	}
	out := &exportWriter{w: bufio.NewWriterSize(w, 64<<10), names: names}
	out.header()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	read, failed := make(chan []exported, 4), make(chan error, 1)
	go func() {
		defer close(read)
		failed <- readExported(ctx, q, seriesID, where, read)
	}()
	for some := range read {
		for i := range some {
			if err == nil {
				err = out.person(&some[i])
				rows++
			}
		}
		if err != nil {
			stop()
		} else if progress != nil {
			progress(rows)
		}
	}
	if reading := <-failed; err == nil {
		err = reading
	}
	if err = errors.Join(err, out.w.Flush()); err != nil {
		return rows, wrap(err)
	}
	return rows, nil
}

// exported is what a line of an export is made of.
type exported struct {
	email, name, language, zone, tags, fields string
	state                                     State
	endedBy                                   string
	paused, since                             int64
	standing                                  int // the gravest suppression, from 1 in the order of reasonsByGravity; 0: none
	consent, request                          proof
}

// proof is what a consent has to show.
type proof struct {
	event                             string
	at                                int64
	ip, agent, form, wording, because string
	language, version, token, message string
	email                             string // where it is another one than now
}

// The last consent that made them come is the one that holds.
const selectExported = `SELECT s.email, s.name, s.language, s.zone, s.tags, s.fields, e.state, e.ended_by, coalesce(e.paused_until, 0),
	coalesce(e.active_since, 0),
	coalesce((SELECT max(CASE x.reason WHEN 'complaint' THEN 5 WHEN 'manual' THEN 4 WHEN 'bounce' THEN 3 WHEN 'erasure' THEN 2 ELSE 1 END)
		FROM suppressions x WHERE x.hash IN (s.address_hash, s.domain_hash) AND x.series_id IN (0, e.series_id)), 0),
	coalesce(c.event, ''), coalesce(c.at, 0), coalesce(c.ip, ''), coalesce(c.agent, ''), coalesce(c.form, ''), coalesce(c.wording, ''),
	coalesce(c.because, ''), coalesce(c.language, ''), coalesce(c.wording_version, ''), coalesce(c.token, ''), coalesce(c.message_id, ''),
	coalesce(nullif(c.email, s.email), ''), c.request_id IS NOT NULL, coalesce(r.at, 0), coalesce(r.ip, ''),
	coalesce(r.agent, ''), coalesce(r.form, ''), coalesce(r.wording, ''), coalesce(r.language, ''), coalesce(r.wording_version, '')
FROM enrolled e JOIN subscribers s ON s.id = e.subscriber_id
LEFT JOIN consents c ON c.id = (SELECT max(k.id) FROM consents k
	WHERE k.subscriber_id = e.subscriber_id AND k.series_id = e.series_id AND k.event IN ('confirmed', 'added', 'imported'))
LEFT JOIN consents r ON r.id = c.request_id
WHERE e.series_id = ?1 AND s.erased IS NULL AND %s
ORDER BY e.subscriber_id`

// readExported sends people in their order, some at a time.
func readExported(ctx context.Context, q store.Querier, seriesID int64, where Filter, to chan<- []exported) error {
	const atOnce = 512
	condition, args := where.sql(seriesID)
	rows, err := q.Query(ctx, fmt.Sprintf(selectExported, condition), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	some := make([]exported, 0, atOnce)
	send := func() error {
		select {
		case to <- some:
			some = make([]exported, 0, atOnce)
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	var e exported
	var requested bool
	into := append(e.columns(), &requested, &e.request.at, &e.request.ip, &e.request.agent, &e.request.form, &e.request.wording,
		&e.request.language, &e.request.version)
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if e.request.event = ""; requested {
			e.request.event = eventRequested
		}
		if some = append(some, e); len(some) == atOnce {
			if err := send(); err != nil {
				return err
			}
		}
	}
	if err := rows.Err(); err != nil || len(some) == 0 {
		return err
	}
	return send()
}

func (e *exported) columns() []any {
	c := &e.consent
	return []any{
		&e.email, &e.name, &e.language, &e.zone, &e.tags, &e.fields, &e.state, &e.endedBy, &e.paused, &e.since, &e.standing,
		&c.event, &c.at, &c.ip, &c.agent, &c.form, &c.wording, &c.because, &c.language, &c.version, &c.token, &c.message, &c.email,
	}
}

const selectFields = `SELECT s.fields FROM enrolled e JOIN subscribers s ON s.id = e.subscriber_id
WHERE e.series_id = ?1 AND s.fields <> '{}' AND %s`

// fieldNames collects the names of all fields that these people have, sorted.
func fieldNames(ctx context.Context, q store.Querier, seriesID int64, where Filter) ([]string, error) {
	condition, args := where.sql(seriesID)
	rows, err := q.Query(ctx, fmt.Sprintf(selectFields, condition), args...)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	err = collectFieldNames(rows, names)
	return slices.Sorted(maps.Keys(names)), err
}

// collectFieldNames adds the names of the fields in all rows, which it closes.
func collectFieldNames(rows *sql.Rows, names map[string]bool) error {
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return err
		}
		err := eachField(text, func(name, _ string) {
			if !names[name] {
				names[strings.Clone(name)] = true
			}
		})
		if err != nil {
			return err
		}
	}
	return rows.Err()
}

// eachField calls f for the fields of a person, by name.
func eachField(text string, f func(name, value string)) error {
	if strings.IndexByte(text, '\\') < 0 { // then a quote ends a text, as we write them
		for rest := text; ; {
			_, behind, found := strings.Cut(rest, `"`)
			if !found {
				return nil
			}
			name, behind, _ := strings.Cut(behind, `":"`)
			value, behind, _ := strings.Cut(behind, `"`)
			f(name, value)
			rest = behind
		}
	}
	var fields map[string]string
	if err := json.Unmarshal([]byte(text), &fields); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		f(name, fields[name])
	}
	return nil
}

// exportWriter writes lines (RFC 4180), every cell in quotes.
type exportWriter struct {
	w     *bufio.Writer
	names []string // of the fields
	line  []byte
}

func (x *exportWriter) header() {
	for _, name := range slices.Concat(exportHeader, x.names) {
		x.cell(name)
	}
	_ = x.end() // a bufio.Writer keeps the first error of all its writes
}

func (x *exportWriter) person(e *exported) error {
	since := ""
	if e.since != 0 {
		since = string(instant(e.since).AppendFormat(nil, time.RFC3339Nano))
	}
	for _, cell := range [...]string{e.email, e.name, e.exportState(), e.language, since, e.zone, strings.Trim(e.tags, ","), e.proof()} {
		x.cell(cell)
	}
	next, moved := 0, false
	err := eachField(e.fields, func(name, value string) {
		for ; next < len(x.names) && x.names[next] < name; next++ {
			x.cell("")
		}
		if next == len(x.names) || x.names[next] != name {
			moved = true
			return
		}
		x.cell(value)
		next++
	})
	if err != nil {
		return err
	}
	if moved {
		return errMoved
	}
	for ; next < len(x.names); next++ {
		x.cell("")
	}
	return x.end()
}

func (x *exportWriter) cell(cell string) {
	x.line = append(x.line, ',', '"')
	if isFormula(cell) {
		x.line = append(x.line, '\'')
	}
	for {
		before, after, quote := strings.Cut(cell, `"`)
		x.line = append(x.line, before...)
		if !quote {
			break
		}
		x.line, cell = append(x.line, `""`...), after
	}
	x.line = append(x.line, '"')
}

func (x *exportWriter) end() error {
	_, err := x.w.Write(append(x.line[1:], "\r\n"...))
	x.line = x.line[:0]
	return err
}

// exportState says in a word of Import what holds for a person: what is hardest to come back from.
func (e *exported) exportState() string {
	standing := ""
	if e.standing > 0 {
		standing = reasonsByGravity()[e.standing-1]
	}
	is := func(reason string) bool { return standing == reason || e.endedBy == reason }
	switch {
	case is(reasonComplaint):
		return rowComplained
	case standing == reasonManual:
		return rowSuppressed
	case is(reasonBounce):
		return rowBounced
	case is(reasonUnsubscribe):
		return rowUnsubscribed
	case e.state == Paused:
		return rowPaused + " until " + instant(e.paused).Format(time.RFC3339Nano)
	}
	return string(e.state)
}

// proof is how somebody came, as one JSON object; what another site exported stays as that wrote it. Those whom an import brought
// and who have not confirmed yet have none.
func (e *exported) proof() string {
	imported := e.consent.event == eventImported
	switch {
	case imported && strings.HasPrefix(e.consent.wording, proofBegins):
		return e.consent.wording
	case e.consent.event == "" || imported && e.state == Pending:
		return ""
	}
	b := e.consent.append(nil)
	if e.request.event != "" {
		b = e.request.append(append(b[:len(b)-1], `,"request":`...))
		b = append(b, '}')
	}
	return string(b)
}

const (
	proofBegins = `{"event":` // of every proof
	maxProof    = 64 << 10    // octets
)

func (p *proof) append(b []byte) []byte {
	b = appendJSON(append(b, proofBegins...), p.event)
	b = append(b, `,"at":`...)
	b = appendJSON(b, string(instant(p.at).AppendFormat(nil, time.RFC3339Nano)))
	for _, f := range [...]struct{ name, value string }{
		{"ip", p.ip},
		{"agent", p.agent},
		{"form", p.form},
		{"wording", p.wording},
		{"because", p.because},
		{"language", p.language},
		{"wording_version", p.version},
		{"token", p.token},
		{"message_id", p.message},
		{"email", p.email},
	} {
		if f.value != "" {
			b = appendJSON(append(strconv.AppendQuote(append(b, ','), f.name), ':'), f.value)
		}
	}
	return append(b, '}')
}
