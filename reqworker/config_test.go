package reqworker

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
		"concurrency":          func(c *Config) { c.Concurrency = 0 },
		"slice_bytes":          func(c *Config) { c.SliceBytes = maxSlice + 1 },
		"max_queries":          func(c *Config) { c.MaxQueries = 0 },
		"max_queries_per_conn": func(c *Config) { c.MaxQueriesPerConn = 0 },
		"max_filter_bytes":     func(c *Config) { c.MaxFilterBytes = 0 },
	} {
		c := DefaultConfig()
		spoil(&c)
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), key+" is ") {
			t.Errorf("%s: %v", key, err)
		}
	}
}
