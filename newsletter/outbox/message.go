package outbox

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"html"
	"strconv"
	"strings"
	"sync"
	"time"

	"pressrun/newsletter/mailer"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// UnsubscribeHole stands in an issue's HTML and text where each person's own unsubscribe link belongs.
const UnsubscribeHole = "https://unsubscribe.invalid/HOLE"

// PreferencesHole stands, where an issue has one, for the link to the page on which each person chooses what they get.
const PreferencesHole = "https://preferences.invalid/HOLE"

// ErrHole says that an issue lacks the place for the unsubscribe link in HTML or text: it is not sent.
var ErrHole = errors.New("no unsubscribe link")

// checkHole looks for the link where everybody gets it, with or without a name.
func checkHole(issue series.Issue) error {
	for _, part := range []struct{ name, body string }{{"HTML", issue.HTML}, {"text", issue.Text}} {
		if !link(blank(part.body), UnsubscribeHole, "", mailer.TokenHole).Has(mailer.TokenHole) {
			return fmt.Errorf("issue %s: %s: %w", issue.Name, part.name, ErrHole)
		}
	}
	return nil
}

// letter is a message, complete before its transaction begins, with the person it was written to.
type letter struct {
	mailer.Message
	to    person
	dated int64
}

// messageID is the same for every try of a delivery, unique for ever and says nothing about the person. The domain is the
// sender's.
func (w *Worker) messageID(delivery int64, domain string) string {
	var text [128]byte
	return string(w.appendMessageID(text[:0], delivery, domain))
}

func (w *Worker) appendMessageID(dst []byte, delivery int64, domain string) []byte {
	var mac [sha256.Size]byte
	var text [20]byte
	number := strconv.AppendInt(text[:0], delivery, 10)
	w.cfg.Key.AppendMAC(mac[:0], "message-id", string(number))
	dst = lowerText.AppendEncode(dst, mac[:20])
	return append(append(dst, '@'), domain...)
}

// names are a delivery's Message-ID and, where we have return paths of our own, its envelope sender; else from is empty. They share
// their memory, so that the second costs none.
func (w *Worker) names(r row, domain string) (messageID, from string) {
	var room [256]byte
	text := w.appendMessageID(room[:0], r.id, domain)
	end := len(text)
	if r.subscriber != 0 && !w.cfg.ReturnPath.off() {
		text = w.cfg.ReturnPath.append(text, w.cfg.Key, r.id, r.created)
	}
	both := string(text)
	return both[:end], both[end:]
}

// lowerText is RFC 4648's base32 in lower case.
var lowerText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// senderDomain is the one of a sender's address. An invalid one is the site's fault, and nobody's address: mailer.ErrHeader.
func senderDomain(email string) (string, error) {
	from, err := subscribers.ParseAddress(email)
	if err != nil {
		return "", fmt.Errorf("sender: %w", mailer.ErrHeader)
	}
	return from.Domain, nil
}

// write makes a delivery's message for the person. It depends on the row, its issue and the person alone, so that the next
// try is the same to the octet but for the signatures. Its bytes are put into room, if that is enough for them. Errors of
// mailer.Compose, mailer.ErrUnsigned and ErrHole come again each time.
func (w *Worker) write(ctx context.Context, r row, n Notice, to person, room []byte) (letter, error) {
	dated := r.dated
	if dated == 0 {
		dated = w.now().UnixMilli() // to the millisecond, since rule 4 compares it; the header has whole seconds
	}
	var m mailer.Message
	var err error
	if date := time.UnixMilli(dated).UTC(); r.issue != 0 {
		m, err = w.splice(ctx, r, to, date, room)
	} else {
		m, err = w.compose(r, n, to, date)
	}
	if err == nil {
		m, err = w.cfg.Finish(m)
	}
	return letter{m, to, dated}, err
}

// splice writes an issue's message.
func (w *Worker) splice(ctx context.Context, r row, to person, date time.Time, room []byte) (mailer.Message, error) {
	issue, err := w.issues.get(ctx, w, r.issue)
	if err != nil {
		return mailer.Message{}, err
	}
	id, from := w.names(r, issue.domain)
	m, err := issue.Message(room[:0], mailer.Recipient{
		MessageID: id, Date: date, To: mailer.Mailbox{Name: to.name, Email: to.email},
		Name:  shownName(to.name),
		Token: w.cfg.Key.Seal(subscribers.Token{Purpose: subscribers.PurposeUnsubscribe, SubscriberID: r.subscriber, SeriesID: r.seriesID}),
	})
	if from != "" {
		m.From = from
	}
	return m, err
}

// compose writes a notice's message.
func (w *Worker) compose(r row, n Notice, to person, date time.Time) (mailer.Message, error) {
	domain, err := senderDomain(n.FromEmail)
	if err != nil {
		return mailer.Message{}, err
	}
	id, from := w.names(r, domain)
	m, err := mailer.Compose(mailer.Draft{
		MessageID: id, Date: date, From: mailer.Mailbox{Name: n.FromName, Email: n.FromEmail},
		To: mailer.Mailbox{Name: to.name, Email: to.email}, ReplyTo: n.ReplyTo, Subject: n.Subject, HTML: n.HTML, Text: n.Text,
		FeedbackID: w.feedbackID(n.Kind, "site", "notice"),
	})
	if from != "" {
		m.From = from
	}
	return m, err
}

// form is an issue's message with all open that is a person's own.
func (w *Worker) form(issue content) mailer.Form {
	leave, choose := w.tokenPage("u"), w.tokenPage("preferences")
	links := func(body string, written func(string) string) mailer.Blank {
		return link(link(blank(body), UnsubscribeHole, written(leave), mailer.TokenHole), PreferencesHole, written(choose), mailer.TokenHole)
	}
	return mailer.Form{
		From: mailer.Mailbox{Name: issue.FromName, Email: issue.FromEmail}, ReplyTo: issue.ReplyTo, Subject: blank(issue.Subject),
		HTML:       links(issue.HTML, html.EscapeString),
		Text:       links(issue.Text, func(address string) string { return address }),
		List:       mailer.List{ID: ListID(issue.list, issue.FromEmail), Name: issue.FromName, UnsubscribeURL: leave},
		FeedbackID: w.feedbackID(issue.campaign, issue.list, issue.Kind),
	}
}

// tokenPage is the address of the pages that tokens open, without its token.
func (w *Worker) tokenPage(of string) string {
	return strings.TrimSuffix(w.cfg.BaseURL.JoinPath(of, "token").String(), "token")
}

// feedbackID has Gmail count complaints by issue, by series, by kind and by site (its feedback loop). The last field is the
// site's for ever; nothing of a person is in it.
func (w *Worker) feedbackID(campaign, list, kind string) string {
	mac := w.cfg.Key.MAC("feedback-id")
	return strings.Join([]string{campaign, list, kind, lowerText.EncodeToString(mac[:5])}, ":")
}

// ListID is constant for the life of a series: its label (series.Series.ListLabel) in the sender's domain. It is empty for a
// sender without valid address, with whom nothing can be composed.
func ListID(label, fromEmail string) string {
	from, err := subscribers.ParseAddress(fromEmail)
	if err != nil {
		return ""
	}
	return label + "." + from.Domain
}

// keptIssues is how many issues' contents stay in memory: a drip slot has one for each article.
const keptIssues = 64

// content is an issue with what its messages' headers call it.
type content struct {
	series.Issue
	list     string // label of its series in List-Id and Feedback-ID
	campaign string // the issue in Feedback-ID
}

// contentOf names an issue for headers: by its slot, and in drip its article, but by nothing that tells what a sensitive
// series is about.
func contentOf(ctx context.Context, q store.Querier, id int64) (content, error) {
	issue, err := series.IssueByID(ctx, q, id)
	if err == nil {
		err = checkHole(issue)
	}
	if err != nil {
		return content{}, err
	}
	slug, rest, _ := strings.Cut(issue.Name, "/")
	c := content{issue, slug, strings.ReplaceAll(rest, ":", "")}
	if issue.SeriesID == 0 {
		return c, nil
	}
	s, err := series.ByID(ctx, q, issue.SeriesID)
	if err != nil {
		return content{}, err
	}
	if c.list = s.ListLabel(); c.list != slug {
		c.campaign = strings.ReplaceAll(issue.Slot, ":", "") + "-" + strconv.FormatInt(issue.ID, 10)
	}
	return c, nil
}

// frozen keeps the issues being sent, whose content never changes, ready for each person.
type frozen struct {
	mu     sync.Mutex
	issues map[int64]compiled
}

type compiled struct {
	*mailer.Compiled
	domain string // the sender's
}

func (f *frozen) get(ctx context.Context, w *Worker, id int64) (compiled, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if issue, ok := f.issues[id]; ok {
		return issue, nil
	}
	issue, err := w.compile(ctx, id)
	if err != nil {
		return compiled{}, err
	}
	if f.issues == nil || len(f.issues) >= keptIssues {
		f.issues = map[int64]compiled{}
	}
	f.issues[id] = issue
	return issue, nil
}

func (w *Worker) compile(ctx context.Context, id int64) (c compiled, err error) {
	issue, err := contentOf(ctx, w.cfg.DB, id)
	if err == nil {
		c.domain, err = senderDomain(issue.FromEmail)
	}
	if err == nil {
		c.Compiled, err = mailer.Compile(w.form(issue))
	}
	return c, err
}

// unwritable says what a message that can't be composed comes to: it is judged like a refusal, since the next try would end
// the same. The field alone is named, never its value. ok is false for other errors.
func unwritable(err error) (out mailer.Outcome, ok bool) {
	out = mailer.Outcome{State: mailer.Refused, Class: mailer.ClassConfig}
	switch {
	case errors.Is(err, mailer.ErrAddress):
		out.Class = mailer.ClassUnsupported
	case errors.Is(err, mailer.ErrHeader), errors.Is(err, mailer.ErrBody), errors.Is(err, ErrHole):
	default:
		return mailer.Outcome{}, false
	}
	out.Reply.Text = err.Error()
	return out, true
}
