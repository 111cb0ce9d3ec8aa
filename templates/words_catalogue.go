package templates

import (
	"fmt"
	"html"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/BurntSushi/toml"
	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// other is the plural form that every language has; a text without forms is kept under it.
const other = "other"

// pluralForms are the names of CLDR's plural categories: a table with only these keys holds the forms of one text.
var pluralForms = map[string]plural.Form{
	"zero": plural.Zero, "one": plural.One, "two": plural.Two, "few": plural.Few, "many": plural.Many, other: plural.Other,
}

var (
	placeholder = regexp.MustCompile(`\{[a-z_]+\}`)
	markupTag   = regexp.MustCompile(`</?(?:a|b|br|code|em|i|kbd|span|strong)(?: [^<>]*)?>`)
)

// catalogue is one language's texts by dotted key and plural form.
type catalogue struct {
	tag    language.Tag
	number *message.Printer
	texts  map[string]map[string]text
}

// text is a parsed text: literals and placeholders in order.
type text []segment

// segment is a literal, a tag of the catalogue's own markup, or a placeholder, which may stand inside a tag.
type segment struct {
	literal string
	tag     bool   // literal is markup
	name    string // the placeholder's; empty: a literal
}

// shelf is all catalogues, English first, since a matcher falls back to its first.
type shelf struct {
	english *catalogue
	order   []*catalogue
	matcher language.Matcher
}

// loadShelf reads the catalogues that patterns name; of a language that has two the earlier pattern's counts.
func loadShelf(files fs.FS, patterns ...string) (shelf, error) {
	var names []string
	for _, pattern := range patterns {
		found, err := fs.Glob(files, pattern)
		if err != nil {
			return shelf{}, err
		}
		names = append(names, slices.DeleteFunc(found, func(name string) bool {
			return slices.ContainsFunc(names, func(other string) bool { return path.Base(other) == path.Base(name) })
		})...)
	}
	sort.Slice(names, func(i, j int) bool { // English first
		return names[i] == "words/en.toml" || names[j] != "words/en.toml" && names[i] < names[j]
	})
	var s shelf
	var tags []language.Tag
	for _, name := range names {
		c, err := loadCatalogue(files, name)
		if err != nil {
			return shelf{}, fmt.Errorf("%s: %w", name, err)
		}
		s.order, tags = append(s.order, c), append(tags, c.tag)
	}
	if len(s.order) == 0 || s.order[0].tag != language.English {
		return shelf{}, fmt.Errorf("words/en.toml is missing")
	}
	s.english, s.matcher = s.order[0], language.NewMatcher(tags)
	return s, nil
}

// in is the catalogue that fits a language best.
func (s shelf) in(tag string) Words {
	wanted, err := language.Parse(tag)
	if err != nil {
		return Words{s.english}
	}
	// The index and not the matched tag: that one carries extensions of the wanted language.
	_, i, confidence := s.matcher.Match(wanted)
	base, _ := wanted.Base()
	own, _ := s.order[i].tag.Base()
	if confidence == language.No || confidence < language.High && base != own { // who writes Ukrainian may well read Russian, and not want to
		return Words{s.english}
	}
	return Words{s.order[i]}
}

// find looks a key up in a language, then in English, whose plural rules come with its forms.
func (s shelf) find(w Words, key string) found {
	for _, c := range []*catalogue{w.own, s.english} {
		if c == nil {
			continue
		}
		if forms, ok := c.texts[key]; ok {
			return found{c, forms}
		}
	}
	return found{s.english, map[string]text{other: {{literal: "[" + key + "]"}}}}
}

// loadCatalogue reads words/LANG.toml: nested tables make dotted keys, and a table whose keys are all plural forms makes
// one text with those forms.
func loadCatalogue(files fs.FS, name string) (*catalogue, error) {
	lang, err := language.Parse(strings.TrimSuffix(path.Base(name), ".toml"))
	if err != nil {
		return nil, err
	}
	raw, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, err
	}
	var table map[string]any
	if err := toml.Unmarshal(raw, &table); err != nil {
		return nil, err
	}
	c := &catalogue{tag: lang, texts: map[string]map[string]text{}}
	if err := c.flatten("", table); err != nil {
		return nil, err
	}
	numbers := lang
	if digits, ok := table["digits"].(string); ok {
		if numbers, err = lang.SetTypeForKey("nu", digits); err != nil {
			return nil, fmt.Errorf("digits: %w", err)
		}
	}
	c.number = message.NewPrinter(numbers)
	return c, nil
}

func (c *catalogue) flatten(prefix string, table map[string]any) error {
	for name, value := range table {
		key := prefix + name
		switch v := value.(type) {
		case string:
			c.texts[key] = map[string]text{other: parseText(v)}
		case map[string]any:
			if !isPlural(v) {
				if err := c.flatten(key+".", v); err != nil {
					return err
				}
				continue
			}
			forms, err := parseForms(v)
			if err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
			c.texts[key] = forms
		default:
			return fmt.Errorf("%s: a text or a table is wanted, not %T", key, value)
		}
	}
	return nil
}

func isPlural(table map[string]any) bool {
	for name := range table {
		if _, ok := pluralForms[name]; !ok {
			return false
		}
	}
	return len(table) > 0
}

func parseForms(table map[string]any) (map[string]text, error) {
	forms := map[string]text{}
	for form, value := range table {
		s, ok := value.(string)
		if !ok {
			return nil, fmt.Errorf("form %q is no text", form)
		}
		forms[form] = parseText(s)
	}
	if _, ok := forms[other]; !ok {
		return nil, fmt.Errorf("the form %q is missing", other)
	}
	return forms, nil
}

// parseText splits a text at its tags and placeholders.
func parseText(s string) text {
	var t text
	for {
		at := markupTag.FindStringIndex(s)
		if at == nil {
			return append(t, parseStretch(s, false)...)
		}
		t = append(t, parseStretch(s[:at[0]], false)...)
		t = append(t, parseStretch(s[at[0]:at[1]], true)...)
		s = s[at[1]:]
	}
}

// parseStretch splits what is wholly inside or wholly outside a tag at its placeholders.
func parseStretch(s string, isTag bool) text {
	var t text
	for s != "" {
		at := placeholder.FindStringIndex(s)
		if at == nil {
			return append(t, segment{literal: s, tag: isTag})
		}
		if at[0] > 0 {
			t = append(t, segment{literal: s[:at[0]], tag: isTag})
		}
		t = append(t, segment{name: s[at[0]+1 : at[1]-1], tag: isTag})
		s = s[at[1]:]
	}
	return t
}

// found is a key's forms with the catalogue whose rules choose between them.
type found struct {
	in    *catalogue
	forms map[string]text
}

// writing says how a text is put together: for a text or for a page.
type writing int

const (
	plainText writing = iota
	markup
)

func (f found) write(args []any, how writing) string {
	var b strings.Builder
	for _, seg := range f.choose(args) {
		switch {
		case seg.tag && how == plainText:
		case seg.name == "" && (seg.tag || how == plainText):
			b.WriteString(seg.literal)
		case seg.name == "":
			b.WriteString(html.EscapeString(seg.literal))
		default:
			b.WriteString(f.fill(seg, args, how))
		}
	}
	return b.String()
}

// choose picks the plural form for the whole number under "n".
func (f found) choose(args []any) text {
	n, ok := wholeNumber(argument(args, "n"))
	if ok && len(f.forms) > 1 {
		if n < 0 {
			n = -n
		}
		want := plural.Cardinal.MatchPlural(f.in.tag, int(n%10_000_000), 0, 0, 0, 0)
		for name, form := range pluralForms {
			if t, has := f.forms[name]; has && form == want {
				return t
			}
		}
	}
	return f.forms[other]
}

// fill writes one placeholder. One that no argument fills stays visible, so that it is noticed.
func (f found) fill(seg segment, args []any, how writing) string {
	value := argument(args, seg.name)
	if value == nil {
		return "{" + seg.name + "}"
	}
	var s string
	if n, ok := wholeNumber(value); ok {
		s = f.in.number.Sprintf("%d", n)
	} else {
		s = fmt.Sprint(value)
	}
	if how == plainText {
		return s
	}
	if seg.tag && !safeURL(s) {
		return "#"
	}
	return html.EscapeString(s)
}

// argument finds the value after a name in pairs of name and value; nil where there is none.
func argument(args []any, name string) any {
	for i := 0; i+1 < len(args); i += 2 {
		if args[i] == name {
			return args[i+1]
		}
	}
	return nil
}

func wholeNumber(v any) (int64, bool) {
	switch n := v.(type) {
	case int:
		return int64(n), true
	case int64:
		return n, true
	case int32:
		return int64(n), true
	}
	return 0, false
}

func safeURL(s string) bool {
	for _, start := range []string{"https://", "http://", "mailto:", "#"} {
		if strings.HasPrefix(s, start) {
			return true
		}
	}
	return strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "//") && !strings.HasPrefix(s, `/\`)
}
