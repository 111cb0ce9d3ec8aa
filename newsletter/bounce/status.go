package bounce

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"

	"pressrun/newsletter/mailer"
)

// readStatus reads a delivery status: a block about the message, then one for each recipient (RFC 3464 section 2.1). It is a bounce
// where each of them failed.
func (r *Report) readStatus(content []byte) {
	failed, others := 0, 0
	for range maxParts {
		var block []byte
		block, content = cutHeader(content)
		f := parseFields(block)
		switch action := strings.ToLower(word(f.get("Action"))); action {
		case "":
		case "failed":
			if reply := replyOf(f.get("Status"), f.get("Diagnostic-Code")); failed == 0 || dead(r.Reply) && !dead(reply) {
				r.Reply = reply
			}
			_, recipient, _ := strings.Cut(f.get("Final-Recipient"), ";")
			r.addRecipient(recipient)
			failed++
		default:
			others++
		}
		if len(content) == 0 {
			break
		}
	}
	switch {
	case others > 0:
		r.Kind, r.Reply, r.Recipients = Passed, mailer.Reply{}, nil
	case failed > 0:
		r.Kind = Failed
	}
}

func (r *Report) addRecipient(address string) {
	if address = strings.Trim(address, "<> \t"); strings.Contains(address, "@") {
		r.Recipients = append(r.Recipients, address)
	}
}

func dead(reply mailer.Reply) bool { return mailer.Classify(reply) == mailer.ClassDead }

// readFeedback reads a complaint (RFC 5965 section 3). Where our message went from may be among its fields.
func (r *Report) readFeedback(content []byte) {
	f := parseFields(bytes.TrimLeft(content, "\r\n"))
	r.Kind = Feedback
	switch strings.ToLower(word(f.get("Feedback-Type"))) {
	case "abuse", "opt-out":
		r.Kind = Complaint
	}
	r.addPaths(f.all("Original-Mail-From")...)
}

var (
	basicCode    = regexp.MustCompile(`(?:^|[\s:;("#])([45]\d\d)(?:[\s-]|$)`)
	enhancedCode = regexp.MustCompile(`(?:^|[\s:;("#-])([45]\.\d{1,3}\.\d{1,3})(?:[\s:;)",-]|$)`)
)

// replyOf makes a reply of what a report says of one recipient: the words of the server that refused it, and its codes, which are
// worth more than the status that another server made of them. A status of X.0.0 says nothing (RFC 3463 section 3.1).
func replyOf(status, diagnostic string) mailer.Reply {
	status = word(status)
	if i := strings.IndexByte(status, ' '); i > 0 {
		status = status[:i]
	}
	text := diagnostic
	if kind, rest, ok := strings.Cut(diagnostic, ";"); ok && !strings.ContainsAny(strings.TrimSpace(kind), " \t") {
		text = strings.TrimSpace(rest)
	}
	enhanced := ""
	if m := enhancedCode.FindStringSubmatch(text); m != nil && !strings.HasSuffix(m[1], ".0.0") {
		enhanced = m[1]
	} else if enhancedCode.MatchString(status) && !strings.HasSuffix(status, ".0.0") {
		enhanced = status
	}
	code := 0
	if m := basicCode.FindStringSubmatch(text); m != nil {
		code, _ = strconv.Atoi(m[1])
	}
	if code == 0 {
		code = 550
		if strings.HasPrefix(enhanced, "4") || enhanced == "" && strings.HasPrefix(status, "4") {
			code = 450
		}
	}
	reply := mailer.NewReply(code, []string{plain(text, code, enhanced)})
	reply.Enhanced = enhanced
	return reply
}

// plain is a reply's text without its codes, which lines of a reply repeat.
func plain(text string, code int, enhanced string) string {
	for _, lead := range []string{strconv.Itoa(code) + "-" + enhanced, strconv.Itoa(code) + " " + enhanced, strconv.Itoa(code) + "-", strconv.Itoa(code)} {
		if lead = strings.TrimSpace(lead); strings.HasPrefix(text, lead) {
			for _, between := range []string{"-", " "} {
				text = strings.ReplaceAll(text, " "+strconv.Itoa(code)+between+enhanced, " ")
			}
			return strings.Join(strings.Fields(strings.TrimPrefix(text, lead)), " ")
		}
	}
	return text
}
