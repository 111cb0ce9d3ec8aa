package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"pressrun/newsletter/series"
)

// oneClickWait is how long a mailbox provider waits for the answer (STANDARDS section 6).
const oneClickWait = 5 * time.Second

// checkOneClick unsubscribes nobody, as a mailbox provider would do it: by a POST to the link of a letter, whose token belongs
// to nobody (RFC 8058). Its answer must be 200, at once and without a redirect.
func (s *site) checkOneClick(ctx context.Context) finding {
	f := finding{What: "one-click unsubscribe"}
	if s.cfg.trial() {
		f.OK, f.Said = true, "not tried: nothing leaves this machine"
		return f
	}
	link := s.publisher.InertLink(series.Series{})
	ctx, cancel := context.WithTimeout(ctx, oneClickWait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, link, strings.NewReader("List-Unsubscribe=One-Click"))
	if err != nil {
		f.Said, f.Mend = err.Error(), "Mend base_url."
		return f
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	client := s.outsider()
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return s.unreachable(f, err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16))
	if resp.StatusCode != http.StatusOK {
		f.Said = fmt.Sprintf("%s answered %s to the POST of a mailbox provider, which wants 200 and no redirect", s.cfg.BaseURL, resp.Status)
		f.Mend = "See that the proxy hands /u/ to `pressrun serve` unchanged."
		return f
	}
	f.OK, f.Said = true, s.cfg.BaseURL.String()+" answered 200 to a POST"
	if isLoopback(s.cfg.BaseURL.Hostname()) {
		f.Warning, f.Mend = true, "Set base_url to the https address that readers reach."
		f.Said += ", which only this machine can send: nobody elsewhere could leave"
	}
	return f
}

// checkProxies looks whether visitors can be told from each other: where readers come by https and serve has no certificate, a
// proxy stands before it.
func (s *site) checkProxies() finding {
	f := finding{What: "trusted_proxies", OK: true}
	switch {
	case len(s.cfg.TrustedProxies) > 0:
		names := make([]string, len(s.cfg.TrustedProxies))
		for i, p := range s.cfg.TrustedProxies {
			names[i] = p.String()
		}
		f.Said = "X-Forwarded-For is believed from " + strings.Join(names, ", ")
	case s.cfg.AutoTLS || s.cfg.BaseURL.Scheme != "https":
		f.Said = "none, as no proxy is needed"
	default:
		f.Warning, f.Said = true, "none, but only a proxy can answer at "+s.cfg.BaseURL.String()+": limits take all its visitors for one, and soon refuse them"
		f.Mend = `Name its address, such as trusted_proxies = ["127.0.0.1"], and see that it sends X-Forwarded-For.`
	}
	return f
}

// unreachable says why the public address did not answer. Behind a mail catcher on this machine it is a warning: mail
// ends there, and a trial of the rest may have no public address yet.
func (s *site) unreachable(f finding, err error) finding {
	var inner *url.Error
	if errors.As(err, &inner) {
		err = inner.Err // without the token in the address
	}
	var certificate *tls.CertificateVerificationError
	f.Said = fmt.Sprintf("%s can't be reached from here: %v", s.cfg.BaseURL, err)
	f.Mend = "Start `pressrun serve`, and see that name, proxy and firewall lead to it: nobody could leave otherwise."
	if errors.As(err, &certificate) {
		f.Mend = "Mend the certificate: mailbox providers don't follow a link with a bad one."
		return f
	}
	if s.cfg.relayIsHere() {
		return f.soft()
	}
	return f
}

// outsider asks as somebody elsewhere would: names by the configured DNS server, no redirects, certificates checked.
func (s *site) outsider() *http.Client {
	dialer := &net.Dialer{Resolver: s.cfg.dns()}
	return &http.Client{
		Transport:     &http.Transport{DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
