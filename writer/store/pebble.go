package store

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
)

// pebbleOptions returns how Pebble is run. What differs from its defaults, and
// why, stands here and nowhere else.
func pebbleOptions(s *Store) *pebble.Options {
	o := &pebble.Options{
		FS:           s.opt.FS,
		Lock:         s.lock,
		CacheSize:    s.opt.CacheBytes - s.opt.CacheBytes/hotPart - s.opt.CacheBytes/newestPart,
		MemTableSize: s.opt.MemTableBytes,
		Logger:       pebbleLogger{s},
		// Columnar blocks make index keys, which share long prefixes, small and quick
		// to search, and values can be kept apart.
		FormatMajorVersion: pebble.FormatValueSeparation,
		// With memtables half as large as is usual, flushes are twice as many; this has as
		// much come down in one compaction as before.
		L0CompactionThreshold: 8,
		Cleaner:               deleter{},
		EventListener: &pebble.EventListener{
			BackgroundError: s.backgroundError, WriteStallBegin: s.stalls.begin, WriteStallEnd: s.stalls.end,
		},
	}
	for i := range o.Levels {
		l := &o.Levels[i]
		// Every event that arrives is looked up by id, nearly always in vain.
		l.FilterPolicy = lookupFilter{bloom.FilterPolicy(10)}
		// Events compress across each other (keys of JSON, relay hints, pubkeys),
		// so larger blocks than Pebble's 4 KiB pay. Rejected: 4 KiB for level 0, and so for
		// the values of the log: 2.6 MB more on disk for 110,000 events, and nothing
		// that could be measured for queries.
		l.BlockSize = 16 << 10
	}
	o.ApplyCompressionSettings(compression)
	// One compaction runs at a time, and at its end the next begins. Pebble's default
	// looks ten times a second besides whether there may be more at a time by now, which
	// is most of what an idle store does; it has this name for the same without it.
	o.Experimental.CompactionScheduler = pebble.NewConcurrencyLimitSchedulerWithNoPeriodicGrantingForTest()
	o.CompactionConcurrencyRange = func() (lower, upper int) { return 1, 1 }
	o.Experimental.ValueSeparationPolicy = apart
	return o
}

// apart has the values of the log, which are two thirds of all bytes, written to files
// of their own when they are flushed. Compactions, which the index keys need, then
// leave them alone, until a fifth of such files is garbage. No other value is as long
// as 128 bytes.
func apart() pebble.ValueSeparationPolicy {
	return pebble.ValueSeparationPolicy{
		Enabled: true, MinimumSize: 128, MaxBlobReferenceDepth: 10,
		RewriteMinimumAge: 5 * time.Minute, TargetGarbageRatio: 0.2,
	}
}

// deleter makes Pebble delete a WAL that is not needed any more, where it would keep
// three to write the next ones over: the half of what a young store takes on disk.
// Pebble does so for whoever wants to see the contents of what it removes, and has
// no other switch. The method of DeleteCleaner is what it calls, as that of unrecycled
// is embedded more deeply.
type deleter struct {
	pebble.DeleteCleaner
	unrecycled
}

type unrecycled struct{ pebble.ArchiveCleaner }

// backgroundError hears of each flush and compaction that failed. Pebble keeps
// what it had and tries again, so a disk that was full for a while costs nothing;
// if it stays full, commits come to wait for a flush, and reading goes on. Only
// damage ends the store. What the WAL suffers comes through Wait and Fatalf.
func (s *Store) backgroundError(err error) {
	s.backgroundErrors.Add(1)
	if pebble.IsCorruptionError(err) {
		err = s.fail(fmt.Errorf("store %s: %w", s.dir, err))
		s.opt.Logger.Error(err.Error())
		return
	}
	// Pebble tries a flush again at once and for ever.
	now, last := s.opt.Now().UnixMilli(), s.complained.Load()
	if due := now < last || now-last >= time.Second.Milliseconds(); due && s.complained.CompareAndSwap(last, now) {
		s.opt.Logger.Error("a flush or compaction failed and is tried again",
			"dir", s.dir, "err", err, "failures", s.backgroundErrors.Load())
	}
}

// compression returns the codecs: fast ones above, and Zstd at level 1 in the two
// lowest levels, where nearly everything is, but for blocks where it saves little.
// Level 3 costs some 4 us more CPU per event (55 against 51, compactions included,
// mean of 8 alternating runs that spread by 7) and makes real events no smaller.
func compression() pebble.DBCompressionSettings {
	c := pebble.DBCompressionFastest
	c.Name = "rhea"
	for i := len(c.Levels) - 2; i < len(c.Levels); i++ {
		c.Levels[i] = pebble.DBCompressionBalanced.Levels[len(c.Levels)-1]
	}
	return c
}

// pebbleLogger passes on what Pebble says. It calls Fatalf where it cannot go
// on, a failed write of its WAL above all.
type pebbleLogger struct{ s *Store }

func (l pebbleLogger) log() *slog.Logger { return l.s.opt.Logger }

func (l pebbleLogger) Infof(format string, args ...any) {
	l.log().Debug(fmt.Sprintf(format, args...))
}

func (l pebbleLogger) Errorf(format string, args ...any) {
	l.log().Error(fmt.Sprintf(format, args...))
}

func (l pebbleLogger) Fatalf(format string, args ...any) {
	err := l.s.fail(fmt.Errorf("store %s: "+format, append([]any{l.s.dir}, args...)...))
	l.log().Error(err.Error())
	l.s.opt.Fatal(err)
}
