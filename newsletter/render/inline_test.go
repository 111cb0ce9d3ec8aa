package render

import (
	"strings"
	"testing"
)

func TestInlineStyles(t *testing.T) {
	for name, tt := range map[string]struct{ css, body, want string }{
		"one":              {"p{color:red}", "<p>x</p>", `<p style="color:red">x</p>`},
		"list of two":      {"p, b{color:red}", "<p><b>x</b></p>", `<p style="color:red"><b style="color:red">x</b></p>`},
		"later wins":       {"p{color:red}p{color:blue}", "<p>x</p>", `<p style="color:blue">x</p>`},
		"class beats tag":  {".a{color:red}p{color:blue}", `<p class="a">x</p>`, `<p class="a" style="color:red">x</p>`},
		"descendant":       {"div p{color:red}.b{color:blue}", `<div><p class="b">x</p></div>`, `<div><p class="b" style="color:blue">x</p></div>`},
		"child only":       {"div > p{color:red}", "<div><p>x</p><b><p>y</p></b></div>", `<div><p style="color:red">x</p><b><p>y</p></b></div>`},
		"attribute":        {"[dir=rtl] p{color:red}", `<div dir="rtl"><p>x</p></div><p>y</p>`, `<div dir="rtl"><p style="color:red">x</p></div><p>y</p>`},
		"own style wins":   {"p{color:red;margin:0}", `<p style="color:blue">x</p>`, `<p style="margin:0;color:blue">x</p>`},
		"important":        {"p{color:red!important}.a{color:blue}", `<p class="a" style="color:green">x</p>`, `<p class="a" style="color:red">x</p>`},
		"own important":    {"p{color:red !important}", `<p style="color:green !IMPORTANT">x</p>`, `<p style="color:green">x</p>`},
		"longhand after":   {"p{margin:0 0 4px}.a{margin-top:9px}", `<p class="a">x</p>`, `<p class="a" style="margin:0 0 4px;margin-top:9px">x</p>`},
		"shorthand after":  {"p{margin-top:9px}.a{margin:0}", `<p class="a">x</p>`, `<p class="a" style="margin:0">x</p>`},
		"border stays":     {"p{border-radius:4px;border:0}", "<p>x</p>", `<p style="border-radius:4px;border:0">x</p>`},
		"first and last":   {"p:first-child{color:red}p:last-child{color:blue}", "<div><p>x</p><p>y</p></div>", `<div><p style="color:red">x</p><p style="color:blue">y</p></div>`},
		"not":              {"p:not(.a){color:red}", `<p class="a">x</p><p>y</p>`, `<p class="a">x</p><p style="color:red">y</p>`},
		"comments":         {"/* a */p{/* b */color:red}", "<p>x</p>", `<p style="color:red">x</p>`},
		"strings and urls": {`p{font-family:"A B",'C';content:"a;b}"}`, "<p>x</p>", `<p style="font-family:&#34;A B&#34;,&#39;C&#39;;content:&#34;a;b}&#34;">x</p>`},
		"mso property":     {"p{mso-hide:all;-webkit-text-size-adjust:100%}", "<p>x</p>", `<p style="mso-hide:all;-webkit-text-size-adjust:100%">x</p>`},
		"Outlook's table":  {"td{color:red}", "<!--[if mso]><table><tr><td><![endif]--><table><tbody><tr><td>x</td></tr></tbody></table><!--[if mso]></td></tr></table><![endif]-->", `<!--[if mso]><table><tr><td><![endif]--><table><tbody><tr><td style="color:red">x</td></tr></tbody></table><!--[if mso]></td></tr></table><![endif]-->`},
		"hidden from mso":  {"p{color:red}", "<!--[if !mso]><!--><p>x</p><!--<![endif]-->", `<!--[if !mso]><!--><p style="color:red">x</p><!--<![endif]-->`},
		"table space":      {"", "<table> <tbody> <tr> <td>a b</td> </tr> </tbody> </table>", "<table><tbody><tr><td>a b</td></tr></tbody></table>"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := inlineStyles([]byte("<!doctype html><html><head><style>" + tt.css + "</style></head><body>" + tt.body + "</body></html>"))
			if err != nil {
				t.Fatal(err)
			}
			want := "<!DOCTYPE html><html><head></head><body>" + tt.want + "</body></html>\n"
			if got != want {
				t.Errorf("%s in\n%s\n got %s\nwant %s", tt.css, tt.body, got, want)
			}
		})
	}
}

func TestEmbeddedSheetStays(t *testing.T) {
	const sheet = "@media (max-width: 620px) { .a > b:hover { color: red !important; } }\n[data-ogsc] .a { color: blue; } u + .body .a { margin: 0; }"
	got, err := inlineStyles([]byte("<html><head><style data-embed>" + sheet + `</style></head><body><p class="a">x</p></body></html>`))
	if err != nil {
		t.Fatal(err)
	}
	if want := "<html><head><style>" + sheet + `</style></head><body><p class="a">x</p></body></html>` + "\n"; got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

// What only a browser can match would be lost in silence, so it is a mistake of the layout.
func TestInlineStylesRefuses(t *testing.T) {
	for _, css := range []string{"@media print { p { color: red } }", "@import 'x';", "p:hover{color:red}", "p::before{color:red}", "p{{color:red}", "}p{", "p >{color:red}"} {
		got, err := inlineStyles([]byte("<html><head><style>" + css + "</style></head><body><p>x</p></body></html>"))
		if err == nil {
			t.Errorf("%q was taken: %s", css, got)
		}
	}
}

func TestWrap(t *testing.T) {
	for name, tt := range map[string]struct {
		in    string
		width int
		want  []string
	}{
		"short":        {"one two", 10, []string{"one two"}},
		"exact":        {"one two th", 10, []string{"one two th"}},
		"over":         {"one two thr", 10, []string{"one two", "thr"}},
		"address":      {"see https://example.org/a/very/long/path now", 10, []string{"see", "https://example.org/a/very/long/path", "now"}},
		"line feed":    {"one\ntwo", 10, []string{"one", "two"}},
		"no-break":     {"one two\u00a0three", 10, []string{"one", "two\u00a0three"}},
		"wide":         {"睡眠不足のとき、肌", 8, []string{"睡眠不足", "のとき、", "肌"}},
		"wide at mark": {"睡眠不足。次", 8, []string{"睡眠不", "足。次"}},
		"vowel signs":  {"مرتفعًا حتى", 11, []string{"مرتفعًا حتى"}},
		"empty":        {"", 10, []string{""}},
		"spaces":       {"  one   two  ", 10, []string{"one two"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := wrap(tt.in, tt.width); strings.Join(got, "|") != strings.Join(tt.want, "|") {
				t.Errorf("wrap(%q, %d)\n got %q\nwant %q", tt.in, tt.width, got, tt.want)
			}
		})
	}
}
