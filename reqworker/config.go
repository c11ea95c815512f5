package reqworker

import (
	"fmt"

	"rhea/proto/stage"
)

// Config is section [reqworker].
type Config struct {
	Concurrency       int            `toml:"concurrency" help:"slices that are read from the store at the same time"`
	SliceBytes        stage.ByteSize `toml:"slice_bytes" help:"events read and sent in one piece; smaller is fairer, larger is cheaper" live:"true"`
	MaxQueries        int            `toml:"max_queries" help:"queries of this process that run at the same time, paused ones included; more are refused" live:"true"`
	MaxQueriesPerConn int            `toml:"max_queries_per_conn" help:"the same, of one connection" live:"true"`
	MaxFilterBytes    stage.ByteSize `toml:"max_filter_bytes" help:"memory for the filters and keys of all running queries; when it is used up more are refused" live:"true"`
}

// DefaultConfig suits a relay of any size.
func DefaultConfig() Config {
	return Config{Concurrency: 8, SliceBytes: 512 << 10, MaxQueries: 20_000, MaxQueriesPerConn: 400, MaxFilterBytes: 256 << 20}
}

// maxSlice is as much as whoever serves the store reads at once. A Part of it, with
// room to spare, is one bus message.
const maxSlice = 512 << 10

// Validate reports the first setting out of its bounds.
func (c Config) Validate() error {
	for _, b := range []struct {
		key              string
		value, low, high int64
	}{
		{"concurrency", int64(c.Concurrency), 1, 1024},
		{"slice_bytes", int64(c.SliceBytes), 1 << 10, maxSlice},
		{"max_queries", int64(c.MaxQueries), 1, 10_000_000},
		{"max_queries_per_conn", int64(c.MaxQueriesPerConn), 1, 1_000_000},
		{"max_filter_bytes", int64(c.MaxFilterBytes), 1 << 20, 1 << 40},
	} {
		if b.value < b.low || b.value > b.high {
			return fmt.Errorf("%s is %d: want %d to %d", b.key, b.value, b.low, b.high)
		}
	}
	return nil
}
