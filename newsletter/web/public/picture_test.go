package public_test

import (
	"testing"

	"pressrun/newsletter/series"
	"pressrun/newsletter/web/webtest"
	"pressrun/subscribers/store"
)

func TestPicture(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin := s.AddSeries(t, "skin", "Water")
	p := series.Picture{Path: "a.png", Type: "image/png", Width: 20, Height: 10, Bytes: []byte("\x89PNG")}
	s.InTx(t, func(tx *store.Tx) error {
		_, err := series.ImportArticles(t.Context(), tx, skin.ID, []series.Incoming{{
			Slug: "bars", Pictures: []series.Picture{p},
			Text: series.Text{Title: "Bars", Markdown: "![Bars](a.png)", Pictures: map[string]string{"a.png": p.Hash()}},
		}}, series.ImportOptions{}, s.Now())
		return err
	})
	path := "/p/" + p.Hash() + ".png"
	a := get(t, h, path)
	wants(t, "picture", a, 200, "\x89PNG")
	for name, want := range map[string]string{
		"Content-Type": "image/png", "Content-Length": "4", "Cache-Control": "public, max-age=31536000, immutable",
		"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "cross-origin", "ETag": `"` + p.Hash() + `"`,
	} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	again := webtest.Do(t, h, webtest.Request{Method: "GET", Path: path, Header: map[string]string{"If-None-Match": a.Header.Get("ETag")}})
	if again.Status != 304 || again.Body != "" {
		t.Errorf("asked again: %d %q, want 304 and nothing", again.Status, again.Body)
	}
	if head := webtest.Do(t, h, webtest.Request{Method: "HEAD", Path: path}); head.Status != 200 || head.Body != "" {
		t.Errorf("HEAD: %d %q, want 200 and nothing", head.Status, head.Body)
	}
	for _, other := range []string{"/p/" + p.Hash(), "/p/" + p.Hash() + ".jpg", "/p/none.png", "/p/", "/p/%2e%2e.png"} {
		wants(t, other, get(t, h, other), 404)
	}
}
