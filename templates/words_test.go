package templates

import (
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/text/feature/plural"
)

// shelves of our own, so that the rules can be seen on more languages than we ship.
func testShelf(t *testing.T) shelf {
	t.Helper()
	s, err := loadShelf(fstest.MapFS{
		"words/en.toml": {Data: []byte(`
			plain = "Fish & chips < {what}"
			link = 'Read <a href="{url}">the {name}</a><br>now'
			only = "Only here: {n}"
			[deep.er]
			parcels = { one = "{n} parcel", other = "{n} parcels" }
			[date]
			long = "{weekday} {day} {month} {year}"
			at = "{date} at {time}"
			weekday = { Sunday = "Sunday" }
			month = { March = "March" }`)},
		"words/pl.toml": {Data: []byte(`
			plain = "Ryba i frytki < {what}"
			[deep.er]
			parcels = { one = "{n} paczka", few = "{n} paczki", many = "{n} paczek", other = "{n} paczki" }`)},
		"words/pt-BR.toml": {Data: []byte(`plain = "Peixe < {what}"`)},
		"words/ar.toml":    {Data: []byte(`plain = "سمك {what}"`)},
	}, "words/*.toml")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s shelf) words(t *testing.T, lang string) Words {
	t.Helper()
	for _, c := range s.order {
		if c.tag.String() == lang {
			return Words{c}
		}
	}
	t.Fatalf("no catalogue %s", lang)
	return Words{}
}

func TestT(t *testing.T) {
	s := testShelf(t)
	for _, tt := range []struct {
		lang, key string
		args      []any
		want      string
	}{
		{"en", "plain", []any{"what", "peas"}, "Fish & chips < peas"},
		{"en", "plain", []any{"what", "{what} {n}"}, "Fish & chips < {what} {n}"},
		{"en", "plain", nil, "Fish & chips < {what}"},
		{"en", "plain", []any{"what"}, "Fish & chips < {what}"},
		{"en", "plain", []any{"what", 1840}, "Fish & chips < 1,840"},
		{"en", "plain", []any{"what", "2027"}, "Fish & chips < 2027"},
		{"en", "link", []any{"url", "https://example.org/?a=b&c", "name", "<tables>"}, "Read the <tables>now"},
		{"en", "deep.er.parcels", []any{"n", 1}, "1 parcel"},
		{"en", "deep.er.parcels", []any{"n", 0}, "0 parcels"},
		{"en", "deep.er.parcels", []any{"n", int64(2000)}, "2,000 parcels"},
		{"en", "deep.er.parcels", nil, "{n} parcels"},
		{"pl", "deep.er.parcels", []any{"n", 1}, "1 paczka"},
		{"pl", "deep.er.parcels", []any{"n", 3}, "3 paczki"},
		{"pl", "deep.er.parcels", []any{"n", 12}, "12 paczek"},
		{"pl", "deep.er.parcels", []any{"n", 22}, "22 paczki"},
		{"pl", "plain", []any{"what", 1}, "Ryba i frytki < 1"},
		{"ar", "deep.er.parcels", []any{"n", 2}, "2 parcels"}, // English words keep English rules
		{"en", "no.such", []any{"n", 1}, "[no.such]"},
	} {
		if got := s.find(s.words(t, tt.lang), tt.key).write(tt.args, plainText); got != tt.want {
			t.Errorf("%s: T(%q, %v)\n got %q\nwant %q", tt.lang, tt.key, tt.args, got, tt.want)
		}
	}
}

func TestHTML(t *testing.T) {
	s := testShelf(t)
	for _, tt := range []struct {
		key  string
		args []any
		want string
	}{
		{"plain", []any{"what", "<b>peas</b>"}, "Fish &amp; chips &lt; &lt;b&gt;peas&lt;/b&gt;"},
		{"link", []any{"url", "https://example.org/?a=b&c", "name", "<tables>"}, `Read <a href="https://example.org/?a=b&amp;c">the &lt;tables&gt;</a><br>now`},
		{"link", []any{"url", "/there", "name", "{url}"}, `Read <a href="/there">the {url}</a><br>now`},
		{"link", []any{"url", "#part", "name", "x"}, `Read <a href="#part">the x</a><br>now`},
		{"link", []any{"url", "javascript:alert(1)", "name", "x"}, `Read <a href="#">the x</a><br>now`},
		{"link", []any{"url", "//evil.example", "name", "x"}, `Read <a href="#">the x</a><br>now`},
		{"link", []any{"url", `https://example.org/"onclick="x`, "name", "x"}, `Read <a href="https://example.org/&#34;onclick=&#34;x">the x</a><br>now`},
		{"<script>", nil, "[&lt;script&gt;]"},
	} {
		if got := s.find(s.words(t, "en"), tt.key).write(tt.args, markup); got != tt.want {
			t.Errorf("HTML(%q, %v)\n got %s\nwant %s", tt.key, tt.args, got, tt.want)
		}
	}
}

func TestIn(t *testing.T) {
	s := testShelf(t)
	for tag, want := range map[string]string{
		"en": "en", "en-GB": "en", "pl-PL": "pl", "pt-BR": "pt-BR", "pt-PT": "pt-BR", "ar-EG": "ar", "ja": "en", "": "en", "no language": "en",
		"pl-u-rg-chzzzz": "pl",
	} {
		if got := s.in(tag).Language(); got != want {
			t.Errorf("In(%q) is %q, want %q", tag, got, want)
		}
	}
}

// Letters are written in more languages than pages, and nobody gets a neighbour's language for their own.
func TestInMail(t *testing.T) {
	at := time.Date(2027, 3, 14, 9, 5, 0, 0, time.UTC)
	for tag, want := range map[string]string{
		"en": "Sunday 14 March 2027", "ru": "воскресенье, 14 марта 2027 г.", "hi-IN": "रविवार, 14 मार्च 2027", "zh-CN": "2027年3月14日星期日",
		"uk": "Sunday 14 March 2027", "ja": "Sunday 14 March 2027",
	} {
		if got := InMail(tag).Date(at); got != want {
			t.Errorf("InMail(%q) writes the date %q, want %q", tag, got, want)
		}
	}
	if got := In("ru").Language(); got != "en" {
		t.Errorf("a page in Russian is in %q, want en: its texts are not translated", got)
	}
}

func TestDir(t *testing.T) {
	for tag, want := range map[string]string{
		"en": "ltr", "ar": "rtl", "he": "rtl", "fa-IR": "rtl", "ur": "rtl", "yi": "rtl", "ckb": "rtl", "uz-Arab": "rtl", "uz": "ltr", "zh": "ltr", "": "ltr", "no language": "ltr",
	} {
		if got := Dir(tag); got != want {
			t.Errorf("Dir(%q) is %q, want %q", tag, got, want)
		}
	}
}

func TestDates(t *testing.T) {
	at := time.Date(2027, 3, 14, 9, 5, 0, 0, time.UTC)
	if got, want := In("en").Date(at), "Sunday 14 March 2027"; got != want {
		t.Errorf("Date is %q, want %q", got, want)
	}
	if got, want := (Words{}).Time(at), "Sunday 14 March 2027 at 09:05"; got != want {
		t.Errorf("Time is %q, want %q", got, want)
	}
	for m := time.January; m <= time.December; m++ {
		if got := In("en").Date(time.Date(2027, m, 1, 0, 0, 0, 0, time.UTC)); strings.Contains(got, "[") {
			t.Errorf("month %d is written %q", m, got)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	for name, files := range map[string]fstest.MapFS{
		"no English":      {"words/de.toml": {Data: []byte("a = 'b'")}},
		"no TOML":         {"words/en.toml": {Data: []byte("a = ")}},
		"no language":     {"words/en.toml": {}, "words/no language.toml": {}},
		"a number":        {"words/en.toml": {Data: []byte("a = 3")}},
		"form of numbers": {"words/en.toml": {Data: []byte("a = { one = 1, other = 2 }")}},
		"no other":        {"words/en.toml": {Data: []byte("a = { one = 'x', few = 'y' }")}},
	} {
		if _, err := loadShelf(files, "words/*.toml"); err == nil {
			t.Errorf("%s: was loaded", name)
		}
	}
}

// A translation may lack texts, which is only reported, but not know others than English, nor other placeholders. A name in
// English may be left out of one form (“one reader”), never of all.
func TestTranslations(t *testing.T) {
	english := catalogues().english
	for _, c := range mailCatalogues().order {
		lacks := map[string]int{}
		for key := range english.texts {
			if _, ok := c.texts[key]; !ok {
				group, _, _ := strings.Cut(key, ".")
				lacks[group]++
			}
		}
		t.Logf("%s lacks texts, shown in English: %v", c.tag, lacks)
		for key, forms := range c.texts {
			original, ok := english.texts[key]
			if !ok {
				t.Errorf("%s: %s is no text of ours", c.tag, key)
				continue
			}
			want := placeholders(original[other])
			for form, text := range forms {
				if got := placeholders(text); !subset(got, want) {
					t.Errorf("%s: %s (%s) has the placeholders %q, English has %q", c.tag, key, form, got, want)
				}
			}
			if got := placeholders(forms[other]); !subset(want, got) {
				t.Errorf("%s: %s lacks placeholders: it has %q, English has %q", c.tag, key, got, want)
			}
		}
	}
}

// TestReadersTextsAreTranslated fails for what readers see: of it no language lacks anything. Editors' texts are only reported
// by TestTranslations.
func TestReadersTextsAreTranslated(t *testing.T) {
	readers := regexp.MustCompile(`^(language|digits|list\.|date\.|rhythm\.|email\.|notice\.|public\.|letter\.)`)
	for _, c := range catalogues().order {
		for key := range catalogues().english.texts {
			if _, ok := c.texts[key]; !ok && readers.MatchString(key) {
				t.Errorf("words/%s.toml lacks %s", c.tag, key)
			}
		}
	}
	if n := len(catalogues().order); n < 5 {
		t.Errorf("got %d languages, want at least English, German, French, Spanish and Arabic", n)
	}
}

// A text that English has in several forms has, in each language, all that its numbers need (CLDR's cardinal rules).
func TestPluralForms(t *testing.T) {
	english := catalogues().english
	for _, c := range catalogues().order {
		for key, forms := range c.texts {
			if len(english.texts[key]) < 2 {
				continue
			}
			for n := range 1001 {
				form := plural.Cardinal.MatchPlural(c.tag, n, 0, 0, 0, 0)
				for name, f := range pluralForms {
					if _, ok := forms[name]; f == form && !ok {
						t.Errorf("%s: %s has no form %q, which %d needs", c.tag, key, name, n)
					}
				}
			}
		}
	}
	for n, want := range map[int]string{
		0: "لا مقالات للقراءة بعد", 1: "مقالة واحدة للقراءة", 2: "مقالتان للقراءة", 3: "3 مقالات للقراءة", 11: "11 مقالة للقراءة", 100: "100 مقالة للقراءة", 1003: "1,003 مقالات للقراءة",
	} {
		if got := In("ar").T("public.home.parts", "n", n); got != want {
			t.Errorf("%d in Arabic: got %q, want %q", n, got, want)
		}
	}
}

func TestDatesOfLanguages(t *testing.T) {
	first, other := time.Date(2027, 3, 1, 9, 5, 0, 0, time.UTC), time.Date(2027, 3, 14, 18, 0, 0, 0, time.UTC)
	for _, tt := range []struct{ lang, first, other string }{
		{"en", "Monday 1 March 2027 at 09:05", "Sunday 14 March 2027 at 18:00"},
		{"de", "Montag, 1. März 2027 um 09:05 Uhr", "Sonntag, 14. März 2027 um 18:00 Uhr"},
		{"fr", "lundi 1er mars 2027 à 09:05", "dimanche 14 mars 2027 à 18:00"},
		{"es", "lunes, 1 de marzo de 2027, 09:05 h", "domingo, 14 de marzo de 2027, 18:00 h"},
		{"ar", "الاثنين 1 مارس 2027، الساعة 09:05", "الأحد 14 مارس 2027، الساعة 18:00"},
	} {
		if got := In(tt.lang).Time(first); got != tt.first {
			t.Errorf("%s: got %q, want %q", tt.lang, got, tt.first)
		}
		if got := In(tt.lang).Time(other); got != tt.other {
			t.Errorf("%s: got %q, want %q", tt.lang, got, tt.other)
		}
	}
}

func TestList(t *testing.T) {
	for _, tt := range []struct {
		lang  string
		names []string
		want  string
	}{
		{"en", nil, ""},
		{"en", []string{"Skin"}, "Skin"},
		{"en", []string{"Skin", "Gut"}, "Skin and Gut"},
		{"en", []string{"Skin", "{more}", "Sleep"}, "Skin, {more} and Sleep"},
		{"de", []string{"Haut", "Darm", "Schlaf"}, "Haut, Darm und Schlaf"},
		{"ar", []string{"أ", "ب", "ج"}, "أ، ب وج"},
	} {
		if got := In(tt.lang).List(tt.names...); got != tt.want {
			t.Errorf("%s: List(%q) = %q, want %q", tt.lang, tt.names, got, tt.want)
		}
	}
}

func TestChoose(t *testing.T) {
	for accept, want := range map[string]string{
		"de-AT,de;q=0.9,en;q=0.5": "de", "ja,fr;q=0.4": "fr", "ar-EG": "ar", "ja": "", "": "", "*": "", "no language, at all;;": "",
	} {
		w, ok := Choose(accept)
		if ok != (want != "") || ok && w.Language() != want {
			t.Errorf("Choose(%q) = %q, %t, want %q", accept, w.Language(), ok, want)
		}
	}
}

func placeholders(t text) []string {
	var names []string
	for _, s := range t {
		if s.name != "" {
			names = append(names, s.name)
		}
	}
	return names
}

func subset(some, all []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}

// TestEveryKeyHasItsText looks at all keys that programs and pages of the whole tree name: one without a text would stand as
// itself, in brackets, in somebody's letter.
func TestEveryKeyHasItsText(t *testing.T) {
	used := regexp.MustCompile(`\.(?:T|HTML)[( ]"([a-z_0-9]+(?:\.[a-z_0-9]+)+)"(\s*\+)?`)
	tree, err := os.OpenRoot("..")
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	seen := 0
	err = fs.WalkDir(tree.FS(), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && (path == ".git" || e.Name() == "testdata") {
			return fs.SkipDir
		}
		if e.IsDir() || !strings.HasSuffix(path, ".html") && (!strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go")) {
			return nil
		}
		content, err := fs.ReadFile(tree.FS(), path)
		for _, m := range used.FindAllSubmatch(content, -1) {
			if key := string(m[1]); len(m[2]) == 0 { // else only the beginning of one
				seen++
				if !In("en").Has(key) {
					t.Errorf("%s: no text for %s", path, key)
				}
			}
		}
		return err
	})
	if err != nil || seen < 100 {
		t.Errorf("got %d keys (%v), want the more than 100 that there are", seen, err)
	}
}
