package importer

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"pressrun/newsletter/series"
)

const (
	maxArticle = 256 << 10 // bytes of one file; the renderer takes no more either
	maxTotal   = 100 << 20 // bytes of all files together
	maxFiles   = 10_000
	maxDepth   = 10
)

// intake gathers candidates and problems from paths.
type intake struct {
	Options
	candidates []candidate
	problems   []Problem
	from       []string          // what it was asked to read
	seen       map[string]bool   // files already taken in, so that overlapping paths don't collide with themselves
	names      map[string]string // all files that were met, by what Source calls them, as problems name them
	files      int
	bytes      int
	held       int      // bytes of what posts were read from
	archived   bool     // what is read lies in a zip
	read       []string // Found.Sources

	taken     map[string]*series.Picture // pictures of takenFrom by file, which several articles may show
	takenFrom fs.FS
}

func newIntake(from []string, o Options) *intake {
	return &intake{Options: o, from: from, seen: map[string]bool{}, names: map[string]string{}}
}

// path takes in a file or folder as it was named on the command line.
func (in *intake) path(name string) error {
	if strings.Contains(name, "://") {
		return in.address(name)
	}
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w; check the spelling", shown(name), fs.ErrNotExist)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", shown(name), err)
	}
	dir := name
	if !info.IsDir() {
		dir = filepath.Dir(name)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("%s: %w", shown(name), err)
	}
	defer root.Close()
	if info.IsDir() {
		return in.folder(root.FS(), ".", name, 0)
	}
	return in.file(source{fsys: root.FS(), name: filepath.Base(name), file: name, named: true})
}

// folder takes in what lies below dir of fsys, in natural order. prefix is what the problems put before the names.
func (in *intake) folder(fsys fs.FS, dir, prefix string, depth int) error {
	here := filepath.Join(prefix, filepath.FromSlash(dir))
	if depth > maxDepth {
		in.passed(here, fmt.Sprintf("folders nested deeper than %d are passed over", maxDepth), "move its texts further up")
		return nil
	}
	for _, export := range []struct {
		take func(fs.FS, string, string) (bool, error)
		own  []string
	}{{in.substack, []string{"posts.csv", "posts"}}, {in.buttondown, []string{"emails.csv", "emails.json", "emails"}}} {
		taken, err := export.take(fsys, dir, prefix)
		if taken && err == nil {
			err = in.beside(fsys, dir, prefix, export.own)
		}
		if taken || err != nil {
			return err
		}
	}
	entries, err := entriesOf(fsys, dir)
	if err != nil {
		in.fatal(here, "the folder can't be listed: "+cause(err), "check its permissions")
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if in.files++; in.files > maxFiles {
			return fmt.Errorf("%w: %s holds more than %d files; import a part of it at a time", ErrFile, shown(here), maxFiles)
		}
		name := path.Join(dir, e.Name())
		if e.IsDir() {
			err = in.folder(fsys, name, prefix, depth+1)
		} else if file := filepath.Join(prefix, filepath.FromSlash(name)); isAboutFolder(e.Name()) {
			in.names[shown(name)] = shown(file)
			in.doubt(file, "files of this name tell of their folder, so it is passed over", "give it another name if it is an article")
		} else {
			err = in.file(source{fsys: fsys, name: name, file: file})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// beside says what beside the own files of an export lies in its folder and is not read, though it may hold articles.
func (in *intake) beside(fsys fs.FS, dir, prefix string, own []string) error {
	over, err := in.textsBelow(fsys, dir, prefix, own, 0)
	if err != nil || len(over) == 0 {
		return err
	}
	said := strings.Join(over[:min(len(over), 3)], ", ")
	if len(over) > 3 {
		said += ", …"
	}
	in.passed(filepath.Join(prefix, filepath.FromSlash(path.Join(dir, own[0]))), "beside this export "+counted(len(over), "file is", "files are")+" passed over: "+said,
		"put what is no part of the export into another folder")
	return nil
}

// textsBelow are the files below a folder that may hold articles, and folders too deep to be looked into; but names what is passed over.
func (in *intake) textsBelow(fsys fs.FS, dir, prefix string, but []string, depth int) (texts []string, err error) {
	entries, err := entriesOf(fsys, dir)
	if err != nil {
		in.fatal(filepath.Join(prefix, filepath.FromSlash(dir)), "the folder can't be listed: "+cause(err), "check its permissions")
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || slices.Contains(but, e.Name()) {
			continue
		}
		if in.files++; in.files > maxFiles {
			return nil, fmt.Errorf("%w: %s holds more than %d files; import a part of it at a time", ErrFile, shown(prefix), maxFiles)
		}
		name := path.Join(dir, e.Name())
		switch s := (source{fsys: fsys, name: name}); {
		case e.IsDir() && depth < maxDepth:
			more, err := in.textsBelow(fsys, name, prefix, nil, depth+1)
			if err != nil {
				return nil, err
			}
			texts = append(texts, more...)
		case e.IsDir(), s.mayHold():
			texts = append(texts, shown(name))
		}
	}
	return texts, nil
}

// mayHold says whether a file may hold articles, or is a link that may lead to some.
func (s source) mayHold() bool {
	if isAboutFolder(path.Base(s.name)) {
		return false
	}
	kind, err := s.kind()
	return err != nil || kind != single || readerFor(s.name, false) != nil || slices.Contains([]string{"posts.csv", "emails.csv"}, path.Base(s.name)) || s.astray() != nil
}

// astray is why something found in a folder that is called like no text can't be looked into. A picture's name says what it is.
func (s source) astray() error {
	if strings.HasPrefix(mime.TypeByExtension(strings.ToLower(path.Ext(s.name))), "image/") {
		return nil
	}
	info, err := fs.Stat(s.fsys, s.name)
	if err == nil && !info.Mode().IsRegular() {
		err = errNotRegular
	}
	return err
}

// emptied are the files that articles of the series were read from, and nothing is now. Where the folder is the whole series, they would be
// withdrawn.
func (in *intake) emptied(articles []candidate) (problems []Problem) {
	if !in.Whole {
		return nil
	}
	slugs, full := map[string]bool{}, map[string]bool{}
	for _, c := range articles {
		slugs[c.Slug], full[sourceFile(c.Source)] = true, true
	}
	for _, a := range in.Known {
		name := sourceFile(a.Source)
		if file, met := in.names[name]; met && !full[name] && !slugs[a.Slug] && a.State != series.Withdrawn {
			problems = append(problems, Problem{
				File: file, What: "the article " + a.Slug + " was read from it, and now nothing is", Fatal: true,
				Mend: "put it back as it was, or take the file out if the article is to go",
			})
		}
	}
	return problems
}

// sourceFile is the file of a source, which may be a post in it.
func sourceFile(source string) string {
	name, _, _ := strings.Cut(source, "#")
	return name
}

// isAboutFolder knows texts that lie in a repository beside its articles. Nobody wants to be mailed them.
func isAboutFolder(name string) bool {
	switch base := strings.ToLower(strings.TrimSuffix(name, path.Ext(name))); base {
	case "readme", "changelog", "contributing", "license", "licence", "code_of_conduct":
		return readerFor(name, false) != nil
	}
	return false
}

// entriesOf lists at most one entry more than maxFiles, so that a huge folder doesn't fill the memory.
func entriesOf(fsys fs.FS, dir string) ([]fs.DirEntry, error) {
	f, err := fsys.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d, ok := f.(fs.ReadDirFile)
	if !ok {
		return nil, fs.ErrInvalid
	}
	entries, err := d.ReadDir(maxFiles + 1)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return compareNatural(a.Name(), b.Name()) })
	return entries, err
}

// source is a file in its folder.
type source struct {
	fsys  fs.FS
	name  string // in fsys
	file  string // as the problems name it
	named bool   // given by itself, not found in a folder
	at    string // its web address; empty: it has none
}

// open opens the file for reading. What is no regular file is never opened: a pipe would wait for ever.
func (s source) open() (fs.File, error) {
	info, err := fs.Stat(s.fsys, s.name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	return s.fsys.Open(s.name)
}

// bytes reads the file whole, at most so many bytes (tooLarge).
func (s source) bytes(most int) ([]byte, error) {
	f, err := s.open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, int64(most)+1))
	if err == nil && len(b) > most {
		err = tooLarge(most)
	}
	return b, err
}

var errNotRegular = errors.New("it is a link to a folder, a pipe or a device")

// tooLarge is the error of a file with more bytes than these.
type tooLarge int

// Error implements error.
func (t tooLarge) Error() string {
	if t < 1<<20 {
		return fmt.Sprintf("it has more than %d KB", int(t)>>10)
	}
	return fmt.Sprintf("it has more than %d MB", int(t)>>20)
}

// count adds bytes to those of all files together.
func (in *intake) count(n int) error {
	if in.bytes += n; in.bytes > maxTotal {
		return fmt.Errorf("%w: the files have more than 100 MB together; import a part of them at a time", ErrFile)
	}
	return nil
}

func (in *intake) fatal(file, what, mend string) {
	in.problems = append(in.problems, Problem{File: shown(file), What: what, Mend: mend, Fatal: true})
}

// passed says that something is passed over which may hold articles.
func (in *intake) passed(file, what, mend string) {
	in.problems = append(in.problems, Problem{File: shown(file), What: what, Mend: mend, Fatal: in.Whole})
}

func (in *intake) doubt(file, what, mend string) {
	in.problems = append(in.problems, Problem{File: shown(file), What: what, Mend: mend})
}

// cause is the reason of an error without the path, which the problem names already.
func cause(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return err.Error()
}

// shown is a name as people may see it: quoted where a terminal could be misled by it.
func shown(name string) string {
	if !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !strconv.IsPrint(r) && r != '\u00a0' }) {
		return strconv.Quote(name)
	}
	return name
}
