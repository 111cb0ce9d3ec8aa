package public_test

import (
	"strings"
	"testing"

	"pressrun/newsletter/series"
	"pressrun/newsletter/web/webtest"
	"pressrun/subscribers/store"
)

func TestArchive(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	wants(t, "an empty site", get(t, h, "/"), 200, "Harbour Clinic", "Nothing to read here yet")
	skin := s.AddSeries(t, "skin", "Water", "Sleep & <rest>", "Stress")
	s.AddReader(t, skin, "ada@example.org")
	wants(t, "nothing sent yet", get(t, h, "/s/skin"), 200, "The first article has not gone out yet", `action="/s/skin/subscribe"`)
	wants(t, "an article that is not public yet", get(t, h, "/s/skin/skin-1"), 404, "no such page")
	s.Send(t, skin)
	s.Send(t, skin)
	wants(t, "home", get(t, h, "/"), 200, `href="/s/skin"`, "The skin letters", "2 articles to read")
	wants(t, "series", get(t, h, "/s/skin"), 200, `href="/s/skin/skin-1">Water</a>`, "Sleep &amp; &lt;rest&gt;", "About Water",
		`<link rel="canonical" href="http://127.0.0.1:8080/s/skin">`)
	first := get(t, h, "/s/skin/skin-1")
	wants(t, "first article", first, 200, "Part 1 of 3", "<em>Water</em>", webtest.Disclaimer, `<a rel="next" href="/s/skin/skin-2">`,
		`<link rel="canonical" href="http://127.0.0.1:8080/s/skin/skin-1">`)
	if strings.Contains(first.Body, `rel="prev"`) {
		t.Error("the first article has a previous one")
	}
	second := get(t, h, "/s/skin/skin-2")
	wants(t, "second article", second, 200, "Part 2 of 3", `<a rel="prev" href="/s/skin/skin-1">Water</a>`, "Coming next", "Stress")
	if strings.Contains(second.Body, "/s/skin/skin-3") {
		t.Error("an article that is not public yet is linked")
	}
	for _, path := range []string{"/s/none", "/s/skin/none", "/s/none/skin-1", "/nothing", "/static/none.css", "/u", "/c"} {
		wants(t, path, get(t, h, path), 404)
	}
}

// TestArchiveOfWhatWasElsewhere imports an archive: ready articles dated up to a day are public at once, drafts are not.
func TestArchiveOfWhatWasElsewhere(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin := s.AddSeries(t, "skin")
	add := func(o series.ImportOptions, in ...series.Incoming) {
		t.Helper()
		s.InTx(t, func(tx *store.Tx) error {
			_, err := series.ImportArticles(t.Context(), tx, skin.ID, in, o, s.Now())
			return err
		})
	}
	text := func(slug, title, date, words string) series.Incoming {
		return series.Incoming{Slug: slug, Text: series.Text{Title: title, Date: date, Markdown: words}}
	}
	ready := series.ImportOptions{Ready: true, PublishedUntil: "2026-12-31"}
	water, salt := text("water", "Water", "2026-11-03", "All about *water*."), text("salt", "Salt", "2026-12-01", "All about salt.")
	sleep := text("sleep", "Sleep", "2027-02-01", "All about sleep.")
	draft := text("draft", "Draft", "2026-12-02", "Not ready.")
	draft.Draft = true
	add(ready, water, salt, draft, sleep)

	wants(t, "series", get(t, h, "/s/skin"), 200, `href="/s/skin/water">Water</a>`, `href="/s/skin/salt">Salt</a>`)
	wants(t, "home", get(t, h, "/"), 200, "2 articles to read")
	for _, path := range []string{"/s/skin/sleep", "/s/skin/draft"} {
		wants(t, path+", not public", get(t, h, path), 404)
	}
	wants(t, "the first", get(t, h, "/s/skin/water"), 200, "Part 1 of 3", "All about <em>water</em>", webtest.Disclaimer,
		`<time datetime="2026-11-03">`, `<a rel="next" href="/s/skin/salt">`)
	wants(t, "the last", get(t, h, "/s/skin/salt"), 200, `<a rel="prev" href="/s/skin/water">`, "Coming next", "Sleep")

	water.Text.Markdown = "Rather more about water."
	add(ready, water)
	wants(t, "edited", get(t, h, "/s/skin/water"), 200, "Rather more about water", webtest.Disclaimer)
	s.AddReader(t, skin, "ada@example.org")
	s.Send(t, skin)
	wants(t, "what was sent, by rank", get(t, h, "/s/skin/sleep"), 200, "All about sleep", `<a rel="prev" href="/s/skin/salt">`)
	if _, err := s.Publisher.Withdraw(t.Context(), "salt"); err != nil {
		t.Fatal(err)
	}
	wants(t, "withdrawn", get(t, h, "/s/skin/salt"), 410, "withdrawn")
}

func TestArticleOfAnotherSeries(t *testing.T) {
	s := webtest.New(t)
	skin, gut := s.AddSeries(t, "skin", "Water"), s.AddSeries(t, "gut", "Bread")
	s.AddReader(t, skin, "ada@example.org")
	s.Send(t, skin)
	wants(t, "an article under another series", get(t, handler(t, s), "/s/"+gut.Slug+"/skin-1"), 404)
}

func TestWithdrawnArticle(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin := s.AddSeries(t, "skin", "Water", "Sleep", "Stress")
	s.AddReader(t, skin, "ada@example.org")
	issue, err := series.IssueByName(t.Context(), s.DB, s.Send(t, skin))
	if err != nil {
		t.Fatal(err)
	}
	s.InTx(t, func(tx *store.Tx) error { return series.Reached(t.Context(), tx, issue.ID) })
	s.Send(t, skin)
	for _, slug := range []string{"skin-1", "skin-3"} {
		if _, err := s.Publisher.Withdraw(t.Context(), slug); err != nil {
			t.Fatalf("withdraw %s: %v", slug, err)
		}
	}
	gone := get(t, h, "/s/skin/skin-1")
	wants(t, "withdrawn", gone, 410, "withdrawn")
	if strings.Contains(gone.Body, "The text of") {
		t.Error("the page of a withdrawn article shows its text")
	}
	wants(t, "withdrawn before it was sent", get(t, h, "/s/skin/skin-3"), 404)
	if body := get(t, h, "/s/skin").Body; strings.Contains(body, "skin-1") {
		t.Error("the series still lists the withdrawn article")
	}
}
