package importer

import (
	"html"
	"regexp"
	"slices"
	"strings"
)

var (
	codePart  = regexp.MustCompile(`(?is)<(?:pre|code)\b.*?</(?:pre|code)>`)
	caption   = regexp.MustCompile(`(?is)\[(?:wp_)?caption\b[^\]]*\](.*?)\[/(?:wp_)?caption\]`)
	captioned = regexp.MustCompile(`(?is)^\s*((?:<a\b[^>]*>\s*)?<img\b[^>]*>(?:\s*</a>)?)(.*)$`)
	embed     = regexp.MustCompile(`(?i)\[embed\b[^\]]*\]\s*(https?://[^\s\[\]<>"]+)\s*\[/embed\]`)
	player    = regexp.MustCompile(`(?i)\[(?:youtube|vimeo|soundcloud|spotify|tweet|instagram|facebook|tiktok)[\s=]+"?(https?://[^\s\[\]<>"]+)[^\]]*\]`)
	shortcode = regexp.MustCompile(`\[?\[(/?)([A-Za-z][\w-]*)((?:\s+(?:[\w-]+=(?:"[^"\]]*"|'[^'\]]*'|[^\s\]"']+)|https?://[^\s\]]+|[0-9]+))*)\s*/?\]\]?`)
)

// knownCodes are shortcodes of WordPress itself and of much used plugins that need no attributes.
var knownCodes = []string{
	"audio", "caption", "contact-form", "contact-form-7", "embed", "facebook", "gallery", "googlemaps", "gravityform", "instagram", "jetpack-related-posts",
	"newsletter", "playlist", "polldaddy", "slideshow", "soundcloud", "spotify", "subscribe", "tiktok", "toc", "tweet", "video", "vimeo", "wp_caption", "wpforms", "youtube",
}

// openCodes are those that only dress the words between two of them. Of others nobody here knows whether all readers saw the words.
var openCodes = regexp.MustCompile(`(?i)^(?:(?:vc|et_pb|fusion|av|su)_\w+|accordion|alert|audio|block_?quote|bold|box|button|buttons|callout|(?:wp_)?caption|center|code|color|columns?|` +
	`dropcap|em|embed|email|font|footnote|fn|gallery|heading|highlight|icon|info|latex|li|link|list|note|one_\w+|playlist|poem|pullquote|quote|recipe|ref|row|section|size|small|` +
	`sourcecode|span|strong|table|tabs?|td|three_\w+|tip|toggle|tr|two_\w+|url|verse|video|warning)$`)

// gateCodes say by their names that not all readers see what stands between them.
var gateCodes = regexp.MustCompile(`(?i)member|private|restrict|paywall|paid|premium|protect|logged|login|guest|subscri|visitor|user|role|secret|hide|hidden|lock`)

// shortcodes makes captions, embedded addresses and players what they stand for. Of other shortcodes the words between two stay, and the
// codes are named, not mailed. Words that not all readers may have seen make the post a draft.
func (p *post) shortcodes() {
	var b strings.Builder
	rest, whole := 0, p.html
	for _, at := range append(codePart.FindAllStringIndex(whole, -1), []int{len(whole), len(whole)}) {
		b.WriteString(p.withoutCodes(whole[rest:at[0]], whole))
		b.WriteString(whole[at[0]:at[1]])
		rest = at[1]
	}
	p.html = b.String()
}

// withoutCodes is a piece of a whole text without its shortcodes.
func (p *post) withoutCodes(s, whole string) string {
	s = caption.ReplaceAllStringFunc(s, func(whole string) string {
		inside := caption.FindStringSubmatch(whole)[1]
		m := captioned.FindStringSubmatch(inside)
		if m == nil || strings.TrimSpace(m[2]) == "" {
			return "\n\n" + inside + "\n\n"
		}
		return "\n\n" + m[1] + "\n\n<em>" + strings.TrimSpace(m[2]) + "</em>\n\n"
	})
	s = embed.ReplaceAllString(s, `<a href="$1">$1</a>`)
	s = player.ReplaceAllString(s, `<a href="$1">$1</a>`)
	return shortcode.ReplaceAllStringFunc(s, func(code string) string {
		if strings.HasPrefix(code, "[[") && strings.HasSuffix(code, "]]") {
			return code[1 : len(code)-1] // how WordPress shows a code as it reads
		}
		m := shortcode.FindStringSubmatch(code)
		name, attributes := m[2], m[3]
		closes := m[1] != "" || strings.Contains(whole, "[/"+name+"]")
		if !closes && !strings.ContainsAny(attributes, "=:") && !strings.Contains(name, "_") && !slices.Contains(knownCodes, name) {
			return code // [sic], say, or [page 5]
		}
		p.code("[" + name + "]")
		if closes && (gateCodes.MatchString(name) || !openCodes.MatchString(name)) {
			p.closed.add("perhaps a part of it for some readers only, between [" + clip(name, 60) + "] and its end")
		}
		return ""
	})
}

// code names what is taken out of the text.
func (p *post) code(name string) {
	if name = clip(html.UnescapeString(name), 80); !slices.Contains(p.codes, name) && len(p.codes) < maxLeftOut {
		p.codes = append(p.codes, name)
	}
}
