package render

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/yuin/goldmark/ast"
)

// The bounds keep the Markdown parser's quadratic corners, which can't be cancelled, short. Real articles are far below.
const (
	maxSource   = 256 << 10 // bytes of Markdown
	maxBrackets = 2000      // "[" in one paragraph; as many signs of emphasis
	maxNesting  = 40        // quotes and lists inside each other
	maxColumns  = 60        // of a table
	maxTargets  = 1 << 20   // bytes of all link targets: a reference may be used thousands of times
	maxNodes    = 30_000    // of the parsed document
	maxHTML     = 102_000   // bytes of the HTML part: Gmail cuts a letter at 102,400, and the unsubscribe link with it
)

const tooLarge = "is longer than 256 KB: split it into several articles"

// checkSource refuses Markdown that would take long to parse. It looks at lines only.
func checkSource(field, source string) error {
	if len(source) > maxSource {
		return &FieldError{field, tooLarge}
	}
	brackets, signs, number := 0, 0, 0
	for line := range bytes.Lines([]byte(source)) {
		number++
		line = bytes.TrimRight(line, "\n")
		if len(bytes.TrimSpace(line)) == 0 {
			brackets, signs = 0, 0
			continue
		}
		if brackets += bytes.Count(line, []byte("[")); brackets > maxBrackets {
			return &FieldError{field, fmt.Sprintf("has more than %d opening brackets in the paragraph around line %d", maxBrackets, number)}
		}
		if signs += countAny(line, "*_~"); signs > maxBrackets {
			return &FieldError{field, fmt.Sprintf("has more than %d signs of emphasis in the paragraph around line %d", maxBrackets, number)}
		}
		if nesting(line) > maxNesting {
			return &FieldError{field, fmt.Sprintf("is nested more than %d deep in line %d", maxNesting, number)}
		}
		if columns(line) > maxColumns {
			return &FieldError{field, fmt.Sprintf("has a table of more than %d columns in line %d", maxColumns, number)}
		}
	}
	return nil
}

func countAny(line []byte, signs string) int {
	n := 0
	for _, b := range line {
		if strings.IndexByte(signs, b) >= 0 {
			n++
		}
	}
	return n
}

// nesting counts the quote and list markers that a line begins with.
func nesting(line []byte) int {
	depth := 0
	for {
		line = bytes.TrimLeft(line, " \t")
		digits := 0
		for digits < len(line) && digits < 9 && '0' <= line[digits] && line[digits] <= '9' {
			digits++
		}
		switch {
		case len(line) > 0 && line[0] == '>':
			line = line[1:]
		case len(line) > 1 && strings.IndexByte("-*+:", line[0]) >= 0 && (line[1] == ' ' || line[1] == '\t'):
			line = line[2:]
		case digits > 0 && len(line) > digits && (line[digits] == '.' || line[digits] == ')'):
			line = line[digits+1:]
		default:
			return depth
		}
		depth++
	}
}

// columns counts the columns of a line that could stand below a table's head: |---|:--:|.
func columns(line []byte) int {
	for _, b := range line {
		if strings.IndexByte("|:- \t>", b) < 0 {
			return 0
		}
	}
	return bytes.Count(line, []byte("|"))
}

// checkTree refuses what only the parsed document shows.
func checkTree(field string, root ast.Node) error {
	depth, deepest, targets, nodes := 0, 0, 0, 0
	_ = ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			depth--
			return ast.WalkContinue, nil
		}
		nodes++
		if depth++; depth > deepest {
			deepest = depth
		}
		switch n := n.(type) {
		case *ast.Link:
			targets += len(n.Destination) + len(n.Title)
		case *ast.Image:
			targets += len(n.Destination) + len(n.Title)
		}
		return ast.WalkContinue, nil
	})
	// A list in a list is two levels of the tree, and the words in it have some of their own.
	if deepest > 3*maxNesting {
		return &FieldError{field, fmt.Sprintf("is nested more than %d deep", maxNesting)}
	}
	if nodes > maxNodes {
		return &FieldError{field, "has too many parts (items, cells, links): split it into several articles"}
	}
	if targets > maxTargets {
		return &FieldError{field, "repeats its link targets too often: use shorter addresses or fewer links"}
	}
	return nil
}
