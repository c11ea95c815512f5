// Package histogram counts durations in fixed memory: in buckets whose width is a
// 64th of their value, after HdrHistogram's idea (Gil Tene, hdrhistogram.org), so
// that a percentile is at most 1.6 % above the truth and a million latencies cost
// what ten cost.
//
// It knows nothing of what is measured. What makes a latency honest, counting from
// the time at which something was due and not from when the load generator came to
// it, is the caller's to do.
package histogram

import (
	"math/bits"
	"sync/atomic"
	"time"
)

const (
	fine    = 6 // bits of a value below its highest that a bucket keeps
	exact   = 1 << (fine + 1)
	highest = 45 // bits of the largest value: 9 hours
	buckets = exact + (highest-fine-1)<<fine
)

// Histogram is ready when zero. It is safe for concurrent use; a percentile read
// while others record is of some moment in between.
type Histogram struct {
	counts [buckets]atomic.Uint64
	n      atomic.Uint64
	max    atomic.Int64
}

// Record counts a duration. One below 0 counts as 0, one of more than 9 hours as
// the longest there is.
func (h *Histogram) Record(d time.Duration) {
	d = max(d, 0)
	h.counts[bucket(uint64(d))].Add(1)
	h.n.Add(1)
	for {
		old := h.max.Load()
		if int64(d) <= old || h.max.CompareAndSwap(old, int64(d)) {
			return
		}
	}
}

// Count is how many durations were recorded.
func (h *Histogram) Count() uint64 { return h.n.Load() }

// Max is the longest, exactly; 0 of none.
func (h *Histogram) Max() time.Duration { return time.Duration(h.max.Load()) }

// Percentile returns a duration that p percent of those recorded do not exceed: the
// upper edge of a bucket, but never more than Max. It is 0 of none.
func (h *Histogram) Percentile(p float64) time.Duration {
	total := h.n.Load()
	if total == 0 {
		return 0
	}
	rank := max(uint64(p/100*float64(total)+0.5), 1)
	seen := uint64(0)
	for i := range h.counts {
		if seen += h.counts[i].Load(); seen >= rank {
			return min(time.Duration(edge(i)), h.Max())
		}
	}
	return h.Max()
}

// bucket is where a value is counted: the small ones each in their own, the others
// by their highest fine+1 bits.
func bucket(v uint64) int {
	if v < exact {
		return int(v)
	}
	shift := bits.Len64(v) - fine - 1
	return min(exact+(shift-1)<<fine+int(v>>shift)-1<<fine, buckets-1)
}

// edge is the largest value of a bucket.
func edge(i int) uint64 {
	if i < exact {
		return uint64(i)
	}
	shift := (i-exact)>>fine + 1
	low := uint64((i-exact)&(1<<fine-1)|1<<fine) << shift
	return low + 1<<shift - 1
}
