// Package mailbox reads a mailbox by IMAP (RFC 9051, RFC 3501), message by message, and marks as read what its caller understood. It
// takes nothing away, writes no message and sends no mail. It knows nothing of what the messages say and keeps nothing: how far a
// mailbox was read is its caller's record.
//
// After a crash: a message whose Passed was not reached is read again.
package mailbox

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"pressrun/newsletter/mailer"
)

// IMAP is a folder of an account.
type IMAP struct {
	Host     string
	Port     int
	TLS      mailer.TLS
	Username string
	Password mailer.Secret
	Folder   string
	Roots    *x509.CertPool // nil: the system's
	MaxSize  int64          // octets of a message; of longer ones nothing is read
}

// Name names the folder, and no person.
func (m IMAP) Name() string {
	return net.JoinHostPort(m.Host, strconv.Itoa(m.Port)) + "/" + m.Username + "/" + m.Folder
}

// Position is how far a folder was read: the UID of the next message, and the validity without which UIDs mean nothing (RFC 9051
// section 2.3.1.1).
type Position struct{ Validity, Next uint32 }

// Reader is told of each message, in their order.
type Reader interface {
	// Position is how far the folder was read already; zero: not at all.
	Position(ctx context.Context) (Position, error)
	// Read takes a message, nil if it is too long, and says whether it was understood: then it is marked as read.
	Read(ctx context.Context, raw []byte) (understood bool, err error)
	// Passed is called once a message is read and marked.
	Passed(ctx context.Context, p Position) error
}

var errPlain = errors.New("a mailbox without TLS must be on this machine")

// Each has r read all messages that came after its position, and since the given day. When ctx ends, Each ends.
func (m IMAP) Each(ctx context.Context, since time.Time, r Reader) error {
	return m.with(ctx, func(client *imapclient.Client) error {
		folder, err := client.Select(m.Folder, nil).Wait()
		if err != nil {
			return fmt.Errorf("folder %s: %w", m.Folder, err)
		}
		from, err := r.Position(ctx)
		if err != nil {
			return err
		}
		if from.Validity != folder.UIDValidity {
			from = Position{Validity: folder.UIDValidity, Next: 1}
		}
		uids, err := after(client, from.Next, since)
		if err != nil {
			return err
		}
		for _, uid := range uids {
			if err := m.pass(ctx, client, uid, r); err != nil {
				return err
			}
			if err := r.Passed(ctx, Position{Validity: from.Validity, Next: uint32(uid) + 1}); err != nil {
				return err
			}
		}
		return nil
	})
}

// Try signs in and looks at the folder; it changes nothing. It returns how many messages the folder has.
func (m IMAP) Try(ctx context.Context) (messages uint32, err error) {
	err = m.with(ctx, func(client *imapclient.Client) error {
		folder, err := client.Select(m.Folder, &imap.SelectOptions{ReadOnly: true}).Wait()
		if err != nil {
			return fmt.Errorf("folder %s: %w", m.Folder, err)
		}
		messages = folder.NumMessages
		return nil
	})
	return messages, err
}

// with runs f on a connection that is signed in.
func (m IMAP) with(ctx context.Context, f func(*imapclient.Client) error) error {
	client, err := m.connect(ctx)
	if err == nil {
		defer client.Close()
		defer context.AfterFunc(ctx, func() { client.Close() })()
		if err = client.Login(m.Username, string(m.Password)).Wait(); err != nil {
			err = fmt.Errorf("login: %w", err)
		}
	}
	if err == nil {
		err = f(client)
	}
	if err == nil {
		_ = client.Logout().Wait() // what it answers changes nothing
	}
	if ctx.Err() != nil && err != nil {
		err = errors.Join(context.Cause(ctx), err)
	}
	if err != nil {
		return fmt.Errorf("mailbox %s:%d: %w", m.Host, m.Port, err)
	}
	return nil
}

func (m IMAP) connect(ctx context.Context) (*imapclient.Client, error) {
	config := &tls.Config{ServerName: m.Host, RootCAs: m.Roots, MinVersion: tls.VersionTLS12, NextProtos: []string{"imap"}}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(m.Host, strconv.Itoa(m.Port)))
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	switch m.TLS {
	case mailer.NoTLS:
		if addr, ok := conn.RemoteAddr().(*net.TCPAddr); !ok || !addr.IP.IsLoopback() {
			return nil, errors.Join(errPlain, conn.Close())
		}
	case mailer.StartTLS:
		config.NextProtos = nil
		return imapclient.NewStartTLS(conn, &imapclient.Options{TLSConfig: config})
	default:
		secure := tls.Client(conn, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		conn = secure
	}
	client := imapclient.New(conn, nil)
	if err := client.WaitGreeting(); err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return client, nil
}

// after lists messages from a UID on. A range to the end always has the last message in it, whatever its UID.
func after(client *imapclient.Client, next uint32, since time.Time) (uids []imap.UID, err error) {
	found, err := client.UIDSearch(&imap.SearchCriteria{
		UID: []imap.UIDSet{{imap.UIDRange{Start: imap.UID(max(next, 1)), Stop: 0}}}, Since: since,
	}, nil).Wait()
	if err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	for _, uid := range found.AllUIDs() {
		if uint32(uid) >= next {
			uids = append(uids, uid)
		}
	}
	slices.Sort(uids)
	return uids, nil
}

// pass has one message read, and marked if it was understood.
func (m IMAP) pass(ctx context.Context, client *imapclient.Client, uid imap.UID, r Reader) error {
	raw, err := m.fetch(client, uid)
	if err != nil {
		return fmt.Errorf("message %d: %w", uid, err)
	}
	understood, err := r.Read(ctx, raw)
	if err != nil || !understood {
		return err
	}
	seen := &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{imap.FlagSeen}}
	if err := client.Store(imap.UIDSetNum(uid), seen, nil).Close(); err != nil {
		return fmt.Errorf("message %d: mark as read: %w", uid, err)
	}
	return nil
}

// fetch reads a message without marking it. One that is gone, or too long, is nil.
func (m IMAP) fetch(client *imapclient.Client, uid imap.UID) (raw []byte, err error) {
	whole := &imap.FetchItemBodySection{Peek: true, Partial: &imap.SectionPartial{Offset: 0, Size: m.MaxSize + 1}}
	cmd := client.Fetch(imap.UIDSetNum(uid), &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{whole}})
	for message := cmd.Next(); message != nil; message = cmd.Next() {
		for item := message.Next(); item != nil; item = message.Next() {
			section, ok := item.(imapclient.FetchItemDataBodySection)
			if !ok || section.Literal == nil {
				continue
			}
			if raw, err = io.ReadAll(io.LimitReader(section.Literal, m.MaxSize+1)); err != nil {
				return nil, errors.Join(err, cmd.Close())
			}
		}
	}
	if int64(len(raw)) > m.MaxSize {
		raw = nil
	}
	return raw, cmd.Close()
}
