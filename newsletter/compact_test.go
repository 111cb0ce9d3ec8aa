package newsletter_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter/mailer"
	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// toldOf is all that the program says of who had what and who gets what: of each person and series what comes and why, what
// each article would be sent to now, as an issue and as a correction, and of each issue its counts and its recipients.
func (w *world) toldOf(people []string, all []series.Series) string {
	w.t.Helper()
	var b strings.Builder
	for _, name := range people {
		lines, err := w.p.Explain(w.ctx, name+"@reader.example", 4)
		w.check("explain", err)
		fmt.Fprintf(&b, "%s: %+v\n", name, lines)
		for _, s := range all {
			if reader, err := outbox.ReaderOf(w.ctx, w.db, s.ID, w.person(name).ID); err == nil {
				fmt.Fprintf(&b, "%s in %s: %+v\n", name, s.Slug, reader)
			}
		}
	}
	for _, s := range all {
		fmt.Fprintf(&b, "%s: %v\n", s.Slug, w.plan(s.Slug, 4))
		articles, err := series.Articles(w.ctx, w.db, s.ID)
		w.check("articles", err)
		for _, a := range articles {
			fill, err := outbox.CountFill(w.ctx, w.db, s.ID, a.ID)
			w.check("count fill", err)
			corrected, err := outbox.CountCorrection(w.ctx, w.db, a.ID, a.Revision+1)
			w.check("count correction", err)
			again, err := outbox.CountCorrection(w.ctx, w.db, a.ID, a.Revision)
			w.check("count correction", err)
			fmt.Fprintf(&b, "%s: %d would get it, %d its correction, %d that of this revision\n", a.Slug, fill, corrected, again)
		}
	}
	issues, err := w.p.IssueList(w.ctx, "", 0)
	w.check("issues", err)
	for _, st := range issues {
		ids := map[int64]bool{}
		w.check("recipients", outbox.Recipients(w.ctx, w.db, st.Issue.ID, func(id int64) { ids[id] = true }))
		fmt.Fprintf(&b, "%s: %s %+v %v\n", st.Issue.Name, st.Issue.State, st.Counts, ids)
	}
	return b.String()
}

// compactAll compacts whatever has ended, however lately, and fails where anything is told otherwise after it.
func (w *world) compactAll(people []string, all []series.Series) (moved int64) {
	w.t.Helper()
	before := w.toldOf(people, all)
	moved, _, err := outbox.Compact(w.ctx, w.db, w.clock.now().Add(time.Millisecond))
	w.check("compact", err)
	if after := w.toldOf(people, all); after != before {
		w.t.Fatalf("%d rows compacted, and then it is told otherwise:\ngot\n%s\nwant\n%s", moved, after, before)
	}
	return moved
}

// TestCompactionTellsTheSame: of everything that looks at what somebody had. TestHistories compacts among random steps.
func TestCompactionTellsTheSame(t *testing.T) {
	w := newWorld(t)
	live, drip := w.series("live", series.Change{Welcome: ptr("latest")}), w.series("drip", series.Change{Mode: ptr(series.Drip), Welcome: ptr("first")})
	both := []series.Series{live, drip}
	w.articles(live, "one", "two", "three", "four")
	w.articles(drip, "first", "second", "third", "fourth")
	people := []string{"ada", "ben", "cleo"}
	w.enrol(live, people...)
	w.enrol(drip, "ada", "ben")
	relay := &moody{refuses: "cleo@reader.example"}
	worker := w.start(relay)
	defer worker.Close()
	week := func(n int) {
		w.run(tuesday(n))
		w.check("drain", worker.Drain(w.ctx))
		w.check("finish", w.p.Finish(w.ctx))
	}
	w.run(monday)
	week(1) // cleo's is refused for its content: that counts as had
	week(2)
	w.importArticles(live, series.Incoming{Slug: "one", Text: series.Text{Title: "About one", Markdown: "Half of it."}})
	if _, _, err := w.p.Correct(w.ctx, "live/"+wall(1), "The dose was wrong.", false); err != nil {
		t.Fatalf("correct: %v", err)
	}
	w.check("drain", worker.Drain(w.ctx))
	w.check("finish", w.p.Finish(w.ctx))
	w.check("unsubscribe", w.p.Unsubscribe(w.ctx, w.link(live, "ben"), false, evidence()))
	if moved := w.compactAll(people, both); moved < 10 {
		t.Errorf("got %d rows compacted, want more", moved)
	}
	if moved := w.compactAll(people, both); moved != 0 {
		t.Errorf("got %d rows compacted once more, want none", moved)
	}
	had := w.deliveriesOf("ada")[:4]
	slices.Sort(had)
	equal(t, "ada had", had, []string{"first sent", "one sent", "second sent", "two sent"})
	week(3)
	w.tx("erase", func(tx *store.Tx) error { return w.people.Erase(w.ctx, tx, w.person("ada").ID) })
	w.compactAll([]string{"cleo"}, both)
	week(4)
	seen := map[taken]bool{}
	for _, m := range relay.all() {
		if seen[m] {
			t.Errorf("%s got %s of %s twice", m.to, m.article, m.series)
		}
		seen[m] = true
	}
}

// moody is a tape that refuses the content of one address's messages.
type moody struct {
	tape
	refuses string // whose content
	blocks  string // likewise, for a reason of ours
	defers  string // likewise, for now
	loses   string // whose content it takes without a word

	before func() // it defers or loses; nil: nothing
}

func (r *moody) Connect(context.Context) (outbox.Conn, error) {
	return &moodyLine{tapeLine{tape: &r.tape}, r}, nil
}

type moodyLine struct {
	tapeLine
	of *moody
}

func (r *moodyLine) Content(ctx context.Context, next *mailer.Message) (mailer.Outcome, error) {
	switch r.offered.To {
	case r.of.refuses:
		return mailer.Outcome{State: mailer.Refused, Class: mailer.ClassContent, Reply: mailer.Reply{Code: 554, Enhanced: "5.6.0", Text: "no"}}, nil
	case r.of.blocks:
		return mailer.Outcome{State: mailer.Refused, Class: mailer.ClassBlocked, Reply: mailer.Reply{Code: 554, Enhanced: "5.7.1", Text: "no"}}, nil
	case r.of.defers, r.of.loses:
		if r.of.before != nil {
			r.of.before()
		}
		if r.offered.To == r.of.loses {
			return mailer.Outcome{State: mailer.Unknown}, nil
		}
		return mailer.Outcome{State: mailer.Deferred, Reply: mailer.Reply{Code: 451, Enhanced: "4.3.0", Text: "not now"}}, nil
	}
	return r.tapeLine.Content(ctx, next)
}
