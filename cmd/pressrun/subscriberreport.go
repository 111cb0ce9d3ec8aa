package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"pressrun/newsletter"
	"pressrun/subscribers"
)

// A peoplePrinter prints the report of an import row by row, since it can be longer than the memory.
type peoplePrinter struct {
	out    *bufio.Writer
	table  *tabwriter.Writer
	json   bool
	dryRun bool
	rows   int
}

func newPeoplePrinter(a *app, dryRun bool) *peoplePrinter {
	out := bufio.NewWriter(a.out)
	return &peoplePrinter{out: out, table: tabwriter.NewWriter(out, 0, 4, 2, ' ', 0), json: a.json, dryRun: dryRun}
}

// row prints one row. Of an import that happened, people are told only of the rows that did not come in.
func (p *peoplePrinter) row(r subscribers.ImportRow) error {
	if p.json {
		return p.rowJSON(r)
	}
	if !p.dryRun && r.Outcome != subscribers.OutcomeKeptOut && r.Outcome != subscribers.OutcomeRefused {
		return nil
	}
	if p.rows == 0 {
		fmt.Fprintln(p.table, "LINE\tEMAIL\tOUTCOME\tCOLUMN\tREASON")
	}
	p.rows++
	_, err := fmt.Fprintf(p.table, "%d\t%s\t%s\t%s\t%s\n", r.Line, cmp.Or(oneLine(r.Email), "-"), r.Outcome, cmp.Or(oneLine(r.Column), "-"), cmp.Or(r.Reason, "-"))
	if p.rows%1000 == 0 { // the columns of so many are aligned
		err = errors.Join(err, p.table.Flush())
	}
	return err
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
	subscribers.ImportReport
	LongestHold int64               `json:"longest_hold_ms"` // that the import kept others from writing
	Next        *newsletter.Planned `json:"next,omitempty"`  // what the next slot sends after it
}

// end prints what follows the rows. taken says whether the file could be imported.
func (p *peoplePrinter) end(report subscribers.ImportReport, next *newsletter.Planned, taken bool) error {
	if p.json {
		return p.endJSON(reportTail{report, report.LongestHold.Milliseconds(), next})
	}
	if err := p.table.Flush(); err != nil {
		return err
	}
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

// sayNext says what the next slot sends; nothing where none comes.
func sayNext(w io.Writer, next *newsletter.Planned) {
	switch {
	case next == nil:
	case next.Article == "":
		fmt.Fprintf(w, "The next slot, %s, sends nothing: %s\n", next.At.Format(slotFormat), next.Blocked)
	default:
		fmt.Fprintf(w, "The next slot, %s, sends %s to %s.\n", next.At.Format(slotFormat), next.Article, countOf(next.Readers, "reader", "readers"))
	}
}
