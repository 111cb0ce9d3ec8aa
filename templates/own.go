package templates

import (
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Own are an operator's templates, those of the program where there is no other. Nil ones are all the program's.
type Own struct{ email, public, desk *Pages }

func (o *Own) letters() *Pages {
	if o == nil {
		return letters()
	}
	return o.email
}

func (o *Own) publicPages() *Pages {
	if o == nil {
		return publicPages()
	}
	return o.public
}

func (o *Own) deskPages() *Pages {
	if o == nil {
		return deskPages()
	}
	return o.desk
}

// maxTemplate is how many bytes an operator's template may have.
const maxTemplate = 256 << 10

// Open takes the program's templates with those of an operator in their place: dir/email/letter.html, dir/public/home.html,
// dir/desk/layout.html and the like, any of them. What can be tried without data is tried. The error names file and line.
func Open(dir string) (*Own, error) {
	over, err := readOver(dir)
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	var own Own
	for _, folder := range []struct {
		pages *(*Pages)
		under fs.FS
		name  string
		funcs template.FuncMap
		try   map[string]any
	}{
		{&own.email, emailFiles, "email", outlookComments, nil}, // render tries letters
		{&own.public, publicFiles, "public", nil, publicTrials},
		{&own.desk, deskFiles, "desk", nil, deskTrials},
	} {
		o := overlay{folder.under, over, dir}
		pages, err := parsePages(o, folder.name, folder.funcs)
		if err != nil {
			return nil, o.located(err)
		}
		pages.locate = o.located
		for page, view := range folder.try {
			if err := pages.Render(io.Discard, page, view); err != nil {
				return nil, err
			}
		}
		*folder.pages = pages
	}
	return &own, nil
}

// readOver are an operator's files by their names below dir.
func readOver(dir string) (map[string][]byte, error) {
	var known []string
	for _, files := range []fs.FS{emailFiles, publicFiles, deskFiles} {
		names, err := fs.Glob(files, "*/*")
		if err != nil {
			return nil, err
		}
		known = append(known, names...)
	}
	over := map[string][]byte{}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return over, fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != "." && strings.HasPrefix(path.Base(name), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			return nil
		case !slices.Contains(known, name):
			return fmt.Errorf("%s is no template; there are: %s", path.Join(dir, name), strings.Join(known, ", "))
		}
		content, err := root.ReadFile(name)
		if err == nil && len(content) > maxTemplate {
			err = fmt.Errorf("%s has more than 256 KB", path.Join(dir, name))
		}
		over[name] = content
		return err
	})
}

// overlay is a file system with some files in place of those below.
type overlay struct {
	under fs.FS
	files map[string][]byte
	dir   string // where files come from
}

// Open implements fs.FS.
func (o overlay) Open(name string) (fs.File, error) { return o.under.Open(name) }

// ReadFile implements fs.ReadFileFS.
func (o overlay) ReadFile(name string) ([]byte, error) {
	if content, ok := o.files[name]; ok {
		return content, nil
	}
	return fs.ReadFile(o.under, name)
}

// isIn says whether a folder is one of files'.
func isIn(files fs.FS, folder string) bool {
	_, err := fs.Stat(files, strings.TrimSuffix(folder, "/"))
	return err == nil
}

var templatePlace = regexp.MustCompile(`^(?:html/)?template: ?([^:]+):(\d+)(?::\d+)?: (?s:(.*))$`)

// located is an error of a template as "FILE line N: what", where the file is an operator's.
func (o overlay) located(err error) error {
	for cause := err; cause != nil; cause = errors.Unwrap(cause) {
		found := templatePlace.FindStringSubmatch(cause.Error())
		if found == nil {
			continue
		}
		for name := range o.files {
			if folder, file := path.Split(name); file == found[1] && isIn(o.under, folder) {
				return fmt.Errorf("%s line %s: %s", path.Join(o.dir, name), found[2], found[3])
			}
		}
	}
	return err
}
