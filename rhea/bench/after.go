package bench

import (
	"time"

	"rhea/rhea/bench/histogram"
)

// after looks at what all the work has left behind.
func after(s *Session) ([]Result, error) {
	if err := s.settle(min(s.Time, 2*time.Second)); err != nil {
		return nil, err
	}
	before, err := s.relay.read(true)
	if err != nil {
		return nil, err
	}
	if err := s.settle(s.Time / 2); err != nil {
		return nil, err
	}
	// What it does by itself, per second.
	res, err := s.relay.measure(before, "second", uint64(max(1, s.Time/2/time.Second)), 0, &histogram.Histogram{})
	if err != nil {
		return nil, err
	}
	res.Notes = append(res.Notes, "CPU is that of a relay without work")
	return []Result{res}, nil
}
