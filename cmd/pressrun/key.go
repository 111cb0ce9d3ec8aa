package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"pressrun/subscribers"
)

func (a *app) keyCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "key",
		Short: "The site's key, by which links and suppressions are known",
		Long: `The key stands in the file that key_file names, pressrun.key. Its first line is the site's for ever: by it suppressed people are
known, and it belongs to this database. Each rotation adds a line, by which links are made from then on.`,
		Example: "  pressrun key rotate",
	}, a.keyRotateCommand())
}

func (a *app) keyRotateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rotate",
		Short: "Make links with a new secret from now on; those that are out go on working",
		Long: `Adds a new secret to the key file, by which links are made from then on. serve must be stopped.

Unsubscribe links that are out go on unsubscribing, as they must: mails are kept for years. For all else that their page offers (taking a
leave back, a break, another series, the language) it then mails a fresh link. Confirmation links that are out go on working: each is for a
request made before. Links to one's own data and to a new address, which live for an hour, have to be asked for again. Who may not be mailed
is still recognised, and Message-IDs and feeds stay the same. A mail that was tried before and is tried again gets a link by the new secret.

Copy the key file to where you keep its copy: what is backed up from now on can't be restored with the older copy, and what was backed up
before can be restored with either: put the newest there, or links made since don't work.

If the key file was stolen: by an old secret links can still be made that unsubscribe people and say why, show a masked address and
whether it gets a series, or confirm a request made before the rotation that still waits (two weeks at most). None shows more, changes
anything else, or confirms what is asked for later. Whoever has the database too can find out who is suppressed in it.`,
		Example: "  pressrun key rotate --config /etc/pressrun/pressrun.toml",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), func(s *site) error { return a.rotateKey(cmd, s) })
		},
	}
}

// rotateKey writes the file before the database hears of the new secret: a crash between leaves a file that the database takes.
func (a *app) rotateKey(cmd *cobra.Command, s *site) (err error) {
	lock, err := lockAlone(s.db.Path()) // a running serve would refuse the links that others make
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	own, err := readKey(s.cfg.KeyFile) // as it is now: another rotation may have ended since the site was opened
	if err != nil {
		return err
	}
	if err := subscribers.BindKey(cmd.Context(), s.db, own); err != nil {
		return err
	}
	key, err := own.Rotate()
	if err != nil {
		return err
	}
	if err := replaceKey(s.cfg.KeyFile, key); err != nil {
		return err
	}
	if err := subscribers.BindKey(cmd.Context(), s.db, key); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, `Links are made with a new secret from now on: line %d of %s.
Links that are out go on unsubscribing, and confirm what was asked for before; for all else a fresh link is mailed.
Copy that file to where you keep its copy: backups made from now on can't be restored with the older one.
`, key.TokenKeys(), s.cfg.KeyFile)
	return err
}

func readKey(file string) (subscribers.Key, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return subscribers.Key{}, fmt.Errorf("key file %s: %w", file, errNoKey)
	}
	if err != nil {
		return subscribers.Key{}, fmt.Errorf("key file: %w", err)
	}
	key, err := subscribers.ParseKey(string(text))
	if err != nil {
		return subscribers.Key{}, fmt.Errorf("key file %s: %w", file, err)
	}
	return key, nil
}

// writeKey makes a new key file that only its owner can read; an existing one is never replaced.
func writeKey(file string, key subscribers.Key) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("key file: %w", err)
	}
	_, err = io.WriteString(f, key.Encode()+"\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("key file %s: %w", filepath.Base(file), err)
	}
	return nil
}

// unfinishedSuffix stands behind the name of a key file that is not yet in its place.
const unfinishedSuffix = ".new"

// replaceKey puts a key in the place of the one in a file, for the same owner. The file is whole at any moment.
func replaceKey(file string, key subscribers.Key) error {
	file, err := filepath.EvalSymlinks(file)
	if err == nil {
		err = replaceFile(file, key.Encode()+"\n")
	}
	if err != nil {
		return fmt.Errorf("key file: %w. No link was made with a new secret, and the file is whole. Make it and its folder writable, or mend `key_file`", err)
	}
	return nil
}

// replaceFile writes beside the file first, under a name that is always the same: what a crash left there has all secrets in it, and the
// next call removes it. Two calls at once are not for it.
func replaceFile(file, content string) error {
	old, err := os.Stat(file)
	if err != nil {
		return err
	}
	if err := os.Remove(file + unfinishedSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(file+unfinishedSuffix, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if owner, ok := old.Sys().(*syscall.Stat_t); ok {
		err = f.Chown(int(owner.Uid), int(owner.Gid))
	}
	_, wrote := io.WriteString(f, content)
	err = errors.Join(err, wrote, f.Chmod(old.Mode().Perm()), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	folder, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
