package main

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// dnsStub is a DNS server on loopback that knows what it was told, and no other name. The program reaches it as it reaches any
// other, through the setting "resolver".
type dnsStub struct {
	conn net.PacketConn
	mu   sync.Mutex
	all  map[string][]dnsmessage.ResourceBody // "name. type"
	ill  map[string]bool                      // "name.": what the server fails at
}

func newDNSStub(t testing.TB) *dnsStub {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &dnsStub{conn: conn, all: map[string][]dnsmessage.ResourceBody{}, ill: map[string]bool{}}
	done := make(chan struct{})
	go func() { defer close(done); d.serve() }()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	return d
}

func (d *dnsStub) addr() string { return d.conn.LocalAddr().String() }

// add tells the stub a record: TXT text, A address, MX "10 host"; or FAIL for a name at which the server fails.
func (d *dnsStub) add(name, kind, value string) error {
	var body dnsmessage.ResourceBody
	var of dnsmessage.Type
	switch kind {
	case "TXT":
		var parts []string
		for ; len(value) > 255; value = value[255:] {
			parts = append(parts, value[:255])
		}
		of, body = dnsmessage.TypeTXT, &dnsmessage.TXTResource{TXT: append(parts, value)}
	case "A":
		ip := net.ParseIP(value).To4()
		if ip == nil {
			return fmt.Errorf("%q is no IPv4 address", value)
		}
		of, body = dnsmessage.TypeA, &dnsmessage.AResource{A: [4]byte(ip)}
	case "MX":
		pref, host, _ := strings.Cut(value, " ")
		n, err := strconv.ParseUint(pref, 10, 16)
		if err != nil {
			return err
		}
		mx, err := dnsmessage.NewName(host + ".")
		if err != nil {
			return err
		}
		of, body = dnsmessage.TypeMX, &dnsmessage.MXResource{Pref: uint16(n), MX: mx}
	case "FAIL":
		d.mu.Lock()
		defer d.mu.Unlock()
		d.ill[strings.ToLower(name)+"."] = true
		return nil
	default:
		return fmt.Errorf("the stub knows no records of type %s", kind)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	key := strings.ToLower(name) + ". " + of.String()
	d.all[key] = append(d.all[key], body)
	return nil
}

func (d *dnsStub) serve() {
	packet := make([]byte, 1500)
	for {
		n, from, err := d.conn.ReadFrom(packet)
		if err != nil {
			return
		}
		if answer, err := d.answer(packet[:n]); err == nil {
			_, _ = d.conn.WriteTo(answer, from)
		}
	}
}

func (d *dnsStub) answer(packet []byte) ([]byte, error) {
	var ask dnsmessage.Message
	if err := ask.Unpack(packet); err != nil || len(ask.Questions) != 1 {
		return nil, fmt.Errorf("no question: %w", err)
	}
	q := ask.Questions[0]
	reply := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: ask.ID, Response: true, Authoritative: true, RecursionAvailable: true, RCode: dnsmessage.RCodeNameError},
		Questions: ask.Questions,
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	name := strings.ToLower(q.Name.String())
	for key := range d.all {
		if strings.HasPrefix(key, name+" ") {
			reply.RCode = dnsmessage.RCodeSuccess
		}
	}
	if d.ill[name] {
		reply.RCode = dnsmessage.RCodeServerFailure
	}
	for _, body := range d.all[name+" "+q.Type.String()] {
		reply.Answers = append(reply.Answers, dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 60}, Body: body})
	}
	return reply.Pack()
}
