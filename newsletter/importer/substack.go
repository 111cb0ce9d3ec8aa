package importer

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// sheet is a CSV file by the names of its columns.
type sheet []map[string]string

// readSheet reads a CSV file of an export; nil: it has not the columns that tell it.
func readSheet(fsys fs.FS, name string, columns ...string) (sheet, error) {
	b, err := source{fsys: fsys, name: name}.bytes(maxFeed)
	if err != nil {
		return nil, err
	}
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(b, []byte("\ufeff"))))
	r.FieldsPerRecord, r.LazyQuotes = -1, true
	head, err := r.Read()
	if err != nil {
		return nil, nil // it may be anything
	}
	for _, column := range columns {
		if !slices.Contains(head, column) {
			return nil, nil
		}
	}
	all := sheet{}
	for {
		cells, err := r.Read()
		switch {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, err
		case len(all) == maxFiles:
			return nil, fmt.Errorf("it has more than %d lines", maxFiles)
		}
		row := map[string]string{}
		for i, cell := range cells[:min(len(cells), len(head))] {
			row[head[i]] = strings.TrimSpace(cell)
		}
		all = append(all, row)
	}
}

// substack takes in a folder that is an export of Substack: posts.csv, and each text as posts/ID.slug.html. It says whether it is one.
func (in *intake) substack(fsys fs.FS, dir, prefix string) (bool, error) {
	name := path.Join(dir, "posts.csv")
	if _, err := fs.Stat(fsys, name); err != nil {
		return false, nil
	}
	rows, err := readSheet(fsys, name, "post_id", "post_date", "is_published", "title")
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
		return cmp.Compare(momentOf(a["post_date"]).at, momentOf(b["post_date"]).at)
	})
	texts, err := substackTexts(fsys, path.Join(dir, "posts"))
	if err != nil {
		in.fatal(s.file, "its folder posts can't be listed: "+cause(err), "unpack the whole export, with its folder posts")
		return true, nil
	}
	g := in.gather(s, "Substack export")
	for _, row := range rows {
		if err := g.substackRow(row, texts); err != nil {
			return true, err
		}
	}
	g.end()
	return true, nil
}

// substackRow takes in a row of posts.csv if it is a post, or counts what else it is.
func (g *gathering) substackRow(row, texts map[string]string) error {
	switch row["type"] {
	case "page":
		g.leave("page", "pages")
		return nil
	case "thread", "restack", "adhoc_email", "note":
		g.leave("item of another kind", "items of other kinds")
		return nil
	}
	p, err := g.in.substackPost(g.s.fsys, row, texts)
	if err != nil {
		return err
	}
	return g.add(p)
}

// substackTexts are the files of the texts by the number of their post, which begins their names.
func substackTexts(fsys fs.FS, dir string) (map[string]string, error) {
	entries, err := entriesOf(fsys, dir)
	texts := map[string]string{}
	for _, e := range entries {
		number, _, _ := strings.Cut(e.Name(), ".")
		if strings.HasSuffix(e.Name(), ".html") {
			texts[number] = path.Join(dir, e.Name())
		}
	}
	return texts, err
}

func (in *intake) substackPost(fsys fs.FS, row, texts map[string]string) (post, error) {
	number, slug, _ := strings.Cut(row["post_id"], ".")
	file := texts[number]
	if slug == "" {
		_, slug, _ = strings.Cut(strings.TrimSuffix(path.Base(file), ".html"), ".")
	}
	p := post{
		guid: guidOf("substack:" + number), name: slug, title: row["title"], preheader: strings.ReplaceAll(row["subtitle"], "<", "&lt;"),
		draft: !strings.EqualFold(row["is_published"], "true"), date: momentOf(row["post_date"]), resolve: against(""),
	}
	p.closed.add(audience(row["audience"], map[string]string{
		"only_paid": "for paying readers only", "founding": "for founding members only", "only_free": "for readers who don't pay only",
	}, "everyone"))
	if p.draft {
		p.date.day = ""
	}
	if file == "" {
		p.unread = "the export has no text of it"
		return p, nil
	}
	b, err := source{fsys: fsys, name: file}.bytes(maxArticle)
	if err != nil {
		p.unread = cause(err)
		return p, nil
	}
	p.html = string(b)
	return p, in.count(len(b))
}
