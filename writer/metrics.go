package writer

import (
	"rhea/proto/relaypb"
	"rhea/proto/stage"
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

	diskFree         *stage.Gauge
	storeBytes       *stage.Gauge
	compactionDebt   *stage.Gauge
	backgroundErrors *stage.Gauge
	readAmp          *stage.Gauge
	views            *stage.Gauge

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
	return &metrics{
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
		committing: m.Gauge("commits_waiting", "Commits that wait for the disk."),
		removed:    m.Counter("removed", "Events that have left the store: replaced, deleted, vanished, expired."),

		diskFree:         m.Gauge("disk_free_bytes", "Free space on the store's file system."),
		storeBytes:       m.Gauge("store_bytes", "Size of the store on disk."),
		compactionDebt:   m.Gauge("compaction_debt_bytes", "What compactions have still to rewrite."),
		backgroundErrors: m.Gauge("background_errors", "Flushes and compactions that failed, and were tried again, since the start."),
		readAmp:          m.Gauge("read_amplification", "Tables that one lookup may have to visit."),
		views:            m.Gauge("views", "Views of the store that readers hold, the current one included."),

		scans:       m.Counter("scans", "Slices of queries served."),
		scanEvents:  m.Counter("scan_events", "Events in the slices served."),
		scanTime:    m.Histogram("scan_seconds", "Seconds to read a slice.", stage.Latency()),
		fetches:     m.Counter("log_fetches", "Ranges of the log served."),
		busyScans:   m.Counter("busy", "Requests refused because the queue was full.", "inbox", "scan"),
		busyFetches: m.Counter("busy", "Requests refused because the queue was full.", "inbox", "log.fetch"),
		badRequests: m.Counter("bad_requests", "Requests that cannot be served as they stand."),
	}
}

func (m *metrics) verdict(o relaypb.Outcome) {
	if c := m.verdicts[o]; c != nil {
		c.Inc()
	}
}
