package subscribers

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	textunicode "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// A spool is a file of people as UTF-8 without a byte order mark, on the disk, so that it can be read more than once however
// large it is. No name leads to it: it is gone when it is closed, and when the process dies.
type spool struct {
	file    *os.File
	size    int64
	sum     string // hex SHA-256 of the file as it came
	charset string // that it was read as without saying so; empty: it is UTF-8, or UTF-16
}

// newSpool reads in to its end. The spool stands in dir. Errors wrap ErrImport where the file is at fault.
func newSpool(dir string, in io.Reader) (*spool, error) {
	return spooled(dir, func(s *spool) error {
		marked, err := s.fill(in)
		if err == nil && !marked {
			err = s.recode(dir)
		}
		return err
	})
}

// keptSpool reads the file of an import as it was kept: its text was decoded, which may have made it larger than a file may be, and is
// taken as it is. The sum is that of the file as it came.
func keptSpool(dir string, in io.Reader, sum string) (*spool, error) {
	return spooled(dir, func(s *spool) (err error) {
		s.sum = sum
		if s.size, err = io.Copy(s.file, in); err != nil {
			return fmt.Errorf("read the file: %w", err)
		}
		return nil
	})
}

func spooled(dir string, fill func(*spool) error) (*spool, error) {
	f, err := nameless(dir)
	if err != nil {
		return nil, fmt.Errorf("keep the file: %w", err)
	}
	s := &spool{file: f}
	if err := fill(s); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// nameless makes a file that no name leads to.
func nameless(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, ".pressrun-import-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// fill says besides whether the file is marked as UTF-8.
func (s *spool) fill(in io.Reader) (marked bool, err error) {
	sum := sha256.New()
	limited := &io.LimitedReader{R: in, N: maxSheet + 1}
	raw := bufio.NewReaderSize(io.TeeReader(limited, sum), 64<<10)
	head, err := raw.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("read the file: %w", err)
	}
	marked = bytes.HasPrefix(head, []byte("\ufeff"))
	if s.size, err = io.Copy(s.file, transform.NewReader(raw, decoder(head))); err != nil {
		return false, fmt.Errorf("read the file: %w", err)
	}
	if limited.N == 0 {
		return false, fmt.Errorf("%w: the file is larger than %d MB: split it", ErrImport, maxSheet>>20)
	}
	s.sum = hex.EncodeToString(sum.Sum(nil))
	return marked, nil
}

// decoder follows a byte order mark; without one it takes what has a NUL in its first character for UTF-16.
func decoder(head []byte) transform.Transformer {
	plain := encoding.Nop.NewDecoder().Transformer
	if len(head) >= 2 && head[0] == 0 && head[1] != 0 {
		plain = textunicode.UTF16(textunicode.BigEndian, textunicode.IgnoreBOM).NewDecoder()
	} else if len(head) >= 2 && head[0] != 0 && head[1] == 0 {
		plain = textunicode.UTF16(textunicode.LittleEndian, textunicode.IgnoreBOM).NewDecoder()
	}
	return textunicode.BOMOverride(plain)
}

// recode reads what is no UTF-8 as Windows-1252, which spreadsheets write, unless it says that it is UTF-8. A file with more good than broken
// UTF-8 in it is damaged UTF-8: all its accents would be spoilt, so its faults stay those of their cells.
func (s *spool) recode(dir string) error {
	is, err := s.isWindows1252()
	if err != nil || !is {
		return err
	}
	f, err := nameless(dir)
	if err != nil {
		return fmt.Errorf("keep the file: %w", err)
	}
	size, err := io.Copy(f, transform.NewReader(s.reader(0), charmap.Windows1252.NewDecoder()))
	if err != nil {
		return errors.Join(fmt.Errorf("keep the file: %w", err), f.Close())
	}
	read := s.file
	s.file, s.size, s.charset = f, size, "Windows-1252"
	return read.Close()
}

// isWindows1252 says whether a file has at least as many octets that are no UTF-8 as characters of more than one octet that are, and all
// of them are letters of Windows-1252.
func (s *spool) isWindows1252() (bool, error) {
	good, bad := 0, 0
	in := bufio.NewReaderSize(s.reader(0), 64<<10)
	for {
		r, n, err := in.ReadRune()
		raw := byte(0)
		switch {
		case errors.Is(err, io.EOF):
			return bad > 0 && bad >= good, nil
		case err != nil:
			return false, fmt.Errorf("read the file: %w", err)
		case r < utf8.RuneSelf:
			continue
		case n > 1:
			good++
			continue
		}
		bad++
		if err = in.UnreadRune(); err == nil {
			raw, err = in.ReadByte()
		}
		if err != nil || charmap.Windows1252.DecodeByte(raw) == utf8.RuneError {
			return false, err
		}
	}
}

// isGarbled says whether text that was taken for Windows-1252 looks like one of another character set: it has other characters than German,
// French and Spanish write in words, or a word almost only of these, but for one such as “à”.
func isGarbled(text string) bool {
	for word := range strings.FieldsSeq(unquoted(text)) {
		for _, article := range []string{"d’", "l’"} {
			word = strings.TrimPrefix(strings.ToLower(word), article)
		}
		plain, accented := 0, 0
		runes := []rune(word)
		for i, r := range runes {
			switch {
			case r < utf8.RuneSelf && unicode.IsLetter(r):
				plain++
			case r < utf8.RuneSelf, isSign(runes, i):
			case !strings.ContainsRune("äöüßàâæçèéêëîïôœùûáíóúñ", r):
				return true
			default:
				accented++
			}
		}
		if accented > plain+1 {
			return true
		}
	}
	return false
}

// isSign says whether a character of a word, in lower case, is a sign: what is a letter in no other set, or has none beside it. The Mac's ß
// is §, and its Ä, as DOS's Ç, is €. With a letter only nº, m² and m³ are written.
func isSign(word []rune, i int) bool {
	const signs, letters = "°«»©", "€£§²³º·–—’“”„¿¡"
	r, before, behind := word[i], ' ', ' '
	if i > 0 {
		before = word[i-1]
	}
	if i+1 < len(word) {
		behind = word[i+1]
	}
	switch {
	case strings.ContainsRune(signs, r):
		return true
	case !strings.ContainsRune(letters, r), unicode.IsLetter(behind):
		return false
	}
	return !unicode.IsLetter(before) || r == 'º' && before == 'n' || (r == '²' || r == '³') && before == 'm'
}

// unquoted is a text without the marks around a part of it, each of which is a letter in some other set; in none does a word begin with the
// one and another end with the other.
func unquoted(text string) string {
	for _, marks := range [][2]string{{"„", "“"}, {"„", "”"}, {"“", "”"}, {"¿", "?"}, {"¡", "!"}} {
		before, rest, opens := strings.Cut(text, marks[0])
		inner, behind, closes := strings.Cut(rest, marks[1])
		last, _ := utf8.DecodeLastRuneInString(before)
		if opens && closes && !unicode.IsLetter(last) && !unicode.IsLetter(firstRune(behind)) {
			text = before + " " + inner + " " + behind
		}
	}
	return text
}

// beside is the folder where a database's spools stand: its own, which has room for people and is its owner's.
func beside(path string) string { return filepath.Dir(path) }

// reader reads from an offset to the end.
func (s *spool) reader(from int64) io.Reader {
	return io.NewSectionReader(s.file, from, s.size-from)
}

// head is the beginning of the file.
func (s *spool) head() ([]byte, error) {
	b := make([]byte, min(s.size, 64<<10))
	_, err := io.ReadFull(s.reader(0), b)
	return bytes.TrimSuffix(b, []byte("\r")), err // perhaps half of an end of a line
}

func (s *spool) Close() error { return s.file.Close() }
