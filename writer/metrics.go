package writer

import (
	"sync/atomic"

	"rhea/proto/relaypb"
	"rhea/proto/stage"
	"rhea/writer/store"
)

type metrics struct {
	received  *stage.Counter
	verdicts  map[relaypb.Outcome]*stage.Counter
	malformed *stage.Counter
	unknown   *stage.Counter
	unsent    *stage.Counter

	commits    *stage.Counter
	commitSize *stage.Histogram
	commitTime *stage.Histogram
	committing *stage.Gauge
	removed    *stage.Counter

	syncTime              *stage.Histogram
	diskFree, diskReserve *stage.Gauge
	figures               atomic.Pointer[store.Stats] // as of the last housekeeping

	scans       *stage.Counter
	scanEvents  *stage.Counter
	scanTime    *stage.Histogram
	fetches     *stage.Counter
	busyScans   *stage.Counter
	busyFetches *stage.Counter
	badRequests *stage.Counter
}

func newMetrics(m *stage.Metrics) *metrics {
	verdict := func(outcome string) *stage.Counter {
		return m.Counter("verdicts", "Verdicts given.", "outcome", outcome)
	}
	all := &metrics{
		received: m.Counter("received", "Admitted events received."),
		verdicts: map[relaypb.Outcome]*stage.Counter{
			relaypb.Outcome_NEW:       verdict("new"),
			relaypb.Outcome_DUPLICATE: verdict("duplicate"),
			relaypb.Outcome_EPHEMERAL: verdict("ephemeral"),
			relaypb.Outcome_REPLACED:  verdict("replaced"),
			relaypb.Outcome_INVALID:   verdict("invalid"),
			relaypb.Outcome_BLOCKED:   verdict("blocked"),
			relaypb.Outcome_ERROR:     verdict("error"),
		},
		malformed: m.Counter("malformed", "Admitted events that no ingester should have sent."),
		unknown:   m.Counter("unknown", "Messages of a kind that this build does not know."),
		unsent:    m.Counter("unsent", "Messages that the bus refused."),

		commits:    m.Counter("commits", "Commits on disk."),
		commitSize: m.Histogram("commit_events", "Events decided in one commit.", []float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512}),
		commitTime: m.Histogram("commit_seconds", "Seconds from a commit's decision to its verdicts, the wait for the disk included.", stage.Latency()),
		committing: m.Gauge("commits_waiting", "Commits that wait for the disk; at most 4."),
		removed:    m.Counter("removed", "Events that have left the store: replaced, deleted, vanished, expired."),

		syncTime:    m.Histogram("sync_seconds", "Seconds that a commit waited for the disk.", stage.Latency()),
		diskFree:    m.Gauge("disk_free_bytes", "Free bytes on the store's file system."),
		diskReserve: m.Gauge("disk_reserve_bytes", "Free bytes below which events are refused."),

		scans:       m.Counter("scans", "Slices of queries served."),
		scanEvents:  m.Counter("scan_events", "Events in the slices served."),
		scanTime:    m.Histogram("scan_seconds", "Seconds to read a slice.", stage.Latency()),
		fetches:     m.Counter("log_fetches", "Ranges of the log served."),
		busyScans:   m.Counter("busy", "Requests refused because the queue was full.", "inbox", "scan"),
		busyFetches: m.Counter("busy", "Requests refused because the queue was full.", "inbox", "log.fetch"),
		badRequests: m.Counter("bad_requests", "Requests that cannot be served as they stand."),
	}
	all.figures.Store(&store.Stats{})
	measureStore(m, all.figures.Load)
	return all
}

// measureStore makes the metrics of the store; figures is called often.
func measureStore(m *stage.Metrics, figures func() *store.Stats) {
	gauge := func(name, help string, of func(*store.Stats) float64) {
		m.GaugeFunc(name, help, func() float64 { return of(figures()) })
	}
	count := func(name, help string, of func(*store.Stats) float64) {
		m.CounterFunc(name, help, func() float64 { return of(figures()) })
	}
	gauge("store_bytes", "Bytes of the store on disk.", func(s *store.Stats) float64 { return float64(s.DiskBytes) })
	gauge("memtable_bytes", "Bytes that are committed and in the write-ahead log, and not flushed to tables yet.", func(s *store.Stats) float64 { return float64(s.MemTableBytes) })
	gauge("wal_bytes", "Bytes of the write-ahead log that are needed.", func(s *store.Stats) float64 { return float64(s.WALBytes) })
	gauge("level0_files", "Tables at the top of the tree, which overlap: many make lookups slow.", func(s *store.Stats) float64 { return float64(s.Level0Files) })
	gauge("read_amplification", "Tables that one lookup may have to visit.", func(s *store.Stats) float64 { return float64(s.ReadAmp) })
	gauge("compaction_debt_bytes", "Bytes that compactions have still to rewrite.", func(s *store.Stats) float64 { return float64(s.CompactionDebt) })
	gauge("cache_bytes", "Bytes of blocks in memory.", func(s *store.Stats) float64 { return float64(s.CacheBytes) })
	gauge("hot_bytes", "Bytes of events in memory that queries have asked for.", func(s *store.Stats) float64 { return float64(s.HotBytes) })
	gauge("views", "Views of the store that readers hold, the current one included.", func(s *store.Stats) float64 { return float64(s.Views) })
	count("cache_hits", "Blocks found in memory.", func(s *store.Stats) float64 { return float64(s.CacheHits) })
	count("cache_misses", "Blocks read from disk.", func(s *store.Stats) float64 { return float64(s.CacheMisses) })
	count("wal_written_bytes", "Bytes written to the write-ahead log.", func(s *store.Stats) float64 { return float64(s.WALWritten) })
	count("flushes", "Flushes of committed events to tables.", func(s *store.Stats) float64 { return float64(s.Flushes) })
	count("compactions", "Compactions of tables.", func(s *store.Stats) float64 { return float64(s.Compactions) })
	count("background_errors", "Flushes and compactions that failed and were tried again.", func(s *store.Stats) float64 { return float64(s.BackgroundErrors) })
	count("stalls", "Times that commits were kept waiting because flushes or compactions did not keep up.", func(s *store.Stats) float64 { return float64(s.Stalls) })
	count("stalled_seconds", "Seconds that commits were kept waiting because flushes or compactions did not keep up.", func(s *store.Stats) float64 { return s.Stalled.Seconds() })
}

func (m *metrics) verdict(o relaypb.Outcome) {
	if c := m.verdicts[o]; c != nil {
		c.Inc()
	}
}
