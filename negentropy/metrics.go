package negentropy

import "rhea/proto/stage"

type metrics struct {
	opened   *stage.Counter
	messages *stage.Counter
	closed   *stage.Counter
	refused  *stage.Counter
	unknown  *stage.Counter
	unsent   *stage.Counter
}

func newMetrics(m *stage.Metrics) *metrics {
	return &metrics{
		opened:   m.Counter("sessions_opened", "NEG-OPENs received."),
		messages: m.Counter("messages", "NEG-MSGs received."),
		closed:   m.Counter("sessions_closed", "NEG-CLOSEs received."),
		refused:  m.Counter("refused", "Answers that were errors."),
		unknown:  m.Counter("unknown", "Messages of a kind that this build does not know."),
		unsent:   m.Counter("unsent", "Answers that the bus refused."),
	}
}
