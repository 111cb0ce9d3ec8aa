package main

import (
	"context"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptFront makes the site reachable as readers reach it: https://news.example.com, by a proxy with a certificate that the
// script's programs trust, and a DNS record. What listens behind it is for the script to start. With "redirect" the proxy
// answers every POST by one.
func scriptFront(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 1 {
		ts.Fatalf("usage: front [redirect]")
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	listen := free.Addr().String()
	ts.Check(free.Close())
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: listen})
	proxy.Transport = &http.Transport{DialContext: patient}
	front := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(args) == 1 && r.Method == http.MethodPost {
			http.Redirect(w, r, "/elsewhere", http.StatusSeeOther)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	ts.Defer(front.Close)
	root := ts.MkAbs("root.pem")
	ts.Check(os.WriteFile(root, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw}), 0o600))
	_, port, err := net.SplitHostPort(front.Listener.Addr().String())
	ts.Check(err)
	ts.Check(ts.Value(dnsKey{}).(*dnsStub).add("news.example.com", "A", "127.0.0.1"))
	ts.Setenv("SSL_CERT_FILE", root)
	ts.Setenv("PRESSRUN_LISTEN", listen)
	ts.Setenv("PRESSRUN_BASE_URL", "https://news.example.com:"+port)
}

// patient dials until somebody listens: the program behind the proxy is just starting.
func patient(ctx context.Context, network, addr string) (net.Conn, error) {
	for {
		var d net.Dialer
		conn, err := d.DialContext(ctx, network, addr)
		if err == nil || ctx.Err() != nil {
			return conn, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond):
		}
	}
}
