package catcher

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/mail"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

//go:embed inbox.html views.html static
var files embed.FS

// perPage is how many mails the list shows at once.
const perPage = 100

// maxShown bounds what the text and source views print of a mail, in octets.
const maxShown = 1 << 20

// pagePolicy lets the inbox's own pages load nothing but their own parts.
const pagePolicy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; frame-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// sandbox gives a mail an origin of its own, no script and no form; its links open in tabs that are free of that.
const sandbox = "allow-popups allow-popups-to-escape-sandbox"

// framePolicy goes with the mail itself, so that it holds too when the frame is opened in a tab. Pictures may come from this
// machine.
const framePolicy = "sandbox " + sandbox + "; default-src 'none'; style-src 'unsafe-inline'; " +
	"img-src " + pictureSources + "; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

const pictureSources = "'self' data: http://127.0.0.1:* http://localhost:*"

// inbox serves the pages.
type inbox struct {
	catcher *Catcher
	prefix  string
	desk    string
	pages   *template.Template
}

// Inbox serves the inbox under prefix (such as "/inbox"): list, one mail with its views, its parts in a sandboxed frame.
// desk is the address of the editors' desk, for a link to it; empty: none. Its routes are GET alone and change nothing.
func (c *Catcher) Inbox(prefix, desk string) http.Handler {
	prefix = strings.TrimSuffix(prefix, "/")
	b := &inbox{catcher: c, prefix: prefix, desk: desk, pages: template.Must(template.ParseFS(files, "inbox.html"))}
	static, err := fs.Sub(files, "static")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+prefix+"/{$}", b.list)
	mux.HandleFunc("GET "+prefix+"/count", b.count)
	mux.HandleFunc("GET "+prefix+"/{number}", b.mail)
	mux.HandleFunc("GET "+prefix+"/{number}/{view}", b.mail)
	mux.HandleFunc("GET "+prefix+"/{number}/frame/{scheme}", b.frame)
	mux.HandleFunc("GET "+prefix+"/{number}/raw/mail.eml", b.raw)
	mux.Handle("GET "+prefix+"/static/{file}", http.StripPrefix(prefix+"/static/", http.FileServerFS(static)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", pagePolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Robots-Tag", "noindex")
		mux.ServeHTTP(w, r)
	})
}

// page is what inbox.html shows.
type page struct {
	Prefix, Title, Addr, Query string
	Desk                       string // address of the editors' desk; empty: there is none
	Total                      int    // all mails
	Found                      string
	First, Last                string // of the numbers shown, counted from the newest
	Items                      []item
	Newer, Older               string // pages of the list; empty: none
	Mail                       *mailView
	Missing                    bool // no such mail
}

// item is one line of the list.
type item struct {
	URL, To, Subject string
	Dated            time.Time
	Current          bool
}

// mailView is one mail in one of its views.
type mailView struct {
	Subject      string
	Sender       mail.Address
	Recipient    mail.Address
	Date         string // as the mail says
	Content      content
	Size         string
	Views        []viewLink
	View         string
	Frame        string // the address of the frame; empty: no HTML, or a view without frame
	Text         []segment
	Source       string
	Shortened    bool
	Sandbox      string
	Raw          string // the address of the mail as a file
	Newer, Older string // its neighbours in the list
}

type viewLink struct {
	Name, Label, URL string
	Current          bool
}

// segment is a piece of the text part; URL is set where it is a link.
type segment struct{ Text, URL string }

// viewNames are the views in the order of their links; the first is the default.
var viewNames = []struct{ name, label string }{
	{"html", "HTML"}, {"phone", "Phone"}, {"dark", "Dark"}, {"pictures-off", "Pictures off"}, {"text", "Text"}, {"source", "Source"}, {"headers", "Headers"},
}

func (b *inbox) list(w http.ResponseWriter, r *http.Request) {
	number, err := strconv.Atoi(r.FormValue("page"))
	if err != nil {
		number = 1
	}
	b.render(w, http.StatusOK, b.page(r.FormValue("q"), func([]Mail) int { return (number - 1) * perPage }, 0))
}

func (b *inbox) mail(w http.ResponseWriter, r *http.Request) {
	m, ok := b.find(r)
	view := r.PathValue("view")
	if view == "" {
		view = viewNames[0].name
	}
	if !ok || !isView(view) {
		p := b.page(r.FormValue("q"), func([]Mail) int { return 0 }, 0)
		p.Missing, p.Title = true, "No such mail"
		b.render(w, http.StatusNotFound, p)
		return
	}
	query := r.FormValue("q")
	var newer, older int
	p := b.page(query, func(found []Mail) int {
		at := 0
		for i, other := range found {
			switch {
			case other.Number > m.Number:
				newer, at = other.Number, i+1
			case other.Number < m.Number && older == 0:
				older = other.Number
			}
		}
		return min(at, max(0, len(found)-1))
	}, m.Number)
	p.Mail = b.view(m, view, query)
	if newer > 0 {
		p.Mail.Newer = b.address(newer, view, query)
	}
	if older > 0 {
		p.Mail.Older = b.address(older, view, query)
	}
	b.render(w, http.StatusOK, p)
}

func isView(name string) bool {
	for _, v := range viewNames {
		if v.name == name {
			return true
		}
	}
	return false
}

// page makes the list around the found mail at a position, newest first.
func (b *inbox) page(query string, position func(found []Mail) int, current int) page {
	all := b.catcher.Mails()
	var found []Mail
	needle := strings.ToLower(strings.TrimSpace(query))
	for i := len(all) - 1; i >= 0; i-- {
		if strings.Contains(strings.ToLower(all[i].To+"\n"+all[i].Subject), needle) {
			found = append(found, all[i])
		}
	}
	start := min(max(0, position(found)), max(0, len(found)-1)) / perPage * perPage
	end := min(start+perPage, len(found))
	p := page{
		Prefix: b.prefix, Desk: b.desk, Title: "Inbox", Addr: b.catcher.Addr(), Query: query, Total: len(all),
		Found: grouped(len(found)), First: grouped(start + 1), Last: grouped(end),
	}
	for _, m := range found[start:end] {
		p.Items = append(p.Items, item{
			URL: b.address(m.Number, "", query), To: m.To, Subject: m.Subject, Dated: m.Dated, Current: m.Number == current,
		})
	}
	if start > 0 {
		p.Newer = b.pageAddress(start/perPage, query)
	}
	if end < len(found) {
		p.Older = b.pageAddress(start/perPage+2, query)
	}
	return p
}

func (b *inbox) address(number int, view, query string) string {
	path := b.prefix + "/" + strconv.Itoa(number)
	if view != "" && view != viewNames[0].name {
		path += "/" + view
	}
	if query != "" {
		path += "?" + url.Values{"q": {query}}.Encode()
	}
	return path
}

func (b *inbox) pageAddress(number int, query string) string {
	values := url.Values{"page": {strconv.Itoa(number)}}
	if query != "" {
		values.Set("q", query)
	}
	return b.prefix + "/?" + values.Encode()
}

func (b *inbox) view(m Mail, view, query string) *mailView {
	read := readMail(m.Raw)
	v := &mailView{
		Subject: m.Subject, Sender: read.box("From", m.From), Recipient: read.box("To", m.To), Date: read.value("Date"),
		Content: read, Size: size(len(m.Raw)), View: view, Sandbox: sandbox,
		Raw: fmt.Sprintf("%s/%d/raw/mail.eml", b.prefix, m.Number),
	}
	for _, known := range viewNames {
		v.Views = append(v.Views, viewLink{
			Name: known.name, Label: known.label, URL: b.address(m.Number, known.name, query), Current: known.name == view,
		})
	}
	switch view {
	case "html", "phone", "dark", "pictures-off":
		if v.Content.HTML != "" {
			shown := string(light)
			switch view {
			case "dark":
				shown = string(dark)
			case "pictures-off":
				shown = pictureless
			}
			v.Frame = fmt.Sprintf("%s/%d/frame/%s", b.prefix, m.Number, shown)
		}
	case "text":
		text := v.Content.Text
		v.Shortened = len(text) > maxShown
		v.Text = linked(text[:min(len(text), maxShown)])
	case "source":
		v.Shortened = len(m.Raw) > maxShown
		v.Source = strings.ToValidUTF8(string(m.Raw[:min(len(m.Raw), maxShown)]), "\uFFFD")
	}
	return v
}

// pictureless is the frame of a mail in a program that loads no pictures.
const pictureless = "pictures-off"

// frame serves a mail's HTML for the frame.
func (b *inbox) frame(w http.ResponseWriter, r *http.Request) {
	m, ok := b.find(r)
	s, policy := scheme(r.PathValue("scheme")), framePolicy
	if s == pictureless {
		s, policy = light, strings.Replace(framePolicy, pictureSources, "'none'", 1)
	}
	if !ok || s != light && s != dark {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Frame-Options", "SAMEORIGIN")
	h.Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte(framed(readMail(m.Raw).HTML, s))) // an error means that the visitor has left
}

// raw gives the mail as a file, as it was received.
func (b *inbox) raw(w http.ResponseWriter, r *http.Request) {
	m, ok := b.find(r)
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "message/rfc822")
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", fileName(m)))
	_, _ = w.Write(m.Raw) // an error means that the visitor has left
}

// count is what the page's script asks to learn of new mail.
func (b *inbox) count(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprint(w, len(b.catcher.Mails()))
}

func (b *inbox) find(r *http.Request) (Mail, bool) {
	number, err := strconv.Atoi(r.PathValue("number"))
	if err != nil {
		return Mail{}, false
	}
	return b.catcher.mail(number)
}

func (b *inbox) render(w http.ResponseWriter, status int, p page) {
	var body bytes.Buffer
	if err := b.pages.ExecuteTemplate(&body, "inbox.html", p); err != nil {
		http.Error(w, "the inbox page could not be made; the mails are still there: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = body.WriteTo(w) // an error means that the visitor has left
}

var webAddress = regexp.MustCompile(`https?://[^\s<>"]+[^\s<>".,;:!?)]`)

// linked cuts a text where its web addresses are.
func linked(text string) []segment {
	var all []segment
	end := 0
	for _, at := range webAddress.FindAllStringIndex(text, -1) {
		all = append(all, segment{Text: text[end:at[0]]}, segment{Text: text[at[0]:at[1]], URL: text[at[0]:at[1]]})
		end = at[1]
	}
	return append(all, segment{Text: text[end:]})
}

func size(octets int) string {
	if octets < 1000 {
		return strconv.Itoa(octets) + " bytes"
	}
	return strconv.FormatFloat(float64(octets)/1000, 'f', 1, 64) + " kB"
}

// grouped writes 1840 as 1,840.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
