package series_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// letter is an article as the tests render it: with whatever words it is given as the disclaimer.
func letter(s series.Series, a series.Article, words string) series.Frozen {
	return series.Frozen{
		Series: s, Article: a, Slot: "2027-01-12T09:00", Kind: "slot", State: series.IssueFilling, Subject: a.Title,
		HTML:        "<html><head><title>" + a.Title + "</title></head><body><p>" + a.Markdown + "</p><p>" + words + "</p></body></html>",
		Text:        a.Markdown + "\n\n" + words + "\n",
		ArticleHTML: "<p>" + a.Markdown + "</p>",
	}
}

func freeze(t testing.TB, db *store.DB, f series.Frozen, now time.Time) series.Issue {
	t.Helper()
	i, err := tryFreeze(t, db, f, now)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func tryFreeze(t testing.TB, db *store.DB, f series.Frozen, now time.Time) (i series.Issue, err error) {
	t.Helper()
	err = tryIn(t, db, func(ctx context.Context, tx *store.Tx) error {
		i, err = series.Freeze(ctx, tx, f, now)
		return err
	})
	return i, err
}

func transition(t testing.TB, db *store.DB, id int64, now time.Time, states ...series.IssueState) {
	t.Helper()
	in(t, db, func(ctx context.Context, tx *store.Tx) error {
		for _, to := range states {
			if err := series.Transition(ctx, tx, id, to, "", now); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestFreeze(t *testing.T) {
	db := open(t)
	c := weekly()
	c.ReplyTo, c.Language = new("editor@example.org"), new("de")
	s := add(t, db, c)
	a := article(t, db, importOne(t, db, s.ID, "a"))
	f := letter(s, a, disclaimer)
	got := freeze(t, db, f, day(7))
	want := series.Issue{
		ID: 1, Name: "skin/2027-01-12T09:00", SeriesID: s.ID, ArticleID: a.ID, Revision: 1, Slot: "2027-01-12T09:00", Kind: "slot",
		State: series.IssueFilling, Subject: "On a", HTML: f.HTML, Text: f.Text, ArticleHTML: f.ArticleHTML,
		DisclaimerID: s.Disclaimer.ID, FromName: "Harbour Clinic", FromEmail: "news@example.org", ReplyTo: "editor@example.org",
		Language: "de", Frozen: day(7),
	}
	diff(t, got, want)
	byName, err := series.IssueByName(t.Context(), db, "skin/2027-01-12T09:00")
	if err != nil {
		t.Fatal(err)
	}
	diff(t, byName, want)

	want.HTML, want.Text, want.ArticleHTML = "", "", ""
	for name, list := range map[string]func() ([]series.Issue, error){
		"Issues":          func() ([]series.Issue, error) { return series.Issues(t.Context(), db, s.ID, 0) },
		"Issues of all":   func() ([]series.Issue, error) { return series.Issues(t.Context(), db, 0, 5) },
		"OpenIssues":      func() ([]series.Issue, error) { return series.OpenIssues(t.Context(), db) },
		"Issues of a few": func() ([]series.Issue, error) { return series.Issues(t.Context(), db, s.ID, 1) },
	} {
		all, err := list()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		diff(t, all, []series.Issue{want})
	}
}

// TestFrozenStays edits the article and the series after freezing: the issue keeps what it carried.
func TestFrozenStays(t *testing.T) {
	db := open(t)
	s := add(t, db, weekly())
	a := article(t, db, importOne(t, db, s.ID, "a"))
	issue := freeze(t, db, letter(s, a, disclaimer), day(7))
	list := incoming("a")
	list[0].Markdown = "Other."
	imports(t, db, s.ID, list, series.ImportOptions{}, day(8))
	set(t, db, series.Change{Disclaimer: new("Other."), FromName: new("Other")}, day(8))
	got, err := series.IssueByID(t.Context(), db, issue.ID)
	if err != nil {
		t.Fatal(err)
	}
	diff(t, got, issue)
	if err := series.AsFrozen(t.Context(), db, got); !errors.Is(err, series.ErrState) {
		t.Errorf("got %v, want ErrState: filling must not go on", err)
	}
}

func TestFreezeRefuses(t *testing.T) {
	db := open(t)
	s := add(t, db, weekly())
	a := article(t, db, importOne(t, db, s.ID, "a"))
	b := article(t, db, importOne(t, db, s.ID, "b"))
	freeze(t, db, letter(s, a, disclaimer), day(7))

	other := letter(s, b, disclaimer)
	if _, err := tryFreeze(t, db, other, day(7)); !errors.Is(err, series.ErrSlot) {
		t.Errorf("second issue of a slot: got %v, want ErrSlot", err)
	}
	stale := letter(s, b, disclaimer)
	stale.Slot = "2027-01-19T09:00"
	for _, tt := range []struct {
		name   string
		change func(f *series.Frozen)
		want   error
	}{
		{"kind", func(f *series.Frozen) { f.Kind = "campaign" }, series.ErrInvalid},
		{"slot", func(f *series.Frozen) { f.Slot = "2027-01-19 09:00" }, series.ErrInvalid},
		{"state", func(f *series.Frozen) { f.State = series.IssueSending }, series.ErrInvalid},
		{"held without a reason", func(f *series.Frozen) { f.State = series.IssueHeld }, series.ErrInvalid},
		{"no article", func(f *series.Frozen) { f.Article = series.Article{} }, series.ErrInvalid},
		{"article of another series", func(f *series.Frozen) { f.Article.SeriesID = 99 }, series.ErrInvalid},
		{"no subject", func(f *series.Frozen) { f.Subject = " " }, series.ErrInvalid},
		{"second header in the subject", func(f *series.Frozen) { f.Subject = "a\r\nBcc: b@example.org" }, series.ErrInvalid},
		{"revision", func(f *series.Frozen) { f.Article.Revision = 2 }, series.ErrState},
		{"unknown article", func(f *series.Frozen) { f.Article.ID = 99 }, store.ErrNotFound},
	} {
		f := stale
		tt.change(&f)
		if _, err := tryFreeze(t, db, f, day(7)); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
	set(t, db, series.Change{Disclaimer: new("A new wording.")}, day(7))
	if _, err := tryFreeze(t, db, stale, day(7)); !errors.Is(err, series.ErrState) {
		t.Errorf("rendered with an older disclaimer: got %v, want ErrState", err)
	}
	in(t, db, func(ctx context.Context, tx *store.Tx) error { return series.Withdraw(ctx, tx, b.ID, day(7)) })
	if _, err := tryFreeze(t, db, stale, day(7)); !errors.Is(err, series.ErrState) {
		t.Errorf("withdrawn since it was rendered: got %v, want ErrState", err)
	}
}

func TestDisclaimerMustBeThere(t *testing.T) {
	const own, words = "This one is about *steroids*.", "Please note: Ask a qualified practitioner about your own case."
	linked := "Ask [your doctor](https://example.org/find?a=1) first.\n\n- Don't stop\n- \"Leaky gut\" isn’t a diagnosis &amp; never was"
	for _, tt := range []struct {
		name           string
		disclaimer     string
		article, mode  string // the article's own
		html, text     string
		want           error
		missing, where string
	}{
		{name: "as it is", html: "<p>" + words + "</p>", text: words},
		{name: "marked up and wrapped", html: "<td><b>Please</b>&nbsp;note: Ask <i>a</i>\n\t qualified<br>practi&shy;tioner about <em>your</em> own case.</td>", text: "> Please note: Ask a\n> *qualified* practitioner\n> about your own case."},
		{name: "not in the text", html: words, text: "Bye.", want: series.ErrDisclaimer, where: "text"},
		{name: "not in the HTML", html: "Bye.", text: words, want: series.ErrDisclaimer, where: "HTML"},
		{name: "a word changed", html: strings.Replace(words, "own", "whole", 1), text: words, want: series.ErrDisclaimer, where: "HTML"},
		{name: "only in a comment", html: "<p>Bye.</p><!-- " + words + " -->", text: words, want: series.ErrDisclaimer, where: "HTML"},
		{name: "only in an attribute", html: `<img alt="` + words + `">`, text: words, want: series.ErrDisclaimer, where: "HTML"},
		{name: "only in the preheader", html: `<div style="Display : none;max-height:0"><span>` + words + `</span></div><p>Bye.</p>`, text: words, want: series.ErrDisclaimer, where: "HTML"},
		{name: "only in the title", html: "<html><head><title>" + words + "</title></head><body>Bye.</body></html>", text: words, want: series.ErrDisclaimer, where: "HTML"},
		{name: "only in a script", html: "<script>" + words + "</script>", text: words, want: series.ErrDisclaimer, where: "HTML"},
		{name: "after the preheader too", html: `<div style="display:none">` + words + `</div><p>` + words + `</p>`, text: words},
		{name: "with the article's own", article: own, html: words + "<p>This one is about steroids.</p>", text: words + own},
		{name: "without the article's own", article: own, html: words, text: words + own, want: series.ErrDisclaimer, where: "HTML", missing: "steroids"},
		{name: "the article's instead", article: own, mode: "replace", html: "<p>This one is about steroids.</p>", text: own},
		{name: "the article's instead, but the series' shown", article: own, mode: "replace", html: words, text: words, want: series.ErrDisclaimer},
		{name: "replaced by nothing", mode: "replace", html: "Bye.", text: "Bye.", want: series.ErrDisclaimer},
		{
			name: "links, lists and entities", disclaimer: linked,
			html: `<p>Ask <a href="https://example.org/find?a=1">your doctor</a> first.</p><ul><li>Don’t stop</li><li>“Leaky gut” isn’t a diagnosis &amp; never was</li></ul>`,
			text: "Ask your doctor <https://example.org/find?a=1> first.\n\n  * Don't stop\n  * “Leaky gut” isn't a diagnosis & never was\n",
		},
		{
			name: "an item short", disclaimer: linked,
			html: `<p>Ask <a href="https://example.org/find?a=1">your doctor</a> first.</p><ul><li>“Leaky gut” isn’t a diagnosis &amp; never was</li></ul>`,
			text: linked, want: series.ErrDisclaimer, missing: "stop",
		},
		{name: "said twice, shown once", disclaimer: "Ask first.\n\nAsk first.", html: "<p>Ask first.</p>", text: "Ask first.\n\nAsk first.", want: series.ErrDisclaimer, where: "HTML"},
		{name: "other letters", disclaimer: "请咨询医生。", html: "<p>请咨询医生。</p>", text: "请咨询医生。"},
		{name: "in capitals", disclaimer: "Ask first. Größe zählt.", html: "ASK FIRST. GRÖßE ZÄHLT.", text: "Ask first.\nGröße zählt."},
		{name: "a literal address", disclaimer: "See https://example.org/a_b first.", html: `See <a href="https://example.org/a_b">https://example.org/a_b</a> first.`, text: "See https://example.org/a_b first."},
		{name: "a picture", disclaimer: "![seal](https://example.org/s.png) Certified.", html: `<img alt="seal"> Certified.`, text: "Certified."},
		{name: "an HTML block", disclaimer: "<div>Ask first.</div>", html: "<div>Ask first.</div>", text: "Ask first."},
		{name: "a code block", disclaimer: "```\nAsk first.\n```", html: "<pre>Ask first.</pre>", text: "Ask first."},
		{name: "a picture alone", disclaimer: "![seal](https://example.org/s.png)", html: `<img alt="seal">`, text: "seal", want: series.ErrDisclaimer, missing: "no words"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			db := open(t)
			c := weekly()
			if tt.disclaimer != "" {
				c.Disclaimer = &tt.disclaimer
			}
			s := add(t, db, c)
			list := incoming("a")
			list[0].Disclaimer, list[0].DisclaimerMode = tt.article, tt.mode
			a := imports(t, db, s.ID, list, series.ImportOptions{Ready: true}, day0)[0].Article
			f := letter(s, a, "")
			f.HTML, f.Text = "<h1>On a</h1>"+tt.html, "On a\n\n"+tt.text
			_, err := tryFreeze(t, db, f, day(7))
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if err != nil && (!strings.Contains(err.Error(), tt.missing) || !strings.Contains(err.Error(), tt.where)) {
				t.Errorf("got %v, want it to name %q and %q", err, tt.missing, tt.where)
			}
		})
	}
}

func TestIssueNames(t *testing.T) {
	db := open(t)
	s := add(t, db, weekly())
	a, b := article(t, db, importOne(t, db, s.ID, "a")), article(t, db, importOne(t, db, s.ID, "b"))
	drip := s
	drip.Mode = series.Drip
	for _, tt := range []struct {
		kind    string
		series  series.Series
		article series.Article
		want    string // empty: ErrSlot
	}{
		{"slot", s, a, "skin/2027-01-12T09:00"},
		{"slot", s, b, ""},
		{"slot", drip, b, "skin/2027-01-12T09:00/b"},
		{"slot", drip, b, ""},
		{"now", s, a, "skin/2027-01-12T09:00/now"},
		{"now", s, b, "skin/2027-01-12T09:00/now/b"},
		{"now", s, b, ""}, // the same article twice in a minute
		{"welcome", s, a, "skin/2027-01-12T09:00/welcome"},
		{"welcome", s, a, ""},
		{"correction", s, a, "skin/2027-01-12T09:00/correction"},
		{"announcement", s, series.Article{}, "site/2027-01-12T09:00/announcement"},
		{"announcement", s, series.Article{}, "site/2027-01-12T09:00/announcement-2"},
		{"announcement", s, a, "site/2027-01-12T09:00/announcement/a"},
	} {
		f := letter(tt.series, tt.article, disclaimer)
		f.Kind, f.Subject = tt.kind, "A word"
		i, err := tryFreeze(t, db, f, day(7))
		switch {
		case tt.want == "" && !errors.Is(err, series.ErrSlot):
			t.Errorf("%s of %s: got %s, %v; want ErrSlot", tt.kind, tt.article.Slug, i.Name, err)
		case tt.want != "" && (err != nil || i.Name != tt.want):
			t.Errorf("%s of %s: got %s, %v; want %s", tt.kind, tt.article.Slug, i.Name, err, tt.want)
		case tt.kind == "announcement" && i.SeriesID != 0:
			t.Errorf("got an announcement of series %d, want the site's", i.SeriesID)
		}
	}
}

func TestWelcomeIssue(t *testing.T) {
	db := open(t)
	s := add(t, db, weekly())
	a := article(t, db, importOne(t, db, s.ID, "a"))
	f := letter(s, a, disclaimer)
	f.Kind = "welcome"
	issue := freeze(t, db, f, day(7))
	find := func() (series.Issue, error) { return series.WelcomeIssue(t.Context(), db, s.ID, a.ID) }
	got, err := find()
	if err != nil {
		t.Fatal(err)
	}
	diff(t, got, issue)

	set(t, db, series.Change{Disclaimer: new("A new wording.")}, day(8))
	if _, err := find(); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("got %v, want store.ErrNotFound: the old welcome has the old wording", err)
	}
	s, err = series.BySlug(t.Context(), db, "skin")
	if err != nil {
		t.Fatal(err)
	}
	f = letter(s, a, "A new wording.")
	f.Kind, f.Slot = "welcome", "2027-01-13T09:00"
	issue = freeze(t, db, f, day(8))
	if got, err := find(); err != nil || got.ID != issue.ID {
		t.Errorf("got %s, %v; want %s", got.Name, err, issue.Name)
	}
	transition(t, db, issue.ID, day(8), series.IssueCancelled)
	if _, err := find(); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("got %v, want store.ErrNotFound after the cancel", err)
	}
	f.Slot = "2027-01-14T09:00"
	freeze(t, db, f, day(9))
}

func TestTransition(t *testing.T) {
	states := []series.IssueState{
		series.IssuePlanned, series.IssueFilling, series.IssueSending, series.IssuePaused, series.IssueHeld, series.IssueDone, series.IssueCancelled,
	}
	// One way to each state, from the states that Freeze gives.
	ways := map[series.IssueState][]series.IssueState{
		series.IssueHeld: {}, series.IssuePlanned: {series.IssuePlanned},
		series.IssueFilling:   {series.IssuePlanned, series.IssueFilling},
		series.IssueSending:   {series.IssuePlanned, series.IssueFilling, series.IssueSending},
		series.IssuePaused:    {series.IssuePlanned, series.IssueFilling, series.IssueSending, series.IssuePaused},
		series.IssueDone:      {series.IssuePlanned, series.IssueFilling, series.IssueSending, series.IssueDone},
		series.IssueCancelled: {series.IssueCancelled},
	}
	// filling may be held by an editor before its rows are real; held and done go back to sending where rows are left of an
	// issue that had begun (release, settle, retry).
	allowed := map[string]bool{}
	for _, arrow := range strings.Fields(`planned>filling planned>held planned>cancelled filling>sending filling>held filling>cancelled
		sending>paused sending>done sending>cancelled paused>sending paused>done paused>cancelled held>planned held>sending held>cancelled
		done>sending`) {
		allowed[arrow] = true
	}
	db := open(t)
	s := add(t, db, weekly())
	a := article(t, db, importOne(t, db, s.ID, "a"))
	n := 0
	for _, from := range states {
		for _, to := range append(states, "nonsense") {
			n++
			f := letter(s, a, disclaimer)
			f.State, f.Reason, f.Slot = series.IssueHeld, "read it", day0.AddDate(0, 0, n).Format("2006-01-02T15:04")
			issue := freeze(t, db, f, day(n))
			transition(t, db, issue.ID, day(n), ways[from]...)
			err := tryIn(t, db, func(ctx context.Context, tx *store.Tx) error {
				return series.Transition(ctx, tx, issue.ID, to, "why", day(n+1))
			})
			arrow := fmt.Sprintf("%s>%s", from, to)
			if allowed[arrow] != (err == nil) || err != nil && (!errors.Is(err, series.ErrState) || !strings.Contains(err.Error(), string(from))) {
				t.Errorf("%s: got %v, want it allowed: %v", arrow, err, allowed[arrow])
			}
			checkMoved(t, db, issue.ID, from, to, err == nil)
		}
	}
}

func checkMoved(t *testing.T, db *store.DB, id int64, from, to series.IssueState, moved bool) {
	t.Helper()
	i, err := series.IssueByID(t.Context(), db, id)
	if err != nil {
		t.Fatal(err)
	}
	want := from
	if moved {
		want = to
	}
	if i.State != want || moved && i.Reason != "why" {
		t.Errorf("%s>%s: got %s because %q", from, to, i.State, i.Reason)
	}
	if i.DoneAt.IsZero() == (i.State == series.IssueDone) {
		t.Errorf("%s>%s: got done at %s", from, to, i.DoneAt)
	}
	if begun := i.State == series.IssueSending || i.State == series.IssuePaused || i.State == series.IssueDone; begun && i.SendingSince.IsZero() {
		t.Errorf("%s>%s: got no time of sending", from, to)
	}
}

func TestFilledAndReached(t *testing.T) {
	db := open(t)
	s := add(t, db, weekly())
	issue := freeze(t, db, letter(s, article(t, db, importOne(t, db, s.ID, "a")), disclaimer), day(7))
	in(t, db, func(ctx context.Context, tx *store.Tx) error {
		return errors.Join(
			series.Filled(ctx, tx, issue.ID, 70), series.Filled(ctx, tx, issue.ID, 30), series.Reached(ctx, tx, issue.ID), series.Reached(ctx, tx, issue.ID),
		)
	})
	if got, err := series.IssueByID(t.Context(), db, issue.ID); err != nil || got.FillAfter != 70 || !got.Reached {
		t.Errorf("got filled after %d, reached %v, %v", got.FillAfter, got.Reached, err)
	}
}

func TestHad(t *testing.T) {
	db := open(t)
	s := add(t, db, weekly())
	for _, tt := range []struct {
		kind      string
		everybody bool
		cancelled bool
		reached   bool
		want      bool
	}{
		{"slot", false, false, false, true},
		{"slot", false, true, false, false}, // gives its article back
		{"slot", false, true, true, true},
		{"now", false, false, false, true},
		{"announcement", false, false, false, false}, // to some, or to another series
		{"announcement", true, false, false, true},
		{"announcement", true, true, false, false},
		{"welcome", false, false, false, false},
		{"correction", false, false, false, false},
	} {
		n := len(order(t, db, s.ID))
		a := article(t, db, importOne(t, db, s.ID, fmt.Sprintf("a%d", n)))
		f := letter(s, a, disclaimer)
		f.Kind, f.Slot, f.Everybody = tt.kind, day(n).Format("2006-01-02T15:04"), tt.everybody
		issue := freeze(t, db, f, day(n))
		in(t, db, func(ctx context.Context, tx *store.Tx) error {
			if tt.reached {
				if err := series.Reached(ctx, tx, issue.ID); err != nil {
					return err
				}
			}
			if tt.cancelled {
				return series.Transition(ctx, tx, issue.ID, series.IssueCancelled, "typo", day(n))
			}
			return nil
		})
		had, announced, err := series.Had(t.Context(), db, s.ID)
		if err != nil {
			t.Fatal(err)
		}
		at, ok := had[a.ID]
		if ok != tt.want || ok && !at.Equal(day(n)) {
			t.Errorf("%+v: got %v at %s", tt, ok, at)
		}
		if announced[a.ID] != (tt.kind == "announcement" && tt.want) {
			t.Errorf("%+v: got announced %v", tt, announced[a.ID])
		}
	}
	a := article(t, db, importOne(t, db, s.ID, "both"))
	for n, kind := range []string{"announcement", "slot"} {
		f := letter(s, a, disclaimer)
		f.Kind, f.Slot, f.Everybody = kind, day(40+n).Format("2006-01-02T15:04"), kind == "announcement"
		freeze(t, db, f, day(40+n))
	}
	if had, announced, err := series.Had(t.Context(), db, s.ID); err != nil || !had[a.ID].Equal(day(40)) || announced[a.ID] {
		t.Errorf("announced, then sent in a slot: got %v, announced %v, %v", had[a.ID], announced[a.ID], err)
	}
}

// TestCancelledGivesItsArticleBack goes the whole way: what was cancelled before anybody had it is next again.
func TestCancelledGivesItsArticleBack(t *testing.T) {
	db := open(t)
	s := add(t, db, weekly())
	a := article(t, db, importOne(t, db, s.ID, "a"))
	next := func() series.Decision {
		had, _, err := series.Had(t.Context(), db, s.ID)
		if err != nil {
			t.Fatal(err)
		}
		all, err := series.Articles(t.Context(), db, s.ID)
		if err != nil {
			t.Fatal(err)
		}
		return series.Next(series.Facts{Mode: s.Mode, WhenNotReady: s.WhenNotReady, Articles: all, Had: had, At: day(14)})
	}
	if d := next(); d.Article.ID != a.ID {
		t.Errorf("got %+v, want article a", d)
	}
	issue := freeze(t, db, letter(s, a, disclaimer), day(7))
	if d := next(); d.Outcome != series.Empty {
		t.Errorf("got %+v, want nothing left", d)
	}
	transition(t, db, issue.ID, day(7), series.IssueCancelled)
	if d := next(); d.Outcome != series.Send || d.Article.ID != a.ID {
		t.Errorf("got %+v, want article a again", d)
	}
	if _, err := tryFreeze(t, db, letter(s, a, disclaimer), day(7)); !errors.Is(err, series.ErrSlot) {
		t.Errorf("got %v, want ErrSlot: the slot had its issue", err)
	}
}
