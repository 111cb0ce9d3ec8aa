package mailer

import (
	"crypto"
	"crypto/ed25519"
	"errors"
	"io"
	"net"

	"github.com/wneessen/go-mail/smtp"
)

// ReadReply lets the fuzz test reach the parser without a socket for each try.
var ReadReply = readReply

// BrokenDKIMKey is a key that fails when it is to sign, as one in a device that was taken out does.
func BrokenDKIMKey(domain string) DKIMKey {
	return DKIMKey{Domain: domain, Selector: "gone", signer: broken{}}
}

type broken struct{}

func (broken) Public() crypto.PublicKey { return make(ed25519.PublicKey, ed25519.PublicKeySize) }

func (broken) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("the key is gone")
}

// SignerOf lets the tests sign by another program with the same key.
func SignerOf(key DKIMKey) crypto.Signer { return key.signer }

// What is written for speed, to be compared with what it stands for.
var (
	AppendShielded = appendShielded
	CutEnhanced    = cutEnhanced
	Waits          = waits
	AppendPhrase   = appendPhrase
	DotAtom        = dotAtom
	HostName       = hostName
	Text           = text
)

// AppendLine encodes a line and fills it in.
func AppendLine(dst []byte, line Blank, name, token string) []byte {
	return appendLine(dst, line.encoded(), name, token)
}

// FreeDKIMKey is a key that signs in no time: what is left is what signing costs besides.
func FreeDKIMKey(domain string) DKIMKey {
	return DKIMKey{Domain: domain, Selector: "s1", signer: free{}}
}

type free struct{}

func (free) Public() crypto.PublicKey { return nil }

var freeSignature = make([]byte, rsaBits/8)

func (free) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return freeSignature, nil }

// Slack lets the test compare it with what it is for.
var Slack = slack

// ConnOver is a connection whose other end has said its greeting.
func ConnOver(conn net.Conn) (*Conn, error) {
	line := &wire{phase: "greeting"}
	line.open(conn)
	session, err := smtp.NewClient(line, "relay.example")
	if err == nil {
		err = session.Hello("client.example")
	}
	line.phase = ""
	return newConn(line, session, Timeouts{}.orDefaults()), err
}
