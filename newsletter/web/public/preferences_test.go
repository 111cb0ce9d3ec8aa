package public_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter/series"
	"pressrun/newsletter/web/webtest"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

func TestPreferences(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin, gut := s.AddSeries(t, "skin", "Water"), s.AddSeries(t, "gut", "Bread")
	id, token := s.AddReader(t, skin, "ada@example.org")
	at := "/preferences/" + token
	page := get(t, h, at)
	wants(t, "before", page, 200, "a••••@example.org", "The skin letters", "The next letter comes on Tuesday 2 March 2027", "The gut letters", "You don’t get this series")
	for name, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow"} {
		if got := page.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if strings.Contains(page.Body, "ada@example.org") {
		t.Error("the page gives the address away")
	}
	for _, day := range []string{"", "yesterday", "2027-03-01", "2026-01-01", "2029-01-01"} {
		a := post(t, h, at, url.Values{"wish": {"pause"}, "series": {"skin"}, "until": {day}})
		wants(t, "a break until "+day, a, 422, `role="alert"`, "A break ends on a day to come")
	}
	wants(t, "a break", post(t, h, at, url.Values{"wish": {"pause"}, "series": {"skin"}, "until": {"2027-04-06"}}), 200,
		"Your break has begun", "until Tuesday 6 April 2027")
	if got := state(t, s, skin, id); got != subscribers.Paused {
		t.Errorf("after the break: got %s, want paused", got)
	}
	wants(t, "go on", post(t, h, at, url.Values{"wish": {"resume"}, "series": {"skin"}}), 200, "It goes on")
	if got := state(t, s, skin, id); got != subscribers.Active {
		t.Errorf("after going on: got %s, want active", got)
	}
	wants(t, "join", post(t, h, at, url.Values{"wish": {"join"}, "series": {"gut"}}), 200, "we have asked there whether it was you", "We have written to you")
	if got := state(t, s, gut, id); got != subscribers.Pending {
		t.Errorf("after asking: got %s, want pending: a forwarded letter must not sign up", got)
	}
	wants(t, "confirmed", post(t, h, "/c/"+mailedToken(t, s), nil), 200, "You’re in")
	wants(t, "language", post(t, h, at, url.Values{"wish": {"language"}, "language": {"de"}}), 200, `<html lang="de"`)
	wants(t, "from then on", get(t, h, at), 200, `<html lang="de"`)
	wants(t, "leaving too", get(t, h, "/u/"+token), 200, `<html lang="de"`)
	wants(t, "language of the series", post(t, h, at, url.Values{"wish": {"language"}, "language": {""}}), 200, `<html lang="en"`)
	wants(t, "leave", post(t, h, at, url.Values{"wish": {"leave"}, "series": {"gut"}}), 200, "You have left this series")
	if got := state(t, s, gut, id); got != subscribers.Ended {
		t.Errorf("after leaving: got %s, want ended", got)
	}
	for what, form := range map[string]url.Values{
		"nothing":                 {},
		"a wish unknown":          {"wish": {"erase"}},
		"a language that is none": {"wish": {"language"}, "language": {"no language"}},
	} {
		wants(t, what, post(t, h, at, form), 400)
	}
	wants(t, "a series unknown", post(t, h, at, url.Values{"wish": {"pause"}, "series": {"none"}, "until": {"2027-04-06"}}), 404)
}

// hadNext has the readers of a drip series had their next article.
func hadNext(t *testing.T, s *webtest.Site, of series.Series) {
	t.Helper()
	s.Pass(time.Minute)
	s.Send(t, of)
	s.InTx(t, func(tx *store.Tx) error {
		_, err := tx.Exec(t.Context(), `UPDATE deliveries SET state = 'sent', dated = ?2, hash = 'h', message_id = 'm'
WHERE series_id = ?1 AND state = 'pending' AND kind = 'issue'`, of.ID, s.Now().UnixMilli())
		return err
	})
	s.Pass(time.Minute)
}

// cycle is the one that somebody is in.
func cycle(t *testing.T, s *webtest.Site, in series.Series, id int64) int64 {
	t.Helper()
	e, err := subscribers.EnrolmentOf(t.Context(), s.DB, in.ID, id)
	if err != nil {
		t.Fatalf("enrolment of %d: %v", id, err)
	}
	return e.Cycle
}

// To start a series again is a button of its own page, and nothing else: neither a look at it nor a form from elsewhere does it.
func TestStartAgain(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin := s.AddSeries(t, "skin", "Water")
	course := s.Set(t, s.AddSeries(t, "course", "First", "Second", "Third"), series.Change{Mode: new(series.Drip)})
	id, token := s.AddReader(t, course, "ada@example.org")
	s.AddReader(t, skin, "ada@example.org")
	at, press := "/preferences/"+token, url.Values{"wish": {"again"}, "series": {"course"}}
	const button, live = "Start again from the first article", "Everybody gets the same letter of this series"
	if strings.Contains(get(t, h, at).Body, button) {
		t.Error("offered to somebody who had nothing yet")
	}
	wants(t, "pressed all the same", post(t, h, at, press), 200, "You start again from the first article.", "The next letter comes on Tuesday 2 March 2027.")
	hadNext(t, s, course)
	hadNext(t, s, course)

	page := get(t, h, at)
	wants(t, "offered", page, 200, button, "The next letter is then the first article, and you get all of them again.")
	if n := strings.Count(page.Body, `value="again"`); n != 1 {
		t.Errorf("got %d buttons, want one, of the series in which each reader has a place", n)
	}
	rest := s.Dump(t)
	for _, query := range []string{"", "?wish=again&series=course"} {
		get(t, h, at+query)
		webtest.Do(t, h, webtest.Request{Method: "HEAD", Path: at + query})
	}
	foreign := webtest.Do(t, h, webtest.Request{Method: "POST", Path: at, Form: press, Header: map[string]string{"Sec-Fetch-Site": "cross-site"}})
	wants(t, "from elsewhere", foreign, 403)
	wants(t, "in live", post(t, h, at, url.Values{"wish": {"again"}, "series": {"skin"}}), 422, `role="alert"`, live)
	wants(t, "a series unknown", post(t, h, at, url.Values{"wish": {"again"}, "series": {"none"}}), 404)
	if now := s.Dump(t); now != rest {
		t.Error("something was changed by none of them")
	}
	for range 3 {
		wants(t, "pressed", post(t, h, at, press), 200, `role="status"`, "You start again from the first article.", "The next letter comes on Tuesday 2 March 2027.")
	}
	if got := cycle(t, s, course, id); got != 2 {
		t.Errorf("after three times: in cycle %d, want 2", got)
	}
	person, err := s.Publisher.Person(t.Context(), "ada@example.org")
	if err != nil {
		t.Fatal(err)
	}
	last := person.Events[len(person.Events)-1]
	if last.Event != "restarted" || last.Series != "course" || last.Form != "http://127.0.0.1:8080/preferences/[token]" {
		t.Errorf("the event is %+v", last)
	}
	const coming = "You start again from the first article. The first letter is on its way. The next letter comes on Tuesday 2 March 2027."
	s.Pass(time.Minute)
	first := s.Send(t, course)
	wants(t, "pressed while the first letter waits", post(t, h, at, press), 200, coming)
	if err := s.Publisher.PauseIssue(t.Context(), first, "to look at it"); err != nil {
		t.Fatal(err)
	}
	if page := post(t, h, at, press); page.Status != 200 || strings.Contains(page.Body, "on its way") {
		t.Errorf("pressed while an editor keeps it: got %d:\n%s", page.Status, page.Body)
	}
	if got := cycle(t, s, course, id); got != 2 {
		t.Errorf("pressed while the first letter waits: in cycle %d, want 2", got)
	}
	for _, name := range []string{"course", "skin"} {
		post(t, h, at, url.Values{"wish": {"pause"}, "series": {name}, "until": {"2027-04-01"}})
	}
	wants(t, "on a break", post(t, h, at, press), 422, `role="alert"`, "You are taking a break. Go on first; then you can start again")
	wants(t, "in live, on a break", post(t, h, at, url.Values{"wish": {"again"}, "series": {"skin"}}), 422, `role="alert"`, live)
	post(t, h, at, url.Values{"wish": {"leave"}, "series": {"course"}})
	wants(t, "after leaving", post(t, h, at, press), 422, `role="alert"`, "You don’t get this series now")
}

// Who left a drip series and comes back is asked whether to go on, which is the default, or to start again.
func TestComingBack(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	course := s.Set(t, s.AddSeries(t, "course", "First", "Second", "Third"), series.Change{Mode: new(series.Drip), Welcome: new("none")})
	const asked = "Start again: the next letter is the first article"
	for _, tt := range []struct {
		email string
		form  url.Values
		want  int64
	}{
		{"ada@example.org", nil, 1},
		{"ben@example.org", url.Values{"begin-course": {"on"}}, 1},
		{"cyd@example.org", url.Values{"begin-course": {"again"}}, 2},
		{"dan@example.org", url.Values{"begin-skin": {"again"}}, 1},
	} {
		id, token := s.AddReader(t, course, tt.email)
		hadNext(t, s, course)
		wants(t, "left", post(t, h, "/preferences/"+token, url.Values{"wish": {"leave"}, "series": {"course"}}), 200, "it goes on where you left off", "start again from the first article instead")
		s.Pass(time.Hour)
		link := "/c/" + s.AskToJoin(t, course, tt.email)
		wants(t, "asked", get(t, h, link), 200, asked, `name="begin-course" value="on" checked`)
		page := post(t, h, link, tt.form)
		wants(t, "back", page, 200, "You’re in")
		if got := strings.Contains(page.Body, "You start again from the first article. The next letter comes on Tuesday 2 March 2027."); got != (tt.want == 2) {
			t.Errorf("%s: it says that they start again: %t:\n%s", tt.email, got, page.Body)
		}
		if got := cycle(t, s, course, id); got != tt.want {
			t.Errorf("%s: in cycle %d, want %d", tt.email, got, tt.want)
		}
	}
	if page := get(t, h, "/c/"+s.AskToJoin(t, course, "new@example.org")); strings.Contains(page.Body, asked) {
		t.Error("somebody new is asked whether to start again")
	}
}

// A letter that was forwarded tells nobody which sensitive or private series its reader gets.
func TestPreferencesTellNothingSensitive(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin, gut := s.AddSeries(t, "skin", "Water"), s.AddSeries(t, "gut", "Bread")
	inner := s.Set(t, s.AddSeries(t, "inner", "Us"), series.Change{Private: new(true)})
	skin = s.Set(t, skin, series.Change{Sensitive: new(true)})
	_, own := s.AddReader(t, skin, "ada@example.org")
	_, other := s.AddReader(t, gut, "ada@example.org")
	if page := get(t, h, "/preferences/"+other); strings.Contains(page.Body, "skin") || strings.Contains(page.Body, "inner") {
		t.Errorf("the letters of gut tell of a sensitive or a private series:\n%s", page.Body)
	}
	wants(t, "nor can it be changed by them", post(t, h, "/preferences/"+other, url.Values{"wish": {"leave"}, "series": {skin.PublicName()}}), 404)
	wants(t, "its own letters", get(t, h, "/preferences/"+own), 200, "The skin letters", "The gut letters")
	s.AddReader(t, inner, "ada@example.org")
	wants(t, "who is in a private one", get(t, h, "/preferences/"+other), 200, "The inner letters")
}

func TestPreferencesOfTheErased(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin := s.AddSeries(t, "skin", "Water")
	id, token := s.AddReader(t, skin, "ada@example.org")
	s.InTx(t, func(tx *store.Tx) error { return s.People.Erase(t.Context(), tx, id) })
	wants(t, "erased", get(t, h, "/preferences/"+token), 200, "Nobody gets letters by this link")
	wants(t, "pressed", post(t, h, "/preferences/"+token, url.Values{"wish": {"link"}}), 200, "Nobody gets letters by this link")
	if n := s.Count(t, `SELECT count(*) FROM notices`); n != 0 {
		t.Errorf("got %d mails, want none", n)
	}
}

// The reason is asked after the leave, needed by nobody, and kept beside it.
func TestLeaveReason(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin := s.AddSeries(t, "skin", "Water")
	_, token := s.AddReader(t, skin, "ada@example.org")
	at := "/u/" + token
	if strings.Contains(get(t, h, at).Body, "tell us why") {
		t.Error("a reason is asked before the leave")
	}
	wants(t, "left", post(t, h, at, url.Values{"leave": {"series"}}), 200, "You have left", "tell us why", `action="`+at+`/why"`)
	wants(t, "none of the reasons", post(t, h, at+"/why", url.Values{"reason": {"spite"}}), 400)
	wants(t, "said", post(t, h, at+"/why", url.Values{"reason": {"often"}, "note": {"Twice a week <is> much."}}), 200, "Thank you", "You have left", at+"/undo")
	person, err := s.Publisher.Person(t.Context(), "ada@example.org")
	if err != nil {
		t.Fatal(err)
	}
	last := person.Events[len(person.Events)-1]
	if last.Event != "unsubscribed" || last.Reason != "often" || last.Note != "Twice a week <is> much." || last.Form != "http://127.0.0.1:8080/u/[token]" {
		t.Errorf("the event is %+v", last)
	}
	wants(t, "a stray link", post(t, h, "/u/x/why", url.Values{"reason": {"often"}}), 404)
	s.Pass(time.Hour)
}

// A secret that was stolen before a rotation is good for leaving, since old letters must be; by it nobody sees or changes what a reader
// gets, takes a leave back, or confirms what is asked for now. The fresh link that is mailed leads to all of it.
func TestLinksOfAnOldSecret(t *testing.T) {
	s := webtest.New(t)
	skin, gut := s.AddSeries(t, "skin", "Water"), s.AddSeries(t, "gut", "Bread")
	id, token := s.AddReader(t, skin, "ada@example.org")
	s.AddReader(t, gut, "ada@example.org")
	before := s.AskToJoin(t, skin, "ben@example.org")
	stolen := s.Key
	s.Rotate(t)
	h := handler(t, s)
	at, rest := "/preferences/"+token, s.Dump(t)

	page := get(t, h, at)
	wants(t, "preferences", page, 200, "a••••@example.org", "This link is from an older letter", `href="/u/`+token, `value="link"`)
	for _, told := range []string{"letters</a>", `value="pause"`, `value="join"`, `value="language"`, "Tuesday"} {
		if strings.Contains(page.Body, told) {
			t.Errorf("preferences tell or offer %s:\n%s", told, page.Body)
		}
	}
	for _, form := range []url.Values{
		{"wish": {"language"}, "language": {"fr"}},
		{"wish": {"pause"}, "series": {"skin"}, "until": {"2027-04-06"}},
		{"wish": {"resume"}, "series": {"skin"}},
		{"wish": {"again"}, "series": {"skin"}},
		{"wish": {"join"}, "series": {"gut"}},
	} {
		wants(t, form.Get("wish"), post(t, h, at, form), 410)
	}
	if now := s.Dump(t); now != rest {
		t.Errorf("something was changed by an old secret:\n%s\nbefore:\n%s", now, rest)
	}
	wants(t, "fresh link", post(t, h, at, url.Values{"wish": {"link"}}), 200, "on its way to your mailbox")
	if n := s.Count(t, `SELECT count(*) FROM notices WHERE kind = 'login'`); n != 1 {
		t.Errorf("got %d fresh links mailed, want 1", n)
	}

	wants(t, "leave by an open page", post(t, h, at, url.Values{"wish": {"leave"}, "series": {"gut"}}), 200)
	left := post(t, h, "/u/"+token, url.Values{"List-Unsubscribe": {"One-Click"}})
	wants(t, "one click", left, 200)
	for _, series := range []series.Series{skin, gut} {
		if got := state(t, s, series, id); got != subscribers.Ended {
			t.Errorf("%s after leaving: %s, want ended", series.Slug, got)
		}
	}
	if page := get(t, h, "/u/"+token); page.Status != 200 || strings.Contains(page.Body, "/undo") {
		t.Errorf("left: status %d, or an undo is offered:\n%s", page.Status, page.Body)
	}
	wants(t, "undo", post(t, h, "/u/"+token+"/undo", nil), 410)
	if got := state(t, s, skin, id); got != subscribers.Ended {
		t.Errorf("a leave was taken back by an old secret: %s", got)
	}
	fresh := s.Key.Seal(subscribers.Token{Purpose: subscribers.PurposeUnsubscribe, SubscriberID: id, SeriesID: skin.ID})
	wants(t, "undo by a new link", post(t, h, "/u/"+fresh+"/undo", nil), 200)

	s.AskToJoin(t, skin, "eve@example.org")
	var eve, request int64
	if err := s.DB.QueryRow(t.Context(), `SELECT subscriber_id, max(id) FROM consents WHERE event = 'requested'`).Scan(&eve, &request); err != nil {
		t.Fatal(err)
	}
	forged := stolen.Seal(subscribers.Token{Purpose: subscribers.PurposeConfirm, SubscriberID: eve, SeriesID: skin.ID, Serial: request})
	wants(t, "look at a forged confirmation", get(t, h, "/c/"+forged), 404)
	wants(t, "press it", post(t, h, "/c/"+forged, nil), 404)
	if got := state(t, s, skin, eve); got != subscribers.Pending {
		t.Errorf("confirmed by a stolen secret: %s", got)
	}
	wants(t, "what was asked for before", post(t, h, "/c/"+before, nil), 200, "You’re in")
}
