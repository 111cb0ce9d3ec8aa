// Package fetch gets files from web addresses that people name, or that others chose and people pass on. It reaches public servers only:
// whatever an address, a redirect or a name server says, each connection is looked at when its target is known (threat T9). It reads one
// file at a time, keeps nothing, sends no cookies, and changes nothing anywhere: GET alone. After a crash there is nothing to take back.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

const (
	maxBody      = 10 << 20 // bytes, unpacked
	maxRedirects = 5
	patience     = 10 * time.Second // for all of it
)

var (
	// ErrForbidden says that an address leads where nothing may be fetched from.
	ErrForbidden = errors.New("not a public address")
	// ErrTooLarge says that a file has more than 10 MB.
	ErrTooLarge = errors.New("it has more than 10 MB")
)

// File is what was at an address.
type File struct {
	Address string // where it was in the end, after redirects
	Type    string // its media type, without parameters; empty: nobody says
	Charset string // its character set, as the server says; empty: it doesn't
	Body    []byte
}

// Client fetches files. It is safe for many goroutines.
type Client struct{ http *http.Client }

// New is a client that connects to what permit allows, which is Public everywhere but in tests. permit sees the target of each
// connection, when its name is resolved, and says why it may not be.
func New(permit func(netip.AddrPort) error) *Client {
	dialer := &net.Dialer{Control: func(_, target string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(target)
		if err != nil {
			return fmt.Errorf("%w: %s", ErrForbidden, target)
		}
		return permit(to)
	}}
	return &Client{&http.Client{
		Timeout: patience,
		Transport: &http.Transport{ // no proxy: it would connect in our place, and look at nothing
			DialContext: dialer.DialContext, ForceAttemptHTTP2: true, DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(next *http.Request, before []*http.Request) error {
			if len(before) > maxRedirects {
				return fmt.Errorf("it redirects more than %d times", maxRedirects)
			}
			return check(next.URL)
		},
	}}
}

// Get fetches the file at an http or https address.
func (c *Client) Get(ctx context.Context, address string) (File, error) {
	u, err := url.Parse(address)
	if err != nil {
		return File{}, errors.New("it is no web address")
	}
	if err := check(u); err != nil {
		return File{}, err
	}
	u.Fragment = ""
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return File{}, errors.New("it is no web address")
	}
	req.Header.Set("User-Agent", "pressrun")
	resp, err := c.http.Do(req)
	if err != nil {
		return File{}, cause(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return File{}, fmt.Errorf("the server answered %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case err != nil:
		return File{}, cause(err)
	case len(body) > maxBody:
		return File{}, ErrTooLarge
	}
	kind, parameters, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")) // a type that can't be read is none
	return File{Address: resp.Request.URL.String(), Type: kind, Charset: parameters["charset"], Body: body}, nil
}

// check refuses addresses that are none of the web, and those with a password: it would end up in reports.
func check(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return errors.New("only http and https addresses are fetched")
	case u.User != nil:
		return errors.New("an address with a name or password in it is not fetched")
	}
	return nil
}

// cause says what went wrong without the address, which whoever asked knows.
func cause(err error) error {
	var whole *url.Error
	if errors.As(err, &whole) {
		if whole.Timeout() {
			return fmt.Errorf("there was no whole answer within %v", patience)
		}
		err = whole.Err
	}
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("there was no whole answer within %v", patience)
	}
	return err
}

// refused are the parts of the public address space that are not public, or that lead into other address spaces (IANA's registries of
// special-purpose addresses).
var refused = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)

// global is where all public IPv6 addresses lie (RFC 4291 2.4); translated, mapped, local and multicast ones lie elsewhere.
var global = netip.MustParsePrefix("2000::/3")

func prefixes(all ...string) (list []netip.Prefix) {
	for _, p := range all {
		list = append(list, netip.MustParsePrefix(p))
	}
	return list
}

// Public allows connections to the web ports of public servers.
func Public(to netip.AddrPort) error {
	if to.Port() != 80 && to.Port() != 443 {
		return fmt.Errorf("%w: port %d is none of the web's, 80 and 443", ErrForbidden, to.Port())
	}
	ip := to.Addr()
	public := ip.Is4() || global.Contains(ip)
	for _, p := range refused {
		public = public && !p.Contains(ip)
	}
	if !public {
		return fmt.Errorf("%w: it leads to %s, inside a network", ErrForbidden, ip)
	}
	return nil
}
