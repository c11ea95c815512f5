package ingester

import (
	"fmt"
	"runtime"
)

// Config is section [ingester]. What an event may look like is section [limits].
type Config struct {
	SeenEvents int `toml:"seen_events" help:"verified events that are remembered, so that copies cost no signature check (about 35 bytes each)"`
	AuthorKeys int `toml:"author_keys" help:"authors whose decompressed public key is remembered (about 100 bytes each)"`
	Verifiers  int `toml:"verifiers" help:"signatures that are verified at the same time; 0: one for each processor" live:"true"`
}

// DefaultConfig suits a relay of any size.
func DefaultConfig() Config {
	return Config{SeenEvents: 1 << 18, AuthorKeys: 16384}
}

// Validate reports the first setting out of its bounds.
func (c Config) Validate() error {
	for _, b := range []struct {
		key         string
		value, high int
	}{
		{"seen_events", c.SeenEvents, 1 << 26},
		{"author_keys", c.AuthorKeys, 1 << 24},
		{"verifiers", c.Verifiers, 1024},
	} {
		if b.value < 0 || b.value > b.high {
			return fmt.Errorf("%s is %d: want 0 to %d", b.key, b.value, b.high)
		}
	}
	return nil
}

func (c Config) verifiers() int {
	if c.Verifiers == 0 {
		return runtime.GOMAXPROCS(0)
	}
	return c.Verifiers
}
