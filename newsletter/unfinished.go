package newsletter

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// ErrImport says that an import of the series is not done: what went now would miss everybody whom it brings.
var ErrImport = errors.New("an import is not done")

// unfinishedImport is the import that a series waits for.
type unfinishedImport struct {
	subscribers.Unfinished
	series series.Series
}

// unfinished finds which import of a series is not done; nil: all are.
func unfinished(ctx context.Context, q store.Querier, s series.Series) (*unfinishedImport, error) {
	u, err := subscribers.UnfinishedImport(ctx, q, s.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &unfinishedImport{u, s}, nil
}

// words say which import it is, and who goes on with it, as it stands now.
func (u *unfinishedImport) words(now time.Time) string {
	const what = "%s is not all in yet, and nobody of it is mailed before; "
	switch again := u.Again.In(location(u.series)); {
	case u.Failed != "":
		return fmt.Sprintf(what+"%s", u.File, u.failed())
	case !again.After(now):
		return fmt.Sprintf(what+"its import was stopped: serve, or the next `pressrun run-due`, goes on with it", u.File)
	default:
		layout := "15:04:05 MST"
		if day := "2006-01-02 "; again.Format(day) != now.In(again.Location()).Format(day) {
			layout = day + layout
		}
		return fmt.Sprintf(what+"if its import was stopped, serve or `pressrun run-due` goes on with it from %s on", u.File, again.Format(layout))
	}
}

// lasting says which import it is, without anything that changes by itself.
func (u *unfinishedImport) lasting() string {
	text := u.File + " is not all in yet"
	if u.Failed != "" {
		text += "; " + u.failed()
	}
	return text
}

// failed says why the last try failed and how to end the wait.
func (u *unfinishedImport) failed() string {
	return fmt.Sprintf("the last try failed: %s; serve and `pressrun run-due` try again, and `%s` gives it up",
		strings.TrimRight(u.Failed, "."), u.forget())
}

// forget is the command that gives the import up.
func (u *unfinishedImport) forget() string {
	return fmt.Sprintf("pressrun subscriber import %s %s --forget", u.series.Slug, shellWord(u.File))
}

var plainWord = regexp.MustCompile(`^[\pL\pN_.][\pL\pN_.-]*$|^-$`)

// shellWord writes a word as a shell reads it.
func shellWord(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// importWait is ErrImport for a slot: its text stays the same for as long as it waits.
type importWait struct{ *unfinishedImport }

func (w importWait) Error() string {
	return fmt.Sprintf("series %s: %v: %s", w.series.Slug, ErrImport, w.lasting())
}

func (w importWait) Unwrap() error { return ErrImport }

// allImported fails with ErrImport while an import of the series is not done.
func (p *Publisher) allImported(ctx context.Context, q store.Querier, s series.Series) error {
	u, err := unfinished(ctx, q, s)
	if err == nil && u != nil {
		err = fmt.Errorf("series %s: %w: %s", s.Slug, ErrImport, u.words(p.now()))
	}
	return err
}

// Unfinished says of each series which import is not done, in words; of most none.
func (p *Publisher) Unfinished(ctx context.Context) ([]string, error) {
	all, err := series.All(ctx, p.db)
	if err != nil {
		return nil, fmt.Errorf("unfinished imports: %w", err)
	}
	var said []string
	for _, s := range all {
		u, err := unfinished(ctx, p.db, s)
		if err != nil {
			return nil, err
		}
		if u != nil {
			said = append(said, s.Slug+": "+u.words(p.now())+".")
		}
	}
	return said, nil
}

// importAlarm is how long a slot waits for an import that hasn't failed before the editors are told.
const importAlarm = 10 * time.Minute

// tellWaiting tells the editors, once for each slot, that it waits for an import which doesn't come to its end by itself.
func (p *Publisher) tellWaiting(ctx context.Context, slot series.Slot, wait importWait) error {
	if ctx.Err() != nil || wait.Failed == "" && p.now().Sub(slot.At) < importAlarm {
		return nil
	}
	w := p.importWord(wait.series, slot, wait.words(p.now()), wait.forget())
	return p.Tell(ctx, w.dedupe, w.subject, w.paragraphs)
}
