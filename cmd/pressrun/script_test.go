package main

import (
	"bytes"
	"context"
	"io"
	"mime/quotedprintable"
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"pressrun/newsletter/mailer/smtptest"
	"pressrun/subscribers/store"
)

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"pressrun": main}) }

// TestScript runs testdata/script/*.txtar: the program as its users meet it. $RELAY_PORT is a mail server on loopback of the
// script's own; `mails N` asserts how many messages it took, `mail N FILE` writes one as a file, and `relay WHERE REPLY` has it
// answer otherwise there. DNS is asked of a server of the script's own too: `record NAME TYPE VALUE` puts a record into it,
// `publish FILE` the one that `dkim new` printed; `front` makes the site reachable by https. `unfinish` has the last import stopped right
// before its end, without the file that it would need.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               scriptSetup,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"mails":  scriptMails,
			"mail":   scriptMail,
			"relay":  scriptRelay,
			"record": scriptRecord, "publish": scriptPublish,
			"front": scriptFront, "unfinish": scriptUnfinish,
		},
	})
}

type (
	serverKey struct{}
	dnsKey    struct{}
)

func scriptSetup(env *testscript.Env) error {
	server := smtptest.New(env.T().(testing.TB))
	_, port, err := splitAddr(server.Addr())
	if err != nil {
		return err
	}
	env.Values[serverKey{}] = server
	dns := newDNSStub(env.T().(testing.TB))
	env.Values[dnsKey{}] = dns
	env.Setenv("PRESSRUN_RESOLVER", dns.addr())
	env.Setenv("RELAY_PORT", strconv.Itoa(port))
	env.Setenv("PRESSRUN_RELAY_PORT", strconv.Itoa(port))
	env.Setenv("TZ", "UTC")
	env.Setenv("GORACE", "atexit_sleep_ms=50") // the race detector has every command wait for a second before it ends, else
	return nil
}

func scriptUnfinish(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: unfinish")
	}
	db, err := store.Open(context.Background(), ts.MkAbs("pressrun.db"))
	ts.Check(err)
	defer db.Close()
	ts.Check(db.InTx(context.Background(), func(tx *store.Tx) error {
		_, err := tx.Exec(context.Background(), `UPDATE imports SET done = NULL WHERE id = (SELECT max(id) FROM imports)`)
		return err
	}))
}

func scriptServer(ts *testscript.TestScript) *smtptest.Server {
	return ts.Value(serverKey{}).(*smtptest.Server)
}

// scriptMails asserts how many messages the script's server took.
func scriptMails(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: mails N")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := scriptServer(ts).Messages()
	if (len(got) == want) == neg {
		for _, m := range got {
			ts.Logf("taken: %s to %s", m.MessageID, m.To)
		}
		ts.Fatalf("the server took %d messages, want %d (negated: %v)", len(got), want, neg)
	}
}

// scriptMail writes message N (from 1, in order of arrival) into a file of the script, with LF line ends and
// quoted-printable undone, so that grep and stdout patterns read it.
func scriptMail(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mail N FILE")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	taken := scriptServer(ts).Messages()
	if n < 1 || n > len(taken) {
		ts.Fatalf("mail %d: the server took %d", n, len(taken))
	}
	head, body, _ := bytes.Cut(taken[n-1].Data, []byte("\r\n\r\n"))
	plain, err := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(body)))
	ts.Check(err)
	text := append(append(bytes.Clone(head), "\n\n"...), plain...)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")), 0o644))
}

// scriptRelay has the script's server answer otherwise: relay 'RCPT gone@reader.example' '550 5.1.1 no such user'. With drop in
// place of a reply the connection ends there without one, once.
func scriptRelay(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: relay WHERE REPLY")
	}
	if rule := scriptServer(ts).At(args[0]); args[1] == "drop" {
		rule.Times(1).Drop(false)
	} else {
		rule.Reply(args[1])
	}
}

// scriptRecord publishes a DNS record.
func scriptRecord(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: record NAME TYPE VALUE")
	}
	ts.Check(ts.Value(dnsKey{}).(*dnsStub).add(args[0], args[1], args[2]))
}

// scriptPublish publishes the record that `dkim new` printed into a file.
func scriptPublish(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: publish FILE")
	}
	printed := regexp.MustCompile(`(?m)^Name:  (\S+)\nValue: (.+)$`).FindStringSubmatch(ts.ReadFile(args[0]))
	if printed == nil {
		ts.Fatalf("%s holds no record", args[0])
	}
	ts.Check(ts.Value(dnsKey{}).(*dnsStub).add(printed[1], "TXT", printed[2]))
}
