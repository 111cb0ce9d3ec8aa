package templates

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"path"
	"strings"
)

//go:embed static
var staticFiles embed.FS

// Asset is one file of static/ under the name it is served by, which changes with its content.
type Asset struct {
	Path    string // /static/pressrun.1f0c….css
	Type    string
	Content []byte
}

// Assets are the files of static/ by their names there.
func Assets() (map[string]Asset, error) {
	all := map[string]Asset{}
	err := fs.WalkDir(staticFiles, "static", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := staticFiles.ReadFile(file)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		name, ext := path.Base(file), path.Ext(file)
		all[name] = Asset{
			Path:    "/static/" + strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext,
			Type:    mime.TypeByExtension(ext),
			Content: content,
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("static files: %w", err)
	}
	return all, nil
}
