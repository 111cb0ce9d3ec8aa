package importer

import (
	"cmp"
	"encoding/json"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// buttondown takes in a folder that is an export of Buttondown: emails.csv or emails.json, and each text as emails/SLUG.md, which is
// Markdown, or HTML where its first line says that the other editor wrote it. It says whether it is one.
func (in *intake) buttondown(fsys fs.FS, dir, prefix string) (bool, error) {
	rows, name, err := buttondownRows(fsys, dir)
	s := source{fsys: fsys, name: name, file: filepath.Join(prefix, filepath.FromSlash(name))}
	if err != nil {
		in.fatal(s.file, "can't be read: "+cause(err), mendOpen(err))
		return true, nil
	}
	if rows == nil {
		return false, nil
	}
	if in.seen[s.file] {
		return true, nil
	}
	in.seen[s.file] = true
	slices.SortStableFunc(rows, func(a, b map[string]string) int {
		return cmp.Compare(momentOf(a["publish_date"]).at, momentOf(b["publish_date"]).at)
	})
	g := in.gather(s, "Buttondown export")
	for _, row := range rows {
		left := post{guid: guidOf(row["id"]), name: row["slug"]}
		switch status := row["status"]; status {
		case "", "draft", "sent", "published", "imported":
		case "scheduled", "about_to_send", "in_flight":
			g.leavePost(left, "post that is yet to come", "posts that are yet to come")
			continue
		default:
			g.leavePost(left, "post of another state", "posts of other states")
			continue
		}
		p, err := in.buttondownPost(fsys, dir, row)
		if err != nil {
			return true, err
		}
		if err := g.add(p); err != nil {
			return true, err
		}
	}
	g.end()
	return true, nil
}

// buttondownRows are what the export says of each mail; nil: the folder holds no such export.
func buttondownRows(fsys fs.FS, dir string) (rows sheet, name string, err error) {
	name = path.Join(dir, "emails.csv")
	if _, err := fs.Stat(fsys, name); err == nil {
		rows, err = readSheet(fsys, name, "id", "subject", "publish_date", "slug")
		return rows, name, err
	}
	name = path.Join(dir, "emails.json")
	if _, err := fs.Stat(fsys, name); err != nil {
		return nil, name, nil
	}
	b, err := source{fsys: fsys, name: name}.bytes(maxFeed)
	if err != nil {
		return nil, name, err
	}
	var all []map[string]any
	if json.Unmarshal(b, &all) != nil {
		return nil, name, nil
	}
	for _, mail := range all {
		row := map[string]string{}
		for key, value := range mail {
			if text, ok := value.(string); ok {
				row[key] = text
			}
		}
		if row["id"] == "" && row["slug"] == "" {
			return nil, name, nil
		}
		rows = append(rows, row)
	}
	return rows, name, nil
}

// What begins a text of Buttondown says which of its editors wrote it: one writes HTML.
const (
	fancyEditor = "<!-- buttondown-editor-mode: fancy -->"
	plainEditor = "<!-- buttondown-editor-mode: plaintext -->"
)

func (in *intake) buttondownPost(fsys fs.FS, dir string, row map[string]string) (post, error) {
	p := post{
		guid: guidOf(row["id"]), name: row["slug"], title: row["subject"], preheader: row["description"], date: momentOf(row["publish_date"]),
		draft: row["status"] == "draft" || row["status"] == "" && row["publish_date"] == "", resolve: against(""),
	}
	p.closed.add(audience(row["email_type"], map[string]string{
		"premium": "for paying readers only", "free": "for readers who don't pay only", "churned": "for readers who had left only",
		"private": "not in its public archive", "hidden": "not in its public archive",
	}, "public", "archival"))
	if p.draft {
		p.date.day = ""
	}
	text := row["body"]
	if text == "" {
		name := path.Join(dir, "emails", cmp.Or(row["slug"], row["id"])+".md")
		if !fs.ValidPath(name) {
			p.unread = "the export has no text of it"
			return p, nil
		}
		b, err := source{fsys: fsys, name: name}.bytes(maxArticle)
		if err != nil {
			p.unread = "the export has no text of it: " + cause(err)
			return p, nil
		}
		if err := in.count(len(b)); err != nil {
			return p, err
		}
		text = string(b)
	}
	p.templated(text)
	if html, ok := strings.CutPrefix(strings.TrimSpace(text), fancyEditor); ok {
		p.html = html
		return p, nil
	}
	p.text = strings.TrimPrefix(strings.TrimSpace(text), plainEditor)
	if hiddenTag.MatchString(p.text) { // Markdown stays as it is
		p.closed.add("a part of it hidden")
	}
	return p, nil
}

// templateTag is what Buttondown decides by, reader by reader, when it mails: {% if subscriber.is_premium %}.
var templateTag = regexp.MustCompile(`\{%-?\s*(\w*)[^\n]*?%\}`)

// templated minds that tags in a text may have kept a part of it from some readers.
func (p *post) templated(text string) {
	for _, m := range templateTag.FindAllStringSubmatch(text, maxLeftOut) {
		if !strings.HasPrefix(m[1], "end") && !strings.HasPrefix(m[1], "el") {
			p.closed.add("by {% " + clip(m[1], 30) + " … %} a part of it for some readers only")
		}
	}
}
