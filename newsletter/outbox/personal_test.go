package outbox_test

import (
	"strings"
	"testing"

	"golang.org/x/net/html"
	"pgregory.net/rapid"

	"pressrun/newsletter/outbox"
)

// nameHole is a hole as the renderer writes it.
func nameHole(fallback string) string {
	return outbox.NameHoleBefore + strings.ReplaceAll(fallback, " ", "\u00a0") + outbox.NameHoleAfter
}

func TestPersonal(t *testing.T) {
	tests := []struct{ about, name, subject, html, text string }{
		{"a name", "Ada", "Ada, a letter", "<p>Dear Ada &amp; Ada</p>", "Dear Ada & Ada\n"},
		{"no name", "", "dear reader, a letter", "<p>Dear friend &amp; R&amp;D</p>", "Dear friend & R&D\n"},
		{"markup", `<b>"O'Neil" & Co`, `<b>"O'Neil" & Co, a letter`, "<p>Dear &lt;b&gt;&#34;O&#39;Neil&#34; &amp; Co &amp; &lt;b&gt;&#34;O&#39;Neil&#34; &amp; Co</p>", "Dear <b>\"O'Neil\" & Co & <b>\"O'Neil\" & Co\n"},
		{"line breaks", "Ada\r\nBcc x", "Ada Bcc x, a letter", "<p>Dear Ada Bcc x &amp; Ada Bcc x</p>", "Dear Ada Bcc x & Ada Bcc x\n"},
		{"a turned line", "Ada\u202eevil", "Adaevil, a letter", "<p>Dear Adaevil &amp; Adaevil</p>", "Dear Adaevil & Adaevil\n"},
		{"a hole", nameHole("x"), "x, a letter", "<p>Dear x &amp; x</p>", "Dear x & x\n"},
		{"another hole", "HOLE", "HOLE, a letter", "<p>Dear HOLE &amp; HOLE</p>", "Dear HOLE & HOLE\n"},
		{"a link", "https://evil.example", "dear reader, a letter", "<p>Dear friend &amp; R&amp;D</p>", "Dear friend & R&D\n"},
		{"a field", "{{name|x}}", "{{name|x}}, a letter", "<p>Dear {{name|x}} &amp; {{name|x}}</p>", "Dear {{name|x}} & {{name|x}}\n"},
	}
	for _, test := range tests {
		t.Run(test.about, func(t *testing.T) {
			subject, htmlPart, text := outbox.Personal{Name: test.name, UnsubscribeURL: "https://a.example/u/1?a=1&b=2", PreferencesURL: "https://a.example/p?a&b"}.Fill(
				nameHole("dear reader")+", a letter",
				"<p>Dear "+nameHole("friend")+" &amp; "+nameHole("R&amp;D")+"</p>"+outbox.UnsubscribeHole+" "+outbox.PreferencesHole,
				"Dear "+nameHole("friend")+" & "+nameHole("R&D")+"\n"+outbox.UnsubscribeHole+" "+outbox.PreferencesHole)
			if subject != test.subject {
				t.Errorf("subject %q, want %q", subject, test.subject)
			}
			if want := test.html + "https://a.example/u/1?a=1&amp;b=2 https://a.example/p?a&amp;b"; htmlPart != want {
				t.Errorf("HTML %q, want %q", htmlPart, want)
			}
			if want := test.text + "https://a.example/u/1?a=1&b=2 https://a.example/p?a&b"; text != want {
				t.Errorf("text %q, want %q", text, want)
			}
		})
	}
}

func TestShownNames(t *testing.T) {
	for name, want := range map[string]string{
		"J.R.R. Tolkien": "J.R.R. Tolkien", "St. John Smythe-Jones Jr.": "St. John Smythe-Jones Jr.", "李雷": "李雷", "Anna 2.": "Anna 2.",
		"می\u200cخواهم": "می\u200cخواهم", "A\u00adda\u200b": "Ada", "Ada\u3164": "Ada",
		"\u200b": "", "\u3164": "", "\u00ad\u00ad": "", "\u2800": "", "\u200d": "", "...": "", "123": "", "\u0301": "",
		"evil.com win now": "", "win at EVIL.Com": "", "https:evil": "", "evil.\u200bcom": "", "evil。com": "", "münchen.bü": "", "x.y-z": "", "www.e": "",
		"a@b": "", "a/b": "", `a\b`: "", "Bcc: x": "", strings.Repeat("a", 61): "", strings.Repeat("a", 60): strings.Repeat("a", 60),
	} {
		if want == "" {
			want = "you"
		}
		if got, _, _ := (outbox.Personal{Name: name}).Fill(nameHole("you"), "", ""); got != want {
			t.Errorf("%q is shown as %q, want %q", name, got, want)
		}
	}
}

// A character that shows nothing has a name looked at closely, and changes nothing.
func TestPlainNamesAreShown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.OneOf(rapid.String(), rapid.StringOfN(rapid.RuneFrom([]rune("Az .é'-\t@")), 0, 62, -1), rapid.StringMatching(`[A-Z][a-z]{0,30}( [A-Z][a-z]{0,30}){0,2} ?`)).Draw(t, "name")
		plain, _, _ := outbox.Personal{Name: name}.Fill(nameHole("you"), "", "")
		closer, _, _ := outbox.Personal{Name: name + "\u200b"}.Fill(nameHole("you"), "", "")
		if plain != closer {
			t.Fatalf("%q is shown as %q, want %q", name, plain, closer)
		}
	})
}

// One reader's long name in a long subject would be refused as a header, and stop the issue for all.
func TestSubjectStaysAHeader(t *testing.T) {
	name, rest := strings.Repeat("𠀀", 60), strings.Repeat("w", 700)
	subject, _, text := outbox.Personal{Name: name}.Fill(rest+nameHole("you")+nameHole("you"), "", nameHole("you"))
	if want := rest + "youyou"; subject != want || text != name {
		t.Errorf("subject of %d octets, text %q; want one of %d and the name", len(subject), text, len(want))
	}
	if subject, _, _ = (outbox.Personal{Name: name}).Fill(rest+nameHole("you"), "", ""); subject != rest+name {
		t.Errorf("subject of %d octets, want the name in it", len(subject))
	}
}

// A stranger's name never changes the markup, makes no second line and leaves no hole.
func TestNameIsData(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.OneOf(rapid.String(), rapid.StringOfN(rapid.RuneFrom([]rune("<>&\"'\r\n\uE0F0\uE0F1a {}|")), 0, 80, -1)).Draw(t, "name")
		subject, htmlPart, text := outbox.Personal{Name: name}.Fill(nameHole("you"), "<p title=\""+nameHole("you")+"\">"+nameHole("you")+"</p>", nameHole("you"))
		if strings.ContainsAny(subject+text, "\r\n\uE0F0\uE0F1") {
			t.Fatalf("%q gives the subject %q and the text %q", name, subject, text)
		}
		z, tags := html.NewTokenizer(strings.NewReader(htmlPart)), 0
		for {
			kind := z.Next()
			if kind == html.ErrorToken {
				break
			}
			if token := z.Token(); kind == html.TextToken && token.Data != text {
				t.Fatalf("%q is read as %q in the HTML, want %q", name, token.Data, text)
			} else if kind != html.TextToken {
				tags++
				if len(token.Attr) > 1 {
					t.Fatalf("%q makes the attributes %v", name, token.Attr)
				}
			}
		}
		if tags != 2 {
			t.Fatalf("%q makes %d tags of 2: %s", name, tags, htmlPart)
		}
	})
}

func TestUnclosedHoleStays(t *testing.T) {
	subject, _, _ := outbox.Personal{Name: "Ada"}.Fill("a"+outbox.NameHoleBefore+"b", "", "")
	if want := "ab"; subject != want {
		t.Errorf("subject %q, want %q", subject, want)
	}
}
