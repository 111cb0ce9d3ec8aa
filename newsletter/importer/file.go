package importer

import (
	"archive/zip"
	"cmp"
	"errors"
	"io"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// formats are the kinds of files that are read, for messages.
const formats = "Markdown (.md), plain text (.txt), HTML (.html), zips of them, RSS and Atom feeds, and exports of WordPress, Squarespace, Ghost, Substack and Buttondown"

// reader turns the text of a file, with lines ending in \n, into a candidate; its problems still lack the file.
type reader func(text string) (candidate, []Problem)

// readerFor chooses by the ending of a file name; nil: not a format that is read.
func readerFor(name string, named bool) reader {
	switch strings.ToLower(path.Ext(name)) {
	case ".md", ".markdown":
		return readMarkdown
	case ".txt", ".text":
		return readPlain
	case ".html", ".htm":
		return readHTML
	case "":
		if named {
			return readPlain
		}
	}
	return nil
}

// file takes in one file. The error is for more text than an import may have.
func (in *intake) file(s source) error {
	if in.seen[s.file] {
		return nil
	}
	in.seen[s.file] = true
	in.names[shown(s.name)] = shown(s.file)
	kind, err := s.kind()
	switch {
	case err != nil:
		in.fatal(s.file, "can't be read: "+cause(err), mendOpen(err))
		return nil
	case kind == zipped:
		return in.archive(s)
	case kind == fed:
		return in.feed(s)
	case kind == wordpress:
		return in.wxr(s)
	case kind == object && readerFor(s.name, false) == nil:
		return in.ghost(s)
	}
	return in.single(s, kind)
}

// single takes in a file that is one text.
func (in *intake) single(s source, kind kind) error {
	read, most := readerFor(s.name, s.named), maxArticle
	ext := strings.ToLower(path.Ext(s.name))
	isPage := ext == ".html" || ext == ".htm" || kind == page && ext != ".md" && ext != ".markdown"
	if isPage {
		read = func(text string) (candidate, []Problem) { return readPage(text, s.at) }
		if s.at != "" {
			most = maxPage
		}
	}
	if read == nil {
		in.passOver(s)
		return nil
	}
	b, err := s.bytes(most)
	if err != nil {
		in.fatal(s.file, "can't be read: "+cause(err), mendOpen(err))
		return nil
	}
	if err := in.count(len(b)); err != nil {
		return err
	}
	if isPage {
		b = pageBytes(b)
	}
	text, problems := decode(b)
	if text != "" {
		var c candidate
		var more []Problem
		if c, more = read(text); s.at != "" {
			c.guid = cmp.Or(c.Meta[guidKey], guidOf(s.at))
			c.setGUID(c.guid)
		}
		problems = append(problems, more...)
		if !anyFatal(problems) {
			problems = append(problems, in.take(s, c)...)
		}
	}
	for _, p := range problems {
		p.File = shown(s.file)
		in.problems = append(in.problems, p)
	}
	return nil
}

// take adds a candidate with what its file name says, unless it has no text.
func (in *intake) take(s source, c candidate) (problems []Problem) {
	c.file, c.Source = shown(s.file), shown(s.name)
	c.dir, c.base = filepath.Dir(s.file), strings.TrimSuffix(path.Base(s.name), path.Ext(s.name))
	var date, rest string
	date, c.number, rest = nameParts(c.base)
	if c.Date == "" {
		c.Date = date
	}
	if c.Title == "" {
		c.Title = titleFromName(rest)
		problems = append(problems, Problem{
			What: "no title; it is called “" + shown(c.Title) + "” after its file name",
			Mend: "write title: … into its front matter, or # … as its first line",
		})
	}
	if c.Markdown == "" && !c.Draft && !c.Withdrawn {
		return []Problem{{
			What: "there is no text under its title", Fatal: true,
			Mend: "write the text, or mark it draft: true in front matter",
		}}
	}
	problems = append(problems, in.pictures(s, &c)...)
	in.candidates = append(in.candidates, c)
	return problems
}

// passOver says why a file isn't read. In a folder only what may hold articles is worth a word; pictures and the like
// lie there for good reasons.
func (in *intake) passOver(s source) {
	p := Problem{File: shown(s.file), Fatal: s.named}
	switch ext := strings.ToLower(path.Ext(s.name)); {
	case ext == ".zip":
		p.What, p.Fatal = "it is called .zip and is none, or only a part of one", true
		p.Mend = "fetch it again, or unpack it and name the folder"
	case slices.Contains(foreign, ext):
		p.What = "it is no feed and no export that is known here; what is read: " + formats
		p.Mend = "bring its articles as single files"
	case isDocument(s.name):
		p.What = ext + " files are not read, only " + formats
		p.Mend = "save it as plain text or HTML"
	default:
		if err := s.astray(); err != nil && !s.named {
			in.passed(s.file, "is passed over: "+cause(err), "put there what it leads to, or take it out")
		}
		if !s.named {
			return
		}
		p.What = "files of this kind are not read, only " + formats
		p.Mend = "give it one of these endings if it is such a text"
	}
	in.problems = append(in.problems, p)
}

func mendOpen(err error) string {
	var large tooLarge
	switch {
	case errors.As(err, &large) && large > maxArticle:
		return "export a part of it at a time"
	case errors.As(err, &large):
		return "make two articles of it"
	case errors.Is(err, zip.ErrFormat), errors.Is(err, zip.ErrChecksum), errors.Is(err, io.ErrUnexpectedEOF):
		return "fetch the zip again"
	case errors.Is(err, errNotRegular):
		return "put the file itself here"
	}
	return "check its permissions; a link must not lead out of its folder"
}

func anyFatal(problems []Problem) bool {
	for _, p := range problems {
		if p.Fatal {
			return true
		}
	}
	return false
}
