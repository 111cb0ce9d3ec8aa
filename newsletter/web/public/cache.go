package public

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"pressrun/newsletter/web"
)

// cached shows a page that is the same for everybody. Browsers keep it and ask each time whether it is still the same, so
// that a withdrawn article is gone at once. The token of its form, which is another each time, makes no difference.
func (p *pages) cached(w http.ResponseWriter, r *http.Request, token string, write func(io.Writer) error) error {
	var page bytes.Buffer
	if err := write(&page); err != nil {
		return err
	}
	same := page.Bytes()
	if token != "" {
		same = bytes.ReplaceAll(same, []byte(token), nil)
	}
	if unchanged(w, r, same) {
		return nil
	}
	return web.Show(w, http.StatusOK, func(out io.Writer) error {
		_, err := page.WriteTo(out)
		return err
	})
}

// file answers with what programs read: feeds, the map of the site.
func file(w http.ResponseWriter, r *http.Request, mediaType string, content []byte) error {
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(content) // fails only where the program has gone
	}
	return nil
}

// unchanged marks an answer by its content, and says so where the asker has the same already.
func unchanged(w http.ResponseWriter, r *http.Request, content []byte) bool {
	return known(w, r, digest(content), time.Time{})
}

// unchangedSince marks an answer by what it is made of, before it is: marks, as of series.PublicMark, and this process, since
// another program or other settings may make something else of them: the answer is never dated before its start. A change of this very
// second is not dated: another one may follow in it, and whoever asks by its time would not hear of that (RFC 9110 section 8.8.2.2).
// With a zero time only the marks tell.
func (p *pages) unchangedSince(w http.ResponseWriter, r *http.Request, changed time.Time, marks ...string) bool {
	if p.started.After(changed) && !changed.IsZero() {
		changed = p.started
	}
	if p.Now().Sub(changed) < time.Second {
		changed = time.Time{}
	}
	return known(w, r, digest([]byte(strings.Join(append(marks, p.process), " "))), changed)
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:12])
}

// known gives an answer its marks, and makes it a bare 304 where the asker has it already (RFC 9110 section 13). A weak mark, since
// the token of a form aside is not to the octet. A zero time is none.
func known(w http.ResponseWriter, r *http.Request, mark string, changed time.Time) bool {
	mark = `W/"` + mark + `"`
	w.Header().Set("ETag", mark)
	if !changed.IsZero() {
		w.Header().Set("Last-Modified", changed.UTC().Format(http.TimeFormat))
	}
	asked := r.Header.Get("If-None-Match")
	if asked == "" {
		since, err := http.ParseTime(r.Header.Get("If-Modified-Since"))
		if err != nil || changed.IsZero() || changed.Truncate(time.Second).After(since) {
			return false
		}
	} else if !has(asked, mark) {
		return false
	}
	w.WriteHeader(http.StatusNotModified)
	return true
}

// has says whether a list of entity tags names one, weakly compared.
func has(list, mark string) bool {
	for tag := range strings.SplitSeq(list, ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || strings.TrimPrefix(tag, "W/") == strings.TrimPrefix(mark, "W/") {
			return true
		}
	}
	return false
}
