package subscribers

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// ErrAddress says that a text is no mail address that we can take.
var ErrAddress = errors.New("not a mail address")

// Octets, by RFC 5321 section 4.5.3.1: a path of 256 has the angle brackets in it.
const (
	maxLocal   = 64
	maxDomain  = 253 // RFC 1035 section 3.1, without the root's dot
	maxLabel   = 63
	maxAddress = 254
)

// Address is one checked mail address (RFC 5321 section 4.1.2, without quoted local parts and address literals).
type Address struct {
	Typed  string // as typed, without surrounding space
	Key    string // comparison form: NFC, lower case, domain as A-label
	Wire   string // local part as typed, domain as A-label: what SMTP gets
	Domain string // of Key
}

// ParseAddress checks s. The error wraps ErrAddress and says what is wrong with it, without repeating it.
func ParseAddress(s string) (Address, error) {
	typed := strings.TrimSpace(s)
	at := strings.LastIndexByte(typed, '@')
	switch {
	case typed == "":
		return Address{}, badAddress("it is empty")
	case len(typed) > 4*maxAddress: // a domain may be longer in UTF-8 than as A-label
		return Address{}, badAddress("it is longer than 254 octets")
	case !utf8.ValidString(typed):
		return Address{}, badAddress("it is not UTF-8")
	case at < 0:
		return Address{}, badAddress("it has no @")
	}
	local := typed[:at]
	if err := checkLocal(local); err != nil {
		return Address{}, err
	}
	domain, err := parseDomain(typed[at+1:])
	if err != nil {
		return Address{}, err
	}
	// Lower case can be longer than what was typed, and both forms must be addresses.
	key := strings.ToLower(local)
	if !isASCII(local) {
		key = norm.NFC.String(strings.ToLower(norm.NFC.String(local)))
	}
	if longest := max(len(local), len(key)); longest > maxLocal {
		return Address{}, badAddress("the part before the @ is longer than 64 octets")
	} else if longest+1+len(domain) > maxAddress {
		return Address{}, badAddress("it is longer than 254 octets")
	}
	a := Address{Typed: typed, Wire: typed, Domain: domain}
	if domain != typed[at+1:] {
		a.Wire = local + "@" + domain
	}
	if a.Key = a.Wire; key != local {
		a.Key = key + "@" + domain
	}
	return a, nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func badAddress(why string) error { return fmt.Errorf("%w: %s", ErrAddress, why) }

// checkLocal takes a dot-string (RFC 5321 section 4.1.2), with RFC 6531's letters beyond ASCII.
func checkLocal(local string) error {
	switch {
	case local == "":
		return badAddress("nothing stands before the @")
	case local[0] == '"':
		return badAddress("quoted names before the @ are not taken")
	case local[0] == '.' || local[len(local)-1] == '.' || strings.Contains(local, ".."):
		return badAddress("a dot before the @ must stand between two other characters")
	}
	for _, r := range local {
		if r == '@' {
			return badAddress("it has more than one @: write each of several addresses on its own")
		}
		if !isLocal(r) {
			return badAddress(fmt.Sprintf("%q can't stand before the @", r))
		}
	}
	return nil
}

// isLocal says whether r may stand in a local part: what can be seen, so no space, control or direction mark.
func isLocal(r rune) bool {
	if r >= utf8.RuneSelf {
		return r != utf8.RuneError && unicode.IsPrint(r)
	}
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(".!#$%&'*+-/=?^_`{|}~", r)
}

// parseDomain returns the A-label form of a domain that can be on the public net: UTS 46 non-transitional with IDNA2008's
// look-up rules (RFC 5891 section 5).
func parseDomain(s string) (string, error) {
	if strings.HasPrefix(s, "[") {
		return "", badAddress("an address literal is not taken, only a domain")
	}
	domain := s
	if !isPlainDomain(s) {
		var err error
		if domain, err = idna.Lookup.ToASCII(s); err != nil || domain == "" {
			return "", badAddress("what stands after the @ can't be a domain")
		}
	}
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || len(label) > maxLabel {
			return "", badAddress("a part of the domain is empty or longer than 63 octets")
		}
	}
	last := domain[strings.LastIndexByte(domain, '.')+1:]
	switch {
	case len(domain) > maxDomain:
		return "", badAddress("the domain is longer than 253 octets")
	case last == domain:
		return "", badAddress("the domain has no dot, as example.org has")
	case strings.Trim(last, "0123456789") == "":
		return "", badAddress("an address literal is not taken, only a domain")
	case last == "localhost":
		return "", badAddress("localhost is every machine's own name")
	}
	return domain, nil
}

// isPlainDomain says whether s is lower-case letters, digits and hyphens as idna leaves them: nearly all are, and asking it takes
// longer than the rest of an address.
func isPlainDomain(s string) bool {
	start := 0
	for i := 0; i <= len(s); i++ {
		if i < len(s) && (s[i] >= 'a' && s[i] <= 'z' || s[i] >= '0' && s[i] <= '9') {
			continue
		}
		if i < len(s) && s[i] == '-' {
			if i == start || i-start == 3 && s[i-1] == '-' { // "xn--" and its like mean something
				return false
			}
			continue
		}
		if i < len(s) && s[i] != '.' || i == start || s[i-1] == '-' || i-start > maxLabel {
			return false
		}
		start = i + 1
	}
	return true
}

// Masked shows an address without giving it away: a••••@example.org.
func (a Address) Masked() string { return a.masked(0) }

// masked shows besides the first letter the one at a place behind it, where there is one: a••n••@example.org.
func (a Address) masked(shown int) string {
	if a.Typed == "" {
		return ""
	}
	at := strings.LastIndexByte(a.Typed, '@')
	local := []rune(a.Typed[:at])
	if shown == 0 || shown >= len(local) {
		return string(local[0]) + "••••" + a.Typed[at:]
	}
	return string(local[0]) + "••" + string(local[shown]) + "••" + a.Typed[at:]
}

// MaskedApart masks two addresses of which people must see that they are two: where both look the same, with the first letter in
// which they differ. How many letters there are stays unsaid.
func MaskedApart(a, b Address) (maskedA, maskedB string) {
	maskedA, maskedB = a.Masked(), b.Masked()
	if maskedA != maskedB || a.Typed == b.Typed {
		return maskedA, maskedB
	}
	one, other := []rune(a.Typed), []rune(b.Typed)
	differ := 0
	for one[differ] == other[differ] {
		differ++
	}
	return a.masked(differ), b.masked(differ)
}
