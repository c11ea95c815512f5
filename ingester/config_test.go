package ingester

import (
	"strings"
	"testing"
)

func TestConfig(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	for key, change := range map[string]func(*Config){
		"seen_events": func(c *Config) { c.SeenEvents = -1 },
		"author_keys": func(c *Config) { c.AuthorKeys = 1 << 30 },
		"verifiers":   func(c *Config) { c.Verifiers = -1 },
	} {
		c := DefaultConfig()
		change(&c)
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), key) {
			t.Errorf("%s: %v", key, err)
		}
	}
}
