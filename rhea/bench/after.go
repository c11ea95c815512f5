package bench

import (
	"time"

	"rhea/rhea/bench/histogram"
)

// tidyTime is how long a relay is left alone before it is asked what it holds: longer
// than it takes one of ours to give back what it does not need.
const tidyTime = 5 * time.Second

// after looks at what all the work has left behind, when the relay has had time to
// tidy up.
func after(s *Session) ([]Result, error) {
	if err := s.settle(min(10*s.Time, tidyTime)); err != nil {
		return nil, err
	}
	before, err := s.relay.read(true)
	if err != nil {
		return nil, err
	}
	idle := max(s.Time/2, time.Second) // in less, a relay may do nothing at all
	if err := s.settle(idle); err != nil {
		return nil, err
	}
	res, err := s.relay.measure(before, "second", seconds(idle), 0, &histogram.Histogram{})
	if err != nil {
		return nil, err
	}
	res.Notes = append(res.Notes, "CPU is that of a relay without work")
	return []Result{res}, nil
}

// seconds are those of a time, rounded, and never none.
func seconds(d time.Duration) uint64 { return uint64(max(1, d.Round(time.Second)/time.Second)) }
