package monitor

import "rhea/proto/stage"

type metrics struct {
	watches, filters, postings, filterBytes, waiting *stage.Gauge
	windowEntries, windowBytes, position, gateways   *stage.Gauge
	watchLimit, filterLimit, windowLimit             *stage.Gauge

	commits, tried, deliveries, recipients *stage.Counter
	caughtUp, fetches, staleFetches        *stage.Counter
	restarts, refused, garbage, unsent     *stage.Counter
	fetchErrors                            *stage.Counter
	matchTime                              *stage.Histogram
}

func newMetrics(m *stage.Metrics) *metrics {
	return &metrics{
		watches:       m.Gauge("watches", "Live subscriptions, waiting ones included."),
		filters:       m.Gauge("filters", "Different filters of live subscriptions."),
		postings:      m.Gauge("postings", "Entries in the index of live filters."),
		filterBytes:   m.Gauge("filter_bytes", "Memory of the live subscriptions: their filters, the index of these, their readers' keys, and themselves; in bytes."),
		waiting:       m.Gauge("waiting", "Subscriptions that are being brought up to date."),
		windowEntries: m.Gauge("window_entries", "Events in the window of recent log."),
		windowBytes:   m.Gauge("window_bytes", "Memory of the window of recent log, in bytes."),
		watchLimit:    m.Gauge("watches_limit", "Live subscriptions that there may be (max_watches)."),
		filterLimit:   m.Gauge("filter_limit_bytes", "Memory that the live subscriptions may have (max_filter_bytes), in bytes."),
		windowLimit:   m.Gauge("window_limit_bytes", "Memory that the window may have (window_bytes), in bytes."),
		position:      m.Gauge("position", "Last Seq of the log that has been matched."),
		gateways:      m.Gauge("gateways", "Gateways that have or had subscriptions here."),
		commits:       m.Counter("commits", "Events of the log matched against the live filters."),
		tried:         m.Counter("tried", "Filters that a commit was held against, out of the index's suggestions."),
		deliveries:    m.Counter("deliveries", "Events sent, counted once for each gateway and sending."),
		recipients:    m.Counter("recipients", "Subscriptions that the events sent were for."),
		caughtUp:      m.Counter("caught_up", "Subscriptions brought up to date and live."),
		fetches:       m.Counter("fetches", "Ranges of the log fetched for subscriptions that began before the window."),
		fetchErrors:   m.Counter("fetch_errors", "Requests for a range of the log that failed and were tried again."),
		staleFetches:  m.Counter("stale_fetches", "Answers that were of another history of the log, or did not get on."),
		restarts:      m.Counter("restarts", "Times that the log did not continue where it was and the window began anew."),
		refused:       m.Counter("refused", "Watches refused because max_watches or max_filter_bytes was reached."),
		garbage:       m.Counter("garbage", "Messages, or parts of them, that make no sense."),
		matchTime:     m.Histogram("match_seconds", "Seconds to match one batch of the log against the live filters.", stage.Latency()),
		unsent:        m.Counter("unsent", "Messages that the bus refused; the gateways notice the gap."),
	}
}

// measure sets the gauges.
func (m *metrics) measure(c *core) {
	m.watches.Set(int64(c.watches.table.count))
	m.filters.Set(int64(c.index.filters.table.count))
	m.postings.Set(int64(c.index.size))
	m.filterBytes.Set(int64(c.memory()))
	m.waiting.Set(int64(len(c.waiting)))
	m.windowEntries.Set(int64(c.window.len()))
	m.windowBytes.Set(int64(c.window.bytes))
	m.watchLimit.Set(int64(c.cfg.MaxWatches))
	m.filterLimit.Set(int64(c.cfg.MaxFilterBytes))
	m.windowLimit.Set(int64(c.window.maxBytes))
	m.position.Set(int64(c.position()))
	m.gateways.Set(int64(len(c.gateways)))
	m.tried.Add(int(c.index.tried))
	c.index.tried = 0
}
