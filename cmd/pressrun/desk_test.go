package main

import (
	"net/http"
	"net/url"
	"regexp"
	"testing"
)

var loginLink = regexp.MustCompile(`http://\S+/desk/login/\w+`)

// TestLoginLinkByMail asks for a link at the desk: serve mails it, and it signs in.
func TestLoginLinkByMail(t *testing.T) {
	site := newTrial(t)
	site.bread()
	site.run("user", "add", "eve@bakery.example", "--role", "editor")
	stop := site.serve()
	defer stop()
	site.post("/desk/login", url.Values{"email": {"eve@bakery.example"}})
	link := loginLink.FindString(readMail(t, site.await(1)[0].Data).text)
	if c := site.signIn(link); c == nil || site.desk(c) != http.StatusOK {
		t.Errorf("the link %q doesn't sign in", link)
	}
}

// signIn presses the button of a login link and returns the cookie that it gives; nil: none.
func (s *trial) signIn(link string) *http.Cookie {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, link, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	for _, c := range res.Cookies() {
		return c
	}
	return nil
}

// desk is the status of the desk's first page for whoever has a cookie.
func (s *trial) desk(c *http.Cookie) int {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.base+"/desk/", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.AddCookie(c)
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode
}
