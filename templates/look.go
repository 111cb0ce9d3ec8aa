package templates

import (
	"errors"
	"fmt"
	"html/template"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Look is what a series chooses of its letters' appearance. Each empty value is the theme's own.
type Look struct {
	Theme  string `json:"theme,omitempty"`  // journal (default) or plain
	Accent string `json:"accent,omitempty"` // #rrggbb, of links, numbers, buttons
	Ground string `json:"ground,omitempty"` // #rrggbb, around the sheet; in plain the paper itself
	Type   string `json:"type,omitempty"`   // normal (default) or large
}

// tokens are the values that the letters' style sheets are written with. Dark ones are for programs that obey a reader's
// wish for dark; mail programs that invert by themselves start from the others.
type tokens struct {
	Ground, Card, Tint, Line, Edge    template.CSS
	Ink, Soft, Accent, OnAccent       template.CSS
	DarkGround, DarkCard              template.CSS
	DarkAccent, DarkOnAccent          template.CSS
	Serif, Sans                       template.CSS // families of text and of what stands around it
	OutlookSerif                      template.CSS
	Top                               template.CSS // border of the sheet
	Body, BodyLine, Title, TitleLine  template.CSS
	Part, PartLine, Subpart, PartNext template.CSS // headings
}

const sansFamily = "-apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif"

const darkInk, darkPaper = "#10231f", "#1c2123"

// themes are the looks there are, each with its own values.
func themes() map[string]tokens {
	journal := tokens{
		Ground: "#f3f1ec", Card: "#fffefb", Tint: "#f5f2ea", Line: "#ddd8cc", Edge: "#c9d8d3",
		Ink: "#23282c", Soft: "#596066", Accent: "#1a6358",
		DarkGround: "#14181a", DarkCard: darkPaper,
		Serif: "Georgia, serif", Sans: sansFamily, OutlookSerif: "Georgia, serif", Top: "4px solid",
		Body: "17px", BodyLine: "28px", Title: "31px", TitleLine: "40px",
		Part: "22px", PartLine: "30px", Subpart: "18px", PartNext: "27px",
	}
	plain := journal
	plain.Ground, plain.Card, plain.Tint, plain.Line, plain.Edge = "#fefefe", "#fefefe", "#f4f5f6", "#d9dcde", "#c7cdd1"
	plain.Accent, plain.DarkGround = "#1b5a8a", darkPaper
	plain.Serif, plain.OutlookSerif, plain.Top = sansFamily, "Arial, sans-serif", "0 solid"
	plain.BodyLine, plain.Title, plain.TitleLine, plain.Part, plain.PartLine = "27px", "25px", "33px", "20px", "28px"
	return map[string]tokens{"journal": journal, "plain": plain}
}

// tokens are the values of a look that Check found sound. What can't be used is the theme's own.
func (l Look) tokens() tokens {
	t, ok := themes()[l.Theme]
	if !ok {
		t = themes()["journal"]
	}
	if isColour(l.Accent) {
		t.Accent = template.CSS(l.Accent)
	}
	if isColour(l.Ground) {
		t.Ground = template.CSS(l.Ground)
		if l.Theme == "plain" {
			t.Card = t.Ground
		}
	}
	t.OnAccent, t.DarkOnAccent = readable(t.Accent), darkInk
	t.DarkAccent = lighter(t.Accent, darkPaper, 8)
	if l.Type == "large" {
		t.Body, t.BodyLine, t.Title, t.TitleLine = "20px", "33px", "34px", "44px"
		t.Part, t.PartLine, t.Subpart, t.PartNext = "25px", "34px", "21px", "31px"
	}
	return t
}

// enough is the contrast that text must have to its ground (WCAG 2.2, 1.4.3).
const enough = 4.5

// Check says all that is wrong with a look: unknown names, and colours that readers could not read.
func (l Look) Check() error {
	var errs []error
	theme := l.Theme
	if _, ok := themes()[theme]; theme != "" && !ok {
		errs = append(errs, fmt.Errorf("theme: %q is none of journal, plain", theme))
		theme = ""
	}
	if !slices.Contains([]string{"", "normal", "large"}, l.Type) {
		errs = append(errs, fmt.Errorf("type: %q is none of normal, large", l.Type))
	}
	for name, value := range map[string]string{"accent": l.Accent, "ground": l.Ground} {
		if value != "" && !isColour(value) {
			errs = append(errs, fmt.Errorf("%s: %q is no colour: write it as #1a6358", name, value))
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	t := l.tokens()
	if found := contrast(t.Soft, t.Ground); found < enough {
		errs = append(errs, fmt.Errorf("ground: on %s the letter's small print has a contrast of %.1f, and readers need %.1f: take a lighter one, such as %s",
			t.Ground, found, enough, lighter(t.Ground, t.Soft, enough)))
	}
	for _, under := range []template.CSS{t.Card, t.Tint} {
		if found := contrast(t.Accent, under); found < enough && len(errs) == 0 {
			errs = append(errs, fmt.Errorf("accent: links in %s have a contrast of %.1f on %s, and readers need %.1f: take a darker one, such as %s",
				t.Accent, found, under, enough, darker(t.Accent, t.Tint, enough)))
		}
	}
	return errors.Join(errs...)
}

var colourForm = regexp.MustCompile(`^#[0-9a-f]{6}$`)

func isColour(s string) bool { return colourForm.MatchString(s) }

// channels are a colour's red, green and blue, 0 to 255.
func channels(colour template.CSS) (rgb [3]float64) {
	n, _ := strconv.ParseUint(strings.TrimPrefix(string(colour), "#"), 16, 32) // checked before
	return [3]float64{float64(n >> 16 & 255), float64(n >> 8 & 255), float64(n & 255)}
}

// luminance is WCAG's relative luminance.
func luminance(colour template.CSS) float64 {
	rgb := channels(colour)
	for i, c := range rgb {
		if c /= 255; c <= 0.04045 {
			rgb[i] = c / 12.92
		} else {
			rgb[i] = math.Pow((c+0.055)/1.055, 2.4)
		}
	}
	return 0.2126*rgb[0] + 0.7152*rgb[1] + 0.0722*rgb[2]
}

// contrast is WCAG's, from 1 to 21.
func contrast(a, b template.CSS) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// readable is the colour of text on a ground of this colour.
func readable(ground template.CSS) template.CSS {
	if contrast("#fffefb", ground) >= enough {
		return "#fffefb"
	}
	return darkInk
}

// darker takes light from a colour until it has the contrast wanted on a ground; lighter adds some. The hue stays.
func darker(colour, ground template.CSS, wanted float64) template.CSS {
	return shifted(colour, ground, wanted, func(c, share float64) float64 { return c * (1 - share) })
}

func lighter(colour, ground template.CSS, wanted float64) template.CSS {
	return shifted(colour, ground, wanted, func(c, share float64) float64 { return min(c+255*share, 255) })
}

func shifted(colour, ground template.CSS, wanted float64, shift func(channel, share float64) float64) template.CSS {
	from, mixed := channels(colour), template.CSS("")
	for step := range 51 {
		rgb := "#"
		for _, c := range from {
			rgb += fmt.Sprintf("%02x", int(math.Round(shift(c, float64(step)/50))))
		}
		if mixed = template.CSS(rgb); contrast(mixed, ground) >= wanted {
			break
		}
	}
	return mixed
}
