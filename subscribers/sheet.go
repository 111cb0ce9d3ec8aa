package subscribers

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// ErrImport says that a file of people can't be imported as it is; the text says where and what to do.
var ErrImport = errors.New("nothing was imported")

// maxSheet bounds a file in octets: some ten million people.
const maxSheet = 1 << 30

// sheet is a file of people with its header read. Whoever opens one closes its spool.
type sheet struct {
	*spool
	comma  byte
	end    byte     // of a line
	from   int64    // where the header or, without one, the first row stands
	lines  int      // before that
	header []string // nil: one column of addresses without a header
	fields []fieldColumn
	columns
	hints     []placedHint
	place     int            // the column called as one of states that says where people live; -1: none
	unread    []unreadColumn // columns that sound like consent and are not understood
	fileState string         // of all rows that don't say theirs, where the file is one of a service's files by state; empty: none
	ours      bool           // written by Export: its apostrophes come off again
	ofGone    bool           // a list of who may not be mailed, in which no hint says that somebody is here
	layout    string         // of the last date that was read
	zones     map[string]bool
}

// fieldColumn is a column that is kept as a field.
type fieldColumn struct {
	place int
	name  string
	json  string // the name as JSON writes it, with the colon
}

// readSheet reads the header of a file of people who come as a state. Errors wrap ErrImport.
func readSheet(file *spool, as State) (*sheet, error) {
	head, err := file.head()
	if err != nil {
		return nil, fmt.Errorf("read the file: %w", err)
	}
	s := &sheet{spool: file, end: '\n', place: -1, ofGone: as == Suppressed}
	if bytes.IndexByte(head, '\n') < 0 && bytes.IndexByte(head, '\r') >= 0 {
		s.end = '\r'
	}
	if s.comma = s.named(head); s.comma == 0 {
		s.comma = sniff(head, s.end)
	}
	first, err := s.records().next()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: the file is empty", ErrImport)
	}
	if err != nil {
		return nil, fmt.Errorf("read the file: %w", err)
	}
	if first.fault != nil {
		return nil, fmt.Errorf("%w: the first line is no CSV (%w)", ErrImport, first.fault)
	}
	var cells []string
	for _, cell := range first.cells {
		cells = append(cells, string(cell))
	}
	return s, s.readHeader(cells)
}

// named reads the line "sep=;" by which a spreadsheet is told the delimiter, and passes over it; 0 where there is none.
func (s *sheet) named(head []byte) byte {
	line, _, _ := bytes.Cut(head, []byte{s.end})
	line = bytes.TrimSuffix(line, []byte("\r"))
	if len(line) != len("sep=;") || !bytes.EqualFold(line[:4], []byte("sep=")) {
		return 0
	}
	s.from, s.lines = int64(bytes.IndexByte(head, s.end)+1), 1
	return line[4]
}

// sniff finds the delimiter: the most frequent candidate of the first line, outside of quotes.
func sniff(data []byte, end byte) byte {
	const candidates = ",;\t|"
	counts := map[byte]int{}
	quoted := false
	for _, b := range data {
		if b == '"' {
			quoted = !quoted
		} else if b == end && !quoted {
			break
		} else if !quoted {
			counts[b]++
		}
	}
	best := byte(',')
	for _, c := range []byte(candidates) {
		if counts[c] > counts[best] {
			best = c
		}
	}
	return best
}

func (s *sheet) records() *recordReader {
	return &recordReader{in: bufio.NewReaderSize(s.reader(s.from), 64<<10), comma: s.comma, end: s.end, lines: s.lines}
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
		s.ours, s.columns = true, exportColumns()
		for i, name := range s.header {
			s.header[i] = disarmed(name)
		}
	} else {
		s.columns, s.fileState = s.findColumns(), s.findState()
	}
	people := strings.Contains(strings.Join(first, ""), "@")
	switch {
	case s.email >= 0:
		err := s.dropPlaces()
		if err == nil {
			err = s.findLoneState()
		}
		if err == nil {
			err = s.findHints()
		}
		if err == nil {
			err = s.findUnread()
		}
		if err != nil {
			return fmt.Errorf("read the file: %w", err)
		}
		return s.findFields()
	case people && len(first) > 1:
		return fmt.Errorf("%w: the first line must name the columns, one of them email; add one such as “email,name”", ErrImport)
	case people:
		s.header, s.columns = nil, addressesOnly()
		return nil
	}
	return s.noEmail()
}

// noEmail says what to do about a header that names no column of addresses, by what stands in the line below it.
func (s *sheet) noEmail() error {
	r := s.records()
	_, err := r.next()
	if err != nil {
		return fmt.Errorf("read the file: %w", err)
	}
	rename := "rename the one that has the addresses to email"
	if below, err := r.next(); err == nil {
		at := slices.IndexFunc(below.cells, func(cell []byte) bool { return bytes.IndexByte(cell, '@') > 0 })
		if name := s.columnName(at); name != "" {
			rename = fmt.Sprintf("if %q has the addresses, rename it to email", name)
		}
	}
	return fmt.Errorf("%w: no column is called email; %s in the file's first line (there are: %s)", ErrImport, rename, strings.Join(s.header, ", "))
}

// findFields lists the columns that are kept as fields, by name, so that they come out as json.Marshal writes a map.
func (s *sheet) findFields() error {
	for i, name := range s.header {
		if s.isKnown(i) {
			continue
		}
		if err := checkText("the name of the column "+name, name, maxFieldName); err != nil {
			return fmt.Errorf("%w: %w", ErrImport, err)
		}
		s.fields = append(s.fields, fieldColumn{i, name, jsonText(name) + ":"})
	}
	slices.SortFunc(s.fields, func(a, b fieldColumn) int { return strings.Compare(a.name, b.name) })
	for i := 1; i < len(s.fields); i++ {
		if s.fields[i].name == s.fields[i-1].name {
			return fmt.Errorf("%w: two columns are called %s: rename one", ErrImport, s.fields[i].name)
		}
	}
	if len(s.fields) > maxFields {
		return fmt.Errorf("%w: there are more than %d columns that are kept as fields: take out some", ErrImport, maxFields)
	}
	return nil
}

func jsonText(s string) string { return string(appendJSON(nil, s)) }

// appendJSON writes s as json.Marshal does, which it asks where s is not plain.
func appendJSON(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || strings.IndexByte(`"\<>&`, c) >= 0 {
			text, _ := json.Marshal(s) // a string never fails
			return append(b, text...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// row is one line of a sheet.
type row struct {
	number   int64 // of the rows, from 0
	line     int
	email    string // as it stands there
	fault    error  // why it can't be taken; then only the fields above and column are set
	column   string // which cell has the fault; empty: the line
	addr     Address
	Addition           // without Fields, which are in fields
	fields   string    // as JSON
	consent  string    // how they came to where the file is from, as Export writes it
	state    string    // one of the words above; "": the file doesn't say
	since    time.Time // when they came; zero: it doesn't say
	until    time.Time // of rowPaused
}

// each calls f for every line that has people, in order.
func (s *sheet) each(f func(row) error) error {
	number := int64(0)
	return s.eachRecord(func(rec *record) error {
		row := s.parse(rec)
		row.number = number
		number++
		return f(row)
	})
}

// eachRecord calls f for every record behind the header that is not blank.
func (s *sheet) eachRecord(f func(*record) error) error {
	r := s.records()
	if s.header != nil {
		if _, err := r.next(); err != nil {
			return err
		}
	}
	for {
		rec, err := r.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if rec.fault == nil && isBlank(rec.cells) {
			continue
		}
		if err := f(rec); err != nil {
			return err
		}
	}
}

func isBlank(cells [][]byte) bool {
	return !slices.ContainsFunc(cells, func(c []byte) bool { return len(bytes.TrimSpace(c)) > 0 })
}

// parse reads one line. Faults never repeat the address: reports may end up in logs.
func (s *sheet) parse(rec *record) row {
	r := row{line: rec.line, email: strings.ToValidUTF8(string(bytes.TrimSpace(at(rec.cells, s.email))), "\uFFFD")}
	refuse := func(place int, err error) row {
		return row{line: r.line, email: r.email, fault: err, column: s.columnName(place)}
	}
	if rec.fault != nil {
		return refuse(rec.column, rec.fault)
	}
	if most := max(1, len(s.header)); len(rec.cells) > most && !isBlank(rec.cells[most:]) {
		return refuse(-1, fmt.Errorf("it has %d cells, the first line %d: is a cell with %q in it not quoted?", len(rec.cells), most, s.comma))
	}
	for i, cell := range rec.cells {
		if !utf8.Valid(cell) {
			return refuse(i, errors.New("it is not UTF-8: save the file as “CSV UTF-8”"))
		}
	}
	for _, part := range []func(*row, [][]byte) (int, error){
		s.parseEmail, s.parseName, s.parseState, s.parseLanguage, s.parseZone, s.parseSince, s.parseTags,
		s.parseConsent, s.parseFields,
	} {
		if place, err := part(&r, rec.cells); err != nil {
			return refuse(place, err)
		}
	}
	return r
}

// columnName is what a column is called in the file; empty for none.
func (s *sheet) columnName(place int) string {
	if place < 0 || place >= len(s.header) {
		return ""
	}
	return s.header[place]
}

func at(cells [][]byte, i int) []byte {
	if i < 0 || i >= len(cells) {
		return nil
	}
	return cells[i]
}

// cell is a value without surrounding space and, of our own files, without the apostrophe that keeps it from being a formula.
func (s *sheet) cell(cells [][]byte, i int) string {
	if s.ours {
		return disarmed(string(at(cells, i)))
	}
	return string(bytes.TrimSpace(at(cells, i)))
}

func (s *sheet) parseEmail(r *row, cells [][]byte) (int, error) {
	if s.ours {
		r.email = disarmed(r.email)
	}
	var err error
	r.addr, err = ParseAddress(r.email)
	return s.email, err
}

func (s *sheet) parseName(r *row, cells [][]byte) (place int, err error) {
	place = s.name
	if r.Name = s.cell(cells, place); place < 0 && (s.first >= 0 || s.last >= 0) {
		r.Name, place = strings.TrimSpace(s.cell(cells, s.first)+" "+s.cell(cells, s.last)), max(s.first, s.last)
	}
	if s.name >= 0 && s.first < 0 && s.last >= 0 { // some services' name is the first one
		if last := s.cell(cells, s.last); last != "" && !strings.HasSuffix(r.Name, last) {
			r.Name = strings.TrimSpace(r.Name + " " + last)
		}
	}
	r.Name, err = parseName(r.Name)
	return place, err
}

// parseLanguage takes a BCP 47 tag.
func (s *sheet) parseLanguage(r *row, cells [][]byte) (int, error) {
	if value := s.cell(cells, s.language); value != "" {
		r.Language, _ = parseLanguage(value)
	}
	return s.language, nil
}

// parseZone takes a time zone by its IANA name.
func (s *sheet) parseZone(r *row, cells [][]byte) (int, error) {
	value := s.cell(cells, s.zone)
	if value == "" {
		return s.zone, nil
	}
	good, known := s.zones[value]
	if !known {
		_, err := parseZone(value)
		good = err == nil
		if s.zones == nil || len(s.zones) > 1000 {
			s.zones = map[string]bool{}
		}
		s.zones[value] = good
	}
	if good {
		r.Zone = value
	}
	return s.zone, nil
}

// parseSince takes a date that is not to come.
func (s *sheet) parseSince(r *row, cells [][]byte) (int, error) {
	value := s.cell(cells, s.since)
	if value == "" {
		return s.since, nil
	}
	if r.since, s.layout = parseDate(value, s.layout); r.since.IsZero() && noSuchDate(value) {
		return s.since, fmt.Errorf("there is no such date as %q: mend it, or leave it empty", value)
	}
	return s.since, nil
}

// parseTags takes tags parted by commas, in quotes or not, or as a list of JSON or Python.
func (s *sheet) parseTags(r *row, cells [][]byte) (int, error) {
	value := s.cell(cells, s.tags)
	if value == "" {
		return s.tags, nil
	}
	list, err := parseList(value)
	if err != nil {
		list = strings.Split(value, ",")
		for i, tag := range list {
			list[i] = strings.Trim(tag, ` "`)
		}
	}
	r.Tags, err = parseTags(list)
	return s.tags, err
}

func (s *sheet) parseConsent(r *row, cells [][]byte) (int, error) {
	r.consent = s.cell(cells, s.consent)
	if r.consent != "" && (len(r.consent) > maxProof || !strings.HasPrefix(r.consent, proofBegins) || !json.Valid([]byte(r.consent))) {
		return s.consent, errors.New("this is not how export writes a consent: leave it as it was, or empty")
	}
	return s.consent, nil
}

// parseFields writes the fields as JSON: the columns that are no known ones, of the known ones what they don't understand, and the
// entries of a dictionary.
func (s *sheet) parseFields(r *row, cells [][]byte) (int, error) {
	r.fields = noFields
	var b []byte
	for _, column := range s.fields {
		value := s.cell(cells, column.place)
		if value == "" {
			continue
		}
		value, err := parseField(column.name, value)
		if err != nil {
			return column.place, err
		}
		b = appendJSON(append(append(b, ','), column.json...), value)
	}
	if len(b) > 0 {
		b[0] = '{'
		r.fields = string(append(b, '}'))
	}
	return s.addFields(r, s.moreFields(r, cells))
}

// addFields adds fields that have no column of their own; columns win.
func (s *sheet) addFields(r *row, more []pair) (int, error) {
	if len(more) == 0 {
		return -1, nil
	}
	var fields map[string]string
	if err := json.Unmarshal([]byte(r.fields), &fields); err != nil {
		return -1, err
	}
	for _, p := range more {
		if fields[p.name] == "" && p.name != "" {
			fields[p.name] = p.value
		}
	}
	kept, err := parseFields(fields)
	if err != nil {
		return s.dict, err
	}
	r.fields, err = Subscriber{Fields: kept}.fieldsJSON()
	return -1, err
}

// moreFields are the known columns whose values are not what we take there, and what is in a dictionary.
func (s *sheet) moreFields(r *row, cells [][]byte) (more []pair) {
	for _, c := range []struct {
		place int
		taken bool
	}{{s.language, r.Language != ""}, {s.zone, r.Zone != ""}, {s.since, !r.since.IsZero()}} {
		if c.place >= 0 && !c.taken {
			if value := s.cell(cells, c.place); value != "" {
				more = append(more, pair{s.header[c.place], value})
			}
		}
	}
	text := s.cell(cells, s.dict)
	if text == "" {
		return more
	}
	pairs, err := parseDict(text)
	if err != nil {
		return append(more, pair{s.header[s.dict], text})
	}
	return append(more, pairs...)
}

// parseState reads the state's column and the hints; whatever says that somebody is gone wins.
func (s *sheet) parseState(r *row, cells [][]byte) (int, error) {
	value := s.cell(cells, s.state)
	word, until, dated := strings.Cut(value, " until ")
	if dated && fold(word) == rowPaused {
		t, err := time.Parse(time.RFC3339, until)
		if err != nil {
			return s.state, fmt.Errorf("the pause's end %q is no date such as 2027-03-30T09:00:00Z", until)
		}
		r.until, value = t, word
	}
	known := false
	if r.state, known = rowStates[fold(value)]; !known && value != "" {
		return s.state, unknownState(value)
	}
	if r.state == rowPaused && !dated {
		r.state = rowPending // no date, so nobody knows when: they say so by confirming
	}
	return s.hinted(r, cells)
}

func unknownState(word string) error {
	return fmt.Errorf("the state %q is not known: write active, pending, unsubscribed, bounced, complained or suppressed, or rename the column", word)
}

// goneGravity orders states by how hard they are to come back from; -1 is for those who are here.
func goneGravity(state string) int {
	if !isGone(state) {
		return -1
	}
	return gravity(goneReason(state))
}

// isGone says whether somebody of this state must not get mail.
func isGone(state string) bool {
	return state == rowUnsubscribed || state == rowBounced || state == rowComplained || state == rowSuppressed
}

// disarmed takes off the apostrophe by which Export keeps a cell from being a formula. One that begins so already gets another, so
// that each comes back as it was.
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
