package subscribers

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	textunicode "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/language"
	"golang.org/x/text/transform"
)

// ErrImport says that a file of people can't be imported as it is; the text says where and what to do.
var ErrImport = errors.New("nothing was imported")

// maxSheet bounds a file in octets: about two million people.
const maxSheet = 256 << 20

// What a file says of a person: the words that Export writes.
const (
	rowPending      = "pending"
	rowActive       = "active"
	rowPaused       = "paused"
	rowUnsubscribed = "unsubscribed"
	rowBounced      = "bounced"
	rowComplained   = "complained"
	rowSuppressed   = "suppressed"
)

// rowStates are the words of other services for a person's state, folded.
var rowStates = map[string]string{
	"active": rowActive, "subscribed": rowActive, "confirmed": rowActive, "enabled": rowActive, "regular": rowActive,
	"premium": rowActive, "gifted": rowActive, "optedin": rowActive,

	"pending": rowPending, "unconfirmed": rowPending, "notconfirmed": rowPending, "unactivated": rowPending,
	"validating": rowPending, "nonsubscribed": rowPending,

	"paused": rowPaused,

	"unsubscribed": rowUnsubscribed, "optedout": rowUnsubscribed, "cancelled": rowUnsubscribed, "canceled": rowUnsubscribed,
	"removed": rowUnsubscribed, "deleted": rowUnsubscribed, "archived": rowUnsubscribed, "disabled": rowUnsubscribed, "inactive": rowUnsubscribed,

	"bounced": rowBounced, "cleaned": rowBounced, "undeliverable": rowBounced, "invalid": rowBounced, "hardbounced": rowBounced,

	"complained": rowComplained, "complaint": rowComplained, "junk": rowComplained, "spam": rowComplained, "markedasspam": rowComplained,

	"suppressed": rowSuppressed, "blocklisted": rowSuppressed, "blacklisted": rowSuppressed, "blocked": rowSuppressed, "banned": rowSuppressed,
}

// hint is a column of another service that says of a person that they are gone; it is kept as a field besides.
type hint struct {
	column string // folded
	when   func(cell string) bool
	state  string
}

var hints = []hint{
	{"unsubtime", isFilled, rowUnsubscribed},
	{"unsubscribedat", isFilled, rowUnsubscribed},
	{"deletedat", isFilled, rowUnsubscribed},
	{"cleantime", isFilled, rowBounced},
	{"emaildisabled", isYes, rowUnsubscribed},
	{"subscribedtoemails", isNo, rowUnsubscribed},
	{"acceptsmarketing", isNo, rowUnsubscribed},
	{"subscribed", isNo, rowUnsubscribed},
}

func isFilled(cell string) bool { return cell != "" }
func isYes(cell string) bool    { return slices.Contains([]string{"true", "yes", "1"}, fold(cell)) }
func isNo(cell string) bool     { return slices.Contains([]string{"false", "no", "0"}, fold(cell)) }

// fold writes a column name or a state without what services spell differently: case, spaces, hyphens.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// columns say where in a line the known values stand; -1 for nowhere.
type columns struct{ email, name, first, last, state, language, since int }

// exportHeader are the columns that Export writes before the fields.
var exportHeader = []string{"email", "name", "state", "language", "subscribed"}

// sheet is a file of people, decoded.
type sheet struct {
	data   []byte // UTF-8, without a byte order mark
	sum    string // hex SHA-256 of the file as it came
	comma  rune
	header []string // nil: one column of addresses without a header
	columns
	hints map[int]hint // by the column's place
	ours  bool         // written by Export: its columns after the first five are fields, and its apostrophes come off again
}

// readSheet decodes a file and reads its header. Errors wrap ErrImport.
func readSheet(file io.Reader) (*sheet, error) {
	raw, err := io.ReadAll(io.LimitReader(file, maxSheet+1))
	if err != nil {
		return nil, fmt.Errorf("read the file: %w", err)
	}
	if len(raw) > maxSheet {
		return nil, fmt.Errorf("%w: the file is larger than %d MB: split it", ErrImport, maxSheet>>20)
	}
	sum := sha256.Sum256(raw)
	data, _, err := transform.Bytes(textunicode.BOMOverride(encoding.Nop.NewDecoder()), raw)
	if err != nil {
		return nil, fmt.Errorf("%w: the file's text is damaged (%w)", ErrImport, err)
	}
	s := &sheet{data: data, sum: hex.EncodeToString(sum[:]), comma: sniff(data)}
	first, err := s.reader().Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: the file is empty", ErrImport)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: the first line is no CSV (%w)", ErrImport, err)
	}
	return s, s.readHeader(first)
}

// sniff finds the delimiter: the most frequent candidate of the first line, outside of quotes.
func sniff(data []byte) rune {
	const candidates = ",;\t|"
	counts := map[rune]int{}
	quoted := false
	for _, b := range data {
		if b == '"' {
			quoted = !quoted
		} else if b == '\n' && !quoted {
			break
		} else if !quoted {
			counts[rune(b)]++
		}
	}
	best := ','
	for _, c := range candidates {
		if counts[c] > counts[best] {
			best = c
		}
	}
	return best
}

func (s *sheet) reader() *csv.Reader {
	r := csv.NewReader(bytes.NewReader(s.data))
	r.Comma = s.comma
	r.FieldsPerRecord = -1 // counted where the fault can be told with its line
	r.ReuseRecord = true
	return r
}

// readHeader finds the columns. A first line that names no column but has an "@" in it is people already.
func (s *sheet) readHeader(first []string) error {
	for i, name := range first {
		name = strings.TrimSpace(name)
		if name == "" {
			name = fmt.Sprintf("column %d", i+1)
		}
		s.header = append(s.header, name)
	}
	if len(s.header) >= len(exportHeader) && slices.Equal(s.header[:len(exportHeader)], exportHeader) {
		s.ours = true
		s.columns = columns{email: 0, name: 1, first: -1, last: -1, state: 2, language: 3, since: 4}
		for i, name := range s.header {
			s.header[i] = disarmed(name)
		}
	} else {
		s.columns, s.hints = s.findColumns(), s.findHints()
	}
	people := strings.Contains(strings.Join(first, ""), "@")
	switch {
	case s.email >= 0:
		return s.checkFieldNames()
	case people && len(first) > 1:
		return fmt.Errorf("%w: the first line must name the columns, one of them email", ErrImport)
	case people:
		s.header, s.columns = nil, columns{0, -1, -1, -1, -1, -1, -1}
		return nil
	}
	return fmt.Errorf("%w: no column is called email (there are: %s)", ErrImport, strings.Join(s.header, ", "))
}

// findColumns looks for the names that services use, the surest first: an "Address" beside an "Email" is a street.
func (s *sheet) findColumns() columns {
	c := columns{since: -1}
	c.email = s.column("email", "emailaddress", "mail", "mailaddress", "subscriber", "address")
	c.name = s.column("name", "fullname", "displayname", "subscribername")
	c.first, c.last = -1, -1
	if c.name < 0 {
		c.first = s.column("firstname", "fname", "givenname", "first")
		c.last = s.column("lastname", "lname", "surname", "familyname", "last")
	}
	c.state = s.column("status", "subscriptionstatus", "subscriberstatus", "subscribertype", "state")
	c.language = s.column("language", "lang", "locale")
	return c
}

func (s *sheet) findHints() map[int]hint {
	found := map[int]hint{}
	for _, h := range hints {
		if i := s.column(h.column); i >= 0 {
			found[i] = h
		}
	}
	return found
}

// column returns the place of the first of names that the header has.
func (s *sheet) column(names ...string) int {
	for _, name := range names {
		for i, h := range s.header {
			if fold(h) == name {
				return i
			}
		}
	}
	return -1
}

// isKnown says whether a column's value has a place of its own, so that it is no field.
func (s *sheet) isKnown(i int) bool {
	c := s.columns
	return slices.Contains([]int{c.email, c.name, c.first, c.last, c.state, c.language, c.since}, i)
}

func (s *sheet) checkFieldNames() error {
	seen := map[string]bool{}
	for i, name := range s.header {
		if s.isKnown(i) {
			continue
		}
		if seen[name] {
			return fmt.Errorf("%w: two columns are called %s: rename one", ErrImport, name)
		}
		seen[name] = true
	}
	return nil
}

// row is one line of a sheet.
type row struct {
	line  int
	email string // as it stands there
	fault error  // why it can't be taken; then only line and email are set
	addr  Address
	Addition
	state string    // one of the words above; "": the file doesn't say
	since time.Time // when they came; zero: it doesn't say
	until time.Time // of rowPaused
}

// each calls f for every line that has people, in order. After a line that is no CSV nothing can be read.
func (s *sheet) each(f func(row) error) error {
	r := s.reader()
	for first := true; ; first = false {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		var bad *csv.ParseError
		if errors.As(err, &bad) {
			return f(row{line: bad.StartLine, fault: fmt.Errorf("this line and what follows can't be read as CSV: %w", bad.Err)})
		}
		if err != nil {
			return err
		}
		if first && s.header != nil || isBlank(cells) {
			continue
		}
		line, _ := r.FieldPos(0)
		if err := f(s.parse(line, cells)); err != nil {
			return err
		}
	}
}

func isBlank(cells []string) bool {
	return !slices.ContainsFunc(cells, func(c string) bool { return strings.TrimSpace(c) != "" })
}

// parse reads one line. Faults never repeat the address: reports may end up in logs.
func (s *sheet) parse(line int, cells []string) row {
	r := row{line: line, email: strings.TrimSpace(s.cell(cells, s.email))}
	r.Email = r.email
	if extra := max(1, len(s.header)); len(cells) > extra && !isBlank(cells[extra:]) {
		r.fault = fmt.Errorf("it has %d cells, the first line %d: is a cell with %q in it not quoted?", len(cells), extra, s.comma)
		return r
	}
	if r.fault = checkUTF8(cells); r.fault != nil {
		r.email = strings.ToValidUTF8(r.email, "\uFFFD")
		return r
	}
	r.Name = s.cell(cells, s.name)
	if s.name < 0 {
		r.Name = strings.TrimSpace(s.cell(cells, s.first) + " " + s.cell(cells, s.last))
	}
	r.Fields = s.fields(cells)
	s.parseLanguage(&r, cells)
	s.parseSince(&r, cells)
	if r.fault = s.parseState(&r, cells); r.fault != nil {
		return r
	}
	r.addr, r.Addition, r.fault = r.Addition.parse()
	return r
}

func checkUTF8(cells []string) error {
	for _, c := range cells {
		if !utf8.ValidString(c) {
			return errors.New("it is not UTF-8: save the file as “CSV UTF-8”")
		}
	}
	return nil
}

// cell is a value without surrounding space and, of our own files, without the apostrophe that keeps it from being a formula.
func (s *sheet) cell(cells []string, i int) string {
	if i < 0 || i >= len(cells) {
		return ""
	}
	if s.ours {
		return disarmed(cells[i])
	}
	return strings.TrimSpace(cells[i])
}

func (s *sheet) fields(cells []string) map[string]string {
	fields := map[string]string{}
	for i, name := range s.header {
		if value := s.cell(cells, i); value != "" && !s.isKnown(i) {
			fields[name] = value
		}
	}
	return fields
}

// parseLanguage takes a BCP 47 tag; anything else is kept as a field.
func (s *sheet) parseLanguage(r *row, cells []string) {
	value := s.cell(cells, s.language)
	if _, err := language.Parse(value); err == nil {
		r.Language = value
	} else if value != "" {
		r.Fields[s.header[s.language]] = value
	}
}

// parseSince takes the date that Export writes; anything else is kept as a field.
func (s *sheet) parseSince(r *row, cells []string) {
	value := s.cell(cells, s.since)
	if t, err := time.Parse(time.RFC3339, value); err == nil && t.UnixMilli() > 0 {
		r.since = t
	} else if value != "" {
		r.Fields[s.header[s.since]] = value
	}
}

// parseState reads the state's column and the hints; whatever says that somebody is gone wins.
func (s *sheet) parseState(r *row, cells []string) error {
	value := s.cell(cells, s.state)
	word, until, dated := strings.Cut(value, " until ")
	if dated && fold(word) == rowPaused {
		t, err := time.Parse(time.RFC3339, until)
		if err != nil {
			return fmt.Errorf("the pause's end %q is no date such as 2027-03-30T09:00:00Z", until)
		}
		r.until, value = t, word
	}
	known := false
	if r.state, known = rowStates[fold(value)]; !known && value != "" {
		return fmt.Errorf("the state %q is not known: write active, pending, unsubscribed, bounced, complained or suppressed, or rename the column", value)
	}
	if r.state == rowPaused && !dated {
		r.state = rowPending // no date, so nobody knows when: they say so by confirming
	}
	if isGone(r.state) {
		return nil
	}
	for i, h := range s.hints { // a bounce outweighs an unsubscribe
		if h.when(s.cell(cells, i)) && r.state != rowBounced {
			r.state = h.state
		}
	}
	return nil
}

// isGone says whether somebody of this state must not get mail.
func isGone(state string) bool {
	return state == rowUnsubscribed || state == rowBounced || state == rowComplained || state == rowSuppressed
}

// armed leads a cell that a spreadsheet would run as a formula by an apostrophe, and one that begins so already by
// another, so that disarmed gives each back as it was.
func armed(cell string) string {
	if isFormula(cell) {
		return "'" + cell
	}
	return cell
}

func disarmed(cell string) string {
	if strings.HasPrefix(cell, "'") && isFormula(cell) {
		return cell[1:]
	}
	return cell
}

func isFormula(cell string) bool {
	rest := strings.TrimLeft(cell, "'")
	return rest != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", firstRune(rest))
}

func firstRune(s string) rune {
	r, _ := utf8.DecodeRuneInString(s)
	return r
}
