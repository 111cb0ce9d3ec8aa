package subscribers

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"pressrun/subscribers/store"
)

// Suppressed is no state of an enrolment; as ImportOptions.As it says that nobody in the file may be mailed.
const Suppressed State = rowSuppressed

// ImportOptions say how a CSV file is read.
type ImportOptions struct {
	SeriesID int64
	File     string  // its name, for the evidence and the report
	As       State   // Pending, Active, or Suppressed for rows without a state of their own; "" means Pending
	Because  string  // needed for Active and Suppressed, and where the file itself says that somebody is active
	Reading  []int64 // articles that these people had before; nil: none
	DryRun   bool
	// Progress is called with the rows taken of all rows, the first time before anything is written. nil: nobody.
	Progress func(taken, rows int64)
	// Then is called at the end, where no row has a fault, with what the import made: of a dry run with the copy that it was
	// tried on, to see what the import would mean. nil: nobody.
	Then func(q store.Querier) error
}

// What became of a row.
const (
	OutcomeAdded      = "added"
	OutcomeChanged    = "changed"
	OutcomeUnchanged  = "unchanged"
	OutcomeSuppressed = "suppressed"
	OutcomeKeptOut    = "kept out"
	OutcomeRefused    = "refused"
)

// ImportRow is what became of one line of the file.
type ImportRow struct {
	Line    int    `json:"line"` // of the file, from 1
	Email   string `json:"email"`
	Outcome string `json:"outcome"` // added, changed, unchanged, suppressed, kept out, refused
	Reason  string `json:"reason,omitempty"`
}

// ImportReport says what an import did, or in a dry run would do.
type ImportReport struct {
	DryRun     bool        `json:"dry_run"`
	Added      int         `json:"added"`
	Changed    int         `json:"changed"`
	Unchanged  int         `json:"unchanged"`
	Suppressed int         `json:"suppressed"`
	KeptOut    int         `json:"kept_out"` // known as gone: never revived
	Refused    int         `json:"refused"`  // rows with a fault; for one of them nothing is imported
	Rows       []ImportRow `json:"rows"`     // by line
}

func (rep *ImportReport) add(r row, outcome, reason string) {
	rep.Rows = append(rep.Rows, ImportRow{Line: r.line, Email: r.email, Outcome: outcome, Reason: reason})
	switch outcome {
	case OutcomeAdded:
		rep.Added++
	case OutcomeChanged:
		rep.Changed++
	case OutcomeUnchanged:
		rep.Unchanged++
	case OutcomeSuppressed:
		rep.Suppressed++
	case OutcomeKeptOut:
		rep.KeptOut++
	case OutcomeRefused:
		rep.Refused++
	}
}

func (rep *ImportReport) join(more ImportReport) {
	rep.Rows = append(rep.Rows, more.Rows...)
	rep.Added += more.Added
	rep.Changed += more.Changed
	rep.Unchanged += more.Unchanged
	rep.Suppressed += more.Suppressed
	rep.KeptOut += more.KeptOut
	rep.Refused += more.Refused
}

// fault names the first refused rows; nil where there are none.
func (rep *ImportReport) fault() error {
	const named = 3
	var lines []string
	for _, r := range rep.Rows {
		if r.Outcome == OutcomeRefused && len(lines) < named {
			lines = append(lines, fmt.Sprintf("line %d: %s", r.Line, r.Reason))
		}
	}
	switch {
	case rep.Refused == 0:
		return nil
	case rep.Refused > named:
		lines = append(lines, fmt.Sprintf("and %d more", rep.Refused-named))
	}
	return fmt.Errorf("%w: %s: %s", ErrImport, rep.Faults(), strings.Join(lines, "; "))
}

// Faults counts the refused rows in words.
func (rep *ImportReport) Faults() string {
	if rep.Refused == 1 {
		return fmt.Sprintf("1 of %d rows has a fault", len(rep.Rows))
	}
	return fmt.Sprintf("%d of %d rows have a fault", rep.Refused, len(rep.Rows))
}

// Import reads a CSV file (any delimiter of , ; tab |, BOM or UTF-16, a header line with column names in any order,
// unknown columns kept as fields; without header the one column is the address). Where a row has a fault nothing is
// imported, and the error names the first faulty lines. Suppressed rows come first.
//
// The database is never kept from others for longer than a moment, since people must be able to leave meanwhile: rows are
// written some at a time, and a dry run is made on a copy. All the same an import is one step: whom it brings counts as
// pending until the last row is there. What stops it before the file is accepted leaves nothing; what stops it then, such as
// a full disk or a crash, FinishImports mends. An import that has the same people meanwhile takes them over. Only suppressions
// count at once. The same file twice changes nothing the second time. Errors wrap ErrImport and, where active people come without a reason, ErrBecause; the report is
// complete where rows were refused.
func (r *Registry) Import(ctx context.Context, db *store.DB, file io.Reader, o ImportOptions) (ImportReport, error) {
	o.Because = strings.TrimSpace(o.Because)
	report := ImportReport{DryRun: o.DryRun, Rows: []ImportRow{}}
	if err := o.check(); err != nil {
		return report, fmt.Errorf("import %s: %w", o.File, err)
	}
	s, err := readSheet(file)
	im := &importing{Registry: r.at(r.now()), clock: r.now, o: o, sheet: s, report: &report}
	var faults error
	if err == nil {
		faults, err = im.faults()
	}
	switch {
	case err != nil:
	case o.DryRun || faults != nil:
		err = im.rehearse(ctx, db)
	default:
		err = im.run(ctx, db)
	}
	if err == nil && o.Then != nil && faults == nil && !o.DryRun {
		err = o.Then(db)
	}
	if err == nil && !o.DryRun {
		err = faults
	}
	if err != nil {
		return report, fmt.Errorf("import %s: %w", o.File, err)
	}
	return report, nil
}

// at is the registry at one instant.
func (r *Registry) at(now time.Time) *Registry {
	return &Registry{Key: r.Key, Now: func() time.Time { return now }}
}

func (o ImportOptions) check() error {
	switch o.As {
	case "", Pending:
	case Active, Suppressed:
		if o.Because == "" {
			return fmt.Errorf("as %s: %w: how these people came here, or why they may not be mailed", o.As, ErrBecause)
		}
	default:
		return fmt.Errorf("%w: people come as %s, %s or %s, not as %q", ErrImport, Pending, Active, Suppressed, o.As)
	}
	return nil
}

// importing is one import. Where its methods write, tx is the transaction of the rows at hand.
type importing struct {
	*Registry
	tx          *store.Tx
	o           ImportOptions
	sheet       *sheet
	report      *ImportReport
	id, reading int64            // reading 0: these people had nothing
	clock       func() time.Time // the Registry's stands still
	rows, taken int64            // of the file, in the order of takeAll; rows 0: not counted
	over        int64            // how many of taken are still to be passed over
}

// faults looks for rows that can't be taken, before anything is written; err is for a file that can't be read to its end.
func (im *importing) faults() (faults, err error) {
	var found ImportReport
	because := false
	err = im.sheet.each(func(row row) error {
		fault := im.fault(row)
		because = because || errors.Is(fault, ErrBecause)
		if fault != nil {
			found.add(row, OutcomeRefused, fault.Error())
		} else {
			found.Rows = append(found.Rows, ImportRow{})
		}
		return nil
	})
	if faults = found.fault(); because {
		faults = lacksReason{faults}
	}
	im.rows = int64(len(found.Rows))
	im.progress()
	return faults, err
}

func (im *importing) progress() {
	if im.o.Progress != nil {
		im.o.Progress(im.taken, im.rows)
	}
}

// lacksReason is ErrBecause besides what it says.
type lacksReason struct{ error }

func (e lacksReason) Unwrap() []error { return []error{e.error, ErrBecause} }

// fault is why a row can't be taken; nil where it can.
func (im *importing) fault(row row) error {
	state := im.state(row)
	if row.fault == nil && !isGone(state) && state != rowPending && im.o.Because == "" {
		return fmt.Errorf("%w: the file says that people are %s, so say how they came here", ErrBecause, state)
	}
	return row.fault
}

// state is what the file says of a row's person, or of those of whom it says nothing.
func (im *importing) state(row row) string {
	return cmp.Or(row.state, string(im.o.As), rowPending)
}

// rehearse runs the import on a copy of the database, so that its report is true and nothing is changed.
func (im *importing) rehearse(ctx context.Context, db *store.DB) error {
	copied, closeCopy, err := db.Copy(ctx)
	if err != nil {
		return err
	}
	if err = im.run(ctx, copied); err == nil && im.o.Then != nil && im.report.Refused == 0 {
		err = im.o.Then(copied)
	}
	return errors.Join(err, closeCopy())
}

// takeAll goes through the file twice: those who are gone first, so that no order of lines mails them. It passes over the
// rows that were taken before.
func (im *importing) takeAll(ctx context.Context, db *store.DB) error {
	err := db.InTx(ctx, func(tx *store.Tx) (err error) {
		im.tx = tx
		im.reading, err = im.addReading(ctx)
		return err
	})
	im.over = im.taken
	for _, gone := range []bool{true, false} {
		if err == nil {
			err = im.pass(ctx, db, gone)
		}
	}
	slices.SortStableFunc(im.report.Rows, func(a, b ImportRow) int { return cmp.Compare(a.Line, b.Line) })
	if err != nil {
		return err
	}
	return im.finish(ctx, db)
}

// How many rows one transaction of an import writes, and how long it may hold the database. The first grows and shrinks
// with the time that the last one took.
const (
	firstRows = 100
	mostRows  = 5000
	longRows  = 30 * time.Millisecond // then half as many
	shortRows = 12 * time.Millisecond // then twice as many
)

// pass takes the rows of those who are gone, or of all others.
func (im *importing) pass(ctx context.Context, db *store.DB, gone bool) error {
	var some []row
	most := firstRows
	write := func() error {
		took, err := im.takeSome(ctx, db, some)
		if err != nil {
			return err
		}
		switch {
		case took > longRows:
			most = max(most/2, 1)
		case took < shortRows:
			most = min(2*most, mostRows)
		}
		some = some[:0]
		return store.Rest(ctx, took)
	}
	err := im.sheet.each(func(row row) error {
		row.fault, row.state = im.fault(row), im.state(row)
		if gone != (isGone(row.state) && row.fault == nil) {
			return nil
		}
		if im.over > 0 {
			im.over--
			return nil
		}
		if some = append(some, row); len(some) < most {
			return nil
		}
		return write()
	})
	if err != nil || len(some) == 0 {
		return err
	}
	return write()
}

// takeSome takes rows in one transaction, and reports them once it is committed. It says how long others were kept out.
func (im *importing) takeSome(ctx context.Context, db *store.DB, rows []row) (time.Duration, error) {
	var report ImportReport
	var began time.Time
	err := db.InTx(ctx, func(tx *store.Tx) error {
		began = time.Now()
		im.tx = tx
		for _, row := range rows {
			outcome, reason, err := im.take(ctx, row)
			if err != nil {
				return fmt.Errorf("line %d: %w", row.line, err)
			}
			report.add(row, outcome, reason)
		}
		return im.advance(ctx, tx, len(rows))
	})
	if err != nil {
		return 0, err
	}
	took := time.Since(began)
	im.report.join(report)
	im.taken += int64(len(rows))
	im.progress()
	return took, nil
}

func (im *importing) take(ctx context.Context, row row) (outcome, reason string, err error) {
	switch {
	case row.fault != nil:
		return OutcomeRefused, row.fault.Error(), nil
	case isGone(row.state):
		return im.takeGone(ctx, row)
	}
	return im.takePerson(ctx, row)
}

const selectReadingByArticles = `SELECT id FROM readings WHERE series_id = ?1 AND articles = ?2`

const insertReading = `INSERT INTO readings (series_id, articles, created) VALUES (?1, ?2, ?3) RETURNING id`

// addReading returns the number of the reading that these people share; 0 where they had nothing.
func (im *importing) addReading(ctx context.Context) (id int64, err error) {
	if len(im.o.Reading) == 0 {
		return 0, nil
	}
	articles, err := json.Marshal(im.o.Reading)
	if err != nil {
		return 0, err
	}
	err = im.tx.QueryRow(ctx, selectReadingByArticles, im.o.SeriesID, string(articles)).Scan(&id)
	if errors.Is(err, store.ErrNotFound) {
		err = im.tx.QueryRow(ctx, insertReading, im.o.SeriesID, string(articles), im.now().UnixMilli()).Scan(&id)
	}
	return id, err
}

// consent records that the import brought somebody: file, line and hash are the evidence.
func (im *importing) consent(ctx context.Context, p person, row row, because string) error {
	form := fmt.Sprintf("%s:%d sha256:%s", im.o.File, row.line, im.sheet.sum)
	_, err := im.record(ctx, im.tx, p, Consent{
		SeriesID: im.o.SeriesID, Event: eventImported, Email: row.addr.Typed, Evidence: Evidence{Form: form, Because: because},
	})
	return err
}

// takePerson takes somebody who may be mailed, now or once they confirm.
func (im *importing) takePerson(ctx context.Context, row row) (outcome, reason string, err error) {
	f, err := im.find(ctx, im.tx, im.o.SeriesID, row.addr)
	if err != nil {
		return "", "", err
	}
	if gone := f.keptOut(); gone != "" {
		return OutcomeKeptOut, goneWords(gone), nil
	}
	changed, err := im.put(ctx, im.tx, row.addr, row.Addition, &f.person)
	if err != nil {
		return "", "", err
	}
	e, err := im.enrolRow(ctx, f, row)
	if err != nil {
		return "", "", err
	}
	bound, err := im.bind(ctx, e, e.ID != f.enrolment.ID || e.State != f.enrolment.State)
	if err != nil {
		return "", "", err
	}
	moved, err := im.setReading(ctx, e)
	if err != nil {
		return "", "", err
	}
	switch {
	case f.enrolment.ID == 0:
		return OutcomeAdded, "", nil
	case changed || moved || bound:
		return OutcomeChanged, "", nil
	}
	return OutcomeUnchanged, "", nil
}

const bindEnrolment = `UPDATE enrolments SET import_id = ?2
WHERE id = ?1 AND (?3 = 1 OR import_id IN (SELECT i.id FROM imports i WHERE i.done IS NULL))`

// bind has an enrolment count once the import is done: one that it made or activated, or that another import left behind.
func (im *importing) bind(ctx context.Context, e Enrolment, ours bool) (bool, error) {
	always := 0
	if ours {
		always = 1
	}
	n, err := im.tx.Exec(ctx, bindEnrolment, e.ID, im.id, always)
	return n > 0, err
}

// enrolRow brings a person's enrolment to what the row says, never back from it.
func (im *importing) enrolRow(ctx context.Context, f found, row row) (Enrolment, error) {
	e := f.enrolment
	since := row.since
	if since.IsZero() {
		since = im.now()
	}
	var err error
	switch {
	case e.ID == 0 && row.state == rowPending:
		e, err = im.enrol(ctx, im.tx, im.o.SeriesID, f.ID, start{state: Pending})
	case e.ID == 0 && row.state == rowPaused && row.until.After(im.now()):
		e, err = im.enrol(ctx, im.tx, im.o.SeriesID, f.ID, start{state: Paused, since: since, until: row.until})
	case e.ID == 0:
		e, err = im.enrol(ctx, im.tx, im.o.SeriesID, f.ID, start{state: Active, since: since})
	case e.State == Pending && row.state == rowActive:
		e, err = im.activate(ctx, im.tx, e, since)
	default:
		return e, nil
	}
	if err != nil {
		return Enrolment{}, err
	}
	return e, im.consent(ctx, f.person, row, im.o.Because)
}

const updateReading = `UPDATE enrolments SET reading_id = ?2, updated = ?3 WHERE id = ?1 AND coalesce(reading_id, 0) <> ?2`

func (im *importing) setReading(ctx context.Context, e Enrolment) (bool, error) {
	if im.reading == 0 {
		return false, nil
	}
	n, err := im.tx.Exec(ctx, updateReading, e.ID, im.reading, im.now().UnixMilli())
	return n > 0, err
}

// takeGone takes somebody who must not be mailed. They are kept as people of the series, so that an export to another
// service still says that they left.
func (im *importing) takeGone(ctx context.Context, row row) (outcome, reason string, err error) {
	f, err := im.find(ctx, im.tx, im.o.SeriesID, row.addr)
	if err != nil {
		return "", "", err
	}
	if _, err := im.put(ctx, im.tx, row.addr, row.Addition, &f.person); err != nil {
		return "", "", err
	}
	because := strings.TrimSuffix(row.state+": "+im.o.Because, ": ")
	changed, err := im.shut(ctx, f.person, row.state, because)
	if err != nil {
		return "", "", err
	}
	if f.enrolment.ID == 0 {
		changed = true
		if _, err := im.enrol(ctx, im.tx, im.o.SeriesID, f.ID, goneStart(row)); err != nil {
			return "", "", err
		}
	}
	if !changed {
		return OutcomeUnchanged, "", nil
	}
	return OutcomeSuppressed, row.state, im.consent(ctx, f.person, row, because)
}

// goneReason is the suppression that a word of a file stands for.
func goneReason(state string) string {
	switch state {
	case rowUnsubscribed:
		return reasonUnsubscribe
	case rowBounced:
		return reasonBounce
	case rowComplained:
		return reasonComplaint
	}
	return reasonManual
}

// goneStart is the enrolment of somebody who comes here as gone. Of those suppressed by hand it is pending: without the
// suppression they would still have to confirm.
func goneStart(row row) start {
	if row.state == rowSuppressed {
		return start{state: Pending}
	}
	return start{state: Ended, by: goneReason(row.state), since: row.since}
}

// shut suppresses and ends what a row says is over, and says whether that changed anything. An unsubscribe and a
// suppression by hand are of the file's series; a bounce and a complaint are of the address, so of the whole site.
func (im *importing) shut(ctx context.Context, p person, state, because string) (bool, error) {
	reason, scope := goneReason(state), im.o.SeriesID
	if reason == reasonBounce || reason == reasonComplaint {
		scope = 0
	}
	var stood int64
	var err error
	if reason == reasonUnsubscribe { // nothing new for somebody who left everything
		stood, err = im.tx.Exec(ctx, insertLeave, p.address, scope, because, im.now().UnixMilli())
	} else {
		stood, err = im.tx.Exec(ctx, insertSuppression, p.address, scope, reason, because, im.now().UnixMilli())
	}
	if err != nil || reason == reasonManual {
		return stood > 0, err
	}
	ended, err := end(ctx, im.tx, p, scope, reason, im.now())
	return stood > 0 || ended > 0, err
}
