package subscribers

import (
	"strconv"
	"strings"
)

// condition is a filter as SQL over s, a subscriber, and e, their enrolment as the view enrolled has it. What a filter compares with
// only ever stands in args.
type condition struct {
	text strings.Builder
	args []any
}

// sql is the condition of a WHERE, and the arguments of the query, of which the first is the series.
func (f Filter) sql(seriesID int64) (string, []any) {
	c := &condition{args: []any{seriesID}}
	if f.root == nil {
		return "1 = 1", c.args
	}
	f.root.write(c)
	return c.text.String(), c.args
}

// add writes SQL in which each ? stands for the next of args.
func (c *condition) add(sql string, args ...any) {
	for _, arg := range args {
		before, after, _ := strings.Cut(sql, "?")
		c.args = append(c.args, arg)
		c.text.WriteString(before + "?" + strconv.Itoa(len(c.args)))
		sql = after
	}
	c.text.WriteString(sql)
}

func (j joined) write(c *condition) {
	between := " AND "
	if j.any {
		between = " OR "
	}
	c.add("(")
	for i, part := range j.parts {
		if i > 0 {
			c.add(between)
		}
		part.write(c)
	}
	c.add(")")
}

func (n negated) write(c *condition) {
	c.add("(NOT ")
	n.part.write(c)
	c.add(")")
}

func (q *comparison) write(c *condition) {
	if q.op == "!=" {
		same := *q
		same.op = "="
		negated{&same}.write(c)
		return
	}
	c.add("(")
	for i, v := range q.values {
		if i > 0 {
			c.add(" OR ")
		}
		q.writeOne(c, v)
	}
	c.add(")")
}

// writeOne writes the comparison with one value, which is never NULL.
func (q *comparison) writeOne(c *condition, v value) {
	switch q.name {
	case "joined":
		q.writeDay(c, "e.active_since", v)
	case "created":
		q.writeDay(c, "s.created", v)
	case "tag":
		c.add("replace(s.tags, ?, '') <> s.tags", ","+v.text+",")
	case "language":
		c.add("(s.language = ? OR substr(s.language, 1, ?) = ?)", v.text, len(v.text)+1, v.text+"-")
	case "domain":
		c.add("s.email_key LIKE ?", "%@"+v.text)
	case "state":
		c.add("e.state = ?", v.text)
	case "email":
		q.writeText(c, "s.email_key", v)
	case "name":
		q.writeText(c, "s.name", v)
	case "zone":
		q.writeText(c, "s.zone", v)
	case "field":
		if q.op == "~" {
			c.add("replace(coalesce(s.fields ->> ?, ''), ?, '') <> coalesce(s.fields ->> ?, '')", q.field, v.text, q.field)
			return
		}
		c.add("coalesce(s.fields ->> ?, '') = ?", q.field, v.text)
	}
}

func (q *comparison) writeText(c *condition, column string, v value) {
	if q.op == "~" {
		c.add("replace("+column+", ?, '') <> "+column, v.text)
		return
	}
	c.add(column+" = ?", v.text)
}

// writeDay compares an instant with a day. Somebody without it, who never was active, is on no day.
func (q *comparison) writeDay(c *condition, column string, v value) {
	from, to := v.from.UnixMilli(), v.to.UnixMilli()
	c.add("(" + column + " IS NOT NULL AND ")
	switch q.op {
	case "=":
		c.add(column+" >= ? AND "+column+" < ?", from, to)
	case "<":
		c.add(column+" < ?", from)
	case "<=":
		c.add(column+" < ?", to)
	case ">":
		c.add(column+" >= ?", to)
	case ">=":
		c.add(column+" >= ?", from)
	}
	c.add(")")
}
