// Package public is what readers meet on the web: the series, the archive, sign-up, confirmation and leaving. It owns no
// table and decides nothing about people: newsletter.Publisher does, and has committed before a page here says so, so that
// a crash takes back nothing that was said.
//
// GET and HEAD change nothing: scanners and previews follow every link of a mail. Pages whose address holds a token show
// the reader's address masked and are neither kept nor listed by anybody.
package public

import (
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"pressrun/newsletter"
	"pressrun/newsletter/web"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
	"pressrun/templates"
)

// Config is what the public pages need.
type Config struct {
	DB        *store.DB
	Publisher *newsletter.Publisher
	Site      newsletter.Site
	BaseURL   *url.URL
	Now       func() time.Time // nil means time.Now
	Log       *slog.Logger     // nil means slog.Default
}

// pages answers for the public pages.
type pages struct {
	Config
	assets  map[string]templates.Asset
	answer  web.Answerer
	strays  strays
	process string // of no other
	started time.Time
	faces   faces
}

// New is the handler of the public pages; routes.go lists them.
func New(cfg Config) (http.Handler, error) {
	if cfg.DB == nil || cfg.Publisher == nil || cfg.BaseURL == nil {
		return nil, fmt.Errorf("public pages: database, publisher and base URL are needed")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	assets, err := templates.Assets()
	if err != nil {
		return nil, err
	}
	p := &pages{Config: cfg, assets: assets, process: rand.Text(), started: cfg.Now(), faces: newFaces()}
	p.answer = web.Answerer{Log: cfg.Log, Page: p.trouble}
	return p.routes()
}

// frame is what stands around a page in a language; path is the page's own, where it is one for everybody.
func (p *pages) frame(words templates.Words, path ...string) templates.PublicFrame {
	f := templates.PublicFrame{
		Words: words, Own: p.Publisher.Site().Templates, Site: p.Site.Name, PostalAddress: p.Site.PostalAddress,
		PrivacyURL: p.Site.PrivacyURL, ImprintURL: p.Site.ImprintURL,
		Style: p.assets["pressrun.css"].Path, Icon: p.assets["icon.svg"].Path,
	}
	if len(path) > 0 {
		f.Canonical = p.BaseURL.JoinPath(path...).String()
	}
	return f
}

// personalFrame is that of a page whose address holds a token: it can be had in the other languages, and of that nothing is kept but
// in the address.
func (p *pages) personalFrame(words templates.Words, path string) templates.PublicFrame {
	f := p.frame(words)
	f.Languages = languages(path, words)
	return f
}

func (p *pages) trouble(w http.ResponseWriter, r *http.Request, problem web.Problem) error {
	web.Private(w)
	w.Header().Del("ETag") // of the answer that failed on its way
	w.Header().Del("Last-Modified")
	page := templates.PublicTrouble{PublicFrame: p.frame(chosen(r, p.Site.Language)), Name: problem.Name}
	return web.Show(w, problem.Status, page.Write)
}

// personal shows a page that belongs to a token.
func personal(w http.ResponseWriter, write func(io.Writer) error) error {
	web.Private(w)
	return web.Show(w, http.StatusOK, write)
}

// evidence is how a request came, as the consents keep it: form says where from, wording what was agreed to.
func evidence(r *http.Request, form, wording string) subscribers.Evidence {
	return subscribers.Evidence{IP: web.IP(r), Agent: line(r.UserAgent(), 300), Form: line(form, 300), Wording: wording}
}

// line is text from outside as one line of at most n characters.
func line(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || c == '\u2028' || c == '\u2029' {
			return ' '
		}
		return c
	}, s)
	if runes := []rune(s); len(runes) > n {
		s = string(runes[:n])
	}
	return strings.TrimSpace(s)
}
