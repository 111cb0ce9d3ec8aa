package importer

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"

	"pressrun/newsletter/series"
)

// PictureBytes finds a stored picture by its hash.
type PictureBytes func(hash string) (series.Picture, error)

// placed gives each picture of the articles a file below the export's folder, and articles that name those. A picture
// keeps its name but where that leads out of the folder or stands for two pictures.
func placed(articles []series.Article, find PictureBytes) ([]series.Article, map[string]series.Picture, error) {
	articles = slices.Clone(articles)
	files, hashes := map[string]series.Picture{}, map[string]string{}
	for i, a := range articles {
		for _, name := range slices.Sorted(maps.Keys(a.Pictures)) {
			hash := a.Pictures[name]
			picture, err := find(hash)
			if err != nil {
				return nil, nil, fmt.Errorf("article %s: %w", a.Slug, err)
			}
			file := fileName(name)
			if file == "" || hashes[file] != "" && hashes[file] != hash {
				file = "pictures/" + picture.File(hash)
				articles[i].Text = articles[i].WithPicture(name, file)
			}
			files[file], hashes[file] = picture, hash
		}
	}
	return articles, files, nil
}

// fileName is the file below the folder that a picture's name means; empty where it leads out of it, or to what Read would
// take for an article.
func fileName(name string) string {
	file, err := url.PathUnescape(name)
	if err != nil {
		return ""
	}
	file, _, _ = strings.Cut(file, "?")
	file = strings.TrimPrefix(path.Clean(file), "/")
	if !fs.ValidPath(file) || file == "." || strings.HasPrefix(file, ".") || readerFor(file, false) != nil || len(file) > 200 {
		return ""
	}
	return file
}

// holdsPictures says whether a folder is one of the export's own.
func holdsPictures(files map[string]series.Picture, folder string) bool {
	for name := range files {
		if strings.HasPrefix(name, folder+"/") {
			return true
		}
	}
	return false
}

// writePictures writes the pictures that aren't there yet. It fails with ErrExists where another file has a picture's name.
func writePictures(root *os.Root, files map[string]series.Picture) error {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		there, err := root.ReadFile(name)
		if err == nil && bytes.Equal(there, files[name].Bytes) {
			continue
		}
		if err == nil {
			return fmt.Errorf("%w: %s is another picture; choose an empty folder", ErrExists, shown(name))
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
			return err
		}
		if err := root.WriteFile(name, files[name].Bytes, 0o644); err != nil {
			return err
		}
	}
	return nil
}
