package importer

import (
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// parseYAML reads the top-level keys of one YAML document; lines count from 1 at its own first line. Anchors, aliases and
// tags are refused: front matter needs none, and aliases can grow without end.
func parseYAML(head string) (f front, problem *Problem) {
	defer func() {
		// The parser comes from elsewhere and reads what strangers wrote: a fault of it must not end the program.
		if r := recover(); r != nil {
			f, problem = nil, &Problem{What: fmt.Sprintf("the front matter can't be parsed: %v", r), Mend: "simplify it"}
		}
	}()
	file, err := parser.ParseBytes([]byte(head), 0)
	if err != nil {
		return nil, yamlProblem(err)
	}
	for i, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		table, ok := doc.Body.(ast.MapNode)
		if !ok || i > 0 {
			return nil, &Problem{
				Line: doc.Body.GetToken().Position.Line, What: "the front matter is no table of keys and values",
				Mend: "write one key: value a line",
			}
		}
		if p := refuseReferences(doc.Body); p != nil {
			return nil, p
		}
		for entries := table.MapRange(); entries.Next(); {
			field, err := yamlField(entries.KeyValue())
			if err != nil {
				return nil, yamlProblem(err)
			}
			f = append(f, field)
		}
	}
	return f, nil
}

func yamlField(entry *ast.MappingValueNode) (field, error) {
	at := entry.Key.GetToken().Position
	f := field{key: entry.Key.GetToken().Value, line: at.Line, column: at.Column}
	var value any
	if err := yaml.NodeToValue(entry.Value, &value); err != nil {
		return field{}, err
	}
	f.value = plainValue(value)
	switch v := f.value.(type) {
	case string:
		f.text = v
	case int64, float64, bool:
		f.text = entry.Value.GetToken().Value
	}
	if p := entry.Value.GetToken().Position; entry.Value.Type() != ast.NullType && p.Line == f.line {
		f.column = p.Column
	}
	return f, nil
}

// refuseReferences looks for what may refer to other places of the document, or name Go types.
func refuseReferences(body ast.Node) *Problem {
	var found *token.Token
	ast.Walk(visitor(func(n ast.Node) {
		switch n.Type() {
		case ast.AnchorType, ast.AliasType, ast.TagType, ast.MergeKeyType, ast.MappingKeyType, ast.DirectiveType:
			found = n.GetToken()
		}
	}), body)
	if found == nil {
		return nil
	}
	return &Problem{
		Line: found.Position.Line, Column: found.Position.Column,
		What: "anchors, references and tags are not read in front matter",
		Mend: "write the value out, in quotation marks if it begins with &, *, ! or ?",
	}
}

// visitor calls a function for each node.
type visitor func(ast.Node)

func (v visitor) Visit(n ast.Node) ast.Visitor {
	v(n)
	return v
}

func yamlProblem(err error) *Problem {
	p := &Problem{
		What: "the front matter is no YAML: " + err.Error(),
		Mend: "put values with : # or quotation marks in them into \"…\"",
	}
	var at yaml.Error
	if errors.As(err, &at) && at.GetToken() != nil {
		p.What = "the front matter is no YAML: " + at.GetMessage()
		p.Line, p.Column = at.GetToken().Position.Line, at.GetToken().Position.Column
	}
	return p
}
