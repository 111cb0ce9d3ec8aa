package subscribers

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// consentStems are parts of words, folded, by which a column says who may be mailed, or who may not, in some way that is no hint.
var consentStems = []string{
	"optin", "optout", "optedin", "optedout", "consent", "permission", "gdpr", "unsub", "suppress", "block", "blacklist", "bounce", "undeliver", "complain",
	"disabled", "invalide", "invalido", "invalida", "donot", "dontcontact", "dontmail", "dontemail", "revok", "revoc", "withdraw",
	"einwillig", "einverstand", "zustimm", "erlaubnis", "dsgvo", "abmeld", "abgemeldet", "abbestell", "widerruf", "widersproch", "widerspruch", "ausgetragen", "austrag",
	"gekundigt", "gekuendigt", "kundigung", "kuendigung", "sperre", "gesperrt", "blockier", "robinson", "unzustell", "beschwerde", "nichtkontakt", "nichtanschreib", "austritt", "beendet",
	"rgpd", "desinscri", "desabonn", "bloqu", "listenoire", "nepas", "resili",
	"desuscri", "dardebaja", "dadodebaja", "debaja", "rebot", "autoriza", "listanegra",
	"الغاء", "موافق", "محظور", "حظر", "انسحاب", "مرتد",
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
	return slices.ContainsFunc(consentStems, has) || slices.Contains(words, "opt")
}

// soundsLikeMail says whether a column may say so by yes and no.
func soundsLikeMail(name string) bool {
	folded := fold(name)
	has := func(part string) bool { return strings.Contains(folded, part) }
	return slices.ContainsFunc(mailStems, has) && !slices.ContainsFunc(otherChannels, has) || strings.HasPrefix(folded, "abo")
}

// isAnswer says whether a cell is a yes, a no or a state in words: figures are more often a number of mails than an answer.
func isAnswer(cell string) bool {
	_, state := rowStates[fold(cell)]
	return strings.ContainsFunc(cell, unicode.IsLetter) && (state || isYes(cell) || isNo(cell))
}

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
		return isAnswer(cell)
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
func (s *sheet) findUnread() {
	for i, name := range s.header {
		hinted := slices.ContainsFunc(s.hints, func(h placedHint) bool { return h.place == i })
		switch {
		case s.fileState != "" || s.ours || hinted || i == s.place || s.isKnown(i):
		case s.charset != "" && isGarbled(name):
			s.unread = append(s.unread, unreadColumn{place: i, garbled: true})
		case soundsLikeConsent(name), s.state < 0 && soundsLikeState(name):
			s.unread = append(s.unread, newUnread(i, name))
		case soundsLikeMail(name):
			s.unread = append(s.unread, unreadColumn{place: i, answers: true})
		}
	}
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
