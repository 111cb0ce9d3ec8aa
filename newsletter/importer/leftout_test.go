package importer_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What a letter won't show is named with its line; code is not looked at.
func TestLeftOut(t *testing.T) {
	got := lines(readOne(t, "a.md", `---
title: A
---
Text ![p](pic.png) and ![q](https://x.example/q.png).

<script>alert(1)</script> <IMG src=x onerror=alert(1)>
[l](javascript:alert(1)), [m](mailto:a@b.example), [w](https://x.example), <b>bold</b>, your <GP>

    <script>code</script>

`+"```"+`
![p](pic.png)
`+"```"+`
![](https://x.example/alone.png)
`).Problems)
	for text, want := range map[string]bool{
		`<p hidden>x</p>`: true, `a <span class="b" style="color:red;display:none">x</span>`: true, `<p title="a hidden b">x</p>`: false, `a hidden b`: false, "    <p hidden>": false,
	} {
		said := strings.Contains(strings.Join(lines(readOne(t, "b.md", "# A\n\nWords.\n\n"+text+"\n").Problems), "\n"), "b.md:5: what an HTML tag hides on a page, a letter shows")
		if said != want {
			t.Errorf("%s: said %t, want %t", text, said, want)
		}
	}
	want := []string{
		"a.md:6: the HTML tag <script> does nothing in a letter: it is left out, or stands there as text; take it out, or write what it shows as Markdown",
		"a.md:7: a link to javascript: leads nowhere in a letter: only its words stay; link to an https address",
		"a.md:4: the picture pic.png is shown by its description: file does not exist; put it there, beside the article, or take it out of the text",
		"a.md:4: the picture https://x.example/q.png is shown by its description: it is on another server, and letters load nothing from there; put a copy beside the article and name that",
		"a.md:14: the picture https://x.example/alone.png is shown by its description: it is on another server, and letters load nothing from there; put a copy beside the article and name that",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestLeftOutIsBounded(t *testing.T) {
	if got := len(readOne(t, "a.md", "# A\n\n"+strings.Repeat("<script>\n\n", 1000)).Problems); got != 10 {
		t.Errorf("got %d notes for 1000 scripts, want 10", got)
	}
}
