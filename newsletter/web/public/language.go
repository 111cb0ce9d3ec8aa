package public

import (
	"net/http"
	"net/url"

	"pressrun/templates"
)

// chosen are the words that a visitor asked for with ?lang=, else those of a language.
func chosen(r *http.Request, otherwise string) templates.Words {
	if w, ok := asked(r); ok {
		return w
	}
	return templates.In(otherwise)
}

// negotiated is chosen for pages that nothing but a form stands on: before the site's language comes what the browser asks for. That is
// for who comes from elsewhere: our own pages link to them in their own language.
func negotiated(w http.ResponseWriter, r *http.Request, otherwise string) templates.Words {
	w.Header().Add("Vary", "Accept-Language")
	if words, ok := asked(r); ok {
		return words
	}
	if words, ok := templates.Choose(r.Header.Get("Accept-Language")); ok {
		return words
	}
	return templates.In(otherwise)
}

// asked reads the language that stands in the address, or in the form that was sent; others than ours are none.
func asked(r *http.Request) (templates.Words, bool) {
	tag := r.PostForm.Get("lang")
	if tag == "" {
		tag = r.URL.Query().Get("lang")
	}
	for _, w := range templates.Languages() {
		if w.Language() == tag {
			return w, true
		}
	}
	return templates.Words{}, false
}

// languages are the links to the same page in the others.
func languages(path string, now templates.Words) []templates.PublicLanguage {
	var all []templates.PublicLanguage
	for _, w := range templates.Languages() {
		all = append(all, templates.PublicLanguage{
			Name: w.Name(), Tag: w.Language(), Dir: w.Dir(), Path: path + "?lang=" + url.QueryEscape(w.Language()),
			Current: w.Language() == now.Language(),
		})
	}
	return all
}
