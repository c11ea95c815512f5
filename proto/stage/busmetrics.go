package stage

import (
	"time"

	"rhea/proto/bus"
)

// Latency returns the bounds of the histograms of times, in seconds: from what a
// message on one machine takes to what a client gives up at.
func Latency() []float64 {
	return []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
}

// Hop makes the histogram of one inbox's hop: what MeasureHops of an inbox, or
// MeasureReplies of a bus ("reply"), is given.
func (m *Metrics) Hop(inbox string) *Histogram {
	return m.Common().Histogram("bus_hop_seconds", "Seconds from sending a bus message to its being taken out of the inbox, through NATS and the queue; by the clocks of two machines, if they are two.", Latency(), "inbox", inbox)
}

// InboxWaiting makes the gauge of what waits in the stage's own inbox.
func (m *Metrics) InboxWaiting(waiting func() int) {
	m.Common().GaugeFunc("inbox_waiting", "Bus messages that wait in the stage's own inbox.", func() float64 { return float64(waiting()) })
}

// LogWaiting makes the gauge of what a follower of the log has not read.
func (m *Metrics) LogWaiting(waiting func() int) {
	m.Common().GaugeFunc("log_waiting", "Bus messages of the log that wait to be read.", func() float64 { return float64(waiting()) })
}

// Lag makes the metrics of how far a reader of the log is behind.
func (m *Metrics) Lag(l *bus.Lag) {
	m.Common().GaugeFunc("log_lag", "Seqs between what has been read of the log and the last that the writer has announced.", func() float64 { return float64(l.Seqs()) })
	m.Common().GaugeFunc("log_lag_seconds", "Seconds for which an announced Seq has not been reached; 0 when the log is read to its end.", func() float64 { return l.Behind(time.Now()).Seconds() })
}

// measureBus makes the metrics of a process's connections to the bus.
func measureBus(m *Metrics, b *bus.Bus) {
	m = m.Common()
	count := func(name, help string, value func() uint64) {
		m.CounterFunc(name, help, func() float64 { return float64(value()) })
	}
	m.GaugeFunc("bus_up", "1 while all connections to NATS are up, else 0.", func() float64 {
		if b.Down() != nil {
			return 0
		}
		return 1
	})
	count("bus_dropped", "Bus messages lost because an inbox was full (to NATS: a slow consumer).", b.Dropped)
	count("bus_garbage", "Bus messages, or parts of them, that did not decode.", b.Garbage)
	count("bus_refused", "What NATS did not permit this process to say or to hear.", b.Refused)
	count("bus_reconnects", "Connections to NATS that were lost and came back.", b.Reconnects)
	count("bus_in_messages", "Bus messages received.", func() uint64 { return b.Traffic().InMsgs })
	count("bus_in_bytes", "Bytes of bus messages received.", func() uint64 { return b.Traffic().InBytes })
	count("bus_out_messages", "Bus messages sent.", func() uint64 { return b.Traffic().OutMsgs })
	count("bus_out_bytes", "Bytes of bus messages sent.", func() uint64 { return b.Traffic().OutBytes })
}
