package web

import (
	"net/http"

	"pressrun/subscribers/store"
	"pressrun/templates"
)

// Static serves the files of templates/static. Their addresses change with their content, so browsers keep them.
func Static(assets map[string]templates.Asset) Handler {
	byPath := map[string]templates.Asset{}
	for _, a := range assets {
		byPath[a.Path] = a
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		a, ok := byPath[r.URL.Path]
		if !ok {
			return store.ErrNotFound
		}
		w.Header().Set("Content-Type", a.Type)
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		_, _ = w.Write(a.Content) // fails only where the visitor has gone
		return nil
	}
}
