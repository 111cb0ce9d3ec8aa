package mailer_test

import (
	"bytes"
	"mime/quotedprintable"
	"net/mail"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"pressrun/newsletter/mailer"
)

// What is written here for speed is, to the octet, what the libraries write. Compose is no judge of it: it uses the same.

// lineByLibrary is a line of a part in quoted-printable, shielded.
func lineByLibrary(t tester, line mailer.Blank, name, token string) string {
	var encoded bytes.Buffer
	w := quotedprintable.NewWriter(&encoded)
	_, err := w.Write([]byte(line.Fill(name, token)))
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	encoded.WriteString("\r\n")
	return string(mailer.AppendShielded(nil, encoded.Bytes()))
}

func sameLine(t tester, line mailer.Blank, name, token string) {
	t.Helper()
	before := "before, with a CRLF\r\n"
	got := string(mailer.AppendLine([]byte(before), line, name, token))
	if want := before + lineByLibrary(t, line, name, token); got != want {
		t.Fatalf("%+v with %q and %q: got\n%q\nwant\n%q", line, name, token, got, want)
	}
}

func FuzzLine(f *testing.F) {
	f.Add("Dear ", "Ada", ", seven habits", "q7")
	f.Add(strings.Repeat("x", 72), "é", "=\t", "from")
	f.Add(strings.Repeat("x", 75)+" ", ".", " ", ".")
	f.Add("", "Fro", "m me. \xff", "q")
	f.Fuzz(func(t *testing.T, before, shown, after, key string) {
		if strings.ContainsAny(before+shown+after+key, "\r\n") || shown == "" || strings.TrimRight(shown, " \t") != shown || strings.TrimRight(key, " \t") != key || key == "" {
			return
		}
		sameLine(t, mailer.Blank{lit(before), name(""), lit(after), token, lit(before)}, shown, key)
		sameLine(t, mailer.Blank{token, name(""), lit(after)}, shown, key)
		sameLine(t, mailer.Blank{lit(after), lit(before), name("")}, shown, key)
	})
}

// The last octets of a line are the ones that differ: spaces before its end, an escape that doesn't fit.
func TestLineIsTheLibrarys(t *testing.T) {
	for width := range 240 {
		for _, end := range []string{"", " ", "\t", "  ", "é", "=", ".", " .", "é ", "a"} {
			line := mailer.Blank{lit(strings.Repeat("x", width) + end)}
			sameLine(t, line, "", "")
			sameLine(t, append(line, name(""), lit("."+end)), "Zoë", "")
			sameLine(t, append(mailer.Blank{name("")}, line...), ".", "")
			sameLine(t, mailer.Blank{lit(strings.Repeat(".", width)), name(""), lit(strings.Repeat("From ", width%9))}, "..", "")
		}
	}
}

// displayNames are names as headers may have them.
func displayNames() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		s := rapid.OneOf(
			rapid.StringOfN(rapid.RuneFrom([]rune("ab é歐=?_\"\\'.,👩\u200d\t")), 1, 120, -1), rapid.String(),
			rapid.StringOfN(rapid.RuneFrom([]rune("Щербаков é歐𠀀")), 1, 120, -1), rapid.StringOfN(rapid.RuneFrom(nil, unicode.Latin, unicode.Zs), 1, 60, -1),
		).Draw(t, "name")
		return strings.Join(strings.Fields(strings.ToValidUTF8(strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return -1
			}
			return r
		}, s), "")), " ")
	})
}

func TestDisplayNameIsTheLibrarys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := displayNames().Draw(t, "name")
		if s == "" {
			return
		}
		got := string(mailer.AppendPhrase([]byte("To: "), s))
		want := "To: " + strings.TrimSuffix((&mail.Address{Name: s, Address: "a@b"}).String(), " <a@b>")
		if got != want {
			t.Fatalf("%q: got\n%s\nwant\n%s", s, got, want)
		}
	})
}

func FuzzDisplayName(f *testing.F) {
	for _, letters := range scripts {
		f.Add(nameOf(letters, 60))
	}
	f.Fuzz(func(t *testing.T, s string) {
		if s == "" || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
			return
		}
		got := string(mailer.AppendPhrase(nil, s))
		if want := strings.TrimSuffix((&mail.Address{Name: s, Address: "a@b"}).String(), " <a@b>"); got != want {
			t.Errorf("%q: got\n%s\nwant\n%s", s, got, want)
		}
	})
}

// The grammar of the RFCs, as expressions.
var (
	atoms  = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010FFFF-]+(\\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010FFFF-]+)*$")
	labels = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$`)
)

func TestAddressGrammar(t *testing.T) {
	unfit := func(r rune) bool { return r >= utf8.RuneSelf && (!unicode.IsGraphic(r) || unicode.IsSpace(r)) }
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(
			rapid.StringMatching(`[a-zA-Z0-9.-]{0,20}`), rapid.StringMatching(`([a-z0-9-]{1,66}\.?){0,4}`), rapid.String(),
			rapid.StringOfN(rapid.RuneFrom([]rune("aZ0.-@[]{}_`^/: é\u00a0\u200b")), 0, 12, -1),
		).Draw(t, "text")
		if got, want := mailer.DotAtom(s), atoms.MatchString(s) && !strings.ContainsFunc(s, unfit); got != want {
			t.Fatalf("%q is a dot-atom: %v, want %v", s, got, want)
		}
		if got, want := mailer.HostName(s), labels.MatchString(s); got != want {
			t.Fatalf("%q is a host's name: %v, want %v", s, got, want)
		}
	})
}

func TestHeaderText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.StringOfN(rapid.RuneFrom([]rune("ab  é\u00a0\u2028\x7f~!")), 0, 30, -1)).Draw(t, "text")
		fit := utf8.ValidString(s) && len(s) <= 40 && !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' })
		want := strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' }), " ")
		if got, err := mailer.Text(s, 40); (err == nil) != fit || fit && got != want {
			t.Fatalf("%q: got %q, %v; want %q, fit: %v", s, got, err, want, fit)
		}
	})
}
