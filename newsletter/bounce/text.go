package bounce

import (
	"strings"
)

// maxSaid is how much of a text is looked at.
const maxSaid = 64 << 10

// readText reads the reports of mail servers that send a text alone: qmail's (QSBMF) and old Exims'. Only a mail server's own
// mail is looked at, so that nobody's answer that quotes such a text is taken for one.
func (r *Report) readText(f fields, text []byte) {
	if !fromServer(f) {
		return
	}
	said := strings.ReplaceAll(string(text[:min(len(text), maxSaid)]), "\r\n", "\n")
	recipient, reason, original := qmailReason(said)
	if reason == "" {
		recipient, reason, original = eximReason(f, said)
	}
	if reason == "" {
		return
	}
	r.Kind, r.Reply = Failed, replyOf("", reason)
	r.addRecipient(recipient)
	if original != "" {
		r.readOriginal([]byte(original))
	}
}

// fromServer tells a mail server's own mail by who wrote it. Its null return path tells nothing: people's automatic answers have one as
// well (RFC 3834 section 3.3).
func fromServer(f fields) bool {
	from := strings.ToLower(f.get("From"))
	return strings.Contains(from, "mailer-daemon@") || strings.Contains(from, "postmaster@")
}

// qmailReason is what QSBMF says of the first recipient, and the copy of our message below it: "Hi. This is the", a paragraph for each
// recipient, which begins with the address and a colon, and a line that begins with a hyphen before the copy.
func qmailReason(said string) (recipient, reason, original string) {
	said = strings.TrimLeft(said, "\n")
	if !strings.HasPrefix(said, "Hi. This is the ") {
		return "", "", ""
	}
	report, copied, _ := strings.Cut(said, "\n-")
	for _, paragraph := range strings.Split(report, "\n\n")[1:] {
		address, why, ok := strings.Cut(strings.TrimLeft(paragraph, "\n"), ":\n")
		if ok && strings.HasPrefix(address, "<") && !strings.Contains(address, "\n") {
			_, copied, _ = strings.Cut(copied, "\n")
			return address, strings.Join(strings.Fields(why), " "), strings.TrimLeft(copied, "\n")
		}
	}
	return "", "", ""
}

// eximReason is what stands below the first failed address, indented more than that, and the copy of our message at the end. Exim names the
// addresses in a field, and begins with words of its own, which a postmaster's answer that quotes them doesn't.
func eximReason(f fields, said string) (recipient, reason, original string) {
	if f.get("X-Failed-Recipients") == "" && !strings.HasPrefix(strings.TrimLeft(said, "\n"), "This message was created automatically by mail delivery software") {
		return "", "", ""
	}
	before, after, ok := strings.Cut(said, "The following address(es) failed:\n")
	if !ok || !strings.Contains(before, "This is a permanent error") {
		return "", "", ""
	}
	report, copied, _ := strings.Cut(after, "\n------ This is a copy of ")
	var why []string
	for line := range strings.SplitSeq(strings.Trim(report, "\n"), "\n") {
		switch {
		case strings.HasPrefix(line, "    "):
			why = append(why, strings.TrimSpace(line))
		case len(why) > 0:
			line = "" // of the first address alone
		case recipient == "":
			recipient, _, _ = strings.Cut(strings.TrimSpace(line), " ")
		}
		if line == "" {
			break
		}
	}
	_, copied, _ = strings.Cut(copied, "\n")
	return recipient, strings.Join(why, " "), strings.TrimLeft(copied, "\n")
}
