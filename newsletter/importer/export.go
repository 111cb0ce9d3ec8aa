package importer

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"pressrun/newsletter/series"
)

// ErrExists says that a folder holds articles already that an export would mix with or overwrite.
var ErrExists = errors.New("the folder holds other articles")

// Export writes the articles of a series into dir as Markdown with front matter, numbered in order, so that Read gives
// them back as they are: line ends become \n, empty lines around the text go, drafts and withdrawn articles are marked so. The
// folder is made where it is missing. One that holds any other article is refused (ErrExists); files that are already
// there with the same content are fine, so that it can be done again. Pictures, which find gives, lie where the texts name
// them. The names of the articles' files come back in order.
func Export(dir string, articles []series.Article, find PictureBytes) (files []string, err error) {
	articles, pictures, err := placed(articles, find)
	if err != nil {
		return nil, err
	}
	content := make([][]byte, len(articles))
	width := max(2, len(strconv.Itoa(len(articles))))
	for i, a := range articles {
		if !slugForm.MatchString(a.Slug) {
			return nil, fmt.Errorf("article %q: %w: its slug is no file name", a.Slug, series.ErrSlug)
		}
		files = append(files, fmt.Sprintf("%0*d-%s.md", width, i+1, a.Slug))
		if content[i], err = fileOf(a, i+1); err != nil {
			return nil, fmt.Errorf("article %s: %w", a.Slug, err)
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	defer root.Close()
	there, err := sameFiles(root, files, content, pictures)
	if err != nil {
		return nil, fmt.Errorf("export to %s: %w", shown(dir), err)
	}
	if err := errors.Join(writePictures(root, pictures), writeNew(root, files, content, there)); err != nil {
		return nil, fmt.Errorf("export to %s: %w", shown(dir), err)
	}
	return files, nil
}

// sameFiles finds out which of the files are there with the same content. It fails with ErrExists where one differs, or
// where the folder holds another article, which Read would take for one of the series.
func sameFiles(root *os.Root, files []string, content [][]byte, pictures map[string]series.Picture) (there map[string]bool, err error) {
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, err
	}
	there = map[string]bool{}
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") || !e.IsDir() && readerFor(name, false) == nil || e.IsDir() && holdsPictures(pictures, name) {
			continue
		}
		i := slices.Index(files, name)
		if i < 0 {
			return nil, fmt.Errorf("%w: %s; choose an empty folder", ErrExists, shown(name))
		}
		b, err := root.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(b, content[i]) {
			return nil, fmt.Errorf("%w: %s has another text; choose an empty folder", ErrExists, name)
		}
		there[name] = true
	}
	return there, nil
}

// writeNew writes the files that aren't there yet. Where one fails, it takes back those it had written.
func writeNew(root *os.Root, files []string, content [][]byte, there map[string]bool) (err error) {
	var written []string
	defer func() {
		if err != nil {
			for _, name := range written {
				err = errors.Join(err, root.Remove(name))
			}
		}
	}()
	for i, name := range files {
		if there[name] {
			continue
		}
		f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return err
		}
		written = append(written, name)
		_, err = f.Write(content[i])
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// fileOf is an article as Markdown with YAML front matter.
func fileOf(a series.Article, weight int) ([]byte, error) {
	meta := maps.Clone(a.Meta)
	var b strings.Builder
	b.WriteString("---\n")
	for _, key := range ourKeys {
		value := meta[key]
		delete(meta, key)
		text, err := frontValue(a, key, value, weight)
		if err != nil {
			return nil, err
		}
		if text != "" {
			fmt.Fprintf(&b, "%s: %s\n", key, text)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(meta)) {
		name := key
		if !simpleKey.MatchString(key) {
			name = quote(key)
		}
		fmt.Fprintf(&b, "%s: %s\n", name, metaValue(meta[key]))
	}
	b.WriteString("---\n")
	if body := trimBody(lineEnds.Replace(a.Markdown)); body != "" {
		b.WriteString("\n" + body + "\n")
	}
	return []byte(b.String()), nil
}

// frontValue is the YAML value of one of our keys; empty: the article has none. meta is what it has under that key apart
// from its own columns.
func frontValue(a series.Article, key, meta string, weight int) (string, error) {
	text := ""
	switch key {
	case "title":
		text = a.Title
	case "subject":
		text = a.Subject
	case "preheader":
		text = a.Preheader
	case "description":
		text = a.Description
	case "slug":
		text = a.Slug
	case "date":
		if clipDate(a.Date) == a.Date {
			return a.Date, nil
		}
		text = a.Date
	case "weight":
		return strconv.Itoa(weight), nil
	case "draft":
		return markOf(a.State == series.Draft), nil
	case "withdrawn":
		return markOf(a.State == series.Withdrawn), nil
	case "disclaimer":
		if a.Disclaimer != "" && a.DisclaimerMode == "replace" {
			return marshal(struct {
				Text string `json:"text"`
				Mode string `json:"mode"`
			}{a.Disclaimer, a.DisclaimerMode})
		}
		text = a.Disclaimer
	default: // what is kept as it was
		if meta == "" {
			return "", nil
		}
		return metaValue(meta), nil
	}
	if text == "" {
		return "", nil
	}
	return quote(text), nil
}

// markOf is a mark that stands in front matter only where it holds.
func markOf(holds bool) string {
	if holds {
		return "true"
	}
	return ""
}

var (
	simpleKey = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)
	bareValue = regexp.MustCompile(`^(?:(?:true|false|-?(?:0|[1-9][0-9]*))$|[\[{])`)
)

// metaValue writes a kept value so that reading gives the same text: numbers, truth, lists and tables as they are where
// that does, everything else in quotation marks.
func metaValue(s string) string {
	if bareValue.MatchString(s) && readsBack(s) {
		return s
	}
	return quote(s)
}

// readsBack says that a value without quotation marks is kept in the very same form when it is read.
func readsBack(s string) bool {
	fields, problem := parseYAML("value: " + s + "\n")
	if problem != nil || len(fields) != 1 {
		return false
	}
	var c candidate
	return fields[0].setMeta(&c, "value") == nil && c.Meta["value"] == s
}

// quote writes s as a JSON string, which is a YAML string too.
func quote(s string) string {
	q, _ := marshal(s) // a string always has its JSON
	return q
}
