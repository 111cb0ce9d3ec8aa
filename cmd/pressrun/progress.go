package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// A bar shows how far something is on a terminal; elsewhere it stays silent, and only its end is said.
type bar struct {
	w        io.Writer
	terminal bool
	what     string
}

func newBar(w io.Writer, what string) *bar {
	f, ok := w.(*os.File)
	return &bar{w: w, terminal: ok && term.IsTerminal(int(f.Fd())), what: what}
}

// show draws done of total, and words after it.
func (b *bar) show(done, total int64, words ...string) {
	if !b.terminal || total <= 0 {
		return
	}
	const width = 30
	full := int(width * min(done, total) / total)
	words = append([]string{fmt.Sprintf("%d of %d", done, total)}, words...)
	fmt.Fprintf(b.w, "\r%s %s%s %s\x1b[K", b.what, strings.Repeat("█", full), strings.Repeat("░", width-full), strings.Join(words, " · "))
}

// patience is how long something may take before its bar is worth a look.
const patience = time.Second

// patiently is show, for what is mostly over before anybody wonders.
func (b *bar) patiently(total int) func(done int) {
	show := b.patientlyOf()
	return func(done int) { show(done, total) }
}

// patientlyOf is patiently for a total that is known later.
func (b *bar) patientlyOf() func(done, total int) {
	began := time.Now()
	return func(done, total int) {
		if time.Since(began) > patience {
			b.show(int64(done), int64(total))
		}
	}
}

// clear takes the bar away.
func (b *bar) clear() {
	if b.terminal {
		fmt.Fprint(b.w, "\r\x1b[K")
	}
}

// end replaces the bar by a sentence.
func (b *bar) end(format string, args ...any) {
	b.clear()
	fmt.Fprintf(b.w, format+"\n", args...)
}
