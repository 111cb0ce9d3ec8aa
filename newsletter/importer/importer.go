// Package importer reads articles from files, folders, zips, feeds and the exports of other programs into drafts and proposes
// their order; it writes them out again as files that it can read. It touches no database, and of the network what it is given; it never guesses
// in silence: what it left out or read with a doubt is a Problem that names file, line and mend. Every file is opened below its
// folder's root (os.Root), so that no link leads out. It keeps nothing between calls, so a crash leaves nothing behind but files
// that a broken Export had not taken back.
package importer

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"pressrun/newsletter/series"
)

// ErrFile says that a file can't be read as an article; the text names file, line and mend.
var ErrFile = errors.New("not an article")

// Found is what a set of paths holds.
type Found struct {
	Articles   []series.Incoming // in the proposed order
	OrderedBy  string            // weight, chain, number, date, name: what decided
	Disclaimer string            // closing note that the texts share, taken out of their bodies; empty: none
	Sources    []string          // how each zip, feed and export was read, in a line of its own
	Problems   []Problem         // files that were left out or read with a doubt
}

// Problem is one file's trouble: it is an article that can't be read and was left out (Fatal), or it was read with a
// doubt, such as a broken chain, or it is a file of another kind that was passed over.
type Problem struct {
	File   string // its name as given, in quotation marks where that could hide something
	Line   int    // 0: the file as a whole
	Column int    // 0: the line as a whole
	What   string
	Mend   string
	Fatal  bool
}

// String is the problem in one line: "skin/01-a.md:3:9: weight is text, not a whole number; write weight: 3".
func (p Problem) String() string {
	s := p.place() + ": " + p.What
	if p.Mend != "" {
		s += "; " + p.Mend
	}
	return s
}

// place is the file with line and column, as far as they are known.
func (p Problem) place() string {
	switch {
	case p.Line > 0 && p.Column > 0:
		return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	case p.Line > 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return p.File
}

// Read reads files, folders and zips (Markdown with TOML or YAML front matter, plain text like the sample, HTML), RSS and Atom feeds, and
// exports of WordPress, Squarespace, Ghost, Substack and Buttondown, and orders their articles:
// explicit weight, a complete Previous/Next chain, number in the file name, date, name. A file that can't be read is
// a Problem, not an error; the error is for paths that do not exist (fs.ErrNotExist), and for more than 10,000 files,
// more than 100 MB, or no article at all (ErrFile). With ErrFile the problems come along.
func Read(paths ...string) (Found, error) { return ReadBeside(nil, paths...) }

// ReadBeside is Read for a series that has articles already: a label that names one of them is a label. Of those that are read too the
// files' titles count. A post of a feed or an export that is one of them has its slug.
func ReadBeside(known []series.Article, paths ...string) (Found, error) {
	return Options{Known: known}.Read(paths...)
}

// Options say for whom and how paths are read.
type Options struct {
	Known []series.Article   // the articles of the series that is read for, by rank
	Taken map[string]bool    // slugs that other series have
	Fetch Fetch              // gets what lies at web addresses; nil: they are not read
	Step  func(done, of int) // hears how many posts of an export are read; nil: nobody does
	Whole bool               // the paths hold all of the series: what may be an article and isn't read is Fatal, wherever it lies
}

// Read is ReadBeside with options.
func (o Options) Read(paths ...string) (Found, error) {
	in := newIntake(paths, o)
	for _, path := range paths {
		if err := in.path(path); err != nil {
			return Found{Problems: in.problems}, err
		}
	}
	return in.found()
}

// ReadFS is Read for one folder of fsys, such as the samples that are embedded in the program.
func ReadFS(fsys fs.FS, dir string) (Found, error) {
	sub, err := fs.Sub(fsys, dir)
	if err != nil {
		return Found{}, fmt.Errorf("%s: %w", shown(dir), err)
	}
	in := newIntake([]string{dir}, Options{})
	if err := in.folder(sub, ".", strings.TrimPrefix(dir, "."), 0); err != nil {
		return Found{Problems: in.problems}, err
	}
	return in.found()
}

// candidate is an article as its file gives it, before the set decides on order, slug and closing note.
type candidate struct {
	series.Incoming
	file           string // as problems name it
	dir, base      string // folder and name without its ending
	weight         *int64 // nil: none given
	number         int    // in the file name; -1: none
	previous, next neighbour
	plain          *plain // of plain text; nil: it is another kind

	note         string // closing note as plain text; not part of Markdown any more
	noteMarkdown string // the same as it stood in the text, to put it back
	closing      string // closing note of a Markdown file, which stays in its text

	imageLine int // of the key image

	summary bool // its Markdown is perhaps not the whole text

	guid  string // what a post of a feed or an export is known by there; empty: it is none, or nothing
	when  string // of a post: an instant that sorts, or undated
	place int    // of a post among those of its file, the oldest first
}

// found settles what only the whole set can decide.
func (in *intake) found() (Found, error) {
	if len(in.candidates) == 0 {
		return Found{Problems: in.problems}, in.nothing()
	}
	f := Found{Sources: in.read, Problems: in.problems}
	keep := func(ps []Problem) { f.Problems = append(f.Problems, ps...) }

	candidates, ps := settleSlugs(in.candidates, in.Known, in.Taken)
	in.candidates = candidates
	keep(ps)
	keep(in.keepWhole())
	keep(settleLabels(in.candidates, in.titlesBeside()))
	disclaimer, ps := settleNotes(in.candidates)
	f.Disclaimer = disclaimer
	keep(ps)
	articles, ps := distinct(in.candidates)
	keep(ps)
	by, ps := order(articles, in.Known)
	f.OrderedBy = by
	keep(ps)
	keep(in.emptied(articles))
	for _, c := range articles {
		f.Articles = append(f.Articles, c.Incoming)
	}
	return f, nil
}

// keepWhole gives posts of which there is only a summary the text that their articles have: it may be more.
func (in *intake) keepWhole() (problems []Problem) {
	kept := map[string]int{}
	var files []string
	for i := range in.candidates {
		c := &in.candidates[i]
		if !c.summary {
			continue
		}
		at := slices.IndexFunc(in.Known, func(a series.Article) bool { return a.Slug == c.Slug })
		if at < 0 {
			continue
		}
		known := in.Known[at].Text
		if known.Markdown != c.Markdown && known.Markdown != c.Markdown+"\n\n"+c.noteMarkdown || c.Title != known.Title {
			if kept[c.dir]++; kept[c.dir] == 1 {
				files = append(files, c.dir)
			}
		}
		c.Text, c.Pictures, c.note, c.noteMarkdown, c.Kept = known, nil, "", "", true
	}
	for _, file := range files {
		problems = append(problems, Problem{
			File: shown(file), What: counted(kept[file], "summary is not what its article has: that stays", "summaries are not what their articles have: these stay"),
			Mend: "take an export of the site if they changed there",
		})
	}
	return problems
}

// titlesBeside are those of the articles that are known and not among the candidates.
func (in *intake) titlesBeside() (titles []string) {
	read := map[string]bool{}
	for _, c := range in.candidates {
		read[c.Slug] = true
	}
	for _, a := range in.Known {
		if !read[a.Slug] {
			titles = append(titles, a.Title)
		}
	}
	return titles
}

// nothing is the error for paths without a single article.
func (in *intake) nothing() error {
	switch len(in.problems) {
	case 0:
		return fmt.Errorf("%w: there is nothing to read in %s; %s are read", ErrFile, shown(strings.Join(in.from, ", ")), formats)
	case 1:
		return fmt.Errorf("%w: %s", ErrFile, in.problems[0])
	}
	return fmt.Errorf("%w: none of %d files can be read, the first: %s", ErrFile, len(in.problems), in.problems[0])
}
