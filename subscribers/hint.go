package subscribers

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A hint is a column that says of a person that they are gone, or that they are here; it is kept as a field besides.
type hint struct {
	asks  question
	state string // of who is gone, or of who is not here
}

// question is what a column of hints asks. Of those of yes and no a cell that is neither, nor a state, is a fault: whoever it means may
// have left.
type question int

const (
	asksGone   question = iota // yes or a day: gone, or not confirmed
	asksHere                   // yes or a day: here; no: not; empty, where others have a yes: not yet
	asksSince                  // since when, or why, they are gone: anything but a no
	asksAgreed                 // when they agreed: a no: not; empty, where others have it: not yet; a day or a yes: nothing, which leaves it to others
	asksSignUp                 // the same, whether they confirmed what may be something else than mail, such as an account
	asksState                  // a word of a state, as in the state's column, which is another one, but gone only by one of mail; what is none says nothing
	asksVague                  // the same, but where they live, or whether they are members, may be said there by a no
)

// placedHint is a hint that a file has.
type placedHint struct {
	hint
	place  int
	agreed bool // some cell of it says that somebody is here
}

// hintNames are names of such columns, folded, in English, German, French, Spanish, Dutch and Arabic, without the words that
// findHint looks for around them. No name stands there twice.
var hintNames = map[hint][]string{
	{asksGone, rowUnsubscribed}: {
		"unsubscribed", "unsubscribe", "unsubscription", "unsub", "optedout", "optout", "hasoptedoutof", "optedoutof", "optoutof", "unsubscribedfrom", "unsubscribedfromall",
		"emaildisabled", "emailsdisabled", "maildisabled", "mailsdisabled", "accountdisabled", "newsletterdisabled", "newslettersdisabled", "mailingdisabled", "marketingdisabled",
		"disabledemail", "disabledemails", "disabledaccount", "deactivated", "inactive", "deleted", "removed", "archived", "canceled", "cancelled", "withdrawn", "revoked", "consentwithdrawn", "consentrevoked",
		"abgemeldet", "abmeldung", "abmelde", "abbestellt", "abbestellung", "abbestell", "widerrufen", "widerruf", "widerrufs", "widersprochen", "widerspruch", "widerspruchs",
		"werbewiderspruch", "werbewidersprochen", "einwilligungwiderrufen", "ausgetragen", "austragung", "gekundigt", "gekuendigt", "kundigung", "kundigungs", "kuendigung", "kuendigungs",
		"storniert", "geloscht", "geloescht", "inaktiv", "deaktiviert",
		"desabonne", "desabonnee", "desabonnement", "desinscrit", "desinscrite", "desinscription", "resilie", "resiliee", "resiliation", "annule", "annulee", "revoque", "revoquee",
		"retire", "retiree", "retrait", "retraitduconsentement", "refus", "refuse", "refusee", "opposition", "inactif", "desactive", "desactivee", "supprime", "supprimee",
		"baja", "dadodebaja", "dadadebaja", "debaja", "desuscrito", "desuscrita", "desuscripcion", "cancelado", "cancelada", "anulado", "anulada", "revocado", "revocada",
		"retirado", "retirada", "rechazado", "rechazada", "oposicion", "inactivo", "inactiva", "desactivado", "desactivada", "eliminado", "eliminada",
		"afgemeld", "afmelding", "uitgeschreven", "uitschrijving", "opgezegd", "opzegging", "ingetrokken", "toestemmingingetrokken", "inactief", "gedeactiveerd", "verwijderd",
		"غيرمشترك", "غيرمشتركة", "الغاءالاشتراك", "ملغى", "ملغي", "ملغاة", "منسحب", "انسحاب", "رفض", "مرفوض", "غيرنشط",
	},
	{asksGone, rowSuppressed}: {
		"donotcontact", "donotemail", "donotmail", "donotsend", "donotmarket", "dontcontact", "dontemail", "dontmail", "noemail", "noemails", "nomail", "nomailing", "nomailings",
		"deceased", "verstorben", "decede", "decedee", "fallecido", "fallecida", "متوفى", "nonewsletter", "nocontact", "dnc", "blocked", "blacklisted", "blocklisted", "blacklist", "blocklist", "suppressed", "suppression", "banned",
		"gesperrt", "sperre", "werbesperre", "mailsperre", "newslettersperre", "kontaktsperre", "sperrvermerk", "blockiert", "nichtkontaktieren", "nichtanschreiben", "nichtmailen", "nichtmehrkontaktieren", "nichtmehranschreiben", "nichtmehrmailen",
		"keinemail", "keinemails", "keinewerbung", "keinnewsletter", "keinkontakt", "robinsonliste", "schwarzeliste", "sperrliste", "unerwunscht", "unerwuenscht",
		"bloque", "bloquee", "nepascontacter", "nepasenvoyer", "nepasecrire", "nepluscontacter", "neplusenvoyer", "neplusecrire", "pasdemail", "pasdemails", "pasdepublicite", "listenoire",
		"bloqueado", "bloqueada", "nocontactar", "noenviar", "noescribir", "nomolestar", "listanegra",
		"geblokkeerd", "nietmailen", "nietbenaderen", "nietcontacteren", "geenmail", "geenmails", "geennieuwsbrief", "geenreclame", "overleden", "zwartelijst",
		"محظور", "محظورة", "لاتتصل", "لاترسل", "لاتراسل", "عدمالاتصال", "عدمالارسال",
	},
	{asksGone, rowBounced}: {
		"bounced", "bounce", "hardbounced", "hardbounce", "bouncing", "undeliverable", "undeliverability", "invalid", "cleaned",
		"unzustellbar", "nichtzustellbar", "ungultig", "ungueltig", "rucklaufer", "ruecklaeufer", "unerreichbar",
		"nondelivre", "nondistribue", "emailinvalide", "mailinvalide", "courrielinvalide", "adresseinvalide", "adresseemailinvalide", "adressemailinvalide", "compteinvalide", "rebond",
		"rebotado", "rebotada", "rebote", "devuelto", "devuelta", "noentregable", "emailinvalido", "correoinvalido", "correoelectronicoinvalido", "direccioninvalida", "cuentainvalida",
		"onbestelbaar", "ongeldig",
		"مرتد", "مرتدة",
	},
	{asksGone, rowComplained}: {
		"complained", "complaint", "spamcomplaint", "spam", "junk", "markedasspam", "markedspam", "spamreport", "reportedspam", "reportedasspam", "abuse",
		"beschwerde", "spambeschwerde", "spamgemeldet", "alsspammarkiert", "alsspamgemeldet", "plainte", "plaintespam", "signalecommespam", "queja", "marcadocomospam", "شكوى",
	},
	{asksHere, rowUnsubscribed}: {
		"subscribed", "subscribedto", "optin", "optedin", "optinto", "consent", "consented", "consentgiven", "consentto", "gdprconsent", "permission", "mayemail", "canemail",
		"accepts", "accept", "wants", "receives", "receive", "active", "enabled", "newsletter", "newsletters", "marketing", "mailing", "mailings", "marketingallowed", "allowed", "mailable",
		"angemeldet", "abonniert", "werbung", "newsletterabo", "newsletterabonnement", "gewunscht", "gewuenscht", "erlaubt", "mailingerlaubt", "kontakterlaubt",
		"einwilligung", "einwilligungs", "eingewilligt", "werbeeinwilligung", "dsgvoeinwilligung", "zustimmung", "zugestimmt", "einverstanden", "einverstandnis",
		"einverstaendnis", "erlaubnis", "werbeerlaubnis", "aktiv", "newslettererwunscht", "newslettererwuenscht", "newsletterempfanger", "newsletterempfaenger", "erwunscht", "erwuenscht",
		"abonne", "abonnee", "inscrit", "inscrite", "consentement", "consentementrgpd", "accepte", "acceptee", "accord", "actif",
		"suscrito", "suscrita", "inscrito", "inscrita", "consentimiento", "consentimientorgpd", "acepta", "aceptado", "autorizacion", "autoriza", "activo", "activa",
		"aangemeld", "ingeschreven", "geabonneerd", "toestemming", "toestemmingnieuwsbrief", "akkoord", "nieuwsbrief", "nieuwsbrieven", "actief",
		"مشترك", "مشتركة", "موافقة", "موافق", "الموافقة", "نشط", "نشطة",
	},
	{asksHere, rowPending}: {
		"doubleoptin", "doi", "confirmed", "verified", "confirm", "confirmation", "bestatigt", "bestaetigt", "bestatigung", "bestaetigung", "verifiziert",
		"bevestigd", "bevestiging", "geverifieerd", "geactiveerd",
		"activated", "aktiviert", "freigeschaltet", "activado", "activada",
		"confirme", "confirmee", "verifie", "verifiee", "confirmado", "confirmada", "confirmacion", "verificado", "verificada", "موكد", "موكدة", "التاكيد",
	},
	{asksGone, rowPending}: {
		"unconfirmed", "notconfirmed", "unverified", "notverified", "notactivated", "unbestatigt", "unbestaetigt", "nichtbestatigt", "nichtbestaetigt", "nichtverifiziert", "nichtaktiviert",
		"nonconfirme", "nonconfirmee", "nonverifie", "nonverifiee", "noconfirmado", "noconfirmada", "noverificado", "noverificada", "onbevestigd", "nietbevestigd", "غيرموكد", "غيرموكدة",
	},
	{asksSince, rowBounced}: {"cleantime"},
}

var hintOf = func() map[string]hint {
	of := map[string]hint{}
	for h, names := range hintNames {
		for _, name := range names {
			of[name] = h
		}
	}
	return of
}()

// What a column's name may have around that of a hint, folded: words that make it a date, or a reason, and words that say no more.
var (
	datesAround = affixes{
		[]string{"dateofthe", "dateof", "datedela", "datede", "dated", "datumder", "datumdes", "datumvan", "fechadela", "fechade", "date", "datum", "fecha", "تاريخ"},
		[]string{"timestamp", "zeitstempel", "zeitpunkt", "datetime", "since", "datum", "date", "time", "seit", "sinds", "le", "el", "am", "at", "on", "op"},
	}
	reasonsAround = affixes{[]string{"reden"}, []string{"reason", "grund", "motif", "motivo", "reden"}}
	wordsAround   = affixes{
		[]string{"newsletter", "nieuwsbrief", "marketing", "subscriber", "contact", "werbung", "werbe", "emails", "email", "mails", "mail", "user", "kunde", "status", "has", "hat", "ist", "esta", "est", "is"},
		[]string{"newsletters", "newsletter", "nieuwsbrief", "marketing", "werbung", "emails", "email", "mails", "mail", "status", "statut", "estado", "flag", "janein", "yesno", "ouinon", "sino", "janee", "jn", "yn", "c"},
	}
	signUpsAround = affixes{signUps(), signUps()}
)

// signUps are words, folded, for what somebody confirms when they come.
func signUps() []string {
	return []string{
		"doubleoptin", "optin", "doi", "account", "signup", "registration", "subscription", "konto", "registrierung", "anmeldung", "compte", "inscription", "cuenta", "registro",
		"suscripcion", "inscripcion", "alta", "aanmelding", "inschrijving", "kundenkonto", "benutzerkonto", "address", "adresse", "adres", "direccion",
	}
}

type affixes struct{ before, behind []string }

// without lists what is left of a word without each of them that it has.
func (a affixes) without(word string) (rests []string) {
	for _, s := range a.before {
		if rest, has := strings.CutPrefix(word, s); has {
			rests = append(rests, rest)
		}
	}
	for _, s := range a.behind {
		if rest, has := strings.CutSuffix(word, s); has {
			rests = append(rests, rest)
		}
	}
	return rests
}

// findHint is the hint that a folded name stands for with up to some words around it.
func findHint(name string, around int) (h hint, known bool) {
	if h, known = hintOf[name]; known || around == 0 {
		return h, known
	}
	for _, rest := range wordsAround.without(name) {
		if h, known = findHint(rest, around-1); known {
			return h, true
		}
	}
	for _, rest := range datesAround.without(name) {
		if h, known = findHint(rest, around-1); known {
			return h.dated(), true
		}
	}
	for _, rest := range reasonsAround.without(name) { // why somebody agreed may be anything
		if h, known = findHint(rest, around-1); known && (h.asks == asksGone || h.asks == asksSince) {
			return h.dated(), true
		}
	}
	for _, rest := range signUpsAround.without(name) {
		if h, known = findHint(rest, around-1); known && h.state == rowPending && h.asks != asksGone && h.asks != asksSince {
			return hint{asksSignUp, rowPending}, true
		}
	}
	return hint{}, false
}

// mayBeOther says whether a column may be about something else than mail. What is not understood there is no fault: it keeps people
// from coming as active.
func (h hint) mayBeOther() bool {
	return h.asks == asksSignUp || h.asks == asksState || h.asks == asksVague
}

// dated is the hint of a column that says when, or why, what h asks for came about.
func (h hint) dated() hint {
	switch h.asks {
	case asksGone:
		h.asks = asksSince
	case asksHere:
		h.asks = asksAgreed
	}
	return h
}

// countsBounces says whether a folded name is that of a number of mails, which somebody may still get.
func countsBounces(name string) bool {
	return slices.ContainsFunc([]string{"mailsbounced", "bouncedemails", "bouncedmails"}, func(part string) bool { return strings.Contains(name, part) })
}

// hintOfColumn is the hint that a column stands for. That of when somebody came says nothing: it is lost for many who did. But that of
// when they confirmed does.
func hintOfColumn(name string) (h hint, known bool) {
	const around = 3
	name = fold(name)
	if countsBounces(name) {
		return hint{}, false
	}
	h, known = findHint(name, around)
	if known && h.asks == asksAgreed && h.state != rowPending && slices.Contains(sinceNames(), name) {
		return hint{}, false
	}
	return h, known
}

// says is the state that a cell, which is not empty, stands for; empty where it says nothing. It is not known where the cell can't be
// understood.
func (h hint) says(cell string) (state string, known bool) {
	word := rowStates[fold(cell)]
	switch yes, no := isYesOrDate(cell), isNo(cell); h.asks {
	case asksGone:
		switch {
		case yes:
			return h.state, true
		case no && h.state == rowUnsubscribed:
			return rowActive, true
		}
		return word, no || isGone(word)
	case asksHere:
		switch {
		case yes:
			return rowActive, true
		case isNoDay(cell): // none: they have not said no either
			return rowPending, true
		case no:
			return h.state, true
		}
		return word, word != ""
	case asksSince:
		switch {
		case no:
			return "", true
		case isNone(cell):
			return "", false
		case h.state == rowUnsubscribed && isSpam(cell):
			return rowComplained, true
		}
		return h.state, true
	case asksState, asksVague:
		switch {
		case isGone(word) && !isOfMail(cell):
			return "", false
		case word != "":
			return word, true
		case h.asks == asksVague:
			return "", !refusesMail(cell)
		}
		return "", !isRefusal(cell)
	case asksSignUp:
		if state, known = h.agreedOn(cell); isGone(state) && !isOfMail(cell) {
			return "", false
		}
		return state, known
	}
	return h.agreedOn(cell)
}

// isOfMail says whether a cell has a word of who is gone that is of mail and of nothing else: a plan can be canceled, and a member inactive.
func isOfMail(cell string) bool {
	cell = fold(cell)
	return slices.ContainsFunc(mailEnds, func(stem string) bool { return strings.Contains(cell, stem) })
}

// mailEnds are parts of such words.
var mailEnds = []string{
	"unsub", "optedout", "bounce", "undeliver", "complain", "beschwer", "spam", "junk", "suppress", "blacklist", "blocklist", "cleaned", "widerruf", "widersproch", "ausgetragen", "abgemeldet", "abbestellt", "nichtabonniert", "desabonn", "desinscri", "afgemeld", "uitgeschreven", "غيرمشترك",
}

// agreedOn is says of a column of when they agreed. A place or a form may stand there beside the day, and have a word of no in its name:
// beside figures only a cell that begins with one is a no. A day may be no more than "Mai 22".
func (h hint) agreedOn(cell string) (state string, known bool) {
	word := rowStates[fold(cell)]
	gone, refuses := refusal(cell)
	switch {
	case word == rowPending:
		return word, true
	case gone != "":
		return gone, true
	case isNo(cell), refuses && (digits(cell) == 0 || beginsWithNo(cell)):
		return h.state, true
	case word != "", isYes(cell):
		return "", true
	}
	words := wordsOf(cell)
	unclear := refuses || len(words) > 0 && (isNo(words[0]) || waits(words[0])) // "n 3.4.2024", "offen seit Mai 22"
	return "", !unclear && digits(cell) >= 2
}

// beginsWithNo says whether nothing stands in a cell before its no, which is none of a number.
func beginsWithNo(cell string) bool {
	words := wordsOf(cell)
	first, _ := utf8.DecodeRuneInString(cell)
	return unicode.IsLetter(first) && !isNumbered(cell) && (isNo(words[0]) || slices.Contains(saysNo, words[0]))
}

// isAgreement says whether a cell of a column, which is not empty, is somebody's yes to mail, so that an empty one is none.
func (h hint) isAgreement(cell string) bool {
	state, known := h.says(cell)
	return h.asks == asksHere && state == rowActive || h.isOfDay() && known && state == ""
}

// isOfDay says whether a day may stand in the column, or what is as good as one.
func (h hint) isOfDay() bool { return h.asks == asksAgreed || h.asks == asksSignUp }

// isEmpty says whether a cell says no more than an empty one. Where a day should stand neither a dash nor a day of zeros is one, and the
// address that a form asks for twice confirms nothing.
func (h hint) isEmpty(cell string) bool {
	return cell == "" || isNull(cell) || h.isOfDay() && (isNone(cell) || isNoDay(cell)) || h.asks == asksSignUp && strings.Contains(cell, "@")
}

// hintAt is the hint that a column is. Beside the state's column others of its names are hints.
func (s *sheet) hintAt(i int) (h hint, known bool) {
	if s.isKnown(i) && i != s.since {
		return hint{}, false
	}
	h, known = hintOfColumn(s.header[i])
	switch name := fold(s.header[i]); {
	case known, s.state < 0, !slices.Contains(stateNames(), name):
		return h, known
	case slices.Contains(places(), name), name == "memberstatus":
		return hint{asks: asksVague}, true
	}
	return hint{asks: asksState}, true
}

// findHints finds the columns of hints, and looks in which of them people agree. Of our own files the state alone counts: what came in as a
// hint is a field there, and may be older than the state.
func (s *sheet) findHints() error {
	if s.ours {
		return nil
	}
	for i := range s.header {
		if h, known := s.hintAt(i); known {
			s.hints = append(s.hints, placedHint{hint: h, place: i})
		}
	}
	open := 0
	for _, h := range s.hints {
		if h.asks == asksHere || h.isOfDay() {
			open++
		}
	}
	errAll := errors.New("all of them")
	if open == 0 {
		return nil
	}
	err := s.eachRecord(func(rec *record) error {
		for i := range s.hints {
			h := &s.hints[i]
			if cell := s.cell(rec.cells, h.place); !h.agreed && !h.isEmpty(cell) && h.isAgreement(cell) {
				h.agreed = true
				open--
			}
		}
		if open == 0 {
			return errAll
		}
		return nil
	})
	if errors.Is(err, errAll) {
		return nil
	}
	return err
}

// hinted changes the state to what other columns say: the gravest that says that they are gone; then that they have not agreed, which
// an empty cell only says of those of whom nothing else does; that they are here only counts where nothing else is said. In a list of who
// may not be mailed a yes of long ago, in some column, makes nobody active.
func (s *sheet) hinted(r *row, cells [][]byte) (int, error) {
	here, unconfirmed, unsaid := false, false, false
	for _, h := range s.hints {
		cell := s.cell(cells, h.place)
		if h.isEmpty(cell) {
			unsaid = unsaid || h.agreed
			continue
		}
		switch state, known := h.says(cell); {
		case !known && !h.mayBeOther():
			return h.place, h.fault(s.header[h.place], cell)
		case isGone(state):
			if goneGravity(state) > goneGravity(r.state) {
				r.state = state
			}
		case state == rowPending || state == rowPaused:
			unconfirmed = true
		case state == rowActive:
			here = true
		}
	}
	switch {
	case isGone(r.state), r.state == "" && s.fileState == "" && s.ofGone:
	case unconfirmed:
		r.state = rowPending
	case r.state != "":
	case s.fileState != "":
		r.state = s.fileState
	case unsaid:
		r.state = rowPending
	case here:
		r.state = rowActive
	}
	return s.state, nil
}

// fault says what to do about a cell of a column that is not understood.
func (h hint) fault(column, cell string) error {
	if h.asks == asksSince {
		return fmt.Errorf("%q in %q may mean that somebody left, or that nobody did: leave it empty where they have not left, or write a reason", cell, column)
	}
	return fmt.Errorf("%q says neither yes nor no: write one of them, or, if it says nothing of who may be mailed, call the column otherwise, such as \"note\"", column)
}

func isYes(cell string) bool {
	switch fold(cell) {
	case "true", "t", "yes", "y", "on", "x", "1", "ja", "j", "wahr", "oui", "o", "vrai", "si", "s", "verdadero", "waar", "نعم", "صحيح":
		return true
	}
	return isMark(cell, yesMarks)
}

// isNo takes the day that databases and spreadsheets write for none, of zeros or one before the first of theirs, for what it is.
func isNo(cell string) bool {
	switch word := fold(cell); word {
	case "false", "f", "no", "n", "off", "nein", "falsch", "non", "faux", "falso", "nee", "onwaar", "never", "nie", "jamais", "nunca", "nooit", "لا", "خطا":
		return true
	default:
		return word != "" && strings.Trim(word, "0") == "" || isNoDay(cell)
	}
}

// isNoDay knows how an empty day is written: as zeros, or by spreadsheets, in any order, as the 0th of January 1900 or the 30th of
// December 1899.
func isNoDay(cell string) bool {
	parts := strings.FieldsFunc(cell, func(r rune) bool { return !unicode.IsDigit(r) })
	if digits := strings.Join(parts, ""); len(digits) >= 4 && strings.Trim(digits, "0") == "" {
		return true
	}
	if len(parts) < 3 || strings.Trim(strings.Join(parts[3:], ""), "0") != "" {
		return false
	}
	var day []int
	for _, part := range parts[:3] {
		n, err := strconv.Atoi(part)
		if err != nil {
			return false
		}
		day = append(day, n)
	}
	slices.Sort(day)
	return slices.Equal(day, []int{0, 1, 1900}) || slices.Equal(day, []int{12, 30, 1899})
}

// isYesOrDate is for columns of which services write the day in the place of a yes.
func isYesOrDate(cell string) bool { return isYes(cell) || !isNo(cell) && isDate(cell) }

// isDate is wider than parseDate: that it is a day matters, not which one.
func isDate(cell string) bool {
	if n := digits(cell); n < 4 || !strings.ContainsFunc(cell, unicode.IsLetter) {
		return n >= 4
	}
	day, _ := parseDate(cell, "")
	return !day.IsZero()
}

func digits(cell string) (n int) {
	for _, r := range cell {
		if unicode.IsDigit(r) {
			n++
		}
	}
	return n
}

func isSpam(cell string) bool {
	cell = fold(cell)
	return strings.Contains(cell, "spam") || strings.Contains(cell, "abuse")
}
