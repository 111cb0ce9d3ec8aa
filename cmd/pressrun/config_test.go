package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func writeTestConfig(t *testing.T, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pressrun.toml")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestConfigFaults: all mistakes at once, each with its key and line.
func TestConfigFaults(t *testing.T) {
	for _, tt := range []struct {
		name, content string
		env           []string
		want          []string
	}{
		{"several at once", "site_name = \"\"\nbase_ulr = \"https://x.example\"\nlisten = 8080\n\n[relay]\nport = 70000\ntls = \"ssl\"\n", nil, []string{
			"line 1: site_name: must not be empty",
			"line 2: base_ulr: unknown key; did you mean base_url?",
			"line 3: listen: must be text in quotes",
			"line 6: relay.port: must be 1 to 65535, not 70000",
			"line 7: relay.tls: must be starttls, implicit, none",
		}},
		{"syntax", "site_name = \"x\"\nzone = Europe/Berlin\n", nil, []string{"line 2"}},
		{"zone", "zone = \"Europe/Berln\"", nil, []string{"line 1: zone: \"Europe/Berln\" is no zone"}},
		{"plain relay elsewhere", "[relay]\nhost = \"smtp.example.org\"\ntls = \"none\"", nil, []string{"line 3: relay.tls: smtp.example.org is another machine"}},
		{"http elsewhere", "base_url = \"http://news.example.org\"", nil, []string{"line 1: base_url:", "must be https"}},
		{"variable", "", []string{"PRESSRUN_RELAY_PORT=many", "PRESSRUN_RELAY_HOTS=x"}, []string{
			`PRESSRUN_RELAY_PORT: relay.port: "many" is no number`, "PRESSRUN_RELAY_HOTS: no setting has this variable",
		}},
		{"secret file missing", "[relay]\nusername = \"news\"\npassword_file = \"gone\"", nil, []string{"line 3: relay.password_file: must be the path of a file", "no such file"}},
		{"half a login", "[relay]\nusername = \"news\"", nil, []string{"line 2: relay.username: user name and password belong together"}},
		{"notify", "[notify]\nto = [\"nobody\"]", nil, []string{`line 2: notify.to: "nobody" is no mail address`}},
		{"monitor in the clear", "[notify]\nmonitor = \"http://monitor.example.org/hush\"", nil, []string{"line 2: notify.monitor: must be an https address"}},
		{"monitor is no address", "", []string{"PRESSRUN_NOTIFY_MONITOR=monitor.example.org/%zzhush"}, []string{"PRESSRUN_NOTIFY_MONITOR: notify.monitor: must be an https address"}},
		{"relay kind", "[relay]\nkind = \"sese\"", nil, []string{"line 2: relay.kind: must be brevo, gmail, m365, mailgun, postmark, sendgrid, ses, smtp"}},
		{"signing what is rebuilt", "[relay]\nkind = \"brevo\"\n[dkim]\nsign = \"always\"", nil, []string{"line 4: dkim.sign: brevo writes messages anew"}},
		{"stream elsewhere", "[relay]\nstream = \"weekly\"", nil, []string{"line 2: relay.stream: only postmark has streams"}},
		{"kept for a week", "keep_deliveries = \"7d\"", nil, []string{"line 1: keep_deliveries: \"7d\" must be days, 30 at least"}},
		{"resolver", "resolver = \"dns.example.org\"", nil, []string{"line 1: resolver: \"dns.example.org\" must be an address with a port"}},
		{"bounces without a mailbox", "[bounces]\naddress = \"bounces@news.example.org\"", nil, []string{
			"bounces.host: must not be empty", "bounces.username: user name and password are both needed",
		}},
		{"mailbox without an address", "[bounces]\nhost = \"imap.example.org\"", nil, []string{"bounces.address: is missing"}},
		{
			"mailbox in the clear", "[bounces]\naddress = \"bounces@news.example.org\"\nhost = \"imap.example.org\"\ntls = \"none\"\nusername = \"b\"\npassword = \"hush\"", nil,
			[]string{"line 4: bounces.tls: imap.example.org is another machine"},
		},
		{"bounces to many", "[bounces]\naddress = \"a@example.org, b@example.org\"\nport = 0", nil, []string{"line 2: bounces.address:", "line 3: bounces.port: must be 1 to 65535"}},
		{
			"bounces that go to the relay", "[relay]\nkind = \"postmark\"\n[bounces]\naddress = \"bounces@news.example.org\"", nil,
			[]string{"line 4: bounces.address: postmark keeps what comes back and mails it to nobody"},
		},
		{"password of the mailbox", "", []string{"PRESSRUN_BOUNCES_PASSWORD_FILE=gone"}, []string{"PRESSRUN_BOUNCES_PASSWORD_FILE: bounces.password_file: must be the path of a file"}},
		{"second relay", "[relay.slow]\nhost = \"127.0.0.1\"", nil, []string{"line 2: relay.slow.host: this version knows one relay"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := loadConfig(writeTestConfig(t, tt.content), tt.env)
			if err == nil {
				t.Fatalf("got no error, want %q", tt.want)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %v\nwant it to say %q", err, want)
				}
				if strings.Contains(err.Error(), "hush") {
					t.Errorf("a secret is in %v", err)
				}
			}
		})
	}
}

// TestConfigFaultsHideSecrets in whatever form somebody wrote one, by whatever mistake.
func TestConfigFaultsHideSecrets(t *testing.T) {
	for _, key := range secrets {
		section, name, _ := strings.Cut(key, ".")
		for _, written := range []string{
			`%s = ["HUSH2"]`, `%s = [["HUSH2"], 1]`, `%s = {HUSH2 = "HUSH2"}`, `%s.HUSH2 = "HUSH2"`, `%s = HUSH2`, `%s = 'HUSH2`, `%s = "HUSH2`, `%s = "HUSH2"x`,
			`%s = ‘HUSH2’`, `%s = true-HUSH2`, `%s = "HUSH2\xZZ"`, `%s = "\qHUSH2"`, "%s = \"HUSH2\x01\"", `%s = [HUSH2]`, `"%s" = HUSH2`, ` %s  =HUSH2`, `x%s = HUSH2`,
			`%s = """HUSH2`, "%[1]s = \"HUSH2\"\n%[1]s = \"HUSH2\"", `%s_file = "HUSH2"`, `%s_file = ["HUSH2"]`, `%s_file = HUSH2`,
			`%s = 4711`, `%s = 47114711471147114711`, `%s = 4711__1`, `%s = 04711`, `%s = -4711x`, `%s = 4711.5`, `%s = 0x4711g`, `%s = 4711-01-01`, `%s = 4711-99-99`, `%s = inf4711`,
		} {
			hides(t, "["+section+"]\n"+fmt.Sprintf(written, name)+"\n")
			hides(t, fmt.Sprintf(written, key)+"\n")
		}
		hides(t, "["+key+"]\nHUSH2 = \"HUSH2\"\n")
		hides(t, section+" = {"+name+" = HUSH2}\n")
		for _, env := range []string{"=HUSH2\x01", "_FILE=HUSH2", "S=HUSH2", "_FILE=/HUSH2/HUSH2"} {
			hides(t, "", variable(key)+env)
		}
	}
	hides(t, "", "PRESSRUN_NOTIFY_MONITOR=HUSH2", `PRESSRUN_RELAY_PASSWORD=["HUSH2"]`)
}

func hides(t *testing.T, content string, env ...string) {
	t.Helper()
	file := writeTestConfig(t, content)
	_, err := loadConfig(file, env)
	if err == nil {
		t.Fatalf("no fault in %s %q", content, env)
	}
	if said := strings.ReplaceAll(err.Error(), filepath.Dir(file), ""); strings.Contains(said, "HUSH2") || strings.Contains(said, "4711") {
		t.Errorf("of %s %q a secret is in %s", content, env, said)
	}
}

// TestConfigOrder: defaults, then the file, then variables; secrets from files; paths relative to the file.
func TestConfigOrder(t *testing.T) {
	file := writeTestConfig(t, "site_name = \"From the file\"\nzone = \"Europe/Berlin\"\n[relay]\nhost = \"smtp.example.org\"\nport = 587\ntls = \"starttls\"\nusername = \"news\"\npassword_file = \"relay.password\"\n[notify]\nmonitor_file = \"monitor.address\"\n")
	dir := filepath.Dir(file)
	if err := os.WriteFile(filepath.Join(dir, "relay.password"), []byte("hush\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "monitor.address"), []byte("http://127.0.0.1:9/hush\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := loadConfig(file, []string{"PRESSRUN_SITE_NAME=From the environment", "PRESSRUN_NOTIFY_TO=a@example.org, b@example.org", "OTHER=x"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ key, got, want string }{
		{"site_name", cfg.SiteName, "From the environment"},
		{"zone", cfg.Zone, "Europe/Berlin"},
		{"database", cfg.Database, filepath.Join(dir, "pressrun.db")},
		{"relay.password", string(cfg.Relay.Password), "hush"},
		{"notify.monitor", string(cfg.Monitor), "http://127.0.0.1:9/hush"},
		{"relay.helo", cfg.Relay.Helo, "[127.0.0.1]"},
		{"notify.to", strings.Join(cfg.NotifyTo, " "), "a@example.org b@example.org"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.key, tt.got, tt.want)
		}
	}
	if strings.Contains(cfg.Relay.Password.String(), "hush") {
		t.Error("the password prints itself")
	}
}

// TestConfigTemplate: what init writes is read back without a mistake, also with odd names, and every key in it is known.
func TestConfigTemplate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pressrun.toml")
	if err := writeConfig(file, configValues{SiteName: `Quill & "Sons" \o/`, Zone: "Europe/Lisbon"}); err != nil {
		t.Fatal(err)
	}
	cfg, err := loadConfig(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := `Quill & "Sons" \o/`; cfg.SiteName != want {
		t.Errorf("site_name: got %q, want %q", cfg.SiteName, want)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := writeConfig(file, configValues{SiteName: "Quay", PostalAddress: "", Zone: "America/Argentina/Buenos_Aires"}); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(content)) {
		if at := strings.Index(line, " # "); at >= 0 && at != 36 && len(strings.TrimRight(line[:at], " ")) <= 36 {
			t.Errorf("the comment begins in column %d, those of other lines in 37: %s", at, line)
		}
	}
	for _, s := range settings {
		last := s.key[strings.LastIndex(s.key, ".")+1:]
		if !strings.Contains(string(content), last) {
			t.Errorf("the file that init writes doesn't name %s", s.key)
		}
	}
}
