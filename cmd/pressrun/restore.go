package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pressrun/newsletter/outbox"
	"pressrun/newsletter/web/desk"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

func (a *app) restoreCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Put a backup in the database's place",
		Long: `Puts a backup in the place of the database, which is kept aside under another name. It needs the pressrun.key that the database
was made with, and that serve is stopped.

Who unsubscribed, was suppressed or was erased since the backup was made is out in it too: the journal of leaves beside the database
(DATABASE` + subscribers.JournalSuffix + `) says who. On another machine bring that file along, if the old disk can be read, and put it there first. Who came back
after such a leave, and whose new confirmation is later than the backup, has to confirm once more: its proof is lost.

Users of the desk are those of the backup: who was added since is missing, and who was removed since is back, so they are listed.
Everybody is signed out, and "pressrun user link" lets somebody in.

The restored site is on hold: it doesn't know what was sent since the backup. "pressrun go-live" asks whether it may go on, and "pressrun go-live --yes" says so.`,
		Example: "  pressrun restore backups/pressrun-2027-03-29.db",
		Args:    args(cobra.ExactArgs(1)),
		RunE:    func(cmd *cobra.Command, given []string) error { return a.restore(cmd, given[0]) },
	}
	a.yesFlag(cmd)
	return cmd
}

func (a *app) restore(cmd *cobra.Command, file string) (err error) {
	ctx := cmd.Context()
	cfg, err := loadConfig(a.config, os.Environ())
	if err != nil {
		return err
	}
	key, err := readKey(cfg.KeyFile)
	if err != nil {
		return err
	}
	if err := store.Check(ctx, file, true); errors.Is(err, store.ErrForeign) {
		return fmt.Errorf("%s is no backup of a Pressrun database: nothing was changed. `pressrun backup` and, each night, serve make them; those of the nights are in %s", file, cmp.Or(cfg.BackupDir, "no folder, as backup_dir is empty"))
	} else if err != nil {
		return err
	}
	lock, err := lockAlone(cfg.Database)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	r := restoring{from: file, database: cfg.Database, unfinished: cfg.Database + ".restoring", aside: asideName(cfg.Database, time.Now())}
	if err := r.prepare(ctx, key); err != nil {
		return errors.Join(err, r.forget())
	}
	if err := a.agreeToReplace(r); err != nil {
		return errors.Join(err, r.forget())
	}
	if err := r.swap(); err != nil {
		return err
	}
	return a.with(ctx, func(s *site) error { return a.sayRestored(ctx, s, r) })
}

// asideName is where a database is kept: by the second, and never where one is kept already.
func asideName(database string, now time.Time) string {
	name := database + ".before-restore-" + now.UTC().Format("20060102T150405Z")
	for free, n := name, 2; ; n++ {
		if _, err := os.Lstat(free); err != nil {
			return free
		}
		free = fmt.Sprintf("%s-%d", name, n)
	}
}

// restoring is a restore on its way. The database is replaced by one rename, of a file that is whole and on hold already; a
// crash before it changes nothing but names, and the restore can be made again.
type restoring struct {
	from, database, unfinished, aside string
}

// databaseFiles are what a database in WAL mode has behind its name.
var databaseFiles = []string{"", "-wal", "-shm"}

// prepare makes the database that takes the place: ours by its key, up to date, and on hold.
func (r restoring) prepare(ctx context.Context, key subscribers.Key) error {
	if err := r.forget(); err != nil { // of a restore that a crash ended
		return err
	}
	if err := store.CopyFile(ctx, r.from, r.unfinished); err != nil {
		return err
	}
	db, err := store.Open(ctx, r.unfinished)
	if err != nil {
		return err
	}
	err = migrate(ctx, db)
	if err == nil {
		err = subscribers.BindKey(ctx, db, key)
	}
	if err == nil {
		_, err = outbox.CheckInstance(ctx, db, time.Now(), nil)
	}
	if err == nil {
		err = db.InTx(ctx, func(tx *store.Tx) error {
			if err := takesPlace(key)(ctx, tx); err != nil {
				return err
			}
			return outbox.HoldAll(ctx, tx, "this is a restored backup: what was sent since it was made, it does not know")
		})
	}
	return errors.Join(err, db.Close())
}

// forget removes what prepare made.
func (r restoring) forget() (err error) {
	for _, suffix := range append(databaseFiles, ".lock") {
		if gone := os.Remove(r.unfinished + suffix); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return err
}

// replaces says whether there is a database that the restored one takes the place of.
func (r restoring) replaces() bool {
	_, err := os.Lstat(r.database)
	return err == nil
}

func (a *app) agreeToReplace(r restoring) error {
	if !r.replaces() {
		return nil
	}
	return a.confirm(fmt.Sprintf("%s is replaced by %s, and kept as %s. What changed since the backup is then only there, but for who left. Go on?",
		r.database, r.from, r.aside))
}

// swap puts the database aside and the restored one in its place. A write-ahead log must go with its own database: SQLite
// would play it into the other one.
func (r restoring) swap() error {
	for _, suffix := range databaseFiles {
		if err := os.Rename(r.database+suffix, r.aside+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("restore: put the database aside: %w", err)
		}
	}
	if err := os.Rename(r.unfinished, r.database); err != nil {
		return fmt.Errorf("restore: %w. The database that was there is %s", err, r.aside)
	}
	folder, err := os.Open(filepath.Dir(r.database))
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	return errors.Join(folder.Sync(), folder.Close())
}

func (a *app) sayRestored(ctx context.Context, s *site, r restoring) error {
	fmt.Fprintf(a.out, "Restored %s as %s.\n", r.from, r.database)
	if _, err := os.Lstat(r.aside); err == nil {
		fmt.Fprintf(a.out, "What was there is kept as %s; remove it once you don't need it.\n", r.aside)
	}
	switch {
	case s.replayed.Remade:
		fmt.Fprintf(a.out, "There was no whole journal of leaves (%s%s), so who left since the backup is not known here. If you can still read that file on the old disk,\n"+
			"put it there and restore again before you go live.\n", r.database, subscribers.JournalSuffix)
	case s.replayed.Leaves > 0:
		fmt.Fprintf(a.out, "Who left since the backup is out in it too: %s from the journal.\n", countOf(int64(s.replayed.Leaves), "leave", "leaves"))
	default:
		fmt.Fprintln(a.out, "Nobody has left since the backup.")
	}
	fmt.Fprintf(a.out, "Links are made by line %d of %s, its last. If the key was rotated since the backup, put the file with more lines there before you go live:\n"+
		"links that are out by its later lines don't work without it.\n", s.key.TokenKeys(), s.cfg.KeyFile)
	if err := a.sayUsers(ctx, s); err != nil {
		return err
	}
	_, err := fmt.Fprintln(a.out, "The site is on hold: nothing leaves until you look at it (pressrun plan, pressrun issue list) and say `pressrun go-live --yes`.")
	return err
}

// sayUsers says who may sign in, whom a restore may have brought back, and how.
func (a *app) sayUsers(ctx context.Context, s *site) error {
	users, err := desk.Users(ctx, s.db)
	if err != nil {
		return err
	}
	if len(users) == 0 {
		_, err := fmt.Fprintln(a.out, "Nobody may sign in at the desk: pressrun user add EMAIL --role owner")
		return err
	}
	names := make([]string, len(users))
	for i, u := range users {
		names[i] = fmt.Sprintf("%s (%s)", u.Email, u.Role)
	}
	_, err = fmt.Fprintf(a.out, "Everybody is signed out of the desk; `pressrun user link EMAIL` lets somebody in. As in the backup, these may: %s.\n"+
		"Who should not: `pressrun user remove EMAIL`.\n", strings.Join(names, ", "))
	return err
}
