package outbox

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"pressrun/newsletter/mailer"
)

// saidOf is a relay's reply with nothing in it of the one it is about, as it may be kept. Addresses are out of it already, but many
// relays name the mailbox alone: "user ada.lovelace unknown".
func saidOf(to person, reply mailer.Reply) mailer.Reply {
	local, _, _ := strings.Cut(to.email, "@")
	for _, word := range []string{local, to.name} {
		reply.Text = without(reply.Text, word)
	}
	return reply
}

// without takes a word out of a text, in any case. What has one letter or two names nobody.
func without(text, word string) string {
	if utf8.RuneCountInString(word) < 3 || !strings.Contains(strings.ToLower(text), strings.ToLower(word)) {
		return text
	}
	pattern := regexp.QuoteMeta(word)
	if isWord(word[0]) {
		pattern = `\b` + pattern
	}
	if isWord(word[len(word)-1]) {
		pattern += `\b`
	}
	return regexp.MustCompile(`(?i)`+pattern).ReplaceAllLiteralString(text, "[address]")
}

// isWord is what \b takes for a part of a word.
func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}
