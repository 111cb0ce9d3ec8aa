// Package templates owns every text and layout that people see: the letters (email/), the public pages (public/), the
// editors' pages (desk/), style sheets and scripts (static/) and the message catalogue (words/). Templates are embedded and
// parsed once; each has a typed view. It holds no rule and reads no database. It keeps no state, so a crash costs nothing.
package templates

import (
	"bytes"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"path"
	"strings"
)

// Pages are the templates of one folder: layout.html, which every page is shown in, parts whose names begin with "_", and
// the pages, which define the blocks that the layout leaves open. A view usually embeds Words, so that templates write
// {{.T "public.back"}}; what a name means in the layout it means in every page.
type Pages struct {
	folder string
	byName map[string]*template.Template
	locate func(error) error // names the place of an error; nil: as it is
}

// parsePages reads folder/*.html (and *.css, for style elements) of files. Pages are named without their ending. Its
// mistakes are faults of the build, which tests find, so callers keep the result behind sync.OnceValue and panic.
func parsePages(files fs.FS, folder string, funcs template.FuncMap) (*Pages, error) {
	shared := template.New("layout.html").Funcs(funcs)
	var pages []string
	for _, ending := range []string{"*.html", "*.css"} {
		names, err := fs.Glob(files, path.Join(folder, ending))
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			base := path.Base(name)
			if base != "layout.html" && !strings.HasPrefix(base, "_") && path.Ext(base) == ".html" {
				pages = append(pages, name)
				continue
			}
			if _, err := shared.ParseFS(files, name); err != nil {
				return nil, err
			}
		}
	}
	p := &Pages{folder: folder, byName: map[string]*template.Template{}}
	for _, name := range pages {
		page, err := shared.Clone()
		if err != nil {
			return nil, err
		}
		if p.byName[strings.TrimSuffix(path.Base(name), ".html")], err = page.ParseFS(files, name); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// mustPages is parsePages for embedded files.
func mustPages(files fs.FS, folder string, funcs template.FuncMap) *Pages {
	p, err := parsePages(files, folder, funcs)
	if err != nil {
		panic(fmt.Sprintf("templates: %v", err))
	}
	return p
}

// Render writes a page in its layout. Nothing is written if the template fails, so that no reader sees half a page.
func (p *Pages) Render(w io.Writer, page string, view any) error {
	t, ok := p.byName[page]
	if !ok {
		return fmt.Errorf("%s has no page %q", p.folder, page)
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "layout.html", view); err != nil {
		if p.locate != nil {
			err = p.locate(err)
		}
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}
