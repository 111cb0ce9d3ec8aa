package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"pressrun/newsletter/importer"
	"pressrun/newsletter/mailer/catcher"
	"pressrun/newsletter/outbox"
)

//go:embed samples
var samples embed.FS

// demoOptions are the flags of demo.
type demoOptions struct {
	paths      []string
	weeks      int
	once       bool
	mail, keep string
}

func (a *app) demoCommand() *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo [PATH...]",
		Short: "The whole job with nothing installed: your articles, sent to a built-in mail catcher",
		Long: `Reads the given articles (files, folders, zips, a feed or an export, as ` + "`pressrun article import`" + ` does; the sample series when
none), shows how it ordered them and which disclaimer it found, opens a throwaway database with sample subscribers, and sends the first issue over SMTP to a built-in mail
catcher, by the same code as serve. Nothing leaves this machine. Ctrl-C removes everything.`,
		Example: "  pressrun demo\n  pressrun demo articles/ --weeks 3\n  pressrun demo --once --mail caught/",
		RunE: func(cmd *cobra.Command, paths []string) error {
			o.paths = paths
			if o.weeks < 1 {
				return usagef(cmd, "--weeks must be 1 or more, not %d", o.weeks)
			}
			return a.demo(cmd.Context(), o)
		},
	}
	cmd.Flags().IntVar(&o.weeks, "weeks", 1, "play so many weeks at once")
	cmd.Flags().BoolVar(&o.once, "once", false, "end after sending and print what happened")
	cmd.Flags().StringVar(&o.mail, "mail", "", "also write each mail as NNN-address.eml into this folder")
	cmd.Flags().StringVar(&o.keep, "keep", "", "keep the data in this folder, as a site of its own")
	return cmd
}

// demo plays the newsletter's weeks against the catcher, then shows it in the browser until ctx ends.
func (a *app) demo(ctx context.Context, o demoOptions) (err error) {
	found, err := demoArticles(o.paths)
	if err != nil {
		return err
	}
	printFound(a.out, found)
	d, err := a.startDemo(ctx, o, found)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	for range o.weeks {
		if err := d.week(ctx); err != nil {
			return err
		}
	}
	if o.once {
		return d.report()
	}
	return d.serve(ctx)
}

func demoArticles(paths []string) (importer.Found, error) {
	if len(paths) == 0 {
		return importer.ReadFS(samples, "samples")
	}
	return importer.Read(paths...)
}

// demo is a running demonstration: a site of its own on a clock of its own.
type demo struct {
	app      *app
	site     *site
	catcher  *catcher.Catcher
	worker   *outbox.Worker
	listener net.Listener
	ahead    atomic.Int64 // how far its clock is ahead of the real one (negative: behind), in ns
	playing  sync.Mutex   // one week at a time, however often the button is pressed
	weeks    int          // played so far
	closers  []func() error
}

func (a *app) startDemo(ctx context.Context, o demoOptions, found importer.Found) (_ *demo, err error) {
	d := &demo{app: a}
	// The weeks played at once end today, so that no mail comes from the future.
	d.ahead.Store(int64(a.now().AddDate(0, 0, -7*(o.weeks-1)).Sub(a.now())))
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	dir, err := d.folder(o.keep)
	if err != nil {
		return nil, err
	}
	if d.catcher, err = catcher.Start(o.mail, trialPort); err != nil {
		return nil, err
	}
	d.closers = append(d.closers, d.catcher.Close)
	if d.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("listen for the demo's pages: %w", err)
	}
	d.closers = append(d.closers, d.listener.Close)
	if err := d.open(ctx, dir); err != nil {
		return nil, err
	}
	if err := d.fill(ctx, found); err != nil {
		return nil, err
	}
	var stop func() error
	if d.worker, stop, err = d.site.startWorker(ctx); err != nil {
		return nil, err
	}
	d.closers = append(d.closers, stop)
	return d, nil
}

// folder is where the demo's data lives: a temporary folder that goes at the end, or the one to keep.
func (d *demo) folder(keep string) (string, error) {
	if keep != "" {
		if _, err := d.app.initSite(context.Background(), keep, demoOwner); err != nil {
			return "", err
		}
		return keep, nil
	}
	if err := sweepDemos(d.app.now()); err != nil {
		fmt.Fprintf(d.app.err, "note: what killed demos left could not be removed, and stays: %v\n", err)
	}
	dir, err := os.MkdirTemp("", demoFolder)
	if err != nil {
		return "", fmt.Errorf("make the demo's folder: %w", err)
	}
	d.closers = append(d.closers, func() error { return os.RemoveAll(dir) })
	_, err = d.app.initSite(context.Background(), dir, demoOwner)
	return dir, err
}

// demoFolder begins the names of folders that demos live in.
const demoFolder = "pressrun-demo-"

// sweepDemos removes what demos left that were killed: folders of ours from whose database nobody sends. Young ones stay, since a
// demo that starts has no worker yet.
func sweepDemos(now time.Time) (err error) {
	const young = 10 * time.Minute
	found, err := filepath.Glob(filepath.Join(os.TempDir(), demoFolder+"*"))
	if err != nil {
		return fmt.Errorf("look for old demos: %w", err)
	}
	for _, dir := range found {
		info, gone := os.Lstat(dir)
		if gone != nil || !info.IsDir() || now.Sub(info.ModTime()) < young {
			continue
		}
		if owner, ok := info.Sys().(*syscall.Stat_t); !ok || int(owner.Uid) != os.Geteuid() {
			continue
		}
		lock, running := outbox.TryLock(filepath.Join(dir, "pressrun.db"))
		if running != nil {
			continue
		}
		err = errors.Join(err, os.RemoveAll(dir), lock.Close())
	}
	return err
}

const demoOwner = "owner@harbour-clinic.example"

// open wires the site as serve does, with the catcher as its relay.
func (d *demo) open(ctx context.Context, dir string) error {
	cfg, err := loadConfig(filepath.Join(dir, "pressrun.toml"), nil)
	if err != nil {
		return err
	}
	key, err := readKey(cfg.KeyFile)
	if err != nil {
		return err
	}
	host, port, err := splitAddr(d.catcher.Addr())
	if err != nil {
		return fmt.Errorf("mail catcher: %w", err)
	}
	cfg.SiteName, cfg.BackupDir = "Harbour Clinic", ""
	cfg.PostalAddress = demoAddress
	cfg.BaseURL = &url.URL{Scheme: "http", Host: d.listener.Addr().String()}
	cfg.Relay = RelayConfig{Host: host, Port: port, TLS: "none", Connections: 4, Helo: "news.harbour-clinic.example"}
	d.site, err = openSite(ctx, cfg, key, d.now, d.app.logTo(slog.LevelWarn))
	if err != nil {
		return err
	}
	d.closers = append(d.closers, d.site.Close)
	return nil
}

func splitAddr(addr string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	port, err = strconv.Atoi(text)
	return host, port, err
}

// now is the demo's clock: weeks pass at the press of a button.
func (d *demo) now() time.Time { return d.app.now().Add(time.Duration(d.ahead.Load())) }

// week plays the next slot: the first one is due at the start, each later one after its clock was put forward.
func (d *demo) week(ctx context.Context) error {
	d.playing.Lock()
	defer d.playing.Unlock()
	planned, err := d.site.publisher.Plan(ctx, demoSeries, 1, time.Time{})
	if err != nil {
		return err
	}
	if d.weeks > 0 && len(planned) > 0 {
		if wait := planned[0].At.Sub(d.now()); wait > 0 {
			d.ahead.Add(int64(wait))
		}
	}
	d.weeks++
	happened, err := d.site.publisher.RunDue(ctx)
	if err != nil {
		return err
	}
	for _, h := range happened {
		if len(h.Issues) == 0 {
			fmt.Fprintf(d.app.err, "Week %d, slot %s: %s: %s\n", d.weeks, h.Slot, h.State, h.Reason)
		}
		for _, name := range h.Issues {
			if err := d.watch(ctx, name); err != nil {
				return err
			}
		}
	}
	return d.site.publisher.Finish(ctx)
}

// watch shows an issue leaving until nothing of it can be sent now.
func (d *demo) watch(ctx context.Context, name string) error {
	b := newBar(d.app.err, "Sending")
	drained := make(chan error, 1)
	go func() { drained <- d.worker.Drain(ctx) }()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-drained:
			if err != nil {
				return err
			}
			st, err := d.site.publisher.Issue(ctx, name)
			if err != nil {
				return err
			}
			b.end("Week %d: “%s” sent to %s (issue %s)", d.weeks, st.Issue.Subject, countOf(st.Counts.Sent, "subscriber", "subscribers"), name)
			return nil
		case <-tick.C:
			st, err := d.site.publisher.Issue(ctx, name)
			if err != nil {
				return err
			}
			b.show(st.Counts.Total()-st.Counts.Open(), st.Counts.Total())
		}
	}
}

// serve shows desk and inbox until ctx ends.
func (d *demo) serve(ctx context.Context) error {
	inbox := d.catcher.Inbox(inboxPath, "/desk/")
	f, err := d.site.faces(pages{trouble: d.site.hindrance, nextWeek: d.week, inbox: inbox})
	if err != nil {
		return err
	}
	f.Handler = onlyHere(f.Handler)
	link, err := ownerLink(ctx, d.site.db, demoOwner, d.now())
	if err != nil {
		return err
	}
	fmt.Fprintf(d.app.out, `
Inbox: %s
       every mail as its reader sees it; its unsubscribe link works
Desk:  %s
       signs you in once; “next week” is a button there
SMTP:  %s
       takes the mail of a site of your own too, to show it in the inbox%s

Ctrl-C ends the demo and removes everything.
`, d.site.absoluteURL(inboxPath+"/"), d.site.cfg.BaseURL.String()+link, d.catcher.Addr(), d.otherPort())
	return d.site.run(ctx, f, d.listener)
}

// onlyHere answers requests alone whose Host is an address or localhost. A site elsewhere may have its name lead here once its page is in
// a browser (DNS rebinding): to that browser demo's pages would be its own, inbox and login links among them.
func onlyHere(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := strings.ToLower(strings.TrimSuffix((&url.URL{Host: r.Host}).Hostname(), "."))
		if net.ParseIP(host) == nil && host != "localhost" && !strings.HasSuffix(host, ".localhost") {
			http.Error(w, "The demo answers at localhost, or at an address such as 127.0.0.1, alone. Nothing was done.", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// otherPort says that the port was taken which a new site's configuration names; empty where it was not.
func (d *demo) otherPort() string {
	port := d.site.cfg.Relay.Port
	if port == trialPort {
		return ""
	}
	return fmt.Sprintf("\n       port %d was taken, by another demo perhaps: for this one such a site needs port = %d in [relay]", trialPort, port)
}

// report says what happened, for --once.
func (d *demo) report() error {
	all, err := d.site.publisher.IssueList(context.Background(), demoSeries, 0)
	if err != nil {
		return err
	}
	fmt.Fprintf(d.app.out, "The mail catcher took %s over SMTP:\n", countOf(int64(len(d.catcher.Mails())), "mail", "mails"))
	for i := len(all) - 1; i >= 0; i-- {
		c := all[i].Counts
		fmt.Fprintf(d.app.out, "  %s  “%s”  sent %d, failed %d, uncertain %d\n", all[i].Issue.Name, all[i].Issue.Subject, c.Sent, c.Failed, c.Uncertain)
	}
	return nil
}

// Close ends what runs and removes what was made, in the opposite order. Safe to call twice.
func (d *demo) Close() error {
	var errs []error
	for i := len(d.closers) - 1; i >= 0; i-- {
		if err := d.closers[i](); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	d.closers = nil
	return errors.Join(errs...)
}
