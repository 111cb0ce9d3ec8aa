package importer

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

func otherFields() Problem {
	return Problem{
		What: "it holds {{…}}, which another program filled: it stands there as it reads",
		Mend: "write what should stand there, or take it out",
	}
}

// ownBraces sees that merge fields of another program stand in Markdown as they read. Lines with code are left alone.
func ownBraces(markdown string) string {
	lines := strings.Split(markdown, "\n")
	fence := false
	for i, line := range lines {
		if fenceLine.MatchString(line) {
			fence = !fence
		}
		if !fence && !strings.Contains(line, "`") {
			lines[i] = markBraces(line, `\`)
		}
	}
	return strings.Join(lines, "\n")
}

// escaped stands before a brace that is to be one in Markdown, where the converter would escape the backslash; private use, so no text has it.
const escaped = '\ue000'

// keepFields sees that merge fields of other programs are none of ours: they stand there as they read. It says whether there are any.
func keepFields(body *html.Node) (found bool) {
	for n := range body.Descendants() {
		if n.Type == html.TextNode {
			n.Data = strings.ReplaceAll(n.Data, string(escaped), "")
			if strings.Contains(n.Data, "{{") && !inCode(n) {
				n.Data, found = markBraces(n.Data, string(escaped)), true
			}
		}
		for i, a := range n.Attr {
			if a.Key == "alt" || a.Key == "title" {
				n.Attr[i].Val = noField(a.Val)
			}
		}
	}
	return found
}

// markBraces puts a mark before each brace that another one follows.
func markBraces(s, mark string) string {
	var b strings.Builder
	for i := range len(s) {
		if s[i] == '{' && i+1 < len(s) && s[i+1] == '{' {
			b.WriteString(mark)
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func inCode(n *html.Node) bool {
	for p := n.Parent; p != nil; p = p.Parent {
		switch p.DataAtom {
		case atom.Code, atom.Pre, atom.Kbd, atom.Samp, atom.Tt, atom.Var: // the converter makes code of all of them
			return true
		}
	}
	return false
}

// noField parts double braces: where no backslash could stand before them, they would begin a field.
func noField(s string) string {
	for strings.Contains(s, "{{") {
		s = strings.ReplaceAll(s, "{{", "{ {")
	}
	return s
}
