package newsletter

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/html"
)

// link is an <a> of a letter.
type link struct{ url, title string }

// linksOf are the links of a document, in order.
func linksOf(root *html.Node) []link {
	var all []link
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && n.Data == "a" {
			if to := attribute(n, "href"); to != "" {
				all = append(all, link{to, strings.TrimSpace(proseOf(n))})
			}
		}
	}
	return all
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// linkRule finds links that lead nowhere from a mail: without scheme and host, or with none that mail programs open.
func linkRule(s *sheet) []Finding {
	var found []Finding
	for _, l := range linksOf(s.letter) {
		u, err := url.Parse(l.url)
		switch {
		case err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "":
		case err == nil && (u.Scheme == "mailto" || u.Scheme == "tel") && u.Opaque != "":
		case strings.HasPrefix(l.url, "#"): // a note below
		default:
			found = append(found, s.find("relative", true, "url", l.url, "title", l.title))
		}
	}
	return found
}

func deadRule(s *sheet) []Finding {
	var found []Finding
	for _, l := range linksOf(s.body) {
		gone, asked := s.dead[l.url]
		switch {
		case asked && gone:
			found = append(found, s.find("dead", true, "url", l.url, "title", l.title))
		case asked:
			found = append(found, s.find("unasked", false, "url", l.url))
		}
	}
	return found
}

const (
	mostAsked = 30 // own links of one letter that are asked
	askFor    = 5 * time.Second
)

// askOwn asks this site's own pages among the links, all together for five seconds at most, and returns those that were not
// well: true where the site answered that there is nothing, false where it didn't answer.
func (p *Publisher) askOwn(ctx context.Context, links []link) map[string]bool {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	bad, asked := map[string]bool{}, map[string]bool{}
	for _, l := range links {
		u, err := url.Parse(l.url)
		if err != nil || u.Host != p.site.BaseURL.Host || asked[l.url] || len(asked) == mostAsked {
			continue
		}
		asked[l.url] = true
		switch gone, err := isGone(ctx, client, l.url); {
		case err != nil:
			bad[l.url] = false
		case gone:
			bad[l.url] = true
		}
	}
	return bad
}

var errNoAnswer = errors.New("no answer")

// isGone asks a page by GET, which changes nothing here.
func isGone(ctx context.Context, client *http.Client, page string) (bool, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return false, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16)) // so that the connection serves the next one
	switch {
	case resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusGone:
		return true, nil
	case resp.StatusCode >= http.StatusInternalServerError:
		return false, errNoAnswer
	}
	return false, nil
}
