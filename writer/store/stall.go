package store

import (
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// stalls counts when Pebble keeps commits waiting, because flushes or compactions
// do not keep up. Pebble begins and ends one at a time; reading is safe at any.
type stalls struct {
	began time.Time    // never the wall clock, which may jump
	count atomic.Int64 // since the store was opened
	total atomic.Int64 // of those that are over, nanoseconds
	since atomic.Int64 // of the present one, since began, nanoseconds; 0: there is none
}

func (s *stalls) begin(pebble.WriteStallBeginInfo) {
	s.count.Add(1)
	s.since.Store(int64(max(1, time.Since(s.began))))
}

func (s *stalls) end() {
	if since := s.since.Swap(0); since != 0 {
		s.total.Add(int64(time.Since(s.began)) - since)
	}
}

// lasted is how long all of them have taken, the present one included.
func (s *stalls) lasted() time.Duration {
	total := s.total.Load()
	if since := s.since.Load(); since != 0 {
		total += int64(time.Since(s.began)) - since
	}
	return time.Duration(total)
}
