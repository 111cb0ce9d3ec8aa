package main

import (
	"errors"
	"fmt"
	"io/fs"

	"pressrun/newsletter"
	"pressrun/newsletter/mailer"
	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

var (
	errNoConfig      = errors.New("there is no such file: `pressrun init` writes one, or name yours with --config")
	errNoKey         = errors.New("there is no such file: bring the pressrun.key that belongs to this database, from where you keep its copy. Without it no link already sent works, who left or was suppressed is not recognised, and no backup can be restored. Where there is no database yet, `pressrun init` makes both")
	errNoDatabase    = errors.New("there is no such file: mend `database` in the configuration, or `pressrun init` makes a new one where there never was any")
	errEmptyDatabase = errors.New("the file is empty: a copy or a restore that broke off? Nothing was changed. Bring the database back from a backup; `pressrun init` makes a new one where there is none")
)

// errCopy is the hold of a database that may be a copy: only somebody's word lifts it.
var errCopy = fmt.Errorf("%w", outbox.ErrHeld)

// mustStop is outbox.ErrRunning for what can't be done beside a process that sends, whoever does the sending.
type mustStop struct{ error }

func (e mustStop) Unwrap() error { return e.error }

// lockAlone takes the right to send for what must be alone with a database.
func lockAlone(database string) (*outbox.Lock, error) {
	lock, err := outbox.TryLock(database)
	if errors.Is(err, outbox.ErrRunning) {
		err = mustStop{err}
	}
	return lock, err
}

// explain adds to an error what was not lost and what to do, where the error alone doesn't say so.
func explain(err error) string {
	advice := []struct {
		is     error
		advice string
	}{
		{store.ErrForeign, "The file was left as it is. Mend `database` in the configuration, or move the file away."},
		{store.ErrNewer, "Nothing was changed. Use the Pressrun that made it, or a newer one."},
		{subscribers.ErrForeignKey, "Nothing was changed. Bring the pressrun.key that was made with this database, or mend `key_file`: with another key no link already sent works, and who may not be mailed is not recognised."},
		{subscribers.ErrOldKey, "Nothing was changed. The key was rotated since this copy of it was made (pressrun key rotate): bring the pressrun.key of after that, which has more lines, or mend `key_file`. With the copy the links of mails sent since would not work."},
		{subscribers.ErrForeignJournal, "Nothing was changed. It must be the one that was made beside this database: bring it back, or move it away where it is lost; then one is made anew of those who stand suppressed in the database."},
		{store.ErrDamaged, "Nothing was changed. Take another backup."},
		{store.ErrBusy, "Nothing was changed. Find the other program (a backup, a database browser?), let it finish and try again."},
		{store.ErrDisk, "What was committed before is safe; nothing is sent without its record. Make room, or mend the disk or the permissions of the file and its folder, then try again."},
		{outbox.ErrRunning, "Nothing was changed. One process sends from a database file: stop it first, or let it do the sending."},
		{errCopy, "Nothing is lost. Look at `pressrun plan` and `pressrun issue list`; once you know that no other copy sends, `pressrun go-live --yes` lifts the hold."},
		{outbox.ErrHeld, "Nothing is lost. `pressrun go-live` goes through the checklist after which mail may leave."},
		{mailer.ErrDKIMKey, "Nothing was sent: mail of that domain must not leave unsigned. Bring the right file back from your backup, or move this one away and make another key with `pressrun dkim new DOMAIN`."},
		{outbox.ErrHole, "Nothing was sent. The letter's template has lost its unsubscribe link."},
		{subscribers.ErrSuppressed, "Nothing was changed. Who left or was erased comes back only by confirming again; a suppression by hand, a bounce or a complaint is lifted by `pressrun subscriber unsuppress EMAIL|DOMAIN --because TEXT`."},
		{subscribers.ErrBecause, "Nothing was changed. Say it by --because TEXT; it is kept with each person."},
		{subscribers.ErrAddress, "Nothing was changed. Write it as name@example.org."},
		{newsletter.ErrNothing, "Nothing was sent. `pressrun plan` shows what is in the way."},
		{newsletter.ErrImport, "Nothing of that series was sent, and its article keeps its turn. `pressrun plan` shows when it goes."},
		{series.ErrNoSeries, "`pressrun series list` shows those there are."},
		{series.ErrNoArticle, "`pressrun article list SERIES` shows those there are."},
		{series.ErrDisclaimer, "Nothing was changed. Every series needs one: --disclaimer TEXT or --disclaimer @FILE."},
		{fs.ErrPermission, "Nothing was changed. Run it as the user whom the site's files belong to, or mend their permissions."},
		{series.ErrSchedule, `Nothing was changed. Write --schedule "tuesdays 09:00" or a cron line such as "0 9 * * TUE", and the zone apart as --zone Europe/Berlin.`},
	}
	if stop := (mustStop{}); errors.As(err, &stop) {
		return fmt.Sprintf("%v\nNothing was changed. Stop serve, or wait for the end of run-due, do this again, and start serve after it.", err)
	}
	for _, a := range advice {
		if errors.Is(err, a.is) {
			return fmt.Sprintf("%v\n%s", err, a.advice)
		}
	}
	var relay *mailer.RelayError
	if errors.As(err, &relay) {
		return fmt.Sprintf("%v\nNobody's delivery was touched: what waits is sent once the relay takes it. `pressrun check` tries it again.", err)
	}
	return err.Error()
}
