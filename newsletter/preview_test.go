package newsletter_test

import (
	"errors"
	"strings"
	"testing"

	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

func TestPreviewIsInertAndShowsTheMail(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two")
	w.enrol(s, "ada")
	v, err := w.p.Preview(w.ctx, "skin", "", "ada@reader.example")
	w.check("preview", err)
	equal(t, "article", v.Article, "one")
	contains(t, "message", string(v.EML), "ada@reader.example", "List-Unsubscribe: <http://127.0.0.1:8080/u/", "Subject: About one")
	if strings.Contains(v.HTML+v.Text, outbox.UnsubscribeHole) || strings.Contains(v.HTML+v.Text, outbox.PreferencesHole) {
		t.Error("the preview has a hole where a link of the reader's belongs")
	}
	_, rest, _ := strings.Cut(v.Text, "/u/")
	token := strings.Fields(rest)[0]
	contains(t, "HTML", v.HTML, `href="http://127.0.0.1:8080/preferences/`+token+`"`)
	contains(t, "text", v.Text, "http://127.0.0.1:8080/preferences/"+token+"\n")
	w.check("its link does nothing", w.p.Unsubscribe(w.ctx, token, true, evidence()))
	w.run(monday)
	equal(t, "ada is still there", w.run(tuesday(1)), []string{wall(1) + " issued 1"})
	if _, err := w.p.Preview(w.ctx, "skin", "three", ""); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("preview of an unknown article: got %v, want ErrNotFound", err)
	}
}

func TestMergeFieldsInPreviewAndMail(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.importArticles(s, series.Incoming{Slug: "one", Text: series.Text{
		Title: "One", Subject: "{{name|Reader}}, part {{number}} of {{count}}", Markdown: "Dear {{name|reader}}, it is {{date}}.",
	}})
	w.tx("enrol ada", func(tx *store.Tx) error {
		_, err := w.people.Enrol(w.ctx, tx, s.ID, subscribers.Addition{Email: "ada@reader.example", Name: "Ada <Lovelace>"}, "test")
		return err
	})
	v, err := w.p.Preview(w.ctx, "skin", "one", "")
	w.check("preview", err)
	contains(t, "for a reader without a name", v.Subject+"\n"+v.Text+v.HTML, "Reader, part 1 of 1", "Dear reader, it is")
	v, err = w.p.Preview(w.ctx, "skin", "one", "ada@reader.example")
	w.check("preview", err)
	contains(t, "for Ada", v.Subject+"\n"+v.Text+v.HTML, "Ada <Lovelace>, part 1 of 1", "Dear Ada <Lovelace>, it is", "Dear Ada &lt;Lovelace&gt;, it is")
	contains(t, "the day it leaves, not the day somebody looks", v.Text, "it is Tuesday 2 March 2027.")
}

func TestSendTestIsANotice(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one")
	w.enrol(s, "ada")
	for range 2 {
		w.check("test", w.p.SendTest(w.ctx, "skin", "one", "me@example.org"))
	}
	equal(t, "notices", w.notices("test"), []string{"[Test] About one", "[Test] About one"})
	equal(t, "plan", w.plan("skin", 1), []string{wall(1) + " one 1"})
	equal(t, "issues", w.issues(), []string{})
}

// TestPreviewPassesASkippedDate: what it shows is what the plan has next.
func TestPreviewPassesASkippedDate(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two", "three")
	w.enrol(s, "ada")
	w.run(monday)
	w.skip(s, 1)
	w.pin(s, 2, "three")
	equal(t, "plan", w.plan("skin", 2), []string{wall(1) + "  0 !", wall(2) + " three 1"})
	v, err := w.p.Preview(w.ctx, "skin", "", "")
	w.check("preview", err)
	equal(t, "preview", v.Article, "three")
}
