package mailer

import (
	"maps"
	"slices"
)

// Kind is a make of relay: what it does to messages on their way and what it wants to be told (STANDARDS section 7). The
// zero Kind leaves messages as they are.
type Kind struct {
	Name string
	// Rebuilds: it takes messages apart and writes them anew, so that a signature of ours would arrive broken. It signs for
	// our domain itself, once that is set up with it.
	Rebuilds bool
	Rewrites []string // headers that it replaces and that are therefore never signed
	// OwnReturn: messages leave it with a return path of its own, whatever envelope sender they came with. Its SPF record counts then.
	OwnReturn bool
	// KeepsBounces: what comes back it shows and posts, but mails it to no envelope sender of ours.
	KeepsBounces bool
	SPF          string // what it has us include in the SPF record; empty: nothing
	Daily        int    // messages that it takes a day; 0: as many as the contract says
	AtOnce       int    // connections that it takes; 0: no such limit

	issue, notice []field // headers for it: the stream of the message, no tracking of opens and clicks
}

type field struct{ name, value string }

const streamHeader = "X-PM-Message-Stream"

// sendgridOff has SendGrid leave links and pictures alone, and our own way out the only one.
const sendgridOff = `{"filters": {"clicktrack": {"settings": {"enable": 0}},` + "\r\n" +
	` "opentrack": {"settings": {"enable": 0}}, "subscriptiontrack": {"settings": {"enable": 0}}}}`

var kinds = map[string]Kind{
	"smtp": {},
	"ses":  {Rewrites: []string{"Date", "Message-ID"}, OwnReturn: true}, // it mails on what came back ("email feedback forwarding")
	"postmark": {
		Rebuilds: true, OwnReturn: true, KeepsBounces: true,
		issue:  []field{{streamHeader, "broadcast"}, {"X-PM-KeepID", "true"}, {"X-PM-TrackLinks", "None"}},
		notice: []field{{streamHeader, "outbound"}, {"X-PM-KeepID", "true"}, {"X-PM-TrackLinks", "None"}},
	},
	"mailgun": {
		SPF:    "mailgun.org",
		issue:  []field{{"X-Mailgun-Track", "no"}},
		notice: []field{{"X-Mailgun-Track", "no"}},
	},
	"brevo": {Rebuilds: true, OwnReturn: true, KeepsBounces: true, Rewrites: []string{"Message-ID"}},
	"sendgrid": {
		Rebuilds: true, OwnReturn: true, KeepsBounces: true,
		issue:  []field{{"X-SMTPAPI", sendgridOff}},
		notice: []field{{"X-SMTPAPI", sendgridOff}},
	},
	"m365":  {Rebuilds: true, SPF: "spf.protection.outlook.com", Daily: 10_000, AtOnce: 3},
	"gmail": {Rewrites: []string{"Message-ID"}, SPF: "_spf.google.com", Daily: 2_000},
}

// KindOf finds a kind by its name in the configuration.
func KindOf(name string) (kind Kind, ok bool) {
	kind, ok = kinds[name]
	kind.Name = name
	return kind, ok
}

// Kinds are the names of all kinds, sorted.
func Kinds() []string { return slices.Sorted(maps.Keys(kinds)) }

// headers are the lines that the kind wants at the top of a message; stream is the one of issues, where it isn't the usual.
func (k Kind) headers(m Message, stream string) []byte {
	fields := k.notice
	if m.List {
		fields = k.issue
	}
	var lines []byte
	for _, f := range fields {
		if f.name == streamHeader && m.List && stream != "" {
			f.value = stream
		}
		lines = append(lines, f.name+": "+f.value+"\r\n"...)
	}
	return lines
}
