package mailer

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/net/idna"
)

// ErrDKIMKey is a key file that holds no RSA key of 1024 bits or more and no Ed25519 key, in PEM (PKCS #8).
var ErrDKIMKey = errors.New("not a DKIM key")

const (
	rsaBits     = 2048
	fewestBits  = 1024 // RFC 8301 section 3.2
	pemType     = "PRIVATE KEY"
	rsaName     = "rsa"
	ed25519Name = "ed25519"
)

// DKIMKey is a private key with the place of its public half in DNS.
type DKIMKey struct {
	Domain, Selector string
	signer           crypto.Signer
	lost             error // instead of signer
}

// LostKey stands for a key of a domain that should be there and can't be had. Where a domain has no other, nothing of it leaves
// (Handover.Finish).
func LostKey(domain, selector string, why error) DKIMKey {
	return DKIMKey{Domain: domain, Selector: selector, lost: why}
}

// Lost says why the key can't be had; nil: it signs.
func (k DKIMKey) Lost() error { return k.lost }

// NewDKIMKey makes an RSA key of 2048 bits, or an Ed25519 one (RFC 8463). The domain may be in any script.
func NewDKIMKey(domain, selector string, ed bool) (DKIMKey, error) {
	name, err := idna.Lookup.ToASCII(strings.TrimSuffix(domain, "."))
	if err != nil || !hostName(name) || !strings.Contains(name, ".") || len(name) > 253 {
		return DKIMKey{}, fmt.Errorf("DKIM domain: %w", ErrAddress)
	}
	key := DKIMKey{Domain: name, Selector: selector}
	if ed {
		_, key.signer, err = ed25519.GenerateKey(rand.Reader)
	} else {
		key.signer, err = rsa.GenerateKey(rand.Reader, rsaBits)
	}
	if err != nil {
		return DKIMKey{}, fmt.Errorf("make a DKIM key: %w", err)
	}
	return key, nil
}

// ParseDKIMKey reads what PEM wrote, or what openssl writes as PKCS #8 or PKCS #1.
func ParseDKIMKey(domain, selector string, text []byte) (DKIMKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return DKIMKey{}, ErrDKIMKey
	}
	key := DKIMKey{Domain: domain, Selector: selector}
	if parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		key.signer, _ = parsed.(crypto.Signer)
	} else if parsed, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		key.signer = parsed
	}
	switch signer := key.signer.(type) {
	case ed25519.PrivateKey:
		return key, nil
	case *rsa.PrivateKey:
		if signer.N.BitLen() >= fewestBits {
			return key, nil
		}
	}
	return DKIMKey{}, ErrDKIMKey
}

// PEM is the private key as its file holds it.
func (k DKIMKey) PEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.signer)
	if err != nil {
		return nil, fmt.Errorf("write a DKIM key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}), nil
}

// Name is where the public key stands in DNS.
func (k DKIMKey) Name() string { return k.Selector + "._domainkey." + k.Domain }

// Algorithm is rsa or ed25519, as in the record's k=.
func (k DKIMKey) Algorithm() string {
	if _, ok := k.signer.(ed25519.PrivateKey); ok {
		return ed25519Name
	}
	return rsaName
}

// Record is the TXT record to publish under Name (RFC 6376 section 3.6.1).
func (k DKIMKey) Record() string { return "v=DKIM1; k=" + k.Algorithm() + "; p=" + k.public() }

// public is the p= of the record: SubjectPublicKeyInfo for RSA, the bare key for Ed25519 (RFC 8463 section 4).
func (k DKIMKey) public() string {
	if key, ok := k.signer.Public().(ed25519.PublicKey); ok {
		return base64.StdEncoding.EncodeToString(key)
	}
	der, err := x509.MarshalPKIXPublicKey(k.signer.Public())
	if err != nil {
		return "" // an RSA key always has this form
	}
	return base64.StdEncoding.EncodeToString(der)
}

// Published says whether one of the TXT records found under Name is this key's.
func (k DKIMKey) Published(records []string) bool {
	for _, record := range records {
		for tag := range strings.SplitSeq(record, ";") {
			name, value, _ := strings.Cut(tag, "=")
			if strings.TrimSpace(name) == "p" && strings.Join(strings.Fields(value), "") == k.public() {
				return true
			}
		}
	}
	return false
}

// Keyring are the keys that sign, of all domains.
type Keyring []DKIMKey

// For are the keys that sign mail from a domain, RSA first: the newest selector of each algorithm, of the domain itself or
// of the nearest one above it that has keys, which DMARC counts as aligned (RFC 7489 section 3.1). None: the relay signs. A lost one is
// among them only where the domain has no other.
func (r Keyring) For(domain string) []DKIMKey {
	for domain != "" {
		var rsa, ed, lost *DKIMKey
		for i := range r {
			key := &r[i]
			if key.Domain != domain {
				continue
			}
			newest := &rsa
			switch {
			case key.lost != nil:
				if lost == nil {
					lost = key
				}
				continue
			case key.Algorithm() == ed25519Name:
				newest = &ed
			}
			if *newest == nil || key.Selector > (*newest).Selector {
				*newest = key
			}
		}
		switch {
		case rsa != nil && ed != nil:
			return []DKIMKey{*rsa, *ed}
		case rsa != nil:
			return []DKIMKey{*rsa}
		case ed != nil:
			return []DKIMKey{*ed}
		case lost != nil:
			return []DKIMKey{*lost}
		}
		_, domain, _ = strings.Cut(domain, ".")
	}
	return nil
}
