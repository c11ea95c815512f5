package bench

import (
	"context"
	"fmt"
	"time"

	"rhea/rhea/bench/corpus"
)

// Session is one workload's view of what it works with.
type Session struct {
	ctx   context.Context
	relay *Relay
	Options
	round  int
	supply *supply
}

// supply gives out events, and keeps them for the next who asks.
type supply struct {
	dir  string
	made map[uint64][]corpus.Event
	real []corpus.Event
	tell func(string)
}

// maxPool is how many events are made at a time, at most, for workloads that need new
// ones.
const maxPool = 10_000

// pools is the distance of their seeds from those of the ingest.
const pools = 1 << 32

func (s *supply) events(seed uint64, count int) ([]corpus.Event, error) {
	if len(s.made[seed]) != count {
		events, err := corpus.Made(s.dir, seed, count, s.tell)
		if err != nil {
			return nil, err
		}
		s.made[seed] = events
	}
	return s.made[seed], nil
}

// main returns the events that the store is filled with, and that questions are about.
func (s *Session) main() ([]corpus.Event, error) { return s.supply.events(s.Seed, s.Count) }

// fresh returns n events that this relay has not been given in this run.
func (s *Session) fresh(n int) ([]corpus.Event, error) {
	var out []corpus.Event
	size := min(maxPool, s.Count)
	for len(out) < n {
		pool, err := s.supply.events(pools+s.Seed<<16+uint64(s.relay.used/size), size)
		if err != nil {
			return nil, err
		}
		from := s.relay.used % size
		upto := min(size, from+n-len(out))
		out = append(out, pool[from:upto]...)
		s.relay.used += upto - from
	}
	return out, nil
}

// fill gives the relay the events that questions are about, if it has not got them.
func (s *Session) fill() error {
	if s.relay.filled {
		return nil
	}
	events, err := s.main()
	if err != nil {
		return err
	}
	p := newPublishing(events, 64)
	p.again = allowed
	if err := p.run(s, 8); err != nil {
		return fmt.Errorf("filling the store: %w", err)
	}
	if n := p.refused.Load(); n > 0 {
		return fmt.Errorf("filling the store: %d events were refused%s", n, p.reasons.after(": "))
	}
	s.relay.filled = true
	return nil
}

// settle waits until a relay has done what it does behind its answers, more or less.
func (s *Session) settle(d time.Duration) error {
	select {
	case <-s.ctx.Done():
		return s.ctx.Err()
	case <-time.After(d):
		return nil
	}
}
