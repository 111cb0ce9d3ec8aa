package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"pressrun/newsletter"
	"pressrun/subscribers"
)

// A peoplePrinter prints the report of an import row by row, since it can be longer than the memory. People are told each fault once,
// behind the other rows.
type peoplePrinter struct {
	out     *bufio.Writer
	table   *tabwriter.Writer
	json    bool
	dryRun  bool
	rows    int
	columns []subscribers.ReadColumn
	faults  []refusal
	known   map[rowFault]int // where in faults it is
}

// rowFault is what refused rows can have in common.
type rowFault struct{ column, reason string }

// refusal is a fault, the first row that has it, and which lines do.
type refusal struct {
	first subscribers.ImportRow
	lines subscribers.LineList
}

// mostFaults are told apart: those of a file of many thousands, each of its own kind, are printed as they come.
const mostFaults = 1000

func newPeoplePrinter(a *app, dryRun bool) *peoplePrinter {
	out := bufio.NewWriter(a.out)
	return &peoplePrinter{out: out, table: tabwriter.NewWriter(out, 0, 4, 2, ' ', 0), json: a.json, dryRun: dryRun, known: map[rowFault]int{}}
}

// read takes how the columns are read, which a dry run tells before the rows.
func (p *peoplePrinter) read(columns []subscribers.ReadColumn) {
	if p.columns = columns; p.dryRun && !p.json {
		sayColumns(p.out, columns)
	}
}

// sayColumns says in a table how the columns of a file are read.
func sayColumns(w io.Writer, columns []subscribers.ReadColumn) {
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "COLUMN\tREAD AS")
	for _, c := range columns {
		fmt.Fprintf(table, "%s\t%s\n", oneLine(c.Column), c.As)
	}
	fmt.Fprintln(table)
	_ = table.Flush() // its end says what a broken pipe did
}

// row prints one row. Of an import that happened, people are told only of the rows that did not come in.
func (p *peoplePrinter) row(r subscribers.ImportRow) error {
	if p.json {
		return p.rowJSON(r)
	}
	if !p.dryRun && r.Outcome != subscribers.OutcomeKeptOut && r.Outcome != subscribers.OutcomeRefused {
		return nil
	}
	if r.Outcome == subscribers.OutcomeRefused && p.refused(r) {
		return nil
	}
	return p.line(strconv.Itoa(r.Line), r.Email, r)
}

// refused keeps a refused row for the end; it says no where too many kinds of faults are kept already.
func (p *peoplePrinter) refused(r subscribers.ImportRow) bool {
	of := rowFault{r.Column, r.Reason}
	i, known := p.known[of]
	if !known {
		if len(p.faults) == mostFaults {
			return false
		}
		i = len(p.faults)
		p.known[of] = i
		p.faults = append(p.faults, refusal{first: r})
	}
	p.faults[i].lines.Add(r.Line)
	return true
}

// line prints one row of the table.
func (p *peoplePrinter) line(lines, email string, r subscribers.ImportRow) error {
	if p.rows == 0 {
		fmt.Fprintln(p.table, "LINE\tEMAIL\tOUTCOME\tCOLUMN\tREASON")
	}
	p.rows++
	_, err := fmt.Fprintf(p.table, "%s\t%s\t%s\t%s\t%s\n", lines, cmp.Or(oneLine(email), "-"), r.Outcome, cmp.Or(oneLine(r.Column), "-"), cmp.Or(r.Reason, "-"))
	if p.rows%1000 == 0 { // the columns of so many are aligned
		err = errors.Join(err, p.table.Flush())
	}
	return err
}

// endTable prints each fault once, with the rows that have it.
func (p *peoplePrinter) endTable() error {
	for _, f := range p.faults {
		email := f.first.Email
		if f.lines.Count > 1 {
			email = fmt.Sprintf("%d rows", f.lines.Count)
		}
		if err := p.line(f.lines.String(), email, f.first); err != nil {
			return err
		}
	}
	return p.table.Flush()
}

func (p *peoplePrinter) rowJSON(r subscribers.ImportRow) error {
	text, err := indented(r, "    ")
	if err != nil {
		return err
	}
	before := ",\n    "
	if p.rows == 0 {
		before = "{\n  \"rows\": [\n    "
	}
	p.rows++
	_, err = p.out.WriteString(before + text)
	return err
}

// reportTail is what follows the rows in JSON.
type reportTail struct {
	Columns []subscribers.ReadColumn `json:"columns,omitempty"` // of the file, and how they are read
	subscribers.ImportReport
	LongestHold int64               `json:"longest_hold_ms"` // that the import kept others from writing
	Next        *newsletter.Planned `json:"next,omitempty"`  // what the next slot sends after it
}

// end prints what follows the rows. taken says whether the file could be imported.
func (p *peoplePrinter) end(report subscribers.ImportReport, next *newsletter.Planned, taken bool) error {
	if p.json {
		return p.endJSON(reportTail{p.columns, report, report.LongestHold.Milliseconds(), next})
	}
	if err := p.endTable(); err != nil {
		return err
	}
	sayCharset(p.out, report)
	outcome := inShort(report)
	switch {
	case report.Refused > 0 && !(taken && !p.dryRun):
		fmt.Fprintf(p.out, "Nothing was changed: %s a fault. Without that it would be: %s.\n", countOf(int64(report.Refused), "row has", "rows have"), outcome)
	case p.dryRun:
		fmt.Fprintf(p.out, "Nothing was changed. It would be: %s.\n", outcome)
	case report.Refused > 0:
		fmt.Fprintf(p.out, "%s; %s a fault and did not come in.\n", strings.ToUpper(outcome[:1])+outcome[1:], countOf(int64(report.Refused), "row has", "rows have"))
	default:
		fmt.Fprintf(p.out, "%s.\n", strings.ToUpper(outcome[:1])+outcome[1:])
	}
	sayPending(p.out, report)
	sayNext(p.out, next)
	return p.out.Flush()
}

func (p *peoplePrinter) endJSON(tail reportTail) error {
	text, err := indented(tail, "")
	if err != nil {
		return err
	}
	before := "\n  ],\n"
	if p.rows == 0 {
		before = "{\n  \"rows\": [],\n"
	}
	p.out.WriteString(before + strings.TrimPrefix(text, "{\n") + "\n")
	return p.out.Flush()
}

// indented is v as print writes it in JSON, at some depth of a document.
func indented(v any, prefix string) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent(prefix, "  ")
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// inShort counts what became of the rows.
func inShort(r subscribers.ImportReport) string {
	return fmt.Sprintf("added %d, changed %d, unchanged %d, suppressed %d, kept out %d", r.Added, r.Changed, r.Unchanged, r.Suppressed, r.KeptOut)
}

// sayCharset says what a file was read as that doesn't say it itself.
func sayCharset(w io.Writer, r subscribers.ImportReport) {
	if r.Charset != "" {
		fmt.Fprintf(w, "The file is not UTF-8 and was read as %s: look at its accents, or save it as “CSV UTF-8”.\n", r.Charset)
	}
}

// sayPending says how many were added whom nobody writes to, and what to do where they agreed elsewhere.
func sayPending(w io.Writer, r subscribers.ImportReport) {
	if r.Pending == 0 {
		return
	}
	fmt.Fprintf(w, "Added as pending: %d. Nobody writes to them before they confirm. If they agreed already, bring the same file with --as active --because TEXT:\n"+
		"whom it doesn't call pending itself, and doesn't say to have left, is active then.\n", r.Pending)
}

// mostNamed is how many of a drip slot's articles are named, those of the most readers.
const mostNamed = 5

// sayNext says what the next slot sends; nothing where none comes.
func sayNext(w io.Writer, next *newsletter.Planned) {
	switch {
	case next == nil:
	case next.Article == "":
		fmt.Fprintf(w, "The next slot, %s, sends nothing: %s\n", next.At.Format(slotFormat), next.Blocked)
	case next.Blocked != "":
		fmt.Fprintf(w, "The next slot, %s, is for %s; in its way: %s\n", next.At.Format(slotFormat), next.Article, next.Blocked)
	default:
		fmt.Fprintf(w, "The next slot, %s, sends %s.\n", next.At.Format(slotFormat), sendsOf(*next))
	}
}

// sendsOf is what a slot sends to how many.
func sendsOf(slot newsletter.Planned) string {
	articles := slot.Articles // in drip each with its own readers
	if len(articles) == 0 {
		articles = []newsletter.PlannedArticle{{Article: slot.Article, Readers: slot.Readers}}
	}
	var sends []string
	for _, a := range articles[:min(len(articles), mostNamed)] {
		sends = append(sends, fmt.Sprintf("%s to %s", a.Article, countOf(a.Readers, "reader", "readers")))
	}
	if more := len(articles) - mostNamed; more > 0 {
		sends = append(sends, countOf(int64(more), "more article", "more articles"))
	}
	return strings.Join(sends, ", ")
}
