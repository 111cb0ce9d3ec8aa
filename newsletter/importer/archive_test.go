package importer_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pressrun/newsletter/importer"
)

// entry is a file to be packed; change may spoil its header.
type entry struct {
	name, content string
	change        func(*zip.FileHeader)
}

// deflate64 is a way of packing that Windows uses for large files (APPNOTE.TXT 4.4.5).
const deflate64 = 9

// packed is a zip of files.
func packed(t testing.TB, entries ...entry) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	w.RegisterCompressor(deflate64, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestSpeed) })
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		h.SetMode(0o644)
		if e.change != nil {
			e.change(h)
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(e.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func texts(names ...string) (entries []entry) {
	for _, name := range names {
		entries = append(entries, entry{name: name, content: "# " + name + "\n\nText."})
	}
	return entries
}

// A zip is read as the folder that was packed: order, pictures, and another packer's habits.
func TestZipIsAFolder(t *testing.T) {
	files := map[string]string{
		"letters/10-c.md": "# C\n\nText.", "letters/2-b.md": "# B\n\n![Quay](pictures/quay.png)", "letters/1-a.md": "# A\n\nText.",
		"letters/pictures/quay.png": string(asPNG(t, drawing(8, 8))),
	}
	var entries []entry
	for name, content := range files {
		entries = append(entries, entry{name: name, content: content})
	}
	entries = append(entries, entry{name: "__MACOSX/letters/._1-a.md", content: "\x00\x05\x16\x07"}, entry{name: "letters/", change: func(h *zip.FileHeader) { h.Method = zip.Store }})
	dir := t.TempDir()
	file := write(t, dir, "letters.zip", packed(t, entries...))
	got, err := importer.Read(file)
	if err != nil || len(got.Problems) > 0 {
		t.Fatalf("Read(zip) = %v, problems %v; want it read without a word", err, got.Problems)
	}
	want, err := importer.ReadFS(folder(files), ".")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Articles, got.Articles); diff != "" {
		t.Errorf("a zip differs from its folder (-folder +zip):\n%s", diff)
	}
	if diff := cmp.Diff([]string{file + ": zip: 3 articles"}, got.Sources); diff != "" || got.OrderedBy != "number" {
		t.Errorf("ordered by %s, Sources (-want +got):\n%s", got.OrderedBy, diff)
	}
}

func TestWhatAZipMayHold(t *testing.T) {
	backslash := func(h *zip.FileHeader) { h.Name = `sub\` + h.Name }
	for _, tt := range []struct {
		name     string
		entries  []entry
		want     string // slugs
		problems []string
	}{
		{"Windows folders", []entry{{"a.md", "# A\n\nText.", backslash}, {"b.md", "# B\n\nText.", backslash}}, "a b", nil},
		{"a name of DOS", []entry{{"\x81bung.txt", "A\n\nText.", func(h *zip.FileHeader) { h.NonUTF8 = true }}}, "a", nil},
		{"a text that is called .zip inside", append(texts("a.md"), entry{name: "b.zip", content: "B"}), "a-md", []string{
			"FATAL all.zip/b.zip: it is called .zip and is none, or only a part of one; fetch it again, or unpack it and name the folder",
		}},
		{"out of it", append(texts("../a.md", "/etc/b.md", `C:\c.md`, "x/../../d.md", `..\e.md`), texts("f.md")...), "f-md", []string{
			"all.zip/../a.md: its name leads out of the zip or can't be one of a file: it is passed over; zip the folder anew",
			"all.zip//etc/b.md: its name leads out of the zip or can't be one of a file: it is passed over; zip the folder anew",
			"all.zip/C:/c.md: its name leads out of the zip or can't be one of a file: it is passed over; zip the folder anew",
			"all.zip/x/../../d.md: its name leads out of the zip or can't be one of a file: it is passed over; zip the folder anew",
			"all.zip/../e.md: its name leads out of the zip or can't be one of a file: it is passed over; zip the folder anew",
		}},
		{"a link", append(texts("a.md"), entry{"b.md", "/etc/passwd", func(h *zip.FileHeader) { h.SetMode(fs.ModeSymlink | 0o777) }}), "a-md", []string{
			"all.zip/b.md: it is a link or a device: it is passed over; put the file itself into the zip",
		}},
		{"twice", []entry{{name: "a.md", content: "# A\n\nText."}, {name: "./a.md", content: "# B\n\nText."}}, "a", []string{
			"all.zip/./a.md: the zip holds it twice: the first is read; zip the folder anew",
		}},
		{"deep", texts("a.md", strings.Repeat("d/", 11)+"b.md"), "a-md", []string{
			"all.zip/d/d/d/d/d/d/d/d/d/d/d/b.md: folders nested deeper than 10, and names of more than 1024 bytes, are passed over; move its texts further up",
		}},
		{"a zip in it", append(texts("a.md"), entry{name: "b.zip", content: packed(t, texts("c.md")...)}), "a-md", []string{
			"all.zip/b.zip: a zip inside a zip is not opened; take it out and name it by itself",
		}},
		{"a document of a word processor", append(texts("a.md"), entry{name: "b.docx", content: packed(t, texts("c.md")...)}), "a-md", []string{
			"all.zip/b.docx: .docx files are not read, only Markdown (.md), plain text (.txt), HTML (.html), zips of them, RSS and Atom feeds, and exports of WordPress, Squarespace, Ghost, Substack and Buttondown; save it as plain text or HTML",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := importer.ReadFS(folder(map[string]string{"all.zip": packed(t, tt.entries...)}), ".")
			if err != nil {
				t.Fatal(err)
			}
			if got := slugs(f); got != tt.want {
				t.Errorf("slugs %q, want %q", got, tt.want)
			}
			if diff := cmp.Diff(tt.problems, lines(f.Problems)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// What can't be opened whole says why, and nothing of it is taken.
func TestZipsThatAreRefused(t *testing.T) {
	whole := packed(t, texts("a.md", "b.md")...)
	locked := packed(t, entry{"a.md", "# A\n\nText.", func(h *zip.FileHeader) { h.Flags |= 1 }})
	strange := packed(t, entry{"a.md", "# A\n\nText.", func(h *zip.FileHeader) { h.Method = deflate64 }})
	var many []entry
	for i := range 10_001 {
		many = append(many, entry{name: fmt.Sprintf("%d.md", i), content: "x", change: func(h *zip.FileHeader) { h.Method = zip.Store }})
	}
	zeros := strings.Repeat("\x00", 20<<20)
	for _, tt := range []struct{ name, zip, want string }{
		{"cut short", whole[:len(whole)-10], "it is no zip, or only a part of one"},
		{"its beginning alone", whole[:40], "it is no zip, or only a part of one"},
		{"locked", locked, "it is locked with a password"},
		{"packed in another way", strange, "a.md is packed in a way (9) that is not read"},
		{"10,001 files", packed(t, many...), "it holds more than 10000 files"},
		{"a bomb", packed(t, entry{name: "a.md", content: "# A\n\n![x](b.png)"}, entry{name: "b.png", content: zeros}), "b.png in it: it unpacks to more than 100 times its size"},
		{
			"a bomb among files that are none", packed(t, entry{name: "a.md", content: "# A\n\nText."}, entry{name: "c.bin", content: string(noise(200, 200).Pix)}, entry{name: "b.png", content: zeros}),
			"b.png in it: it unpacks to more than 100 times its size",
		},
		{"a bomb of texts", packed(t, entry{name: "a.md", content: strings.Repeat(" ", 256<<10)}, entry{name: "b.md", content: strings.Repeat(" ", 256<<10)},
			entry{name: "c.md", content: strings.Repeat(" ", 256<<10)}, entry{name: "d.md", content: strings.Repeat(" ", 256<<10)}, entry{name: "e.md", content: strings.Repeat(" ", 256<<10)}), "more than 100 times its size"},
		{"nothing in it", packed(t), "there is nothing to read"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := importer.Read(write(t, t.TempDir(), "a.zip", tt.zip))
			if !errors.Is(err, importer.ErrFile) || len(f.Articles) > 0 || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%d articles, error %v; want ErrFile that says %q", len(f.Articles), err, tt.want)
			}
		})
	}
}

// lying is a zip whose directory says of a file of so many bytes that it has 1,000 (APPNOTE.TXT 4.3.12).
func lying(whole string, size int) string {
	return strings.ReplaceAll(whole, string(binary.LittleEndian.AppendUint32(nil, uint32(size))), string(binary.LittleEndian.AppendUint32(nil, 1_000)))
}

// A file that is longer than the directory says is not read on: the picture is left out with a word.
func TestZipThatLies(t *testing.T) {
	content := lying(packed(t, entry{name: "a.md", content: "# A\n\n![x](b.png)"}, entry{name: "b.png", content: strings.Repeat("\x00", 1_234_567)}), 1_234_567)
	f, err := importer.Read(write(t, t.TempDir(), "a.zip", content))
	if got := lines(f.Problems); err != nil || slugs(f) != "a" || len(got) != 1 || !strings.Contains(got[0], "the picture b.png is shown by its description: zip: ") {
		t.Errorf("%q, %v, problems %q; want the article without its picture", slugs(f), err, got)
	}
}

// A directory that would fill the memory is given up, however small its entries are.
func TestZipWithAnEndlessDirectory(t *testing.T) {
	whole := packed(t, entry{name: "a.md", content: "# A\n\nText.", change: func(h *zip.FileHeader) { h.Method = zip.Store }})
	at := strings.Index(whole, "PK\x01\x02")
	end := strings.Index(whole, "PK\x05\x06")
	directory := strings.Repeat(whole[at:end], 100_000)
	tail := []byte(whole[end:])
	for i := range 4 { // its size, little-endian (APPNOTE.TXT 4.3.16)
		tail[12+i] = byte(len(directory) >> (8 * i))
	}
	_, err := importer.Read(write(t, t.TempDir(), "a.zip", whole[:at]+directory+string(tail)))
	if !errors.Is(err, importer.ErrFile) || !strings.Contains(err.Error(), "its directory is far too long") {
		t.Errorf("100,000 entries: %v; want it refused for its directory", err)
	}
}

func FuzzZip(f *testing.F) {
	f.Add([]byte(packed(f, texts("a.md", "sub/b.txt", `c\d.md`)...)))
	f.Add([]byte(packed(f, entry{name: "../a.md"}, entry{name: "b.zip", content: packed(f, texts("c.md")...)})))
	f.Fuzz(func(t *testing.T, content []byte) { checkMany(t, "a.zip", content) })
}

// checkMany reads any bytes as a file that may hold many articles: no panic, articles or a reason.
func checkMany(t *testing.T, name string, content []byte) {
	f, err := importer.ReadFS(folder(map[string]string{name: string(content)}), ".")
	if err != nil {
		if len(f.Articles) > 0 || !errors.Is(err, importer.ErrFile) {
			t.Fatalf("error %v with %d articles; want ErrFile and none", err, len(f.Articles))
		}
		return
	}
	seen := map[string]bool{}
	for _, a := range f.Articles {
		if a.Title == "" || strings.ContainsAny(a.Title, "\n\r\x00\x1b") || a.Slug == "" || len(a.Slug) > 80 || seen[a.Slug] || a.Markdown == "" && !a.Draft {
			t.Fatalf("article %q, slug %q, %d bytes of text; want a title, a slug of its own and text", a.Title, a.Slug, len(a.Markdown))
		}
		seen[a.Slug] = true
	}
	for _, p := range f.Problems {
		if p.File == "" || p.What == "" || p.Mend == "" {
			t.Fatalf("problem %+v; want file, reason and mend", p)
		}
	}
}
