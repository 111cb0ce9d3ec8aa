package main

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"io/fs"
	"maps"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/http"
	"net/mail"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter/mailer/smtptest"
)

//go:embed testdata/letters
var everyArticle embed.FS

// everyMail are the series of the test: the samples, an article that uses every feature, and one article in each kind of script.
var everyMail = []struct {
	slug, language, title, disclaimer string
	articles                          string // a folder or a file in testdata/letters; empty: the samples
}{
	{"samples", "en", "Skin, week by week", "Please note: It is best to work with a qualified practitioner.", ""},
	{"features", "en", "Every feature", "Please note: It is best to work with a qualified practitioner.", "feature-complete.md"},
	{"russian", "ru", "Кожа по дням", "Обратите внимание: посоветуйтесь со специалистом о своём случае.", "russian.md"},
	{"arabic", "ar", "بشرتك أسبوعًا بعد أسبوع", "يرجى الانتباه: من الأفضل دائمًا استشارة مختص مؤهل.", "arabic.md"},
	{"hindi", "hi", "त्वचा, सप्ताह दर सप्ताह", "कृपया ध्यान दें: अपने मामले में किसी योग्य विशेषज्ञ से पूछें।", "hindi.md"},
	{"chinese", "zh", "皮肤周记", "请注意：关于您自己的情况，请咨询有资质的专业人士。", "chinese.md"},
}

const (
	everyAddress = "12 Quay Street, 20459 Hamburg, Germany"
	everyEditor  = "editor@clinic.example"
)

// TestEveryMail sends one of every kind of mail that this program knows, in both themes, through the program to an SMTP server, signed by a
// key of ours, and judges what the server took. With EMAIL_CHECK naming the independent checker each of them must pass it without
// a warning; without it only what is asserted here holds.
func TestEveryMail(t *testing.T) {
	for _, theme := range []string{"journal", "plain"} {
		t.Run(theme, func(t *testing.T) {
			site := newTrial(t)
			t.Setenv("PRESSRUN_NOTIFY_TO", everyEditor)
			t.Setenv("PRESSRUN_PRIVACY_URL", "https://clinic.example/privacy")
			t.Setenv("PRESSRUN_SITE_NAME", "Harbour Clinic")
			t.Setenv("PRESSRUN_POSTAL_ADDRESS", everyAddress)
			record := site.dkimRecord("clinic.example")
			site.sendLetters(theme)
			site.sendWords()
			site.sendNotices()
			judgeMails(t, takenMails(t, site.server), record)
		})
	}
}

// dkimRecord makes a key and returns its DNS record's file.
func (s *trial) dkimRecord(domain string) (file string) {
	s.t.Helper()
	var made dkimMade
	if err := json.Unmarshal([]byte(s.run("dkim", "new", domain, "--json")), &made); err != nil {
		s.t.Fatal(err)
	}
	file = filepath.Join(s.t.TempDir(), made.Name)
	if err := os.WriteFile(file, []byte(made.Record+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return file
}

// sendLetters sends every article by hand to one reader, and one of them as a test.
func (s *trial) sendLetters(theme string) {
	s.t.Helper()
	for _, each := range everyMail {
		s.run("series", "add", each.slug, "--title", each.title, "--language", each.language, "--theme", theme, "--disclaimer", each.disclaimer,
			"--disclaimer-place", "both", "--from", "Harbour Clinic <letters@clinic.example>", "--reply-to", "desk@clinic.example",
			"--postal-address", everyAddress, "--schedule", "0 9 1 1 *")
		s.run("article", "import", each.slug, articlesOf(s.t, each.articles), "--ready")
		s.run("subscriber", "add", each.slug, each.slug+"@reader.example", "--name", "Ada Ng", "--confirmed", "--because", "a test")
		var articles []any
		if err := json.Unmarshal([]byte(s.run("article", "list", each.slug, "--json")), &articles); err != nil {
			s.t.Fatal(err)
		}
		for range articles {
			s.run("issue", "send", each.slug, "--yes")
		}
	}
	s.run("issue", "test", "features", "--article", "everything-that-a-letter-can-hold", "--to", everyEditor, "--yes")
}

// articlesOf is a folder with the articles of a series and what they show.
func articlesOf(t testing.TB, name string) string {
	t.Helper()
	dir := t.TempDir()
	if name == "" {
		texts, err := fs.Sub(samples, "samples")
		if err := errors.Join(err, os.CopyFS(dir, texts)); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	content, err := everyArticle.ReadFile("testdata/letters/" + name)
	if err := errors.Join(err, os.WriteFile(filepath.Join(dir, name), content, 0o600)); err != nil {
		t.Fatal(err)
	}
	hills, hours := picturesOf(t)
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "hills.jpg"), hills, 0o600), os.WriteFile(filepath.Join(dir, "hours.png"), hours, 0o600)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// picturesOf are a hero picture and a drawing, larger than a letter shows them.
func picturesOf(t testing.TB) (hills, hours []byte) {
	t.Helper()
	wide, bars := image.NewRGBA(image.Rect(0, 0, 1600, 720)), image.NewRGBA(image.Rect(0, 0, 1200, 560))
	for x := range 1600 {
		for y := range 720 {
			far := 420 + 60*((x/200)%3) + x%200/4
			wide.Set(x, y, color.RGBA{uint8(235 - y/8), uint8(205 - y/9), uint8(150 + y/10), 255})
			if y > far {
				wide.Set(x, y, color.RGBA{uint8(40 + y/30), uint8(90 + x/60), 80, 255})
			}
		}
	}
	for x := range 1200 {
		for y := range 560 {
			bars.Set(x, y, color.RGBA{250, 248, 242, 255})
			if bar := x / 100; x%100 > 20 && y > 60+(bar-5)*(bar-5)*13 {
				bars.Set(x, y, color.RGBA{26, 99, 88, 255})
			}
		}
	}
	var a, b bytes.Buffer
	if err := errors.Join(jpeg.Encode(&a, wide, nil), png.Encode(&b, bars)); err != nil {
		t.Fatal(err)
	}
	return a.Bytes(), b.Bytes()
}

// sendWords has the editors hear of what comes and of what went wrong: series that were made three days ago, as nobody looked after them,
// a folder of backups that can't be written to, and an issue without a DKIM key.
func (s *trial) sendWords() {
	s.t.Helper()
	past := time.Now().UTC().Add(-72 * time.Hour)
	daily := fmt.Sprintf("%d %d * * *", past.Minute(), (past.Hour()+12)%24) // 12 hours ago, and in 12 hours
	for slug, grace := range map[string]string{"words-late": "1h", "words-draft": "24h", "words-empty": "24h", "words-last": "24h", "words-next": "24h"} {
		s.runAt(past, "series", "add", slug, "--title", "The letters of "+slug, "--from", "Harbour Clinic <letters@clinic.example>",
			"--postal-address", everyAddress, "--disclaimer", "Ask first.", "--schedule", daily, "--zone", "UTC", "--grace", grace)
		if slug == "words-empty" {
			continue
		}
		dir := s.t.TempDir()
		text := "Lorem ipsum: a text that somebody was to write " + slug + ".\n\nIt names a [page](" + s.base + "/s/gone) that is not there."
		if err := os.WriteFile(filepath.Join(dir, slug+"-1.md"), []byte("# The first of "+slug+"\n\n"+text), 0o600); err != nil {
			s.t.Fatal(err)
		}
		if slug == "words-next" {
			text = strings.ReplaceAll(text, slug, "in the next one")
			if err := os.WriteFile(filepath.Join(dir, slug+"-2.md"), []byte("# The second of "+slug+"\n\n"+text), 0o600); err != nil {
				s.t.Fatal(err)
			}
		}
		args := []string{"article", "import", slug, dir}
		if slug != "words-draft" {
			args = append(args, "--ready")
		}
		s.runAt(past, args...)
	}
	s.run("run-due")
	s.loseBackups()
	s.loseKey()
}

// loseBackups has a file stand where the folder of backups should be.
func (s *trial) loseBackups() {
	s.t.Helper()
	if err := os.WriteFile("no-folder", nil, 0o600); err != nil {
		s.t.Fatal(err)
	}
	was := os.Getenv("PRESSRUN_BACKUP_DIR")
	s.t.Setenv("PRESSRUN_BACKUP_DIR", "no-folder")
	if err := s.try("run-due"); err == nil {
		s.t.Error("a backup was made where no folder is")
	}
	s.t.Setenv("PRESSRUN_BACKUP_DIR", was)
}

// loseKey sends an issue while the DKIM keys are away; what the editors are told waits for them too.
func (s *trial) loseKey() {
	s.t.Helper()
	s.run("series", "add", "unsigned", "--title", "Unsigned letters", "--from", "Harbour Clinic <letters@clinic.example>",
		"--postal-address", everyAddress, "--disclaimer", "Ask first.", "--schedule", "0 9 1 1 *")
	s.run("article", "import", "unsigned", "articles", "--ready")
	s.run("subscriber", "add", "unsigned", "unsigned@reader.example", "--confirmed", "--because", "a test")
	if err := os.Rename("dkim", "away"); err != nil {
		s.t.Fatal(err)
	}
	s.run("issue", "send", "unsigned", "--yes")
	s.run("run-due")
	if err := os.Rename("away", "dkim"); err != nil {
		s.t.Fatal(err)
	}
	s.runAt(time.Now().Add(2*time.Minute), "run-due")
}

// runAt is run at another time.
func (s *trial) runAt(at time.Time, args ...string) {
	s.t.Helper()
	var errs bytes.Buffer
	a := &app{in: strings.NewReader(""), out: io.Discard, err: &errs, now: func() time.Time { return at }}
	root := a.root()
	root.SetArgs(args)
	root.SetErr(&errs)
	if err := root.ExecuteContext(s.t.Context()); err != nil {
		s.t.Fatalf("pressrun %s: %v\n%s", strings.Join(args, " "), err, errs.String())
	}
}

var hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)

var confirmToken = regexp.MustCompile(`/c/([A-Za-z0-9_.-]+)`)

// sendNotices has a stranger sign up and confirm, who is welcomed, and an editor ask for the way to the desk.
func (s *trial) sendNotices() {
	s.t.Helper()
	s.run("user", "add", everyEditor, "--role", "owner")
	stop := s.serve()
	defer stop()
	for _, each := range everyMail {
		who := "new-in-" + each.slug + "@reader.example"
		before := len(s.server.Messages())
		asks := s.post("/s/"+each.slug+"/subscribe", url.Values{"email": {who}, "name": {"Bo"}}) // as a form on another site: one button more
		again := url.Values{}
		for _, field := range hiddenField.FindAllStringSubmatch(asks, -1) {
			again.Add(field[1], html.UnescapeString(field[2]))
		}
		s.post("/subscribe", again)
		s.await(before + 1)
		asked := lastTo(s.t, s.server, who)
		s.post("/c/"+confirmToken.FindStringSubmatch(readMail(s.t, asked).text)[1], nil)
		s.await(before + 2)
	}
	before := len(s.server.Messages())
	s.post("/desk/login", url.Values{"email": {everyEditor}})
	s.await(before + 1)
	for slug, language := range map[string]string{"samples": "en", "features": "de", "russian": "fr", "hindi": "es", "arabic": "ar"} {
		s.moveReader("new-in-"+slug+"@reader.example", "moved-in-"+slug+"@reader.example", language)
	}
}

// moveReader has a reader ask for a fresh link in a language and change their address by it.
func (s *trial) moveReader(from, to, language string) {
	s.t.Helper()
	before := len(s.server.Messages())
	s.post("/mine?lang="+language, url.Values{"email": {from}})
	s.await(before + 1)
	fresh := freshLink(s.t, lastTo(s.t, s.server, from))
	s.post(fresh+"/address?lang="+language, url.Values{"email": {to}})
	s.await(before + 2)
	s.post(freshLink(s.t, lastTo(s.t, s.server, to)), nil)
	s.await(before + 3)
	if word := lastTo(s.t, s.server, from); !strings.Contains(readMail(s.t, word).text, "m••••@reader.example") {
		s.t.Errorf("the old address isn't told of the new one:\n%s", readMail(s.t, word).text)
	}
}

var freshPath = regexp.MustCompile(`/(?:mine|address)/[a-z2-7]+`)

// freshLink is the path of the link that a mail brings.
func freshLink(t testing.TB, message []byte) string {
	t.Helper()
	text := readMail(t, message).text
	path := freshPath.FindString(text)
	if path == "" {
		t.Fatalf("no link in the mail:\n%s", text)
	}
	return path
}

// post sends a form and returns the page that answers.
func (s *trial) post(path string, form url.Values) string {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	page, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil || res.StatusCode != http.StatusOK {
		s.t.Fatalf("POST %s: %s (%v)", path, res.Status, err)
	}
	return string(page)
}

func lastTo(t testing.TB, server *smtptest.Server, who string) []byte {
	t.Helper()
	all := server.Messages()
	for _, m := range slices.Backward(all) {
		if m.To == who {
			return m.Data
		}
	}
	t.Fatalf("none of %d messages went to %s", len(all), who)
	return nil
}

// everyRead is a message as a mail program reads it.
type everyRead struct {
	subject, text, html string
	list                bool // it is an issue's
}

func readMail(t testing.TB, message []byte) everyRead {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	r := everyRead{list: m.Header.Get("List-Id") != ""}
	if r.subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for _, part := range []*string{&r.text, &r.html} {
		p, err := parts.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			t.Fatal(err)
		}
		*part = string(body)
	}
	return r
}

// takenMails writes what the server took into a folder, one of each kind of mail: those of an issue that differ in the reader alone are
// one, and so are words on different series.
func takenMails(t testing.TB, server *smtptest.Server) (files map[string]everyRead) {
	t.Helper()
	dir := t.TempDir()
	if keep := os.Getenv("EMAIL_KEEP"); keep != "" {
		dir = filepath.Join(keep, filepath.Base(t.Name()))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	files = map[string]everyRead{}
	for i, m := range server.Messages() {
		read := readMail(t, m.Data)
		name := filepath.Join(dir, fmt.Sprintf("%03d-%s.eml", i, strings.SplitN(m.To, "@", 2)[0]))
		if err := os.WriteFile(name, m.Data, 0o600); err != nil {
			t.Fatal(err)
		}
		files[name] = read
	}
	return files
}

// judgeMails asserts what needs no checker, and has the checkers judge that are here.
func judgeMails(t *testing.T, files map[string]everyRead, record string) {
	t.Helper()
	const leastMails = 52
	if len(files) < leastMails {
		t.Errorf("%d mails, want %d at least: one of every kind", len(files), leastMails)
	}
	for _, subject := range []string{"The nightly backup failed", "Paused, it can't be signed"} {
		told := func(read everyRead) bool { return strings.HasPrefix(read.subject, subject) }
		if !slices.ContainsFunc(slices.Collect(maps.Values(files)), told) {
			t.Errorf("no mail says: %s", subject)
		}
	}
	for name, read := range files {
		if words := len(strings.Fields(read.text)); len(read.html) > 30<<10*max(1, words/1000) {
			t.Errorf("%s “%s”: %d bytes of HTML for %d words, want 30 KB at most for 1,000", name, read.subject, len(read.html), words)
		}
		if strings.Contains(read.html+read.text, ".invalid/") {
			t.Errorf("%s “%s”: a hole was left", name, read.subject)
		}
	}
	t.Run("dkimpy", func(t *testing.T) { verifyMails(t, files, record) })
	t.Run("email-check", func(t *testing.T) { checkMails(t, files, record) })
}

// verifyAll prints the names of the mails whose signature dkimpy refuses; its arguments are the record's name, its file, and the mails.
const verifyAll = `
import sys, dkim
name, record = sys.argv[1], open(sys.argv[2], "rb").read().strip()
def txt(asked, timeout=5):
    return record if asked.decode().rstrip(".") == name else None
for mail in sys.argv[3:]:
    try:
        good = dkim.DKIM(open(mail, "rb").read()).verify(dnsfunc=txt)
    except dkim.DKIMException as why:
        good = False
    if not good:
        print(mail)
`

// verifyMails has Debian's dkimpy verify each signature; it shares no code with what signs.
func verifyMails(t testing.TB, files map[string]everyRead, record string) {
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.CommandContext(t.Context(), python, "-I", "-c", "import dkim; dkim.DKIM").Run() != nil {
			continue
		}
		args := append([]string{"-c", verifyAll, filepath.Base(record), record}, sortedKeys(files)...)
		verify := exec.CommandContext(t.Context(), python, args...)
		verify.Dir = filepath.Dir(record) // this folder has a dkim of its own, which Python would import
		if out, err := verify.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("dkimpy refuses (%v):\n%s", err, out)
		}
		return
	}
	t.Skip("dkimpy is not here: apt-get install python3-dkim brings it")
}

func sortedKeys(files map[string]everyRead) []string {
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// checkMails has the independent checker judge each mail, strictly and with nothing skipped.
func checkMails(t *testing.T, files map[string]everyRead, record string) {
	check := os.Getenv("EMAIL_CHECK")
	if check == "" {
		t.Skip("EMAIL_CHECK names no checker: .ci/run sets it where one is found")
	}
	for _, name := range sortedKeys(files) {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".eml"), func(t *testing.T) {
			t.Parallel()
			args := []string{name, "--strict", "--allow-http", "--max-spam", "0.1", "--dkim-key", record, "--address", everyAddress}
			if !files[name].list {
				args = append(args, "--kind", "transactional")
			}
			for _, each := range everyMail {
				if files[name].list && strings.Contains(files[name].text, each.title) {
					args = append(args, "--must-contain", each.disclaimer)
				}
			}
			if out, err := exec.CommandContext(t.Context(), check, args...).CombinedOutput(); err != nil {
				t.Errorf("“%s”: %v\n%s", files[name].subject, err, out)
			}
		})
	}
}
