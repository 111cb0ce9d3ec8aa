package public

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"net/http"
	"slices"
	"time"

	"pressrun/newsletter/series"
)

// feedEntries is how many articles a feed has: the newest.
const feedEntries = 50

// atomFeed is a feed (RFC 4287).
type atomFeed struct {
	XMLName  xml.Name    `xml:"http://www.w3.org/2005/Atom feed"`
	Language string      `xml:"xml:lang,attr,omitempty"`
	ID       string      `xml:"id"`
	Title    string      `xml:"title"`
	Updated  string      `xml:"updated"`
	Author   atomAuthor  `xml:"author"`
	Rights   string      `xml:"rights,omitempty"`
	Links    []atomLink  `xml:"link"`
	Entries  []atomEntry `xml:"entry"`
}

type atomAuthor struct {
	Name string `xml:"name"`
}

type atomLink struct {
	Rel  string `xml:"rel,attr"`
	Type string `xml:"type,attr"`
	Href string `xml:"href,attr"`
}

type atomEntry struct {
	ID        string      `xml:"id"`
	Title     string      `xml:"title"`
	Updated   string      `xml:"updated"`
	Published string      `xml:"published"`
	Link      atomLink    `xml:"link"`
	Summary   string      `xml:"summary,omitempty"`
	Content   atomContent `xml:"content"`
}

type atomContent struct {
	Type     string `xml:"type,attr"`
	Base     string `xml:"xml:base,attr"`
	Language string `xml:"xml:lang,attr,omitempty"`
	HTML     string `xml:",chardata"`
}

func (p *pages) feedURL(s series.Series) string {
	return p.BaseURL.JoinPath("s", s.PublicName(), "feed.xml").String()
}

// feed is a series for feed readers: its newest public articles as they were last sent, whole and with their disclaimers
// (rule 16). Their ids are made of the site's key and their numbers, so that they outlive names and addresses.
func (p *pages) feed(w http.ResponseWriter, r *http.Request) error {
	s, err := series.ByName(r.Context(), p.DB, r.PathValue("series"))
	if err != nil {
		return err
	}
	if moved(w, r, seriesPath(s)+"/feed.xml") {
		return nil
	}
	unlisted(w, s)
	mark, changed, err := series.PublicMark(r.Context(), p.DB, s)
	if err != nil {
		return err
	}
	today := p.today(s) // which an article that was published elsewhere may name
	midnight := time.Date(today.Year(), today.Month(), today.Day(), 0, 0, 0, 0, today.Location())
	if midnight.After(changed) {
		changed = midnight
	}
	if p.unchangedSince(w, r, changed, mark, today.Format(time.DateOnly)) {
		return nil
	}
	feed, err := p.feedOf(r, s)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	out.WriteString(xml.Header)
	if err := xml.NewEncoder(&out).Encode(feed); err != nil {
		return err
	}
	return file(w, r, "application/atom+xml; charset=utf-8", out.Bytes())
}

func (p *pages) feedOf(r *http.Request, s series.Series) (atomFeed, error) {
	articles, err := series.PublishedArticles(r.Context(), p.DB, s.ID)
	if err != nil {
		return atomFeed{}, err
	}
	slices.SortStableFunc(articles, func(a, b series.Published) int {
		return cmp.Or(b.First.Compare(a.First), cmp.Compare(b.Article.Rank, a.Article.Rank))
	})
	changed := s.Created
	feed := atomFeed{
		Language: s.Language, ID: p.Publisher.StableID("series", s.ID), Title: s.Title, Author: atomAuthor{s.FromName}, Rights: s.Disclaimer.Text,
		Links: []atomLink{
			{"self", "application/atom+xml", p.feedURL(s)},
			{"alternate", "text/html", p.BaseURL.JoinPath("s", s.PublicName()).String()},
		},
	}
	for _, a := range articles[:min(len(articles), feedEntries)] {
		entry, err := p.feedEntry(r, s, a)
		if err != nil {
			return atomFeed{}, err
		}
		feed.Entries = append(feed.Entries, entry)
		if a.TextSince.After(changed) {
			changed = a.TextSince
		}
	}
	feed.Updated = atomTime(changed)
	return feed, nil
}

func (p *pages) feedEntry(r *http.Request, s series.Series, a series.Published) (atomEntry, error) {
	var body string
	var err error
	if a.Issue.ID == 0 {
		body, err = p.Publisher.Page(r.Context(), s, a.Article)
	} else {
		body, err = series.ArticleHTML(r.Context(), p.DB, a.Issue.ID)
	}
	if err != nil {
		return atomEntry{}, err
	}
	language := cmp.Or(a.Issue.Language, s.Language, p.Site.Language)
	address := p.BaseURL.JoinPath("s", s.PublicName(), s.ArticleName(a.Article)).String()
	return atomEntry{
		ID: p.Publisher.StableID("article", a.Article.ID), Title: a.Article.Title, Updated: atomTime(a.TextSince), Published: atomTime(a.First),
		Link: atomLink{"alternate", "text/html", address}, Summary: a.Article.Description,
		Content: atomContent{Type: "html", Base: address, Language: language, HTML: body},
	}, nil
}

func atomTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }
