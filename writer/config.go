package writer

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"rhea/proto/stage"
)

// Config is section [writer].
type Config struct {
	Dir           string         `toml:"dir" help:"directory of the store, made if it is not there; unless this is set, rhea up and rhea solo have it in their data directory"`
	Cache         stage.ByteSize `toml:"cache" help:"memory for what was read of the store: an eighth of it for events, the rest for blocks"`
	MemTable      stage.ByteSize `toml:"mem_table" help:"memory that commits fill before it is written to tables; twice this is used"`
	DiskReserve   stage.ByteSize `toml:"disk_reserve" help:"free disk space below which events are refused; 0: none" live:"true"`
	EphemeralKeep time.Duration  `toml:"ephemeral_keep" help:"how long ephemeral events stay in the log, for monitors that are behind" live:"true"`
	ScanWorkers   int            `toml:"scan_workers" help:"slices of queries that are read at the same time; 0: one for each processor, two at least"`
	ScanQueue     int            `toml:"scan_queue" help:"slices that wait for a reader; one more is refused as busy"`
	ScanSlice     time.Duration  `toml:"scan_slice" help:"how long a slice of a query may take before others go first" live:"true"`
}

// DefaultConfig suits a small machine; the store lies in ./rhea-data.
func DefaultConfig() Config {
	return Config{
		Dir:           "rhea-data",
		Cache:         96 << 20,
		MemTable:      8 << 20,
		DiskReserve:   256 << 20,
		EphemeralKeep: 5 * time.Minute,
		ScanQueue:     256,
		ScanSlice:     20 * time.Millisecond,
	}
}

// Validate reports the first setting out of its bounds.
func (c Config) Validate() error {
	switch {
	case c.Dir == "":
		return errors.New("dir: where is the store?")
	case c.Cache < 1<<20 || c.Cache > 1<<40:
		return fmt.Errorf("cache is %s: want 1MiB to 1TiB", c.Cache)
	case c.MemTable < 1<<20 || c.MemTable > 1<<30:
		return fmt.Errorf("mem_table is %s: want 1MiB to 1GiB", c.MemTable)
	case c.DiskReserve < 0 || c.DiskReserve > 1<<50:
		return fmt.Errorf("disk_reserve is %s: want 0 to 1024TiB", c.DiskReserve)
	case c.EphemeralKeep < time.Second || c.EphemeralKeep > 24*time.Hour:
		return fmt.Errorf("ephemeral_keep is %s: want 1s to 24h", c.EphemeralKeep)
	case c.ScanWorkers < 0 || c.ScanWorkers > 1024:
		return fmt.Errorf("scan_workers is %d: want 0 to 1024", c.ScanWorkers)
	case c.ScanQueue < 1 || c.ScanQueue > 1<<16:
		return fmt.Errorf("scan_queue is %d: want 1 to 65536", c.ScanQueue)
	case c.ScanSlice < time.Millisecond || c.ScanSlice > 10*time.Second:
		return fmt.Errorf("scan_slice is %s: want 1ms to 10s", c.ScanSlice)
	}
	return nil
}

// reserve is the DiskReserve as the store takes it.
func (c Config) reserve() int64 {
	if c.DiskReserve == 0 {
		return -1
	}
	return int64(c.DiskReserve)
}

// scanWorkers is at least two by default: one may wait for the disk.
func (c Config) scanWorkers() int {
	if c.ScanWorkers == 0 {
		return max(2, runtime.GOMAXPROCS(0))
	}
	return c.ScanWorkers
}
