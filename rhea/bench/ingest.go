package bench

import (
	"fmt"
	"time"

	"rhea/rhea/bench/corpus"
)

// ingest publishes all made events; the first fifth are a row of their own.
func ingest(s *Session) ([]Result, error) {
	events, err := s.supply.events(s.Seed+uint64(s.round), s.Count)
	if err != nil {
		return nil, err
	}
	p := newPublishing(events, 64)
	p.first = int64(len(events) / 5)
	results, err := s.publish(p, 8)
	if err != nil {
		return nil, err
	}
	if s.round == 0 {
		s.relay.filled = results[len(results)-1].Done == uint64(s.Count)
	}
	results[0].Workload = fmt.Sprintf("ingest, first %d", p.first)
	return results, nil
}

func ingestReal(s *Session) ([]Result, error) { return s.publish(newPublishing(s.supply.real, 32), 4) }

// ingestAgain publishes what is stored.
func ingestAgain(s *Session) ([]Result, error) {
	if err := s.fill(); err != nil {
		return nil, err
	}
	events, err := s.main()
	if err != nil {
		return nil, err
	}
	p := newPublishing(events[:len(events)/5], 64)
	p.again = wanted
	return s.publish(p, 8)
}

func ingestOne(s *Session) ([]Result, error) {
	// As many as a relay that needs 2 ms for one takes in the time.
	events, err := s.fresh(max(int(s.Time/(2*time.Millisecond)), 10))
	if err != nil {
		return nil, err
	}
	return s.publish(newPublishing(events, 1), 1)
}

// publish measures what p does over n connections. With --rate it is an open loop.
func (s *Session) publish(p *publishing, n int) (results []Result, err error) {
	if p.rate = s.Rate; p.rate > 0 {
		p.events = p.paced(s.Time)
	}
	if p.first > 0 {
		p.first = max(1, int64(len(p.events)/5))
	}
	if err := p.dial(s, n); err != nil {
		return nil, err
	}
	defer p.g.close()
	before, err := s.relay.read(true)
	if err != nil {
		return nil, err
	}
	p.start()
	if p.first > 0 {
		if err := p.g.wait(p.reached, "an OK"); err != nil {
			return nil, err
		}
		part, err := s.relay.measure(before, "event", uint64(p.ok.Load()), uint64(p.refused.Load()), &p.early)
		if err != nil {
			return nil, err
		}
		results = append(results, part)
	}
	if err := p.wait(); err != nil {
		return nil, err
	}
	whole, err := s.relay.measure(before, "event", uint64(p.ok.Load()), uint64(p.refused.Load()), &p.latency)
	if err != nil {
		return nil, err
	}
	if why := p.reasons.after("refused: "); why != "" {
		whole.Notes = append(whole.Notes, why)
	}
	whole.figure("json_bytes", meanSize(p.events))
	return append(results, whole), nil
}

// paced are the events that are due within the time.
func (p *publishing) paced(d time.Duration) []corpus.Event {
	return p.events[:min(len(p.events), max(1, int(float64(p.rate)*d.Seconds())))]
}

func meanSize(events []corpus.Event) float64 {
	sum := 0
	for i := range events {
		sum += len(events[i].JSON)
	}
	return float64(sum) / float64(max(len(events), 1))
}
