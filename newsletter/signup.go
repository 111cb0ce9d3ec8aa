package newsletter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"pressrun/newsletter/outbox"
	"pressrun/newsletter/render"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
	"pressrun/templates"
)

// Signup is what a subscribe form brings.
type Signup struct {
	Series      []string // names of one or more
	Email, Name string
	Language    string // of the form, and so of the mail; empty: the first series'
	Evidence    subscribers.Evidence
	ByOwner     bool // typed in by the site's owner, whom no cap stops
}

// requestLives is how long a request to join can be confirmed, so how long its mail is worth sending.
const requestLives = 14 * 24 * time.Hour

// tokenHole stands for the confirmation token while the mail is rendered, before the request is made: so rendering holds
// no lock and takes the same time for every address.
const tokenHole = "CONFIRMATION-TOKEN"

// named finds the series of names, each once.
func (p *Publisher) named(ctx context.Context, names []string) (all []series.Series, err error) {
	for _, name := range names {
		s, err := series.ByName(ctx, p.db, name)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(all, func(x series.Series) bool { return x.ID == s.ID }) {
			all = append(all, s)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no series: %w", store.ErrNotFound)
	}
	return all, nil
}

// confirmation renders the mail that asks whether somebody really wants series. In an inbox, where others may look, its
// subject doesn't say what a sensitive one is about.
func (p *Publisher) confirmation(ctx context.Context, wanted []series.Series, language string) (render.Email, error) {
	s := wanted[0]
	style, err := p.style(ctx, p.db, s)
	if err != nil {
		return render.Email{}, err
	}
	w := templates.InMail(language)
	subject := w.T("letter.confirm_subject", "series", s.Title)
	if len(wanted) > 1 || s.Sensitive {
		subject = w.T("letter.confirm_subject_site", "site", p.site.Name)
	}
	text := w.T("letter.confirm_text", "series", titles(w, wanted), "site", p.site.Name)
	if len(wanted) > 1 {
		text = w.T("letter.confirm_text_several", "series", titles(w, wanted), "site", p.site.Name)
	}
	return p.note(render.Note{
		Style: style, Language: w.Language(), PostalAddress: s.PostalAddress,
		Subject: subject, Paragraphs: []string{text},
		Button: &render.Link{Title: w.T("letter.confirm_button"), URL: p.url("c", tokenHole)},
		After:  []string{w.T("letter.confirm_after")},
	})
}

// titles lists the titles of series as the language does.
func titles(w templates.Words, all []series.Series) string {
	var names []string
	for _, s := range all {
		names = append(names, s.Title)
	}
	return w.List(names...)
}

// Visit is what a token page shows. Nothing is changed by looking.
type Visit struct {
	Series     series.Label
	Language   string // of the page: the person's, else the series', else the site's
	Masked     string // the address, not given away; empty where the person is gone
	State      subscribers.State
	Everything bool // left everything
	CanUndo    bool
}

// Joining is a series that a confirmation link is for.
type Joining struct {
	Visit
	Series   series.Series
	Welcomed bool      // a welcome letter was queued by it
	Waiting  bool      // a letter of it is on its way to them
	MayAgain bool      // they had something of it before, and may start again as they confirm
	Again    bool      // they have started again, and had nothing since
	Next     time.Time // when the next letter comes to them, in the series' zone; zero: that is not known
}

// VisitConfirm reads a confirmation link: the series that its request asked for. subscribers.ErrToken where it is not ours,
// subscribers.ErrNotPending where the request or the person is gone.
func (p *Publisher) VisitConfirm(ctx context.Context, token string) ([]Joining, error) {
	t, err := p.key.OpenConfirm(ctx, p.db, token)
	if err != nil {
		return nil, err
	}
	together, err := subscribers.RequestsWith(ctx, p.db, t)
	if err != nil {
		return nil, err
	}
	var all []Joining
	for _, one := range together {
		j, err := p.joining(ctx, one)
		if err != nil {
			return nil, err
		}
		all = append(all, j)
	}
	if len(all) == 0 {
		return nil, subscribers.ErrNotPending
	}
	return all, nil
}

// joining is one series of a confirmation link, and what comes after it.
func (p *Publisher) joining(ctx context.Context, t subscribers.Token) (j Joining, err error) {
	if j.Visit, err = p.visit(ctx, p.db, t); err != nil {
		return j, err
	}
	if j.Masked == "" {
		return j, subscribers.ErrNotPending
	}
	if j.Series, err = series.ByID(ctx, p.db, t.SeriesID); err != nil {
		return j, err
	}
	reader, err := outbox.ReaderOf(ctx, p.db, t.SeriesID, t.SubscriberID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return j, err
	}
	enrolment, err := subscribers.EnrolmentOf(ctx, p.db, t.SeriesID, t.SubscriberID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return j, err
	}
	j.Welcomed = !reader.Welcomed.IsZero() && !reader.Welcomed.Before(enrolment.ActiveSince) // not one of an earlier coming
	j.MayAgain, j.Waiting = mayStartAgain(j.Series, reader), reader.Waiting
	j.Again = j.Series.Mode == series.Drip && reader.Cycle > 1 && !reader.Begun && !j.Welcomed
	j.Next, err = p.promised(ctx, j.Series, reader)
	return j, err
}

// promiseReach is how many slots ahead a reader is told of.
const promiseReach = 100

// promised is when a reader of a series hears of it next as things are, in its zone; zero: that is not known. Of what comes behind a hold
// it is not (rule 11).
func (p *Publisher) promised(ctx context.Context, s series.Series, r outbox.Reader) (time.Time, error) {
	obstacle, err := p.obstacle(ctx, p.db, s)
	if err != nil || obstacle != "" {
		return time.Time{}, err
	}
	common, err := series.FactsOf(ctx, p.db, s)
	if err != nil {
		return time.Time{}, err
	}
	facts := common
	if s.Mode == series.Drip {
		facts = readerFacts(facts, r)
	}
	slots, err := coming(ctx, p.db, s, p.now(), promiseReach)
	if err != nil {
		return time.Time{}, err
	}
	var pinned time.Time // the last slot with a pin: what waits for it goes by then
	if n := len(common.Pins); n > 0 {
		pinned = common.Pins[n-1].At
	}
	for i, why := range judge(s, common, slots, p.now()) {
		if why.idle != "" {
			continue
		}
		d := step(facts, slots[i])
		_, had := r.Had[d.Article.ID]
		switch {
		case why.obstacle != "" || d.Outcome == series.Blocked || d.Outcome == series.Empty && !slots[i].At.Before(pinned):
			return time.Time{}, nil
		case d.Outcome == series.Send && (s.Mode == series.Drip || !had && !r.Before[d.Article.ID]):
			return slots[i].At.In(location(s)), nil
		}
	}
	return time.Time{}, nil
}

// VisitUnsubscribe reads an unsubscribe link; subscribers.ErrToken where it is not ours. Whoever is gone, and whoever
// never was (the link of a preview), looks like somebody who has left.
func (p *Publisher) VisitUnsubscribe(ctx context.Context, token string) (v Visit, err error) {
	t, old, err := p.key.OpenLeave(token)
	if err != nil {
		return Visit{}, err
	}
	err = p.db.Snapshot(ctx, func(q store.Querier) error { v, err = p.visit(ctx, q, t); return err })
	v.CanUndo = v.CanUndo && !old
	return v, err
}

// visit is the page that people meet most often: it asks for no more than it shows.
func (p *Publisher) visit(ctx context.Context, q store.Querier, t subscribers.Token) (Visit, error) {
	v := Visit{State: subscribers.Ended}
	var err error
	if v.Series, err = series.LabelOf(ctx, q, t.SeriesID); err != nil {
		return v, fmt.Errorf("visit: %w", err)
	}
	v.Language = cmp.Or(v.Series.Language, p.site.Language)
	st, err := p.people.StandingOf(ctx, q, t.SubscriberID, t.SeriesID)
	if errors.Is(err, store.ErrNotFound) {
		return v, nil
	}
	if err != nil {
		return v, fmt.Errorf("visit: %w", err)
	}
	v.Masked, v.Language, v.State = st.Address.Masked(), cmp.Or(st.Language, v.Language), cmp.Or(st.State, v.State)
	v.Everything, v.CanUndo = st.Leave.Everything, st.Leave.MayUndo
	return v, nil
}

// errWelcome says that only the welcome failed: the confirmation is made without it.
var errWelcome = errors.New("welcome")

// Confirm activates the enrolments that were asked for and queues their welcomes (rule 3) in one transaction. A welcome that
// can't be made never stops a confirmation. Of the series whose names are in again, those who come back to one start it again instead of
// going on where they left off (rule 14): with the next slot, since their welcome may be the very letter that they had.
func (p *Publisher) Confirm(ctx context.Context, token string, e subscribers.Evidence, again ...string) ([]Joining, error) {
	t, err := p.key.OpenConfirm(ctx, p.db, token)
	if err != nil {
		return nil, err
	}
	together, err := subscribers.RequestsWith(ctx, p.db, t)
	if err != nil {
		return nil, err
	}
	letters, restarts, err := p.beginnings(ctx, together, again)
	if err != nil {
		return nil, fmt.Errorf("confirm: %w", err)
	}
	if e.MessageID, err = outbox.MessageIDOf(ctx, p.db, confirmationOf(t.Serial)); err != nil {
		return nil, fmt.Errorf("confirm: %w", err)
	}
	err = p.confirm(ctx, token, e, letters, restarts)
	if errors.Is(err, errWelcome) {
		p.log.ErrorContext(ctx, "welcome left out", "error", err)
		err = p.confirm(ctx, token, e, nil, restarts)
	}
	if err != nil {
		return nil, err
	}
	p.wake()
	return p.VisitConfirm(ctx, token)
}

// beginnings says how the series of some requests begin for the person, before the lock: with a welcome, or with a new cycle where they come
// back to one that again names and had something of it.
func (p *Publisher) beginnings(ctx context.Context, together []subscribers.Token, again []string) (letters map[int64]series.Frozen, restarts []int64, err error) {
	letters = map[int64]series.Frozen{}
	for _, one := range together {
		s, err := series.ByID(ctx, p.db, one.SeriesID)
		if err != nil {
			return nil, nil, err
		}
		if slices.Contains(again, s.PublicName()) {
			reader, err := outbox.ReaderOf(ctx, p.db, s.ID, one.SubscriberID)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return nil, nil, err
			}
			if mayStartAgain(s, reader) {
				restarts = append(restarts, s.ID)
				continue
			}
		}
		if letter := p.welcome(ctx, s, one.SubscriberID); letter != nil {
			letters[s.ID] = *letter
		}
	}
	return letters, restarts, nil
}

// confirm activates, and begins what is fresh.
func (p *Publisher) confirm(ctx context.Context, token string, e subscribers.Evidence, letters map[int64]series.Frozen, restarts []int64) error {
	return p.db.InTx(ctx, func(tx *store.Tx) error {
		all, err := p.people.Confirm(ctx, tx, token, e)
		if err != nil {
			return err
		}
		for _, enrolment := range all {
			letter, welcomed := letters[enrolment.SeriesID]
			switch {
			case !enrolment.Fresh:
			case slices.Contains(restarts, enrolment.SeriesID):
				how := subscribers.Evidence{IP: e.IP, Agent: e.Agent, Form: e.Form, MessageID: e.MessageID}
				err := p.startAgain(ctx, tx, enrolment.SubscriberID, enrolment.SeriesID, how)
				if err != nil && !errors.Is(err, ErrAgain) { // it has become live: then they go on
					return err
				}
			case welcomed:
				if err := p.addWelcome(ctx, tx, letter, enrolment.SubscriberID); err != nil {
					return fmt.Errorf("series %s: %w: %w", letter.Series.Slug, errWelcome, err)
				}
			}
		}
		return nil
	})
}

// addWelcome adds a person to the welcome issue of an article, and freezes it where it is the first of its revision. It does nothing
// where an editor has stopped the article's issue since the letter was written.
func (p *Publisher) addWelcome(ctx context.Context, tx *store.Tx, letter series.Frozen, subscriberID int64) error {
	fates, err := series.Fates(ctx, tx, letter.Series.ID)
	if err != nil || fates[letter.Article.ID].Stopped {
		return err
	}
	issue, err := series.WelcomeIssue(ctx, tx, letter.Series.ID, letter.Article.ID)
	fresh := errors.Is(err, store.ErrNotFound)
	if fresh {
		issue, err = series.Freeze(ctx, tx, letter, p.now())
	}
	if err != nil {
		return err
	}
	if _, err := outbox.Add(ctx, tx, issue.ID, []int64{subscriberID}, p.now()); err != nil || !fresh {
		return err
	}
	return outbox.Open(ctx, tx, p.now(), issue.ID)
}

// welcome renders the mail that somebody who confirms now gets right away; nil: none.
func (p *Publisher) welcome(ctx context.Context, s series.Series, subscriberID int64) *series.Frozen {
	a, err := p.welcomeArticle(ctx, s, subscriberID)
	if err != nil || a.ID == 0 {
		if err != nil {
			p.log.ErrorContext(ctx, "welcome not chosen", "series", s.Slug, "error", err)
		}
		return nil
	}
	l, err := p.letter(ctx, p.db, s, a)
	if err == nil {
		l.Greeting = templates.InMail(l.Language).T("letter.welcome_greeting", "series", s.Title)
		var frozen series.Frozen
		if frozen, err = p.write(ctx, s, a, l); err == nil {
			err = p.clearedOnce(ctx, frozen)
		}
		if err == nil {
			frozen.Slot, frozen.Kind = p.thisMinute(s).Wall, "welcome"
			return &frozen
		}
	}
	p.log.ErrorContext(ctx, "welcome not rendered", "series", s.Slug, "article", a.Slug, "error", err)
	return nil
}

// clearedOnce is cleared for a welcome that nobody has had yet: later ones are rows of the same issue. Its editors are told, for
// the reader who confirms can't mend it.
func (p *Publisher) clearedOnce(ctx context.Context, f series.Frozen) error {
	_, err := series.WelcomeIssue(ctx, p.db, f.Series.ID, f.Article.ID)
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	err = p.cleared(ctx, f)
	var h *hindrance
	if !errors.As(err, &h) {
		return err
	}
	w := p.welcomeWord(f.Series, f.Article, h)
	return errors.Join(err, p.Tell(ctx, w.dedupe, w.subject, w.paragraphs))
}

// welcomeArticle chooses the article of a welcome (rule 3): a person's own next or first one, or the latest issue's. It
// is zero where there is none, where they had it, where its issue is held or paused, or a slot on hold has it for them (rule 11), or in
// live where the issue of the coming slot must not be given away.
func (p *Publisher) welcomeArticle(ctx context.Context, s series.Series, subscriberID int64) (series.Article, error) {
	if s.Welcome == "none" || s.Paused {
		return series.Article{}, nil
	}
	reader, err := outbox.ReaderOf(ctx, p.db, s.ID, subscriberID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return series.Article{}, err
	}
	facts, err := series.FactsOf(ctx, p.db, s)
	if err != nil {
		return series.Article{}, err
	}
	fates, err := series.Fates(ctx, p.db, s.ID)
	if err != nil {
		return series.Article{}, err
	}
	facts.At = p.now()
	a := welcoming(s, facts, reader, fates)
	if _, had := reader.Had[a.ID]; had || reader.Before[a.ID] || a.ID == 0 {
		return series.Article{}, nil
	}
	gives := fates[a.ID].Stopped
	switch {
	case gives:
	case s.Mode == series.Live:
		gives, err = p.givesWay(ctx, s, facts, a)
	default:
		gives, err = p.isHeld(ctx, s, readerFacts(facts, reader), a)
	}
	if gives {
		p.log.InfoContext(ctx, "welcome gives way to an issue", "series", s.Slug, "article", a.Slug, "subscriber", subscriberID)
	}
	if err != nil || gives {
		return series.Article{}, err
	}
	return a, nil
}

// welcoming is the article that a series welcomes a reader with, whatever stands in the way of that; zero: none.
func welcoming(s series.Series, f series.Facts, r outbox.Reader, fates map[int64]series.Fate) series.Article {
	switch {
	case s.Welcome == "latest":
		return latest(f, fates)
	case s.Mode == series.Live:
		return first(f)
	}
	own := readerFacts(f, r)
	own.Welcomed = time.Time{} // this is the welcome: none of before keeps it away
	if d := series.Next(own); d.Outcome == series.Send {
		return d.Article
	}
	return series.Article{}
}

// latest is the article whose issue went out last: it is ready still, nobody has stopped it, and it waits for no date; zero: none.
func latest(f series.Facts, fates map[int64]series.Fate) (a series.Article) {
	for _, x := range f.Articles {
		_, waits := f.Reserved(x.ID)
		fate := fates[x.ID]
		if !fate.Stopped && x.State == series.Ready && !waits && fate.Sent.After(fates[a.ID].Sent) {
			a = x
		}
	}
	return a
}

// first is the first ready article that waits for no date; zero: none.
func first(f series.Facts) series.Article {
	for _, x := range f.Articles {
		if _, waits := f.Reserved(x.ID); x.State == series.Ready && !waits {
			return x
		}
	}
	return series.Article{}
}

// givesWay says whether the welcome of a live series gives way to the coming slot: that is near, or sends the same.
func (p *Publisher) givesWay(ctx context.Context, s series.Series, f series.Facts, a series.Article) (bool, error) {
	slot, found, err := firstOpen(ctx, p.db, s, p.now())
	if err != nil || !found {
		return false, err
	}
	d := series.Next(atSlot(f, slot))
	near := slot.At.Sub(p.now()) < s.MinGap
	return d.Outcome == series.Send && (near || d.Article.ID == a.ID), nil
}

// isHeld says whether an article is what a slot on hold of a drip series has for a reader: it comes once that is released. It changes f.Had.
func (p *Publisher) isHeld(ctx context.Context, s series.Series, f series.Facts, a series.Article) (bool, error) {
	now := p.now()
	coming, err := p.comingFirst(ctx, s, now)
	_, held := holdOf(f, a, now, coming)
	return held, err
}

// Unsubscribe ends the enrolment of the link, or with everything all of them. When it returns nil the leave is on the disk
// and no issue in its scope is marked for the person any more. An unknown person or a repeated call is nil too; the error
// is subscribers.ErrToken where the link is not ours. Those who leave at the same moment share a commit.
func (p *Publisher) Unsubscribe(ctx context.Context, token string, everything bool, e subscribers.Evidence) error {
	t, _, err := p.key.OpenLeave(token)
	if err != nil {
		return err
	}
	scope := t.SeriesID
	if everything {
		scope = 0
	}
	return p.db.Together(ctx, func(tx *store.Tx) error { return p.people.Unsubscribe(ctx, tx, t.SubscriberID, scope, e) })
}

// UndoUnsubscribe takes the leave of this link back within seven days: that from everything where it stands, else that
// from the series. subscribers.ErrNotPending where there is none, and by a link from before a rotation of the key.
func (p *Publisher) UndoUnsubscribe(ctx context.Context, token string, e subscribers.Evidence) error {
	t, old, err := p.key.OpenLeave(token)
	if err != nil {
		return err
	}
	if old {
		return subscribers.ErrNotPending
	}
	return p.db.InTx(ctx, func(tx *store.Tx) error {
		st, err := p.people.StandingOf(ctx, tx, t.SubscriberID, t.SeriesID)
		if errors.Is(err, store.ErrNotFound) {
			return subscribers.ErrNotPending
		}
		if err != nil {
			return err
		}
		scope := t.SeriesID
		if st.Leave.Everything {
			scope = 0
		}
		return p.people.Undo(ctx, tx, t.SubscriberID, scope, e)
	})
}
