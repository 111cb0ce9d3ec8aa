package templates

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Letters are the templates of mails. Nil ones are the program's own.
type Letters struct{ pages *Pages }

func (l *Letters) all() *Pages {
	if l == nil {
		return letters()
	}
	return l.pages
}

// maxTemplate is how many bytes an operator's template may have.
const maxTemplate = 256 << 10

// OpenLetters takes the program's templates of mails with those of an operator in their place: dir/email/letter.html and
// the like, any of them. The error names file and line.
func OpenLetters(dir string) (*Letters, error) {
	over := overlay{under: emailFiles, files: map[string][]byte{}}
	known, err := fs.Glob(emailFiles, "email/*")
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	defer root.Close()
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
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
			return fmt.Errorf("%s is no template of mails; there are: %s", path.Join(dir, name), strings.Join(known, ", "))
		}
		content, err := root.ReadFile(name)
		if err == nil && len(content) > maxTemplate {
			err = fmt.Errorf("%s has more than 256 KB", path.Join(dir, name))
		}
		over.files[name] = content
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	pages, err := parsePages(over, "email", outlookComments)
	if err != nil {
		return nil, over.located(dir, err)
	}
	l := &Letters{pages}
	l.pages.locate = func(err error) error { return over.located(dir, err) }
	return l, nil
}

// overlay is a file system with some files in place of those below.
type overlay struct {
	under fs.FS
	files map[string][]byte
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

var templatePlace = regexp.MustCompile(`^(?:html/)?template: ?([^:]+):(\d+)(?::\d+)?: (?s:(.*))$`)

// located is an error of a template as "FILE line N: what", where the file is an operator's.
func (o overlay) located(dir string, err error) error {
	for cause := err; cause != nil; cause = errors.Unwrap(cause) {
		found := templatePlace.FindStringSubmatch(cause.Error())
		if found == nil {
			continue
		}
		if _, theirs := o.files["email/"+found[1]]; theirs {
			return fmt.Errorf("%s line %s: %s", path.Join(dir, "email", found[1]), found[2], found[3])
		}
	}
	return err
}
