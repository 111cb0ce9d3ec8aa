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
