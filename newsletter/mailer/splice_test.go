package mailer_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pressrun/newsletter/mailer"
)

// hole and lit are what blanks are made of.
func lit(s string) mailer.Piece        { return mailer.Piece{Text: s} }
func name(without string) mailer.Piece { return mailer.Piece{Text: without, Hole: mailer.NameHole} }

var token = mailer.Piece{Hole: mailer.TokenHole}

// form is an ordinary newsletter.
func form() mailer.Form {
	const link = "https://news.example.org/u/"
	return mailer.Form{
		From: mailer.Mailbox{Name: "Harbour Clinic", Email: "news@example.org"}, ReplyTo: "desk@example.org",
		Subject: mailer.Blank{name("Dear reader"), lit(", seven habits for calmer skin")},
		Text:    mailer.Blank{lit("Dear "), name("reader"), lit(",\n\nseven habits.\n\nLeave: " + link), token, lit("\n")},
		HTML: mailer.Blank{
			lit("<p>Dear "), name("reader"), lit(", seven habits.</p>\n<p style=\"color:#333333\"><a href=\"" + link), token,
			lit("\">leave</a> or <a href=\"https://news.example.org/preferences/"), token, lit("\">change</a></p>\n"),
		},
		List:       mailer.List{ID: "skin.news.example.org", Name: "Skin, in short", UnsubscribeURL: link},
		FeedbackID: "2027-03-30T0900:skin:slot:abcdefgh",
	}
}

func recipient() mailer.Recipient {
	return mailer.Recipient{
		MessageID: "d7.3f9a@news.example.org", Date: time.Date(2027, 3, 30, 9, 0, 0, 0, time.UTC),
		To: mailer.Mailbox{Name: "Ada Lovelace", Email: "Ada@example.org"}, Name: "Ada Lovelace", Token: strings.Repeat("q7", 18),
	}
}

func compile(t testing.TB, f mailer.Form) *mailer.Compiled {
	t.Helper()
	c, err := mailer.Compile(f)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// tester is a test or one draw of a property.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

// spliced checks that a person's message is what go-mail builds for them, or refused as it would be.
func spliced(t tester, f mailer.Form, c *mailer.Compiled, r mailer.Recipient) {
	t.Helper()
	want, wantErr := mailer.Compose(f.Draft(r))
	before := []byte("before")
	got, err := c.Message(before, r)
	if wantErr != nil || err != nil {
		for _, class := range []error{mailer.ErrHeader, mailer.ErrAddress, mailer.ErrBody} {
			if errors.Is(err, class) != errors.Is(wantErr, class) {
				t.Fatalf("got the error %v, want %v", err, wantErr)
			}
		}
		if fmt.Sprint(err) != fmt.Sprint(wantErr) {
			t.Fatalf("got the error %v, want %v", err, wantErr)
		}
		return
	}
	if !bytes.Equal(got.Bytes, want.Bytes) {
		at := 0
		for at < len(got.Bytes) && at < len(want.Bytes) && got.Bytes[at] == want.Bytes[at] {
			at++
		}
		from := max(0, at-80)
		t.Fatalf("octet %d of %d: got\n%q\nwant\n%q", at, len(want.Bytes), got.Bytes[from:min(at+80, len(got.Bytes))], want.Bytes[from:min(at+80, len(want.Bytes))])
	}
	got.Bytes, want.Bytes = nil, nil
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	appended, err := c.Append(before, r)
	if err != nil || !bytes.HasPrefix(appended, before) {
		t.Fatalf("got %q, %v", appended, err)
	}
	if bytes.Contains(appended, []byte("\r\n.")) {
		t.Fatalf("a line starts with a dot:\n%s", appended)
	}
}

// scripts are the letters that names are made of in the tests.
var scripts = map[string]string{
	"Latin": "Anna-Lena O'Brien & Søren <Æ> =. ", "Cyrillic": "Щербаков Юрий ", "Arabic": "محمد\u200cعلي ", "Devanagari": "श्रीकृष्ण ",
	"Han": "歐陽修李雷", "emoji": "👩‍👩‍👧‍👦🎉a", "combining": "e\u0301A\u030a\u0323 ",
}

// nameOf is a name of as many runes.
func nameOf(script string, runes int) string {
	letters := []rune(script)
	long := make([]rune, runes)
	for i := range long {
		long[i] = letters[i%len(letters)]
	}
	return strings.TrimSpace(string(long))
}

// within is as much of a name as a header may have.
func within(name string) string {
	for len(name) > 256 {
		name = name[:len(name)-1]
	}
	return strings.ToValidUTF8(name, "")
}

// Each line of the parts has the hole at another column, so that one message shows all columns for a name.
func TestSpliceEveryColumn(t *testing.T) {
	for script, letters := range scripts {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			f := form()
			for column := range 77 {
				for _, part := range []*mailer.Blank{&f.Text, &f.HTML} {
					*part = append(*part, lit(strings.Repeat("x", column)), name("you"), lit(". and=so on \n"))
				}
			}
			c := compile(t, f)
			for runes := 1; runes <= 200; runes++ {
				r := recipient()
				r.Name = nameOf(letters, runes)
				r.To.Name = within(r.Name)
				spliced(t, f, c, r)
			}
		})
	}
}

// A token's characters stay where they are, whatever its length and its column.
func TestSpliceEveryToken(t *testing.T) {
	f := form()
	for column := range 77 {
		for _, part := range []*mailer.Blank{&f.Text, &f.HTML} {
			*part = append(*part, lit("."+strings.Repeat("é", column/2)+strings.Repeat("x", column)), token, token, lit(" From ="), token, lit("\n"))
		}
	}
	c := compile(t, f)
	for length := 1; length <= 96; length++ {
		for _, shown := range []string{"", "Zoë"} {
			r := recipient()
			r.Name, r.Token = shown, strings.Repeat("from7", 20)[:length]
			spliced(t, f, c, r)
		}
	}
}

func TestSpliceDifficult(t *testing.T) {
	whole, half := recipient(), recipient()
	whole.Token = boundaryOf(t, whole)
	half.Token = boundaryOf(t, half)[20:]
	for about, change := range map[string]func(*mailer.Form, *mailer.Recipient){
		"no name":    func(_ *mailer.Form, r *mailer.Recipient) { r.Name, r.To.Name = "", "" },
		"name shown": func(_ *mailer.Form, r *mailer.Recipient) { r.To.Name = "" },
		"name in no place": func(f *mailer.Form, _ *mailer.Recipient) {
			f.Subject, f.Text, f.HTML = mailer.Blank{lit("a")}, mailer.Blank{lit("b")}, mailer.Blank{lit("c")}
		},
		"a long subject": func(f *mailer.Form, r *mailer.Recipient) {
			f.Subject = mailer.Blank{lit(strings.Repeat("word ", 180)), name("you")}
			r.Name = strings.Repeat("é", 60)
		},
		"a subject of one name": func(f *mailer.Form, r *mailer.Recipient) {
			f.Subject, r.Name = mailer.Blank{name("you")}, strings.Repeat("w", 61)
		},
		"an encoded name":         func(_ *mailer.Form, r *mailer.Recipient) { r.Name, r.To.Name = "=?utf-8?q?Bank?=", "=?utf-8?q?Bank?=" },
		"the boundary":            func(f *mailer.Form, r *mailer.Recipient) { f.Text = append(f.Text, lit(boundaryOf(t, *r))) },
		"the boundary as a name":  func(_ *mailer.Form, r *mailer.Recipient) { r.Name = boundaryOf(t, *r) },
		"the boundary as a token": func(_ *mailer.Form, r *mailer.Recipient) { *r = whole },
		"the boundary in two": func(f *mailer.Form, r *mailer.Recipient) {
			f.HTML, *r = append(f.HTML, lit(boundaryOf(t, *r)[:20]), token), half
		},
		"the boundary around a name": func(f *mailer.Form, r *mailer.Recipient) {
			r.Name = boundaryOf(t, *r)[11:21]
			f.HTML = append(f.HTML, lit(boundaryOf(t, *r)[:11]), name(""), lit(boundaryOf(t, *r)[21:]))
		},
		"holes side by side": func(f *mailer.Form, _ *mailer.Recipient) {
			f.Text = append(f.Text, name("x"), token, name("y"), name(""))
		},
		"all line ends": func(f *mailer.Form, _ *mailer.Recipient) {
			f.Text = append(f.Text, lit("a\r"), lit("\nb\ré\nc \r\n\t"), name("x\r\ny"), lit("\r"), token, lit("\n\r "))
		},
		"line starts": func(f *mailer.Form, r *mailer.Recipient) {
			f.Text, r.Name = append(f.Text, lit("\n"), name("x"), lit("m me\n")), "Fro"
		},
		"a dot at the start": func(f *mailer.Form, r *mailer.Recipient) {
			f.HTML, r.Name = append(f.HTML, lit("\n"), name("x")), "..."
		},
		"spaces at the end":            func(f *mailer.Form, _ *mailer.Recipient) { f.Text = append(f.Text, lit("\n"), name("x"), lit("  \t")) },
		"an address that needs UTF-8":  func(_ *mailer.Form, r *mailer.Recipient) { r.To.Email = "jörg@bücher.example" },
		"a sender that needs UTF-8":    func(f *mailer.Form, _ *mailer.Recipient) { f.ReplyTo = "jörg@bücher.example" },
		"a long message-id":            func(_ *mailer.Form, r *mailer.Recipient) { r.MessageID = strings.Repeat("m", 70) + "@example.org" },
		"a long address":               func(_ *mailer.Form, r *mailer.Recipient) { r.To.Email = strings.Repeat("a", 64) + "@example.org" },
		"another zone":                 func(_ *mailer.Form, r *mailer.Recipient) { r.Date = r.Date.In(time.FixedZone("", -5*3600)) },
		"markup":                       func(_ *mailer.Form, r *mailer.Recipient) { r.Name = `<b>"O'Neil" & Co` },
		"no address":                   func(_ *mailer.Form, r *mailer.Recipient) { r.To.Email = "ada" },
		"no domain":                    func(_ *mailer.Form, r *mailer.Recipient) { r.To.Email = "ada@xn--a.org" },
		"a name with a line end":       func(_ *mailer.Form, r *mailer.Recipient) { r.To.Name = "a\r\nb" },
		"a long name":                  func(_ *mailer.Form, r *mailer.Recipient) { r.To.Name = strings.Repeat("x", 257) },
		"no message-id":                func(_ *mailer.Form, r *mailer.Recipient) { r.MessageID = "" },
		"no date":                      func(_ *mailer.Form, r *mailer.Recipient) { r.Date = time.Time{} },
		"a subject of nothing but you": func(f *mailer.Form, r *mailer.Recipient) { f.Subject, r.Name = mailer.Blank{name("you")}, "x" },
	} {
		t.Run(about, func(t *testing.T) {
			f, r := form(), recipient()
			change(&f, &r)
			c := compile(t, f)
			spliced(t, f, c, r)
			spliced(t, f, c, recipient())
			if m, err := c.Message(nil, r); err == nil {
				wellFormed(t, m.Bytes)
				parse(t, m.Bytes)
			}
		})
	}
}

// boundaryOf is the first choice of boundary for a person's message.
func boundaryOf(t *testing.T, r mailer.Recipient) string {
	t.Helper()
	f := form()
	r.Token = "q7"
	_, rest, _ := strings.Cut(string(compose(t, f.Draft(r)).Bytes), "boundary=")
	boundary, _, _ := strings.Cut(rest, "\r\n")
	return boundary
}

// Into memory that is used again, a message is written without any more of it.
func TestSpliceAllocatesNothing(t *testing.T) {
	f := form()
	f.Subject = mailer.Blank{lit("seven habits")}
	c, room := compile(t, f), make([]byte, 0, 32<<10)
	for _, shown := range []string{"", "Ada Lovelace", "Zoë Brontë", "محمد علي", "歐陽修"} {
		r := recipient()
		r.Name, r.To.Name = shown, shown
		if n := testing.AllocsPerRun(100, func() { _, _ = c.Append(room, r) }); n > 0 {
			t.Errorf("name %q: %v allocations, want none", shown, n)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	for about, tt := range map[string]struct {
		change func(*mailer.Form)
		want   error
	}{
		"from":            {func(f *mailer.Form) { f.From.Email = "news" }, mailer.ErrAddress},
		"reply-to":        {func(f *mailer.Form) { f.ReplyTo = "news" }, mailer.ErrAddress},
		"from name":       {func(f *mailer.Form) { f.From.Name = "a\nb" }, mailer.ErrHeader},
		"subject":         {func(f *mailer.Form) { f.Subject = mailer.Blank{lit("a\nb")} }, mailer.ErrHeader},
		"no subject":      {func(f *mailer.Form) { f.Subject = nil }, mailer.ErrHeader},
		"list id":         {func(f *mailer.Form) { f.List.ID = "skin" }, mailer.ErrHeader},
		"unsubscribe URL": {func(f *mailer.Form) { f.List.UnsubscribeURL = "http://example.org/" }, mailer.ErrHeader},
		"no text":         {func(f *mailer.Form) { f.Text = nil }, mailer.ErrBody},
		"HTML":            {func(f *mailer.Form) { f.HTML = mailer.Blank{lit("\xff")} }, mailer.ErrBody},
	} {
		f := form()
		tt.change(&f)
		if _, err := mailer.Compile(f); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", about, err, tt.want)
		}
	}
}

func TestSpliceRefuses(t *testing.T) {
	c := compile(t, form())
	for _, attack := range injections {
		r := recipient()
		r.Name += attack
		if got, err := c.Message(nil, r); !errors.Is(err, mailer.ErrHeader) {
			t.Errorf("name with %q: got %v, want ErrHeader; message\n%s", attack, err, got.Bytes)
		}
	}
	for _, bad := range []string{"", "A", "a-b", "a=", "a b", "a.b", "é", "\r\n", strings.Repeat("a", 97)} {
		r := recipient()
		r.Token = bad
		if _, err := c.Message(nil, r); !errors.Is(err, mailer.ErrHeader) {
			t.Errorf("token %q: got %v, want ErrHeader", bad, err)
		}
	}
}

// texts draws what is hard to encode.
func texts() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		words := rapid.SliceOfN(rapid.SampledFrom([]string{
			".", "From ", "=", " ", "\t", "\n", "\r\n", "\r", "--", "é", "歐", "👩‍👧", "a", "<b>&\"'", "0123456789abcdef", strings.Repeat("w", 74), "\ne\u0301", "F", "rom ",
		}), 0, 30).Draw(t, "words")
		return strings.Join(words, "") + rapid.String().Draw(t, "more")
	})
}

func TestSpliceIsCompose(t *testing.T) {
	blank := func(t *rapid.T, label string) mailer.Blank {
		b := mailer.Blank{lit("x")}
		for range rapid.IntRange(0, 8).Draw(t, label) {
			b = append(b, rapid.SampledFrom([]mailer.Piece{lit(""), name("you"), token, name("")}).Draw(t, "hole"), lit(texts().Draw(t, "text")))
		}
		return b
	}
	rapid.Check(t, func(t *rapid.T) {
		f := form()
		f.Text, f.HTML = blank(t, "text"), blank(t, "html")
		if rapid.Bool().Draw(t, "subject of its own") {
			f.Subject = mailer.Blank{lit("a"), name(""), lit(rapid.StringOf(rapid.RuneFrom([]rune("ab é=?. "))).Draw(t, "subject"))}
		}
		c, err := mailer.Compile(f)
		if err != nil {
			t.Fatalf("%v", err)
		}
		for range 3 {
			r := recipient()
			letters := rapid.StringOfN(rapid.RuneFrom([]rune("Fromé.=, <&>\"'歐a0\u0301👩\u200d")), 0, 200, -1)
			r.Name = strings.TrimSpace(letters.Draw(t, "name"))
			r.To.Name = rapid.StringOfN(rapid.RuneFrom([]rune("Anna é.=\"\\<>歐\r")), 0, 90, -1).Draw(t, "to")
			r.To.Email = rapid.OneOf(rapid.StringMatching(`[a-z.é+]{1,70}@[a-z0-9é.-]{1,30}`), rapid.String()).Draw(t, "address")
			r.Token = rapid.StringMatching(`[a-z0-9]{1,96}`).Draw(t, "token")
			r.MessageID = rapid.StringMatching(`[a-z0-9.]{1,80}@[a-z.]{1,20}`).Draw(t, "id")
			spliced(t, f, c, r)
		}
	})
}

func FuzzSplice(f *testing.F) {
	f.Add("Ada", "Ada", "ada@example.org", "q7", "Dear ", ", seven habits.\n", "<p>")
	for _, attack := range injections {
		f.Add("a"+attack, "b"+attack, "ada@example.org"+attack, "q7"+attack, "c"+attack, attack, "From "+attack)
	}
	f.Add("\n.\n", ".", "jörg@bücher.example", "from", "\n.", ".\nFrom ", "=\n")
	const fields = 13
	f.Fuzz(func(t *testing.T, shown, to, address, key, before, after, html string) {
		form, r := form(), recipient()
		form.Text = mailer.Blank{lit(before), name(after), lit(after), token, lit(before)}
		form.HTML = mailer.Blank{lit(html), name(html), lit(after), token}
		c, err := mailer.Compile(form)
		if err != nil {
			return
		}
		r.Name, r.To.Name, r.To.Email, r.Token = shown, to, address, key
		m, err := c.Message(nil, r)
		if err != nil {
			return
		}
		spliced(t, form, c, r)
		wellFormed(t, m.Bytes)
		p := parse(t, m.Bytes)
		if len(p.fields) != fields || len(p.kinds) != 2 {
			t.Errorf("got %d header fields and %d parts:\n%s", len(p.fields), len(p.kinds), m.Bytes)
		}
		same(t, p, form.Draft(r))
	})
}
