package subscribers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
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
	Because  string  // needed for Active and Suppressed, and where the file says that somebody is active and has no consent of theirs
	Reading  []int64 // articles that these people had before; nil: none
	DryRun   bool
	GoodRows bool // take the rows without a fault also where others have one
	// Columns is called with how the columns are read, before anything else. nil: nobody.
	Columns func([]ReadColumn)
	// Progress is called with the rows taken of all rows, the first time before anything is written. nil: nobody.
	Progress func(taken, rows int64)
	// Then is called at the end, where the file is imported, with what the import made: of a dry run with the copy that it was
	// tried on, to see what the import would mean. nil: nobody.
	Then func(q store.Querier) error
	// Row is called at the end with what became of each row, by line. nil: nobody.
	Row func(ImportRow) error
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
	Line    int    `json:"line"`             // of the file, from 1
	Column  string `json:"column,omitempty"` // that has the fault of a refused row, as the file calls it; empty: the whole line
	Email   string `json:"email"`
	Outcome string `json:"outcome"` // added, changed, unchanged, suppressed, kept out, refused
	Reason  string `json:"reason,omitempty"`
}

// ImportReport says what an import did, or in a dry run would do.
type ImportReport struct {
	DryRun     bool `json:"dry_run"`
	Added      int  `json:"added"`
	Pending    int  `json:"pending"` // of those added: nobody writes to them before they confirm
	Changed    int  `json:"changed"`
	Unchanged  int  `json:"unchanged"`
	Suppressed int  `json:"suppressed"`
	KeptOut    int  `json:"kept_out"` // known as gone: never revived
	Refused    int  `json:"refused"`  // rows with a fault; for one of them nothing is imported, but with GoodRows
	// NeedsBecause says that rows are refused for want of Because.
	NeedsBecause bool `json:"needs_because,omitempty"`
	// Unread are columns that may say who may be mailed and are not understood: for one of them nobody comes as active, also with GoodRows.
	Unread []string `json:"unread,omitempty"`
	// Charset is what the file was read as because it is no UTF-8 and doesn't say what it is: its accents want a look. Empty: it is UTF.
	Charset string `json:"charset,omitempty"`
	// LongestHold is the longest that one transaction kept others from writing.
	LongestHold time.Duration `json:"-"`
}

// Total is how many rows the file has.
func (rep ImportReport) Total() int {
	return rep.Added + rep.Changed + rep.Unchanged + rep.Suppressed + rep.KeptOut + rep.Refused
}

func (rep *ImportReport) count(outcome string) {
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

// Faults counts the refused rows in words.
func (rep ImportReport) Faults() string {
	if rep.Refused == 1 {
		return fmt.Sprintf("1 of %d rows has a fault", rep.Total())
	}
	return fmt.Sprintf("%d of %d rows have a fault", rep.Refused, rep.Total())
}

// Import reads a CSV file (any delimiter of , ; tab |, UTF-8, UTF-16 or Windows-1252, a header line with column names in any order,
// unknown columns kept as fields; without header the one column is the address). Where a row has a fault nothing is
// imported, and the error names the first faulty lines; with GoodRows the others are. Suppressed rows come first.
//
// The file may be larger than the memory: it is kept on the disk and read as often as needed. The database is never kept from
// others for longer than a moment, since people must be able to leave meanwhile: rows are written some at a time, and a dry run
// is made on a copy. All the same an import is one step: whom it brings counts as pending until the last row is there. What stops
// it before the file is accepted leaves nothing; what stops it then, such as a full disk or a crash, FinishImports mends. An
// import that has the same people meanwhile takes them over. Only suppressions count at once. The same file twice changes nothing
// the second time. Errors wrap ErrImport and, where active people come without a reason, ErrBecause; the report is complete where
// rows were refused.
func (r *Registry) Import(ctx context.Context, db *store.DB, file io.Reader, o ImportOptions) (ImportReport, error) {
	report := ImportReport{DryRun: o.DryRun}
	o.Because = strings.TrimSpace(o.Because)
	err := o.check()
	if err == nil {
		err = r.importFile(ctx, db, file, o, &report)
	}
	if err != nil {
		return report, fmt.Errorf("import %s: %w", o.File, err)
	}
	return report, nil
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

func (r *Registry) importFile(ctx context.Context, db *store.DB, file io.Reader, o ImportOptions, report *ImportReport) error {
	kept, err := newSpool(beside(db.Path()), file)
	if err != nil {
		return err
	}
	defer kept.Close()
	report.Charset = kept.charset
	s, err := readSheet(kept, o.As)
	if err != nil {
		return err
	}
	if o.Columns != nil {
		o.Columns(s.read())
	}
	im := &importing{Registry: r.at(r.now()), clock: r.now, o: o, sheet: s, report: report}
	faults, err := im.examine()
	switch {
	case err != nil:
		return err
	case o.DryRun || faults != nil:
		err = im.rehearse(ctx, db, faults == nil)
	default:
		err = im.run(ctx, db, o.Then)
	}
	if err == nil && o.Row != nil {
		err = im.tell()
	}
	if err == nil && !o.DryRun {
		err = faults
	}
	return err
}

// at is the registry at one instant.
func (r *Registry) at(now time.Time) *Registry {
	return &Registry{Key: r.Key, Now: func() time.Time { return now }}
}

// importing is one import. Where its methods write, tx is the transaction of the rows at hand.
type importing struct {
	*Registry
	tx          *store.Tx
	o           ImportOptions
	sheet       *sheet
	report      *ImportReport
	became      []became         // of each row, by its number
	id, reading int64            // reading 0: these people had nothing
	clock       func() time.Time // the Registry's stands still
	rows, gone  int64            // of the file, and how many of them are gone
	faulty      int              // and how many have a fault
	unread      error            // of all who would come as active; nil where all columns that say so are understood
	taken       int64            // rows, in the order of takeRest
	order       int64            // the sum over these
}

// became is what happened to a row, in an octet: reports of large imports are long.
type became byte

const (
	becameNothing became = iota // not taken yet
	becameRefused
	becameAdded
	becamePending // added, and not mailed before they confirm
	becameChanged
	becameUnchanged
	becameSuppressed // by the state that the file says
	becameKeptOut    // and, by adding its gravity, the reason
)

func keptOutBy(reason string) became { return becameKeptOut + became(gravity(reason)) }

// words are what a report says; a refused row has its reason in its fault.
func (b became) words(state string) (outcome, reason string) {
	switch b {
	case becameNothing:
		return "", ""
	case becameRefused:
		return OutcomeRefused, ""
	case becameAdded:
		return OutcomeAdded, ""
	case becamePending:
		return OutcomeAdded, "pending: not mailed before they confirm"
	case becameChanged:
		return OutcomeChanged, ""
	case becameUnchanged:
		return OutcomeUnchanged, ""
	case becameSuppressed:
		return OutcomeSuppressed, state
	}
	return OutcomeKeptOut, goneWords(reasonsByGravity()[b-becameKeptOut])
}

// examine looks at all rows before anything is written: faults are those that keep the file from being imported, err is for a file
// that can't be read to its end.
func (im *importing) examine() (faults, err error) {
	if err := im.findUnread(); err != nil {
		return nil, err
	}
	var found faultKinds
	err = im.sheet.each(func(row row) error {
		im.rows++
		fault := im.fault(row)
		switch {
		case fault == nil && isGone(im.state(row)):
			im.gone++
		case fault != nil:
			im.faulty++
			found.add(row.line, fault.Error())
			im.report.NeedsBecause = im.report.NeedsBecause || errors.Is(fault, ErrBecause)
		}
		return nil
	})
	im.became = make([]became, im.rows)
	im.progress()
	if im.faulty == 0 || im.o.GoodRows && !im.report.NeedsBecause && im.unread == nil {
		return nil, err
	}
	faults = fmt.Errorf("%w: %s: %s", ErrImport, im.faults(), found.words())
	if im.report.NeedsBecause {
		faults = lacksReason{faults}
	}
	return faults, err
}

// faults counts the rows that have one, in words.
func (im *importing) faults() string {
	return ImportReport{Refused: im.faulty, Added: int(im.rows) - im.faulty}.Faults()
}

func (im *importing) progress() {
	if im.o.Progress != nil {
		im.o.Progress(im.taken, im.rows)
	}
}

// lacksReason is ErrBecause besides what it says.
type lacksReason struct{ error }

func (e lacksReason) Unwrap() []error { return []error{e.error, ErrBecause} }

// fault is why a row can't be taken; nil where it can. The consent that Export writes says how somebody came.
func (im *importing) fault(row row) error {
	switch {
	case row.fault != nil || !im.comesActive(row):
		return row.fault
	case im.unread != nil:
		return im.unread
	case im.o.Because == "" && row.consent == "":
		return fmt.Errorf("%w: the file says that people are %s, so say how they came here", ErrBecause, im.state(row))
	}
	return nil
}

// state is what the file says of a row's person, or of those of whom it says nothing.
func (im *importing) state(row row) string {
	return cmp.Or(row.state, string(im.o.As), rowPending)
}

// rehearse runs the import on a copy of the database, so that its report is true and nothing is changed.
func (im *importing) rehearse(ctx context.Context, db *store.DB, then bool) error {
	copied, closeCopy, err := db.Copy(ctx)
	if err != nil {
		return err
	}
	f := im.o.Then
	if !then {
		f = nil
	}
	return errors.Join(im.run(ctx, copied, f), closeCopy())
}

// tell reports the rows by line.
func (im *importing) tell() error {
	return im.sheet.each(func(row row) error {
		outcome, reason := im.became[row.number].words(im.state(row))
		if fault := im.fault(row); fault != nil {
			reason = fault.Error()
		}
		return im.o.Row(ImportRow{Line: row.line, Column: row.column, Email: row.email, Outcome: outcome, Reason: reason})
	})
}
