package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter/mailer"
)

// dnsSite is an installation of which only DNS is looked at.
func dnsSite(t *testing.T, records map[string]string, change func(*Config)) *site {
	t.Helper()
	stub := newDNSStub(t)
	for name, value := range records {
		kind, value, _ := strings.Cut(value, " ")
		if err := stub.add(name, kind, value); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := loadConfig(writeTestConfig(t, "resolver = \""+stub.addr()+"\"\nbase_url = \"https://news.example.org\"\n[relay]\nhost = \"relay.example.net\"\ntls = \"starttls\"\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	change(&cfg)
	return &site{cfg: cfg, log: slog.New(slog.DiscardHandler), now: time.Now}
}

func relayKind(t *testing.T, name string) func(*Config) {
	return func(c *Config) {
		kind, ok := mailer.KindOf(name)
		if !ok {
			t.Fatalf("kind %s is not known", name)
		}
		c.Relay.Kind = kind
	}
}

// short is a finding in one line: its mark, and what was said and what to do.
func short(f finding) string {
	mark := "ok"
	if !f.OK {
		mark = "OPEN"
	} else if f.Warning {
		mark = "look"
	}
	return mark + " " + f.Said + " " + f.Mend
}

// TestCheckSPF asks a real DNS server on loopback.
func TestCheckSPF(t *testing.T) {
	deep := map[string]string{"example.org": "TXT v=spf1 include:s0.example.org ~all"}
	for i := range 12 {
		deep[fmt.Sprintf("s%d.example.org", i)] = fmt.Sprintf("TXT v=spf1 include:s%d.example.org ~all", i+1)
	}
	for _, tt := range []struct {
		name, kind string
		records    map[string]string
		want       []string
	}{
		{"none", "smtp", nil, []string{"OPEN there is no record", "Publish a TXT record at example.org: v=spf1 a:relay.example.net ~all"}},
		{"none with mailgun", "mailgun", nil, []string{"OPEN", "include:mailgun.org"}},
		{"other texts only", "smtp", map[string]string{"example.org": "TXT google-site-verification=x"}, []string{"OPEN there is no record"}},
		{"names the relay", "smtp", map[string]string{"example.org": "TXT v=spf1 a:relay.example.net -all", "relay.example.net": "A 203.0.113.5"}, []string{"ok v=spf1"}},
		{"names the relay by an address", "smtp", map[string]string{"example.org": "TXT v=spf1 ip4:203.0.113.0/24 -all", "relay.example.net": "A 203.0.113.5"}, []string{"ok v=spf1"}},
		{"names another", "smtp", map[string]string{"example.org": "TXT v=spf1 ip4:198.51.100.1 -all", "relay.example.net": "A 203.0.113.5"}, []string{"look v=spf1", "doesn't name relay.example.net"}},
		{"names the kind", "gmail", map[string]string{"example.org": "TXT v=spf1 include:_spf.google.com ~all", "_spf.google.com": "TXT v=spf1 ip4:203.0.113.0/24 ~all"}, []string{"ok v=spf1"}},
		{"a return path of its own", "ses", nil, []string{"ok ses sends with a return path of its own"}},
		{"too deep", "smtp", deep, []string{"OPEN", "can't be read", "10 look-ups"}},
		{"a part of it is not answered", "smtp", map[string]string{"example.org": "TXT v=spf1 include:slow.example.net -all", "slow.example.net": "FAIL"}, []string{"look could not be asked"}},
		{"broken", "smtp", map[string]string{"example.org": "TXT v=spf1 ip4:nonsense -all"}, []string{"OPEN", "can't be read"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := dnsSite(t, tt.records, relayKind(t, tt.kind))
			got := short(s.checkSPF(t.Context(), "example.org"))
			for _, want := range tt.want {
				if !strings.Contains(got, want) {
					t.Errorf("got %s\nwant it to say %q", got, want)
				}
			}
		})
	}
}

// TestCheckSPFOfNearRelay: an address that no provider sees is none to publish, and one of the world is named as SPF names it.
func TestCheckSPFOfNearRelay(t *testing.T) {
	const elsewhere = "TXT v=spf1 ip4:198.51.100.1 -all"
	for _, tt := range []struct {
		host    string
		records map[string]string
		want    string
		not     string
	}{
		{"127.0.0.1", nil, "v=spf1 ip4:ADDRESS ~all, where ADDRESS is the public one that mail of 127.0.0.1 leaves from", "a:127"},
		{"localhost", nil, "v=spf1 ip4:ADDRESS ~all", "a:localhost"},
		{"10.0.0.5", nil, "v=spf1 ip4:ADDRESS ~all", "10.0.0.5 ~all"},
		{"mail.lan", map[string]string{"mail.lan": "A 192.168.1.4"}, "v=spf1 ip4:ADDRESS ~all", "a:mail.lan"},
		{"127.0.0.1", map[string]string{"example.org": elsewhere}, "look v=spf1 ip4:198.51.100.1 -all Whether it has ip4:ADDRESS can't be seen from here", "127.0.0.1."},
		{"203.0.113.5", nil, "v=spf1 ip4:203.0.113.5 ~all", "a:"},
		{"2001:db8::5", nil, "v=spf1 ip6:2001:db8::5 ~all", "a:2001"},
		{"203.0.113.5", map[string]string{"example.org": elsewhere}, "else add ip4:203.0.113.5", "a:203"},
	} {
		t.Run(tt.host, func(t *testing.T) {
			s := dnsSite(t, tt.records, func(c *Config) { c.Relay.Host = tt.host })
			if got := short(s.checkSPF(t.Context(), "example.org")); !strings.Contains(got, tt.want) || strings.Contains(got, tt.not) {
				t.Errorf("got %s\nwant it to say %q and not %q", got, tt.want, tt.not)
			}
		})
	}
}

// TestCheckDMARC: a policy of the domain or of its organization, and alignment with our signatures.
func TestCheckDMARC(t *testing.T) {
	own, err := mailer.NewDKIMKey("example.org", "p1", true)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, domain string
		records      map[string]string
		want         []string
	}{
		{"none", "news.example.org", nil, []string{"OPEN there is no policy", "at _dmarc.example.org: v=DMARC1; p=none; rua="}},
		{"of the organization", "news.example.org", map[string]string{"_dmarc.example.org": "TXT v=DMARC1; p=reject; rua=mailto:d@example.org"}, []string{"ok p=reject; signatures by example.org are aligned"}},
		{"strict", "news.example.org", map[string]string{"_dmarc.news.example.org": "TXT v=DMARC1; p=none; adkim=s; rua=mailto:d@example.org"}, []string{"OPEN adkim=s wants a signature by news.example.org itself"}},
		{"strict and ours", "example.org", map[string]string{"_dmarc.example.org": "TXT v=DMARC1; p=none; adkim=s; rua=mailto:d@example.org"}, []string{"ok p=none"}},
		{"nobody told", "example.org", map[string]string{"_dmarc.example.org": "TXT v=DMARC1; p=none"}, []string{"look p=none", "Add rua="}},
		{"broken", "example.org", map[string]string{"_dmarc.example.org": "TXT v=DMARC1; p=perhaps"}, []string{"OPEN", "Mend the TXT record at _dmarc.example.org"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := dnsSite(t, tt.records, func(*Config) {})
			got := short(s.checkDMARC(t.Context(), tt.domain, mailer.Keyring{own}))
			for _, want := range tt.want {
				if !strings.Contains(got, want) {
					t.Errorf("got %s\nwant it to say %q", got, want)
				}
			}
		})
	}
}

// TestCheckDKIM: what signs, whether its record is there, and who signs without a key of ours.
func TestCheckDKIM(t *testing.T) {
	for _, tt := range []struct {
		name    string
		keys    int
		publish int // how many of the keys' records
		change  func(*Config)
		want    []string // a line each
	}{
		{"no key", 0, 0, func(*Config) {}, []string{"look no key of ours: the relay signs"}},
		{"no key, always", 0, 0, func(c *Config) { c.DKIM.Sign = "always" }, []string{"OPEN there is no key"}},
		{"never", 1, 0, func(c *Config) { c.DKIM.Sign = "never" }, []string{"look the relay signs dkim.sign is \"never\""}},
		{"rebuilt", 1, 0, relayKind(t, "postmark"), []string{"look the relay signs relay.kind is \"postmark\""}},
		{"published", 1, 1, func(*Config) {}, []string{"ok selector p20270301 signs (rsa), and its record is there"}},
		{"not published", 1, 0, func(*Config) {}, []string{"OPEN p20270301 signs, but its record is not there Publish a TXT record at p20270301._domainkey.example.org: v=DKIM1; k=rsa; p="}},
		{"one waits", 2, 1, func(*Config) {}, []string{"ok selector p20270301 signs", "look p20270301b waits for its record"}},
		{"the second took over", 2, 2, func(*Config) {}, []string{"ok selector p20270301b signs"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			folder := dkimFolder(t.TempDir())
			records := map[string]string{}
			for i := range tt.keys {
				key, _, err := folder.add("example.org", false, time.Date(2027, 3, 1, 8, 0, 0, 0, time.UTC))
				if err != nil {
					t.Fatal(err)
				}
				if i < tt.publish {
					records[key.Name()] = "TXT " + key.Record()
				}
			}
			s := dnsSite(t, records, func(c *Config) {
				c.DKIM.Keys = string(folder)
				tt.change(c)
			})
			keys, err := s.readDKIM(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got := s.checkDKIM(t.Context(), "example.org", keys)
			if len(got) != len(tt.want) {
				t.Fatalf("got %+v, want %d findings", got, len(tt.want))
			}
			for i, want := range tt.want {
				if line := short(got[i]); !strings.HasPrefix(line, want) {
					t.Errorf("got %s\nwant %s…", line, want)
				}
			}
		})
	}
}

func TestCheckMX(t *testing.T) {
	for _, tt := range []struct{ name, record, want string }{
		{"a server", "MX 10 mail.example.org", "ok mail.example.org takes bounces and answers into the sender's mailbox"},
		{"none", "TXT nothing", "OPEN neither a mail server nor an address is known"},
		{"the domain itself", "A 192.0.2.7", "look no record: bounces and answers go to example.org itself"},
		{"no mail wanted", "MX 0 ", "OPEN it says that it takes no mail"},
		{"no answer", "FAIL", "look could not be asked"},
	} {
		s := dnsSite(t, map[string]string{"example.org": tt.record}, func(*Config) {})
		if got := short(s.checkMX(t.Context(), "example.org")); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: got %s\nwant %s…", tt.name, got, tt.want)
		}
	}
}

// TestCheckUnasked: a DNS server that doesn't answer says nothing about the record, so nothing is refused.
func TestCheckUnasked(t *testing.T) {
	s := dnsSite(t, nil, func(c *Config) { c.Resolver = "127.0.0.1:1" })
	for _, f := range []finding{s.checkSPF(t.Context(), "example.org"), s.checkDMARC(t.Context(), "example.org", nil)} {
		if got := short(f); !strings.HasPrefix(got, "look could not be asked") {
			t.Errorf("%s: got %s, want it unasked", f.What, got)
		}
	}
}

// TestUnreachable: with a relay elsewhere, a public address that doesn't answer keeps the site from going live; with one on this
// machine it is only said. The token of the link is never printed.
func TestUnreachable(t *testing.T) {
	err := &url.Error{Op: "Post", URL: "https://news.example.org/u/SECRET", Err: errors.New("connection refused")}
	for host, want := range map[string]string{"relay.example.net": "OPEN", "127.0.0.1": "look"} {
		s := dnsSite(t, nil, func(c *Config) { c.Relay.Host = host })
		if got := short(s.unreachable(finding{}, err)); !strings.HasPrefix(got, want+" https://news.example.org can't be reached") || strings.Contains(got, "SECRET") {
			t.Errorf("relay %s: got %s, want it to begin with %s, and no token", host, got, want)
		}
	}
}
