package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"github.com/spf13/cobra"

	"pressrun/newsletter/web/desk"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

//go:embed pressrun.toml.tmpl
var configTemplate string

func (a *app) initCommand() *cobra.Command {
	var owner string
	cmd := &cobra.Command{
		Use:   "init [DIR]",
		Short: "Make a new site: configuration, key and database",
		Long: `Writes pressrun.toml, pressrun.key and the database into DIR (default: this folder) and prints the owner's
login link for the desk. Files that exist are never replaced.`,
		Example: "  pressrun init clinic\n  cd clinic && pressrun serve",
		Args:    args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, given []string) error {
			dir := "."
			if len(given) == 1 {
				dir = given[0]
			}
			link, err := a.initSite(cmd.Context(), dir, owner)
			if err != nil {
				return err
			}
			where := dir
			if dir == "." {
				where = "this folder"
			}
			_, err = fmt.Fprintf(a.out, `Made pressrun.toml, pressrun.key and pressrun.db in %s.
Keep pressrun.key safe and apart from the database: every link in every mail depends on it.

Next:  pressrun series add SERIES …   a series with its sender, schedule and disclaimer (--help shows one)
       pressrun serve                 then open the desk, by this link, good for one hour and one sign-in:

%s
`, where, link)
			return err
		},
	}
	cmd.Flags().StringVar(&owner, "owner", "owner@site.invalid", "the owner's mail address, for login links by mail")
	return cmd
}

// siteFiles are what init makes in a folder.
var siteFiles = []string{"pressrun.toml", "pressrun.key", "pressrun.db", "pressrun.db" + subscribers.JournalSuffix}

// initSite makes a new site. What exists already stops it before anything is written, and what fails on the way leaves
// nothing behind.
func (a *app) initSite(ctx context.Context, dir, owner string) (link string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make the site's folder: %w", err)
	}
	for _, name := range siteFiles {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return "", fmt.Errorf("%s exists already: nothing was changed. Choose another folder, or move the file away", filepath.Join(dir, name))
		} else if !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("look into the site's folder: %w", err)
		}
	}
	link, err = a.makeSite(ctx, dir, owner)
	if err != nil {
		for _, name := range append([]string{"pressrun.db-wal", "pressrun.db-shm"}, siteFiles...) {
			if gone := os.Remove(filepath.Join(dir, name)); gone != nil && !errors.Is(gone, os.ErrNotExist) {
				err = errors.Join(err, gone)
			}
		}
	}
	return link, err
}

func (a *app) makeSite(ctx context.Context, dir, owner string) (link string, err error) {
	key, err := subscribers.NewKey()
	if err != nil {
		return "", fmt.Errorf("make the key: %w", err)
	}
	if err := writeKey(filepath.Join(dir, "pressrun.key"), key); err != nil {
		return "", err
	}
	file := filepath.Join(dir, "pressrun.toml")
	if err := writeConfig(file, configValues{SiteName: initSiteName, Zone: localZone()}); err != nil {
		return "", err
	}
	cfg, err := loadConfig(file, nil)
	if err != nil {
		return "", err
	}
	db, err := store.Open(ctx, cfg.Database)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := migrate(ctx, db); err != nil {
		return "", err
	}
	if err := subscribers.BindKey(ctx, db, key); err != nil {
		return "", err
	}
	people := &subscribers.Registry{Key: key, Now: a.now}
	if _, err := people.KeepJournal(ctx, db); err != nil {
		return "", err
	}
	path, err := ownerLink(ctx, db, owner, a.now())
	return cfg.BaseURL.String() + path, err
}

// ownerLink makes the owner and a login link for them.
func ownerLink(ctx context.Context, db *store.DB, owner string, now time.Time) (path string, err error) {
	err = db.InTx(ctx, func(tx *store.Tx) error {
		if _, err := desk.AddUser(ctx, tx, owner, desk.Owner, now); err != nil {
			return err
		}
		path, err = desk.NewLink(ctx, tx, owner, now)
		return err
	})
	return path, err
}

// configValues fill the configuration that init writes.
type configValues struct{ SiteName, PostalAddress, Zone string }

func writeConfig(file string, v configValues) error {
	t, err := template.New("pressrun.toml").Funcs(template.FuncMap{"line": configLine}).Parse(configTemplate)
	if err != nil {
		return fmt.Errorf("configuration template: %w", err)
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // a password may come to stand in it
	if err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	if err := errors.Join(t.Execute(f, v), f.Close()); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	return nil
}

// configLine is a key with its value, and its comment where all comments stand.
func configLine(key, value, comment string) string {
	return fmt.Sprintf("%-36s # %s", fmt.Sprintf("%s = %q", key, value), comment)
}

// localZone is this machine's IANA zone, or UTC where it doesn't say.
func localZone() string {
	for _, name := range []string{os.Getenv("TZ"), zoneOfLink("/etc/localtime")} {
		if name == "" || name == "Local" {
			continue
		}
		if _, err := time.LoadLocation(name); err == nil {
			return name
		}
	}
	return "UTC"
}

func zoneOfLink(path string) string {
	target, err := os.Readlink(path)
	if err != nil {
		return ""
	}
	_, name, _ := strings.Cut(target, "zoneinfo/")
	return name
}
