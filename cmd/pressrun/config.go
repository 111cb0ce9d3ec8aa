package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"pressrun/newsletter"
	"pressrun/newsletter/mailer"
	"pressrun/newsletter/pace"
)

// Config is what the machine needs to know; what editors decide is in the database.
type Config struct {
	SiteName, PostalAddress, Zone, Language string
	PrivacyURL, ImprintURL                  string
	BaseURL                                 *url.URL
	Listen                                  string
	AutoTLS                                 bool           // tls = "auto": certificates by ACME
	TrustedProxies                          []netip.Prefix // whose X-Forwarded-For is believed
	Database, KeyFile, TemplatesDir         string
	BackupDir                               string        // of nightly backups; empty: none are made
	KeepDeliveries                          time.Duration // in full; 0: for ever
	SecretFiles                             []string      // that secrets stand in: the configuration itself, or what it names
	LogLevel                                slog.Level
	Relay                                   RelayConfig
	Bounces                                 BouncesConfig
	DKIM                                    DKIMConfig
	ClaimWords, NotifyTo                    []string
	Monitor                                 mailer.Secret // address that is asked while all is well; empty: none
	Resolver                                string        // DNS server that is asked, host:port; empty: the system's
}

// DKIMConfig says whether and with what we sign.
type DKIMConfig struct {
	Keys string // folder
	Sign string // auto, always, never
}

// RelayConfig is the relay that mail is handed to.
type RelayConfig struct {
	Kind          mailer.Kind
	Stream        string // Postmark's stream of issues; empty: its first broadcast stream
	Host          string
	Port          int
	TLS           string // starttls, implicit, none
	Username      string
	Password      mailer.Secret
	Connections   int
	PerConnection int // messages
	Helo          string

	Rate          pace.Rate               // as it was set; the limits that Kind has come on top
	ProviderRates map[pace.Lane]pace.Rate // likewise
	Window        string
	WarmUp        []string // sender domains
}

// A setting is one key of the file and its variable: how it is read, and what it is without either.
type setting struct {
	key     string
	initial any // string, int64 or []string
	set     func(c *Config, v any) error
}

// claimWords are what preflight warns of where the file doesn't say: promises that sellers of health make.
var claimWords = []string{"cure", "cures", "cured", "heals", "healed", "detox", "detoxify", "proven", "miracle", "guaranteed", "risk-free", "no side effects"}

// defaultSiteName stands where the file names none, initSiteName in the file that init writes: neither is what a site is called.
const defaultSiteName, initSiteName = "Pressrun", "My newsletter"

// settings is the whole of pressrun.toml, in the order of the file that init writes.
var settings = []setting{
	{"site_name", defaultSiteName, text(func(c *Config, s string) error { c.SiteName = s; return notEmpty(s) })},
	{"postal_address", "", text(func(c *Config, s string) error { c.PostalAddress = s; return nil })},
	{"zone", "UTC", text(func(c *Config, s string) error { c.Zone = s; return checkZone(s) })},
	{"language", "en", text(func(c *Config, s string) error { c.Language = s; return notEmpty(s) })},
	{"privacy_url", "", text(func(c *Config, s string) error { c.PrivacyURL = s; return optionalURL(s) })},
	{"imprint_url", "", text(func(c *Config, s string) error { c.ImprintURL = s; return optionalURL(s) })},
	{"claim_words", claimWords, list(func(c *Config, items []string) error { c.ClaimWords = items; return nil })},
	{"base_url", "http://127.0.0.1:8080", text(setBaseURL)},
	{"listen", "127.0.0.1:8080", text(func(c *Config, s string) error { c.Listen = s; return checkListen(s) })},
	{"tls", "", text(setTLS)},
	{"trusted_proxies", []string{}, list(setTrustedProxies)},
	{"database", "pressrun.db", text(func(c *Config, s string) error { c.Database = s; return notEmpty(s) })},
	{"key_file", "pressrun.key", text(func(c *Config, s string) error { c.KeyFile = s; return notEmpty(s) })},
	{"backup_dir", "backups", text(func(c *Config, s string) error { c.BackupDir = s; return nil })},
	{"keep_deliveries", "400d", text(setKeepDeliveries)},
	{"templates_dir", "", text(func(c *Config, s string) error { c.TemplatesDir = s; return nil })},
	{"resolver", "", text(func(c *Config, s string) error { c.Resolver = s; return checkResolver(s) })},
	{"log_level", "info", text(func(c *Config, s string) error { return c.LogLevel.UnmarshalText([]byte(s)) })},
	{"relay.kind", "smtp", text(setKind)},
	{"relay.host", "127.0.0.1", text(func(c *Config, s string) error { c.Relay.Host = s; return notEmpty(s) })},
	{"relay.port", int64(trialPort), number(func(c *Config, n int64) error { c.Relay.Port = int(n); return between(n, 1, 65535) })},
	{"relay.tls", "none", text(func(c *Config, s string) error { c.Relay.TLS = s; return oneOf(s, "starttls", "implicit", "none") })},
	{"relay.username", "", text(func(c *Config, s string) error { c.Relay.Username = s; return nil })},
	{"relay.password", "", secret(func(c *Config, s string) error { c.Relay.Password = mailer.Secret(s); return nil })},
	{"relay.connections", int64(8), number(func(c *Config, n int64) error { c.Relay.Connections = int(n); return between(n, 1, 100) })},
	{"relay.per_connection", int64(100), number(func(c *Config, n int64) error { c.Relay.PerConnection = int(n); return between(n, 1, 10_000) })},
	{"relay.stream", "", text(func(c *Config, s string) error { c.Relay.Stream = s; return checkStream(s) })},
	{"relay.helo", "", text(func(c *Config, s string) error { c.Relay.Helo = s; return nil })},
	{"relay.rate", "0/s", text(setRate)},
	{"relay.provider_rates", []string{}, list(setProviderRates)},
	{"relay.window", "", text(setWindow)},
	{"relay.warm_up", []string{}, list(setWarmUp)},
	{"bounces.address", "", text(setBounces)},
	{"bounces.host", "", text(func(c *Config, s string) error { c.Bounces.Host = s; return nil })},
	{"bounces.port", int64(993), number(func(c *Config, n int64) error { c.Bounces.Port = int(n); return between(n, 1, 65535) })},
	{"bounces.tls", "implicit", text(func(c *Config, s string) error { c.Bounces.TLS = s; return oneOf(s, "implicit", "starttls", "none") })},
	{"bounces.username", "", text(func(c *Config, s string) error { c.Bounces.Username = s; return nil })},
	{"bounces.password", "", secret(func(c *Config, s string) error { c.Bounces.Password = mailer.Secret(s); return nil })},
	{"bounces.folder", "INBOX", text(func(c *Config, s string) error { c.Bounces.Folder = s; return notEmpty(s) })},
	{"dkim.keys", "dkim", text(func(c *Config, s string) error { c.DKIM.Keys = s; return notEmpty(s) })},
	{"dkim.sign", "auto", text(func(c *Config, s string) error { c.DKIM.Sign = s; return oneOf(s, "auto", "always", "never") })},
	{"notify.to", []string{}, list(setNotifyTo)},
	{"notify.monitor", "", secret(setMonitor)},
}

// secrets may also come from a file: the key (and variable) with _file behind it. No fault says what was written for one.
var secrets = []string{"relay.password", "bounces.password", "notify.monitor"}

// A fault is one mistake of the configuration.
type fault struct {
	key, origin string // origin: file and line, or the variable
	err         error
}

func (f fault) Error() string { return fmt.Sprintf("%s: %s: %v", f.origin, f.key, f.err) }

// loadConfig reads the file, then lets PRESSRUN_… variables win. All mistakes are reported at once.
func loadConfig(file string, environ []string) (Config, error) {
	content, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return Config{}, fmt.Errorf("configuration %s: %w", file, errNoConfig)
	}
	if err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	given, err := parseFile(file, string(content))
	if err != nil {
		return Config{}, err
	}
	l := loader{dir: filepath.Dir(file), values: given, origins: map[string]string{}}
	if slices.ContainsFunc(secrets, func(key string) bool { v, ok := given[key]; return ok && v.v != "" }) {
		l.secrets = append(l.secrets, file)
	}
	l.variables(environ)
	return l.load()
}

// value is what somebody wrote for a key, and where.
type value struct {
	v      any
	origin string
}

func parseFile(file, content string) (map[string]value, error) {
	var tree map[string]any
	if _, err := toml.Decode(content, &tree); err != nil {
		var e toml.ParseError
		if errors.As(err, &e) && mayBeSecret(e.LastKey) {
			return nil, fmt.Errorf("configuration %s, line %d: %s: what stands there is no TOML: text is in quotes, and each key is there once", file, e.Position.Line, e.LastKey)
		}
		if errors.As(err, &e) {
			return nil, fmt.Errorf("configuration %s, line %d: %s", file, e.Position.Line, e.Message)
		}
		return nil, fmt.Errorf("configuration %s: %w", file, err)
	}
	lines := keyLines(content)
	values := map[string]value{}
	var flatten func(prefix string, tree map[string]any)
	flatten = func(prefix string, tree map[string]any) {
		for k, v := range tree {
			if sub, ok := v.(map[string]any); ok && !slices.Contains(secrets, prefix+k) {
				flatten(prefix+k+".", sub)
				continue
			}
			origin := file
			if line, found := lines[prefix+k]; found {
				origin = fmt.Sprintf("%s line %d", file, line)
			}
			values[prefix+k] = value{v, origin}
		}
	}
	flatten("", tree)
	return values, nil
}

// mayBeSecret says of the key, or the section, where a file is no TOML that what stands there must not be shown: it is that of a secret, or
// none that is known.
func mayBeSecret(key string) bool {
	return key != "" && !slices.ContainsFunc(settings, func(s setting) bool {
		return s.key == key && !slices.Contains(secrets, key) || strings.HasPrefix(s.key, key+".")
	})
}

var (
	tableLine = regexp.MustCompile(`^\s*\[\s*([A-Za-z0-9_.-]+)\s*\]`)
	keyLine   = regexp.MustCompile(`^\s*([A-Za-z0-9_.-]+)\s*=`)
)

// keyLines finds the line of each key, which the TOML package keeps to itself.
func keyLines(content string) map[string]int {
	lines, prefix := map[string]int{}, ""
	for i, line := range strings.Split(content, "\n") {
		if m := tableLine.FindStringSubmatch(line); m != nil {
			prefix = m[1] + "."
			lines[m[1]] = i + 1
		} else if m := keyLine.FindStringSubmatch(line); m != nil {
			lines[prefix+m[1]] = i + 1
		}
	}
	return lines
}

// loader turns what was written into a Config and gathers the mistakes.
type loader struct {
	dir     string // relative paths start here
	values  map[string]value
	origins map[string]string // of the settings read
	secrets []string          // files that secrets stand in
	faults  []error
}

func (l *loader) wrong(key, origin string, err error) {
	l.faults = append(l.faults, fault{key, origin, err})
}

func variable(key string) string {
	return "PRESSRUN_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// variables takes PRESSRUN_… from the environment; lists are parted by commas.
func (l *loader) variables(environ []string) {
	env := map[string]string{}
	for _, pair := range environ {
		if k, v, ok := strings.Cut(pair, "="); ok {
			env[k] = v
		}
	}
	for _, s := range settings {
		name := variable(s.key)
		text, ok := env[name]
		if !ok {
			continue
		}
		v := value{text, name}
		switch s.initial.(type) {
		case int64:
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				l.wrong(s.key, name, fmt.Errorf("%q is no number", text))
				continue
			}
			v.v = n
		case []string:
			v.v = splitList(text)
		}
		l.values[s.key] = v
	}
	l.strangers(env)
	for _, key := range secrets {
		if path, ok := env[variable(key)+"_FILE"]; ok {
			l.values[key+"_file"] = value{path, variable(key) + "_FILE"}
			if _, direct := env[variable(key)]; !direct {
				delete(l.values, key)
			}
		}
	}
}

// strangers reports PRESSRUN_… variables that name no setting: a typing error must not be silence.
func (l *loader) strangers(env map[string]string) {
	known := map[string]bool{"PRESSRUN_CONFIG": true}
	for _, s := range settings {
		known[variable(s.key)] = true
	}
	for _, key := range secrets {
		known[variable(key)+"_FILE"] = true
	}
	for name := range env {
		if strings.HasPrefix(name, "PRESSRUN_") && !known[name] {
			l.wrong(name, "environment", errors.New("no setting has this variable"))
		}
	}
}

func splitList(text string) []any {
	parts := []any{}
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}

func (l *loader) load() (Config, error) {
	l.secretFiles()
	var c Config
	for _, s := range settings {
		v, ok := l.values[s.key]
		if !ok {
			v = value{s.initial, "default"}
		}
		delete(l.values, s.key)
		l.origins[s.key] = v.origin
		if err := s.set(&c, v.v); err != nil {
			l.wrong(s.key, v.origin, err)
		}
	}
	for key, v := range l.values {
		l.wrong(key, v.origin, unknownKey(key))
	}
	c.Database, c.KeyFile, c.DKIM.Keys = l.path(c.Database), l.path(c.KeyFile), l.path(c.DKIM.Keys)
	c.SecretFiles = l.secrets
	c.TemplatesDir, c.BackupDir = l.path(c.TemplatesDir), l.path(c.BackupDir)
	l.together(c)
	l.aboutBounces(c)
	if c.Relay.Helo == "" && c.BaseURL != nil {
		c.Relay.Helo = greeting(c.BaseURL.Hostname())
	}
	if len(l.faults) == 0 {
		return c, nil
	}
	slices.SortFunc(l.faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return Config{}, fmt.Errorf("configuration: nothing was started, mend this first:\n%w", errors.Join(l.faults...))
}

// together checks what depends on more than one key.
func (l *loader) together(c Config) {
	if c.Relay.TLS == "none" && c.Relay.Host != "" && !isLoopback(c.Relay.Host) {
		l.wrong("relay.tls", l.origins["relay.tls"], fmt.Errorf("%s is another machine, so mail and password would travel in the clear: use \"starttls\" (port 587) or \"implicit\" (port 465)", c.Relay.Host))
	}
	if (c.Relay.Username == "") != (c.Relay.Password == "") {
		l.wrong("relay.username", l.origins["relay.username"], errors.New("user name and password belong together: give both or neither"))
	}
	if c.DKIM.Sign == "always" && c.Relay.Kind.Rebuilds {
		l.wrong("dkim.sign", l.origins["dkim.sign"], fmt.Errorf("%s writes messages anew, so that a signature of ours can't arrive whole: use \"auto\" and have it sign", c.Relay.Kind.Name))
	}
	if c.Relay.Stream != "" && c.Relay.Kind.Name != "postmark" {
		l.wrong("relay.stream", l.origins["relay.stream"], errors.New("only postmark has streams: take the line out"))
	}
}

// greeting is the EHLO name that goes with a host: an address stands in brackets (RFC 5321 section 4.1.3).
func greeting(host string) string {
	if ip := net.ParseIP(host); ip != nil {
		return "[" + host + "]"
	}
	return host
}

// secretFiles reads what KEY_file names. A secret given both ways is a mistake.
func (l *loader) secretFiles() {
	for _, key := range secrets {
		v, ok := l.values[key+"_file"]
		delete(l.values, key+"_file")
		path, isText := v.v.(string)
		switch {
		case !ok:
			continue
		case !isText || path == "":
			l.wrong(key+"_file", v.origin, errors.New("must be the path of a file"))
			continue
		}
		if _, both := l.values[key]; both {
			l.wrong(key+"_file", v.origin, fmt.Errorf("%s is given too: keep one", key))
			continue
		}
		content, err := os.ReadFile(l.path(path))
		if inner := (*fs.PathError)(nil); errors.As(err, &inner) { // it names the path, which may be the secret itself by mistake
			err = fmt.Errorf("must be the path of a file, absolute or from the folder of the configuration: %w", inner.Err)
		}
		if err != nil {
			l.wrong(key+"_file", v.origin, err)
			continue
		}
		l.secrets = append(l.secrets, l.path(path))
		l.values[key] = value{strings.TrimRight(string(content), "\r\n"), v.origin}
	}
}

func (l *loader) path(p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(l.dir, p)
}

// unknownKey names the key that was probably meant.
func unknownKey(key string) error {
	if strings.Count(key, ".") > 1 && strings.HasPrefix(key, "relay.") {
		return errors.New("this version knows one relay: take [relay.NAME] out")
	}
	best, at := "", 3 // more than two letters off is another word
	for _, s := range settings {
		if d := distance(key, s.key); d < at {
			best, at = s.key, d
		}
	}
	if best != "" {
		return fmt.Errorf("unknown key; did you mean %s?", best)
	}
	return errors.New("unknown key")
}

// distance is the Levenshtein distance in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

func text(set func(*Config, string) error) func(*Config, any) error {
	return func(c *Config, v any) error {
		s, ok := v.(string)
		if !ok {
			return fmt.Errorf("must be text in quotes, not %v", v)
		}
		if strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 && r != '\n' || r == 0x7f }) {
			return errors.New("holds a control character")
		}
		return set(c, s)
	}
}

// secret is text that no fault shows; set keeps to that too.
func secret(set func(*Config, string) error) func(*Config, any) error {
	return func(c *Config, v any) error {
		if _, ok := v.(string); !ok {
			return errors.New("must be text in quotes")
		}
		return text(set)(c, v)
	}
}

func number(set func(*Config, int64) error) func(*Config, any) error {
	return func(c *Config, v any) error {
		n, ok := v.(int64)
		if !ok {
			return fmt.Errorf("must be a number without quotes, not %q", fmt.Sprint(v))
		}
		return set(c, n)
	}
}

func list(set func(*Config, []string) error) func(*Config, any) error {
	return func(c *Config, v any) error {
		if s, ok := v.([]string); ok {
			return set(c, s)
		}
		items, ok := v.([]any)
		if !ok {
			return errors.New(`must be a list such as ["a", "b"]`)
		}
		texts := make([]string, 0, len(items))
		for _, item := range items {
			s, ok := item.(string)
			if !ok {
				return fmt.Errorf("must be a list of texts, not of %v", item)
			}
			texts = append(texts, s)
		}
		return set(c, texts)
	}
}

func notEmpty(s string) error {
	if strings.TrimSpace(s) == "" {
		return errors.New("must not be empty")
	}
	return nil
}

func between(n, low, high int64) error {
	if n < low || n > high {
		return fmt.Errorf("must be %d to %d, not %d", low, high, n)
	}
	return nil
}

func oneOf(s string, allowed ...string) error {
	if !slices.Contains(allowed, s) {
		return fmt.Errorf("must be %s, not %q", strings.Join(allowed, ", "), s)
	}
	return nil
}

func checkZone(s string) error {
	if s == "" || s == "Local" {
		return errors.New("must be an IANA zone such as \"Europe/Berlin\"")
	}
	if _, err := time.LoadLocation(s); err != nil {
		return fmt.Errorf("%q is no zone: write an IANA name such as \"Europe/Berlin\"", s)
	}
	return nil
}

func optionalURL(s string) error {
	if s == "" {
		return nil
	}
	if u, err := url.Parse(s); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("%q is no web address: write https://…", s)
	}
	return nil
}

func checkListen(s string) error {
	if _, port, err := net.SplitHostPort(s); err != nil || port == "" {
		return fmt.Errorf("%q must be host:port such as 127.0.0.1:8080", s)
	}
	return nil
}

func setBaseURL(c *Config, s string) error {
	u, err := url.Parse(strings.TrimRight(s, "/"))
	if err != nil || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.User != nil {
		return fmt.Errorf("%q must be scheme and host alone, such as https://news.example.org", s)
	}
	if u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())) {
		return fmt.Errorf("%q must be https, since unsubscribe links need it; http is only for this machine (127.0.0.1)", s)
	}
	c.BaseURL = u
	return nil
}

func setTLS(c *Config, s string) error {
	c.AutoTLS = s == "auto"
	return oneOf(s, "", "auto")
}

// leastKept keeps deliveries for longer than bounces come, retries last and people ask.
const leastKept = 30

// setKeepDeliveries reads days, as "400d"; "forever" never compacts.
func setKeepDeliveries(c *Config, s string) error {
	if s == "forever" {
		c.KeepDeliveries = 0
		return nil
	}
	days, err := strconv.Atoi(strings.TrimSuffix(s, "d"))
	if err != nil || !strings.HasSuffix(s, "d") || days < leastKept || days > 36500 {
		return fmt.Errorf("%q must be days, %d at least, such as \"400d\", or \"forever\"", s, leastKept)
	}
	c.KeepDeliveries = time.Duration(days) * 24 * time.Hour
	return nil
}

func setKind(c *Config, s string) error {
	kind, ok := mailer.KindOf(s)
	if !ok {
		return oneOf(s, mailer.Kinds()...)
	}
	c.Relay.Kind = kind
	return nil
}

// streamName is what Postmark takes for the id of a stream.
var streamName = regexp.MustCompile(`^[a-z0-9_-]{0,30}$`)

func checkStream(s string) error {
	if !streamName.MatchString(s) {
		return fmt.Errorf("%q is no stream: small letters, digits, - and _, such as broadcast", s)
	}
	return nil
}

func checkResolver(s string) error {
	if host, port, err := net.SplitHostPort(s); s != "" && (err != nil || net.ParseIP(host) == nil || port == "") {
		return fmt.Errorf("%q must be an address with a port, such as 9.9.9.9:53", s)
	}
	return nil
}

// dns asks the configured server, or the system's.
func (c Config) dns() *net.Resolver {
	if c.Resolver == "" {
		return net.DefaultResolver
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, c.Resolver)
	}}
}

func setTrustedProxies(c *Config, items []string) error {
	for _, item := range items {
		prefix, err := netip.ParsePrefix(item)
		if err != nil {
			addr, err := netip.ParseAddr(item)
			if err != nil {
				return fmt.Errorf("%q is no address or network such as 10.0.0.1 or 10.0.0.0/8", item)
			}
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		c.TrustedProxies = append(c.TrustedProxies, prefix)
	}
	return nil
}

func setNotifyTo(c *Config, items []string) error {
	for _, item := range items {
		if a, err := mail.ParseAddress(item); err != nil || a.Address != item {
			return fmt.Errorf("%q is no mail address", item)
		}
	}
	c.NotifyTo = items
	return nil
}

// setMonitor says nothing of what was written: whoever knows the address can keep the alarm quiet.
func setMonitor(c *Config, s string) error {
	c.Monitor = mailer.Secret(s)
	u, err := url.Parse(s)
	if s != "" && (err != nil || u.Hostname() == "" || u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname()))) {
		return errors.New("must be an https address such as https://monitor.example.org/SECRET; http is only for this machine (127.0.0.1)")
	}
	return nil
}

// atOnce is how many connections the relay gets: as configured, but never more than its kind takes.
func (r RelayConfig) atOnce() int {
	if r.Kind.AtOnce > 0 {
		return min(r.Connections, r.Kind.AtOnce)
	}
	return r.Connections
}

// trialPort is where mail catchers listen by custom, and no mail server does.
const trialPort = 1025

// relayIsHere says that mail ends on this machine: the relay is here, and on no port where mail servers pass mail on.
func (c Config) relayIsHere() bool {
	return isLoopback(c.Relay.Host) && !slices.Contains([]int{25, 465, 587}, c.Relay.Port)
}

// trial says that nothing of this installation reaches another machine, neither its mail nor its links.
func (c Config) trial() bool { return c.relayIsHere() && isLoopback(c.BaseURL.Hostname()) }

// liveFor is what go-live passes for, as the database keeps it: another relay or public address needs a checklist of its own.
func (c Config) liveFor() string {
	sum := sha256.Sum256([]byte(net.JoinHostPort(c.Relay.Host, strconv.Itoa(c.Relay.Port)) + " " + c.BaseURL.String()))
	return hex.EncodeToString(sum[:8])
}

func (c Config) site() newsletter.Site {
	return newsletter.Site{
		Name: c.SiteName, PostalAddress: c.PostalAddress, BaseURL: c.BaseURL, Zone: c.Zone, Language: c.Language,
		PrivacyURL: c.PrivacyURL, ImprintURL: c.ImprintURL, ClaimWords: c.ClaimWords, NotifyTo: c.NotifyTo,
		Unnamed: c.unnamed(),
	}
}

// unnamed says that nobody gave the site a name of its own.
func (c Config) unnamed() bool { return c.SiteName == defaultSiteName || c.SiteName == initSiteName }
