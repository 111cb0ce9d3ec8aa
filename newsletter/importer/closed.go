package importer

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// closed says why a post was not open to everybody where it comes from, or not all of it. Such a post comes in as a draft: only its
// editor knows who may have it.
type closed []string

// add adds a reason, once.
func (c *closed) add(why string) {
	if why != "" && !slices.Contains(*c, why) {
		*c = append(*c, why)
	}
}

// audience is the reason that a service's own word for the readers of a post gives; empty: open names it, so everybody had it.
func audience(word string, reasons map[string]string, open ...string) string {
	if word == "" || slices.Contains(open, word) {
		return ""
	}
	return cmp.Or(reasons[word], "for “"+shown(clip(oneLine(sane(word)), 60))+"” only")
}

var (
	// gated begins a part of a post of Ghost that not all readers see: <!--kg-gated-block:begin nonMember:false memberSegment:"status:free" -->
	gated = regexp.MustCompile(`<!--\s*kg-gated-block:begin([^>]*)`)
	// forVisitors stands there where visitors who are no members see the part.
	forVisitors = regexp.MustCompile(`\bnonMember:\s*true\b`)
	// gates are the blocks of WordPress by which plugins keep a part of a post from some readers: Jetpack's paywall and premium content, and
	// those of plugins for memberships.
	gates = regexp.MustCompile(`(?i)<!--\s*wp:([\w/-]*(?:paywall|premium|membership|memberful|memberpress|pmpro|restrict|subscriber-view|private)[\w/-]*)`)
)

// seenBy is what a block of WordPress says of those who see it: the plugin Block Visibility goes by roles, dates and the like.
var seenBy = regexp.MustCompile(`<!--\s*wp:([\w/-]+)\s[^>]*"blockVisibility":\{`)

// closedParts are the reasons that stand in the text of a post.
func closedParts(html string) (c closed) {
	for _, m := range gated.FindAllStringSubmatch(html, -1) {
		if !forVisitors.MatchString(m[1]) {
			c.add("a part of it for some members only")
		}
	}
	for _, m := range gates.FindAllStringSubmatch(html, -1) {
		c.add("a part of it for some readers only, by the block " + clip(m[1], 60))
	}
	for _, m := range seenBy.FindAllStringSubmatch(html, -1) {
		c.add("a part of it for some readers only, by the visibility of the block " + clip(m[1], 60))
	}
	return c
}

// closedPost is a post that was not open to everybody, for the report.
type closedPost struct{ name, why string }

// maxClosed is how many such posts of one file are named.
const maxClosed = 20

// remarkClosed names the posts that come in as drafts though they were published.
func (g *gathering) remarkClosed() {
	if len(g.closed) == 0 {
		return
	}
	var names []string
	for _, p := range g.closed[:min(len(g.closed), maxClosed)] {
		names = append(names, p.name+" ("+p.why+")")
	}
	if more := len(g.closed) - maxClosed; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	g.in.doubt(g.s.file, counted(len(g.closed), "post", "posts")+" not open to everybody there, taken in as draft: "+strings.Join(names, ", "),
		"make ready what all readers of the series may have")
}
