package negentropy

import "rhea/proto/stage"

type metrics struct {
	sessions, waiting, sessionBytes  *stage.Gauge
	treeRecords, treeState, position *stage.Gauge
	sessionLimit, bytesLimit         *stage.Gauge

	opened, messages, closed, refused, dropped *stage.Counter
	unknown, garbage, unsent, replyBytes       *stage.Counter
	slices, records, failures, busy            *stage.Counter
	replySeconds, messageSeconds               *stage.Histogram
}

func newMetrics(m *stage.Metrics) *metrics {
	return &metrics{
		sessions:       m.Gauge("sessions", "Open sessions."),
		waiting:        m.Gauge("waiting", "Sessions whose events are being read, or wait for that."),
		sessionBytes:   m.Gauge("session_bytes", "Memory of the events of all sessions, beside what they share with the tree; estimated, in bytes."),
		sessionLimit:   m.Gauge("sessions_limit", "Sessions that may be open (max_sessions)."),
		bytesLimit:     m.Gauge("session_limit_bytes", "Memory that the events of all sessions may have (max_session_bytes), in bytes."),
		treeRecords:    m.Gauge("tree_records", "Events in the tree of all public ones."),
		treeState:      m.Gauge("tree_state", "The tree: 0 is being loaded, 1 follows the log, 2 given up as too large."),
		position:       m.Gauge("position", "Last Seq of the log that the tree has followed."),
		opened:         m.Counter("sessions_opened", "NEG-OPENs received."),
		messages:       m.Counter("messages", "NEG-MSGs received."),
		closed:         m.Counter("sessions_closed", "NEG-CLOSEs received."),
		refused:        m.Counter("refused", "Answers that were errors."),
		dropped:        m.Counter("dropped", "Sessions dropped because their shard or their gateway went away."),
		unknown:        m.Counter("unknown", "Messages of a kind that this build does not know."),
		garbage:        m.Counter("garbage", "Parts of the log that make no sense."),
		unsent:         m.Counter("unsent", "Answers that the bus refused."),
		replyBytes:     m.Counter("reply_bytes", "Bytes of negentropy messages sent, before hex."),
		slices:         m.Counter("slices", "Slices of scans read."),
		records:        m.Counter("records", "Events whose ids were read in scans."),
		failures:       m.Counter("failures", "Slices that nobody answered in time, asked for again."),
		busy:           m.Counter("busy", "Slices that the store was too busy or unable to serve, asked for again."),
		replySeconds:   m.Histogram("reply_seconds", "Seconds to make an answer, waiting and reading excluded.", stage.Latency()),
		messageSeconds: m.Histogram("message_seconds", "Seconds from a message's arrival to its answer, waiting and reading included.", stage.Latency()),
	}
}

// measure sets the gauges.
func (m *metrics) measure(c *core) {
	m.sessions.Set(int64(len(c.sessions)))
	m.waiting.Set(int64(c.count[forTree] + c.count[opening]))
	m.sessionBytes.Set(int64(c.bytes))
	m.sessionLimit.Set(int64(c.cfg.MaxSessions))
	m.bytesLimit.Set(int64(c.cfg.MaxSessionBytes))
	m.treeState.Set(int64(c.mirror.state))
	m.position.Set(int64(c.mirror.position))
	if m.treeRecords.Set(0); c.mirror.tree != nil {
		m.treeRecords.Set(int64(c.mirror.tree.Len()))
	}
}
