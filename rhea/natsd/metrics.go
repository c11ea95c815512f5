package natsd

import (
	"github.com/nats-io/nats-server/v2/server"

	"rhea/proto/stage"
)

// Measure makes the metrics of the server. A NATS server that runs by itself has
// its own exporter.
func (s *Server) Measure(m *stage.Metrics) {
	m = m.Common() // rhea up and rhea solo both have it
	m.GaugeFunc("nats_connections", "Connections to the NATS server in this process; three for each process of the relay; rhea solo has one.",
		func() float64 { return float64(s.inner.NumClients()) })
	m.GaugeFunc("nats_subscriptions", "Subscriptions at the NATS server in this process.",
		func() float64 { return float64(s.inner.NumSubscriptions()) })
	m.CounterFunc("nats_slow_consumers", "Connections that the NATS server in this process has cut because they did not read.",
		func() float64 { return float64(s.inner.NumSlowConsumers()) })
	count := func(name, help string, of func(*server.Varz) int64) {
		m.CounterFunc(name, help, func() float64 {
			v, err := s.inner.Varz(nil)
			if err != nil {
				return 0 // it never fails without options
			}
			return float64(of(v))
		})
	}
	count("nats_in_bytes", "Bytes of messages that the NATS server in this process has received.", func(v *server.Varz) int64 { return v.InBytes })
	count("nats_out_bytes", "Bytes of messages that the NATS server in this process has sent.", func(v *server.Varz) int64 { return v.OutBytes })
	m.CounterFunc("nats_in_messages", "Messages that the NATS server in this process has received.", func() float64 { return float64(s.Received()) })
	count("nats_out_messages", "Messages that the NATS server in this process has sent.", func(v *server.Varz) int64 { return v.OutMsgs })
}
