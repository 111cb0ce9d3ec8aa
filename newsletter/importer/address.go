package importer

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"strings"
	"time"
)

// Fetch gets the file at a web address. Whoever gives one answers for where it may lead (threat T9). The error is its reason, in words.
type Fetch func(address string) (Fetched, error)

// Fetched is what was at a web address.
type Fetched struct {
	Address string // where it was in the end
	Type    string // its media type; empty: nobody says
	Charset string // its character set, as the server says; empty: it doesn't
	Body    []byte
}

// address takes in the file at a web address, as if it were named on the command line.
func (in *intake) address(address string) error {
	if in.Fetch == nil {
		return fmt.Errorf("%w: %s: web addresses are not read here; save it as a file and name that", ErrFile, shown(address))
	}
	f, err := in.Fetch(address)
	if err != nil {
		return fmt.Errorf("%w: %s: %w; save it as a file and name that", ErrFile, shown(address), err)
	}
	name := f.name()
	return in.file(source{fsys: &loneFile{name, f.utf8()}, name: name, file: address, named: true, at: f.Address})
}

// utf8 is the content as UTF-8, where it is a text and the server says its character set, which counts more than what the text says (RFC 7303,
// 3.3). A mark of its own counts more than either.
func (f Fetched) utf8() []byte {
	from := charsetOf(f.Charset)
	isMarked := bytes.HasPrefix(f.Body, []byte("\xff\xfe")) || bytes.HasPrefix(f.Body, []byte("\xfe\xff"))
	switch {
	case isMarked, bytes.HasPrefix(f.Body, []byte("PK")):
		return f.Body
	case isUTF8(f.Body) && f.Charset != "":
		return declaration.ReplaceAll(f.Body, nil)
	case from == nil:
		return f.Body
	}
	return declaration.ReplaceAll(recoded(f.Body, from), nil)
}

// endings are those that tell the reader of a text. Addresses of pages have any or none.
var endings = map[string]string{"text/html": ".html", "application/xhtml+xml": ".html", "text/markdown": ".md", "text/plain": ".txt"}

// name is a file name for what was fetched, with the ending that its media type asks for.
func (f Fetched) name() string {
	name := "page"
	if u, err := url.Parse(f.Address); err == nil {
		name = path.Base(path.Clean("/" + u.Path))
		if name == "/" {
			name = cmp.Or(u.Hostname(), "page")
		}
	}
	if ending := endings[f.Type]; ending != "" && (readerFor(name, false) == nil || ending == ".html") {
		name = strings.TrimSuffix(name, path.Ext(name)) + ending
	}
	return name
}

// loneFile is a folder in memory that holds one file.
type loneFile struct {
	name    string
	content []byte
}

// Open implements fs.FS.
func (l *loneFile) Open(name string) (fs.File, error) {
	if name != l.name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return openLone{bytes.NewReader(l.content), l}, nil
}

// openLone is the file while it is read. It implements fs.File and io.ReaderAt.
type openLone struct {
	*bytes.Reader
	of *loneFile
}

// Stat implements fs.File.
func (o openLone) Stat() (fs.FileInfo, error) { return loneInfo{o.of}, nil }

// Close implements fs.File.
func (openLone) Close() error { return nil }

// loneInfo implements fs.FileInfo.
type loneInfo struct{ of *loneFile }

func (l loneInfo) Name() string     { return l.of.name }
func (l loneInfo) Size() int64      { return int64(len(l.of.content)) }
func (loneInfo) Mode() fs.FileMode  { return 0o444 }
func (loneInfo) ModTime() time.Time { return time.Time{} }
func (loneInfo) IsDir() bool        { return false }
func (loneInfo) Sys() any           { return nil }
