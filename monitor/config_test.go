package monitor

import (
	"strings"
	"testing"
)

// The defaults are valid, and each setting has bounds.
func TestConfig(t *testing.T) {
	if c := DefaultConfig(); c.Validate() != nil {
		t.Error(c.Validate())
	}
	for key, spoil := range map[string]func(*Config){
		"window_bytes":     func(c *Config) { c.WindowBytes = 1 },
		"window_entries":   func(c *Config) { c.WindowEntries = 0 },
		"max_watches":      func(c *Config) { c.MaxWatches = -1 },
		"max_filter_bytes": func(c *Config) { c.MaxFilterBytes = maxHeld + 1 },
	} {
		c := DefaultConfig()
		spoil(&c)
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), key+" is ") {
			t.Errorf("%s: %v", key, err)
		}
	}
}
