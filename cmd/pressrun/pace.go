package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pressrun/newsletter/outbox"
	"pressrun/newsletter/pace"
	"pressrun/subscribers"
)

func setRate(c *Config, s string) (err error) {
	c.Relay.Rate, err = pace.ParseRate(s)
	return err
}

func setProviderRates(c *Config, items []string) error {
	c.Relay.ProviderRates = map[pace.Lane]pace.Rate{}
	for _, item := range items {
		name, rest, _ := strings.Cut(strings.TrimSpace(item), " ")
		lane, ok := pace.LaneNamed(name)
		if !ok {
			return fmt.Errorf("%q names no mailbox provider: write %s, and then a pace, such as \"gmail 5/s\"", item, strings.Join(pace.LaneNames(), ", "))
		}
		rate, err := pace.ParseRate(rest)
		if err != nil {
			return err
		}
		if len(rate) > 0 {
			c.Relay.ProviderRates[lane] = append(c.Relay.ProviderRates[lane], rate...)
		}
	}
	return nil
}

func setWindow(c *Config, s string) error {
	c.Relay.Window = s
	_, err := pace.ParseHours(s, time.UTC)
	return err
}

func setWarmUp(c *Config, items []string) error {
	for _, item := range items {
		address, err := subscribers.ParseAddress("news@" + item)
		if err != nil {
			return fmt.Errorf("%q is no domain: write the part after the @ of a series' sender, such as \"news.example.org\"", item)
		}
		c.Relay.WarmUp = append(c.Relay.WarmUp, address.Domain)
	}
	return nil
}

// pace is how fast mail may leave: as it was set, and never faster than the kind of relay takes it. Mailbox providers have a
// pace of their own where one was set and the relay passes mail on: one on this machine takes all that the rate allows.
func (c Config) pace() (pace.Plan, error) {
	zone, err := time.LoadLocation(c.Zone)
	if err != nil {
		return pace.Plan{}, fmt.Errorf("zone: %w", err)
	}
	r := c.Relay
	p := pace.Plan{
		Relay: append(pace.Rate(nil), r.Rate...), Ceilings: r.ProviderRates,
		Adapt:  (len(r.Rate) > 0 || len(r.ProviderRates) > 0) && !isLoopback(r.Host),
		WarmUp: r.WarmUp, Zone: zone, Connections: r.atOnce(),
	}
	if r.Kind.Daily > 0 {
		p.Relay = append(p.Relay, pace.Limit{N: r.Kind.Daily, Per: 24 * time.Hour})
	}
	p.Hours, err = pace.ParseHours(r.Window, zone)
	return p, err
}

// when is an instant for people; - for none.
func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Format(slotFormat)
}

// saidCourse says when an issue that is sent now will have gone out; empty where no pace is set.
func (s *site) saidCourse(ctx context.Context, slug string, readers int64) string {
	c, err := s.publisher.CourseNow(ctx, slug, readers)
	switch {
	case err != nil:
		s.log.WarnContext(ctx, "when it ends is not known", "error", err)
		return ""
	case c.Begins.After(s.now()):
		return fmt.Sprintf(" At the pace that is set it begins on %s and ends on %s.", when(c.Begins), when(c.Ends))
	case c.Ends.IsZero():
		return ""
	}
	return fmt.Sprintf(" At the pace that is set it ends on %s.", when(c.Ends))
}

// checkPace says how fast mail leaves.
func (s *site) checkPace(ctx context.Context) (finding, error) {
	f := finding{What: "pace", OK: true}
	if s.pace.Off() {
		f.Said = "none is set: mail leaves as fast as the relay takes it"
		return f, nil
	}
	var parts []string
	if len(s.pace.Relay) > 0 {
		parts = append(parts, s.pace.Relay.String()+" to the relay")
	}
	for lane, name := range pace.LaneNames() {
		if rate := s.pace.Ceilings[pace.Lane(lane)]; len(rate) > 0 {
			parts = append(parts, rate.String()+" to "+name)
		}
	}
	if s.pace.Adapt {
		parts = append(parts, "each mailbox provider from 2/s up, as it takes messages")
	}
	if !s.pace.Hours.AllDay() {
		parts = append(parts, fmt.Sprintf("issues from %s (%s)", s.pace.Hours, s.cfg.Zone))
	}
	warm, err := outbox.WarmUps(ctx, s.db, s.now().In(s.pace.Zone))
	if err != nil {
		return f, err
	}
	for _, domain := range slices.Sorted(maps.Keys(warm)) {
		w := warm[domain]
		n, done := w.Allowance()
		switch {
		case done:
			parts = append(parts, domain+" is warm: take it out of relay.warm_up")
		case w.Refusing():
			parts = append(parts, domain+" warms up, and waits until tomorrow since over 5 % of today's messages were refused")
			f.Warning, f.Mend = true, "Look at what the providers said with `pressrun issue show`, and at SPF, DKIM and DMARC."
		default:
			parts = append(parts, fmt.Sprintf("%s warms up with %d messages a day", domain, n))
		}
	}
	f.Said = strings.Join(parts, "; ")
	return f, nil
}
