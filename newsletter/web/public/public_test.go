package public_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"pressrun/newsletter/series"
	"pressrun/newsletter/web/public"
	"pressrun/newsletter/web/webtest"
	"pressrun/subscribers"
)

func handler(t testing.TB, s *webtest.Site) http.Handler {
	t.Helper()
	h, err := public.New(public.Config{
		DB: s.DB, Publisher: s.Publisher, Site: s.Config(), BaseURL: s.Base, Now: s.Now, Log: s.Log.Logger(),
	})
	if err != nil {
		t.Fatalf("public pages: %v", err)
	}
	return looking(t, s, h)
}

// looking has the forms that were taken looked at at once, as serve does beside its pages.
func looking(t testing.TB, s *webtest.Site, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r)
		if answer, ok := w.(*httptest.ResponseRecorder); ok && r.Method == http.MethodPost && answer.Code == http.StatusOK {
			if err := s.Publisher.TakeRequests(r.Context()); err != nil {
				t.Errorf("look at the forms: %v", err)
			}
		}
	})
}

func get(t *testing.T, h http.Handler, path string) webtest.Answer {
	t.Helper()
	return webtest.Do(t, h, webtest.Request{Method: "GET", Path: path})
}

func post(t *testing.T, h http.Handler, path string, form url.Values) webtest.Answer {
	t.Helper()
	if form == nil {
		form = url.Values{}
	}
	return webtest.Do(t, h, webtest.Request{Method: "POST", Path: path, Form: form, Header: map[string]string{"Sec-Fetch-Site": "same-origin"}})
}

// state is the enrolment's state of a person, or "none".
func state(t *testing.T, s *webtest.Site, in series.Series, id int64) subscribers.State {
	t.Helper()
	e, err := subscribers.EnrolmentOf(t.Context(), s.DB, in.ID, id)
	if err != nil {
		t.Fatalf("enrolment of %d: %v", id, err)
	}
	return e.State
}

func wants(t *testing.T, what string, a webtest.Answer, status int, texts ...string) {
	t.Helper()
	if a.Status != status {
		t.Errorf("%s: got status %d, want %d:\n%s", what, a.Status, status, a.Body)
	}
	for _, text := range texts {
		if !strings.Contains(a.Body, text) {
			t.Errorf("%s: the page lacks %q:\n%s", what, text, a.Body)
		}
	}
	if key := regexp.MustCompile(`\[(public|desk|date)\.[a-z_.]+\]`).FindString(a.Body); key != "" {
		t.Errorf("%s: no text for %s", what, key)
	}
}
