package writer

import (
	"strings"
	"testing"
	"time"
)

func TestConfig(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	for key, change := range map[string]func(*Config){
		"dir":            func(c *Config) { c.Dir = "" },
		"cache":          func(c *Config) { c.Cache = 0 },
		"mem_table":      func(c *Config) { c.MemTable = 1 << 40 },
		"disk_reserve":   func(c *Config) { c.DiskReserve = -1 },
		"ephemeral_keep": func(c *Config) { c.EphemeralKeep = 0 },
		"scan_workers":   func(c *Config) { c.ScanWorkers = -1 },
		"scan_queue":     func(c *Config) { c.ScanQueue = 0 },
		"scan_slice":     func(c *Config) { c.ScanSlice = time.Hour },
	} {
		c := DefaultConfig()
		change(&c)
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), key) {
			t.Errorf("%s: %v", key, err)
		}
	}
}
