package ingester

import "rhea/proto/stage"

// reason is a label of the metric refused.
type reason int

const (
	reasonShape     reason = iota // not an event
	reasonAuth                    // kind 22242
	reasonID                      // the id is not the hash
	reasonLimits                  // of section [limits]
	reasonPoW                     // too little work (NIP-13)
	reasonExpired                 // expired on arrival (NIP-40)
	reasonProtected               // not sent by its author (NIP-70)
	reasonRepost                  // holds a protected event (NIP-70)
	reasonVanish                  // a request to vanish that names no relay (NIP-62)
	reasons
)

type metrics struct {
	received      *stage.Counter
	admitted      *stage.Counter
	refused       [reasons]*stage.Counter
	forged        *stage.Counter
	auths         *stage.Counter
	authenticated *stage.Counter
	authRefused   *stage.Counter
	checks        *stage.Counter
	spared        *stage.Counter
	alone         *stage.Counter
	seen          *stage.Gauge
	unknown       *stage.Counter
	unsent        *stage.Counter
	batchTime     *stage.Histogram
	batchChecks   *stage.Histogram
}

func newMetrics(m *stage.Metrics) *metrics {
	refused := func(label string) *stage.Counter {
		return m.Counter("refused", "Events refused without asking the writer.", "reason", label)
	}
	return &metrics{
		received: m.Counter("received", "Event frames received."),
		admitted: m.Counter("admitted", "Events passed on to the writer as valid."),
		refused: [reasons]*stage.Counter{
			reasonShape: refused("shape"), reasonAuth: refused("auth"), reasonID: refused("id"),
			reasonLimits: refused("limits"), reasonPoW: refused("pow"), reasonExpired: refused("expired"),
			reasonProtected: refused("protected"), reasonRepost: refused("repost"), reasonVanish: refused("vanish"),
		},
		forged:        m.Counter("forged", "Events with a bad signature."),
		auths:         m.Counter("auths", "AUTH frames received."),
		authenticated: m.Counter("authenticated", "AUTHs that were good."),
		authRefused:   m.Counter("auths_refused", "AUTHs that were refused."),
		checks:        m.Counter("signature_checks", "Signatures verified."),
		spared:        m.Counter("signature_checks_spared", "Events whose signature was known to be good, or was being verified for a copy."),
		alone:         m.Counter("signature_checks_alone", "Signatures verified one by one, because their connection has sent a bad one."),
		seen:          m.Gauge("seen_events", "Verified events that are remembered."),
		unknown:       m.Counter("unknown", "Messages of a kind that this build does not know."),
		unsent:        m.Counter("unsent", "Messages that the bus refused; the gateways send their events again."),
		batchTime:     m.Histogram("batch_seconds", "Seconds from taking a batch of events to having sent what became of them.", stage.Latency()),
		batchChecks:   m.Histogram("batch_signatures", "Signatures verified in one batch.", []float64{0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512}),
	}
}
