package importer

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

const (
	maxRatio     = 100     // of what a zip unpacks to by its own size
	freeRatio    = 1 << 20 // bytes that any zip may unpack to, however small it is
	maxDirectory = 4 << 20 // bytes of a zip's directory: 10,000 files with long names take half of it
	maxName      = 1 << 10 // bytes of an entry's name with its folders
)

var (
	errBomb      = fmt.Errorf("it unpacks to more than %d times its size, as no texts and pictures do", maxRatio)
	errDirectory = errors.New("its directory is far too long")
)

// archive is a zip as a folder. Nothing is unpacked but what is read, and that is counted.
type archive struct {
	fs.FS
	size     int64 // of the file itself
	unpacked int64 // so far
	problems []Problem
}

// openArchive reads the directory of a zip. Its entries keep no name that leads out of it; what is no file (a link, say) is no part
// of it either. The error says in words why nothing of it can be read.
func openArchive(r io.ReaderAt, size int64) (*archive, error) {
	directory := &directoryReader{r: r, left: maxDirectory}
	z, err := zip.NewReader(directory, size)
	switch {
	case directory.left < 0:
		return nil, errDirectory
	case err != nil:
		return nil, errors.New("it is no zip, or only a part of one")
	}
	directory.open = true
	a := &archive{FS: z, size: size}
	seen := map[string]bool{}
	var kept []*zip.File
	for _, f := range z.File {
		keep, err := a.admit(f, seen)
		if err != nil {
			return nil, err
		}
		if keep {
			kept = append(kept, f)
		}
	}
	if len(kept) > maxFiles {
		return nil, fmt.Errorf("it holds more than %d files", maxFiles)
	}
	z.File = kept // before anything is opened, which is when the reader builds its folders
	return a, nil
}

// directoryReader is a file of which only so many bytes may be read until it is open.
type directoryReader struct {
	r    io.ReaderAt
	left int64
	open bool
}

// ReadAt implements io.ReaderAt.
func (b *directoryReader) ReadAt(p []byte, off int64) (int, error) {
	if !b.open {
		if b.left -= int64(len(p)); b.left < 0 {
			return 0, errDirectory
		}
	}
	return b.r.ReadAt(p, off)
}

var drive = regexp.MustCompile(`^[A-Za-z]:`)

// admit says whether an entry is part of the folder, under the name that it then has. What is left out for a reason that its owner
// should hear of is a problem.
func (a *archive) admit(f *zip.File, seen map[string]bool) (bool, error) {
	name := entryName(f)
	isDir := strings.HasSuffix(name, "/") || f.Mode().IsDir()
	clean := path.Clean(name)
	parts := strings.Split(clean, "/")
	switch {
	case isDir, slices.Contains(parts, "__MACOSX"): // folders are known by what they hold; macOS keeps its own notes there
		return false, nil
	case len(parts) > maxDepth+1, len(name) > maxName:
		a.doubt(clip(name, 60), fmt.Sprintf("folders nested deeper than %d, and names of more than %d bytes, are passed over", maxDepth, maxName), "move its texts further up")
		return false, nil
	case strings.HasPrefix(name, "/"), drive.MatchString(name), slices.Contains(strings.Split(name, "/"), ".."), strings.ContainsFunc(name, isControl), !fs.ValidPath(clean):
		a.doubt(name, "its name leads out of the zip or can't be one of a file: it is passed over", "zip the folder anew")
		return false, nil
	case !f.Mode().IsRegular():
		a.doubt(name, "it is a link or a device: it is passed over", "put the file itself into the zip")
		return false, nil
	case seen[clean]:
		a.doubt(name, "the zip holds it twice: the first is read", "zip the folder anew")
		return false, nil
	case f.Flags&1 != 0:
		return false, errors.New("it is locked with a password")
	case f.Method != zip.Store && f.Method != zip.Deflate:
		return false, fmt.Errorf("%s is packed in a way (%d) that is not read", shown(name), f.Method)
	case f.UncompressedSize64 > max(freeRatio, maxRatio*f.CompressedSize64):
		return false, fmt.Errorf("%s in it: %w", shown(name), errBomb)
	}
	seen[clean], f.Name = true, clean
	return true, nil
}

// entryName is the name of an entry, with slashes between its folders. One that is not UTF-8 is in the character set of DOS (APPNOTE.TXT,
// appendix D).
func entryName(f *zip.File) string {
	name := f.Name
	if !utf8.ValidString(name) {
		if decoded, err := charmap.CodePage437.NewDecoder().String(name); err == nil {
			name = decoded
		}
	}
	return strings.ReplaceAll(name, `\`, "/")
}

func (a *archive) doubt(name, what, mend string) {
	if len(a.problems) < maxLeftOut {
		a.problems = append(a.problems, Problem{File: name, What: what, Mend: mend})
	}
}

// Open implements fs.FS.
func (a *archive) Open(name string) (fs.File, error) {
	f, err := a.FS.Open(name)
	if err != nil {
		return nil, err
	}
	if d, ok := f.(fs.ReadDirFile); ok {
		return d, nil
	}
	return unpacking{f, a}, nil
}

// bombed says that more came out of the archive than may be in one.
func (a *archive) bombed() bool { return a.unpacked > max(freeRatio, maxRatio*a.size) }

// unpacking is an open file of an archive, whose bytes count.
type unpacking struct {
	fs.File
	from *archive
}

// Read implements io.Reader.
func (u unpacking) Read(p []byte) (int, error) {
	n, err := u.File.Read(p)
	if u.from.unpacked += int64(n); u.from.bombed() {
		return n, errBomb
	}
	return n, err
}

// archive takes in what a zip holds, as if it were a folder.
func (in *intake) archive(s source) error {
	if in.archived {
		in.passed(s.file, "a zip inside a zip is not opened", "take it out and name it by itself")
		return nil
	}
	f, err := s.fsys.Open(s.name)
	if err != nil {
		in.fatal(s.file, "can't be read: "+cause(err), mendOpen(err))
		return nil
	}
	defer f.Close()
	info, err := f.Stat()
	at, ok := f.(io.ReaderAt)
	if err != nil || !ok {
		in.fatal(s.file, "can't be read as a zip here", "name the file by itself")
		return nil
	}
	a, err := openArchive(at, info.Size())
	if err != nil {
		in.fatal(s.file, "nothing of the zip can be read: "+err.Error(), "fetch it again, or unpack it and name the folder")
		return nil
	}
	for _, p := range a.problems {
		p.File, p.Fatal = shown(s.file+"/"+p.File), in.Whole
		in.problems = append(in.problems, p)
	}
	in.archived = true
	defer func() { in.archived = false }()
	before, exports := len(in.candidates), len(in.read)
	err = in.folder(a, ".", s.file, 0)
	if a.bombed() {
		err = fmt.Errorf("%w: %s: %w; nothing of it is taken", ErrFile, shown(s.file), errBomb)
	}
	if err == nil && len(in.read) == exports { // an export in it says more
		in.read = append(in.read, fmt.Sprintf("%s: zip: %s", shown(s.file), counted(len(in.candidates)-before, "article", "articles")))
	}
	return err
}
