package negentropy

import (
	"fmt"
	"time"

	"rhea/proto/negentropy"
	"rhea/proto/stage"
)

// Config is section [negentropy].
type Config struct {
	MaxTreeRecords     int            `toml:"max_tree_records" help:"events in the tree that each process keeps of all public ones, 45 bytes each; a relay with more events, or 0, has none, and reads those of each session from the store" live:"true"`
	MaxRecords         int            `toml:"max_records" help:"events of a session that is served by a scan; larger ones are refused with blocked:" live:"true"`
	MaxSessions        int            `toml:"max_sessions" help:"open sessions of this process; more are refused" live:"true"`
	MaxSessionsPerConn int            `toml:"max_sessions_per_conn" help:"the same, of one connection" live:"true"`
	MaxSessionBytes    stage.ByteSize `toml:"max_session_bytes" help:"memory of the events of all sessions of this process, about; when it is used up more are refused" live:"true"`
	MaxOpening         int            `toml:"max_opening" help:"sessions whose events are being read, or wait for that; more are refused" live:"true"`
	Concurrency        int            `toml:"concurrency" help:"scans for sessions that are read from the store at the same time"`
	FrameBytes         int            `toml:"frame_bytes" help:"longest negentropy message that is sent, in bytes; in hex it is twice as long" live:"true"`
	MaxMessages        int            `toml:"max_messages" help:"messages of a client in one session" live:"true"`
	IdleTimeout        time.Duration  `toml:"idle_timeout" help:"a session without a message for so long is closed" live:"true"`
	MaxAge             time.Duration  `toml:"max_age" help:"a session that is as old is closed" live:"true"`
}

// DefaultConfig suits a relay of up to some ten million events.
func DefaultConfig() Config {
	return Config{
		MaxTreeRecords: 20_000_000, MaxRecords: 1_000_000,
		MaxSessions: 2000, MaxSessionsPerConn: 32, MaxSessionBytes: 256 << 20,
		MaxOpening: 200, Concurrency: 4,
		FrameBytes: 60_000, MaxMessages: 50_000,
		IdleTimeout: 2 * time.Minute, MaxAge: time.Hour,
	}
}

// maxFrame keeps a message, twice as long in hex, under the longest that the bus
// carries.
const maxFrame = 400_000

// Validate reports the first setting out of its bounds.
func (c Config) Validate() error {
	for _, b := range []struct {
		key              string
		value, low, high int64
	}{
		{"max_tree_records", int64(c.MaxTreeRecords), 0, 1_000_000_000},
		{"max_records", int64(c.MaxRecords), 1, 100_000_000},
		{"max_sessions", int64(c.MaxSessions), 1, 1_000_000},
		{"max_sessions_per_conn", int64(c.MaxSessionsPerConn), 1, 10_000},
		{"max_session_bytes", int64(c.MaxSessionBytes), 1 << 20, 1 << 40},
		{"max_opening", int64(c.MaxOpening), 1, 100_000},
		{"concurrency", int64(c.Concurrency), 1, 1024},
		{"frame_bytes", int64(c.FrameBytes), negentropy.MinSize, maxFrame},
		{"max_messages", int64(c.MaxMessages), 1, 1 << 31},
	} {
		if b.value < b.low || b.value > b.high {
			return fmt.Errorf("%s is %d: want %d to %d", b.key, b.value, b.low, b.high)
		}
	}
	for key, d := range map[string]time.Duration{"idle_timeout": c.IdleTimeout, "max_age": c.MaxAge} {
		if d < 5*time.Second || d > 24*time.Hour {
			return fmt.Errorf("%s is %v: want 5s to 24h", key, d)
		}
	}
	return nil
}
