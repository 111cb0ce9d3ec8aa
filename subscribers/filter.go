package subscribers

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// ErrFilter says that a filter can't be understood; the text says at which column and what would be.
var ErrFilter = errors.New("the filter can't be understood")

// A Filter picks people of a series. The zero Filter picks everybody. Its language, which nobody's SQL is part of:
//
//	tag = vip and (joined >= 2026-01-01 or not language in (de, fr)) and field.Town = "Port Ellery"
//
// A comparison is a name, an operator and a value. Names: email, domain, name, language, zone, state, tag, joined (the day they became
// active in the series), created (the day they became known) and field.NAME, for which NAME alone does where it is none of these. Operators: = and !=, in (…) for one of several, ~ for
// texts that contain another, and < <= > >= for days. Values stand in quotes, or without where they are one word. Texts compare
// exactly but for addresses, domains and tags, which have no capitals; language = en picks en-GB too; a field that somebody hasn't is
// empty. not binds closer than and, and closer than or.
type Filter struct {
	root node
}

// Bounds of a filter, so that nobody builds one that SQLite refuses.
const (
	maxFilter      = 4000 // octets
	maxFilterDepth = 50
	maxFilterTerms = 200
)

// node is a part of a filter: a comparison, or others joined.
type node interface {
	// write adds the condition to c.
	write(c *condition)
	// copied is a copy, of whose comparisons f may change each.
	copied(f func(*comparison)) node
}

// joined are parts of which all must hold, or with any at least one.
type joined struct {
	any   bool
	parts []node
}

// negated holds where its part doesn't.
type negated struct{ part node }

// comparison compares what name says with values; of one but for in.
type comparison struct {
	name   string // of names, or field
	field  string // which one
	bare   bool   // field. was not said before it
	column int    // where the name stands
	op     string // = != ~ < <= > >= in
	values []value
}

// value is what something is compared with.
type value struct {
	text     string
	from, to time.Time // of a day: its beginning and that of the next
}

// Names of what can be asked, and by which operators.
func filterOperators(name string) []string {
	switch name {
	case "joined", "created":
		return []string{"=", "!=", "<", "<=", ">", ">="}
	case "email", "name", "zone", "field":
		return []string{"=", "!=", "~", "in"}
	case "domain", "language", "state", "tag":
		return []string{"=", "!=", "in"}
	}
	return nil
}

// filterNames are the names that are no fields.
var filterNames = []string{"email", "domain", "name", "language", "zone", "state", "tag", "joined", "created"}

func nameWords() string { return strings.Join(filterNames, ", ") + " or field.NAME" }

func (j joined) copied(f func(*comparison)) node {
	parts := make([]node, len(j.parts))
	for i, part := range j.parts {
		parts[i] = part.copied(f)
	}
	return joined{j.any, parts}
}

func (n negated) copied(f func(*comparison)) node { return negated{n.part.copied(f)} }

func (q *comparison) copied(f func(*comparison)) node {
	c := *q
	f(&c)
	return &c
}

// ParseFilter reads a filter; days begin in zone. Empty text picks everybody. Errors wrap ErrFilter.
func ParseFilter(text string, zone *time.Location) (Filter, error) {
	if strings.TrimSpace(text) == "" {
		return Filter{}, nil
	}
	if len(text) > maxFilter || !utf8.ValidString(text) {
		return Filter{}, fmt.Errorf("%w: it is longer than %d octets, or no UTF-8", ErrFilter, maxFilter)
	}
	p := &filterParser{text: []rune(text), zone: zone}
	p.next()
	root, err := p.or(0)
	if err == nil && p.token.kind != lexEnd {
		err = p.fault("“and”, “or” or the end", p.token)
	}
	if err != nil {
		return Filter{}, err
	}
	return Filter{root}, nil
}

// The kinds of tokens.
const (
	lexEnd  = iota
	lexWord // without quotes
	lexText // in quotes
	lexSign // an operator, a bracket or a comma
	lexBad  // what can't stand anywhere
)

type token struct {
	kind   int
	text   string
	column int // from 1, in characters
}

type filterParser struct {
	text  []rune
	at    int
	token token // the next one
	terms int
	zone  *time.Location
}

func (p *filterParser) fault(want string, got token) error {
	what := fmt.Sprintf("%q", got.text)
	if got.kind == lexEnd {
		what = "the end"
	}
	return fmt.Errorf("%w: column %d: here should be %s, not %s", ErrFilter, got.column, want, what)
}

func (p *filterParser) faultAt(t token, format string, args ...any) error {
	return fmt.Errorf("%w: column %d: %s", ErrFilter, t.column, fmt.Sprintf(format, args...))
}

// next reads the next token.
func (p *filterParser) next() {
	for p.at < len(p.text) && unicode.IsSpace(p.text[p.at]) {
		p.at++
	}
	start := p.at
	p.token = token{column: start + 1}
	if start == len(p.text) {
		return
	}
	switch r := p.text[start]; {
	case r == '"' || r == '“':
		p.quoted()
		return
	case isFilterWord(r):
		for p.at < len(p.text) && isFilterWord(p.text[p.at]) {
			p.at++
		}
		p.token.kind = lexWord
	case strings.ContainsRune("=~(),", r):
		p.at++
		p.token.kind = lexSign
	case strings.ContainsRune("<>!", r):
		if p.at++; p.at < len(p.text) && p.text[p.at] == '=' {
			p.at++
		}
		p.token.kind = lexSign
	default:
		p.at++
		p.token.kind = lexBad
	}
	p.token.text = string(p.text[start:p.at])
}

// quoted reads a text to its closing quote; \ keeps the next character from meaning anything.
func (p *filterParser) quoted() {
	end := p.text[p.at]
	if end == '“' {
		end = '”'
	}
	var b strings.Builder
	for p.at++; p.at < len(p.text); p.at++ {
		switch r := p.text[p.at]; {
		case r == end:
			p.at++
			p.token.kind, p.token.text = lexText, b.String()
			return
		case r == '\\' && p.at+1 < len(p.text):
			p.at++
			b.WriteRune(p.text[p.at])
		default:
			b.WriteRune(r)
		}
	}
	p.token.kind, p.token.text = lexBad, string(p.text[p.token.column-1:])
}

func isFilterWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || strings.ContainsRune("_-.@+:/'", r)
}

// keyword takes a word of the language itself.
func (p *filterParser) keyword(word string) bool {
	if p.token.kind != lexWord || !strings.EqualFold(p.token.text, word) {
		return false
	}
	p.next()
	return true
}

func (p *filterParser) sign(s string) bool {
	if p.token.kind != lexSign || p.token.text != s {
		return false
	}
	p.next()
	return true
}

func (p *filterParser) or(depth int) (node, error) {
	return p.join("or", true, depth, p.and)
}

func (p *filterParser) and(depth int) (node, error) {
	return p.join("and", false, depth, p.not)
}

// join reads parts with a word between them.
func (p *filterParser) join(word string, any bool, depth int, part func(int) (node, error)) (node, error) {
	first, err := part(depth)
	if err != nil {
		return nil, err
	}
	parts := []node{first}
	for p.keyword(word) {
		more, err := part(depth)
		if err != nil {
			return nil, err
		}
		parts = append(parts, more)
	}
	if len(parts) == 1 {
		return first, nil
	}
	return joined{any, parts}, nil
}

func (p *filterParser) not(depth int) (node, error) {
	if depth > maxFilterDepth {
		return nil, p.faultAt(p.token, "there are more than %d brackets and nots in each other", maxFilterDepth)
	}
	if p.keyword("not") {
		part, err := p.not(depth + 1)
		return negated{part}, err
	}
	if !p.sign("(") {
		return p.comparison()
	}
	inner, err := p.or(depth + 1)
	if err != nil {
		return nil, err
	}
	if !p.sign(")") {
		return nil, p.fault("“and”, “or” or “)”", p.token)
	}
	return inner, nil
}

func (p *filterParser) comparison() (node, error) {
	at := p.token
	c := &comparison{column: at.column}
	if err := p.name(c); err != nil {
		return nil, err
	}
	operators := filterOperators(c.name)
	sign := p.token
	if c.op = strings.ToLower(sign.text); sign.kind != lexSign && c.op != "in" || !slices.Contains(operators, c.op) {
		return nil, p.fault("one of "+strings.Join(operators, " ")+" behind "+at.text, sign)
	}
	p.next()
	if p.terms++; p.terms > maxFilterTerms {
		return nil, p.faultAt(at, "there are more than %d comparisons and values", maxFilterTerms)
	}
	if c.op != "in" {
		return c, p.value(c)
	}
	if !p.sign("(") {
		return nil, p.fault("“(” behind in", p.token)
	}
	for {
		if err := p.value(c); err != nil {
			return nil, err
		}
		if p.terms++; p.terms > maxFilterTerms {
			return nil, p.faultAt(at, "there are more than %d comparisons and values", maxFilterTerms)
		}
		switch {
		case p.sign(")"):
			return c, nil
		case !p.sign(","):
			return nil, p.fault("“,” or “)”", p.token)
		}
	}
}

// name reads what is compared.
func (p *filterParser) name(c *comparison) error {
	at := p.token
	if at.kind != lexWord {
		return p.fault(nameWords(), at)
	}
	name, field, isField := strings.Cut(at.text, ".")
	if c.name = strings.ToLower(name); c.name == "field" && !isField {
		return p.fault(nameWords(), at)
	}
	if c.bare = c.name != "field" && (isField || filterOperators(c.name) == nil); c.bare {
		c.name, field, isField = "field", at.text, true
	}
	p.next()
	if isField && field == "" && p.token.kind == lexText {
		field = p.token.text
		p.next()
	}
	if c.field = field; isField && (field == "" || strings.ContainsAny(field, `"\`) || strings.ContainsAny(field[:1], "$[")) {
		return p.faultAt(at, `a field is named as field.Town or field."Home town"; it can't be asked for with a quote or a backslash in it, or with $ or [ at its beginning`)
	}
	return nil
}

// value reads one value and writes it as it is stored.
func (p *filterParser) value(c *comparison) error {
	at := p.token
	if at.kind != lexWord && at.kind != lexText {
		if at.kind == lexBad && strings.ContainsAny(at.text, `"“`) {
			return p.faultAt(at, "the quote is not closed")
		}
		return p.fault("a value", at)
	}
	v := value{text: at.text}
	var err error
	switch c.name {
	case "joined", "created":
		if v.from, err = time.ParseInLocation(time.DateOnly, at.text, p.zone); err != nil {
			return p.fault("a day such as 2026-01-31", at)
		}
		v.to = time.Date(v.from.Year(), v.from.Month(), v.from.Day()+1, 0, 0, 0, 0, p.zone)
	case "tag":
		var tags []string
		if tags, err = parseTags([]string{at.text}); err != nil || len(tags) != 1 {
			return p.fault("a tag, without a comma", at)
		}
		v.text = tags[0]
	case "language":
		if v.text, err = parseLanguage(at.text); err != nil {
			return p.fault("a language such as en or pt-BR", at)
		}
	case "domain":
		if v.text, err = parseDomain(strings.TrimPrefix(at.text, "@")); err != nil {
			return p.fault("a domain such as example.org", at)
		}
	case "state":
		v.text = strings.ToLower(at.text)
		if !slices.Contains([]State{Pending, Active, Paused, Ended}, State(v.text)) {
			return p.fault("pending, active, paused or ended", at)
		}
	case "email":
		if v.text, err = filterAddress(c.op, at.text); err != nil {
			return p.faultAt(at, "%v", err)
		}
	}
	if c.op == "~" && v.text == "" {
		return p.fault("a text that is not empty behind ~", at)
	}
	c.values = append(c.values, v)
	p.next()
	return nil
}

// filterAddress is the comparison form of an address or, for ~, of a part of one.
func filterAddress(op, text string) (string, error) {
	if op == "~" {
		return strings.ToLower(text), nil
	}
	a, err := ParseAddress(text)
	return a.Key, err
}
