package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/spf13/cobra"

	"pressrun/newsletter/series"
)

// benchOptions are the flags of bench.
type benchOptions struct {
	subscribers, connections int
	latency                  time.Duration
	dkim, chunking           bool
}

func (a *app) benchCommand() *cobra.Command {
	var o benchOptions
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure the whole path, from the database to a mail server, in a throwaway folder",
		Long: `Makes a site in a folder that goes at the end, imports subscribers, fills an issue and sends it over SMTP to a mail server
of its own in another process, by the same code as serve: every message has its durable mark, synchronous is FULL. Then it compares what
that server took, by number and by hash, with the rows, and fails where they differ. Nothing leaves this machine.

What a machine can do at all is measured in the same run: a bare client that has its messages ready and keeps no record, filling by one
statement, signing alone. Rates of two runs compare badly; these ratios compare.`,
		Example: "  pressrun bench\n  pressrun bench --subscribers 100000 --json\n  pressrun bench --subscribers 5000 --latency 20ms",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case o.subscribers < 1 || o.subscribers > 10_000_000:
				return usagef(cmd, "--subscribers must be 1 to 10000000, not %d", o.subscribers)
			case o.connections < 1 || o.connections > 100:
				return usagef(cmd, "--connections must be 1 to 100, not %d", o.connections)
			case o.latency < 0 || o.latency > time.Minute:
				return usagef(cmd, "--latency must be 0 to 1m, not %s", o.latency)
			}
			return a.bench(cmd.Context(), o)
		},
	}
	cmd.Flags().IntVar(&o.subscribers, "subscribers", 10_000, "how many people get the issue")
	cmd.Flags().IntVar(&o.connections, "connections", 16, "connections to the mail server")
	cmd.Flags().DurationVar(&o.latency, "latency", 0, "the mail server is so far away, there and back")
	cmd.Flags().BoolVar(&o.chunking, "chunking", false, "the mail server offers BDAT")
	cmd.Flags().BoolVar(&o.dkim, "dkim", false, "sign each message with an RSA key of 2048 bits")
	a.jsonFlag(cmd)
	return cmd
}

// benchReport is what bench prints. Ratios are of this run; what wasn't measured is left out.
type benchReport struct {
	Messages      int64   `json:"messages"`
	Seconds       float64 `json:"seconds"`
	PerSecond     float64 `json:"messages_per_second"`
	CPU           float64 `json:"cpu_us_per_message"` // of this process alone
	PeakRSS       float64 `json:"peak_rss_mb"`        // from its start to the last message
	Commits       int64   `json:"commits"`
	Synchronous   string  `json:"synchronous"`
	BodyBytes     int64   `json:"body_bytes"` // of a message, header included, on the average
	Verified      bool    `json:"verified"`
	Connections   int     `json:"connections"`
	LatencyMS     float64 `json:"latency_ms"`
	Marks         int64   `json:"marks"`
	SinkMessages  int64   `json:"sink_messages"`
	FirstMS       float64 `json:"first_message_ms"` // from the worker's start
	ImportRows    float64 `json:"import_rows_per_second"`
	FillSeconds   float64 `json:"fill_seconds"`
	FillRows      float64 `json:"fill_rows_per_second"`
	FillLock      float64 `json:"fill_longest_lock_ms"`
	InsertSeconds float64 `json:"insert_seconds"` // the same rows by one statement
	FillRatio     float64 `json:"fill_ratio"`     // of fill_seconds to it
	BareRate      float64 `json:"bare_messages_per_second"`
	BareRatio     float64 `json:"bare_ratio"`
	BoundRate     float64 `json:"bound_messages_per_second,omitempty"` // one round trip a message
	BoundRatio    float64 `json:"bound_ratio,omitempty"`
	SigningRate   float64 `json:"signing_per_second,omitempty"` // of all cores
	SigningRatio  float64 `json:"signing_ratio,omitempty"`
	SigningCPU    float64 `json:"signing_cpu_us,omitempty"` // of one signature: the part of cpu_us_per_message that no signer saves
}

// errDisagree says that what was counted at two ends is not the same.
var errDisagree = errors.New("the counts don't agree, so this run proves nothing")

// bench is one run.
type bench struct {
	app     *app
	o       benchOptions
	dir     string
	site    *site
	sink    *benchSink
	issue   series.Issue
	took    took
	client  yardstick
	signing yardstick
	report  benchReport

	disagreement error // found by verify; told after the report
	closers      []func() error
}

func (a *app) bench(ctx context.Context, o benchOptions) (err error) {
	b := &bench{app: a, o: o}
	b.report.Connections, b.report.LatencyMS = o.connections, ms(o.latency)
	defer func() { err = errors.Join(err, b.Close()) }()
	for _, step := range []func(context.Context) error{
		b.start, b.populate, b.open, b.measureClient, b.measureSigning, b.fill, b.send, b.measureClient, b.measureSigning,
		b.verify, b.measureInsert, b.compare,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return errors.Join(a.print(rounded(b.report), b.report.print), b.disagreement)
}

// Close ends what runs and removes what was made. Safe to call twice.
func (b *bench) Close() error {
	var errs []error
	for i := len(b.closers) - 1; i >= 0; i-- {
		errs = append(errs, b.closers[i]())
	}
	b.closers = nil
	return errors.Join(errs...)
}

// later has Close call f.
func (b *bench) later(f func() error) { b.closers = append(b.closers, f) }

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func (r benchReport) print(w io.Writer) {
	line := func(what, format string, args ...any) { fmt.Fprintf(w, what+"\t"+format+"\n", args...) }
	verified := "yes: messages, marks, the server's count and the sum of hashes agree"
	if !r.Verified {
		verified = "NO"
	}
	line("messages", "%d of %d octets over %d connections", r.Messages, r.BodyBytes, r.Connections)
	line("time", "%.2f s, %.0f messages a second", r.Seconds, r.PerSecond)
	line("bare client", "%.0f messages a second: we reach %.0f %%", r.BareRate, 100*r.BareRatio)
	if r.BoundRate > 0 {
		line("one round trip each", "%.0f messages a second at %.0f ms: we reach %.0f %%", r.BoundRate, r.LatencyMS, 100*r.BoundRatio)
	}
	if r.SigningRate > 0 {
		line("signing alone", "%.0f a second on all cores, %.0f µs of CPU each: we reach %.0f %%", r.SigningRate, r.SigningCPU, 100*r.SigningRatio)
	}
	line("CPU of this process", "%.1f µs a message", r.CPU)
	line("peak memory", "%.1f MB", r.PeakRSS)
	line("start to first message", "%.0f ms", r.FirstMS)
	line("import", "%.0f people a second", r.ImportRows)
	line("fill", "%.2f s, %.0f rows a second, longest lock %.0f ms", r.FillSeconds, r.FillRows, r.FillLock)
	line("one INSERT … SELECT", "%.2f s: the fill takes %.1f times that", r.InsertSeconds, r.FillRatio)
	line("marks, commits", "%d, %d (synchronous %s)", r.Marks, r.Commits, r.Synchronous)
	line("the server took", "%d", r.SinkMessages)
	line("verified", "%s", verified)
}

// rounded has no more digits than were measured.
func rounded(r benchReport) benchReport {
	for _, x := range []*float64{
		&r.Seconds, &r.PerSecond, &r.CPU, &r.PeakRSS, &r.LatencyMS, &r.FirstMS, &r.ImportRows, &r.FillSeconds, &r.FillRows, &r.FillLock,
		&r.InsertSeconds, &r.FillRatio, &r.BareRate, &r.BareRatio, &r.BoundRate, &r.BoundRatio, &r.SigningRate, &r.SigningRatio, &r.SigningCPU,
	} {
		*x = math.Round(*x*1000) / 1000
	}
	return r
}
