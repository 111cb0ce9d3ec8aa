package importer

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"pressrun/newsletter/series"
)

const maxSlug = 80

// letters that have no accent to take off.
var letters = strings.NewReplacer("ß", "ss", "æ", "ae", "œ", "oe", "ø", "o", "ł", "l", "đ", "d", "ð", "d", "þ", "th", "ı", "i",
	"'", "", "’", "", "‘", "")

var slugForm = regexp.MustCompile(`^[a-z0-9]+(?:-[a-z0-9]+)*$`)

// slugify makes a slug of a text: [a-z0-9-], accents taken off, at most 80 characters, cut at a word. It is empty where
// less than half of the text's letters have a place in it.
func slugify(s string) string {
	plain := letters.Replace(strings.ToLower(norm.NFKD.String(strings.ToLower(s))))
	var b strings.Builder
	kept, lost := 0, 0
	for _, r := range plain {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
			kept++
		case unicode.Is(unicode.Mn, r):
		default:
			if unicode.IsLetter(r) || unicode.IsDigit(r) {
				lost++
			}
			b.WriteByte('-')
		}
	}
	if kept < lost {
		return ""
	}
	words := strings.FieldsFunc(b.String(), func(r rune) bool { return r == '-' })
	slug := ""
	for i, w := range words {
		if len(slug)+1+len(w) > maxSlug {
			if i == 0 {
				slug = w[:maxSlug]
			}
			break
		}
		slug = strings.TrimPrefix(slug+"-"+w, "-")
	}
	return slug
}

// slugOf is the slug of an article that brings none: from its title, its file name, or, where neither has Latin letters,
// a number that only depends on its title.
func slugOf(title, base string) string {
	if s := slugify(title); s != "" {
		return s
	}
	if s := slugify(base); s != "" {
		return s
	}
	return fmt.Sprintf("article-%x", sha256.Sum256([]byte(fold(title))))[:len("article-")+8]
}

// settleSlugs gives every article its slug. A post that the series knows by its guid has the slug of that article; a new one whose slug is
// that of a file, of another article of the series or of one elsewhere in the site gets a number behind it; one that comes twice is taken once.
func settleSlugs(all []candidate, known []series.Article, elsewhere map[string]bool) (kept []candidate, problems []Problem) {
	slugs, taken := map[string]string{}, maps.Clone(elsewhere) // slugs are by guid
	if taken == nil {
		taken = map[string]bool{}
	}
	for _, a := range known {
		taken[a.Slug] = true
		if guid := a.Meta[guidKey]; guid != "" {
			slugs[guid] = a.Slug
		}
	}
	for i := range all {
		c := &all[i]
		if c.Slug == "" {
			c.Slug = slugOf(c.Title, c.base)
		}
		taken[c.Slug] = taken[c.Slug] || c.guid == ""
	}
	posts := map[string]string{}
	for _, c := range all {
		if c.guid != "" {
			if other, twice := posts[c.guid]; twice {
				problems = append(problems, Problem{File: c.file, What: "is the same post as " + other + ", which is taken", Mend: "import one of these files alone if the other is the newer one"})
				continue
			}
			posts[c.guid] = c.file
			if slug, ok := slugs[c.guid]; ok {
				c.Slug = slug
			} else {
				c.Slug = freeSlug(c.Slug, func(slug string) bool { return taken[slug] })
			}
		}
		taken[c.Slug] = true
		kept = append(kept, c)
	}
	return kept, problems
}

// freeSlug is a slug with the first number behind it that makes it one that nobody has.
func freeSlug(wanted string, has func(string) bool) string {
	slug := wanted
	for n := 2; has(slug); n++ {
		slug = fmt.Sprintf("%s-%d", strings.TrimRight(wanted[:min(len(wanted), maxSlug-6)], "-"), n)
	}
	return slug
}

// distinct leaves out those whose slug another one of the set has.
func distinct(all []candidate) (kept []candidate, problems []Problem) {
	taken := map[string]string{}
	for _, c := range all {
		if other, ok := taken[c.Slug]; ok {
			problems = append(problems, Problem{
				File: c.file, What: fmt.Sprintf("has the same slug as %s, %s", other, c.Slug), Fatal: true,
				Mend: "give one of them another title, or its own slug: … in front matter",
			})
			continue
		}
		taken[c.Slug] = c.file
		kept = append(kept, c)
	}
	return kept, problems
}
