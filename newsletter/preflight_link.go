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

	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
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

// deadRule is an error only for what no publishing brings to life: anything else may be a passing fault, and answers 404 too where
// a proxy speaks for a program that is not up.
func deadRule(s *sheet) []Finding {
	var found []Finding
	for _, l := range linksOf(s.body) {
		switch s.asked[l.url] {
		case pageGone, pageComing:
			found = append(found, s.find("dead", s.asked[l.url] == pageGone, "url", l.url, "title", l.title))
		case pageSilent:
			found = append(found, s.find("unasked", false, "url", l.url))
		}
	}
	return found
}

// answer is what an own page said; the zero value: it is there, or is none of ours.
type answer int

const (
	pageGone   answer = iota + 1 // nothing is there, and nothing will be
	pageComing                   // nothing is there today
	pageSilent                   // nobody answered
)

const (
	mostAsked = 30 // own links of one letter that are asked
	askFor    = 5 * time.Second
)

// asking is how long own pages may be asked still, and what they said. It serves one goroutine.
type asking struct {
	left    time.Duration
	answers map[string]answer // by address without fragment
}

type askingKey struct{}

// withAsking has all letters that are looked at under the context share one asking. A context that has one keeps it.
func withAsking(ctx context.Context, left time.Duration) context.Context {
	if _, ok := ctx.Value(askingKey{}).(*asking); ok {
		return ctx
	}
	return context.WithValue(ctx, askingKey{}, &asking{left, map[string]answer{}})
}

// askOwn asks this site's own pages among the links of a letter, and returns those that were not well. The letter's own page is
// left out: it begins with this very letter. Once the time is over nobody is asked any more.
func (p *Publisher) askOwn(ctx context.Context, f series.Frozen, links []link) map[string]answer {
	ctx = withAsking(ctx, askFor)
	now, _ := ctx.Value(askingKey{}).(*asking)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	said := map[string]answer{}
	for _, l := range links {
		u, err := url.Parse(l.url)
		if err != nil || u.Host != p.site.BaseURL.Host || len(said) == mostAsked {
			continue
		}
		seriesName, name := p.pageOf(u)
		if name != "" && name == f.Series.ArticleName(f.Article) && seriesName == f.Series.PublicName() {
			continue
		}
		u.Fragment = ""
		said[l.url] = now.ask(ctx, client, u.String())
		if said[l.url] == pageGone && p.mayCome(ctx, seriesName, name) {
			said[l.url] = pageComing
		}
	}
	return said
}

// pageOf names the series, and the article in it, whose public page an address of this site would be; empty: none.
func (p *Publisher) pageOf(u *url.URL) (seriesName, name string) {
	page, ok := strings.CutPrefix(strings.Trim(u.Path, "/"), strings.Trim(p.site.BaseURL.JoinPath("s").Path, "/")+"/")
	if !ok {
		return "", ""
	}
	seriesName, name, _ = strings.Cut(page, "/")
	return seriesName, name
}

// mayCome says whether a page where nothing is may be there another time. Surely not where it is an article's or a series' by its
// address, and the database knows none of that name, or a withdrawn one.
func (p *Publisher) mayCome(ctx context.Context, seriesName, name string) bool {
	if seriesName == "" {
		return true
	}
	s, err := series.ByName(ctx, p.db, seriesName)
	if err != nil || name == "" {
		return !errors.Is(err, store.ErrNotFound)
	}
	a, err := series.ArticleByName(ctx, p.db, s, name)
	if err != nil {
		return !errors.Is(err, store.ErrNotFound)
	}
	return a.State != series.Withdrawn
}

// ask asks a page unless it is known what it says, or the time is over.
func (k *asking) ask(ctx context.Context, client *http.Client, page string) answer {
	if known, ok := k.answers[page]; ok {
		return known
	}
	begin := time.Now()                             // before the time runs, so that what took all of it leaves none
	ctx, cancel := context.WithTimeout(ctx, k.left) // once nothing is left, no request is made
	defer cancel()
	gone, err := isGone(ctx, client, page)
	k.left -= time.Since(begin)
	var said answer
	switch {
	case err != nil:
		said = pageSilent
	case gone:
		said = pageGone
	}
	k.answers[page] = said
	return said
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
