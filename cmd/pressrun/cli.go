package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"pressrun/newsletter/fetch"
)

// app is one call of the program: its streams, its flags, its clock.
type app struct {
	in       io.Reader
	out, err io.Writer
	now      func() time.Time
	config   string // path of pressrun.toml
	json     bool
	yes      bool
	watch    bool
	stays    bool                       // serve
	permit   func(netip.AddrPort) error // where files may be fetched from; fetch.Public but in tests
}

// usageError is a call that can't be understood: exit code 2.
type usageError struct {
	err   error
	cmd   *cobra.Command // whose usage line is shown; nil: the program's
	whole bool           // err says what to do: no usage line
}

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// usagef makes a usage error: for values of flags and arguments that can't be used.
func usagef(cmd *cobra.Command, format string, args ...any) error {
	return usageError{err: fmt.Errorf(format, args...), cmd: cmd}
}

// run is the program: it reads args and does what they say.
func run(ctx context.Context, args []string, in io.Reader, out, err io.Writer) error {
	a := &app{in: in, out: out, err: err, now: time.Now, permit: fetch.Public}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(err)
	return root.ExecuteContext(ctx)
}

// exitCode says what went wrong and returns 0 done, 1 failed, 2 wrong usage.
func exitCode(err error, w io.Writer) int {
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage) && usage.whole:
		fmt.Fprintf(w, "pressrun: %v\n", err)
		return 2
	case errors.As(err, &usage):
		line, more := "pressrun COMMAND [flags]", "pressrun --help"
		if usage.cmd != nil {
			line, more = usage.cmd.UseLine(), usage.cmd.CommandPath()+" --help"
		}
		fmt.Fprintf(w, "pressrun: %v\nusage: %s\nMore: %s\n", err, line, more)
		return 2
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(w, "pressrun: stopped")
		return 1
	}
	fmt.Fprintf(w, "pressrun: %v\n", explain(err))
	return 1
}

func (a *app) root() *cobra.Command {
	root := group(&cobra.Command{
		Use:   "pressrun",
		Short: "A series of articles, as an email newsletter that runs itself",
		Example: `  pressrun demo                  the whole job in ten seconds, nothing installed
  pressrun init && pressrun serve`,
		SilenceErrors: true,
		SilenceUsage:  true,
	},
		a.demoCommand(), a.initCommand(), a.serveCommand(), a.runDueCommand(), a.planCommand(), a.checkCommand(), a.goLiveCommand(),
		a.seriesCommand(), a.articleCommand(), a.syncCommand(), a.previewCommand(), a.issueCommand(), a.subscriberCommand(), a.userCommand(),
		a.dkimCommand(), a.keyCommand(), a.backupCommand(), a.restoreCommand(), a.migrateCommand(), a.benchCommand(), a.benchSinkCommand(), a.versionCommand(),
	)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usageError{err: flagFault(err), cmd: cmd} })
	file := os.Getenv("PRESSRUN_CONFIG")
	if file == "" {
		file = "pressrun.toml"
	}
	root.PersistentFlags().StringVar(&a.config, "config", file, "configuration file")
	root.CompletionOptions.HiddenDefaultCmd = false
	completion(root)
	return root
}

// completion makes cobra's command of that name one of ours: without a shell that it knows it is wrong usage.
func completion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() != "completion" {
			continue
		}
		group(cmd).Example = "  pressrun completion bash > ~/.local/share/bash-completion/completions/pressrun"
		for _, shell := range cmd.Commands() {
			shell.Example = "  pressrun completion " + shell.Name()
		}
	}
}

// flagFault says in words what a flag's value should have been.
func flagFault(err error) error {
	var invalid *pflag.InvalidValueError
	if !errors.As(err, &invalid) {
		return err
	}
	takes := ""
	switch kind := invalid.GetFlag().Value.Type(); {
	case errors.Is(err, strconv.ErrRange):
		return fmt.Errorf("--%s: %s is too large", invalid.GetFlag().Name, invalid.GetValue())
	case strings.HasPrefix(kind, "int"), strings.HasPrefix(kind, "uint"):
		takes = "a whole number"
	case strings.HasPrefix(kind, "float"):
		takes = "a number such as 2.5"
	case kind == "duration":
		takes = "a duration such as 20ms, 3s or 1m30s"
	case kind == "bool":
		takes = "true or false"
	default:
		return err
	}
	return fmt.Errorf("--%s takes %s, not %q", invalid.GetFlag().Name, takes, invalid.GetValue())
}

// group makes a command that only holds others: without one of them it is wrong usage.
func group(cmd *cobra.Command, subs ...*cobra.Command) *cobra.Command {
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usagef(cmd, "unknown command %q%s", strings.Join(append(strings.Fields(cmd.CommandPath())[1:], args[0]), " "), didYouMean(cmd, args[0]))
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return usagef(cmd, "say what to do; --help lists it") }
	cmd.AddCommand(subs...)
	return cmd
}

// didYouMean names the commands of a group that are written nearly so; empty where none is.
func didYouMean(group *cobra.Command, typed string) string {
	group.SuggestionsMinimumDistance = 2 // letters that differ
	names := group.SuggestionsFor(typed)
	if len(names) == 0 {
		return ""
	}
	return ": did you mean " + strings.Join(names, " or ") + "?"
}

// args wraps a check of positional arguments so that its fault is wrong usage, and one of cobra's own is said in words.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, given []string) error {
		err := check(cmd, given)
		if err == nil {
			return nil
		}
		if ours := (usageError{}); !errors.As(err, &ours) {
			_, takes, _ := strings.Cut(strings.TrimSuffix(cmd.Use, " [flags]"), " ")
			err = fmt.Errorf("%s takes %s, and %s given", cmd.CommandPath(), cmp.Or(takes, "no arguments"), countOf(int64(len(given)), "argument was", "arguments were"))
		}
		return usageError{err: err, cmd: cmd}
	}
}

// jsonFlag adds --json to a command that prints data.
func (a *app) jsonFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&a.json, "json", false, "print one JSON document")
}

// yesFlag adds --yes to a command that mails or deletes.
func (a *app) yesFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&a.yes, "yes", false, "don't ask")
}

// confirm asks before something is mailed or deleted. Without a terminal it wants --yes.
func (a *app) confirm(question string) error {
	if a.yes {
		return nil
	}
	in, ok := a.terminal()
	if !ok {
		return usageError{err: fmt.Errorf("%s Nothing was done: say --yes where nobody can answer", question), whole: true}
	}
	fmt.Fprintf(a.err, "%s [y/N] ", question)
	answer, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the answer: %w", err)
	}
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
		return errors.New("nothing was done")
	}
	return nil
}

// terminal is where somebody can answer; false where nobody can.
func (a *app) terminal() (*os.File, bool) {
	in, ok := a.in.(*os.File)
	return in, ok && term.IsTerminal(int(in.Fd()))
}

// print writes v as one JSON document with --json, and else what text writes into columns parted by tabs.
func (a *app) print(v any, text func(w io.Writer)) error {
	if a.json {
		enc := json.NewEncoder(a.out)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(v)
	}
	w := tabwriter.NewWriter(a.out, 0, 4, 2, ' ', 0)
	text(w)
	return w.Flush()
}

// countOf is a number with its noun.
func countOf(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// parseTime reads a time given on the command line: RFC 3339, or a local date with or without time in zone.
func parseTime(cmd *cobra.Command, s string, zone *time.Location) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usagef(cmd, "%q is no time: write 2027-03-30T09:00 or 2027-03-30T09:00:00+02:00", s)
}
