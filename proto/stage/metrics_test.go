package stage

import (
	"io"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

func exampleMetrics() *Metrics {
	m := NewMetrics("gateway")
	m.Counter("events", "Events taken.").Add(3)
	m.Counter("refused", "Events refused.", "reason", "pow").Inc()
	m.Counter("refused", "Events refused.", "reason", "size").Add(2)
	g := m.Gauge("conns", "Connections open.")
	g.Set(7)
	g.Add(-2)
	m.GaugeFunc("queue", "Waiting.", func() float64 { return 1.5 })
	m.CounterFunc("drops", "Lost.", func() float64 { return 9 })
	m.Common().GaugeFunc("up", "Whether it is.", func() float64 { return 1 }, "kind", "bus")
	h := m.Histogram("batch", "Events per batch.", []float64{1, 10})
	for _, v := range []float64{1, 2, 10, 11} {
		h.Observe(v)
	}
	return m
}

func TestMetricsAsPrometheusText(t *testing.T) {
	const want = `
# HELP rhea_gateway_batch Events per batch.
# TYPE rhea_gateway_batch histogram
rhea_gateway_batch_bucket{le="1"} 1
rhea_gateway_batch_bucket{le="10"} 3
rhea_gateway_batch_bucket{le="+Inf"} 4
rhea_gateway_batch_sum 24
rhea_gateway_batch_count 4
# HELP rhea_gateway_conns Connections open.
# TYPE rhea_gateway_conns gauge
rhea_gateway_conns 5
# HELP rhea_gateway_drops_total Lost.
# TYPE rhea_gateway_drops_total counter
rhea_gateway_drops_total 9
# HELP rhea_gateway_events_total Events taken.
# TYPE rhea_gateway_events_total counter
rhea_gateway_events_total 3
# HELP rhea_gateway_queue Waiting.
# TYPE rhea_gateway_queue gauge
rhea_gateway_queue 1.5
# HELP rhea_gateway_refused_total Events refused.
# TYPE rhea_gateway_refused_total counter
rhea_gateway_refused_total{reason="pow"} 1
rhea_gateway_refused_total{reason="size"} 2
# HELP rhea_up Whether it is.
# TYPE rhea_up gauge
rhea_up{kind="bus",stage="gateway"} 1
`
	if err := testutil.CollectAndCompare(exampleMetrics(), strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

func TestSnapshot(t *testing.T) {
	want := map[string]float64{
		"events": 3, "refused.pow": 1, "refused.size": 2, "conns": 5, "queue": 1.5, "drops": 9, "up.bus": 1,
		"batch.count": 4, "batch.sum": 24,
	}
	if got := exampleMetrics().Snapshot(); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestReportLeavesOutWhatIsNothing(t *testing.T) {
	m := NewMetrics("gateway")
	m.Counter("events", "Events taken.").Inc()
	m.Counter("refused", "Events refused.", "reason", "pow")
	m.Histogram("batch", "Events per batch.", []float64{1})
	if got := m.Report(); !maps.Equal(got, map[string]float64{"events": 1}) {
		t.Errorf("got %v", got)
	}
}

func TestMetricsRefuseDefects(t *testing.T) {
	for name, make := range map[string]func(m *Metrics){
		"twice":       func(m *Metrics) { m.Gauge("events", "") },
		"twice alike": func(m *Metrics) { m.Counter("refused", "Events refused.", "reason", "pow") },
		"odd labels":  func(m *Metrics) { m.Counter("x", "", "reason") },
		"bad label":   func(m *Metrics) { m.Counter("x", "", "\xff", "y") },
		"own label":   func(m *Metrics) { m.Common().Counter("x", "", "stage", "y") },
		"descending":  func(m *Metrics) { m.Histogram("x", "", []float64{2, 1}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: accepted", name)
				}
			}()
			make(exampleMetrics())
		}()
	}
}

// TestMetricsConcurrently counts while others make, read and collect.
func TestMetricsConcurrently(t *testing.T) {
	p := newProcess(io.Discard, DefaultCommon().Log, "gateway", 1)
	c := p.Metrics.Counter("events", "Events taken.")
	h := p.Metrics.Histogram("batch", "Events per batch.", []float64{1})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			p.Metrics.Gauge("made", "Made meanwhile.", "by", string(rune('a'+i)))
			for range 1000 {
				c.Inc()
				h.Observe(2)
			}
		})
		wg.Go(func() {
			for range 20 {
				p.Metrics.Snapshot()
				testutil.CollectAndCount(p.shell)
			}
		})
	}
	wg.Wait()
	got := p.Metrics.Snapshot()
	if got["events"] != 4000 || got["batch.count"] != 4000 || got["batch.sum"] != 8000 {
		t.Errorf("got %v", got)
	}
}

func BenchmarkCounterAdd(b *testing.B) {
	c := NewMetrics("x").Counter("events", "")
	for b.Loop() {
		c.Add(1)
	}
}

func BenchmarkHistogramObserve(b *testing.B) {
	h := NewMetrics("x").Histogram("batch", "", []float64{1, 2, 4, 8, 16, 32, 64, 128})
	for b.Loop() {
		h.Observe(17)
	}
}

func BenchmarkSnapshot(b *testing.B) {
	m := NewMetrics("x")
	for i := range 40 {
		m.Counter("events", "", "n", string(rune('a'+i)))
	}
	for b.Loop() {
		m.Snapshot()
	}
}
