package subscribers

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

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

	// Of a consent.
	"granted": rowActive, "given": rowActive, "single": rowActive, "double": rowActive, "singleoptin": rowActive, "doubleoptin": rowActive,
	"express": rowActive, "explicit": rowActive, "implied": rowActive, "implicit": rowActive,
	"awaitingconfirmation": rowPending, "pendingconfirmation": rowPending, "nopermissionsset": rowPending, "notset": rowPending,
	"denied": rowUnsubscribed, "declined": rowUnsubscribed, "refused": rowUnsubscribed, "withdrawn": rowUnsubscribed, "revoked": rowUnsubscribed,
	"neversubscribed": rowPending,
	"erteilt":         rowActive, "widerrufen": rowUnsubscribed, "widersprochen": rowUnsubscribed, "verweigert": rowUnsubscribed, "abgelehnt": rowUnsubscribed,
	"abbestellt": rowUnsubscribed, "accorde": rowActive, "refuse": rowUnsubscribed, "retire": rowUnsubscribed, "revoque": rowUnsubscribed,
	"otorgado": rowActive, "denegado": rowUnsubscribed, "rechazado": rowUnsubscribed, "revocado": rowUnsubscribed, "retirado": rowUnsubscribed,

	// German, French, Spanish, Dutch, Arabic.
	"aktiv": rowActive, "angemeldet": rowActive, "abonniert": rowActive, "bestatigt": rowActive, "bestaetigt": rowActive,
	"unbestatigt": rowPending, "unbestaetigt": rowPending, "nichtbestatigt": rowPending, "nichtbestaetigt": rowPending, "ausstehend": rowPending,
	"abgemeldet": rowUnsubscribed, "ausgetragen": rowUnsubscribed, "gekundigt": rowUnsubscribed, "gekuendigt": rowUnsubscribed, "nichtabonniert": rowUnsubscribed,
	"inaktiv": rowUnsubscribed, "gesperrt": rowSuppressed,
	"actif": rowActive, "abonne": rowActive, "inscrit": rowActive, "confirme": rowActive, "enattente": rowPending, "nonconfirme": rowPending,
	"abonnee": rowActive, "inscrite": rowActive, "confirmee": rowActive, "nonconfirmee": rowPending,
	"desabonnee": rowUnsubscribed, "desinscrite": rowUnsubscribed, "bloquee": rowSuppressed,
	"desabonne": rowUnsubscribed, "desinscrit": rowUnsubscribed, "inactif": rowUnsubscribed, "bloque": rowSuppressed,
	"activo": rowActive, "suscrito": rowActive, "confirmado": rowActive, "pendiente": rowPending, "noconfirmado": rowPending,
	"baja": rowUnsubscribed, "debaja": rowUnsubscribed, "dadodebaja": rowUnsubscribed, "cancelado": rowUnsubscribed, "inactivo": rowUnsubscribed,
	"activa": rowActive, "suscrita": rowActive, "confirmada": rowActive, "dealta": rowActive, "noconfirmada": rowPending,
	"dadadebaja": rowUnsubscribed, "cancelada": rowUnsubscribed, "inactiva": rowUnsubscribed, "anulado": rowUnsubscribed, "anulada": rowUnsubscribed,
	"bloqueado": rowSuppressed, "bloqueada": rowSuppressed,
	"actief": rowActive, "aangemeld": rowActive, "ingeschreven": rowActive, "geabonneerd": rowActive, "bevestigd": rowActive,
	"nietbevestigd": rowPending, "onbevestigd": rowPending, "inafwachting": rowPending, "wachtend": rowPending,
	"afgemeld": rowUnsubscribed, "uitgeschreven": rowUnsubscribed, "opgezegd": rowUnsubscribed, "inactief": rowUnsubscribed, "ingetrokken": rowUnsubscribed,
	"geweigerd": rowUnsubscribed, "verwijderd": rowUnsubscribed, "geblokkeerd": rowSuppressed,
	"نشط": rowActive, "مشترك": rowActive, "موكد": rowActive, "معلق": rowPending, "غيرموكد": rowPending,
	"غيرمشترك": rowUnsubscribed, "ملغى": rowUnsubscribed, "غيرنشط": rowUnsubscribed, "محظور": rowSuppressed,
	"نشطة": rowActive, "مشتركة": rowActive, "موكدة": rowActive, "معلقة": rowPending, "غيرموكدة": rowPending,
	"غيرمشتركة": rowUnsubscribed, "ملغاة": rowUnsubscribed, "غيرنشطة": rowUnsubscribed, "محظورة": rowSuppressed,
}

// fold writes a column name or a state without what services spell differently: case, spaces, hyphens, accents.
func fold(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) {
		s = norm.NFKD.String(s) // accents become marks, which are no letters
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// columns say where in a line the known values stand; -1 for nowhere.
type columns struct{ email, name, first, last, state, language, since, zone, tags, consent, dict int }

// exportHeader are the columns that Export writes before the fields.
var exportHeader = []string{"email", "name", "state", "language", "subscribed", "zone", "tags", "consent"}

func exportColumns() columns {
	return columns{email: 0, name: 1, first: -1, last: -1, state: 2, language: 3, since: 4, zone: 5, tags: 6, consent: 7, dict: -1}
}

// addressesOnly are the columns of a file that has no header.
func addressesOnly() columns {
	return columns{email: 0, name: -1, first: -1, last: -1, state: -1, language: -1, since: -1, zone: -1, tags: -1, consent: -1, dict: -1}
}

// The names of columns that people and services write, folded, the surest first: an "Address" beside an "Email" is a street. English,
// then German, French, Spanish, Dutch and Arabic.
func emailNames() []string {
	return []string{
		"email", "emailaddress", "mail", "mailaddress", "emailid", "subscriber",
		"emailadresse", "mailadresse", "epost", "epostadresse",
		"courriel", "adressecourriel", "adresseemail", "adressemail", "adresseelectronique", "adressedecourriel", "mel",
		"correo", "correoelectronico", "direcciondecorreo", "direcciondecorreoelectronico", "direcciondeemail",
		"emailadres", "mailadres",
		"البريدالالكتروني", "بريدالكتروني", "عنوانالبريدالالكتروني", "البريد", "الايميل", "ايميل",
		"address",
	}
}

func fullNames() []string {
	return []string{
		"name", "fullname", "displayname", "subscribername", "vollername", "vollstandigername", "vorundnachname",
		"nomcomplet", "nometprenom", "prenometnom", "nom", "nombrecompleto", "nombreyapellidos", "nombre", "volledigenaam", "naam",
		"الاسمالكامل", "الاسم", "اسم",
	}
}

func firstNames() []string {
	return []string{
		"firstname", "fname", "givenname", "first", "vorname", "rufname", "prenom", "primernombre", "nombredepila", "voornaam",
		"الاسمالاول", "الاسمالشخصي",
	}
}

func lastNames() []string {
	return []string{
		"lastname", "lname", "surname", "familyname", "last", "nachname", "familienname", "zuname", "nomdefamille", "apellido", "apellidos", "achternaam",
		"اسمالعايلة", "اللقب", "الكنية",
	}
}

func tagNames() []string {
	return []string{
		"tags", "labels", "groups", "schlagworter", "schlagwoerter", "schlagworte", "stichworter", "stichwoerter", "stichworte", "gruppen",
		"etiquettes", "motscles", "groupes", "etiquetas", "palabrasclave", "grupos", "الوسوم", "وسوم", "العلامات", "المجموعات",
	}
}

// sinceNames are those of when somebody came; what an account was made on comes after what says that they confirmed.
func sinceNames() []string {
	return []string{
		"confirmtime", "confirmedat", "confirmationtime", "bestatigtam", "bestaetigtam", "confirmele", "confirmeele", "fechadeconfirmacion", "bevestigdop", "تاريخالتاكيد",
		"subscribedat", "subscribedon", "subscribedate", "subscribeddate", "subscriptiondate", "subscribersince", "optintime", "optindate",
		"joined", "joinedat", "signupdate", "signedupat",
		"angemeldetam", "angemeldetseit", "anmeldedatum", "anmeldungam", "abonniertam", "abonniertseit", "eingetragenam", "beigetretenam",
		"inscritle", "inscritele", "inscritdepuis", "abonnele", "abonneele", "abonnedepuis", "datedinscription", "dateinscription", "datedabonnement", "dateabonnement",
		"fechadealta", "fechaalta", "fechadesuscripcion", "fechasuscripcion", "fechadeinscripcion", "suscritoel", "suscritadesde", "suscritodesde",
		"aangemeldop", "aanmelddatum", "datumaanmelding", "ingeschrevenop", "inschrijfdatum",
		"تاريخالاشتراك", "تاريخالتسجيل", "تاريخالانضمام", "مشتركمنذ",
		"createdat", "creationdate", "createdon", "startdate", "dateadded", "addedat",
		"erstelltam", "erstellungsdatum", "hinzugefugtam", "hinzugefuegtam", "creele", "datedecreation", "datedajout", "fechadecreacion", "creadoel", "تاريخالانشاء", "تاريخالاضافة",
		"subscribed",
	}
}

// stateNames are those of the column whose words are states.
func stateNames() []string {
	return []string{
		"status", "subscriptionstatus", "subscriberstatus", "subscriberstate", "subscriptionstate", "subscribertype", "state", "emailstatus", "mailstatus", "contactstatus",
		"memberstatus", "abostatus", "anmeldestatus", "statut", "statutabonnement", "etat", "estado", "estadodesuscripcion", "الحالة",
	}
}

// findNames finds the columns of names. Beside a full name the first one says nothing more; but a Name beside a Vorname, a Nom
// beside a Prénom, and a Naam beside a Voornaam, are the last one.
func (s *sheet) findNames(c *columns) {
	name, first, last := s.column(fullNames()...), s.column(firstNames()...), s.column(lastNames()...)
	if name >= 0 && first >= 0 && last < 0 && slices.Contains([]string{"vorname", "rufname", "prenom", "voornaam"}, fold(s.header[first])) {
		name, last = -1, name
	}
	switch c.name = name; {
	case name < 0:
		c.first, c.last = first, last
	case first < 0:
		c.last = last
	}
}

// findColumns looks for the columns that have a place of their own.
func (s *sheet) findColumns() columns {
	c := addressesOnly()
	c.email = s.column(emailNames()...)
	s.findNames(&c)
	c.state = s.column(stateNames()...)
	c.language = s.column("language", "lang", "locale", "languagecode", "preferredlanguage")
	c.zone = s.column("timezone", "zone", "tz")
	c.tags = s.column(tagNames()...)
	c.dict = s.column("attributes", "metadata")
	if c.state < 0 && c.dict >= 0 {
		c.state = s.column("type")
	}
	c.since = s.column(sinceNames()...)
	return c
}

// places are names of a column of states that are as well those of where somebody lives, folded.
func places() []string { return []string{"state", "estado", "etat"} }

// addresses are names of columns beside which such a one says where somebody lives, folded.
func addresses() []string {
	return []string{
		"city", "town", "zip", "zipcode", "postcode", "postalcode", "country", "address", "street", "ort", "stadt", "plz", "land", "strasse",
		"ville", "codepostal", "pays", "adresse", "rue", "ciudad", "codigopostal", "pais", "direccion", "calle", "municipio", "straat", "plaats", "woonplaats",
	}
}

// dropPlaces takes a column called as in places for a field where the file has another part of an address, and none of its cells, in all
// of the file, is a state: one such cell may be somebody who left. Without an address its words may be states that are not known here.
func (s *sheet) dropPlaces() error {
	if s.ours || s.state < 0 || !slices.Contains(places(), fold(s.header[s.state])) || s.column(addresses()...) < 0 {
		return nil
	}
	errState := errors.New("a state")
	filled := false
	err := s.eachRecord(func(rec *record) error {
		word, _, _ := strings.Cut(s.cell(rec.cells, s.state), " until ")
		filled = filled || word != ""
		if _, known := rowStates[fold(word)]; known {
			return errState
		}
		return nil
	})
	switch {
	case errors.Is(err, errState):
		return nil
	case filled && err == nil:
		s.place, s.state = s.state, -1
	}
	return err
}

// findState knows the files of a service that writes one for each state.
func (s *sheet) findState() string {
	has := func(names ...string) bool {
		return !slices.ContainsFunc(names, func(name string) bool { return s.column(name) < 0 })
	}
	switch {
	case has("cleantime"):
		return rowBounced
	case has("unsubtime"):
		return rowUnsubscribed
	case has("memberrating", "leid", "euid"):
		return rowActive
	}
	return ""
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

// ReadColumn is how a column of a file is read.
type ReadColumn struct {
	Column string `json:"column"` // as the file calls it
	As     string `json:"as"`     // email, name, first name, last name, state, language, subscribed, zone, tags, consent, dictionary or field
}

// read says how each column is read.
func (s *sheet) read() []ReadColumn {
	c := s.columns
	as := map[int]string{
		c.email: "email", c.name: "name", c.first: "first name", c.last: "last name", c.state: "state", c.language: "language",
		c.since: "subscribed", c.zone: "zone", c.tags: "tags", c.consent: "consent", c.dict: "dictionary",
	}
	if s.header == nil {
		return []ReadColumn{{Column: "1", As: as[c.email]}}
	}
	all := make([]ReadColumn, len(s.header))
	for i, name := range s.header {
		all[i] = ReadColumn{name, cmp.Or(as[i], "field")}
		if slices.ContainsFunc(s.hints, func(h placedHint) bool { return h.place == i }) {
			all[i].As += ", state"
		}
	}
	return all
}

// isKnown says whether a column's value has a place of its own, so that it is no field.
func (s *sheet) isKnown(i int) bool {
	c := s.columns
	return slices.Contains([]int{c.email, c.name, c.first, c.last, c.state, c.language, c.since, c.zone, c.tags, c.consent, c.dict}, i)
}

// dateLayouts are how services write an instant, in UTC where they don't say. What could be day and month or month and day is none.
func dateLayouts() []string {
	return []string{
		time.RFC3339, "2006-01-02 15:04:05.999999999 -0700 MST", "2006-01-02 15:04:05.999999999 -0700", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05 MST", time.DateTime,
		"2006-01-02T15:04:05", "2006-01-02 15:04", time.DateOnly, "2006/01/02", "2006/01/02 15:04:05", "Jan 2, 2006", "January 2, 2006",
		"2 Jan 2006", "2 January 2006", "Jan 2, 2006 3:04 PM", "Jan 2, 2006, 3:04 PM", "January 2, 2006 3:04 PM", "2 Jan 2006 15:04",
		"2.1.2006", "2.1.2006 15:04", "2.1.2006 15:04:05", // with points the day is first
	}
}

// parseDate tries the layout that fitted the date before first, and returns the one that fits; the zero time where none does.
func parseDate(value, before string) (time.Time, string) {
	value, _, _ = strings.Cut(value, " m=") // a monotonic clock's reading, as Go prints it
	if t, err := time.Parse(before, value); err == nil && before != "" && t.UnixMilli() > 0 {
		return t.UTC(), before
	}
	for _, layout := range dateLayouts() {
		if t, err := time.Parse(layout, value); err == nil && t.UnixMilli() > 0 {
			return t.UTC(), layout
		}
	}
	return time.Time{}, before
}

// noSuchDate says whether a value is written as a date is and there is none such: the 31st of February, or a minute 75. Zeros, and
// what else isNo knows, are how it is written that there was none.
func noSuchDate(value string) bool {
	return !isNo(value) && slices.ContainsFunc(dateLayouts(), func(layout string) bool {
		_, err := time.Parse(layout, value)
		var fault *time.ParseError
		return errors.As(err, &fault) && strings.HasSuffix(fault.Message, "out of range")
	})
}
