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
	bounded := true // no dot may come: the start, or a dot, is before it
	for i := 0; i < len(s); {
		size := 1
		switch b := s[i]; {
		case b == '.' && bounded:
			return false
		case b == '.':
		case b < utf8.RuneSelf:
			if !atext[b] {
				return false
			}
		default:
			var r rune
			if r, size = utf8.DecodeRuneInString(s[i:]); !unicode.IsGraphic(r) || unicode.IsSpace(r) {
				return false
			}
		}
		bounded = s[i] == '.'
		i += size
	}
	return !bounded
}

// atext is what stands in an atom, but for letters beyond ASCII.
var atext = func() (set [utf8.RuneSelf]bool) {
	for _, b := range []byte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~") {
		set[b] = true
	}
	return set
}()

// hostName is a domain name in ASCII: labels of letters, digits and inner hyphens, 63 octets at most.
func hostName(s string) bool {
	label := 0 // octets of the one at hand
	for i := range len(s) {
		b := s[i]
		if b == '.' {
			if label == 0 || s[i-1] == '-' {
				return false
			}
			label = 0
			continue
		}
		if b != '-' && (b|0x20 < 'a' || b|0x20 > 'z') && (b < '0' || b > '9') || b == '-' && label == 0 {
			return false
		}
		if label++; label > 63 {
			return false
		}
	}
	return label > 0 && s[len(s)-1] != '-'
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
