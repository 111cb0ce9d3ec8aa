package importer

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
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
	candidates []candidate
	problems   []Problem
	from       []string         // what it was asked to read
	known      []series.Article // that are there already
	seen       map[string]bool  // files already taken in, so that overlapping paths don't collide with themselves
	files      int
	bytes      int
	fetch      Fetch    // of web addresses; nil: they are not read
	archived   bool     // what is read lies in a zip
	read       []string // Found.Sources

	taken     map[string]*series.Picture // pictures of takenFrom by file, which several articles may show
	takenFrom fs.FS
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
		in.doubt(here, fmt.Sprintf("folders nested deeper than %d are passed over", maxDepth), "move its texts further up")
		return nil
	}
	for _, export := range []func(fs.FS, string, string) (bool, error){in.substack, in.buttondown} {
		if taken, err := export(fsys, dir, prefix); taken || err != nil {
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
