package importer_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"pressrun/newsletter/importer"
	"pressrun/newsletter/series"
)

// drawing is a picture of flat colours, red at the top left.
func drawing(width, height int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			c := color.NRGBA{30, 110, 100, 255}
			if x < width/2 && y < height/2 {
				c = color.NRGBA{220, 30, 30, 255}
			}
			m.SetNRGBA(x, y, c)
		}
	}
	return m
}

// noise is a picture that no format makes small.
func noise(width, height int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	r := rand.New(rand.NewPCG(1, 2))
	for i := range m.Pix {
		m.Pix[i] = byte(r.Uint32())
		if i%4 == 3 {
			m.Pix[i] = 255
		}
	}
	return m
}

func asPNG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asJPEG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// held is a JPEG whose camera was held as EXIF orientation says.
func held(raw []byte, orientation byte) []byte {
	exif := append([]byte("Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00"), orientation, 0, 0, 0, 0, 0, 0)
	head := binary.BigEndian.AppendUint16([]byte{0xff, 0xd8, 0xff, 0xe1}, uint16(len(exif)+2))
	return append(append(head, exif...), raw[2:]...)
}

// bomb is a small PNG that says it is huge.
func bomb(width, height uint32) []byte {
	chunk := append([]byte("IHDR"), binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, width), height)...)
	chunk = append(chunk, 8, 6, 0, 0, 0)
	b := binary.BigEndian.AppendUint32([]byte("\x89PNG\r\n\x1a\n"), 13)
	return binary.BigEndian.AppendUint32(append(b, chunk...), crc32.ChecksumIEEE(chunk))
}

// pictured imports an article that shows one picture.
func pictured(t *testing.T, name string, raw []byte) (series.Incoming, []importer.Problem) {
	t.Helper()
	files := fstest.MapFS{"a.md": {Data: []byte("# A\n\nWords.\n\n![A picture](" + name + ")\n")}}
	if raw != nil {
		files[name] = &fstest.MapFile{Data: raw}
	}
	f, err := importer.ReadFS(files, ".")
	if err != nil {
		t.Fatal(err)
	}
	return f.Articles[0], f.Problems
}

func TestPictures(t *testing.T) {
	var animated bytes.Buffer
	if err := gif.Encode(&animated, drawing(300, 100), nil); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		about, name   string
		raw           []byte
		kind          string
		width, height int
		kept          bool
	}{
		{"a photograph too wide", "a.jpg", asJPEG(t, drawing(2400, 1000)), "image/jpeg", 1200, 500, false},
		{"a photograph that fits", "a.jpg", asJPEG(t, drawing(600, 200)), "image/jpeg", 600, 200, true},
		{"a drawing too wide", "a.png", asPNG(t, drawing(2400, 1000)), "image/png", 1200, 500, false},
		{"a drawing that fits", "a.png", asPNG(t, drawing(40, 20)), "image/png", 40, 20, true},
		{"noise as a drawing", "a.png", asPNG(t, noise(500, 400)), "image/jpeg", 0, 0, false},
		{"a GIF", "a.gif", animated.Bytes(), "image/png", 300, 100, false},
		{"a photograph on its side", "a.jpg", held(asJPEG(t, drawing(600, 200)), 6), "image/jpeg", 200, 600, false},
		{"one pixel high", "a.png", asPNG(t, drawing(5000, 1)), "image/png", 1200, 1, false},
		{"far too tall", "a.png", asPNG(t, drawing(20, 9000)), "image/png", 6, 3000, false},
	}
	for _, test := range tests {
		t.Run(test.about, func(t *testing.T) {
			a, problems := pictured(t, test.name, test.raw)
			if len(problems) > 0 || len(a.Pictures) != 1 {
				t.Fatalf("%d pictures, problems %v; want one and none", len(a.Pictures), problems)
			}
			p := a.Pictures[0]
			if p.Type != test.kind || test.width > 0 && (p.Width != test.width || p.Height != test.height) {
				t.Errorf("%s of %d x %d, want %s of %d x %d", p.Type, p.Width, p.Height, test.kind, test.width, test.height)
			}
			if len(p.Bytes) > 200<<10 || a.Text.Pictures[test.name] != p.Hash() {
				t.Errorf("%d bytes under %v, want 200 KB at most under %s", len(p.Bytes), a.Text.Pictures, p.Hash())
			}
			if bytes.Equal(p.Bytes, test.raw) != test.kept {
				t.Errorf("bytes kept: %v, want %v", !test.kept, test.kept)
			}
			cfg, format, err := image.DecodeConfig(bytes.NewReader(p.Bytes))
			if err != nil || "image/"+format != p.Type || cfg.Width != p.Width || cfg.Height != p.Height {
				t.Errorf("it decodes as %s of %d x %d, %v", format, cfg.Width, cfg.Height, err)
			}
		})
	}
}

// What stands behind the end of a picture, a telephone's film or another picture with its place, doesn't get out.
func TestPictureEndsAtItsEnd(t *testing.T) {
	for name, raw := range map[string][]byte{"a.jpg": asJPEG(t, noise(60, 60)), "a.png": asPNG(t, drawing(60, 60))} {
		a, problems := pictured(t, name, raw)
		if len(a.Pictures) != 1 || !bytes.Equal(a.Pictures[0].Bytes, raw) {
			t.Errorf("%s with nothing behind its end was changed; problems %v", name, problems)
		}
		for _, behind := range []string{"x", "place: 53.5 N", string(held(asJPEG(t, drawing(9, 9)), 6))} {
			a, problems := pictured(t, name, append(bytes.Clone(raw), behind...))
			if len(a.Pictures) != 1 || len(problems) > 0 {
				t.Fatalf("%s with %d bytes behind its end: problems %v", name, len(behind), problems)
			}
			if got := a.Pictures[0].Bytes; bytes.HasSuffix(got, []byte(behind)) {
				t.Errorf("%s still has %d bytes behind its end", name, len(behind))
			}
		}
	}
}

// A small file can't make the import take much more memory than its pixels do.
func TestPictureMemory(t *testing.T) {
	raw := asPNG(t, image.NewGray(image.Rect(0, 0, 2000, 16_000))) // 32 MB decoded
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	a, problems := pictured(t, "a.png", raw)
	runtime.ReadMemStats(&after)
	if len(a.Pictures) != 1 || a.Pictures[0].Width != 375 || a.Pictures[0].Height != 3000 {
		t.Fatalf("%d pictures, problems %v; want one of 375 x 3000", len(a.Pictures), problems)
	}
	if got := (after.TotalAlloc - before.TotalAlloc) >> 20; got > 180 {
		t.Errorf("the import of %d KB took %d MB, want 180 at most", len(raw)>>10, got)
	}
}

// Fine lines become the mean of their colours, and what is see-through stays so.
func TestPictureIsAveraged(t *testing.T) {
	lines := image.NewNRGBA(image.Rect(0, 0, 4800, 100))
	for i := 0; i < len(lines.Pix); i += 8 {
		copy(lines.Pix[i:], []byte{255, 255, 255, 128})
		lines.Pix[i+7] = 128
	}
	a, problems := pictured(t, "a.png", asPNG(t, lines))
	if len(a.Pictures) != 1 {
		t.Fatalf("problems %v", problems)
	}
	m, err := png.Decode(bytes.NewReader(a.Pictures[0].Bytes))
	if err != nil {
		t.Fatal(err)
	}
	for x := 100; x < 1100; x++ {
		c := color.NRGBAModel.Convert(m.At(x, 12)).(color.NRGBA)
		if c.R < 120 || c.R > 136 || c.A < 126 || c.A > 130 {
			t.Fatalf("at %d it is %v, want the mean of black and white, half see-through", x, c)
		}
	}
}

// A camera's notes, its place among them, don't get out; how it was held decides which side is up.
func TestPictureIsUpright(t *testing.T) {
	for orientation, corner := range map[byte][2]int{1: {0, 0}, 2: {1, 0}, 3: {1, 1}, 4: {0, 1}, 5: {0, 0}, 6: {1, 0}, 7: {1, 1}, 8: {0, 1}} {
		a, problems := pictured(t, "a.jpg", held(asJPEG(t, drawing(160, 80)), orientation))
		if len(a.Pictures) != 1 {
			t.Fatalf("orientation %d: problems %v", orientation, problems)
		}
		p := a.Pictures[0]
		if bytes.Contains(p.Bytes, []byte("Exif")) {
			t.Errorf("orientation %d: the camera's notes are still there", orientation)
		}
		m, _, err := image.Decode(bytes.NewReader(p.Bytes))
		if err != nil {
			t.Fatal(err)
		}
		x, y := p.Width/4+corner[0]*p.Width/2, p.Height/4+corner[1]*p.Height/2
		if r, g, _, _ := m.At(x, y).RGBA(); r < 0x9000 || g > 0x6000 {
			t.Errorf("orientation %d: red is not in the corner %v of %d x %d", orientation, corner, p.Width, p.Height)
		}
	}
}

func TestPicturesLeftOut(t *testing.T) {
	dense := noise(400, 1000)
	for i := 3; i < len(dense.Pix); i += 4 {
		dense.Pix[i] = dense.Pix[i-1] | 1
	}
	tests := []struct {
		about, name string
		raw         []byte
		want        string
	}{
		{"none there", "a.png", nil, "a.md:5: the picture a.png is shown by its description: file does not exist; put it there"},
		{"a bomb", "a.png", bomb(50_000, 50_000), "it has more than 40 megapixels"},
		{"far too long", "a.png", bomb(1, 20_001), "one of its sides has more than 20000 pixels; save it smaller"},
		{"no picture", "a.png", []byte("<svg/>"), "it is no JPEG, PNG, GIF or WebP; save it as JPEG or PNG"},
		{"cut off", "a.png", asPNG(t, drawing(1300, 100))[:200], "it is no JPEG"},
		{"too large", "a.png", make([]byte, 20<<20+1), "it has more than 20 MB"},
		{"see-through noise", "a.png", asPNG(t, dense), "it has too much in it to be made small enough for a letter; save it as JPEG"},
		{"foreign", "https://example.org/a.png", nil, "it is on another server, and letters load nothing from there; put a copy beside the article"},
		{"outside", "../../etc/a.png", nil, "it lies outside the folder"},
	}
	for _, test := range tests {
		t.Run(test.about, func(t *testing.T) {
			a, problems := pictured(t, test.name, test.raw)
			if len(a.Pictures) > 0 || len(problems) != 1 || problems[0].Fatal || !strings.Contains(problems[0].String(), test.want) {
				t.Errorf("%d pictures, problems %v; want none and %q", len(a.Pictures), problems, test.want)
			}
		})
	}
}

// What an export writes is read as it was: the same pictures under the same hashes.
func TestPicturesComeBack(t *testing.T) {
	photograph, sketch := asJPEG(t, drawing(2000, 800)), asPNG(t, drawing(50, 40))
	dir := t.TempDir()
	for name, content := range map[string][]byte{
		"one/a.md":         []byte("---\nweight: 1\nimage: b.png\n---\n# A\n\nWords ![x](my%20photo.jpg).\n"),
		"one/my photo.jpg": photograph, "one/b.png": sketch,
		"two/c.md":  []byte("---\nweight: 2\n---\n# C\n\nWords ![y](b.png), ![z](../one/b.png).\n"),
		"two/b.png": asPNG(t, drawing(60, 40)),
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	read := func(dir string) (articles []series.Article, stored map[string]series.Picture) {
		f, err := importer.Read(dir)
		if err != nil || len(f.Problems) > 0 {
			t.Fatalf("read %s: %v, %v", dir, err, f.Problems)
		}
		stored = map[string]series.Picture{}
		for _, in := range f.Articles {
			articles = append(articles, series.Article{Slug: in.Slug, State: series.Ready, Text: in.Text})
			for _, p := range in.Pictures {
				stored[p.Hash()] = p
			}
		}
		return articles, stored
	}
	articles, stored := read(dir)
	if len(stored) != 3 {
		t.Fatalf("%d pictures, want 3", len(stored))
	}
	out := t.TempDir()
	for range 2 {
		_, err := importer.Export(out, articles, func(hash string) (series.Picture, error) { return stored[hash], nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	again, same := read(out)
	for hash := range stored {
		if same[hash].Bytes == nil {
			t.Errorf("the picture %s did not come back", hash)
		}
	}
	if got := again[0].Pictures["my%20photo.jpg"]; got != articles[0].Pictures["my%20photo.jpg"] {
		t.Errorf("my photo is %q now", got)
	}
	if len(again[1].Pictures) != 2 {
		t.Errorf("the second article shows %v, want two pictures", again[1].Pictures)
	}
}
