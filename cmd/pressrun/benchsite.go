package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

const (
	benchSeries = "bench"
	benchDomain = "bench.example"
	benchCopy   = "before-fill.db"
	// benchPeople is how many are imported at once.
	benchPeople = 100_000
)

// start makes the site, its series and its article.
func (b *bench) start(ctx context.Context) error {
	var err error
	if b.dir, err = os.MkdirTemp("", "pressrun-bench-"); err != nil {
		return fmt.Errorf("make the bench's folder: %w", err)
	}
	b.later(func() error { return os.RemoveAll(b.dir) })
	if _, err := b.app.initSite(ctx, b.dir, "owner@"+benchDomain); err != nil {
		return err
	}
	if b.o.dkim {
		if _, _, err := dkimFolder(filepath.Join(b.dir, "dkim")).add(benchDomain, false, time.Now()); err != nil {
			return err
		}
	}
	s, err := b.openSite(ctx)
	if err != nil {
		return err
	}
	at := s.now().Truncate(time.Minute)
	err = s.db.InTx(ctx, func(tx *store.Tx) error {
		change, err := benchChange(s.cfg, at)
		if err != nil {
			return err
		}
		added, err := series.Add(ctx, tx, benchSeries, change, at.Add(-time.Second)) // the slot of this minute is the first
		if err != nil {
			return err
		}
		article := series.Incoming{Slug: benchSeries, Text: series.Text{Title: "Seven habits for calmer skin", Subject: "{{name|Dear reader}}, seven habits", Markdown: benchArticle()}}
		_, err = series.ImportArticles(ctx, tx, added.ID, []series.Incoming{article}, series.ImportOptions{Ready: true}, at.Add(-time.Second))
		return err
	})
	return errors.Join(err, s.Close())
}

func benchChange(cfg Config, at time.Time) (series.Change, error) {
	change, err := demoChange(cfg, at, "Please note: nothing in this letter replaces the advice of a doctor.")
	title, name, email := "Bench", "Pressrun bench", "letters@"+benchDomain
	change.Title, change.FromName, change.FromEmail = &title, &name, &email
	return change, err
}

// benchArticle makes messages of about 11 KB.
func benchArticle() string {
	const paragraph = "Water the skin as you would a plant: a little, and often — never all at once. What helps on Monday may be too much on Friday, " +
		"so look twice before you change a habit that has served you well."
	return "Dear {{name|reader}},\n\n" + paragraph + "\n"
}

// openSite wires the site as serve does.
func (b *bench) openSite(ctx context.Context) (*site, error) {
	cfg, err := loadConfig(filepath.Join(b.dir, "pressrun.toml"), nil)
	if err != nil {
		return nil, err
	}
	key, err := readKey(cfg.KeyFile)
	if err != nil {
		return nil, err
	}
	cfg.BaseURL = &url.URL{Scheme: "http", Host: "127.0.0.1:8080"}
	cfg.Relay = RelayConfig{Host: "127.0.0.1", Port: trialPort, TLS: "none", Connections: b.o.connections, Helo: "bench.example"}
	if b.sink != nil {
		if cfg.Relay.Host, cfg.Relay.Port, err = splitAddr(b.sink.addr); err != nil {
			return nil, err
		}
	}
	return openSite(ctx, cfg, key, b.app.now, b.app.logTo(slog.LevelWarn))
}

// populate imports the subscribers, by the command for that, whose memory is none of ours.
func (b *bench) populate(ctx context.Context) error {
	progress := newBar(b.app.err, "Importing")
	defer progress.clear()
	began := time.Now()
	for done := 0; done < b.o.subscribers; {
		progress.show(int64(done), int64(b.o.subscribers))
		n := min(benchPeople, b.o.subscribers-done)
		if err := b.importPeople(ctx, done, n); err != nil {
			return err
		}
		done += n
	}
	b.report.ImportRows = float64(b.o.subscribers) / time.Since(began).Seconds()
	return store.CopyFile(ctx, filepath.Join(b.dir, "pressrun.db"), filepath.Join(b.dir, benchCopy))
}

func (b *bench) importPeople(ctx context.Context, from, n int) error {
	file := filepath.Join(b.dir, "people.csv")
	if err := writePeople(file, from, n); err != nil {
		return err
	}
	cmd, err := b.command(ctx, "subscriber", "import", benchSeries, file, "--as", "active", "--because", "people of the bench",
		"--config", filepath.Join(b.dir, "pressrun.toml"))
	if err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); ctx.Err() != nil {
		return ctx.Err()
	} else if err != nil {
		return fmt.Errorf("import people: %w: %s", err, oneLine(string(out)))
	}
	return os.Remove(file)
}

// benchNames are in the scripts that people's names are in.
var benchNames = []string{"Ada Quill", "Søren Dahl", "Юрий Щербаков", "محمد علي", "श्रीकृष्ण", "歐陽修", "Emre Yıldız", ""}

// benchHosts are the providers' shares of a list, more or less.
var benchHosts = []string{"gmail.example", "gmail.example", "outlook.example", "yahoo.example", "icloud.example", "post.example.org"}

func writePeople(file string, from, n int) (err error) {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write people: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, "email,name") // errors come with the flush
	for i := from; i < from+n; i++ {
		fmt.Fprintf(w, "reader%d@%s,%s\n", i, benchHosts[i%len(benchHosts)], benchNames[i%len(benchNames)])
	}
	return w.Flush()
}

// command calls this program again, free of what the environment says about another site.
func (b *bench) command(ctx context.Context, args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "PRESSRUN_") })
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	return cmd, nil
}

// open starts the mail server and opens the site that sends to it.
func (b *bench) open(ctx context.Context) (err error) {
	if b.sink, err = b.startSink(ctx); err != nil {
		return err
	}
	b.later(b.sink.Close)
	if b.site, err = b.openSite(ctx); err != nil {
		return err
	}
	b.later(b.site.Close)
	runtime.GC() // what opening left is nothing that sending needs
	return nil
}
