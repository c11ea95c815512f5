package bench

import (
	"time"

	"rhea/rhea/bench/histogram"
)

// Result is what one workload has measured of one relay. What is not known is absent
// from the JSON form, to which names are only added.
type Result struct {
	Workload string  `json:"workload"`
	Relay    string  `json:"relay"`
	Round    int     `json:"round"`
	Unit     string  `json:"unit"` // what is counted: event, query, delivery, connection, sync, second
	Done     uint64  `json:"done"`
	Refused  uint64  `json:"refused,omitempty"`
	Seconds  float64 `json:"seconds"`
	Rate     float64 `json:"per_second"`
	Latency  Latency `json:"latency_us"`

	CPU       float64            `json:"cpu_us,omitempty"` // of the relay, for each unit done
	Stages    map[string]float64 `json:"stages_cpu_us,omitempty"`
	Wakeups   float64            `json:"wakeups,omitempty"` // for each unit
	Bus       *float64           `json:"bus_messages,omitempty"`
	ClientCPU float64            `json:"client_cpu_us"`

	Wire    float64 `json:"wire_bytes"`        // that the relay has sent, for each unit
	Text    float64 `json:"text_bytes"`        // the messages in them, inflated
	Deflate string  `json:"deflate,omitempty"` // what it has answered to offers of permessage-deflate

	RSS  int64 `json:"rss_bytes,omitempty"` // all processes together, afterwards
	PSS  int64 `json:"pss_bytes,omitempty"`
	Disk int64 `json:"disk_bytes,omitempty"`

	Figures map[string]float64 `json:"figures,omitempty"` // what this workload alone measures
	Notes   []string           `json:"notes,omitempty"`
	Error   string             `json:"error,omitempty"`
}

// Latency is in microseconds.
type Latency struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

func latencyOf(h *histogram.Histogram) Latency {
	us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
	return Latency{us(h.Percentile(50)), us(h.Percentile(95)), us(h.Percentile(99)), us(h.Max())}
}

// figure adds something that a workload alone measures.
func (r *Result) figure(name string, value float64) {
	if r.Figures == nil {
		r.Figures = make(map[string]float64)
	}
	r.Figures[name] = value
}
