package public

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"time"

	"pressrun/newsletter/series"
)

// siteMap is a map of the site for search programs (sitemaps.org).
type siteMap struct {
	XMLName xml.Name   `xml:"http://www.sitemaps.org/schemas/sitemap/0.9 urlset"`
	Pages   []sitePage `xml:"url"`
}

type sitePage struct {
	Address string `xml:"loc"`
	Changed string `xml:"lastmod,omitempty"`
}

// sitemap lists what search programs may keep: nothing of private series.
func (p *pages) sitemap(w http.ResponseWriter, r *http.Request) error {
	all, err := p.shown(r.Context())
	if err != nil {
		return err
	}
	var marks []string
	for _, s := range all {
		mark, _, err := series.PublicMark(r.Context(), p.DB, s)
		if err != nil {
			return err
		}
		marks = append(marks, mark)
	}
	if p.unchangedSince(w, r, time.Time{}, marks...) {
		return nil
	}
	m, err := p.siteMap(r.Context(), all)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	out.WriteString(xml.Header)
	if err := xml.NewEncoder(&out).Encode(m); err != nil {
		return err
	}
	return file(w, r, "application/xml; charset=utf-8", out.Bytes())
}

func (p *pages) siteMap(ctx context.Context, all []series.Series) (siteMap, error) {
	m := siteMap{Pages: []sitePage{{Address: p.BaseURL.JoinPath("/").String()}}}
	for _, s := range all {
		m.Pages = append(m.Pages, sitePage{Address: p.BaseURL.JoinPath("s", s.PublicName()).String()})
		articles, err := series.PublishedArticles(ctx, p.DB, s.ID)
		if err != nil {
			return siteMap{}, err
		}
		for _, a := range articles {
			m.Pages = append(m.Pages, sitePage{
				Address: p.BaseURL.JoinPath("s", s.PublicName(), s.ArticleName(a.Article)).String(), Changed: a.TextSince.UTC().Format(time.DateOnly),
			})
		}
	}
	return m, nil
}

// robots keeps search programs from pages that are one person's, or the editors'.
func (p *pages) robots(w http.ResponseWriter, r *http.Request) error {
	rules := "User-agent: *\n"
	for _, path := range []string{"/u/", "/c/", "/preferences/", "/mine", "/address/", "/desk/"} {
		rules += "Disallow: " + path + "\n"
	}
	rules += fmt.Sprintf("\nSitemap: %s\n", p.BaseURL.JoinPath("sitemap.xml"))
	if unchanged(w, r, []byte(rules)) {
		return nil
	}
	return file(w, r, "text/plain; charset=utf-8", []byte(rules))
}
