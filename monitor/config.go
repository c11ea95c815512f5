package monitor

import (
	"fmt"

	"rhea/proto/stage"
)

// Config is section [monitor].
type Config struct {
	WindowBytes    stage.ByteSize `toml:"window_bytes" help:"recent log kept in memory, from which new subscriptions are brought up to date" live:"true"`
	WindowEntries  int            `toml:"window_entries" help:"events in that window at the most" live:"true"`
	MaxWatches     int            `toml:"max_watches" help:"live subscriptions of this process at the most; more are refused until others end" live:"true"`
	MaxFilterBytes stage.ByteSize `toml:"max_filter_bytes" help:"memory of all live subscriptions, their filters and the index of these; when it is used up new subscriptions are refused" live:"true"`
}

// DefaultConfig suits a relay with some ten thousands of subscriptions.
func DefaultConfig() Config {
	return Config{WindowBytes: 8 << 20, WindowEntries: 50_000, MaxWatches: 1_000_000, MaxFilterBytes: 1 << 30}
}

// Validate reports the first setting out of its bounds.
func (c Config) Validate() error {
	for _, b := range []struct {
		key              string
		value, low, high int64
	}{
		{"window_bytes", int64(c.WindowBytes), 64 << 10, 4 << 30},
		{"window_entries", int64(c.WindowEntries), 16, 10_000_000},
		{"max_watches", int64(c.MaxWatches), 1, 100_000_000},
		{"max_filter_bytes", int64(c.MaxFilterBytes), 1 << 20, maxHeld},
	} {
		if b.value < b.low || b.value > b.high {
			return fmt.Errorf("%s is %d: want %d to %d", b.key, b.value, b.low, b.high)
		}
	}
	return nil
}
