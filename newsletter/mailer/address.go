package mailer

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// wireAddress checks an address and gives it as it stands in envelope and headers: the local part as typed, the domain as
// A-label in lower case (UTS 46, RFC 5891). needsUTF8 tells that the local part can't travel without SMTPUTF8. Quoted
// local parts and address literals are refused.
func wireAddress(address string) (wire string, needsUTF8 bool, err error) {
	at := strings.LastIndexByte(address, '@')
	if at < 1 || at == len(address)-1 || !utf8.ValidString(address) {
		return "", false, ErrAddress
	}
	local, domain := address[:at], address[at+1:]
	if len(local) > 64 || !dotAtom(local) {
		return "", false, ErrAddress
	}
	name := domain
	if !plainDomain(domain) {
		if name, err = idna.Lookup.ToASCII(domain); err != nil {
			return "", false, fmt.Errorf("domain: %w", ErrAddress)
		}
	}
	if len(name) > 255 || !hostName(name) {
		return "", false, fmt.Errorf("domain: %w", ErrAddress)
	}
	if name == domain {
		return address, !ascii(local), nil
	}
	return local + "@" + name, !ascii(local), nil
}

// plainDomain tells of the usual domain, which is its own A-label, without the work of finding out.
func plainDomain(s string) bool {
	for i := range len(s) {
		if b := s[i]; (b < 'a' || b > 'z') && (b < '0' || b > '9') && b != '.' {
			return false
		}
	}
	return true
}

// dotAtom is RFC 5322 section 3.2.3 with the letters of RFC 6532: no quotes, no spaces, no dot at an end or beside another.
func dotAtom(s string) bool {
	if s == "" || strings.HasPrefix(s, ".") || strings.HasSuffix(s, ".") || strings.Contains(s, "..") {
		return false
	}
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r):
		case r > unicode.MaxASCII && unicode.IsGraphic(r) && !unicode.IsSpace(r):
		default:
			return false
		}
	}
	return true
}

// hostName is a domain name in ASCII: labels of letters, digits and inner hyphens, 63 octets at most.
func hostName(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, r := range label {
			if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-') {
				return false
			}
		}
	}
	return s != ""
}

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}
