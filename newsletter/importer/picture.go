package importer

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"image"
	_ "image/gif" // registered for image.Decode, like the two below
	"image/jpeg"
	"image/png"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp"

	"pressrun/newsletter/render"
	"pressrun/newsletter/series"
)

const (
	maxPictureFile = 20 << 20   // bytes
	maxPixels      = 40_000_000 // a picture of more is refused before it is decoded
	maxSide        = 20_000     // pixels, likewise: the work of making it smaller grows with the longer side
	maxScans       = 50         // of a JPEG, likewise: each goes over all its pixels; cameras and optimizers make 20 at most
	maxScanned     = 20 * maxPixels
	pictureWidth   = 1200 // pixels: twice the width of a letter
	pictureHeight  = 3000
	goodSize       = 200 << 10 // bytes: what mail programs load at once
)

// pictures takes in the pictures that an article names, each as letters can show it. One that can't be taken in is a doubt:
// its description stands in its place.
func (in *intake) pictures(s source, c *candidate) (problems []Problem) {
	in.placePictures(s, c, func(r render.Reference, err error) {
		p := Problem{Line: c.imageLine, Mend: mendPicture(err)}
		instead := "left out"
		if r.Line > 0 {
			p.Line, instead = r.Line+max(c.Line-1, 0), "shown by its description"
		}
		p.What = fmt.Sprintf("the picture %s is %s: %s", shown(clip(r.Path, 100)), instead, cause(err))
		if len(problems) < maxLeftOut {
			problems = append(problems, p)
		}
	})
	return problems
}

// placePictures gives an article the pictures that it names, and calls failed for each that can't be taken in.
func (in *intake) placePictures(s source, c *candidate, failed func(r render.Reference, err error)) {
	references := render.References(c.Markdown)
	if name := c.Meta["image"]; name != "" {
		references = append(references, render.Reference{Path: name})
	}
	for _, r := range references {
		if _, taken := c.Text.Pictures[r.Path]; taken {
			continue
		}
		picture, err := in.picture(s, r.Path)
		if err == nil && len(c.Text.Pictures) == series.MaxPictures {
			err = errPictures
		}
		if err != nil {
			failed(r, err)
			continue
		}
		c.addPicture(picture)
	}
}

func (c *candidate) addPicture(p series.Picture) {
	if c.Text.Pictures == nil {
		c.Text.Pictures = map[string]string{}
	}
	c.Text.Pictures[p.Path] = p.Hash()
	c.Incoming.Pictures = append(c.Incoming.Pictures, p)
}

var (
	errPicture  = errors.New("it is no JPEG, PNG, GIF or WebP")
	errPixels   = errors.New("it has more than 40 megapixels")
	errSide     = errors.New("one of its sides has more than 20000 pixels")
	errFileSize = errors.New("it has more than 20 MB")
	errScans    = errors.New("it is a JPEG of too many scans, which takes far too long to open")
	errDense    = errors.New("it has too much in it to be made small enough for a letter")
	errOutside  = errors.New("it lies outside the folder")
	errForeign  = errors.New("it is on another server, and letters load nothing from there")
	errPictures = fmt.Errorf("the article has more than %d pictures", series.MaxPictures)
)

func mendPicture(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "put it there, beside the article, or take it out of the text"
	case errors.Is(err, errForeign):
		return "put a copy beside the article and name that"
	case errors.Is(err, errPictures):
		return "make two articles of it"
	case errors.Is(err, errDense):
		return "save it as JPEG"
	case errors.Is(err, errScans):
		return "save it anew as a plain JPEG, not a progressive one"
	case errors.Is(err, errPicture):
		return "save it as JPEG or PNG"
	case errors.Is(err, errPixels), errors.Is(err, errSide), errors.Is(err, errFileSize):
		return "save it smaller: letters show at most 1200 pixels across"
	case errors.Is(err, errOutside):
		return "import the folder that holds both, or put a copy beside the article"
	}
	return "check the file"
}

// mendLone is mendPicture for a picture that belongs to no article.
func mendLone(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return "name a file that is there"
	}
	return mendPicture(err)
}

// picture reads the picture that an article names: beside the article, or below the folder that is imported where the
// name begins with a slash.
func (in *intake) picture(s source, name string) (series.Picture, error) {
	if u, err := url.Parse(name); err == nil && (u.Scheme != "" || u.Host != "") {
		return series.Picture{}, errForeign
	}
	file, err := url.PathUnescape(name)
	if err != nil {
		return series.Picture{}, fs.ErrNotExist
	}
	file, _, _ = strings.Cut(file, "?")
	if strings.HasPrefix(file, "/") {
		file = strings.TrimPrefix(path.Clean(file), "/")
	} else {
		file = path.Join(path.Dir(s.name), file)
	}
	if !fs.ValidPath(file) || file == "." {
		return series.Picture{}, errOutside
	}
	if in.taken[file] != nil && s.fsys == in.takenFrom {
		p := *in.taken[file]
		p.Path = name
		return p, nil
	}
	raw, err := readPicture(s.fsys, file)
	if err != nil {
		return series.Picture{}, err
	}
	if in.bytes += len(raw); in.bytes > maxTotal {
		return series.Picture{}, errors.New("the files have more than 100 MB together")
	}
	p, err := prepare(raw)
	if err != nil {
		return series.Picture{}, err
	}
	if s.fsys != in.takenFrom {
		in.taken, in.takenFrom = map[string]*series.Picture{}, s.fsys
	}
	in.taken[file] = &p
	named := p
	named.Path = name
	return named, nil
}

// ReadPicture reads one picture, as letters can show it. The error says what is wrong with the file.
func ReadPicture(file string) (series.Picture, error) {
	dir, name := filepath.Split(file)
	root, err := os.OpenRoot(cmp.Or(dir, "."))
	if err != nil {
		return series.Picture{}, fmt.Errorf("%s: %s", shown(file), cause(err))
	}
	defer root.Close()
	raw, err := readPicture(root.FS(), name)
	if err != nil {
		return series.Picture{}, fmt.Errorf("%s: %s; %s", shown(file), cause(err), mendLone(err))
	}
	p, err := prepare(raw)
	if err != nil {
		return series.Picture{}, fmt.Errorf("%s: %s; %s", shown(file), cause(err), mendLone(err))
	}
	p.Path = file
	return p, nil
}

func readPicture(fsys fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxPictureFile+1))
	if err == nil && len(b) > maxPictureFile {
		err = errFileSize
	}
	return b, err
}

// prepare makes a picture one that letters can show: JPEG or PNG, upright, at most 1200 pixels across, without what its
// camera noted (the place, for one). What is so already stays as it is, so that an export comes back the same. Size and scans
// are looked at before anything is decoded. PNG, GIF and WebP have nothing that is gone through again and again like scans: the
// work grows with the file and its pixels.
func prepare(raw []byte) (series.Picture, error) {
	cfg, format, err := image.DecodeConfig(bytes.NewReader(raw))
	if err != nil || cfg.Width < 1 || cfg.Height < 1 {
		return series.Picture{}, errPicture
	}
	if cfg.Width > maxPixels/cfg.Height {
		return series.Picture{}, errPixels
	}
	if max(cfg.Width, cfg.Height) > maxSide {
		return series.Picture{}, errSide
	}
	if n := scans(raw); format == "jpeg" && (n > maxScans || n*cfg.Width*cfg.Height > maxScanned) {
		return series.Picture{}, errScans
	}
	fits := cfg.Width <= pictureWidth && cfg.Height <= pictureHeight
	if (format == "jpeg" || format == "png") && fits && len(raw) <= goodSize && isBare(raw, format) {
		if _, _, err := image.Decode(bytes.NewReader(raw)); err != nil {
			return series.Picture{}, errPicture
		}
		return series.Picture{Type: "image/" + format, Width: cfg.Width, Height: cfg.Height, Bytes: raw}, nil
	}
	decoded, _, err := image.Decode(bytes.NewReader(raw))
	if err != nil {
		return series.Picture{}, errPicture
	}
	if format == "jpeg" {
		decoded = upright(decoded, orientation(raw))
	}
	return encode(halved(decoded), format)
}

// encode writes a picture within the bounds: photographs as JPEG, drawings and what is see-through as PNG where that is
// small enough; smaller and smaller until it fits.
func encode(picture image.Image, format string) (series.Picture, error) {
	limit := pictureWidth
	for {
		small := fit(picture, limit)
		bounds := small.Bounds()
		p := series.Picture{Width: bounds.Dx(), Height: bounds.Dy()}
		if format != "jpeg" {
			var b bytes.Buffer
			if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, small); err != nil {
				return p, err
			}
			if p.Type, p.Bytes = "image/png", b.Bytes(); len(p.Bytes) <= goodSize {
				return p, nil
			}
		}
		if isOpaque(small) {
			for _, quality := range []int{84, 76, 68} {
				var b bytes.Buffer
				if err := jpeg.Encode(&b, small, &jpeg.Options{Quality: quality}); err != nil {
					return p, err
				}
				if p.Type, p.Bytes = "image/jpeg", b.Bytes(); len(p.Bytes) <= goodSize {
					return p, nil
				}
			}
		}
		if limit = limit * 3 / 4; limit < 300 {
			if len(p.Bytes) > series.MaxPictureBytes { // see-through noise, say
				return p, errDense
			}
			return p, nil // as good as it gets
		}
	}
}

func isOpaque(p image.Image) bool {
	o, ok := p.(interface{ Opaque() bool })
	return ok && o.Opaque()
}

// shownSize is the size at which a picture is at most limit across and not too tall.
func shownSize(from image.Rectangle, limit int) (width, height int) {
	width, height = min(from.Dx(), limit), from.Dy()
	height = max(1, (height*width+from.Dx()/2)/from.Dx())
	if height > pictureHeight {
		width, height = max(1, width*pictureHeight/height), pictureHeight
	}
	return width, height
}

// halved halves each side of a picture until it is less than twice the side that letters show. Each pixel is the mean of
// those that it stands for. What fit needs beside the pictures, 32 bytes for each row of the one by each column of the
// other, stays below 240 MB then.
func halved(p image.Image) image.Image {
	for {
		from := p.Bounds()
		width, height := shownSize(from, pictureWidth)
		to := image.Rect(0, 0, from.Dx(), from.Dy())
		if to.Max.X >= 2*width {
			to.Max.X /= 2
		}
		if to.Max.Y >= 2*height {
			to.Max.Y /= 2
		}
		if to.Size() == from.Size() {
			return p
		}
		half := image.NewRGBA(to)
		draw.ApproxBiLinear.Scale(half, to, p, from, draw.Src, nil)
		p = half
	}
}

// fit makes a picture smaller that is wider than limit or too tall.
func fit(p image.Image, limit int) image.Image {
	from := p.Bounds()
	width, height := shownSize(from, limit)
	if width == from.Dx() && height == from.Dy() {
		return p
	}
	to := image.NewNRGBA(image.Rect(0, 0, width, height))
	draw.CatmullRom.Scale(to, to.Bounds(), p, from, draw.Src, nil)
	return to
}
