package public

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"pressrun/newsletter"
	"pressrun/newsletter/web"
	"pressrun/subscribers"
)

// askLeave shows the buttons of an unsubscribe link, or that the reader has left. Looking changes nothing.
func (p *pages) askLeave(w http.ResponseWriter, r *http.Request) error {
	v, err := p.Publisher.VisitUnsubscribe(r.Context(), r.PathValue("token"))
	if err != nil {
		return err
	}
	return p.showLeave(w, r, v, p.leaveFace(r, v))
}

// leave ends an enrolment. Mail programs send the one field of RFC 8058 and get a bare 200, our own page another one and
// gets a page.
func (p *pages) leave(w http.ResponseWriter, r *http.Request) error {
	if err := web.ParseForm(w, r); err != nil {
		return err
	}
	if r.PostForm.Get("List-Unsubscribe") == "One-Click" {
		return p.oneClick(w, r)
	}
	scope := r.PostForm.Get("leave")
	if scope != "series" && scope != "everything" {
		return web.ErrForm
	}
	token := r.PathValue("token")
	form := p.BaseURL.JoinPath("u", "[token]").String()
	if err := p.Publisher.Unsubscribe(web.Lasting(r), token, scope == "everything", evidence(r, form, "")); err != nil {
		return err
	}
	v, err := p.Publisher.VisitUnsubscribe(web.Lasting(r), token)
	if err != nil {
		return err
	}
	return p.showLeave(w, r, v, p.leaveFace(r, v))
}

// oneClick answers the same whether the link is known, unknown, used or no link at all (RFC 8058 section 3.1). Nothing but
// a record that could not be written is an error: then the mail program may try again. The log tells of links that are none:
// many of them mean that people leave by links of another key, and go on getting letters.
func (p *pages) oneClick(w http.ResponseWriter, r *http.Request) error {
	err := p.Publisher.Unsubscribe(web.Lasting(r), r.PathValue("token"), false, evidence(r, "List-Unsubscribe=One-Click", ""))
	if errors.Is(err, subscribers.ErrToken) {
		if n, tell := p.strays.add(p.Now()); tell {
			p.Log.WarnContext(r.Context(), "one-click unsubscribe by a link that is not ours: nobody was removed", "count", n)
		}
	} else if err != nil {
		return err
	}
	web.Private(w)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "Unsubscribed.\n") // fails only where the mail program has gone
	return nil
}

// undo takes a leave back. Pressing it again says the same: the button of everything takes back nothing else, though the
// series may have been left by itself too.
func (p *pages) undo(w http.ResponseWriter, r *http.Request) error {
	if err := web.ParseForm(w, r); err != nil {
		return err
	}
	token := r.PathValue("token")
	before, err := p.Publisher.VisitUnsubscribe(r.Context(), token)
	if err != nil {
		return err
	}
	done := r.PostForm.Get("undo") == "everything" && !before.Everything
	if !done {
		form := p.BaseURL.JoinPath("u", "[token]", "undo").String()
		err := p.Publisher.UndoUnsubscribe(web.Lasting(r), token, evidence(r, form, ""))
		if err != nil && !errors.Is(err, subscribers.ErrNotPending) {
			return err
		}
		done = err == nil
	}
	v, err := p.Publisher.VisitUnsubscribe(web.Lasting(r), token)
	if err != nil {
		return err
	}
	face := p.leaveFace(r, v)
	face.undone, face.restored = v.State == subscribers.Active, done
	if !face.undone && !face.restored {
		return web.ErrLate
	}
	return p.showLeave(w, r, v, face)
}

// leaveFace is what an unsubscribe link shows, whosever it is.
func (p *pages) leaveFace(r *http.Request, v newsletter.Visit) leaveFace {
	return leaveFace{
		words: chosen(r, v.Language), lang: lang(r), series: v.Series,
		left: v.Everything || v.State == subscribers.Ended, everything: v.Everything, canUndo: v.CanUndo,
	}
}

func (p *pages) showLeave(w http.ResponseWriter, r *http.Request, v newsletter.Visit, face leaveFace) error {
	masked := cmp.Or(v.Masked, face.words.T("public.leave.this_address")) // of somebody who is gone nothing is known
	page, err := p.faces.page(p, face, masked, r.PathValue("token"))
	if err != nil {
		return err
	}
	return personal(w, func(out io.Writer) error {
		_, err := io.WriteString(out, page)
		return err
	})
}

// why takes the reason for a leave, which nobody has to give.
func (p *pages) why(w http.ResponseWriter, r *http.Request) error {
	if err := web.ParseForm(w, r); err != nil {
		return err
	}
	token := r.PathValue("token")
	if err := p.Publisher.SayWhy(web.Lasting(r), token, r.PostForm.Get("reason"), r.PostForm.Get("note")); err != nil {
		return err
	}
	v, err := p.Publisher.VisitUnsubscribe(r.Context(), token)
	if err != nil {
		return err
	}
	face := p.leaveFace(r, v)
	face.said = true
	return p.showLeave(w, r, v, face)
}

// strays counts one-clicks by links that are not ours, since the start.
type strays struct {
	mu   sync.Mutex
	n    int
	told time.Time
}

// add counts one more. It is told of at most once a minute, so that nobody can fill the log.
func (s *strays) add(now time.Time) (n int, tell bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	if tell = now.Sub(s.told) >= time.Minute; tell {
		s.told = now
	}
	return s.n, tell
}
