package subscribers

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Parts of names of columns, folded, by which a column says who may be mailed, or who may not, in some way that is no hint.
var (
	agreeStems = []string{
		"optedin", "consent", "permission", "gdpr", "einwillig", "einverstand", "zustimm", "erlaubnis", "dsgvo", "rgpd", "autoriza", "toestemming", "موافق",
	}
	leaveStems = []string{
		"optout", "optedout", "optsout", "unsub", "exsubscrib", "formersubscrib", "blacklist", "bounce", "undeliver", "quarantin", "complain", "disabled", "invalide", "invalido", "invalida",
		"donot", "dontcontact", "dontmail", "dontemail", "revok", "revoc", "withdraw", "nolonger", "notdisturb", "removedfrom", "emailblock", "mailblock",
		"abmeld", "abgemeldet", "abbestell", "widerruf", "widersproch", "widerspruch", "ausgetragen", "austrag",
		"gekundigt", "gekuendigt", "kundigung", "kuendigung", "sperre", "gesperrt", "blockier", "robinson", "unzustell", "beschwerde", "nichtkontakt", "nichtanschreib",
		"nichtmehr", "nichtsenden", "keininteresse", "keinepost", "notinterested", "beforgotten", "accountclosed", "ausgeschlossen", "ausgeschieden", "austritt", "ausgetret", "beendet",
		"desinscri", "desabonn", "bloqu", "listenoire", "nepas", "plusecrire", "resiliat", "resilier", "resiliee",
		"afgemeld", "afmeld", "uitgeschreven", "uitschrijv", "uitschrijf", "opgezegd", "opzegg", "nietmeer", "nietmail", "geenmail", "geblokkeerd", "onbestelbaar",
		"deactivat", "deaktivier", "desactiv", "desuscri", "dardebaja", "dadodebaja", "debaja", "solicitabaja", "rebot", "listanegra", "nomolest",
		"محذوف", "لايريد", "لاتريد", "الغاء", "محظور", "حظر", "انسحاب", "مرتد",
	}
	// And beginnings of their words: who is adopting, or immunosuppressed, has said nothing.
	agreeWords = []string{"optin"}
	leaveWords = []string{"suppress", "blocked", "blocking", "blocklist", "blockreason", "blockdate", "blockgrund", "blockdatum", "neplus", "noquier", "nodese"}
)

// consentNames are names of such columns, folded, of words that are too short, or mean too much, to be looked for in others.
var consentNames = []string{
	"stop", "stopdate", "stopdatum", "dateofstop", "left", "hasleft", "lefton", "leftat", "leftdate", "dateleft", "quit", "quiton", "removed", "removedon", "removedat", "exclude", "excluded",
	"objection", "entfernt", "entferntam", "parti", "partile", "quitte", "quittele", "sorti", "sortile", "sefue", "salida", "fechadesalida",
}

// confirmStems are parts of words of columns of who confirmed, or may have confirmed something else. A yes there changes nothing.
var confirmStems = []string{"confirm", "bestatig", "bestaetig", "verif", "activat", "aktivier", "freigeschaltet", "activad", "bevestig", "geactiveerd", "تاكيد", "موكد"}

// mailStems are parts of words of columns about mail. Such a column says who may be mailed where it says yes or no.
var mailStems = []string{
	"mail", "newsletter", "nieuwsbrief", "rundbrief", "verteiler", "boletin", "subscribe", "subscription", "abonn", "suscri", "marketing", "werb", "contact", "kontakt", "erlaubt", "erwunscht", "erwuenscht", "gewunscht",
	"angeschrieben", "anschreib", "lettredinfo", "comunicaciones", "verbot", "recevoir", "recoit", "souhait", "courriel", "infolettre", "correo", "recib", "publicit", "publicid", "البريد", "النشرة", "الاشتراك",
}

// otherConsents are parts of the names of columns that say who agreed to something else than mail; otherSubscriptions of those of a
// subscription that is no letter, but is paid or printed.
var otherConsents = []string{
	"sms", "whatsapp", "phone", "telefon", "telephone", "telefono", "push", "cookie", "photo", "foto", "treatment", "behandlung", "totrack", "tracking",
	"activesubscription",
}

var otherSubscriptions = []string{"paid", "plan", "tier", "print", "gift", "renew", "complimentary", "stripe", "trial", "billing"}

// isOfOther says whether a name is that of a consent to something else, and to that alone. Halifax is a town.
func isOfOther(name string) bool {
	folded := fold(name)
	has := func(part string) bool { return strings.Contains(folded, part) }
	fax := slices.ContainsFunc(wordsOf(name), func(word string) bool { return strings.HasPrefix(word, "fax") || strings.HasPrefix(word, "telefax") })
	other := fax || slices.ContainsFunc(otherConsents, has) || has("subscription") && slices.ContainsFunc(otherSubscriptions, has)
	return folded == "donotcall" || other && !slices.ContainsFunc([]string{"mail", "newsletter", "nieuwsbrief", "rundbrief"}, has)
}

// consentOf is how a column is heeded that is none of a person's state and may say all the same who may be mailed. From where, or why,
// somebody agreed is no such thing, but from where they left is; the same link stands with everybody.
func consentOf(name string) heeding {
	folded, words := fold(name), wordsOf(name)
	has := func(part string) bool { return strings.Contains(folded, part) }
	begins := func(part string) bool { return beginsWord(folded, words, part) }
	leaves := slices.ContainsFunc(leaveStems, has) || slices.ContainsFunc(leaveWords, begins) || slices.Contains(consentNames, folded) || slices.Contains(words, "resilie")
	agrees := slices.ContainsFunc(agreeStems, has) || slices.ContainsFunc(agreeWords, begins) || slices.Contains(words, "opt")
	switch {
	case isOfOther(name), (leaves || agrees) && endsIn(words, "link", "url"):
		return heedsNothing
	case leaves:
		return leavingOf(folded, words)
	case agrees && (isSource(folded) || endsIn(words, "source", "quelle", "ip", "address", "adresse", "level") || slices.Index(words, "ip") == 0 || isReason(folded, words)):
		return heedsAnswers
	case agrees:
		return heedsAll
	case slices.Contains(words, "block") && soundsLikeMail(name):
		return heedsAll
	case slices.Contains(words, "block"):
		return heedsFlags
	}
	return heedsNothing
}

// leavingOf is how a column is heeded that sounds as if it says who may not be mailed.
func leavingOf(folded string, words []string) heeding {
	has := func(part string) bool { return strings.Contains(folded, part) }
	counts := slices.ContainsFunc([]string{"rate", "quote", "count", "number", "anzahl", "soft"}, func(word string) bool { return slices.Contains(words, word) })
	switch {
	case countsBounces(folded), counts && has("bounce") && !has("hard"):
		return heedsText
	case has("complain"), has("beschwerde"):
		return heedsComplaints
	case counts, slices.ContainsFunc([]string{"optedout", "quarantin", "bounce", "rebot", "unzustell", "disabled", "deactivat", "deaktivier", "desactiv", "invalid"}, has):
		return heedsButNo
	}
	return heedsAll
}

// isSource says whether a name is that of a hint of who agreed, with what it came from behind it.
func isSource(folded string) bool {
	return slices.ContainsFunc([]string{"ip", "ipaddress", "url"}, func(from string) bool {
		agreed, is := strings.CutSuffix(folded, from)
		h, known := hintOfColumn(agreed)
		return is && known && h.asks == asksHere
	})
}

// isReason says whether a name is that of a reason.
func isReason(folded string, words []string) bool {
	return len(reasonsAround.without(folded)) > 0 || slices.ContainsFunc(reasonsAround.behind, func(reason string) bool { return slices.Contains(words, reason) })
}

func endsIn(words []string, ends ...string) bool {
	return len(words) > 0 && slices.Contains(ends, words[len(words)-1])
}

// beginsWord says whether a part of a name, which may be more than one word of it, begins where a word does, or behind a word about mail.
func beginsWord(folded string, words []string, part string) bool {
	for i := range words {
		if strings.HasPrefix(strings.Join(words[i:], ""), part) {
			return true
		}
	}
	return slices.ContainsFunc(wordsAround.without(folded), func(rest string) bool { return strings.HasPrefix(rest, part) })
}

// soundsLikeMail says whether a column may say so by yes and no. A part of an address for letters can be NE, or No; so can a country, a
// language and a domain.
func soundsLikeMail(name string) bool {
	folded, words := fold(name), wordsOf(name)
	has := func(part string) bool { return strings.Contains(folded, part) }
	begins := func(part string) bool { return strings.HasPrefix(folded, part) }
	part := endsIn(words, append(addresses(), "state", "province", "county", "region", "code")...) && slices.Contains([]string{"mailing", "contact", "kontakt"}, words[0]) ||
		endsIn(words, "country", "land", "pays", "pais", "language", "lang", "locale", "sprache", "langue", "idioma", "taal", "domain")
	abo := slices.Contains(words, "abo") || slices.Contains(words, "abos") || slices.ContainsFunc([]string{"abobeg", "abostat", "aboend", "aboart"}, begins)
	return (slices.ContainsFunc(mailStems, has) || abo) && !part && !isOfOther(name)
}

// confirming is how a column is heeded that may say of somebody that they have not confirmed: by a no, or, where it asks whether they have
// not, by any answer.
func confirming(name string) heeding {
	folded, words := fold(name), wordsOf(name)
	has := func(part string) bool { return strings.Contains(folded, part) }
	words = slices.DeleteFunc(words, func(word string) bool { return utf8.RuneCountInString(word) == 1 }) // of "(t/f)", or "e-mail"
	switch {
	case !slices.ContainsFunc(confirmStems, has) && !slices.Contains(words, "doi"), isOfOtherState(name), slices.ContainsFunc(otherConfirmed, has):
		return heedsNothing
	case denies(name), slices.ContainsFunc(words, waits):
		return heedsAnswers
	}
	return heedsNo
}

// otherConfirmed are parts of the names of columns of what else may be confirmed, besides those of otherStates.
var otherConfirmed = []string{
	"buyer", "kaufer", "kaeufer", "acheteur", "comprador", "koper", "mobil", "movil", "handy", "cellphone", "card", "karte", "carte", "tarjeta", "kaart", "bank", "iban", "tax", "steuer", "device",
}

// waitingStems are beginnings of words for what has not happened yet.
var waitingStems = []string{"unconfirm", "unverif", "unbest", "onbevest", "pending", "outstanding", "missing", "ausstehend", "fehl", "offen", "attente", "pendient"}

// waits says whether a word begins with one of them.
func waits(word string) bool {
	return slices.ContainsFunc(waitingStems, func(stem string) bool { return strings.HasPrefix(word, stem) })
}

// denies says whether a name has a word of no, or of who is gone, in it. One beside a yes only says what to write there.
func denies(name string) bool {
	no := 0
	for _, word := range wordsOf(name) {
		switch {
		case slices.Contains(saysNo, word), utf8.RuneCountInString(word) > 1 && isNo(word), isGone(rowStates[word]):
			no++
		case slices.Contains(beginsYes, word):
			no--
		}
	}
	return no > 0
}

// otherStates are parts of the names of columns of states that somebody has without having to do with mail.
var otherStates = []string{
	"lead", "patron", "patreon", "marital", "familien", "civil", "zivil", "payment", "zahlung", "paiement", "pago", "order", "bestell", "commande", "pedido", "vip", "shipping", "versand",
	"booking", "buchung", "termin", "appointment", "reserv", "attend", "rsvp", "teilnahm", "teilnehm", "purchase", "invoice", "rechnung", "identity", "ageverif", "altersverif",
	"employ", "insur", "versicher", "relationship", "student", "visa", "project", "projekt", "ticket", "juridique", "health", "gesundheit",
}

// isOfOtherState says whether a name is that of such a column.
func isOfOtherState(name string) bool {
	folded := fold(name)
	has := func(part string) bool { return strings.Contains(folded, part) }
	return isOfOther(name) || slices.ContainsFunc(otherStates, has)
}

// soundsLikeState says whether a column of a file that has no other one of states may be it.
func soundsLikeState(name string) bool {
	name = fold(name)
	return slices.Contains(stateNames(), name) || strings.Contains(name, "status") || strings.Contains(name, "statut")
}

// heeding is which of the cells that are filled may say who may be mailed.
type heeding int

const (
	heedsNothing    heeding = iota
	heedsAll                // any
	heedsButNo              // any but a no, or a number of none
	heedsText               // any but figures
	heedsAnswers            // yes, no and states; and figures for them, where all of the column answers
	heedsFlags              // these, but only where all of the column answers
	heedsRefusals           // no in words, and states of who is not here
	heedsNo                 // these, no in one letter and by a mark, and 0, where all of the column answers
	heedsNoMail             // no to mail, and who left it
	heedsComplaints         // what isn't about somebody's health
	heedsUnknown            // what its hint doesn't understand
)

// unreadColumn is a column that is not understood and may say who may be mailed.
type unreadColumn struct {
	heeding
	hint    // of heedsUnknown
	place   int
	flags   bool // all of its cells are answers, or figures for them
	garbled bool // its name may be another one, in another character set
}

// speaks says whether a cell that is not empty may say who may be mailed.
func (c unreadColumn) speaks(cell string) bool {
	switch c.heeding {
	case heedsAll:
		return true
	case heedsButNo:
		return !isNo(cell)
	case heedsText:
		return !isFigure(cell)
	case heedsAnswers:
		return isAnswer(cell) || c.flags && isFlag(cell)
	case heedsFlags:
		return c.flags
	case heedsRefusals:
		return isRefusal(cell) || rowStates[fold(cell)] == rowPending
	case heedsNo:
		return isRefusal(cell) || rowStates[fold(cell)] == rowPending || isMark(cell, noMarks) || isNo(cell) && !isNoDay(cell) && (c.flags || !isFigure(cell))
	case heedsNoMail:
		return refusesMail(cell)
	case heedsComplaints:
		return isYesOrDate(cell) || isSpam(cell) || isGone(rowStates[fold(cell)]) || isFigure(cell) && !isNo(cell)
	case heedsUnknown:
		_, known := c.says(cell)
		return !known && !c.isEmpty(cell)
	}
	return false
}

// refusesMail says whether a cell is a no to mail, in a column that may be about something else.
func refusesMail(cell string) bool {
	return isRefusal(cell) && (soundsLikeMail(cell) || consentOf(cell) != heedsNothing)
}

// findUnread finds the columns that sound like consent and are not understood. The files of a service say themselves who is who.
func (s *sheet) findUnread() error {
	for i, name := range s.header {
		h, hinted := s.hintAt(i)
		if s.fileState != "" || s.ours || hinted && !h.mayBeOther() || i == s.place || s.isKnown(i) && i != s.since {
			continue
		}
		c := unreadColumn{place: i, garbled: s.charset != "" && isGarbled(name)}
		switch {
		case hinted:
			c.hint, c.heeding = h, heedsUnknown
		case c.garbled:
			c.heeding = heedsAll
		default:
			c.heeding = s.heedingOf(name)
		}
		c.flags = c.heeding == heedsFlags || (c.heeding == heedsAnswers || c.heeding == heedsNo) && !countsMails(name)
		if c.heeding != heedsNothing {
			s.unread = append(s.unread, c)
		}
	}
	return s.findFlags()
}

// heedingOf is how a column is heeded that is not understood.
func (s *sheet) heedingOf(name string) heeding {
	heeds, state, other := consentOf(name), soundsLikeState(name), isOfOtherState(name)
	switch {
	case slices.Contains(sinceNames(), fold(name)): // a day, or "abgemeldet" in its place
		return heedsNo
	case heeds != heedsNothing:
		return heeds
	case state && !other && s.state < 0:
		return heedsAll
	case state && other && s.state >= 0:
		return heedsNoMail
	case confirming(name) != heedsNothing:
		return confirming(name)
	case state:
		return heedsRefusals
	case soundsLikeMail(name) && denies(name) && !countsMails(name):
		return heedsButNo
	case soundsLikeMail(name):
		return heedsAnswers
	case strings.HasPrefix(fold(name), "abo"): // German for a subscription, and the beginning of other words
		return heedsNoMail
	}
	return heedsNothing
}

// findLoneState takes the one column that sounds like a state's for it where all of its cells are states, and there is no other.
func (s *sheet) findLoneState() error {
	if s.ours || s.fileState != "" || s.state >= 0 {
		return nil
	}
	lone := -1
	for i, name := range s.header {
		_, hinted := hintOfColumn(name)
		switch {
		case !soundsLikeState(name), isOfOtherState(name), hinted, s.isKnown(i), i == s.place:
		case lone >= 0:
			return nil
		default:
			lone = i
		}
	}
	if lone < 0 {
		return nil
	}
	errOther := errors.New("no state")
	filled := false
	err := s.eachRecord(func(rec *record) error {
		word := fold(s.cell(rec.cells, lone))
		if _, known := rowStates[word]; word != "" && !known {
			return errOther
		}
		filled = filled || word != ""
		return nil
	})
	switch {
	case errors.Is(err, errOther):
		return nil
	case filled && err == nil:
		s.state = lone
	}
	return err
}

// countsMails says whether the figures of a column about mail are numbers of something, also where there are none but 0 and 1.
func countsMails(name string) bool {
	words := wordsOf(name)
	if len(words) > 1 && words[0] == "no" && words[1] == "of" {
		return true
	}
	for _, word := range words {
		if slices.Contains([]string{"id", "nr", "sent", "rate", "score", "type", "typ"}, word) || slices.ContainsFunc(countStems, func(stem string) bool { return strings.HasPrefix(word, stem) }) {
			return true
		}
	}
	return false
}

// countStems are beginnings of words, folded, in names of columns that count.
var countStems = []string{
	"received", "dropped", "open", "delivered", "click", "replie", "sends", "count", "number", "total", "bounce", "anzahl", "nummer", "erhalten", "gesendet", "versendet", "verschickt",
	"geoffnet", "zugestellt", "geklickt", "recus", "envoye", "ouvert", "clique", "nombre", "numero", "recibid", "enviad", "abiert", "clic", "عدد", "رقم",
}

// findFlags looks which columns have no other cells than answers and the two figures for them.
func (s *sheet) findFlags() error {
	open := 0
	for _, c := range s.unread {
		if c.flags {
			open++
		}
	}
	if open == 0 {
		return nil
	}
	errNone := errors.New("none of them")
	err := s.eachRecord(func(rec *record) error {
		for i := range s.unread {
			c := &s.unread[i]
			if cell := s.cell(rec.cells, c.place); c.flags && cell != "" && !isNull(cell) && !isFlag(cell) && !isAnswer(cell) {
				c.flags = false
				open--
			}
		}
		if open == 0 {
			return errNone
		}
		return nil
	})
	if errors.Is(err, errNone) {
		return nil
	}
	return err
}

// addUnread adds to places those of the columns that are not understood and have something to say of a record's person.
func (s *sheet) addUnread(places []int, rec *record) []int {
	for _, column := range s.unread {
		if slices.Contains(places, column.place) {
			continue
		}
		if cell := s.cell(rec.cells, column.place); cell != "" && !isNull(cell) && (column.speaks(cell) || s.charset != "" && isGarbled(cell)) {
			places = append(places, column.place)
		}
	}
	return places
}

// findUnread finds the columns that are not understood and say something of those whom the file would have mailed: with one of them
// nobody comes as active, since an empty cell may say as much as one that is filled.
func (im *importing) findUnread() error {
	s := im.sheet
	if len(s.unread) == 0 {
		return nil
	}
	var filled []int
	err := s.eachRecord(func(rec *record) error {
		added := s.addUnread(filled, rec)
		if len(added) == len(filled) {
			return nil
		}
		if row := s.parse(rec); row.fault == nil && im.comesActive(row) {
			filled = added
		}
		return nil
	})
	slices.Sort(filled)
	for _, place := range filled {
		im.report.Unread = append(im.report.Unread, s.header[place])
	}
	if len(filled) > 0 {
		im.unread = im.errUnread(filled)
	}
	return err
}

// comesActive says whether a row's person could get mail by the import.
func (im *importing) comesActive(row row) bool {
	state := im.state(row)
	return !isGone(state) && state != rowPending
}

// errUnread says what to do about columns that are not understood. Where the character set is in doubt this comes first: their names are
// others then.
func (im *importing) errUnread(places []int) error {
	var pending string
	switch inFile := im.sheet.state >= 0 || len(im.sheet.hints) > 0; {
	case im.o.As == Active && inFile:
		pending = "import these people as pending (who has a state in the file: write pending there), or "
	case im.o.As == Active:
		pending = "import these people as pending, or "
	default:
		pending = "write pending as the state of these people, or "
	}
	var all, garbled []string
	for _, column := range im.sheet.unread {
		if !slices.Contains(places, column.place) {
			continue
		}
		name := fmt.Sprintf("%q", im.sheet.header[column.place])
		all = append(all, name)
		if column.garbled {
			garbled = append(garbled, name)
		}
	}
	if len(garbled) > 0 {
		return fmt.Errorf("the file is not UTF-8, and read as %s it has %s, which may be about who may be mailed: save it as “CSV UTF-8”, or "+
			"%srename what you see there, or take it out", im.sheet.charset, columnsNamed(garbled), pending)
	}
	sounds, says, write := "sounds", "it says", "write it as a column opt-in or opt-out of yes and no, or, if it is about something else, call it otherwise, such as \"note\", or take it out"
	if len(all) > 1 {
		sounds, says, write = "sound", "they say", "write them as columns opt-in or opt-out of yes and no, or, if they are about something else, call them otherwise, such as \"note\", or take them out"
	}
	return fmt.Errorf("%s %s as if %s who may be mailed, in a way that is not understood: %s%s", columnsNamed(all), sounds, says, pending, write)
}

// columnsNamed names columns in a sentence.
func columnsNamed(names []string) string {
	last := len(names) - 1
	if last == 0 {
		return "the column " + names[0]
	}
	return "the columns " + strings.Join(names[:last], ", ") + " and " + names[last]
}
