package importer

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	utf "golang.org/x/text/encoding/unicode"
)

// lineEnds makes one line end of all that programs write for one, the line and paragraph separators included.
var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\v", "\n", "\f", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n")

// decode turns a file into text: UTF-8 with or without a byte order mark, UTF-16 with one, else Windows-1252. The text is
// empty where a problem is fatal, and every line of it ends in \n.
func decode(b []byte) (string, []Problem) {
	var problems []Problem
	text := ""
	switch {
	case bytes.HasPrefix(b, []byte("\xff\xfe")), bytes.HasPrefix(b, []byte("\xfe\xff")):
		decoded, err := utf.UTF16(utf.LittleEndian, utf.UseBOM).NewDecoder().Bytes(b)
		if err != nil {
			return "", []Problem{{What: "its UTF-16 is broken: " + err.Error(), Mend: "save it as UTF-8", Fatal: true}}
		}
		text = string(decoded)
	case utf8.Valid(b):
		text = strings.TrimPrefix(string(b), "\ufeff")
	default:
		decoded, p := windows1252(b)
		text, problems = decoded, []Problem{p}
		if p.Fatal {
			return "", problems
		}
	}
	text = lineEnds.Replace(text)
	if i := strings.IndexFunc(text, isControl); i >= 0 {
		r, _ := utf8.DecodeRuneInString(text[i:])
		return "", []Problem{{
			Line: lineAt(text, i), What: fmt.Sprintf("holds the control character U+%04X, so it is no plain text", r),
			Mend: "save it as text in UTF-8", Fatal: true,
		}}
	}
	if strings.TrimSpace(text) == "" {
		return "", []Problem{{What: "it is empty", Mend: "write the text or remove the file", Fatal: true}}
	}
	return text, problems
}

// charsetOf is the character set of a name as the web has them (WHATWG Encoding Standard); nil: it is none, or UTF-8.
func charsetOf(label string) encoding.Encoding {
	if e, name := charset.Lookup(label); name != "utf-8" && name != "replacement" {
		return e
	}
	return nil
}

// isUTF8 says that bytes are UTF-8, which no text of length in another character set is by chance, but for those of escapes (ISO-2022-JP).
func isUTF8(b []byte) bool { return utf8.Valid(b) && !bytes.Contains(b, []byte("\x1b")) }

// pageBytes are those of a page as UTF-8, where it says in its head which other character set it has. All others stay as they are.
func pageBytes(b []byte) []byte {
	if isUTF8(b) {
		return b
	}
	_, label, _ := charset.DetermineEncoding(b, "")
	if label == "windows-1252" { // which is said of all pages that say nothing
		return b
	}
	return recoded(b, charsetOf(label))
}

// recoded are bytes in a character set as UTF-8; those of nil stay as they are.
func recoded(b []byte, from encoding.Encoding) []byte {
	if from == nil {
		return b
	}
	if decoded, err := from.NewDecoder().Bytes(b); err == nil {
		return decoded
	}
	return b
}

// windows1252 reads bytes that are no UTF-8. Text with more good than broken UTF-8 in it is damaged UTF-8: reading it
// as Windows-1252 would spoil every accent.
func windows1252(b []byte) (string, Problem) {
	good, bad, first := 0, 0, -1
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			bad++
			if first < 0 {
				first = i
			}
		case n > 1:
			good++
		}
		i += n
	}
	line := 1 + bytes.Count(b[:first], []byte("\n"))
	text, err := charmap.Windows1252.NewDecoder().String(string(b))
	if err != nil || good > bad || strings.ContainsRune(text, utf8.RuneError) {
		return "", Problem{
			Line: line, What: fmt.Sprintf("the byte 0x%02X is no UTF-8", b[first]),
			Mend: "save the file as UTF-8", Fatal: true,
		}
	}
	return text, Problem{
		Line: line, What: "it is not UTF-8 and was read as Windows-1252",
		Mend: "look at its accents and quotation marks, or save it as UTF-8",
	}
}

func lineAt(text string, offset int) int { return 1 + strings.Count(text[:offset], "\n") }

func isControl(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }
