package gateway

import (
	"rhea/proto/relaypb"
	"rhea/proto/stage"
)

// metrics is what the gateway counts. All are safe for concurrent use.
type metrics struct {
	set *stage.Metrics

	conns, subs, pending, window, windowLimit, monitors *stage.Gauge

	bytesIn, bytesOut, messages                *stage.Counter
	packing, savedIn, savedOut                 *stage.Counter
	events, accepted, refusedEvents            *stage.Counter
	auths, authenticated, counts               *stage.Counter
	queries, stored, delivered, repeated, late *stage.Counter

	resent, resumed, rewatched, gaps, timeouts, sendFailures *stage.Counter

	eventTime, firstTime, eoseTime, countTime, liveTime *stage.Histogram

	slow, silent                                            *stage.Counter
	refusedFrames, refusedMessages, refusedSubs, closedSubs *stage.Counter
	refusedStrangers                                        *stage.Counter
	refusedFull, refusedAddress, refusedUpgrades, opened    *stage.Counter
}

func newMetrics(m *stage.Metrics) *metrics {
	return &metrics{
		set:         m,
		conns:       m.Gauge("conns", "Open connections."),
		subs:        m.Gauge("subs", "Open subscriptions."),
		pending:     m.Gauge("pending_events", "EVENTs and AUTHs without an answer."),
		window:      m.Gauge("window_bytes", "Bytes of messages without an answer."),
		windowLimit: m.Gauge("window_limit_bytes", "Bytes of messages that may be without an answer; then sockets are not read."),
		monitors:    m.Gauge("monitors", "Monitors that watch for this gateway."),

		opened:        m.Counter("opened", "Connections opened."),
		bytesIn:       m.Counter("in_bytes", "Bytes read from clients."),
		bytesOut:      m.Counter("out_bytes", "Bytes written to clients."),
		packing:       m.Counter("opened_deflate", "Connections opened that may compress messages (permessage-deflate)."),
		savedIn:       m.Counter("deflate_saved_bytes", "Bytes that compression has saved, beside those that were read and written.", "direction", "in"),
		savedOut:      m.Counter("deflate_saved_bytes", "Bytes that compression has saved, beside those that were read and written.", "direction", "out"),
		messages:      m.Counter("messages", "Messages of clients."),
		events:        m.Counter("events", "EVENTs passed on."),
		accepted:      m.Counter("events_accepted", "EVENTs answered OK true."),
		refusedEvents: m.Counter("events_refused", "EVENTs answered OK false."),
		auths:         m.Counter("auths", "AUTHs passed on."),
		authenticated: m.Counter("authenticated", "Public keys that clients have authenticated."),
		counts:        m.Counter("counts", "COUNTs passed on."),
		queries:       m.Counter("queries", "REQs passed on."),
		stored:        m.Counter("stored_events", "Stored events sent to clients."),
		delivered:     m.Counter("deliveries", "Live events sent to clients."),
		repeated:      m.Counter("deliveries_repeated", "Live events dropped because the subscription had passed them."),
		late:          m.Counter("answers_late", "Answers that nobody waited for."),

		resent:       m.Counter("events_resent", "EVENTs and AUTHs sent again to an ingester."),
		resumed:      m.Counter("queries_resumed", "REQs and COUNTs sent again to a reqworker."),
		rewatched:    m.Counter("watches_again", "Watches sent again to a monitor."),
		gaps:         m.Counter("gaps", "Holes in what reqworkers and monitors sent."),
		timeouts:     m.Counter("timeouts", "Questions of clients given up with error:."),
		sendFailures: m.Counter("send_failures", "Messages that the bus did not take."),

		eventTime: m.Histogram("event_seconds", "Seconds from having read an EVENT or AUTH to having its OK ready for the socket.", stage.Latency()),
		firstTime: m.Histogram("query_seconds", "Seconds from having read a REQ to having its first stored events, or its EOSE, ready for the socket.", stage.Latency(), "until", "first"),
		eoseTime:  m.Histogram("query_seconds", "Seconds from having read a REQ to having its first stored events, or its EOSE, ready for the socket.", stage.Latency(), "until", "eose"),
		countTime: m.Histogram("count_seconds", "Seconds from having read a COUNT to having its answer ready for the socket.", stage.Latency()),
		liveTime:  m.Histogram("live_seconds", "Seconds from an event's being on disk to its being ready for the sockets of live subscriptions; for each bus message the earliest event in it, by the clocks of two machines, if they are two.", stage.Latency()),

		slow:             m.Counter("disconnects", "Connections cut.", "reason", "slow"),
		silent:           m.Counter("disconnects", "Connections cut.", "reason", "silent"),
		refusedFrames:    m.Counter("disconnects", "Connections cut.", "reason", "protocol"),
		refusedMessages:  m.Counter("refused", "Requests refused.", "reason", "malformed"),
		refusedSubs:      m.Counter("refused", "Requests refused.", "reason", "subscriptions"),
		closedSubs:       m.Counter("closed", "Subscriptions closed by the relay."),
		refusedStrangers: m.Counter("refused", "Requests refused.", "reason", "auth"),
		refusedFull:      m.Counter("refused", "Requests refused.", "reason", "connections"),
		refusedAddress:   m.Counter("refused", "Requests refused.", "reason", "address"),
		refusedUpgrades:  m.Counter("refused", "Requests refused.", "reason", "handshake"),
	}
}

// report sets the gauges of what the core holds.
func (c *core) report() {
	c.metrics.conns.Set(int64(len(c.conns)))
	c.metrics.subs.Set(int64(len(c.subs)))
	c.metrics.pending.Set(int64(len(c.events)))
	c.metrics.monitors.Set(int64(len(c.monitors)))
	c.metrics.window.Set(int64(c.hub.windows.whole.Used()))
	c.metrics.windowLimit.Set(int64(c.hub.windows.whole.Limit))
}

// member fills in an announcement.
func (m *metrics) member(to *relaypb.Member) {
	to.Stats = m.set.Report()
}
