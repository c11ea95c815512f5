package reqworker

import "rhea/proto/stage"

type metrics struct {
	limit, filterLimit                                    *stage.Gauge
	running, paused, ready, reading, resting, filterBytes *stage.Gauge

	received, closed, dropped, garbage, unsent *stage.Counter
	slices, failures, busy                     *stage.Counter
	parts, events, bytes, counts               *stage.Counter
	eose, sliceTime                            *stage.Histogram
}

func newMetrics(m *stage.Metrics) *metrics {
	return &metrics{
		running:     m.Gauge("running", "Queries that are being answered, paused ones included."),
		limit:       m.Gauge("running_limit", "Queries that may be running (max_queries)."),
		filterLimit: m.Gauge("filter_limit_bytes", "Memory that the filters of running queries may have (max_filter_bytes), in bytes."),
		paused:      m.Gauge("paused", "Queries that wait for credit."),
		ready:       m.Gauge("ready", "Queries that wait for a reader."),
		reading:     m.Gauge("reading", "Slices that are being read."),
		resting:     m.Gauge("resting", "Queries that wait for the store to come back."),
		filterBytes: m.Gauge("filter_bytes", "Memory of the filters of running queries and of their readers' keys, in bytes."),
		received:    m.Counter("queries", "Queries received."),
		closed:      m.Counter("closed", "Queries refused or failed."),
		dropped:     m.Counter("dropped", "Queries dropped because their shard, their gateway or their client went away."),
		garbage:     m.Counter("garbage", "Messages, or parts of them, that make no sense."),
		unsent:      m.Counter("unsent", "Messages that the bus refused; the gateways ask again."),
		slices:      m.Counter("slices", "Slices asked for."),
		failures:    m.Counter("failures", "Slices that nobody answered in time, asked for again."),
		busy:        m.Counter("busy", "Slices that the store was too busy or unable to serve, asked for again."),
		parts:       m.Counter("parts", "Parts sent."),
		events:      m.Counter("events", "Events sent."),
		bytes:       m.Counter("bytes", "Bytes of events sent."),
		counts:      m.Counter("counts", "Counts answered."),
		eose:        m.Histogram("eose_seconds", "Seconds from a query's arrival to its last part or its count, pauses included.", stage.Latency()),
		sliceTime:   m.Histogram("slice_seconds", "Seconds from asking the store for a slice to having it, or to giving up.", stage.Latency()),
	}
}

// measure sets the gauges.
func (m *metrics) measure(c *core) {
	m.running.Set(int64(len(c.queries)))
	m.limit.Set(int64(c.cfg.MaxQueries))
	m.filterLimit.Set(int64(c.cfg.MaxFilterBytes))
	m.ready.Set(int64(c.count[ready]))
	m.reading.Set(int64(c.reading))
	m.resting.Set(int64(c.count[resting]))
	m.filterBytes.Set(int64(c.filterBytes))
	m.paused.Set(int64(c.count[paused]))
}
