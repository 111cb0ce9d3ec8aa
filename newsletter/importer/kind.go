package importer

import (
	"bytes"
	"encoding/xml"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// kind is what a file is by its content.
type kind int

const (
	single    kind = iota // a text, a page or something else
	zipped                // a zip
	fed                   // an RSS or Atom feed
	wordpress             // a feed with all that WordPress knows, WXR
	object                // JSON
	page                  // HTML with its outermost element
)

// headSize is how much of a file tells its kind, in bytes.
const headSize = 16 << 10

// kind looks at the beginning of a file that may hold texts. In a folder, names tell which may. What is no regular file is never opened.
func (s source) kind() (kind, error) {
	if !s.named && readerFor(s.name, false) == nil && !slices.Contains(foreign, strings.ToLower(path.Ext(s.name))) || isDocument(s.name) {
		return single, nil
	}
	info, err := fs.Stat(s.fsys, s.name)
	if err != nil || !info.Mode().IsRegular() {
		return single, nil // who reads it says what is wrong with it
	}
	f, err := s.fsys.Open(s.name)
	if err != nil {
		return single, nil
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, headSize))
	if err != nil {
		return single, err
	}
	return kindOf(head), nil
}

// foreign are the endings that files from elsewhere have which are looked into, whatever they turn out to be.
var foreign = []string{".zip", ".xml", ".rss", ".atom", ".rdf", ".wxr", ".json"}

// isDocument knows files of word processors by their endings. They are zips, most of them, and no folders of texts.
func isDocument(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".doc", ".docx", ".odt", ".rtf", ".pdf", ".pages", ".epub":
		return true
	}
	return false
}

func kindOf(head []byte) kind {
	if bytes.HasPrefix(head, []byte("PK\x03\x04")) || bytes.HasPrefix(head, []byte("PK\x05\x06")) {
		return zipped
	}
	if bytes.HasPrefix(bytes.TrimLeft(head, "\ufeff \t\r\n"), []byte("{")) {
		return object
	}
	switch root := rootOf(head); strings.ToLower(root.Name.Local) {
	case "html":
		return page
	case "rss":
		for _, a := range root.Attr {
			if strings.Contains(a.Value, "wordpress.org/export/") {
				return wordpress
			}
		}
		return fed
	case "feed", "rdf":
		return fed
	}
	return single
}

// rootOf is the first element of an XML file; the zero value: there is none near its beginning.
func rootOf(head []byte) (root xml.StartElement) {
	d := xml.NewDecoder(utf8Of(bytes.NewReader(head)))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	d.Strict = false
	for {
		switch token, err := d.RawToken(); t := token.(type) {
		case xml.StartElement:
			return t
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return root
			}
		default:
			if err != nil {
				return root
			}
		}
	}
}

// counted is a number with its noun.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
