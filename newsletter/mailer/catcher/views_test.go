package catcher_test

import (
	"strings"
	"testing"

	"golang.org/x/net/html"

	"pressrun/newsletter/mailer/catcher"
)

func TestViews(t *testing.T) {
	raw := "From: Clinic <news@example.org>\r\nTo: ada@example.org\r\nSubject: </title><script>alert(1)</script>\r\n" +
		"MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n" +
		"--b\r\nContent-Type: text/plain\r\n\r\nThe <text> part.\r\n" +
		"--b\r\nContent-Type: text/html\r\n\r\n<html><head><style>@media (prefers-color-scheme: dark) { p { color: red } }</style></head>" +
		"<body><p>The part in \"HTML\"</p><script>alert(2)</script></body></html>\r\n--b--\r\n"
	page, err := catcher.Views([]byte(raw), strings.NewReplacer("The part", `<img src="data:image/png;base64,AAAA">The part`))
	if err != nil {
		t.Fatal(err)
	}
	root, err := html.Parse(strings.NewReader(string(page)))
	if err != nil {
		t.Fatal(err)
	}
	var frames, texts []string
	for n := range root.Descendants() {
		switch n.Data {
		case "script":
			t.Errorf("a script of the mail is one of the page: %s", page)
		case "pre":
			texts = append(texts, n.FirstChild.Data)
		case "iframe":
			for _, a := range n.Attr {
				if a.Key == "srcdoc" {
					frames = append(frames, a.Val)
				}
			}
		}
	}
	if len(frames) != 4 || len(texts) != 2 {
		t.Fatalf("%d frames and %d texts, want 4 and 2", len(frames), len(texts))
	}
	if shown := strings.Count(strings.Join(frames, ""), "data:image/png"); shown != 3 || strings.Contains(frames[3], "data:") || !strings.Contains(string(page), "img-src http: https: data:") {
		t.Errorf("%d frames have the picture, want all but the one without pictures", shown)
	}
	for i, want := range []string{"(max-width:0)", "(max-width:0)", "(min-width:0)", "img-src 'none'"} {
		if !strings.Contains(frames[i], want) || !strings.Contains(frames[i], `The part in "HTML"`) {
			t.Errorf("frame %d lacks %s: %s", i, want, frames[i])
		}
	}
	if !strings.Contains(texts[0], "The <text> part.") || !strings.Contains(texts[1], "boundary=b") {
		t.Errorf("the texts are %q", texts)
	}
}
