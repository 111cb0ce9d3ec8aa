package subscribers_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pressrun/subscribers"
)

func ExampleParseAddress() {
	a, err := subscribers.ParseAddress(" Ada.Lovelace@Bücher.example ")
	fmt.Println(a.Wire, err)
	fmt.Println(a.Key)
	fmt.Println(a.Masked())
	// Output:
	// Ada.Lovelace@xn--bcher-kva.example <nil>
	// ada.lovelace@xn--bcher-kva.example
	// A••••@Bücher.example
}

func TestMaskedApart(t *testing.T) {
	for _, tt := range []struct{ a, b, wantA, wantB string }{
		{"ada@example.org", "bob@example.org", "a••••@example.org", "b••••@example.org"},
		{"ada@example.org", "ada@example.net", "a••••@example.org", "a••••@example.net"},
		{"ada@example.org", "Ada@example.org", "a••••@example.org", "A••••@example.org"},
		{"anna@example.org", "annika@example.org", "a••a••@example.org", "a••i••@example.org"},
		{"ann@example.org", "anna@example.org", "a••••@example.org", "a••a••@example.org"},
		{"anna@example.org", "a@example.org", "a••n••@example.org", "a••••@example.org"},
		{"zoë@example.org", "zoé@example.org", "z••ë••@example.org", "z••é••@example.org"},
		{"ada@example.org", "ada@example.org", "a••••@example.org", "a••••@example.org"},
	} {
		a, err := subscribers.ParseAddress(tt.a)
		b, failed := subscribers.ParseAddress(tt.b)
		if err != nil || failed != nil {
			t.Fatal(err, failed)
		}
		if gotA, gotB := subscribers.MaskedApart(a, b); gotA != tt.wantA || gotB != tt.wantB {
			t.Errorf("MaskedApart(%s, %s) = %s, %s; want %s, %s", tt.a, tt.b, gotA, gotB, tt.wantA, tt.wantB)
		}
	}
}

func TestParseAddress(t *testing.T) {
	long := strings.Repeat("a", 64)
	for _, tt := range []struct{ in, key, wire string }{
		{"ada@example.org", "ada@example.org", "ada@example.org"},
		{"Ada@Example.ORG", "ada@example.org", "Ada@example.org"},
		{"\t ada@example.org\n", "ada@example.org", "ada@example.org"},
		{"ada+news@example.org", "ada+news@example.org", "ada+news@example.org"},
		{"a.d.a@example.org", "a.d.a@example.org", "a.d.a@example.org"},
		{"o'hara@example.org", "o'hara@example.org", "o'hara@example.org"},
		{"_ada_@example.org", "_ada_@example.org", "_ada_@example.org"},
		{"007@example.org", "007@example.org", "007@example.org"},
		{"!#$%&'*+-/=?^_`{|}~@example.org", "!#$%&'*+-/=?^_`{|}~@example.org", "!#$%&'*+-/=?^_`{|}~@example.org"},
		{"ada@sub.example.photography", "ada@sub.example.photography", "ada@sub.example.photography"},
		{"ada@123.example.org", "ada@123.example.org", "ada@123.example.org"},
		{"ada@例え.テスト", "ada@xn--r8jz45g.xn--zckzah", "ada@xn--r8jz45g.xn--zckzah"},
		{"ada@straße.example", "ada@xn--strae-oqa.example", "ada@xn--strae-oqa.example"}, // not strasse: non-transitional
		{"ada@XN--BCHER-KVA.example", "ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"},
		{"ada@example。org", "ada@example.org", "ada@example.org"},
		{"JOSÉ@example.org", "josé@example.org", "JOSÉ@example.org"},
		{"jose\u0301@example.org", "jos\u00e9@example.org", "jose\u0301@example.org"},
		{"用户@example.org", "用户@example.org", "用户@example.org"},
		{long + "@example.org", long + "@example.org", long + "@example.org"},
	} {
		t.Run(tt.in, func(t *testing.T) {
			a, err := subscribers.ParseAddress(tt.in)
			if err != nil {
				t.Fatalf("ParseAddress(%q): %v", tt.in, err)
			}
			if a.Key != tt.key || a.Wire != tt.wire {
				t.Errorf("ParseAddress(%q) = key %q, wire %q; want %q, %q", tt.in, a.Key, a.Wire, tt.key, tt.wire)
			}
			if a.Typed != strings.TrimSpace(tt.in) {
				t.Errorf("ParseAddress(%q).Typed = %q, want it as typed", tt.in, a.Typed)
			}
			if got := a.Key[strings.LastIndex(a.Key, "@")+1:]; a.Domain != got {
				t.Errorf("ParseAddress(%q).Domain = %q, want %q", tt.in, a.Domain, got)
			}
		})
	}
}

func TestParseAddressRefuses(t *testing.T) {
	label := strings.Repeat("d", 63)
	for _, tt := range []struct{ in, why string }{
		{"", "empty"},
		{"  ", "empty"},
		{"ada", "no @"},
		{"@example.org", "before the @"},
		{"ada@", "domain"},
		{"ada@@example.org", "more than one @"},
		{"a@b@example.org", "more than one @"},
		{`"ada"@example.org`, "quoted"},
		{`"a@b"@example.org`, "quoted"},
		{"ada@[192.0.2.1]", "literal"},
		{"ada@192.0.2.1", "literal"},
		{"ada@[IPv6:2001:db8::1]", "literal"},
		{"ada@localhost", "no dot"},
		{"ada@mail.localhost", "localhost"},
		{"ada@example", "no dot"},
		{"ada@example.org.", "empty"},
		{"ada@.example.org", "empty"},
		{"ada@example..org", "empty"},
		{"ada@exa mple.org", "domain"},
		{"ada@exa_mple.org", "domain"},
		{"ada@-example.org", "domain"},
		{"ada@xn--zzzzzz.example", "domain"},
		{"Ada <ada@example.org>", "before the @"},
		{"ada@example.org>", "domain"},
		{"ada@example.org, bob@example.org", "more than one @"},
		{"ada smith@example.org", "before the @"},
		{".ada@example.org", "dot"},
		{"ada.@example.org", "dot"},
		{"a..da@example.org", "dot"},
		{"a\x00da@example.org", "before the @"},
		{"ada\r\nBcc: x@example.org", "before the @"},
		{"ada@example.org\r\nBcc: x", "domain"},
		{"a\u202eda@example.org", "before the @"},
		{"a\u200bda@example.org", "before the @"},
		{"a\u2028da@example.org", "before the @"},
		{"a\u00a0da@example.org", "before the @"},
		{"a\xffda@example.org", "UTF-8"},
		{strings.Repeat("a", 65) + "@example.org", "64 octets"},
		{strings.Repeat("é", 33) + "@example.org", "64 octets"},
		{strings.Repeat("a", 60) + "@" + label + "." + label + "." + label + ".org", "254 octets"},
		{"ada@" + strings.Repeat("d", 64) + ".org", "63 octets"},
		{"ada@" + strings.Repeat("d.", 4000) + "org", "254 octets"},
	} {
		t.Run(fmt.Sprintf("%.40q", tt.in), func(t *testing.T) {
			a, err := subscribers.ParseAddress(tt.in)
			if !errors.Is(err, subscribers.ErrAddress) {
				t.Fatalf("ParseAddress(%q) = %+v, %v; want ErrAddress", tt.in, a, err)
			}
			if !strings.Contains(err.Error(), tt.why) {
				t.Errorf("ParseAddress(%q): %q, want it to speak of %q", tt.in, err, tt.why)
			}
		})
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{
		"ada@example.org", "Ada+x@Bücher.example", "jose\u0301@例え.テスト", "İ@example.org", "ẞ@xn--strae-oqa.example", `"a"@b.c`,
		"a@[1.2.3.4]", "ᾳͅ@example.org", "a@xn--a.b", "K@example.org", "a@\u00ad.org", "Ⱥ@example.org",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := subscribers.ParseAddress(s)
		if err != nil {
			if !errors.Is(err, subscribers.ErrAddress) || a != (subscribers.Address{}) {
				t.Fatalf("ParseAddress(%q) = %+v, %v; want zero and ErrAddress", s, a, err)
			}
			return
		}
		if again, err := subscribers.ParseAddress(a.Typed); err != nil || again != a {
			t.Errorf("typed %q: got %+v, %v; want %+v", a.Typed, again, err, a)
		}
		for _, form := range []string{a.Wire, a.Key} {
			again, err := subscribers.ParseAddress(form)
			if err != nil || again.Key != a.Key {
				t.Errorf("%q from %q: key %q, %v; want %q", form, s, again.Key, err, a.Key)
			}
		}
		if strings.ContainsAny(a.Wire, "\r\n\x00<> ") || strings.Count(a.Wire, "@") != 1 {
			t.Errorf("wire form of %q is %q: not safe in a command", s, a.Wire)
		}
	})
}
