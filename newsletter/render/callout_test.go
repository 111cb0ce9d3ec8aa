package render_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pressrun/newsletter/render"
)

func TestCallouts(t *testing.T) {
	for mark, want := range map[string][2]string{
		"NOTE": {"callout info", "Note"}, "important": {"callout info", "Note"}, "Tip": {"callout tip", "Tip"},
		"WARNING": {"callout warning", "Warning"}, "CAUTION": {"callout warning", "Warning"},
	} {
		e := issue(t, letter("> [!"+mark+"]\n> Ask *first*.\n>\n> Then wait.\n"))
		if page := `<div class="` + want[0] + `"><p class="callout-title"><strong>` + want[1] + "</strong></p>\n<p>Ask <em>first</em>.</p>\n<p>Then wait.</p>\n</div>"; !strings.Contains(e.ArticleHTML, page) {
			t.Errorf("%s: the page lacks %s:\n%s", mark, page, e.ArticleHTML)
		}
		if mail := `<td class="` + want[0] + `"`; !strings.Contains(e.HTML, mail) {
			t.Errorf("%s: the mail lacks %s", mark, mail)
		}
		if text := want[1] + ":\n  Ask first.\n\n  Then wait."; !strings.Contains(e.Text, text) {
			t.Errorf("%s: the text lacks %q:\n%s", mark, text, e.Text)
		}
	}
}

// A call-out that warns loses none of its words, whatever they begin with.
func TestCalloutsKeepTheirBeginning(t *testing.T) {
	for markdown, want := range map[string]string{
		"https://example.com/stop says: stop at once.":   "https://example.com/stop says: stop at once.",
		"<https://example.com/stop> says: stop at once.": "https://example.com/stop says: stop at once.",
		"{{name|friend}}, drink water.":                  nameHole.Before + "friend" + nameHole.After + ", drink water.",
		"<b>Never</b> do it.":                            "Never do it.",
		"<!-- why --> Never do it.":                      "Never do it.",
		"**Never** do it.":                               "Never do it.",
		"`rm` destroys.":                                 "rm destroys.",
		"[^1] Never do it.\n\n[^1]: Really.":             "(note 1) Never do it.",
		"![](a.png) Never do it.":                        "Never do it.",
	} {
		l := withPicture("Words.\n\n> [!WARNING]\n> "+markdown, 100, 100)
		l.NameHole = nameHole
		if e := issue(t, l); !strings.Contains(e.Text, "Warning:\n  "+want) {
			t.Errorf("%s: the text lacks %q:\n%s", markdown, want, e.Text)
		} else if !strings.Contains(e.ArticleHTML, `<div class="callout warning">`) {
			t.Errorf("%s: the page is no call-out:\n%s", markdown, e.ArticleHTML)
		}
	}
}

func TestNoCallouts(t *testing.T) {
	for _, markdown := range []string{"> [!NOTES]\n> Words.", "> [!NOTE] Words.", "> Words.\n> [!NOTE]", "[!NOTE]\nWords.", "> \\[!NOTE]\n> Words."} {
		if e := issue(t, letter(markdown)); strings.Contains(e.ArticleHTML, "callout") || !strings.Contains(e.Text, "[!NOTE") {
			t.Errorf("%q is a call-out:\n%s", markdown, e.ArticleHTML)
		}
	}
	if e := issue(t, letter("Words.\n\n> [!TIP]\n")); strings.Contains(e.ArticleHTML, "callout") || strings.Contains(e.Text, "Tip") {
		t.Errorf("a call-out without words is shown:\n%s", e.ArticleHTML)
	}
}

// withPicture is a letter that has one picture.
func withPicture(markdown string, width, height int) render.Letter {
	l := letter(markdown)
	l.Pictures = map[string]render.Picture{"a.png": {URL: "https://news.example.org/p/1.png", Width: width, Height: height}}
	return l
}

func TestPicturesHaveTheirSize(t *testing.T) {
	tests := []struct {
		about, markdown string
		width, height   int
		want            string
	}{
		{"across the column", "![Bars](a.png)", 1200, 600, `alt="Bars" width="528" height="264"`},
		{"small", "![Bars](a.png)", 100, 50, `alt="Bars" width="100" height="50"`},
		{"in a list", "* Words\n\n  ![Bars](a.png)", 1200, 600, `width="440" height="220"`},
		{"in a call-out", "> [!TIP]\n> ![Bars](a.png)", 1200, 600, `width="440" height="220"`},
		{"in a table", "| a |\n|---|\n| ![Bars](a.png) |", 1200, 600, `width="160" height="80"`},
		{"as a link", "[![Bars](a.png)](https://example.org/bars)", 1200, 600, `<a href="https://example.org/bars"`},
		{"as decoration", "![](a.png)", 1200, 600, `alt="" width="528"`},
		{"a line", "![Bars](a.png)", 1200, 1, `height="1"`},
	}
	for _, test := range tests {
		t.Run(test.about, func(t *testing.T) {
			e := issue(t, withPicture("Words.\n\n"+test.markdown, test.width, test.height))
			if !strings.Contains(e.HTML, `<img src="https://news.example.org/p/1.png"`) || !strings.Contains(e.HTML, test.want) {
				t.Errorf("the HTML lacks %s:\n%s", test.want, e.HTML)
			}
			if !strings.Contains(test.markdown, "Bars") {
				return
			}
			if !strings.Contains(e.Text, "[Picture: Bars]") {
				t.Errorf("the text lacks the picture's description:\n%s", e.Text)
			}
		})
	}
}

func TestCaption(t *testing.T) {
	e := issue(t, withPicture("Words.\n\n![Bars](a.png \"Hours & <minutes>\")", 600, 300))
	if want := `<p class="caption">Hours &amp; &lt;minutes&gt;</p>`; !strings.Contains(e.ArticleHTML, want) {
		t.Errorf("the page lacks %s:\n%s", want, e.ArticleHTML)
	}
	if want := "[Picture: Bars]\n\nHours & <minutes>"; !strings.Contains(e.Text, want) {
		t.Errorf("the text lacks %q:\n%s", want, e.Text)
	}
}

// Nothing is loaded from elsewhere, however it is written.
func TestForeignPicturesAreNotLoaded(t *testing.T) {
	for _, markdown := range []string{
		"![x](https://evil.example/a.png)", `<img src="https://evil.example/a.png">`, "<div>\n<img src=\"https://evil.example/a.png\">\n</div>",
		"![x](//evil.example/a.png)", "![x](b.png)", "![x](a.png?x)", "![x](data:image/png;base64,AAAA)", `a <img src="https://news.example.org/p/2.png">`,
	} {
		if e := issue(t, withPicture("Words.\n\n"+markdown, 100, 100)); strings.Contains(e.HTML+e.ArticleHTML, "<img") {
			t.Errorf("%s is loaded:\n%s", markdown, e.ArticleHTML)
		}
	}
}

// What a mail can't play is a link to the article's page in both parts, and on that page one to its own address: in blocks
// and in paragraphs, on one line and on several. Nothing of its tags reaches a reader.
func TestPlayersAreLinks(t *testing.T) {
	const target = `href="https://video.example/embed/1?a=1&amp;b=2"`
	for markdown, words := range map[string]string{
		"<div>\n<iframe src=\"https://video.example/embed/1?a=1&amp;b=2\" onload=\"alert(1)\"></iframe>\n</div>":                "Something to see in the browser",
		"<div>\n<video controls><source src='https://video.example/embed/1?a=1&b=2'>Too old.</video>\n</div>":                   "A video",
		"<video src=\"https://video.example/embed/1?a=1&amp;b=2\" controls></video>":                                            "A video",
		"<video controls>\n<source src=\"https://video.example/embed/1?a=1&amp;b=2\">\n<p>Too old.</p>\n</video>":               "A video",
		"<video controls\nsrc=\"https://video.example/embed/1?a=1&amp;b=2\">Too *old*.</video>":                                 "A video",
		"Hear <audio src=\"https://video.example/embed/1?a=1&amp;b=2\">Too **old**.</audio> this.":                              "A recording",
		"Hear <audio><source src=\"https://video.example/embed/1?a=1&amp;b=2\"><track src=x>\nToo old.</audio> this.":           "A recording",
		"- see <iframe src=\"https://video.example/embed/1?a=1&amp;b=2\"></iframe>":                                             "Something to see in the browser",
		"<iframe src=\"//video.example/embed/1?a=1&amp;b=2\"></iframe>":                                                         "Something to see in the browser",
		"| a | b |\n|---|---|\n| <audio src=\"https://video.example/embed/1?a=1&amp;b=2\">Too old.</audio> | x |":               "A recording",
		"Unclosed <video src=\"https://video.example/embed/1?a=1&amp;b=2\"> here.":                                              "A video",
		"<iframe\n  width=\"560\"\n  src=\"https://video.example/embed/1?a=1&amp;b=2\"\n  allowfullscreen>\n</iframe>\n\nMore.": "Something to see in the browser",
	} {
		l := letter(markdown + "\n\nWords of the letter.")
		l.ViewURL = "https://news.example.org/skin/water"
		e := issue(t, l)
		if !strings.Contains(e.ArticleHTML, target) || strings.Contains(e.HTML, "video.example") || strings.Contains(e.Text, "video.example") {
			t.Errorf("%s: the page lacks the address, or the letter has it:\n%s\n%s", markdown, e.ArticleHTML, e.Text)
		}
		if !regexp.MustCompile(`href="https://news.example.org/skin/water"[^>]*>`+words).MatchString(e.HTML) || !strings.Contains(e.Text, words) {
			t.Errorf("%s: the letter lacks the link %q:\n%s", markdown, words, e.Text)
		}
		for _, s := range []string{e.HTML, e.Text, e.ArticleHTML, e.Preheader} {
			for _, tag := range []string{"&lt;", "<video", "<audio", "<iframe", "</video", "</audio", "</iframe", "<source", "<track", " old"} {
				if strings.Contains(s, tag) {
					t.Errorf("%s: %q reaches a reader: %s", markdown, tag, s)
				}
			}
		}
		if strings.Contains(e.Preheader, "https:") {
			t.Errorf("%s: the preheader is %q", markdown, e.Preheader)
		}
	}
	for _, markdown := range []string{"<div>\n<iframe src=\"javascript:alert(1)\"></iframe>\n</div>", "See <video src=\"javascript:alert(1)\"></video> this.", "See <video src=clip.mp4> this.</video>"} {
		if e := issue(t, letter("Words.\n\n"+markdown)); strings.Contains(e.HTML+e.Text+e.ArticleHTML, "javascript") || strings.Contains(e.HTML+e.Text, "A video") {
			t.Errorf("%s is linked: %s", markdown, e.HTML)
		}
	}
}

func TestReferences(t *testing.T) {
	got := render.References("Words ![a](a.png).\n\n> ![b](<my b.png> \"c\")\n\n`![no](no.png)`\n\n![c][ref]\n\n[ref]: c.jpg\n")
	want := []render.Reference{{Path: "a.png", Line: 1}, {Path: "my b.png", Line: 3}, {Path: "c.jpg", Line: 9}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("References (-want +got):\n%s", diff)
	}
}

func TestSourcesAndReview(t *testing.T) {
	l := letter("Words.")
	for range 101 {
		l.Sources = append(l.Sources, "One")
	}
	if _, err := render.Issue(l); err == nil || !slices.Equal(badFields(err), []string{"Sources"}) {
		t.Errorf("101 sources: %v", err)
	}
	l.Sources, l.ReviewedBy = []string{`<script>alert(1)</script> & [x](javascript:alert(1))`}, `A <b>B</b>`
	e := issue(t, l)
	if strings.Contains(e.HTML+e.ArticleHTML, "<script>alert") || strings.Contains(e.HTML, "href=\"javascript") || !strings.Contains(e.HTML, "A &lt;b&gt;B&lt;/b&gt;") {
		t.Errorf("the HTML is %s", e.HTML)
	}
}
