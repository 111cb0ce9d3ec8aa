package public_test

import (
	"net/url"
	"testing"

	"pressrun/newsletter/web/webtest"
)

// The visitor's language is the form's, the answer's and the mail's, and the reader's from then on.
func TestSubscribeInAnotherLanguage(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	s.AddSeries(t, "skin", "Water")
	for _, tt := range []struct{ path, accept, want string }{
		{"/subscribe", "", "en"},
		{"/subscribe", "de-AT,de;q=0.9,en;q=0.5", "de"},
		{"/subscribe?lang=ar", "de", "ar"},
		{"/subscribe?lang=xx", "xx, ja", "en"},
		{"/subscribe/skin", "fr-CH", "fr"},
		{"/s/skin", "fr", "en"}, // the archive speaks its own language, unless it is told
		{"/s/skin?lang=es", "fr", "es"},
	} {
		a := webtest.Do(t, h, webtest.Request{Method: "GET", Path: tt.path, Header: map[string]string{"Accept-Language": tt.accept}})
		wants(t, tt.path+" for "+tt.accept, a, 200, `<html lang="`+tt.want+`"`, `name="lang" value="`+tt.want+`"`)
	}
	form := url.Values{"email": {"ada@example.org"}, "lang": {"de"}, "form": {formToken(t, s, h, "/s/skin")}}
	wants(t, "asked", post(t, h, "/s/skin/subscribe", form), 200, `<html lang="de"`)
	token := mailedToken(t, s)
	wants(t, "confirm", get(t, h, "/c/"+token), 200, `<html lang="de"`)
	wants(t, "in another after all", get(t, h, "/c/"+token+"?lang=ar"), 200, `<html lang="ar" dir="rtl"`, `action="/c/`+token+`?lang=ar"`)
}
