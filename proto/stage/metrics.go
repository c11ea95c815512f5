package stage

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics is the set of what one stage counts. It is a prometheus.Collector whose
// metrics are called rhea_<stage>_<name>, so that no two stages mean different
// things by one name; those of Common, which mean the same in every stage, are
// called rhea_<name> and carry the label stage. Counters end in _total. The
// counters are plain atomics, because the hot paths add to several
// for every event: an Add costs what the atomic costs.
//
// Labels are fixed when a metric is made, in pairs of name and value, and for one
// name the label names must be the same each time. Making the same metric twice
// is a defect and panics. All methods are safe for concurrent use.
type Metrics struct {
	*metricSet
	stage  string
	common bool // makes metrics that every stage has
}

type metricSet struct {
	mu      sync.Mutex
	taken   map[string]bool
	metrics []metric
}

// metric is what Collect and Snapshot need of each kind.
type metric interface {
	collect(ch chan<- prometheus.Metric)
	snapshot(into map[string]float64)
}

// NewMetrics returns an empty set for one stage.
func NewMetrics(stage string) *Metrics {
	return &Metrics{stage: stage, metricSet: &metricSet{taken: make(map[string]bool)}}
}

// Common returns the same set, for making metrics that every stage has. They are
// made in one place each, because Prometheus wants one help text for one name.
func (m *Metrics) Common() *Metrics {
	return &Metrics{stage: m.stage, metricSet: m.metricSet, common: true}
}

// Counter makes a counter. The name has no prefix and no _total: "events".
func (m *Metrics) Counter(name, help string, labels ...string) *Counter {
	c := &Counter{}
	m.add(name, labels, &scalar{
		short: short(name, labels), kind: prometheus.CounterValue,
		desc:  m.desc(name+"_total", help, labels),
		value: func() float64 { return float64(c.v.Load()) },
	})
	return c
}

// Gauge makes a gauge that is set and moved by its owner.
func (m *Metrics) Gauge(name, help string, labels ...string) *Gauge {
	g := &Gauge{}
	m.GaugeFunc(name, help, func() float64 { return float64(g.v.Load()) }, labels...)
	return g
}

// GaugeFunc makes a gauge that is read by calling value, from any goroutine and
// several times a second. It must be quick, and must not make metrics.
func (m *Metrics) GaugeFunc(name, help string, value func() float64, labels ...string) {
	m.add(name, labels, &scalar{
		short: short(name, labels), kind: prometheus.GaugeValue,
		desc: m.desc(name, help, labels), value: value,
	})
}

// CounterFunc makes a counter that somebody else keeps. The rules of GaugeFunc
// hold for value, and it must never fall.
func (m *Metrics) CounterFunc(name, help string, value func() float64, labels ...string) {
	m.add(name, labels, &scalar{
		short: short(name, labels), kind: prometheus.CounterValue,
		desc: m.desc(name+"_total", help, labels), value: value,
	})
}

// Histogram makes a histogram with the given upper bounds, ascending; what is
// above the last is counted as well.
func (m *Metrics) Histogram(name, help string, bounds []float64, labels ...string) *Histogram {
	if !slices.IsSorted(bounds) {
		panic("stage: the bounds of histogram " + name + " do not ascend")
	}
	h := &Histogram{
		short: short(name, labels), desc: m.desc(name, help, labels),
		bounds: bounds, counts: make([]atomic.Uint64, len(bounds)+1),
	}
	m.add(name, labels, h)
	return h
}

// Snapshot returns every counter and gauge under its short name: without prefix,
// and with label values after dots ("refused.pow"). A histogram gives its .count
// and .sum, from two of which a reader computes rate and mean.
func (m *Metrics) Snapshot() map[string]float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	into := make(map[string]float64, len(m.metrics)+4)
	for _, one := range m.metrics {
		one.snapshot(into)
	}
	return into
}

// Report is a Snapshot without what is 0, for announcements, which everybody hears.
func (m *Metrics) Report() map[string]float64 {
	stats := m.Snapshot()
	maps.DeleteFunc(stats, func(_ string, v float64) bool { return v == 0 })
	return stats
}

// Describe sends nothing: the set grows while the process starts, and Prometheus
// calls a collector without descriptions unchecked.
func (m *Metrics) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	m.mu.Lock()
	metrics := slices.Clone(m.metrics) // ch may block
	m.mu.Unlock()
	for _, one := range metrics {
		one.collect(ch)
	}
}

func (m *Metrics) add(name string, labels []string, one metric) {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := short(name, labels)
	if m.taken[id] {
		panic("stage: metric " + id + " is made twice")
	}
	m.taken[id] = true
	m.metrics = append(m.metrics, one)
}

// desc panics on names that Prometheus forbids: they stand in the program text.
func (m *Metrics) desc(name, help string, labels []string) *prometheus.Desc {
	if len(labels)%2 != 0 {
		panic("stage: labels of metric " + name + " are not pairs")
	}
	all := prometheus.Labels{}
	full := "rhea_" + m.stage + "_" + name
	if m.common {
		full = "rhea_" + name
		all["stage"] = m.stage
	}
	for pair := range slices.Chunk(labels, 2) {
		if _, taken := all[pair[0]]; taken {
			panic("stage: metric " + name + " has the label " + pair[0] + " twice")
		}
		all[pair[0]] = pair[1]
	}
	d := prometheus.NewDesc(full, help, nil, all)
	if err := d.Err(); err != nil {
		panic(fmt.Sprintf("stage: metric %s: %v", name, err))
	}
	return d
}

func short(name string, labels []string) string {
	var b strings.Builder
	b.WriteString(name)
	for i := 1; i < len(labels); i += 2 {
		b.WriteString("." + labels[i])
	}
	return b.String()
}

// scalar is a metric of one number.
type scalar struct {
	short string
	kind  prometheus.ValueType
	desc  *prometheus.Desc
	value func() float64
}

func (s *scalar) collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.MustNewConstMetric(s.desc, s.kind, s.value())
}

func (s *scalar) snapshot(into map[string]float64) { into[s.short] = s.value() }

// Counter only grows. It fills a cache line, so that two that are counted by
// different goroutines do not slow each other down.
type Counter struct {
	v atomic.Uint64
	_ [56]byte
}

// Inc adds one.
func (c *Counter) Inc() { c.v.Add(1) }

// Add adds n.
func (c *Counter) Add(n int) { c.v.Add(uint64(n)) }

// Value returns the count.
func (c *Counter) Value() uint64 { return c.v.Load() }

// Gauge is a number that rises and falls, alone on its cache line.
type Gauge struct {
	v atomic.Int64
	_ [56]byte
}

// Set makes the gauge n.
func (g *Gauge) Set(n int64) { g.v.Store(n) }

// Add adds n, which may be negative.
func (g *Gauge) Add(n int64) { g.v.Add(n) }

// Value returns the number.
func (g *Gauge) Value() int64 { return g.v.Load() }

// Histogram counts observations by size.
type Histogram struct {
	short  string
	desc   *prometheus.Desc
	bounds []float64
	counts []atomic.Uint64 // one for each bound, and one for what is above
	sum    atomic.Uint64   // bits of a float64
}

// Observe counts v.
func (h *Histogram) Observe(v float64) {
	i := 0
	for i < len(h.bounds) && v > h.bounds[i] {
		i++
	}
	h.counts[i].Add(1)
	for {
		old := h.sum.Load()
		if h.sum.CompareAndSwap(old, math.Float64bits(math.Float64frombits(old)+v)) {
			return
		}
	}
}

func (h *Histogram) collect(ch chan<- prometheus.Metric) {
	buckets := make(map[float64]uint64, len(h.bounds))
	total := uint64(0)
	for i, bound := range h.bounds {
		total += h.counts[i].Load()
		buckets[bound] = total
	}
	total += h.counts[len(h.bounds)].Load()
	ch <- prometheus.MustNewConstHistogram(h.desc, total, math.Float64frombits(h.sum.Load()), buckets)
}

func (h *Histogram) snapshot(into map[string]float64) {
	total := uint64(0)
	for i := range h.counts {
		total += h.counts[i].Load()
	}
	into[h.short+".count"] = float64(total)
	into[h.short+".sum"] = math.Float64frombits(h.sum.Load())
}
