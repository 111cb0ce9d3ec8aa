package newsletter_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pressrun/newsletter"
	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// plainText is an article about which preflight has nothing to say.
const plainText = "Drink a glass of water when you get up, and another one before you eat. It costs nothing, it takes a minute, " +
	"and most people forget it.\n\n- In the morning\n- Before lunch\n\nThat is all for today."

// preflightWorld is a world whose own pages answer: /s/skin/gone is not there, /s/skin/broken fails.
func preflightWorld(t *testing.T) *world {
	t.Helper()
	return pagesWorld(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/gone"):
			w.WriteHeader(http.StatusNotFound)
		case strings.HasSuffix(r.URL.Path, "/broken"):
			w.WriteHeader(http.StatusBadGateway)
		}
	})
}

// pagesWorld is a world with own pages, and claim words.
func pagesWorld(t *testing.T, answer http.HandlerFunc) *world {
	t.Helper()
	pages := httptest.NewServer(answer)
	t.Cleanup(pages.Close)
	w := newWorld(t)
	base, err := url.Parse(pages.URL)
	w.check("address of the pages", err)
	w.site.BaseURL, w.cfg.Site.BaseURL = base, base
	w.cfg.Site.ClaimWords = []string{"cure", "risk-free"}
	w.p = w.publisher(w.cfg)
	return w
}

// said are the rules that found something, errors with a mark.
func said(found []newsletter.Finding) []string {
	all := []string{}
	for _, f := range found {
		name := f.Rule
		if f.Error {
			name += "!"
		}
		all = append(all, name)
	}
	return all
}

// checkWorded: every finding says what, why and how to mend it, with all its placeholders filled.
func checkWorded(t *testing.T, found []newsletter.Finding) {
	t.Helper()
	for _, f := range found {
		for name, text := range map[string]string{"what": f.What, "why": f.Why, "mend": f.Mend} {
			if text == "" || strings.Contains(text, "[preflight") || strings.ContainsAny(text, "{}") {
				t.Errorf("%s: %s is %q", f.Rule, name, text)
			}
		}
	}
}

// TestPreflightArticle: what an author can get wrong, seen before the slot.
func TestPreflightArticle(t *testing.T) {
	for _, tt := range []struct {
		name string
		text series.Text
		want []string
	}{
		{"nothing to say", series.Text{}, nil},
		{"lorem ipsum", series.Text{Markdown: plainText + "\n\nLorem ipsum dolor."}, []string{"placeholder!"}},
		{"about lorem ipsum", series.Text{Markdown: plainText + "\n\nPrinters call such a text lorem ipsum."}, []string{"stub"}},
		{"a gap", series.Text{Markdown: plainText + "\n\nAsk [insert name here] about it."}, []string{"stub"}},
		{"brackets in a quotation", series.Text{Markdown: plainText + "\n\n> Drink when [your] skin flares."}, []string{"stub"}},
		{"a mask", series.Text{Markdown: plainText + "\n\nYour number ends in XXXX."}, []string{"stub"}},
		{"TK in brackets", series.Text{Markdown: plainText + "\n\nIt costs [TK: how much?]."}, []string{"placeholder!"}},
		{"TK", series.Text{Markdown: plainText + "\n\nTK: a closing line."}, []string{"stub"}},
		{"TK in a word is none", series.Text{Markdown: plainText + "\n\nHTKL and tk are none."}, nil},
		{"own page gone", series.Text{Markdown: plainText + "\n\nSee [there](/s/skin/gone)."}, []string{"dead"}},
		{"own page breaks", series.Text{Markdown: plainText + "\n\nSee [there](/s/skin/broken)."}, []string{"unasked"}},
		{"own page is there", series.Text{Markdown: plainText + "\n\nSee [there](/s/skin/here)."}, nil},
		{"another site is not asked", series.Text{Markdown: plainText + "\n\nSee [there](https://127.0.0.1:1/gone)."}, nil},
		{"claims", series.Text{Markdown: plainText + "\n\nA CURE, and risk free."}, []string{"claim"}},
		{"no claim", series.Text{Markdown: plainText + "\n\nSecure and curate."}, nil},
		{"date past by the slot", series.Text{Markdown: plainText + "\n\nCome on 1 March 2027."}, []string{"past"}},
		{"day of the slot", series.Text{Markdown: plainText + "\n\nCome on 2 March 2027, or on 2027-03-02."}, nil},
		{"history", series.Text{Markdown: plainText + "\n\nIt began on March 1, 2019."}, nil},
		{"review over", series.Text{Meta: map[string]string{"review_by": "2027-03-01"}}, []string{"review"}},
		{"review on the day", series.Text{Meta: map[string]string{"review_by": "2027-03-02"}}, nil},
		{"review some day", series.Text{Meta: map[string]string{"review_by": "next spring"}}, []string{"reviewdate"}},
		{"long subject", series.Text{Subject: strings.Repeat("water ", 12)}, []string{"subject"}},
		{"shouting", series.Text{Subject: "FREE WATER today"}, []string{"shouting"}},
		{"marks", series.Text{Subject: "Water!!"}, []string{"shouting"}},
		{"one abbreviation", series.Text{Subject: "What the NICE says on water!"}, nil},
		{"hardly a word", series.Text{Markdown: "Drink."}, []string{"short"}},
		{"too long", series.Text{Markdown: strings.Repeat(plainText+"\n\n", 400)}, []string{"letter!"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := preflightWorld(t)
			s := w.series("skin", series.Change{})
			if tt.text.Title = "A glass of water"; tt.text.Markdown == "" {
				tt.text.Markdown = plainText
			}
			w.importArticles(s, series.Incoming{Slug: "water", Text: tt.text})
			found, err := w.p.Preflight(w.ctx, "water")
			w.check("preflight", err)
			if got := said(found); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q\n%+v", got, tt.want, found)
			}
			checkWorded(t, found)
		})
	}
}

// TestPreflightLetter: faults that only a template, or what comes after it, can make.
func TestPreflightLetter(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(f *series.Frozen)
		want   []string
	}{
		{"none", func(*series.Frozen) {}, nil},
		{"disclaimer lost in the text", func(f *series.Frozen) { f.Text = strings.ReplaceAll(f.Text, "no medical advice", "") }, []string{"disclaimer!"}},
		{"address lost", func(f *series.Frozen) { f.HTML = strings.ReplaceAll(f.HTML, "12 Quay Street", "") }, []string{"postal!"}},
		{"way out lost in HTML", func(f *series.Frozen) {
			f.HTML = strings.ReplaceAll(f.HTML, outbox.UnsubscribeHole, "https://example.org/")
		}, []string{"leave!"}},
		{"way out lost in text", func(f *series.Frozen) { f.Text = strings.ReplaceAll(f.Text, outbox.UnsubscribeHole, "") }, []string{"leave!"}},
		{"large", func(f *series.Frozen) { f.HTML += strings.Repeat(" ", 90_000-len(f.HTML)) }, []string{"large"}},
		{"too large with its link only", func(f *series.Frozen) {
			f.HTML += strings.Repeat(" ", 102_399-len(f.HTML))
		}, []string{"size!"}},
		{"text thin", func(f *series.Frozen) {
			f.ArticleHTML += "<p>" + strings.Repeat("more words ", 200) + "</p>"
		}, []string{"thin"}},
		{"relative link", func(f *series.Frozen) {
			f.HTML = strings.Replace(f.HTML, "</body>", `<a href="more.html">more</a></body>`, 1)
		}, []string{"relative!"}},
		{"script link", func(f *series.Frozen) {
			f.HTML = strings.Replace(f.HTML, "</body>", `<a href="javascript:alert(1)">more</a></body>`, 1)
		}, []string{"relative!"}},
		{"silent picture", func(f *series.Frozen) { f.ArticleHTML += `<img src="https://example.org/a.png" width="1" height="1">` }, []string{"alt"}},
		{"faint text", func(f *series.Frozen) {
			f.HTML = strings.Replace(f.HTML, "</body>", `<p style="color:#999999;background-color:#ffffff">faint</p></body>`, 1)
		}, []string{"contrast"}},
		{"faint but large", func(f *series.Frozen) {
			f.HTML = strings.Replace(f.HTML, "</body>", `<p style="color:#8a8a8a;background-color:#fff;font-size:24px">large</p></body>`, 1)
		}, nil},
		{"faint and hidden", func(f *series.Frozen) {
			f.HTML = strings.Replace(f.HTML, "</body>", `<p style="display: none;color:#fff;background-color:#fff">hidden</p></body>`, 1)
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := preflightWorld(t)
			s := w.series("skin", series.Change{})
			w.importArticles(s, series.Incoming{Slug: "water", Text: series.Text{Title: "A glass of water", Markdown: plainText}})
			a, err := series.ArticleBySlug(w.ctx, w.db, "water")
			w.check("article", err)
			f, err := w.p.Render(w.ctx, s, a)
			w.check("render", err)
			tt.change(&f)
			found := w.p.Inspect(w.ctx, f, tuesday(1))
			if got := said(found); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q\n%+v", got, tt.want, found)
			}
			checkWorded(t, found)
		})
	}
}

// TestPreflightHolds: at the freeze an error holds the slot and tells the editors what to do; once mended it goes.
func TestPreflightHolds(t *testing.T) {
	for _, mode := range []series.Mode{series.Live, series.Drip} {
		t.Run(string(mode), func(t *testing.T) {
			w := preflightWorld(t)
			s := w.series("skin", series.Change{Mode: &mode})
			w.importArticles(s, series.Incoming{Slug: "water", Text: series.Text{Title: "A glass of water", Markdown: plainText + "\n\nTKTK"}})
			w.enrol(s, "ada")
			w.run(tuesday(1))
			if got, want := w.noticeText("editors"), "“TKTK” stands in the letter."; !strings.Contains(strings.Join(strings.Fields(got), " "), want) {
				t.Errorf("the editors were told\n%s\nwant it to say %q", got, want)
			}
			if got := w.deliveriesOf("ada"); len(got) != 0 {
				t.Fatalf("ada has %q, want nothing", got)
			}
			w.importArticles(s, series.Incoming{Slug: "water", Text: series.Text{Title: "A glass of water", Markdown: plainText}})
			w.run(tuesday(2))
			if got, want := w.deliveriesOf("ada"), []string{"water pending"}; !slices.Equal(got, want) {
				t.Errorf("after the mend ada has %q, want %q", got, want)
			}
		})
	}
}

// TestPreflightWarns: warnings never stop a scheduled issue.
func TestPreflightWarns(t *testing.T) {
	w := preflightWorld(t)
	s := w.series("skin", series.Change{})
	w.importArticles(s, series.Incoming{Slug: "water", Text: series.Text{
		Title: "WATER WATER!!", Markdown: plainText + "\n\nTK. A cure since 1 February 2027. ![](/a.png) See [this](/s/skin/broken).",
		Meta: map[string]string{"review_by": "2026-01-01"},
	}})
	w.enrol(s, "ada")
	if got, want := w.run(tuesday(1)), []string{wall(1) + " issued 1"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestPreflightWelcome: nobody is welcomed with what would be held; the editors hear of it once, and the confirmation counts.
func TestPreflightWelcome(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{Mode: ptr(series.Drip), Welcome: ptr("first")})
	w.importArticles(s, series.Incoming{Slug: "water", Text: series.Text{Title: "Water", Markdown: plainText + "\n\nTKTK"}})
	for _, name := range []string{"ada", "ben"} {
		v, _ := w.join(s, name)
		if got, want := w.deliveriesOf(name), []string{"notice pending"}; !slices.Equal(got, want) || v.Welcomed {
			t.Errorf("%s has %q, welcomed %v, want the confirmation alone", name, got, v.Welcomed)
		}
		w.clock.set(w.clock.now().Add(time.Minute))
	}
	if got, want := w.notices("editors"), []string{"The skin letters: no welcome can be sent"}; !slices.Equal(got, want) {
		t.Errorf("the editors were told %q, want %q", got, want)
	}
}

// TestPreflightDeadAtFreeze: a page that isn't there when its link leaves holds the issue, though the day before it may come yet.
func TestPreflightDeadAtFreeze(t *testing.T) {
	w := preflightWorld(t)
	s := w.series("skin", series.Change{})
	w.importArticles(s, series.Incoming{Slug: "water", Text: series.Text{Title: "Water", Markdown: plainText + "\n\nSee [it](/s/skin/gone)."}})
	w.enrol(s, "ada")
	if got, want := w.run(tuesday(1)), []string{wall(1) + " held 0"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, _, _, err := w.p.SendNow(context.Background(), "skin", "water", false); err == nil || !strings.Contains(err.Error(), "/s/skin/gone") {
		t.Errorf("by hand: got error %v, want it to name the link", err)
	}
}

// TestPreflightComing: a letter's own page, and one of an article that goes out later, are not there at the freeze. They never keep
// a letter back; a withdrawn article's page does.
func TestPreflightComing(t *testing.T) {
	for _, tt := range []struct{ name, link, want string }{
		{"own page by its field", "{{article_link}}", "issued 1"},
		{"own page", "/s/skin/gone", "issued 1"},
		{"a place in it", "/s/skin/gone?from=mail#sources", "issued 1"},
		{"the next article", "/s/skin/gone-later", "issued 1"},
		{"the archive", "/s/skin", "issued 1"},
		{"none of the archive's", "/about", "issued 1"},
		{"the site itself", "/", "issued 1"},
		{"of no series", "/s/hair/gone", "held 0"},
		{"withdrawn", "/s/skin/old", "held 0"},
	} {
		for _, mode := range []series.Mode{series.Live, series.Drip} {
			t.Run(tt.name+" "+string(mode), func(t *testing.T) {
				w := nowhereWorld(t)
				s := w.series("skin", series.Change{Mode: &mode, Welcome: ptr("first")})
				w.articles(s, "old")
				w.article("old", func(ctx context.Context, tx *store.Tx, id int64, now time.Time) error {
					return series.Withdraw(ctx, tx, id, now)
				})
				w.importArticles(s, series.Incoming{Slug: "gone", Text: series.Text{Title: "Water", Markdown: plainText + "\n\nSee [it](" + tt.link + ")."}})
				w.articles(s, "gone-later")
				w.enrol(s, "ada")
				if got, want := w.run(tuesday(1)), []string{wall(1) + " " + tt.want}; !slices.Equal(got, want) {
					t.Errorf("got %q, want %q; the editors were told\n%s", got, want, w.noticeText("editors"))
				}
			})
		}
	}
}

// nowhereWorld is a world of whose own pages none is there yet.
func nowhereWorld(t *testing.T) *world {
	t.Helper()
	return pagesWorld(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
}

// TestPreflightWelcomeLinksItself: a welcome with a link to its own page, which nobody has seen yet, goes out.
func TestPreflightWelcomeLinksItself(t *testing.T) {
	w := nowhereWorld(t)
	s := w.series("skin", series.Change{Mode: ptr(series.Drip), Welcome: ptr("first")})
	w.importArticles(s, series.Incoming{Slug: "water", Text: series.Text{Title: "Water", Markdown: plainText + "\n\nShare it: {{article_link}}"}})
	found, err := w.p.Preflight(w.ctx, "water")
	w.check("preflight", err)
	if got := said(found); len(got) != 0 {
		t.Errorf("before: got %q, want nothing about its own page", got)
	}
	w.join(s, "ada")
	if got, want := w.deliveriesOf("ada"), []string{"notice pending", "water pending"}; !slices.Equal(got, want) {
		t.Errorf("ada has %q, want %q", got, want)
	}
}

// dripLinks is a drip slot in which each of three readers gets another article, all with the same link.
func dripLinks(t *testing.T, w *world, link string) {
	t.Helper()
	s := w.series("skin", series.Change{Mode: ptr(series.Drip), MinGap: ptr(time.Duration(0))})
	for _, slug := range []string{"one", "two", "three"} {
		w.importArticles(s, series.Incoming{Slug: slug, Text: series.Text{Title: "Water", Markdown: plainText + "\n\nSee [it](" + link + "#" + slug + ")."}})
	}
	for i, name := range []string{"ada", "ben", "cem"} {
		w.enrol(s, name)
		if i < 2 {
			w.run(tuesday(i + 1))
		}
	}
}

// TestAskedOncePerRun: what a page says counts for all letters of a run.
func TestAskedOncePerRun(t *testing.T) {
	var asked atomic.Int32
	w := pagesWorld(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	dripLinks(t, w, "/s/skin/here")
	asked.Store(0)
	if got, want := w.run(tuesday(3)), []string{wall(3) + " issued 3"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := asked.Load(); got != 1 {
		t.Errorf("the page was asked %d times, want once for three letters", got)
	}
}

// TestAskedOncePerSend: so it is for what is sent by hand.
func TestAskedOncePerSend(t *testing.T) {
	var asked atomic.Int32
	w := pagesWorld(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	dripLinks(t, w, "/s/skin/here")
	asked.Store(0)
	if _, _, readers, err := w.p.SendNow(w.ctx, "skin", "", false); err != nil || readers != 3 {
		t.Fatalf("got %d readers and %v, want 3", readers, err)
	}
	if got := asked.Load(); got != 1 {
		t.Errorf("the page was asked %d times, want once for three letters", got)
	}
}

// TestAskingIsBounded: a site that takes requests and never answers is asked by the first letter of a run alone.
func TestAskingIsBounded(t *testing.T) {
	var asked atomic.Int32
	w := pagesWorld(t, func(_ http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		<-r.Context().Done()
	})
	s := w.series("skin", series.Change{})
	w.importArticles(s, series.Incoming{Slug: "water", Text: series.Text{Title: "Water", Markdown: plainText + "\n\n[a](/a) [b](/b) [c](/c)"}})
	ctx := newsletter.WithAsking(w.ctx, 50*time.Millisecond)
	for range 2 {
		found, err := w.p.Preflight(ctx, "water")
		w.check("preflight", err)
		if got, want := said(found), []string{"unasked", "unasked", "unasked"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := asked.Load(); got > 1 {
		t.Errorf("%d requests, want one: the first takes all the time there is", got)
	}
}

// TestProof: a day before the slot its editors get the letter and what preflight found, once.
func TestProof(t *testing.T) {
	w := preflightWorld(t)
	s := w.series("skin", series.Change{})
	w.importArticles(s, series.Incoming{Slug: "water", Text: series.Text{Title: "A glass of water", Markdown: plainText + "\n\nTK\n\nLorem ipsum dolor."}})
	w.enrol(s, "ada", "ben")
	w.run(tuesday(1).Add(-24*time.Hour - time.Minute))
	if got := w.notices("editors"); len(got) != 0 {
		t.Fatalf("more than a day before: got %q, want nothing", got)
	}
	for _, before := range []time.Duration{24 * time.Hour, 23 * time.Hour, time.Hour} {
		w.run(tuesday(1).Add(-before))
	}
	if got, want := w.notices("editors"), []string{"On Tuesday 2 March 2027: “A glass of water”"}; !slices.Equal(got, want) {
		t.Errorf("words: got %q, want %q", got, want)
	}
	if got, want := w.notices("test"), []string{"[Proof] A glass of water"}; !slices.Equal(got, want) {
		t.Errorf("letters: got %q, want %q", got, want)
	}
	text := strings.Join(strings.Fields(w.noticeText("editors")), " ")
	for _, want := range []string{
		"2 readers", "This would hold it: “Lorem ipsum dolor”", "/desk/issue/skin/" + wall(1), "/desk/article/water",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the word says\n%s\nwant it to say %q", text, want)
		}
	}
	if got, err := w.p.Issue(w.ctx, "skin/"+wall(1)); err != nil || got.Issue.State != "planned" {
		t.Errorf("the slot that the word leads to: got %s, %v, want it planned", got.Issue.State, err)
	}
}

// TestProofDrip: in drip each article that goes is shown once for each of its revisions, whatever slot it goes in.
func TestProofDrip(t *testing.T) {
	w := preflightWorld(t)
	s := w.series("skin", series.Change{Mode: ptr(series.Drip), MinGap: ptr(time.Duration(0))})
	w.articles(s, "one", "two")
	w.enrol(s, "ada")
	w.run(tuesday(1).Add(-time.Hour))
	w.run(tuesday(1))
	w.enrol(s, "ben")
	w.run(tuesday(2).Add(-time.Hour))
	if got, want := w.notices("test"), []string{"[Proof] About one", "[Proof] About two"}; !slices.Equal(got, want) {
		t.Errorf("letters: got %q, want %q", got, want)
	}
	words := slices.DeleteFunc(w.notices("editors"), func(subject string) bool { return !strings.HasPrefix(subject, "On ") })
	if len(words) != 3 {
		t.Errorf("words: got %q, want one for the first slot and two for the second", words)
	}
}

// TestProofOfWhatChanged: what a slot will send instead is shown too, once, however often it is looked at.
func TestProofOfWhatChanged(t *testing.T) {
	w := preflightWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two", "three")
	w.enrol(s, "ada")
	before := 24 * time.Hour
	later := func() { before -= time.Hour; w.run(tuesday(1).Add(-before)) }
	wants := func(what string, letters ...string) {
		t.Helper()
		later()
		later() // nothing new is said
		var words, proofs []string
		for _, title := range letters {
			words, proofs = append(words, "On Tuesday 2 March 2027: “"+title+"”"), append(proofs, "[Proof] "+title)
		}
		told := slices.DeleteFunc(w.notices("editors"), func(subject string) bool { return !strings.HasPrefix(subject, "On ") })
		equal(t, what, [][]string{told, w.notices("test")}, [][]string{words, proofs})
	}
	wants("the first", "About one")
	w.article("one", func(ctx context.Context, tx *store.Tx, id int64, now time.Time) error {
		return series.Withdraw(ctx, tx, id, now)
	})
	wants("the first withdrawn", "About one", "About two")
	w.importArticles(s, series.Incoming{Slug: "two", Text: series.Text{Title: "All about two", Markdown: plainText}})
	wants("the second edited", "About one", "About two", "All about two")
	_, _, _, err := w.p.SendNow(w.ctx, "skin", "", false)
	w.check("send by hand", err)
	wants("the second sent by hand", "About one", "About two", "All about two", "About three")
}

// TestProofOfWhatIsBlocked: a proof promises nothing that an issue on hold, or a hold of the slot itself, keeps from going.
func TestProofOfWhatIsBlocked(t *testing.T) {
	for _, mode := range []series.Mode{series.Live, series.Drip} {
		t.Run(string(mode), func(t *testing.T) {
			w := preflightWorld(t)
			s := w.series("skin", series.Change{Mode: &mode})
			w.articles(s, "one", "two", "three")
			w.enrol(s, "ada")
			w.run(monday)
			w.check("hold", w.p.HoldIssue(w.ctx, "skin/"+wall(1), "figure in one is wrong"))
			wants := func(what string, words ...string) {
				t.Helper()
				text := strings.Join(strings.Fields(w.noticeText("editors")), " ")
				for _, want := range words {
					if !strings.Contains(text, want) {
						t.Errorf("%s: the word says\n%s\nwant it to say %q", what, text, want)
					}
				}
			}
			w.run(tuesday(1).Add(-time.Hour))
			wants("a slot on hold", "“About one” is what The skin letters has for", "it goes to nobody: It is held: figure in one is wrong.", "Once that is mended it goes to 1 reader")
			w.run(tuesday(1))
			w.run(tuesday(2).Add(-time.Hour))
			wants("behind an issue on hold", "“About two” is what The skin letters has for", "/"+wall(1), "is held and keeps its turn", "Once that is mended it goes to 1 reader")
		})
	}
}

// TestProofNothingToShow: a draft in the way or a paused series gives no proof; the word follows when there is something.
func TestProofNothingToShow(t *testing.T) {
	w := preflightWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one?")
	w.enrol(s, "ada")
	w.run(tuesday(1).Add(-23 * time.Hour))
	if got := w.notices("test"); len(got) != 0 {
		t.Fatalf("a draft was shown: %q", got)
	}
	w.article("one", func(ctx context.Context, tx *store.Tx, id int64, now time.Time) error {
		return series.MarkReady(ctx, tx, id, now)
	})
	w.run(tuesday(1).Add(-23*time.Hour + time.Minute))
	if got := w.notices("test"); len(got) != 0 {
		t.Errorf("looked again after a minute: %q", got)
	}
	w.run(tuesday(1).Add(-22 * time.Hour))
	if got, want := w.notices("test"), []string{"[Proof] About one"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestPreflightUnnamedSite: a name that nobody chose is warned of, and holds nothing.
func TestPreflightUnnamedSite(t *testing.T) {
	w := preflightWorld(t)
	w.cfg.Site.Unnamed = true
	w.p = w.publisher(w.cfg)
	s := w.series("skin", series.Change{})
	w.importArticles(s, series.Incoming{Slug: "water", Text: series.Text{Title: "A glass of water", Markdown: plainText}})
	found, err := w.p.Preflight(w.ctx, "water")
	w.check("preflight", err)
	if got := said(found); !slices.Equal(got, []string{newsletter.RuleUnnamed}) {
		t.Errorf("preflight of an unnamed site = %v, want %s alone", got, newsletter.RuleUnnamed)
	}
	checkWorded(t, found)
}
