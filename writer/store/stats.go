package store

import (
	"time"

	"rhea/proto/subject"
)

// Stats are the figures of a store for metrics and for rhea status.
type Stats struct {
	Head             subject.Seq // the last Seq on disk
	Views            int         // views that readers hold, the current one included
	DiskBytes        uint64      // tables, WAL and what waits to be deleted
	MemTableBytes    uint64      // committed and not yet flushed
	CacheBytes       int64       // blocks in memory
	HotBytes         int64       // events in memory, as they go out to queries
	CacheHits        int64       // since the store was opened
	CacheMisses      int64
	ReadAmp          int   // tables that one lookup may have to visit
	Level0Files      int64 // tables that overlap; many make lookups slow
	Flushes          int64 // since the store was opened, like all that follow
	Compactions      int64
	CompactionDebt   uint64 // as of now
	WALBytes         uint64 // as of now
	WALWritten       uint64
	Stalls           int64 // times that commits were kept waiting for flushes or compactions
	Stalled          time.Duration
	BackgroundErrors int64 // flushes and compactions that failed
	DiskOK           bool
	Failed           bool
}

// Stats returns the figures. It takes some tens of microseconds and is safe for
// concurrent use, but not after Close.
func (s *Store) Stats() Stats {
	m := s.db.Metrics()
	return Stats{
		Head:             s.Head(),
		Views:            m.Snapshots.Count,
		DiskBytes:        m.DiskSpaceUsage(),
		MemTableBytes:    m.MemTable.Size,
		CacheBytes:       m.BlockCache.Size,
		HotBytes:         s.hot.used.Load(),
		CacheHits:        m.BlockCache.Hits,
		CacheMisses:      m.BlockCache.Misses,
		ReadAmp:          m.ReadAmp(),
		Level0Files:      m.Levels[0].TablesCount,
		Flushes:          m.Flush.Count,
		Compactions:      m.Compact.Count,
		CompactionDebt:   m.Compact.EstimatedDebt,
		WALBytes:         m.WAL.Size,
		WALWritten:       m.WAL.BytesWritten,
		Stalls:           s.stalls.count.Load(),
		Stalled:          s.stalls.lasted(),
		BackgroundErrors: s.backgroundErrors.Load(),
		DiskOK:           s.DiskOK(),
		Failed:           s.Err() != nil,
	}
}
