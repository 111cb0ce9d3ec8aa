package main

import (
	"strings"
	"testing"
)

// TestDemoSaysAnotherPort: a site of one's own is written for the usual port, so only another one has to be said.
func TestDemoSaysAnotherPort(t *testing.T) {
	d := &demo{site: &site{cfg: Config{Relay: RelayConfig{Port: trialPort}}}}
	if said := d.otherPort(); said != "" {
		t.Errorf("at the usual port: %q", said)
	}
	d.site.cfg.Relay.Port = 40927
	if said := d.otherPort(); !strings.Contains(said, "port 1025 was taken") || !strings.Contains(said, "port = 40927 in [relay]") {
		t.Errorf("at another port: %q", said)
	}
}
