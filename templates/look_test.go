package templates_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"pressrun/templates"
)

func TestLookCheck(t *testing.T) {
	tests := []struct {
		look templates.Look
		want string // empty: sound
	}{
		{templates.Look{}, ""},
		{templates.Look{Theme: "journal", Accent: "#7a1f3d", Ground: "#eef2f5", Type: "large"}, ""},
		{templates.Look{Theme: "plain"}, ""},
		{templates.Look{Theme: "plain", Ground: "#fdf6e3"}, ""},
		{templates.Look{Theme: "fancy"}, `theme: "fancy" is none of journal, plain`},
		{templates.Look{Type: "tiny"}, `type: "tiny" is none of normal, large`},
		{templates.Look{Accent: "green"}, `accent: "green" is no colour: write it as #1a6358`},
		{templates.Look{Accent: "#1A6358;}"}, "is no colour"},
		{templates.Look{Accent: "#ffcc00"}, "accent: links in #ffcc00 have a contrast of 1.5 on #fffefb, and readers need 4.5: take a darker one, such as #"},
		{templates.Look{Ground: "#202020"}, "ground: on #202020 the letter's small print has a contrast of 2."},
		{templates.Look{Theme: "plain", Ground: "#fdf6e3", Accent: "#b58900"}, "accent: links in #b58900 have a contrast of 3.0 on"},
	}
	for _, test := range tests {
		err := test.look.Check()
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", test.look, err, test.want)
		}
	}
}

// Whatever colour is refused, the one that the message names instead is taken.
func TestLookSuggestsWhatItTakes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := templates.Look{Theme: rapid.SampledFrom([]string{"journal", "plain"}).Draw(t, "theme"), Accent: fmt.Sprintf("#%06x", rapid.IntRange(0, 0xffffff).Draw(t, "accent"))}
		err := l.Check()
		if err == nil {
			return
		}
		_, suggested, found := strings.Cut(err.Error(), "such as ")
		if l.Accent = suggested; !found || l.Check() != nil {
			t.Fatalf("%v; but that one: %v", err, l.Check())
		}
	})
}
