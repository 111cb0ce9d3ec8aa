package subscribers

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// consentStems are parts of words, folded, by which a column says who may be mailed, or who may not, in some way that is no hint.
var consentStems = []string{
	"optin", "optout", "optedin", "optedout", "consent", "permission", "gdpr", "unsub", "suppress", "block", "blacklist", "bounce", "undeliver", "complain",
	"disabled", "invalide", "invalido", "invalida", "donot", "dontcontact", "dontmail", "dontemail", "revok", "revoc", "withdraw", "nolonger", "notdisturb", "removedfrom", "optsout",
	"einwillig", "einverstand", "zustimm", "erlaubnis", "dsgvo", "abmeld", "abgemeldet", "abbestell", "widerruf", "widersproch", "widerspruch", "ausgetragen", "austrag",
	"gekundigt", "gekuendigt", "kundigung", "kuendigung", "sperre", "gesperrt", "blockier", "robinson", "unzustell", "beschwerde", "nichtkontakt", "nichtanschreib", "nichtmehr", "nichtsenden", "keininteresse", "ausgeschlossen", "austritt", "ausgetret", "beendet",
	"rgpd", "desinscri", "desabonn", "bloqu", "listenoire", "nepas", "neplus", "plusecrire", "resili",
	"desuscri", "dardebaja", "dadodebaja", "debaja", "rebot", "autoriza", "listanegra", "nomolest", "noquier", "nodese",
	"محذوف", "لايريد", "لاتريد", "الغاء", "موافق", "محظور", "حظر", "انسحاب", "مرتد",
}

// consentNames are names of such columns, folded, of words that are too short, or mean too much, to be looked for in others.
var consentNames = []string{
	"stop", "stopdate", "stopdatum", "dateofstop", "left", "hasleft", "lefton", "leftat", "leftdate", "dateleft", "quit", "quiton", "removed", "removedon", "removedat", "exclude", "excluded",
	"entfernt", "entferntam", "parti", "partile", "quitte", "quittele", "sorti", "sortile", "sefue", "salida", "fechadesalida",
}

// mailStems are parts of words of columns about mail. Such a column says who may be mailed where it says yes or no.
var mailStems = []string{
	"mail", "newsletter", "rundbrief", "verteiler", "boletin", "subscribe", "abonn", "suscri", "marketing", "werb", "contact", "kontakt", "erlaubt", "erwunscht", "erwuenscht", "gewunscht",
	"verbot", "recevoir", "recoit", "souhait", "courriel", "infolettre", "correo", "recib", "publicit", "publicid", "البريد", "النشرة", "الاشتراك",
}

// otherChannels are parts of the names of columns that say who agreed to something else than mail.
var otherChannels = []string{"sms", "whatsapp", "phone", "telefon", "telephone", "telefono", "push", "cookie"}

// soundsLikeConsent says whether a column that is none of a person's state may say all the same who may be mailed. From where somebody
// agreed is no such thing.
func soundsLikeConsent(name string) bool {
	folded := fold(name)
	has := func(part string) bool { return strings.Contains(folded, part) }
	if slices.ContainsFunc(otherChannels, has) {
		return false
	}
	for _, from := range []string{"ip", "ipaddress", "url"} {
		if agreed, is := strings.CutSuffix(folded, from); is {
			if h, known := hintOfColumn(agreed); known && h.asks == asksHere {
				return false
			}
		}
	}
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return !unicode.IsLetter(r) })
	return slices.ContainsFunc(consentStems, has) || slices.Contains(words, "opt") || slices.Contains(consentNames, folded)
}

// soundsLikeMail says whether a column may say so by yes and no.
func soundsLikeMail(name string) bool {
	folded := fold(name)
	has := func(part string) bool { return strings.Contains(folded, part) }
	return slices.ContainsFunc(mailStems, has) && !slices.ContainsFunc(otherChannels, has) || strings.HasPrefix(folded, "abo")
}

// Words by which somebody says no, or yes, folded, besides those of isNo and those of who is gone. The first ones may have two words before
// them, the others none.
var (
	saysNo    = []string{"not", "dont", "never", "nicht", "kein", "keine", "keinen", "keinesfalls", "niemals", "ne", "pas", "aucun", "aucune", "ningun", "ninguno", "ninguna", "ليس", "بدون"}
	beginsNo  = []string{"stop", "out", "raus", "weg"}
	beginsYes = []string{"true", "yes", "ja", "gern", "gerne", "wahr", "oui", "vrai", "si", "verdadero", "نعم", "صحيح"}
)

// isAnswer says whether a cell is a yes, a no or a state in words or by a mark, or begins with one: "nein danke", "abgemeldet am 3.4.2024".
// Figures are more often a number of mails than an answer.
func isAnswer(cell string) bool {
	if cell != "" && strings.Trim(cell, "✓✔☑✅✗✘☒❌☐\ufe0f") == "" {
		return true
	}
	if !strings.ContainsFunc(cell, unicode.IsLetter) || strings.Contains(cell, "@") {
		return false
	}
	_, state := rowStates[fold(cell)]
	words := wordsOf(cell)
	return state || isYes(cell) || isNo(cell) || len(words) > 0 && slices.Contains(beginsYes, words[0]) || isRefusal(cell)
}

// isRefusal says whether a cell begins with a no, or with a word of who is gone. "No. 12" is a house.
func isRefusal(cell string) bool {
	words := wordsOf(cell)
	if len(words) == 0 || isNumbered(cell) {
		return false
	}
	if slices.Contains(beginsNo, words[0]) {
		return true
	}
	return slices.ContainsFunc(words[:min(3, len(words))], func(word string) bool {
		return utf8.RuneCountInString(word) > 1 && isNo(word) || isGone(rowStates[word]) || slices.Contains(saysNo, word)
	})
}

// isNumbered says whether a cell begins with a number by the word for one.
func isNumbered(cell string) bool {
	rest, no := strings.CutPrefix(strings.ToLower(cell), "no")
	return no && strings.IndexFunc(strings.TrimLeft(rest, " .:#°º"), unicode.IsDigit) == 0
}

// wordsOf are the words of a text, folded; a capital letter behind a small one begins another.
func wordsOf(text string) []string {
	var parted strings.Builder
	before := ' '
	for _, r := range text {
		if unicode.IsUpper(r) && unicode.IsLower(before) {
			parted.WriteByte(' ')
		}
		parted.WriteRune(r)
		before = r
	}
	words := strings.FieldsFunc(parted.String(), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) && r != '\'' && r != '’' })
	for i, word := range words {
		words[i] = fold(word)
	}
	return slices.DeleteFunc(words, func(word string) bool { return word == "" })
}

// isFlag says whether a cell is one of the two figures by which a column of nothing else says yes and no.
func isFlag(cell string) bool { return cell == "0" || cell == "1" }

// soundsLikeState says whether a column of a file that has no other one of states may be it.
func soundsLikeState(name string) bool {
	name = fold(name)
	return slices.Contains(stateNames(), name) || strings.Contains(name, "status") || strings.Contains(name, "statut")
}

// isGarbled says whether text that was taken for Windows-1252 looks like one of another character set: it has other characters than German,
// French and Spanish write in words, or a word of more of these than plain letters.
func isGarbled(text string) bool {
	for word := range strings.FieldsSeq(text) {
		if strings.Trim(word, "–—€") == "" {
			continue
		}
		for _, article := range []string{"d’", "l’"} {
			word = strings.TrimPrefix(strings.ToLower(word), article)
		}
		plain, accented := 0, 0
		for _, r := range word {
			switch {
			case r < utf8.RuneSelf && unicode.IsLetter(r):
				plain++
			case r < utf8.RuneSelf:
			case !strings.ContainsRune("äöüßàâæçèéêëîïôœùûáíóúñ", r):
				return true
			default:
				accented++
			}
		}
		if accented > plain {
			return true
		}
	}
	return false
}

// unreadColumn is a column that is not understood and may say who may be mailed.
type unreadColumn struct {
	place   int
	answers bool // only where it says yes or no
	flags   bool // and where it says 1 or 0, since all of its cells do, or answer in words
	garbled bool // its name may be another one, in another character set
	gone    bool // of what nobody has whose cell says no
	count   bool // of mails: its figures say nothing
}

// goneStems are parts of names of columns, folded, that say of most people that there was nothing.
var goneStems = []string{"bounce", "rebot", "unzustell", "disabled", "invalid"}

// newUnread is a column that sounds like consent.
func newUnread(place int, name string) unreadColumn {
	name = fold(name)
	gone := slices.ContainsFunc(goneStems, func(part string) bool { return strings.Contains(name, part) })
	return unreadColumn{place: place, gone: gone, count: countsBounces(name)}
}

// speaks says whether a cell that is not empty may say who may be mailed.
func (c unreadColumn) speaks(cell string) bool {
	switch {
	case c.answers:
		return isAnswer(cell) || c.flags && isFlag(cell)
	case c.count:
		return !isFigure(cell)
	}
	return !c.gone || !isNo(cell)
}

// isFigure says whether a cell is a number, perhaps of percent.
func isFigure(cell string) bool {
	return strings.ContainsFunc(cell, unicode.IsDigit) && !strings.ContainsFunc(cell, unicode.IsLetter)
}

// findUnread finds the columns that sound like consent and are not understood. The files of a service say themselves who is who.
func (s *sheet) findUnread() error {
	for i, name := range s.header {
		hinted := slices.ContainsFunc(s.hints, func(h placedHint) bool { return h.place == i })
		switch {
		case s.fileState != "" || s.ours || hinted || i == s.place || s.isKnown(i):
		case s.charset != "" && isGarbled(name):
			s.unread = append(s.unread, unreadColumn{place: i, garbled: true})
		case soundsLikeConsent(name), s.state < 0 && soundsLikeState(name):
			s.unread = append(s.unread, newUnread(i, name))
		case soundsLikeMail(name):
			s.unread = append(s.unread, unreadColumn{place: i, answers: true, flags: !countsMails(name)})
		}
	}
	return s.findFlags()
}

// countsMails says whether the figures of a column about mail are numbers of something, also where there are none but 0 and 1.
func countsMails(name string) bool {
	for _, word := range wordsOf(name) {
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

// findFlags looks which columns of answers have no other cells than answers and the two figures for them.
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
			if cell := s.cell(rec.cells, c.place); c.flags && cell != "" && !isFlag(cell) && !isAnswer(cell) {
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

// parseUnread lists the columns that are not understood and have something to say of a row's person.
func (s *sheet) parseUnread(r *row, cells [][]byte) (int, error) {
	for _, column := range s.unread {
		if cell := s.cell(cells, column.place); cell != "" && (column.speaks(cell) || s.charset != "" && isGarbled(cell)) {
			r.unread = append(r.unread, column.place)
		}
	}
	return -1, nil
}

// findUnread finds the columns that are not understood and say something of those whom the file would have mailed: with one of them
// nobody comes as active, since an empty cell may say as much as one that is filled.
func (im *importing) findUnread() error {
	s := im.sheet
	if len(s.unread) == 0 {
		return nil
	}
	var filled []int
	err := s.each(func(row row) error {
		if row.fault == nil && im.comesActive(row) {
			filled = append(filled, row.unread...)
			slices.Sort(filled)
			filled = slices.Compact(filled)
		}
		return nil
	})
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
