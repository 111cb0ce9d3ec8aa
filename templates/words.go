package templates

import (
	"embed"
	"fmt"
	"html/template"
	"strings"
	"sync"
	"time"

	"golang.org/x/text/language"
)

//go:embed words/*.toml words/mail/*.toml
var wordFiles embed.FS

// catalogues are the embedded languages, read at the first use. A catalogue that can't be read is a fault of the build,
// which the tests of this package find, so it panics.
var catalogues = sync.OnceValue(func() shelf {
	s, err := loadShelf(wordFiles, "words/*.toml")
	if err != nil {
		panic(fmt.Sprintf("templates: %v", err))
	}
	return s
})

// mailCatalogues are all of them and those of languages that have the texts of letters alone: a page would mix two languages.
var mailCatalogues = sync.OnceValue(func() shelf {
	s, err := loadShelf(wordFiles, "words/*.toml", "words/mail/*.toml")
	if err != nil {
		panic(fmt.Sprintf("templates: %v", err))
	}
	return s
})

// Words is the message catalogue of one language: every text that a reader sees. One file a language, words/LANG.toml;
// a key that a language lacks falls back to English, and a test reports it. The zero Words are English.
type Words struct{ own *catalogue }

// In returns the catalogue that fits a BCP 47 tag best; English where none does.
func In(tag string) Words { return catalogues().in(tag) }

// InMail is In for letters to readers, which speak more languages than the pages do: words/mail/LANG.toml holds their texts alone.
func InMail(tag string) Words { return mailCatalogues().in(tag) }

// T is the text of key with its {placeholders} replaced by the arguments, given in pairs: T("email.part", "n", 7,
// "of", 40). A whole number under "n" chooses between the key's forms (one, other, …) by the language's plural rules.
// Whole numbers are written as the language writes them (1,840); years and ids go in as strings. Arguments are data: what
// looks like a placeholder in them stays. The markup of the catalogue is left out. An unknown key comes back as itself in
// brackets.
func (w Words) T(key string, args ...any) string {
	return catalogues().find(w, key).write(args, plainText)
}

// HTML is T for templates: the text escaped but for the markup of the catalogue itself; the arguments always escaped.
// An argument inside a tag, as in <a href="{url}">, must be an absolute http, https or mailto URL, a path or a fragment;
// anything else becomes "#".
func (w Words) HTML(key string, args ...any) template.HTML {
	return template.HTML(catalogues().find(w, key).write(args, markup))
}

// Has says whether the language or its English fallback knows the key, for keys that are made of data (state names).
func (w Words) Has(key string) bool {
	_, mine := w.catalogue().texts[key]
	_, fallback := catalogues().english.texts[key]
	return mine || fallback
}

// Date writes a date as the language does: "Tuesday 14 March 2027". A time.Time counts in its own location.
func (w Words) Date(t interface{ Format(string) string }) string {
	day := t.Format("2")
	if day == "1" {
		day = w.T("date.first")
	}
	return w.T("date.long",
		"weekday", w.T("date.weekday."+t.Format("Monday")), "day", day,
		"month", w.T("date.month."+t.Format("January")), "year", t.Format("2006"))
}

// Time writes a date with its time: "Tuesday 14 March 2027 at 09:00".
func (w Words) Time(t interface{ Format(string) string }) string {
	return w.T("date.at", "date", w.Date(t), "time", t.Format("15:04"))
}

var _ interface{ Format(string) string } = time.Time{}

// List writes names one after the other: "Skin, Gut and Sleep".
func (w Words) List(names ...string) string {
	switch len(names) {
	case 0:
		return ""
	case 1:
		return names[0]
	}
	some := names[0]
	for _, name := range names[1 : len(names)-1] {
		some = w.T("list.comma", "some", some, "more", name)
	}
	return w.T("list.and", "some", some, "last", names[len(names)-1])
}

// Name is what the language calls itself.
func (w Words) Name() string { return w.T("language") }

// Languages are the catalogues that there are, English first.
func Languages() []Words {
	var all []Words
	for _, c := range catalogues().order {
		all = append(all, Words{c})
	}
	return all
}

// Choose returns the catalogue that fits a browser's Accept-Language best; ok is false where none does.
func Choose(accept string) (w Words, ok bool) {
	wanted, _, err := language.ParseAcceptLanguage(accept)
	if err != nil || len(wanted) == 0 {
		return Words{}, false
	}
	_, i, confidence := catalogues().matcher.Match(wanted...)
	if confidence == language.No {
		return Words{}, false
	}
	return Words{catalogues().order[i]}, true
}

// Language is the tag of the catalogue chosen, for lang attributes.
func (w Words) Language() string { return w.catalogue().tag.String() }

// Dir is the writing direction of the catalogue chosen: "ltr" or "rtl".
func (w Words) Dir() string { return Dir(w.Language()) }

func (w Words) catalogue() *catalogue {
	if w.own == nil {
		return catalogues().english
	}
	return w.own
}

// Dir is the direction that a BCP 47 tag's script is written in: "ltr" or "rtl"; "ltr" for a tag that says nothing.
func Dir(tag string) string {
	t, err := language.Parse(tag)
	if err != nil {
		return "ltr"
	}
	script, _ := t.Script()
	switch script.String() {
	case "Adlm", "Arab", "Aran", "Hebr", "Mand", "Nkoo", "Rohg", "Samr", "Syrc", "Thaa":
		return "rtl"
	}
	return "ltr"
}

func baseOf(tag string) string {
	base, _, _ := strings.Cut(tag, "-")
	return strings.ToLower(base)
}
