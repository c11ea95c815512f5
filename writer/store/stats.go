package store

import "rhea/proto/subject"

// Stats are the figures of a store for metrics and for rhea status.
type Stats struct {
	Head             subject.Seq // the last Seq on disk
	Views            int         // views that readers hold, the current one included
	DiskBytes        uint64      // tables, WAL and what waits to be deleted
	MemTableBytes    uint64      // committed and not yet flushed
	CacheBytes       int64       // blocks in memory
	CacheHits        int64       // since the store was opened
	CacheMisses      int64
	ReadAmp          int   // tables that one lookup may have to visit
	Compactions      int64 // since the store was opened
	CompactionDebt   uint64
	BackgroundErrors int64 // flushes and compactions that failed since the store was opened
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
		CacheHits:        m.BlockCache.Hits,
		CacheMisses:      m.BlockCache.Misses,
		ReadAmp:          m.ReadAmp(),
		Compactions:      m.Compact.Count,
		CompactionDebt:   m.Compact.EstimatedDebt,
		BackgroundErrors: s.backgroundErrors.Load(),
		DiskOK:           s.DiskOK(),
		Failed:           s.Err() != nil,
	}
}
