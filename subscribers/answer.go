package subscribers

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Words by which somebody says no, or yes, folded, besides those of isNo and those of who is gone. The first ones may have two words before
// them, the others none.
var (
	saysNo    = []string{"not", "dont", "never", "nicht", "kein", "keine", "keinen", "keinesfalls", "niemals", "niet", "geen", "ne", "pas", "aucun", "aucune", "ningun", "ninguno", "ninguna", "ليس", "بدون"}
	beginsNo  = []string{"stop", "out", "raus", "weg"}
	beginsYes = []string{"true", "yes", "ja", "gern", "gerne", "wahr", "waar", "graag", "oui", "vrai", "si", "verdadero", "نعم", "صحيح"}
)

// Marks that people set for yes and for no. A crossed box may be either; where a no is looked for it is one.
const (
	yesMarks = "✓✔☑✅"
	noMarks  = "✗✘☒❌☐"
)

// isMark says whether a cell is one of marks, or some of them.
func isMark(cell, marks string) bool { return cell != "" && strings.Trim(cell, marks+"\ufe0f") == "" }

// isAnswer says whether a cell is a yes, a no or a state in words or by a mark, or begins with one: "nein danke", "abgemeldet am 3.4.2024".
// Figures are more often a number of mails than an answer.
func isAnswer(cell string) bool {
	if isMark(cell, yesMarks+noMarks) {
		return true
	}
	if !strings.ContainsFunc(cell, unicode.IsLetter) || strings.Contains(cell, "@") {
		return false
	}
	_, state := rowStates[fold(cell)]
	words := wordsOf(cell)
	return state || isYes(cell) || isNo(cell) || len(words) > 0 && slices.Contains(beginsYes, words[0]) || isRefusal(cell)
}

// isRefusal says whether a cell is or begins with a no, or a word of who is gone. "No. 12" is a house.
func isRefusal(cell string) bool {
	_, refuses := refusal(cell)
	return refuses && !isNumbered(cell)
}

// refusal also returns the state of that word, "widerrufen am 3.4.2024", and takes no house for one.
func refusal(cell string) (gone string, refuses bool) {
	if state := rowStates[fold(cell)]; isGone(state) {
		return state, true
	}
	words := wordsOf(cell)
	if len(words) == 0 {
		return "", false
	}
	refuses = slices.Contains(beginsNo, words[0]) && !isOctober(cell)
	for _, word := range words[:min(3, len(words))] {
		if state := rowStates[word]; isGone(state) {
			return state, true
		}
		refuses = refuses || utf8.RuneCountInString(word) > 1 && isNo(word) || slices.Contains(saysNo, word)
	}
	return "", refuses
}

// isNull says whether a cell is what databases and their programs write where nothing stands.
func isNull(cell string) bool {
	return slices.Contains([]string{`\n`, "null", "(null)", "<null>", "[null]", "nil", "nat", "nan", "<na>", "undefined"}, strings.ToLower(cell))
}

// isNone says whether a cell is what people write where nothing stands; as a reason it may be all that somebody gave.
func isNone(cell string) bool {
	return cell != "" && strings.Trim(cell, "-–—/.") == "" || slices.Contains([]string{"na", "none", "ka", "nc", "sr", "nvt"}, fold(cell))
}

// isNumbered says whether a cell begins with a number by the word for one. A day behind it is none.
func isNumbered(cell string) bool {
	rest, no := strings.CutPrefix(strings.ToLower(cell), "no")
	number, _, _ := strings.Cut(strings.TrimLeft(rest, " .:#°º"), " ")
	parts := strings.FieldsFunc(number, func(r rune) bool { return !unicode.IsDigit(r) })
	return no && strings.IndexFunc(number, unicode.IsDigit) == 0 && (len(parts) == 1 || digits(number) < 4)
}

// isOctober says whether a cell is a day as Portuguese spreadsheets write it, "05/out/2023".
func isOctober(cell string) bool {
	day, year, out := strings.Cut(strings.ToLower(cell), "out")
	return out && isFigure(day) && isFigure(year)
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

// isFigure says whether a cell is a number, perhaps of percent.
func isFigure(cell string) bool {
	return strings.ContainsFunc(cell, unicode.IsDigit) && !strings.ContainsFunc(cell, unicode.IsLetter)
}
