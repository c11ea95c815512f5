package gateway

import (
	"strings"
	"testing"

	"rhea/proto/stage"
)

func TestConfig(t *testing.T) {
	c := DefaultConfig()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	for key, spoil := range map[string]func(*Config){
		"listen":             func(c *Config) { c.Listen = "here" },
		"max_connections":    func(c *Config) { c.MaxConnections = 0 },
		"max_per_address":    func(c *Config) { c.MaxPerAddress = -1 },
		"max_negotiations":   func(c *Config) { c.MaxNegotiations = 1001 },
		"max_subscribe_size": func(c *Config) { c.MaxSubscribeSize = 1023 },
		"max_outbound":       func(c *Config) { c.MaxOutbound = minOutbound - 1 },
		"ping_interval":      func(c *Config) { c.PingInterval = 0 },
		"event_timeout":      func(c *Config) { c.EventTimeout = -1 },
		"trusted_proxies":    func(c *Config) { c.TrustedProxies = []string{"10.0.0.1"} },
	} {
		c := DefaultConfig()
		spoil(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", key, err)
		}
	}
	c.MaxSubscribeSize = stage.ByteSize(1 << 30)
	c.MaxNegotiations = 0
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

func TestRelay(t *testing.T) {
	r := DefaultRelay()
	if err := r.Validate(); err != nil {
		t.Fatal(err)
	}
	for key, spoil := range map[string]func(*Relay, string){
		"pubkey":           func(r *Relay, s string) { r.Pubkey = s },
		"self":             func(r *Relay, s string) { r.Self = s },
		"icon":             func(r *Relay, s string) { r.Icon = s },
		"banner":           func(r *Relay, s string) { r.Banner = s },
		"software":         func(r *Relay, s string) { r.Software = s },
		"terms_of_service": func(r *Relay, s string) { r.TermsOfService = s },
	} {
		for _, text := range []string{"x", "abc/def", strings.Repeat("A", 64)} {
			r := DefaultRelay()
			spoil(&r, text)
			if err := r.Validate(); err == nil || !strings.HasPrefix(err.Error(), key) {
				t.Errorf("%s: %v", key, err)
			}
		}
	}
}
