package public

import (
	"net/http"
	"strconv"
	"strings"

	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// picture serves a picture of an article to letters and pages. Its name is made of its bytes, so whoever has it once never
// asks again; mail read in a browser loads it from another site, which no other answer of ours allows.
func (p *pages) picture(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("picture")
	hash, _, _ := strings.Cut(name, ".")
	picture, err := series.PictureByHash(r.Context(), p.DB, hash)
	if err != nil {
		return err
	}
	if picture.File(hash) != name {
		return store.ErrNotFound
	}
	h := w.Header()
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("ETag", `"`+hash+`"`)
	if r.Header.Get("If-None-Match") == h.Get("ETag") {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h.Set("Content-Type", picture.Type)
	h.Set("Content-Length", strconv.Itoa(len(picture.Bytes)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(picture.Bytes) // fails only where the visitor has gone
	}
	return nil
}
