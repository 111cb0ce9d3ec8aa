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

var errNoMarks = errors.New("mark as read: the server keeps no such mark in this folder")

// Try does what Each would do next from a position on, and changes nothing: it opens the folder for reading and marking, fetches the
// first message that waits, else the last one of all, and marks it as what it is. It returns how many messages the folder has.
func (m IMAP) Try(ctx context.Context, from Position, since time.Time) (messages uint32, err error) {
	err = m.with(ctx, func(client *imapclient.Client) error {
		folder, err := m.open(client)
		if err != nil {
			return err
		}
		if messages = folder.NumMessages; messages == 0 {
			return nil
		}
		if flags := folder.PermanentFlags; len(flags) > 0 && !slices.Contains(flags, imap.FlagSeen) && !slices.Contains(flags, imap.FlagWildcard) {
			return errNoMarks
		}
		if from.Validity != folder.UIDValidity {
			from.Next = 1
		}
		uids, err := after(client, from.Next, since)
		if err == nil && len(uids) == 0 {
			uids, err = last(client)
		}
		if err != nil || len(uids) == 0 {
			return err
		}
		return m.probe(client, uids[0])
	})
	return messages, err
}

// probe fetches a message and marks it as what it is.
func (m IMAP) probe(client *imapclient.Client, uid imap.UID) error {
	if _, err := m.fetch(client, uid); err != nil {
		return fmt.Errorf("message %d: %w", uid, err)
	}
	found, err := client.Fetch(imap.UIDSetNum(uid), &imap.FetchOptions{UID: true, Flags: true}).Collect()
	if err != nil {
		return fmt.Errorf("message %d: flags: %w", uid, err)
	}
	for _, message := range found {
		op := imap.StoreFlagsDel
		if slices.Contains(message.Flags, imap.FlagSeen) {
			op = imap.StoreFlagsAdd
		}
		if err := setSeen(client, uid, op); err != nil {
			return err
		}
	}
	return nil
}
