package outbox

import (
	"context"
	"encoding/base32"
	"errors"
	"fmt"
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

// ErrHole says that an issue lacks the place for the unsubscribe link in HTML or text: it is not sent.
var ErrHole = errors.New("no unsubscribe link")

func checkHole(issue series.Issue) error {
	for _, part := range []struct{ name, body string }{{"HTML", issue.HTML}, {"text", issue.Text}} {
		if !strings.Contains(part.body, UnsubscribeHole) {
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
// sender's. An invalid sender is the site's fault, and nobody's address: mailer.ErrHeader.
func (w *Worker) messageID(r row, fromEmail string) (string, error) {
	from, err := subscribers.ParseAddress(fromEmail)
	if err != nil {
		return "", fmt.Errorf("sender: %w", mailer.ErrHeader)
	}
	mac := w.cfg.Key.MAC("message-id", strconv.FormatInt(r.id, 10))
	id := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(mac[:20])
	return strings.ToLower(id) + "@" + from.Domain, nil
}

// write composes a delivery's message for the person. It depends on the row, its issue and the person alone, so that the
// next try is the same to the octet but for the signatures. Errors of mailer.Compose, mailer.ErrUnsigned and ErrHole come
// again each time.
func (w *Worker) write(ctx context.Context, r row, n Notice, to person) (letter, error) {
	dated := r.dated
	if dated == 0 {
		dated = w.now().UnixMilli() // to the millisecond, since rule 4 compares it; the header has whole seconds
	}
	d := mailer.Draft{Date: time.UnixMilli(dated).UTC(), To: mailer.Mailbox{Name: to.name, Email: to.email}}
	if r.issue != 0 {
		issue, err := w.issues.get(ctx, w, r.issue)
		if err != nil {
			return letter{}, err
		}
		w.fillDraft(&d, r, issue, to.name)
	} else {
		d.From, d.ReplyTo = mailer.Mailbox{Name: n.FromName, Email: n.FromEmail}, n.ReplyTo
		d.Subject, d.HTML, d.Text = n.Subject, n.HTML, n.Text
		d.FeedbackID = w.feedbackID(n.Kind, "site", "notice")
	}
	id, err := w.messageID(r, d.From.Email)
	if err != nil {
		return letter{}, err
	}
	d.MessageID = id
	m, err := mailer.Compose(d)
	if err == nil {
		m, err = w.cfg.Finish(m)
	}
	return letter{m, to, dated}, err
}

func (w *Worker) fillDraft(d *mailer.Draft, r row, issue content, name string) {
	token := w.cfg.Key.Seal(subscribers.Token{Purpose: subscribers.PurposeUnsubscribe, SubscriberID: r.subscriber, SeriesID: r.seriesID})
	link := w.cfg.BaseURL.JoinPath("u", token).String()
	d.From, d.ReplyTo = mailer.Mailbox{Name: issue.FromName, Email: issue.FromEmail}, issue.ReplyTo
	d.Subject, d.HTML, d.Text = Personal{name, link}.Fill(issue.Subject, issue.HTML, issue.Text)
	d.FeedbackID = w.feedbackID(issue.campaign, issue.list, issue.Kind)
	d.List = &mailer.List{ID: ListID(issue.list, issue.FromEmail), Name: issue.FromName, UnsubscribeURL: link}
}

// feedbackID has Gmail count complaints by issue, by series, by kind and by site (its feedback loop). The last field is the
// site's for ever; nothing of a person is in it.
func (w *Worker) feedbackID(campaign, list, kind string) string {
	mac := w.cfg.Key.MAC("feedback-id")
	sender := strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(mac[:5]))
	return strings.Join([]string{campaign, list, kind, sender}, ":")
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

// frozen keeps the content of the issues being sent, which never changes.
type frozen struct {
	mu     sync.Mutex
	issues map[int64]content
}

func (f *frozen) get(ctx context.Context, w *Worker, id int64) (content, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if issue, ok := f.issues[id]; ok {
		return issue, nil
	}
	issue, err := contentOf(ctx, w.cfg.DB, id)
	if err != nil {
		return content{}, err
	}
	if f.issues == nil || len(f.issues) >= keptIssues {
		f.issues = map[int64]content{}
	}
	f.issues[id] = issue
	return issue, nil
}

// unwritable says what a message that can't be composed comes to: it is judged like a refusal, since the next try would end
// the same. The field alone is named, never its value. ok is false for other errors.
func unwritable(err error) (out mailer.Outcome, ok bool) {
	out = mailer.Outcome{State: mailer.Refused, Class: mailer.ClassConfig}
	switch {
	case errors.Is(err, mailer.ErrAddress):
		out.Class = mailer.ClassUnsupported
	case errors.Is(err, mailer.ErrHeader), errors.Is(err, mailer.ErrBody), errors.Is(err, ErrHole), errors.Is(err, mailer.ErrUnsigned):
	default:
		return mailer.Outcome{}, false
	}
	out.Reply.Text = err.Error()
	return out, true
}
