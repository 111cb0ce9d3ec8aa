package newsletter

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/net/html"
)

// rgb is a colour as CSS writes it.
type rgb struct{ r, g, b float64 } // 0 to 1, linear light

// luminance is WCAG 2.2's relative luminance.
func (c rgb) luminance() float64 { return 0.2126*c.r + 0.7152*c.g + 0.0722*c.b }

// contrast is WCAG's ratio of two colours: 1 to 21.
func contrast(a, b rgb) float64 {
	x, y := a.luminance(), b.luminance()
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// WCAG 2.2, 1.4.3: text, and large text (24 px, or 18.66 px in bold).
const (
	leastContrast = 4.5
	leastLarge    = 3.0
)

// paint is how the text of an element is shown, by its own style and those around it.
type paint struct {
	ink, ground rgb
	size        float64 // px
	bold        bool
}

// contrastRule finds text that stands out too little from its ground, by the styles in the letter itself: those of a theme's
// tokens too.
func contrastRule(s *sheet) []Finding {
	worst, where := math.Inf(1), ""
	var walk func(n *html.Node, p paint)
	walk = func(n *html.Node, p paint) {
		if n.Type == html.ElementNode {
			if hidesText(n) {
				return
			}
			p = p.of(n)
		}
		if words := strings.TrimSpace(n.Data); n.Type == html.TextNode && words != "" {
			need := leastContrast
			if p.size >= 24 || p.bold && p.size >= 18.66 {
				need = leastLarge
			}
			if got := contrast(p.ink, p.ground); got+0.005 < need && got < worst {
				worst, where = got, words
			}
		}
		for child := range n.ChildNodes() {
			walk(child, p)
		}
	}
	walk(s.letter, paint{ink: rgb{}, ground: rgb{1, 1, 1}, size: 16})
	if where == "" {
		return nil
	}
	return s.odd("contrast", "ratio", fmt.Sprintf("%.1f", worst), "words", cutWords(where, 40))
}

// of is the paint within an element.
func (p paint) of(n *html.Node) paint {
	if c, ok := parseColour(attribute(n, "bgcolor")); ok {
		p.ground = c
	}
	switch n.Data {
	case "b", "strong", "h1", "h2", "h3", "h4", "h5", "h6", "th":
		p.bold = true
	}
	for declaration := range strings.SplitSeq(attribute(n, "style"), ";") {
		name, value, _ := strings.Cut(declaration, ":")
		value = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "!important"))
		switch strings.TrimSpace(strings.ToLower(name)) {
		case "color":
			if c, ok := parseColour(value); ok {
				p.ink = c
			}
		case "background-color", "background":
			if c, ok := parseColour(value); ok {
				p.ground = c
			}
		case "font-size":
			if px, err := strconv.ParseFloat(strings.TrimSuffix(value, "px"), 64); err == nil && strings.HasSuffix(value, "px") {
				p.size = px
			}
		case "font-weight":
			p.bold = value == "bold" || value >= "600" && len(value) == 3
		}
	}
	return p
}

func hidesText(n *html.Node) bool {
	switch n.Data {
	case "head", "script", "style", "template", "title":
		return true
	}
	return strings.Contains(strings.ReplaceAll(attribute(n, "style"), " ", ""), "display:none")
}

var hexColour = regexp.MustCompile(`^#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$`)

// parseColour reads #rgb and #rrggbb, which is what mail programs agree on.
func parseColour(s string) (rgb, bool) {
	m := hexColour.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return rgb{}, false
	}
	digits := m[1]
	if len(digits) == 3 {
		digits = string([]byte{digits[0], digits[0], digits[1], digits[1], digits[2], digits[2]})
	}
	n, _ := strconv.ParseUint(digits, 16, 32) // six hex digits
	return rgb{linear(n >> 16), linear(n >> 8), linear(n)}, true
}

// linear takes the lowest octet from sRGB to linear light.
func linear(octet uint64) float64 {
	c := float64(octet&0xff) / 255
	if c <= 0.04045 {
		return c / 12.92
	}
	return math.Pow((c+0.055)/1.055, 2.4)
}
