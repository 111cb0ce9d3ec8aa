package render

import (
	"strings"

	east "github.com/yuin/goldmark/extension/ast"
)

// table writes a table in columns where it fits the width, else row by row with the head's name before each cell, which
// is also how it is best read aloud. One that no letter can show is a link to the page.
func (w textWriter) table(t *east.Table, width int) []string {
	var rows [][]string
	for row := t.FirstChild(); row != nil; row = row.NextSibling() {
		var cells []string
		for cell := row.FirstChild(); cell != nil; cell = cell.NextSibling() {
			cells = append(cells, strings.Join(strings.Fields(w.inlines(cell)), " "))
		}
		rows = append(rows, cells)
	}
	if len(rows) == 0 {
		return nil
	}
	if len(rows[0]) > mostColumns && w.page != "" {
		return wrap(w.link(w.wideTable(len(rows[0])), w.page), width)
	}
	wide := make([]int, len(rows[0]))
	total := -2
	for i := range wide {
		for _, row := range rows {
			if i < len(row) {
				wide[i] = max(wide[i], columnsOf(row[i]))
			}
		}
		total += wide[i] + 2
	}
	if total > width {
		return records(rows, width)
	}
	return aligned(rows, wide, t.Alignments)
}

func aligned(rows [][]string, wide []int, to []east.Alignment) []string {
	var lines []string
	for i, row := range rows {
		var cells []string
		for j, cell := range row {
			space := strings.Repeat(" ", max(wide[j]-columnsOf(cell), 0))
			if j < len(to) && to[j] == east.AlignRight {
				cell = space + cell
			} else {
				cell += space
			}
			cells = append(cells, cell)
		}
		lines = append(lines, strings.TrimRight(strings.Join(cells, "  "), " "))
		if i == 0 {
			var rules []string
			for _, n := range wide {
				rules = append(rules, strings.Repeat("-", n))
			}
			lines = append(lines, strings.Join(rules, "  "))
		}
	}
	return lines
}

// records writes each cell behind its head, on lines of its own. An empty cell keeps its head, which may stand nowhere else.
func records(rows [][]string, width int) []string {
	head, body := rows[0], rows[1:]
	if len(body) == 0 {
		return records([][]string{nil, head}, width)
	}
	var lines []string
	for _, row := range body {
		if len(lines) > 0 {
			lines = append(lines, "")
		}
		for j, cell := range row {
			switch {
			case j < len(head) && head[j] != "" && cell == "":
				cell = head[j] + ": –"
			case j < len(head) && head[j] != "":
				cell = head[j] + ": " + cell
			case cell == "":
				continue
			}
			lines = append(lines, indent(wrap(cell, width-2), "", "  ")...)
		}
	}
	return lines
}
