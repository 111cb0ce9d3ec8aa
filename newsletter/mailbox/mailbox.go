// Package mailbox reads a mailbox by IMAP (RFC 9051, RFC 3501), message by message, and marks as read what its caller understood. It
// takes nothing away, writes no message and sends no mail. It knows nothing of what the messages say and keeps nothing: how far a
// mailbox was read is its caller's record.
//
// After a crash: a message whose Passed was not reached is read again.
package mailbox

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math"
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
	// Passed is called once a message is read, and marked if it may be.
	Passed(ctx context.Context, p Position) error
	// Missed is called, in place of Read and Passed, for a message that the server doesn't give out though it does a later one.
	Missed(ctx context.Context, p Position, why error) error
}

var errPlain = errors.New("a mailbox without TLS must be on this machine")

// open selects the folder, to read it and to mark what was understood.
func (m IMAP) open(client *imapclient.Client) (*imap.SelectData, error) {
	folder, err := client.Select(m.Folder, nil).Wait()
	if err != nil {
		return nil, fmt.Errorf("folder %s: %w", m.Folder, err)
	}
	return folder, nil
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

// search lists messages from a UID on, and since a day. A range to the end always has the last message in it, whatever its UID.
func search(client *imapclient.Client, next uint32, since time.Time) (imap.UIDSet, error) {
	found, err := client.UIDSearch(&imap.SearchCriteria{
		UID: []imap.UIDSet{{imap.UIDRange{Start: imap.UID(max(next, 1)), Stop: 0}}}, Since: since,
	}, nil).Wait()
	if err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	set, _ := found.All.(imap.UIDSet)
	slices.SortFunc(set, func(a, b imap.UIDRange) int { return cmp.Compare(a.Start, b.Start) })
	return set, nil
}

// after lists the first messages from a UID on. It goes by the ranges, since those of a broken server may be of any length.
func after(client *imapclient.Client, next uint32, since time.Time) (uids []imap.UID, err error) {
	set, err := search(client, next, since)
	for _, r := range set {
		for uid := uint64(max(r.Start, imap.UID(next))); uid <= uint64(r.Stop) && len(uids) < mostMessages; uid++ {
			uids = append(uids, imap.UID(uid))
		}
	}
	return uids, err
}

// last is the last message of all; none in an empty folder.
func last(client *imapclient.Client) ([]imap.UID, error) {
	set, err := search(client, math.MaxUint32, time.Time{})
	if err != nil || len(set) == 0 {
		return nil, err
	}
	return []imap.UID{set[len(set)-1].Stop}, nil
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
