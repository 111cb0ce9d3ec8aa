package render

import (
	"errors"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pressrun/templates"
)

// compare is what the browser runs: each pair of frames must have the same elements with the same computed styles.
const compare = `<script>
addEventListener("load", () => {
	const out = [];
	const frames = [...document.querySelectorAll("iframe")];
	let elements = 0;
	for (let i = 0; i < frames.length; i += 2) {
		const [a, b] = [frames[i], frames[i + 1]].map(f => [...f.contentDocument.body.querySelectorAll("*")]);
		if (a.length !== b.length) out.push(frames[i].title + ": " + a.length + " elements and " + b.length);
		a.forEach((x, n) => {
			const y = b[n];
			if (!y) return;
			elements++;
			const s = x.ownerDocument.defaultView.getComputedStyle(x), t = y.ownerDocument.defaultView.getComputedStyle(y);
			for (const p of s) if (s.getPropertyValue(p) !== t.getPropertyValue(p))
				out.push(frames[i].title + ": <" + x.localName + " class=" + x.className + "> " + p + ": " + s.getPropertyValue(p) + " in the sheet, " + t.getPropertyValue(p) + " inlined");
		});
	}
	const pre = document.createElement("pre");
	pre.id = "result";
	pre.textContent = "compared " + elements + " elements\n" + out.slice(0, 20).join("\n") + "\nend of " + out.length;
	document.body.append(pre);
});
</script>`

// tricky is a document with what cascades go wrong on.
const tricky = `<!doctype html><html><head><style>
p, .a > b, div p:first-child { margin: 4px 8px; color: #333333 }
.box p { margin-left: 20px }
div.box p { margin: 1px 2px 3px }
#one { padding-top: 9px; padding: 2px; border-left: 3px solid #ff0000; border: 1px dotted #00ff00 }
p.two { border: 0; border-left: 5px solid #0000ff; font: bold 20px/30px Georgia, serif; font-size: 12px }
.two { color: #123456 !important } p#one.two { color: #654321 }
b { font-weight: normal !important }
td, th { padding: 3px } .w td { padding-left: 30px } table td { padding: 1px 2px }
[dir=rtl] p { text-align: right; background: #eeeeee } p { background-color: #ffffff; text-align: left }
ul li:last-child, li + li { list-style: square inside } li { list-style-type: disc }
:not(.box) > i { text-decoration: underline dotted #ff0000 } i { text-decoration-line: none }
</style></head><body><div class="box a"><p id="one" class="two" style="color:#ff00ff;margin-top:7px">x <b style="font-weight:bold">b</b></p><p>y</p></div>
<div dir="rtl"><p class="two" style="border-left-width:9px !important">z <i>i</i></p></div><div class="box"><i>j</i><b>k</b></div>
<table class="w"><tr><th>a</th><td style="padding-right:40px">b</td></tr></table><ul><li>1</li><li>2</li><li>3</li></ul></body></html>`

// TestInlinedAsChromiumComputes asks a browser what every element of our letters looks like with the style sheet, and with
// the sheet inlined.
func TestInlinedAsChromiumComputes(t *testing.T) {
	browser := chromium(t)
	documents := map[string][]byte{"tricky": []byte(tricky)}
	for _, name := range []string{"sample", "features", "arabic", "health"} {
		source, err := os.ReadFile(filepath.Join("testdata", "source", name+".md"))
		if err != nil {
			t.Fatal(err)
		}
		l := Letter{
			Language: map[string]string{"arabic": "ar"}[name], SiteName: "Site", SeriesTitle: "Series", Title: name, Markdown: string(source),
			Disclaimer: "Ask *first*.", DisclaimerPlace: "both", Part: 1, Of: 2, Next: &Link{"Next", ""}, Greeting: "Welcome.",
			ViewURL: "https://example.org/v", SeriesURL: "https://example.org/s", PostalAddress: "1 Quay", UnsubscribeURL: "https://example.org/u",
			Style: Style{Look: templates.Look{Theme: map[string]string{"features": "plain"}[name]}},
		}
		documents[name] = laidOut(t, l)
	}
	var page strings.Builder
	page.WriteString("<!doctype html><meta charset=utf-8><title>Compare</title>")
	for name, document := range documents {
		inlined, err := inlineStyles(document)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, side := range []string{string(document), inlined} {
			page.WriteString(`<iframe width=800 height=600 title="` + name + `" srcdoc="` + html.EscapeString(side) + `"></iframe>`)
		}
	}
	page.WriteString(compare)
	file := filepath.Join(t.TempDir(), "compare.html")
	if err := os.WriteFile(file, []byte(page.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), browser, "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+t.TempDir(),
		"--virtual-time-budget=20000", "--dump-dom", "file://"+file).Output()
	if err != nil {
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			t.Skipf("%s doesn't run here: %v: %s", browser, err, failed.Stderr)
		}
		t.Fatal(err)
	}
	_, result, ok := strings.Cut(string(out), `<pre id="result">`)
	result, _, _ = strings.Cut(result, "</pre>")
	if !ok || strings.HasPrefix(result, "compared 0") {
		t.Fatalf("the browser compared nothing:\n%.2000s", out)
	}
	if !strings.HasSuffix(result, "\nend of 0") {
		t.Error(html.UnescapeString(result))
	}
	t.Log(strings.SplitN(result, "\n", 2)[0])
}

func laidOut(t *testing.T, l Letter) []byte {
	t.Helper()
	l, err := l.checked()
	if err != nil {
		t.Fatal(err)
	}
	c, err := compose(l)
	if err != nil {
		t.Fatal(err)
	}
	document, err := c.layout()
	if err != nil {
		t.Fatal(err)
	}
	return document
}

// chromium finds a browser, or skips.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no Chromium here to ask what it computes (package chromium)")
	return ""
}
