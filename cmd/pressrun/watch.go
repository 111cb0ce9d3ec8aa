package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"pressrun/newsletter"
	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
)

const (
	watchEvery  = time.Second
	meterWindow = 10 * time.Second // that a rate looks back
)

const watchHelp = `With --watch it shows live how the issue goes on: what is sent, waits and failed,
the rate of the last ten seconds and the time that is left; with --watch --json one JSON object a line and second.`

// watchFlag adds --watch to a command that shows an issue.
func (a *app) watchFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&a.watch, "watch", false, "show live how it goes on, until it is through")
}

// meter measures how fast a count grows.
type meter struct{ samples []sample }

type sample struct {
	at   time.Time
	done int64
}

// rate notes the count and returns how many a second it grew by in the last ten seconds; 0 where that is not known yet.
func (m *meter) rate(at time.Time, done int64) float64 {
	m.samples = append(m.samples, sample{at, done})
	for len(m.samples) > 2 && at.Sub(m.samples[1].at) >= meterWindow {
		m.samples = m.samples[1:]
	}
	first := m.samples[0]
	seconds := at.Sub(first.at).Seconds()
	if seconds <= 0 {
		return 0
	}
	return max(0, float64(done-first.done)/seconds)
}

// left is how long the remaining ones take at a rate; 0: not known.
func left(remaining int64, rate float64) time.Duration {
	if rate <= 0 {
		return 0
	}
	return time.Duration(float64(remaining) / rate * float64(time.Second))
}

// progressWords are rate and time left, as far as they are known.
func progressWords(remaining int64, rate float64) (words []string) {
	switch {
	case rate >= 10:
		words = append(words, fmt.Sprintf("%.0f/s", rate))
	case rate > 0:
		words = append(words, fmt.Sprintf("%.1f/s", rate))
	}
	if d := left(remaining, rate); remaining > 0 && d > 0 {
		words = append(words, d.Round(time.Second).String()+" left")
	}
	return words
}

// watchLine is an issue at one moment: one JSON object a line with --watch --json.
type watchLine struct {
	issueLine
	At          string  `json:"at"`                     // RFC 3339, UTC
	Rate        float64 `json:"rate"`                   // deliveries that ended a second, over the last ten seconds
	SecondsLeft float64 `json:"seconds_left,omitempty"` // of the remaining ones at this rate; missing where that is not known
}

// watch looks at the issues of a name once a second until none of them changes any more, or ctx ends. On a terminal it
// redraws one line; elsewhere it prints a line for each change.
type watch struct {
	out    io.Writer
	json   bool
	issues func(ctx context.Context, name string) ([]newsletter.Status, error)
	meters map[string]*meter
	last   string
}

func (a *app) watchOf(s *site) *watch {
	return &watch{out: a.out, json: a.json, issues: s.publisher.IssuesNamed, meters: map[string]*meter{}}
}

func (w *watch) run(ctx context.Context, name string) error {
	defer w.end()
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		all, err := w.look(context.WithoutCancel(ctx), name)
		if err != nil || ctx.Err() != nil || !slices.ContainsFunc(all, moves) {
			return err
		}
		select {
		case <-ctx.Done(): // one last look
		case <-tick.C:
		}
	}
}

// look prints how the issues are.
func (w *watch) look(ctx context.Context, name string) ([]newsletter.Status, error) {
	all, err := w.issues(ctx, name)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	if !w.json {
		w.draw(name, all, now)
		return all, nil
	}
	for _, st := range all {
		st.Planned = nil // no forecast, which would look at all readers, each second
		line := watchLine{issueLine: lineOf(st), At: now.UTC().Format(time.RFC3339)}
		line.Rate = w.meter(st.Issue.Name).rate(now, st.Counts.Total()-st.Counts.Open())
		if st.Issue.State == series.IssueSending {
			line.SecondsLeft = left(line.Remaining, line.Rate).Seconds()
		}
		if err := jsonLine(w.out, line); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// jsonLine writes v as one line.
func jsonLine(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

func (w *watch) meter(name string) *meter {
	if w.meters[name] == nil {
		w.meters[name] = &meter{}
	}
	return w.meters[name]
}

// moves says whether an issue may yet change by itself or by somebody's command. A welcome that everybody has changes only when
// somebody else comes.
func moves(st newsletter.Status) bool {
	if st.Issue.Kind == "welcome" && st.Counts.Open() == 0 {
		return false
	}
	switch st.Issue.State {
	case series.IssuePlanned, series.IssueFilling, series.IssueSending, series.IssuePaused, series.IssueHeld:
		return true
	}
	return false
}

// draw writes all issues of the name as one line.
func (w *watch) draw(name string, all []newsletter.Status, now time.Time) {
	var c outbox.Counts
	var states []string
	for _, st := range all {
		c = sum(c, st.Counts)
		if state := lineOf(st).said(); !slices.Contains(states, state) {
			states = append(states, state)
		}
	}
	words := []string{name, strings.Join(states, ", "), fmt.Sprintf("%d of %d", c.Total()-c.Open(), c.Total())}
	rate := w.meter(name).rate(now, c.Total()-c.Open())
	if slices.Contains(states, string(series.IssueSending)) {
		words = append(words, progressWords(c.Open(), rate)...)
	}
	for _, x := range []struct {
		n    int64
		word string
	}{ // what asks for a decision first: a narrow terminal shows no more
		{c.Uncertain, "uncertain"},
		{c.Failed, "failed"},
		{c.Skipped, "skipped"},
		{c.Sent, "sent"},
		{c.Inflight, "in flight"},
		{c.Claimed, "claimed"},
		{c.Pending, "pending"},
	} {
		if x.n > 0 {
			words = append(words, fmt.Sprintf("%d %s", x.n, x.word))
		}
	}
	line := strings.Join(words, " · ")
	if width := terminalWidth(w.out); width > 0 {
		if runes := []rune(line); len(runes) >= width {
			line = string(runes[:width-1])
		}
		fmt.Fprint(w.out, "\r\x1b[K"+line)
	} else if line != w.last {
		fmt.Fprintln(w.out, line)
	}
	w.last = line
}

// end leaves the last line where it is.
func (w *watch) end() {
	if !w.json && terminalWidth(w.out) > 0 {
		fmt.Fprintln(w.out)
	}
}

func sum(a, b outbox.Counts) outbox.Counts {
	return outbox.Counts{
		Pending: a.Pending + b.Pending, Claimed: a.Claimed + b.Claimed, Inflight: a.Inflight + b.Inflight, Sent: a.Sent + b.Sent,
		Failed: a.Failed + b.Failed, Skipped: a.Skipped + b.Skipped, Uncertain: a.Uncertain + b.Uncertain,
		Bounced: a.Bounced + b.Bounced, Complained: a.Complained + b.Complained,
	}
}

// terminalWidth is 0 where w is no terminal.
func terminalWidth(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width < 20 {
		return 80
	}
	return width
}

// deliverWatched delivers what can be sent now and shows meanwhile how the issues of a name go on. Where another process
// delivers, it says so, looks on until they are through, and tells what that one has done.
func (a *app) deliverWatched(ctx context.Context, s *site, name string) (delivery, error) {
	if err := s.alone(); errors.Is(err, outbox.ErrRunning) {
		fmt.Fprintln(a.err, "A running pressrun sends from this database. This is how it goes on; Ctrl-C ends the looking, not the sending.")
	}
	watching, enough := context.WithCancel(ctx)
	defer enough()
	ended := make(chan error, 1)
	w := a.watchOf(s)
	w.issues = s.publisher.IssuesWith
	go func() { ended <- w.run(watching, name) }()
	d, err := s.deliver(ctx, io.Discard)
	if err != nil || !d.Elsewhere {
		enough()
		return d, errors.Join(err, <-ended)
	}
	if err := <-ended; err != nil {
		return d, err
	}
	ctx = context.WithoutCancel(ctx)
	all, err := w.issues(ctx, name)
	d.followed = &outbox.Counts{}
	for _, st := range all {
		*d.followed = sum(*d.followed, st.Counts)
	}
	if err == nil {
		d.Unsettled, err = outbox.AllUnsettled(ctx, s.db)
	}
	return d, err
}
