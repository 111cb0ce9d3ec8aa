package mailer

import (
	"regexp"
	"strings"
)

// Texts of refusals, lower case, as relays and mailbox providers word them. They refine a vague code and stand in for a
// missing one.
var (
	saysConfig = regexp.MustCompile(`relay(ing)? (access )?(is )?(denied|prohibited|not (permitted|allowed))|unable to relay|` +
		`authentication (is )?required|not authenticated|not logged in|log ?in first|must issue a starttls|` +
		`sender (address )?(rejected|denied|refused|unknown|invalid|not allowed|verify failed)|invalid sender|` +
		`not (allowed|permitted|authori[sz]ed) to send|permissions? to send as|` +
		`your (\S+ ){0,3}(account|subscription) (is|has|was)\b|\b(smtp|relay|sending) account\b`)
	saysContent = regexp.MustCompile(`spam (content|message)|(detected|identified|classified|considered|flagged) as spam|` +
		`looks like spam|message content|content (was |is )?(rejected|refused)|content filter|\bvirus|malware|` +
		`message (is )?too (large|big)|message size|size limit|exceeds (the )?maximum.*size`)
	saysFull = regexp.MustCompile(`mailbox (is |was )?(full|exceeded)|mailbox.{0,40}size limit|inbox (is )?full|` +
		`over ?quota|quota (is )?(exceeded|full)|` +
		`(exceeded|exceeds|over).{0,40}(quota|storage)|insufficient (system |disk )?(storage|space)|out of (storage|space)|` +
		`not enough (storage|space)`)
	saysBlocked = regexp.MustCompile(`\bblocked\b|(block|black|deny) ?list|\bdnsbl\b|\brbl\b|spamhaus|spamcop|barracuda|` +
		`reputation|\bspf\b|\bdkim\b|\bdmarc\b|\bptr\b|reverse (dns|hostname|lookup)|\brdns\b|unsolicited|bulk (e-?)?mail|banned`)
	saysPace    = regexp.MustCompile(`too (quickly|fast|many|frequent)|rate[ -]?limit|throttl`)
	saysTooFast = regexp.MustCompile(saysPace.String() + `|try (again|later)|temporar`)
	saysDead    = regexp.MustCompile(`no such (user|recipient|mailbox|person|account|address|local)|` +
		`(user|recipient|mailbox|account|address) (is |was )?` +
		`(unknown|invalid|not (found|known)|(does )?not exist|doesn't exist|disabled|inactive|deactivated|closed)|` +
		`(unknown|invalid|nonexistent) (user|recipient|mailbox|account|address|local)|does not exist|doesn't exist|` +
		`doesn't have an? \S+ account|no (mailbox|account) (here )?by that name|no mailbox here|` +
		`no longer (valid|in use|exists|available|active)|not a (valid|known) (user|recipient|mailbox|account)|` +
		`host or domain name not found|domain (name )?not found|null mx|does not accept mail`)
	saysUnfound = regexp.MustCompile(`(host|domain)( or domain)?( name)? not found|domain( name)?( \S+)? (does not|doesn't) exist|no such (host|domain)|name or service not known|unable to route`)
	saysSender  = regexp.MustCompile(`\bsender|sending (domain|account|address|host)|mail from|\bfrom address|return[ -]?path|envelope[ -]?from|\b(helo|ehlo)\b|` +
		`your (domain|host|server|ip|address|account)`)
	saysDisabled = regexp.MustCompile(`disabled|inactive|deactivated|closed`)
	saysMailbox  = regexp.MustCompile(`mailbox|recipient|user|account`)
	saysDomain   = regexp.MustCompile(`domain|host|\bdns\b|\bmx\b`)
)

// Classify judges a 4xx or 5xx reply: the enhanced code first, then known texts, then the basic code. What nothing tells
// apart counts against nobody for good: a 5xx of the mailbox, a 4xx for later. 5.4.4 comes as dead; since name servers
// break, its caller wants it on two days before it believes it.
func Classify(r Reply) Class {
	text := strings.ToLower(r.Text)
	if r.Code < 500 {
		return classifyTemporary(r.Enhanced, text)
	}
	if class := classifyEnhanced(r.Enhanced, text); class != "" {
		return class
	}
	switch r.Code {
	case 530, 534, 535, 538: // of AUTH: the account is ours (RFC 4954)
		return ClassConfig
	}
	if class := classifyText(text); class != "" {
		return class
	}
	switch r.Code {
	case 500, 501, 502, 503, 504, 555:
		return ClassConfig
	case 556: // RFC 7504, RFC 7505
		return ClassDead
	}
	return ClassMailbox
}

func classifyTemporary(enhanced, text string) Class {
	_, detail, _ := strings.Cut(enhanced, ".")
	switch {
	case detail == "2.2":
		return ClassMailbox
	case enhanced != "":
		return ClassTransient
	case saysFull.MatchString(text):
		return ClassMailbox
	case saysBlocked.MatchString(text):
		return ClassBlocked
	}
	return ClassTransient
}

// classifyEnhanced judges the codes that mean something; "" leaves it to the text. Some relays file what they hold against
// us under the recipient's codes, so a text that names such a thing wins over "no such mailbox".
func classifyEnhanced(enhanced, text string) Class {
	_, code, _ := strings.Cut(enhanced, ".")
	subject, _, _ := strings.Cut(code, ".")
	switch code {
	case "1.1", "1.3", "1.6", "1.10":
		return either(alive(text), ClassDead)
	case "1.2", "4.4":
		if code == "4.4" || saysDomain.MatchString(text) {
			return either(alive(text), ClassDead)
		}
	case "1.7", "1.8", "7.3", "7.8", "7.57", "7.60", "7.64", "7.139":
		return ClassConfig
	case "2.1":
		switch {
		case saysTooFast.MatchString(text):
			return ClassTransient
		case saysDisabled.MatchString(text):
			return either(alive(text), ClassDead)
		}
	case "2.2":
		return ClassMailbox
	case "2.3", "3.4":
		return ClassContent
	case "6.7", "6.9":
		return ClassUnsupported
	}
	switch subject {
	case "5":
		// Outlook.com says 5.5.0 of mailboxes that aren't there; a pause of all sending must not hang on that.
		if code == "5.0" && saysMailbox.MatchString(text) {
			return ""
		}
		return ClassConfig
	case "6":
		return ClassContent
	case "7":
		return either(ours(text), ClassBlocked)
	}
	return ""
}

// Unresolved says that a refusal of class dead rests on name servers alone, which break and are mended: the domain was not
// found (Exchange Online says 5.4.310), or no way to it. An address is given up for it only on the second day.
func Unresolved(r Reply) bool {
	return strings.HasSuffix(r.Enhanced, ".4.4") || strings.HasSuffix(r.Enhanced, ".4.310") || saysUnfound.MatchString(strings.ToLower(r.Text))
}

// SlowDown says that a mailbox provider gets more than it wants at a time (STANDARDS section 8).
func SlowDown(r Reply) bool {
	return r.Code == 421 || r.Enhanced == "4.7.28" || r.Enhanced == "4.2.1" || strings.Contains(r.Text, "TSS04") ||
		r.Code >= 400 && saysPace.MatchString(strings.ToLower(r.Text))
}

// ours is the class of a text that names something of ours, else "".
func ours(text string) Class {
	switch {
	case saysConfig.MatchString(text):
		return ClassConfig
	case saysContent.MatchString(text):
		return ClassContent
	case saysBlocked.MatchString(text):
		return ClassBlocked
	}
	return ""
}

// alive is the class of a text that names anything but a missing recipient, else "".
func alive(text string) Class {
	if saysFull.MatchString(text) {
		return ClassMailbox
	}
	return ours(text)
}

// classifyText believes a text that something does not exist only if that isn't the sender.
func classifyText(text string) Class {
	class := alive(text)
	if class == "" && saysDead.MatchString(text) && !saysSender.MatchString(text) {
		return ClassDead
	}
	return class
}

func either(first, second Class) Class {
	if first != "" {
		return first
	}
	return second
}
