package importer

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"pressrun/newsletter/series"
)

// knownAs is the article of the series that was made of a post; nil: there is none, or it is withdrawn.
func (in *intake) knownAs(guid string) *series.Article {
	i := slices.IndexFunc(in.Known, func(a series.Article) bool { return a.Meta[guidKey] == guid && a.State != series.Withdrawn })
	if i < 0 {
		return nil
	}
	return &in.Known[i]
}

// worldwide are the guids that no other site has: RFC 4151, RFC 8141, the numbers of Ghost and UUIDs (RFC 9562), and those made here.
var worldwide = regexp.MustCompile(`^(?:tag:|urn:|substack:|ghost:|sha256:|[0-9a-f]{24}$|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$)`)

// key is what a post is known by in all of the world: its guid, with its site where others may have the same; without one its name there, or
// when it was published and as what.
func (g *gathering) key(p post) string {
	if u, err := url.Parse(p.guid); err == nil && (u.Scheme == "https" || u.Scheme == "http") {
		if _, err := netip.ParseAddr(u.Hostname()); err != nil && strings.Contains(u.Hostname(), ".") {
			return p.guid
		}
	}
	if p.guid != "" && (g.site == "" || worldwide.MatchString(p.guid)) {
		return p.guid
	}
	id := cmp.Or(g.site, g.kind) + " " + cmp.Or(p.guid, p.name, oneLine(p.date.at+" "+p.title))
	if g.keys[id]++; p.guid == "" && g.keys[id] > 1 {
		id += " " + itoa(g.keys[id])
	}
	return guidOf(id)
}

// siteOf is a site as its addresses have it; empty: they have none.
func siteOf(addresses ...string) string {
	for _, address := range addresses {
		if u, err := url.Parse(strings.TrimSpace(address)); err == nil && u.Host != "" {
			return strings.ToLower(strings.TrimPrefix(u.Hostname(), "www.")) + strings.TrimRight(u.Path, "/")
		}
	}
	return ""
}

// guidKey is the front matter by which a post is known again when it is imported anew.
const guidKey = "guid"

func (c *candidate) setGUID(guid string) {
	if guid == "" {
		return
	}
	if c.Meta == nil {
		c.Meta = map[string]string{}
	}
	c.Meta[guidKey] = guid
}

// guidOf bounds what another program knows a post by.
func guidOf(s string) string {
	if s = oneLine(sane(s)); len(s) > 300 {
		return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(s)))
	}
	return s
}
