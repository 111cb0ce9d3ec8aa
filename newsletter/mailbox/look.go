package mailbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

const (
	// mostTries is how often a message is fetched in one look, each time on a connection of its own: some servers end it with their word.
	mostTries = 2
	// mostMissed is how many messages in a row may be stepped over. Where more can't be fetched, it is the folder that can't be read.
	mostMissed = 8
	// mostMessages is how many one look reads; the next goes on.
	mostMessages = 100_000
)

// look is one look into a folder, over as many connections as it takes.
type look struct {
	IMAP
	since    time.Time
	reader   Reader
	validity uint32
	tries    map[imap.UID]int // of messages that could not be fetched
	missed   []missed         // since the last one that was read
	unmarked bool             // a connection ended over a mark: no more is tried
}

// missed is a message that was given up.
type missed struct {
	uid imap.UID
	why error
}

// Each has r read all messages that came after its position, and since the given day, as far as one look goes. A message that can't be
// fetched is stepped over as soon as a later one can: alone it may be the server's trouble. A mark that can't be set changes nothing.
// When ctx ends, Each ends.
func (m IMAP) Each(ctx context.Context, since time.Time, r Reader) error {
	l := look{IMAP: m, since: since, reader: r}
	for {
		again := false
		err := m.with(ctx, func(client *imapclient.Client) (err error) {
			again, err = l.on(ctx, client)
			return err
		})
		if !again || ctx.Err() != nil {
			return err
		}
	}
}

// on goes on with the look on a connection; again says that another one may do what this one could not.
func (l *look) on(ctx context.Context, client *imapclient.Client) (again bool, err error) {
	folder, err := l.open(client)
	if err != nil {
		return false, err
	}
	if folder.UIDValidity != l.validity {
		l.validity, l.tries, l.missed = folder.UIDValidity, map[imap.UID]int{}, nil
	}
	from, err := l.reader.Position(ctx)
	if err != nil {
		return false, err
	}
	if from.Validity != l.validity {
		from = Position{Validity: l.validity, Next: 1}
	}
	uids, err := after(client, from.Next, l.since)
	if err != nil {
		return false, err
	}
	for _, uid := range uids {
		if slices.ContainsFunc(l.missed, func(m missed) bool { return m.uid == uid }) {
			continue
		}
		raw, err := l.fetch(client, uid)
		if err != nil {
			return l.failed(uid, err)
		}
		if err := l.pass(ctx, client, uid, raw); err != nil {
			return false, err
		}
	}
	if len(l.missed) > 0 {
		return false, l.missed[0].why
	}
	return false, nil
}

// failed counts a message that could not be fetched, and says whether to go on.
func (l *look) failed(uid imap.UID, err error) (again bool, _ error) {
	err = fmt.Errorf("message %d: %w", uid, err)
	if l.tries[uid]++; l.tries[uid] == mostTries {
		l.missed = append(l.missed, missed{uid, err})
	}
	return len(l.missed) <= mostMissed, err
}

// pass has one message read, and marked if it was understood.
func (l *look) pass(ctx context.Context, client *imapclient.Client, uid imap.UID, raw []byte) error {
	for _, m := range l.missed {
		if err := l.reader.Missed(ctx, Position{l.validity, uint32(m.uid) + 1}, m.why); err != nil {
			return err
		}
	}
	l.missed = nil
	understood, err := l.reader.Read(ctx, raw)
	if err == nil && understood && !l.unmarked {
		err = l.mark(ctx, client, uid)
	}
	if err == nil {
		err = l.reader.Passed(ctx, Position{l.validity, uint32(uid) + 1})
	}
	return err
}

// mark marks a message as read, if the server lets it be marked. It fails only where the look ends.
func (l *look) mark(ctx context.Context, client *imapclient.Client, uid imap.UID) error {
	err := setSeen(client, uid, imap.StoreFlagsAdd)
	if refused := (*imap.Error)(nil); err == nil || errors.As(err, &refused) {
		return nil
	}
	l.unmarked = true
	if ctx.Err() != nil {
		return err
	}
	return nil
}

func setSeen(client *imapclient.Client, uid imap.UID, op imap.StoreFlagsOp) error {
	seen := &imap.StoreFlags{Op: op, Silent: true, Flags: []imap.Flag{imap.FlagSeen}}
	if err := client.Store(imap.UIDSetNum(uid), seen, nil).Close(); err != nil {
		return fmt.Errorf("message %d: mark as read: %w", uid, err)
	}
	return nil
}
