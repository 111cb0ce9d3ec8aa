package subscribers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"

	"pressrun/subscribers/store"
)

var (
	// ErrField says that a name, a language or a field can't be stored; the text says which and why.
	ErrField = errors.New("can't be stored")
	// ErrBecause says that a written reason is missing where an owner's word stands in for the person's own.
	ErrBecause = errors.New("a written reason is needed")
)

// Subscriber is one person.
type Subscriber struct {
	ID       int64
	Email    string // as typed; empty once erased
	Name     string
	Language string // BCP 47; empty: the series'
	Zone     string // IANA; empty: the series'
	Fields   map[string]string
	Tags     []string // sorted, in lower case
	Created  time.Time
}

// Registry holds what the functions about people need besides the transaction. Its methods never open transactions of
// their own but Import, FinishImports and ForgetImport: the caller's transaction decides what happens together.
type Registry struct {
	Key Key
	Now func() time.Time // nil means time.Now
}

func (r *Registry) now() time.Time {
	if r.Now == nil {
		return time.Now()
	}
	return r.Now()
}

// instant reads a column of milliseconds; 0 stands for none.
func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// person is a subscriber with the hashes that suppressions name; with number 0 nobody whom we know.
type person struct {
	Subscriber
	address, domain string
}

type scanner interface{ Scan(dest ...any) error }

// personRow is where the columns of a person are read into.
type personRow struct {
	person
	fields, tags string
	created      int64
}

func (r *personRow) columns() []any {
	return []any{&r.ID, &r.Email, &r.address, &r.domain, &r.Name, &r.Language, &r.Zone, &r.fields, &r.tags, &r.created}
}

func (r *personRow) value() (person, error) {
	if err := json.Unmarshal([]byte(r.fields), &r.Fields); err != nil {
		return person{}, fmt.Errorf("fields of subscriber %d: %w", r.ID, err)
	}
	r.Tags, r.Created = tagsOf(r.tags), instant(r.created)
	return r.person, nil
}

func scanPerson(row scanner) (person, error) {
	var r personRow
	if err := row.Scan(r.columns()...); err != nil {
		return person{}, err
	}
	return r.value()
}

// ByID returns store.ErrNotFound for nobody and for the erased.
func ByID(ctx context.Context, q store.Querier, id int64) (Subscriber, error) {
	p, err := personByID(ctx, q, id)
	if err != nil {
		return Subscriber{}, fmt.Errorf("subscriber %d: %w", id, err)
	}
	return p.Subscriber, nil
}

const selectPersonByID = `SELECT id, email, address_hash, domain_hash, name, language, zone, fields, tags, created
FROM subscribers WHERE id = ?1 AND erased IS NULL`

func personByID(ctx context.Context, q store.Querier, id int64) (person, error) {
	return scanPerson(q.QueryRow(ctx, selectPersonByID, id))
}

// ByEmail finds the person by the comparison form of email; store.ErrNotFound for nobody, ErrAddress for no address.
func ByEmail(ctx context.Context, q store.Querier, email string) (Subscriber, error) {
	addr, err := ParseAddress(email)
	if err != nil {
		return Subscriber{}, err
	}
	p, err := personByKey(ctx, q, addr.Key)
	if err != nil {
		return Subscriber{}, fmt.Errorf("subscriber %s: %w", addr.Masked(), err)
	}
	return p.Subscriber, nil
}

const selectPersonByKey = `SELECT id, email, address_hash, domain_hash, name, language, zone, fields, tags, created
FROM subscribers WHERE email_key = ?1`

func personByKey(ctx context.Context, q store.Querier, key string) (person, error) {
	return scanPerson(q.QueryRow(ctx, selectPersonByKey, key))
}

// Addition is somebody added by hand or by the form.
type Addition struct {
	Email, Name, Language, Zone string // Language and Zone may be empty
	Fields                      map[string]string
	Tags                        []string
}

// lookUp finds the person of an address; of nobody it returns the hashes alone, and number 0.
func (r *Registry) lookUp(ctx context.Context, q store.Querier, addr Address) (person, error) {
	p, err := personByKey(ctx, q, addr.Key)
	if errors.Is(err, store.ErrNotFound) {
		return person{address: r.Key.hashAddress(addr.Key), domain: r.Key.hashAddress("@" + addr.Domain)}, nil
	}
	return p, err
}

// put stores a checked addition of somebody looked up, and says whether that changed anything.
func (r *Registry) put(ctx context.Context, tx *store.Tx, addr Address, a Addition, p *person) (changed bool, err error) {
	if p.ID == 0 {
		return true, r.insert(ctx, tx, addr, a, p)
	}
	if !p.complete(a) {
		return false, nil
	}
	return true, update(ctx, tx, p.Subscriber)
}

const insertPerson = `INSERT INTO subscribers (email, email_key, address_hash, domain_hash, name, language, zone, fields, tags, created)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) RETURNING id`

func (r *Registry) insert(ctx context.Context, tx *store.Tx, addr Address, a Addition, p *person) error {
	now := r.now().UnixMilli()
	p.Subscriber = Subscriber{
		Email: addr.Typed, Name: a.Name, Language: a.Language, Zone: a.Zone, Fields: a.Fields, Tags: a.Tags, Created: instant(now),
	}
	fields, err := p.fieldsJSON()
	if err != nil {
		return err
	}
	row := tx.QueryRow(ctx, insertPerson, addr.Typed, addr.Key, p.address, p.domain, p.Name, p.Language, p.Zone, fields, tagsText(p.Tags), now)
	return row.Scan(&p.ID)
}

const updatePerson = `UPDATE subscribers SET name = ?1, language = ?2, zone = ?3, fields = ?4, tags = ?5 WHERE id = ?6`

func update(ctx context.Context, tx *store.Tx, s Subscriber) error {
	fields, err := s.fieldsJSON()
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, updatePerson, s.Name, s.Language, s.Zone, fields, tagsText(s.Tags), s.ID)
	return err
}

// noFields are the fields of somebody who has none.
const noFields = "{}"

func (s Subscriber) fieldsJSON() (string, error) {
	if len(s.Fields) == 0 {
		return noFields, nil
	}
	b, err := json.Marshal(s.Fields) // keys come out sorted
	return string(b), err
}

// complete fills what is empty from a, adds its tags, and says whether anything was new.
func (s *Subscriber) complete(a Addition) bool {
	filled := false
	for _, f := range []struct {
		have *string
		new  string
	}{{&s.Name, a.Name}, {&s.Language, a.Language}, {&s.Zone, a.Zone}} {
		if *f.have == "" && f.new != "" {
			*f.have, filled = f.new, true
		}
	}
	for key, value := range a.Fields {
		if s.Fields[key] == "" && value != "" {
			s.Fields[key], filled = value, true
		}
	}
	for _, tag := range a.Tags {
		if at, had := slices.BinarySearch(s.Tags, tag); !had {
			s.Tags, filled = slices.Insert(s.Tags, at, tag), true
		}
	}
	return filled
}

// Octets, so that nobody stores a book in a form field.
const (
	maxName       = 200
	maxFields     = 100
	maxFieldName  = 100
	maxFieldValue = 4000
)

// parse checks an addition and returns it in the form that is stored. Names end up in headers: no control character
// gets that far (RFC 5322 section 2.2).
func (a Addition) parse() (Address, Addition, error) {
	addr, err := ParseAddress(a.Email)
	if err != nil {
		return Address{}, Addition{}, err
	}
	if a.Name, err = parseName(a.Name); err != nil {
		return Address{}, Addition{}, err
	}
	if a.Language, err = parseLanguage(a.Language); err != nil {
		return Address{}, Addition{}, err
	}
	if a.Zone, err = parseZone(a.Zone); err != nil {
		return Address{}, Addition{}, err
	}
	if a.Tags, err = parseTags(a.Tags); err != nil {
		return Address{}, Addition{}, err
	}
	a.Fields, err = parseFields(a.Fields)
	return addr, a, err
}

func parseName(name string) (string, error) {
	name = strings.TrimSpace(name)
	return name, checkText("the name", name, maxName)
}

// parseLanguage returns the canonical form of a BCP 47 tag; empty stays empty.
func parseLanguage(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	tag, err := language.Parse(s)
	if err != nil {
		return "", fmt.Errorf("the language %w: it is no BCP 47 tag such as en or pt-BR", ErrField)
	}
	return tag.String(), nil
}

// parseZone takes the name of a time zone; empty stays empty.
func parseZone(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	if _, err := time.LoadLocation(s); err != nil || s == "Local" {
		return "", fmt.Errorf("the zone %w: it is no time zone such as Europe/Berlin", ErrField)
	}
	return s, nil
}

// parseFields leaves out empty fields and writes line ends as \n.
func parseFields(fields map[string]string) (map[string]string, error) {
	if len(fields) > maxFields {
		return nil, fmt.Errorf("more than %d fields %w", maxFields, ErrField)
	}
	kept := make(map[string]string, len(fields))
	for name, value := range fields {
		if name == "" {
			return nil, fmt.Errorf("a field without a name %w", ErrField)
		}
		if err := checkText("the name of a field", name, maxFieldName); err != nil {
			return nil, err
		}
		value, err := parseField(name, value)
		if err != nil {
			return nil, err
		}
		if value != "" {
			kept[name] = value
		}
	}
	return kept, nil
}

// parseField writes line ends as \n: a field may have several lines.
func parseField(name, value string) (string, error) {
	text := value
	if strings.ContainsAny(value, "\r\n\t") {
		value = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(value)
		text = strings.NewReplacer("\n", "", "\t", "").Replace(value)
	}
	return value, checkText("the field "+name, text, maxFieldValue)
}

func checkText(what, s string, octets int) error {
	switch {
	case !utf8.ValidString(s):
		return fmt.Errorf("%s %w: it is not UTF-8", what, ErrField)
	case len(s) > octets:
		return fmt.Errorf("%s %w: it is longer than %d octets", what, ErrField, octets)
	case strings.ContainsFunc(s, isBreak):
		return fmt.Errorf("%s %w: it has a line break or another control character in it", what, ErrField)
	}
	return nil
}

// isBreak says whether r may end a line or change how others are shown; U+2028 and U+2029 are breaks but no controls.
func isBreak(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }

// Erase removes the person: address, name, fields, consents, enrolments. What stays is the row's number (deliveries
// point to it) and keyed hashes in the suppressions with reason and day, so that no import brings them back. Only their
// own new confirmation does. store.ErrNotFound for nobody.
func (r *Registry) Erase(ctx context.Context, tx *store.Tx, subscriberID int64) error {
	p, err := personByID(ctx, tx, subscriberID)
	if err != nil {
		return fmt.Errorf("erase subscriber %d: %w", subscriberID, err)
	}
	if err := r.erase(ctx, tx, p); err != nil {
		return fmt.Errorf("erase subscriber %d: %w", subscriberID, err)
	}
	return nil
}

// erase also takes the texts off what stands against addresses that the person had before, and lets go of changes of others to them.
func (r *Registry) erase(ctx context.Context, tx *store.Tx, p person) error {
	moves, err := AddressChanges(ctx, tx, p.ID)
	if err != nil {
		return err
	}
	for _, m := range moves {
		old, err := ParseAddress(m.Old)
		if err != nil {
			continue // nothing stands against what is no address
		}
		for _, query := range []string{silenceSuppressions, deleteLinksTo} {
			if _, err := tx.Exec(ctx, query, r.Key.hashAddress(old.Key)); err != nil {
				return err
			}
		}
	}
	if err := r.blank(ctx, tx, p.ID); err != nil {
		return err
	}
	return r.leaveHash(ctx, tx, p.address)
}

const (
	blankPerson = `UPDATE subscribers SET email = '', email_key = NULL, address_hash = '', domain_hash = '', name = '',
	language = '', zone = '', fields = '{}', tags = '', erased = ?2 WHERE id = ?1`
	deletePersonReasons    = `DELETE FROM leave_reasons WHERE consent_id IN (SELECT id FROM consents WHERE subscriber_id = ?1)`
	deletePersonLinks      = `DELETE FROM fresh_links WHERE subscriber_id = ?1`
	deletePersonConsents   = `DELETE FROM consents WHERE subscriber_id = ?1`
	deletePersonEnrolments = `DELETE FROM enrolments WHERE subscriber_id = ?1`
	deletePersonProven     = `DELETE FROM proven WHERE subscriber_id = ?1`
)

// blank empties the row of a person and deletes what hangs on it. The row first: the trigger that keeps consents lets
// go only of the erased.
func (r *Registry) blank(ctx context.Context, tx *store.Tx, id int64) error {
	if _, err := tx.Exec(ctx, blankPerson, id, r.now().UnixMilli()); err != nil {
		return err
	}
	for _, query := range []string{deletePersonReasons, deletePersonLinks, deletePersonConsents, deletePersonEnrolments, deletePersonProven} {
		if _, err := tx.Exec(ctx, query, id); err != nil {
			return err
		}
	}
	return nil
}

const (
	silenceSuppressions = `UPDATE suppressions SET because = '' WHERE hash = ?1`
	deleteErasure       = `DELETE FROM suppressions WHERE hash = ?1 AND series_id = 0 AND reason = 'erasure'`
	deleteLinksTo       = `DELETE FROM fresh_links WHERE to_hash = ?1 AND changed IS NULL`
)

// leaveHash adds the erasure to what stands against an address, takes the texts off that, and lets go of changes of others to it. Where one
// stands already, of somebody who asked to join and was erased again, it is a new one to the journal: backups have what they told since.
func (r *Registry) leaveHash(ctx context.Context, tx *store.Tx, hash string) error {
	for _, query := range []string{silenceSuppressions, deleteErasure, deleteLinksTo} {
		if _, err := tx.Exec(ctx, query, hash); err != nil {
			return err
		}
	}
	day := r.now().UTC().Truncate(24 * time.Hour)
	_, err := tx.Exec(ctx, insertSuppression, hash, 0, reasonErasure, "", day.UnixMilli())
	return err
}
