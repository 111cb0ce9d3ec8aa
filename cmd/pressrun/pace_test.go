package main

import "testing"

// TestPaceOfProviders: providers have a pace of their own where a rate is set and the relay passes mail on.
func TestPaceOfProviders(t *testing.T) {
	for _, tt := range []struct {
		host, rate string
		want       bool
	}{
		{"127.0.0.1", "30/s", false}, {"localhost", "30/s", false}, {"smtp.example.org", "30/s", true}, {"smtp.example.org", "0/s", false},
	} {
		c := Config{Zone: "UTC"}
		c.Relay.Host = tt.host
		if err := setRate(&c, tt.rate); err != nil {
			t.Fatal(err)
		}
		plan, err := c.pace()
		if err != nil || plan.Adapt != tt.want {
			t.Errorf("%s to %s: got providers paced %v, %v; want %v", tt.rate, tt.host, plan.Adapt, err, tt.want)
		}
	}
}
