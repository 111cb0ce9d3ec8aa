//go:build unix

package importer_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pressrun/newsletter/importer"
)

// The good files of a folder are read; each bad one is named with what is wrong and how to mend it.
func TestHalfReadableFolder(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	write(t, outside, "secret.txt", "Secret\n\nText.")
	write(t, dir, "a.txt", "A\n\nText.")
	write(t, dir, "deeper/b.MD", "# B\n\nText.")
	write(t, dir, "bad.md", "---\nweight: x\n---\nText.")
	write(t, dir, "binary.txt", "A\x00B")
	write(t, dir, "brief.docx", "PK")
	write(t, dir, "data.json", "{}")
	write(t, dir, "empty.txt", " \n")
	write(t, dir, "large.txt", "Large\n\n"+strings.Repeat("x", 256<<10))
	write(t, dir, "picture.jpg", "\xff\xd8")
	write(t, dir, "odd\x1b[2Jname.txt", "")
	write(t, dir, ".hidden.txt", "Hidden\n\nText.")
	write(t, dir, ".git/c.txt", "Hidden\n\nText.")
	for link, target := range map[string]string{
		"inside.txt": "deeper/b.MD", "out.txt": filepath.Join(outside, "secret.txt"), "up.txt": "../" + filepath.Base(outside) + "/secret.txt",
		"gone.txt": "nowhere.txt", "elsewhere": outside, "loop": ".", "folder.txt": "deeper",
	} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.txt"), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := importer.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := slugs(f), "a b"; got != want {
		t.Errorf("articles = %q, want %q", got, want)
	}
	var got []string
	for _, line := range lines(f.Problems) {
		got = append(got, strings.ReplaceAll(line, dir+"/", ""))
	}
	want := []string{
		"FATAL bad.md:2:9: weight is “x”, not a whole number; write weight: 3",
		"FATAL binary.txt:1: holds the control character U+0000, so it is no plain text; save it as text in UTF-8",
		"brief.docx: .docx files are not read, only Markdown (.md), plain text (.txt), HTML (.html), zips of them, RSS and Atom feeds, and exports of WordPress, Squarespace, Ghost, Substack and Buttondown; save it as plain text or HTML",
		"data.json: it is JSON, but no export of Ghost, the only one of this kind that is read; bring its articles as single files",
		"elsewhere: is passed over: path escapes from parent; put there what it leads to, or take it out",
		"FATAL empty.txt: it is empty; write the text or remove the file",
		"FATAL folder.txt: can't be read: it is a link to a folder, a pipe or a device; put the file itself here",
		"FATAL gone.txt: can't be read: no such file or directory; check its permissions; a link must not lead out of its folder",
		"FATAL large.txt: can't be read: it has more than 256 KB; make two articles of it",
		"loop: is passed over: it is a link to a folder, a pipe or a device; put there what it leads to, or take it out",
		`FATAL "odd\x1b[2Jname.txt": it is empty; write the text or remove the file`,
		"FATAL out.txt: can't be read: path escapes from parent; check its permissions; a link must not lead out of its folder",
		"FATAL pipe.txt: can't be read: it is a link to a folder, a pipe or a device; put the file itself here",
		"FATAL up.txt: can't be read: path escapes from parent; check its permissions; a link must not lead out of its folder",
		"FATAL inside.txt: has the same slug as deeper/b.MD, b; give one of them another title, or its own slug: … in front matter",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}
