package importer

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"pressrun/newsletter/series"
)

// maxFront is the most front matter that is parsed, in bytes: its parsers take quadratic time on nested brackets.
const maxFront = 16 << 10

// field is one top-level key of front matter. Its value is nil, string, int64, float64, bool, []any or map[string]any;
// text is a scalar as it was written.
type field struct {
	key          string
	value        any
	text         string
	line, column int
}

// front is the front matter of one file.
type front []field

// line is where a key stands; 0: nowhere.
func (f front) line(key string) int {
	for _, field := range f {
		if strings.EqualFold(field.key, key) {
			return field.line
		}
	}
	return 0
}

var looksLikeYAML = regexp.MustCompile(`^(?:#.*|["']?[\w -]+["']?[ \t]*:(?:[ \t].*)?)$`)

// splitFront cuts the front matter off whole and parses it: YAML between lines of ---, TOML between lines of +++. A first
// line of --- that no such line follows is a rule of Markdown, unless a key stands below it.
func splitFront(whole string) (front, string, []Problem) {
	opener, rest, _ := strings.Cut(whole, "\n")
	opener = strings.TrimRight(opener, " \t")
	if opener != "---" && opener != "+++" {
		return nil, whole, nil
	}
	lines := strings.SplitAfter(rest, "\n")
	end := slices.IndexFunc(lines, func(l string) bool {
		l = strings.TrimRight(l, " \t\n")
		return l == opener || l == "..." && opener == "---"
	})
	if end < 0 {
		first := strings.TrimRight(lines[0], " \t\n")
		if opener == "---" && !looksLikeYAML.MatchString(first) {
			return nil, whole, nil
		}
		return nil, "", []Problem{{
			Line: 1, What: "the front matter has no end", Fatal: true,
			Mend: "close it by a line of " + opener,
		}}
	}
	head, body := strings.Join(lines[:end], ""), strings.Join(lines[end+1:], "")
	if len(head) > maxFront {
		return nil, "", []Problem{{Line: 1, What: "the front matter has more than 16 KB", Mend: "shorten it", Fatal: true}}
	}
	parse := parseYAML
	if opener == "+++" {
		parse = parseTOML
	}
	fields, problem := parse(head)
	if problem != nil {
		problem.Line++ // the opening line
		problem.Fatal = true
		return nil, "", []Problem{*problem}
	}
	for i := range fields {
		fields[i].line++
	}
	return fields, body, nil
}

// candidate makes an article's data of its front matter. Every value of a wrong kind is a problem of its own.
func (f front) candidate() (candidate, []Problem) {
	c := candidate{Incoming: series.Incoming{Text: series.Text{DisclaimerMode: "add"}}}
	var problems []Problem
	known := map[string]bool{}
	for _, field := range f {
		p := field.set(&c)
		if key := strings.ToLower(field.key); slices.Contains(ourKeys, key) {
			if known[key] {
				p = &Problem{What: key + " stands there twice", Mend: "keep one of them", Fatal: true}
			}
			known[key] = true
		}
		if p != nil {
			p.Line, p.Column = field.line, field.column
			problems = append(problems, *p)
		}
	}
	return c, problems
}

// ourKeys are the keys that mean something to us, in the order in which they are exported.
var ourKeys = []string{
	"title", "subject", "preheader", "description", "slug", "date", "weight", "draft", "withdrawn", "disclaimer",
	"series", "tags", "image", "image_alt", "image_caption", "sources", "reviewed_by", "review_by",
}

// set puts a field where it belongs in c. Keys that mean nothing to us are kept as Meta.
func (f field) set(c *candidate) *Problem {
	switch key := strings.ToLower(f.key); key {
	case "title":
		return f.setLine(&c.Title)
	case "subject":
		return f.setLine(&c.Subject)
	case "preheader":
		return f.setLine(&c.Preheader)
	case "description":
		return f.setLine(&c.Description)
	case "slug":
		return f.setSlug(c)
	case "date":
		return f.setDate(c)
	case "publish_date": // Buttondown's
		if c.Date == "" {
			return f.setDate(c)
		}
	case "weight":
		return f.setWeight(c)
	case "draft":
		return f.setTruth(&c.Draft)
	case "withdrawn":
		return f.setTruth(&c.Withdrawn)
	case "disclaimer":
		return f.setDisclaimer(c)
	case "series", "tags":
		if !f.isScalar() && !isTexts(f.value) {
			return f.wrong("a list of texts", key+": [one, two]")
		}
		return f.setMeta(c, key)
	case "sources":
		if !f.isScalar() && !isTexts(f.value) {
			return f.wrong("a list of texts", "sources: [one, two]")
		}
		return f.setMeta(c, key)
	case "image":
		return f.setMeta(c, key)
	case "published":
		if f.value == false {
			c.Draft = true
			return &Problem{What: "published: false is read as draft: true", Mend: "write draft: true"}
		}
	case "status":
		if s := strings.ToLower(f.text); s == "draft" || s == "scheduled" {
			c.Draft = true
			return &Problem{What: "status: " + s + " is read as draft: true", Mend: "write draft: true"}
		}
	case "image_alt", "image_caption", "reviewed_by":
		var line string
		if p := f.setLine(&line); p != nil || line == "" {
			return p
		}
		return field{key: f.key, value: line, text: line}.setMeta(c, key)
	case "review_by":
		return f.setReviewBy(c)
	}
	if p := f.setMeta(c, f.key); p != nil {
		return p
	}
	return f.misspelt()
}

// misspelt finds keys one slip away from one of ours: it would have no effect in silence, and what must not be sent would be.
func (f field) misspelt() *Problem {
	key := strings.ToLower(f.key)
	for _, ours := range ourKeys {
		if !oneSlip(key, ours) {
			continue
		}
		return &Problem{What: fmt.Sprintf("%s is no key of ours; did you mean %s?", shown(clip(f.key, 40)), ours), Mend: "write " + ours + ": …", Fatal: ours == "draft" || ours == "withdrawn"}
	}
	return nil
}

// oneSlip says whether a and b differ by one letter that is missing, added or another, or by two neighbours swapped.
func oneSlip(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if a == b || len(b)-len(a) > 1 {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) < len(b) {
		return a[i:] == b[i+1:]
	}
	swapped := i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
	return swapped || a[i+1:] == b[i+1:]
}

// wrong is the problem of a value of another kind than it must be.
func (f field) wrong(wanted, example string) *Problem {
	kind := "empty"
	switch v := f.value.(type) {
	case string:
		kind = "“" + shown(clip(v, 40)) + "”"
	case int64, float64, bool:
		kind = f.text
	case []any:
		kind = "a list"
	case map[string]any:
		kind = "a table"
	}
	return &Problem{What: fmt.Sprintf("%s is %s, not %s", f.key, kind, wanted), Mend: "write " + example, Fatal: true}
}

func (f field) isScalar() bool {
	switch f.value.(type) {
	case []any, map[string]any:
		return false
	}
	return true
}

// control is the problem of characters that an escape brought in though no text may hold them.
func (f field) control() *Problem {
	if s, ok := f.value.(string); ok && strings.ContainsFunc(s, isControl) {
		return &Problem{What: f.key + " holds a control character", Mend: "remove it", Fatal: true}
	}
	return nil
}

// setLine takes any scalar as it was written, since a title may well be 2024; line breaks become spaces.
func (f field) setLine(to *string) *Problem {
	if !f.isScalar() {
		return f.wrong("text", strings.ToLower(f.key)+": …")
	}
	*to = oneLine(f.text)
	return f.control()
}

// setSlug takes a slug, and says so where it has to be changed to be one.
func (f field) setSlug(c *candidate) *Problem {
	var given string
	if p := f.setLine(&given); p != nil || given == "" {
		return p
	}
	c.Slug = slugify(given)
	if c.Slug == "" {
		return f.wrong("a slug", "slug: a-few-words in a-z, 0-9 and -")
	}
	if c.Slug != given {
		return &Problem{
			What: fmt.Sprintf("the slug “%s” becomes %s", shown(clip(given, 100)), c.Slug),
			Mend: "write it with a-z, 0-9 and single - only, at most 80",
		}
	}
	return nil
}

// dateForms are the dates that front matter may have; what follows the day is not used.
var dateForms = []string{
	time.DateOnly, time.DateTime, time.RFC3339,
	"2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00",
	"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 Z07:00", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04 -0700",
}

func (f field) setDate(c *candidate) *Problem { return f.setDay(&c.Date) }

// setDay takes the day of any date.
func (f field) setDay(to *string) *Problem {
	if f.value == nil {
		return nil
	}
	s := strings.TrimSpace(f.text)
	for _, form := range dateForms {
		if t, err := time.Parse(form, s); err == nil && t.Year() > 0 {
			*to = t.Format(time.DateOnly)
			return nil
		}
	}
	return f.wrong("a date", strings.ToLower(f.key)+": 2027-03-30")
}

// setReviewBy takes the day by which an article must be looked over again.
func (f field) setReviewBy(c *candidate) *Problem {
	var day string
	if p := f.setDay(&day); p != nil || day == "" {
		return p
	}
	return field{key: f.key, value: day, text: day}.setMeta(c, "review_by")
}

func (f field) setWeight(c *candidate) *Problem {
	switch v := f.value.(type) {
	case nil:
		return nil
	case int64:
		c.weight = &v
		return nil
	case string:
		if n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64); err == nil {
			c.weight = &n
			return nil
		}
	}
	return f.wrong("a whole number", "weight: 3")
}

func (f field) setTruth(to *bool) *Problem {
	switch v := f.value.(type) {
	case nil:
		return nil
	case bool:
		*to = v
		return nil
	case string:
		if s := strings.ToLower(strings.TrimSpace(v)); s == "true" || s == "false" {
			*to = s == "true"
			return nil
		}
	}
	return f.wrong("true or false", strings.ToLower(f.key)+": true")
}

const disclaimerExample = `disclaimer: "…", or a table of text and mode (add or replace)`

// setDisclaimer takes a text, which adds to the series' disclaimer, or a table of text and mode.
func (f field) setDisclaimer(c *candidate) *Problem {
	switch v := f.value.(type) {
	case nil:
		return nil
	case string:
		c.Disclaimer = strings.TrimSpace(v)
		return cmp.Or(f.noDisclaimer(c.Disclaimer), f.control())
	case map[string]any:
		text, isText := v["text"].(string)
		mode, isMode := v["mode"].(string)
		_, given := v["mode"]
		if !isText || given && (!isMode || mode != "add" && mode != "replace") || len(v) > 2 || len(v) == 2 && !given {
			return f.wrong("one of text and mode", disclaimerExample)
		}
		c.Disclaimer = strings.TrimSpace(text)
		if given && c.Disclaimer != "" {
			c.DisclaimerMode = mode
		}
		return cmp.Or(f.noDisclaimer(c.Disclaimer), field{key: f.key, value: text}.control())
	}
	return f.wrong("text", disclaimerExample)
}

// noDisclaimer is the problem of a word that is meant to take the disclaimer away: readers would see the word below it.
func (f field) noDisclaimer(text string) *Problem {
	switch strings.Trim(fold(text), ".!") {
	case "none", "no", "off", "false", "null", "nil", "n/a", "-", "–", "—", "nein", "kein", "keine", "keiner", "keinen", "ohne", "aus", "aucun", "aucune", "sans", "non",
		"ninguno", "ninguna", "sin", "لا", "بدون", "yes", "on", "true", "default":
		return &Problem{
			What: fmt.Sprintf("disclaimer is “%s”, and readers would see that word below the disclaimer of the series, which stays", shown(text)),
			Mend: "take the line out, or write " + disclaimerExample, Fatal: true,
		}
	}
	return nil
}

// setMeta keeps a value for the export: scalars as they were written, lists and tables as JSON.
func (f field) setMeta(c *candidate, key string) *Problem {
	if f.value == nil {
		return nil
	}
	if p := f.control(); p != nil {
		return p
	}
	text := f.text
	if !f.isScalar() {
		b, err := marshal(f.value)
		if err != nil {
			return f.wrong("a value that can be kept", f.key+": …")
		}
		text = b
	}
	if c.Meta == nil {
		c.Meta = map[string]string{}
	}
	c.Meta[key] = text
	return nil
}

// marshal is JSON in one line that leaves < and & alone, which YAML reads as it is.
func marshal(v any) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

func isTexts(v any) bool {
	list, ok := v.([]any)
	return ok && !slices.ContainsFunc(list, func(v any) bool {
		switch v.(type) {
		case nil, []any, map[string]any:
			return true
		}
		return false
	})
}

// plainValue makes one of the kinds that a field may have of what a parser gives.
func plainValue(v any) any {
	switch v := v.(type) {
	case uint64:
		if v > math.MaxInt64 {
			return strconv.FormatUint(v, 10)
		}
		return int64(v)
	case int:
		return int64(v)
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return strconv.FormatFloat(v, 'g', -1, 64)
		}
	case time.Time:
		return writtenTime(v)
	case []any:
		for i := range v {
			v[i] = plainValue(v[i])
		}
	case []map[string]any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = plainValue(v[i])
		}
		return list
	case map[string]any:
		for k := range v {
			v[k] = plainValue(v[k])
		}
	}
	return v
}

// clip shortens a text for a message, to n characters.
func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return strings.TrimSpace(string(r[:n])) + "…"
	}
	return s
}
