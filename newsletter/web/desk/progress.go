package desk

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"pressrun/newsletter"
	"pressrun/newsletter/web"
	"pressrun/templates"
)

const (
	maxStreams   = 100 // of progress, at once
	streamEvery  = time.Second
	streamLasts  = 20 * time.Second // then the browser asks again
	streamAgain  = 3 * time.Second  // after which it does
	progressPath = "/desk/progress"
)

// progressEvent is an issue in the stream: what the page shows of it, in words of the page's language.
type progressEvent struct {
	Issue   string            `json:"issue"`
	Percent int64             `json:"percent"`
	Line    string            `json:"line"`
	Counts  map[string]string `json:"counts"`
}

// streamPath is where the page that shows these issues hears how they go on. The page names what it shows, so that the
// stream can tell when that is not the whole truth any more.
func streamPath(open []newsletter.Status) string {
	return progressPath + "?" + url.Values{"shape": {shape(open)}}.Encode()
}

// shape changes when an issue comes, goes, or changes its state: then numbers alone don't tell.
func shape(open []newsletter.Status) string {
	h := fnv.New64a()
	for _, s := range open {
		fmt.Fprintf(h, "%d %s %t\n", s.Issue.ID, s.Issue.State, s.Counts.Uncertain > 0)
	}
	return strconv.FormatUint(h.Sum64(), 36)
}

// progress streams the counts of open issues as server-sent events: "progress" with numbers, "changed" where the page
// has to be loaded again, also because its user was signed out. It goes on while something is being sent; else it says how
// things are and ends, and the browser asks again in a while.
func (d *desk) progress(w http.ResponseWriter, r *http.Request, _ User) error {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	if r.Method == http.MethodHead {
		return nil
	}
	select {
	case d.streams <- struct{}{}:
		defer func() { <-d.streams }()
	default:
		return web.ErrMany
	}
	s := stream{w: w, control: http.NewResponseController(w)}
	_ = s.control.SetWriteDeadline(time.Now().Add(2 * streamLasts)) // the server's own might cut the stream
	ends := time.After(streamLasts)
	for {
		event, data, goesOn, err := d.look(r)
		if err != nil {
			d.Log.ErrorContext(r.Context(), "progress not read", "cause", err)
			return nil
		}
		if err := s.send(event, data); err != nil || !goesOn {
			return nil
		}
		select {
		case <-time.After(streamEvery):
		case <-ends:
			return nil
		case <-r.Context().Done():
			return nil
		case <-web.Stopping(r.Context()):
			return nil
		}
	}
}

// look says how things are, and whether there is more to come soon.
func (d *desk) look(r *http.Request) (event string, data []byte, goesOn bool, err error) {
	ctx := r.Context()
	if _, _, err := sessionUser(ctx, d.DB, d.cookie.Read(r), d.SessionNow()); err != nil {
		return "changed", []byte("{}"), false, nil
	}
	open, err := d.openIssues(ctx)
	if err != nil {
		return "", nil, false, err
	}
	if shape(open) != r.URL.Query().Get("shape") {
		return "changed", []byte("{}"), false, nil
	}
	data, err = json.Marshal(d.events(open))
	return "progress", data, busy(open), err
}

func (d *desk) events(open []newsletter.Status) []progressEvent {
	var words templates.Words // as in frame
	all := []progressEvent{}
	for _, s := range open {
		view := d.issueView(words, s, User{})
		e := progressEvent{Issue: view.Name, Percent: view.Percent(), Line: view.Line, Counts: map[string]string{}}
		for _, c := range view.Counts {
			e.Counts[c.State] = words.T("desk.number", "n", c.N)
		}
		all = append(all, e)
	}
	return all
}

// stream writes server-sent events and leaves out what was said already.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	last    []byte
}

func (s *stream) send(event string, data []byte) error {
	if bytes.Equal(data, s.last) {
		return nil
	}
	s.last = data
	if _, err := fmt.Fprintf(s.w, "retry: %d\nevent: %s\ndata: %s\n\n", streamAgain.Milliseconds(), event, data); err != nil {
		return err
	}
	return s.control.Flush()
}
