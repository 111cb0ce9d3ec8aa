package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"blitiri.com.ar/go/spf"
	"github.com/emersion/go-msgauth/dmarc"
	"golang.org/x/net/publicsuffix"

	"pressrun/newsletter/mailer"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
)

// senderDomains are the domains that the series send from, in ASCII, each once.
func (s *site) senderDomains(ctx context.Context) ([]string, error) {
	all, err := series.All(ctx, s.db)
	if err != nil {
		return nil, err
	}
	var domains []string
	for _, each := range all {
		if a, err := subscribers.ParseAddress(each.FromEmail); err == nil && !slices.Contains(domains, a.Domain) {
			domains = append(domains, a.Domain)
		}
	}
	return domains, nil
}

// checkDNS looks at what the world sees of the senders' domains: SPF, DKIM, DMARC. A trial reaches nobody, so nobody is asked.
// Behind a mail catcher on this machine they are only warnings: mail ends there.
func (s *site) checkDNS(ctx context.Context) ([]finding, error) {
	if s.cfg.trial() {
		keys, _, err := dkimFolder(s.cfg.DKIM.Keys).read()
		if err == nil {
			keys, err = s.withLost(ctx, keys)
		}
		said := finding{What: "dns", OK: true, Said: "not asked: relay and public address are on this machine, so nothing reaches anybody"}
		return append(checkLost(keys), said), err
	}
	domains, err := s.senderDomains(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dkimWait)
	defer cancel()
	keys, err := s.signing(ctx)
	if err != nil {
		return []finding{{What: "dkim", Said: err.Error(), Mend: "Look at the folder that dkim.keys names."}}, nil
	}
	var all []finding
	for _, domain := range domains {
		all = append(all, s.checkFreeMail(domain), s.checkSPF(ctx, domain), s.checkMX(ctx, domain))
		all = append(all, s.checkDKIM(ctx, domain, keys)...)
		all = append(all, s.checkDMARC(ctx, domain, keys))
	}
	all = append(all, s.checkBounceDomain(ctx, domains)...)
	all = slices.DeleteFunc(all, func(f finding) bool { return f.What == "" })
	if s.cfg.relayIsHere() {
		for i := range all {
			all[i] = all[i].soft()
		}
	}
	return append(checkLost(keys), all...), nil
}

// freeMail are mailbox providers whose domains nobody else may send from: their DMARC policies refuse it.
var freeMail = []string{
	"gmail.com", "googlemail.com", "yahoo.com", "ymail.com", "aol.com", "outlook.com", "hotmail.com", "live.com", "msn.com",
	"icloud.com", "me.com", "mac.com", "gmx.com", "gmx.de", "gmx.net", "web.de", "mail.ru", "proton.me", "protonmail.com",
}

func (s *site) checkFreeMail(domain string) finding {
	if !slices.Contains(freeMail, domain) {
		return finding{}
	}
	return finding{
		What: domain + ": sender", Said: "belongs to a mailbox provider, so that letters from it through another relay are refused",
		Mend: "Send from a domain of your own: `pressrun series set SERIES --from \"Name <letters@your-domain>\"`.",
	}
}

// outside is an address of nobody's (RFC 5737). Judging it walks through a whole SPF record.
var outside = net.ParseIP("192.0.2.1")

// checkSPF looks at the record of an envelope's domain (RFC 7208): the sender's, or where there is one that of bounces.
func (s *site) checkSPF(ctx context.Context, domain string) finding {
	kind, f := s.cfg.Relay.Kind, finding{What: domain + ": SPF"}
	if kind.OwnReturn {
		f.OK, f.Said = true, kind.Name+" sends with a return path of its own, so its SPF record counts"
		return f
	}
	inside := kind.SPF == "" && s.relayInside(ctx)
	wanted, where := s.spfTerm(inside)
	record, err := s.spfRecord(ctx, domain)
	if err != nil {
		return f.unasked(err)
	}
	if record == "" {
		f.Said, f.Mend = "there is no record", fmt.Sprintf("Publish a TXT record at %s: v=spf1 %s ~all%s", domain, wanted, where)
		return f
	}
	switch result, err := s.judgeSPF(ctx, outside, domain); result {
	case spf.TempError:
		return f.unasked(err)
	case spf.PermError:
		f.Said, f.Mend = fmt.Sprintf("%s can't be read: %v", record, err), "Mend it: one record, at most 10 look-ups and 2 that find nothing."
		return f
	}
	f.OK, f.Said = true, record
	if s.namesRelay(ctx, domain, record) {
		return f
	}
	if inside {
		f.Warning, f.Mend = true, fmt.Sprintf("Whether it has %s can't be seen from here. See that it does%s", wanted, where)
		return f
	}
	f.Warning, f.Mend = true, fmt.Sprintf("It doesn't name %s. If the relay sends from other addresses see that they are in it; else add %s.", s.cfg.Relay.Host, wanted)
	return f
}

// relayInside says that the relay has an address of this machine or its network: what providers see is another one.
func (s *site) relayInside(ctx context.Context) bool {
	if isLoopback(s.cfg.Relay.Host) {
		return true
	}
	addresses, err := s.cfg.dns().LookupIPAddr(ctx, s.cfg.Relay.Host)
	return err == nil && len(addresses) > 0 && !slices.ContainsFunc(addresses, func(a net.IPAddr) bool {
		return !a.IP.IsLoopback() && !a.IP.IsPrivate() && !a.IP.IsLinkLocalUnicast()
	})
}

// spfTerm is what an SPF record needs for the relay (RFC 7208 section 5), and where somebody finds what we can't know of it.
func (s *site) spfTerm(inside bool) (term, where string) {
	host := s.cfg.Relay.Host
	ip, literal := netip.ParseAddr(host)
	switch {
	case s.cfg.Relay.Kind.SPF != "":
		return "include:" + s.cfg.Relay.Kind.SPF, ""
	case inside:
		return "ip4:ADDRESS", fmt.Sprintf(", where ADDRESS is the public one that mail of %s leaves from: the mail server's own, or that of the server it passes mail on to", host)
	case literal != nil:
		return "a:" + host, ""
	case ip.Is4():
		return "ip4:" + host, ""
	}
	return "ip6:" + host, ""
}

// spfRecord is the SPF record of a domain; empty: none.
func (s *site) spfRecord(ctx context.Context, domain string) (string, error) {
	records, err := s.cfg.dns().LookupTXT(ctx, domain)
	if err != nil && !notFound(err) {
		return "", err
	}
	for _, record := range records {
		if record == "v=spf1" || strings.HasPrefix(record, "v=spf1 ") {
			return record, nil
		}
	}
	return "", nil
}

func (s *site) judgeSPF(ctx context.Context, ip net.IP, domain string) (spf.Result, error) {
	return spf.CheckHostWithSender(ip, s.cfg.Relay.Helo, "postmaster@"+domain, spf.WithContext(ctx), spf.WithResolver(s.cfg.dns()))
}

// namesRelay says whether mail from the relay passes, as far as its addresses can be known from here.
func (s *site) namesRelay(ctx context.Context, domain, record string) bool {
	if name := s.cfg.Relay.Kind.SPF; name != "" {
		return strings.Contains(strings.ToLower(record), "include:"+name)
	}
	addresses, err := s.cfg.dns().LookupIPAddr(ctx, s.cfg.Relay.Host)
	if err != nil {
		return false
	}
	for _, address := range addresses {
		if result, _ := s.judgeSPF(ctx, address.IP, domain); result == spf.Pass {
			return true
		}
	}
	return false
}

// checkMX looks whether a domain takes mail (RFC 5321 section 5.1, RFC 7505). The sender's is the envelope's too, so bounces go to the
// sender's mailbox, as answers do, unless they have an address of their own.
func (s *site) checkMX(ctx context.Context, domain string) finding {
	f := finding{What: domain + ": MX"}
	hosts, err := s.cfg.dns().LookupMX(ctx, domain)
	if err != nil && !notFound(err) {
		return f.unasked(err)
	}
	if len(hosts) == 1 && hosts[0].Host == "." {
		f.Said, f.Mend = "it says that it takes no mail, so bounces and answers are lost and providers refuse letters from it", "Publish an MX record at "+domain+" that names its mail server."
		return f
	}
	if len(hosts) > 0 {
		f.OK, f.Said = true, strings.TrimSuffix(hosts[0].Host, ".")+" takes bounces and answers"+s.whoseMailbox(domain)
		return f
	}
	addresses, err := s.cfg.dns().LookupIPAddr(ctx, domain)
	if err != nil && !notFound(err) {
		return f.unasked(err)
	}
	f.Mend = "Publish an MX record at " + domain + " that names its mail server."
	if len(addresses) == 0 {
		f.Said = "neither a mail server nor an address is known, so bounces and answers are lost and providers refuse letters from it"
		return f
	}
	f.OK, f.Warning, f.Said = true, true, "no record: bounces and answers go to "+domain+" itself"
	return f
}

// checkLost says which keys can't be had. Nothing of their domain leaves, unless another key of it signs.
func checkLost(keys mailer.Keyring) []finding {
	var all []finding
	for _, key := range keys {
		if key.Lost() == nil {
			continue
		}
		f := finding{What: key.Domain + ": DKIM key", Said: key.Lost().Error() + ": nothing of this domain leaves"}
		f.Mend = "Bring the file back from your backup; or make another key with `pressrun dkim new " + key.Domain +
			"`; or have the relay sign again: `pressrun dkim drop " + key.Domain + "`."
		if keys.For(key.Domain)[0].Lost() == nil {
			f.OK, f.Warning, f.Said = true, true, key.Lost().Error()+"; the domain's other key signs"
			f.Mend = "Bring the file back from your backup, or move it away."
		}
		all = append(all, f)
	}
	return all
}

// checkDKIM looks at the keys that sign for a domain, and at those that wait.
func (s *site) checkDKIM(ctx context.Context, domain string, keys mailer.Keyring) []finding {
	what := domain + ": DKIM"
	signing := keys.For(domain)
	if why := s.cfg.DKIM.idle(s.cfg.Relay); why != "" {
		return []finding{{What: what, OK: true, Warning: true, Said: "the relay signs", Mend: why + " See in its settings that it signs with d=" + domain + "."}}
	}
	if len(signing) > 0 && signing[0].Lost() != nil {
		return nil // checkLost said so
	}
	if len(signing) == 0 {
		f := finding{What: what, OK: true, Warning: true, Said: "no key of ours: the relay signs"}
		f.Mend = "See in the relay's settings that it signs with d=" + domain + ", or sign here: `pressrun dkim new " + domain + "`."
		if s.cfg.DKIM.Sign == "always" {
			f.OK, f.Warning, f.Said, f.Mend = false, false, "there is no key, and dkim.sign is \"always\": nothing of it leaves", "Make one with `pressrun dkim new "+domain+"`."
		}
		return []finding{f}
	}
	var all []finding
	for _, key := range signing {
		all = append(all, s.checkKey(ctx, what, key))
	}
	_, waiting, err := dkimFolder(s.cfg.DKIM.Keys).read()
	for _, key := range waiting {
		if err == nil && key.Domain == signing[0].Domain {
			all = append(all, finding{
				What: what, OK: true, Warning: true, Said: key.Selector + " waits for its record",
				Mend: fmt.Sprintf("Publish a TXT record at %s: %s", key.Name(), key.Record()),
			})
		}
	}
	return all
}

func (s *site) checkKey(ctx context.Context, what string, key mailer.DKIMKey) finding {
	f := finding{What: what}
	records, err := s.cfg.dns().LookupTXT(ctx, key.Name())
	switch {
	case err != nil && !notFound(err):
		return f.unasked(err)
	case key.Published(records):
		f.OK, f.Said = true, fmt.Sprintf("selector %s signs (%s), and its record is there", key.Selector, key.Algorithm())
	case len(records) > 0:
		f.Said, f.Mend = key.Selector+" signs, but its record holds another key", fmt.Sprintf("Publish at %s: %s", key.Name(), key.Record())
	default:
		f.Said, f.Mend = key.Selector+" signs, but its record is not there", fmt.Sprintf("Publish a TXT record at %s: %s", key.Name(), key.Record())
	}
	return f
}

// checkDMARC looks for a policy (RFC 7489 section 6.6.3: of the domain, else of its organization) and for alignment with it.
func (s *site) checkDMARC(ctx context.Context, domain string, keys mailer.Keyring) finding {
	f := finding{What: domain + ": DMARC"}
	organization := organizationOf(domain)
	policy, err := s.policyOf(ctx, domain)
	switch {
	case errors.Is(err, dmarc.ErrNoPolicy):
		f.Said = "there is no policy, which the large providers ask for"
		f.Mend = fmt.Sprintf("Publish a TXT record at _dmarc.%s: v=DMARC1; p=none; rua=mailto:dmarc@%s", organization, organization)
		return f
	case dmarc.IsTempFail(err):
		return f.unasked(err)
	case err != nil:
		f.Said, f.Mend = err.Error(), "Mend the TXT record at _dmarc."+organization+"."
		return f
	}
	f.OK, f.Said = true, "p="+string(policy.Policy)
	signing := keys.For(domain)
	switch {
	case policy.DKIMAlignment == dmarc.AlignmentStrict && len(signing) > 0 && signing[0].Domain != domain:
		f.OK, f.Said = false, "adkim=s wants a signature by "+domain+" itself, and ours is by "+signing[0].Domain
		f.Mend = "Make a key with `pressrun dkim new " + domain + "`, or publish adkim=r."
	case len(policy.ReportURIAggregate) == 0:
		f.Warning, f.Mend = true, "Add rua=mailto:… to it, so that somebody hears of mail that fails."
	case len(signing) > 0:
		f.Said += fmt.Sprintf("; signatures by %s are aligned", signing[0].Domain)
	}
	return f
}

// organizationOf is the organizational domain of one (RFC 7489 section 3.2).
func organizationOf(domain string) string {
	if organization, err := publicsuffix.EffectiveTLDPlusOne(domain); err == nil {
		return organization
	}
	return domain
}

// policyOf is the DMARC policy that holds for a domain.
func (s *site) policyOf(ctx context.Context, domain string) (*dmarc.Record, error) {
	lookup := &dmarc.LookupOptions{LookupTXT: func(name string) ([]string, error) { return s.cfg.dns().LookupTXT(ctx, name) }}
	policy, err := dmarc.LookupWithOptions(domain, lookup)
	if organization := organizationOf(domain); errors.Is(err, dmarc.ErrNoPolicy) && organization != domain {
		policy, err = dmarc.LookupWithOptions(organization, lookup)
	}
	return policy, err
}

// notFound says that DNS answered and has no such record.
func notFound(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) && dns.IsNotFound
}

// unasked is a finding about a DNS server that didn't answer: nothing is known, so nothing is refused.
func (f finding) unasked(err error) finding {
	f.OK, f.Warning, f.Said, f.Mend = true, true, fmt.Sprintf("could not be asked: %v", err), "Look at this machine's DNS, or name a server in `resolver`."
	return f
}

// soft makes a warning of what is open.
func (f finding) soft() finding {
	if !f.OK {
		f.OK, f.Warning = true, true
	}
	return f
}
