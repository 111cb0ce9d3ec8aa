package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

func (a *app) backupCommand() *cobra.Command {
	var verify bool
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Copy the database into a new file, also while serve runs",
		Long: `Writes the last commit as one file that only its owner can read, and checks it. Nobody waits meanwhile, and an existing file is
never replaced. --verify also plays a restore of it in a throwaway folder beside it: every page, index and reference, the key, the
journal of leaves.

The key is not in it, on purpose: keep pressrun.key apart from the backups. A restore needs both. Nor is the journal of leaves
(DATABASE` + subscribers.JournalSuffix + `), which stays beside the database: by it a restored backup learns who left since it was made.

serve and run-due make a backup each night by themselves, into backup_dir, and keep the last ` + fmt.Sprint(nightsKept) + `.`,
		Example: "  pressrun backup /mnt/backup/monday.db --verify",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, given []string) error {
			return a.with(cmd.Context(), func(s *site) error {
				made, err := s.backUp(cmd.Context(), given[0], verify)
				if err != nil {
					return err
				}
				return a.print(made, made.print)
			})
		},
	}
	cmd.Flags().BoolVar(&verify, "verify", false, "also play a restore of it")
	a.jsonFlag(cmd)
	return cmd
}

// backup is what the command prints.
type backup struct {
	File        string `json:"file"`
	Bytes       int64  `json:"bytes"`
	Subscribers int64  `json:"subscribers"`
	Verified    bool   `json:"verified"`
	KeyFile     string `json:"key_file"` // not in it
	Journal     string `json:"journal"`  // likewise
	dkim        string
}

func (s *site) backUp(ctx context.Context, file string, verify bool) (backup, error) {
	b := backup{File: file, Verified: verify, KeyFile: s.cfg.KeyFile, Journal: s.db.Path() + subscribers.JournalSuffix, dkim: s.cfg.DKIM.Keys}
	err := s.db.Backup(ctx, file)
	if errors.Is(err, os.ErrExist) {
		return b, fmt.Errorf("%s exists already: nothing was written. Choose another name, or move the file away", file)
	}
	if err != nil {
		return b, err
	}
	info, err := os.Stat(file)
	if err != nil {
		return b, err
	}
	b.Bytes = info.Size()
	if b.Subscribers, err = subscribers.CountPeople(ctx, s.db); err != nil || !verify {
		return b, err
	}
	return b, s.tryRestore(ctx, file)
}

// tryRestore plays a restore of a backup in a folder that is removed again.
func (s *site) tryRestore(ctx context.Context, file string) (err error) {
	if err := store.Check(ctx, file, true); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(filepath.Dir(file), ".pressrun-verify-*")
	if err != nil {
		return fmt.Errorf("verify %s: %w", file, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "pressrun.db")
	if err := store.CopyFile(ctx, file, path); err != nil {
		return err
	}
	leaves, err := os.ReadFile(s.db.Path() + subscribers.JournalSuffix)
	if err == nil {
		err = os.WriteFile(path+subscribers.JournalSuffix, leaves, 0o600)
	}
	if err != nil {
		return fmt.Errorf("verify %s: %w", file, err)
	}
	db, err := store.Open(ctx, path)
	if err != nil {
		return err
	}
	restored := &site{db: db, key: s.key, people: s.people, log: s.log}
	if err := errors.Join(restored.prepare(ctx), db.Close()); err != nil {
		return fmt.Errorf("verify %s: %w", file, err)
	}
	return nil
}

func (b backup) print(w io.Writer) {
	checked := "checked"
	if b.Verified {
		checked = "checked, and a restore of it played"
	}
	fmt.Fprintf(w, "Wrote %s: %s, %s, %s.\n", b.File, sizeOf(b.Bytes), countOf(b.Subscribers, "subscriber", "subscribers"), checked)
	fmt.Fprintf(w, "Not in it: %s. Keep a copy of it apart from the backups: without it they can't be restored.\n", b.KeyFile)
	if _, err := os.Stat(b.dkim); err == nil {
		fmt.Fprintf(w, "Nor are the keys in %s: keep them with it.\n", b.dkim)
	}
	fmt.Fprintf(w, "By %s a restored backup learns who left since: it stays beside the database.\n", b.Journal)
}

// sizeOf is a number of octets as people read it.
func sizeOf(n int64) string {
	const kB, MB = 1000, 1000 * 1000
	if n < MB {
		return fmt.Sprintf("%d kB", (n+kB-1)/kB)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/MB)
}

// Nightly backups.
const (
	nightEnds  = 3 * time.Hour // after midnight: what is made from then on is of this date
	nightsKept = 14
	nightLook  = 10 * time.Minute // how often serve looks whether one is due
)

var nightName = regexp.MustCompile(`^(.+)-\d{4}-\d{2}-\d{2}\.db$`)

// nightlyPrefix tells sites apart that share a folder.
func (c Config) nightlyPrefix() string {
	return strings.TrimSuffix(filepath.Base(c.Database), filepath.Ext(c.Database))
}

// nights are the names of our nightly backups, the oldest first; none where there is no folder.
func (c Config) nights() ([]string, error) {
	entries, err := os.ReadDir(c.BackupDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var nights []string // as ReadDir sorts them
	for _, e := range entries {
		if m := nightName.FindStringSubmatch(e.Name()); m != nil && m[1] == c.nightlyPrefix() {
			nights = append(nights, e.Name())
		}
	}
	return nights, err
}

// orBackup names, where a database is missing or empty, the backup that brings it back.
func (c Config) orBackup(missing error) error {
	nights, err := c.nights()
	if err != nil || len(nights) == 0 || !errors.Is(missing, errNoDatabase) && !errors.Is(missing, errEmptyDatabase) {
		return missing
	}
	file := filepath.Join(c.BackupDir, nights[len(nights)-1])
	if here, err := os.Getwd(); err == nil {
		if near, err := filepath.Rel(here, file); err == nil && filepath.IsLocal(near) {
			file = near
		}
	}
	return inBackup{missing, file}
}

// inBackup is a database that is missing or empty, and the backup that brings it back.
type inBackup struct {
	missing error
	file    string
}

func (e inBackup) Error() string {
	return fmt.Sprintf("it is missing or empty, but there are backups: `pressrun restore %s` puts the last one in its place. Or mend `database` in the configuration", e.file)
}

func (e inBackup) Unwrap() error { return e.missing }

// backUpNightly makes the backup of this night where it is missing, and then removes those that are too old. It returns the file
// it made; empty: none was due, or backup_dir is not set. A failure is told to the editors.
func (s *site) backUpNightly(ctx context.Context) (file string, err error) {
	if s.cfg.BackupDir == "" {
		return "", nil
	}
	zone, err := time.LoadLocation(s.cfg.Zone)
	if err != nil {
		return "", fmt.Errorf("nightly backup: %w", err)
	}
	night := s.now().Add(-nightEnds).In(zone).Format(time.DateOnly)
	file = filepath.Join(s.cfg.BackupDir, s.cfg.nightlyPrefix()+"-"+night+".db")
	if _, err = os.Lstat(file); err == nil {
		return "", nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = s.makeNight(ctx, file)
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("nightly backup: %w", err), s.tellNoBackup(ctx, night, err))
	}
	return file, nil
}

func (s *site) makeNight(ctx context.Context, file string) error {
	if err := os.MkdirAll(s.cfg.BackupDir, 0o700); err != nil {
		return err
	}
	if err := s.db.Backup(ctx, file); err != nil {
		return err
	}
	return s.dropOldNights()
}

// dropOldNights removes the backups that are too old, and what programs that were killed left unfinished.
func (s *site) dropOldNights() error {
	nights, err := s.cfg.nights()
	if err != nil {
		return err
	}
	gone := nights[:max(0, len(nights)-nightsKept)]
	entries, err := os.ReadDir(s.cfg.BackupDir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if store.Unfinished(e, s.now()) {
			gone = append(gone, e.Name())
		}
	}
	for _, name := range gone {
		if err := os.Remove(filepath.Join(s.cfg.BackupDir, name)); err != nil {
			return err
		}
	}
	return nil
}

func (s *site) tellNoBackup(ctx context.Context, night string, cause error) error {
	if ctx.Err() != nil {
		return nil // stopped, not failed
	}
	return s.publisher.TellNoBackup(ctx, night, s.cfg.BackupDir, cause)
}

// keepBackups makes the nightly backups until ctx ends.
func (s *site) keepBackups(ctx context.Context) {
	ticker := time.NewTicker(nightLook)
	defer ticker.Stop()
	for {
		file, err := s.backUpNightly(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.log.ErrorContext(ctx, "no nightly backup", "error", err)
		case file != "":
			s.log.InfoContext(ctx, "nightly backup made", "file", file)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
