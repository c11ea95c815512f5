package bench

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"rhea/rhea/bench/corpus"
	"rhea/rhea/bench/histogram"
	"rhea/rhea/bench/wire"
)

// again says what "duplicate:" is worth.
type again int

const (
	refusal again = iota // the event should have been new
	allowed
	wanted // an event that is not stored already is the surprise
)

// publishing sends events over some connections and gathers what becomes of them.
type publishing struct {
	events []corpus.Event
	index  map[wire.Key]int
	window int // in flight on each connection
	rate   int // events a second; 0: a closed loop
	again  again

	begun    []atomic.Int64 // of each event, Unix nanoseconds: when it was sent or, with a rate, due
	next     atomic.Int64
	done     chan struct{} // closed when every event is answered
	ok       atomic.Int64
	refused  atomic.Int64
	answered atomic.Int64
	finish   sync.Once // closes done
	latency  histogram.Histogram
	reasons  reasons
	started  atomic.Bool

	// The first so many answers are gathered apart.
	first   int64
	early   histogram.Histogram
	reached chan struct{} // closed at the first-th answer

	g *group
}

func newPublishing(events []corpus.Event, window int) *publishing {
	p := &publishing{
		events: events, window: window, index: make(map[wire.Key]int, len(events)), begun: make([]atomic.Int64, len(events)),
		done: make(chan struct{}), reached: make(chan struct{}),
	}
	for i := range events {
		p.index[events[i].Key()] = i
	}
	return p
}

// run publishes everything over n connections.
func (p *publishing) run(s *Session, n int) error {
	if err := p.dial(s, n); err != nil {
		return err
	}
	defer p.g.close()
	p.start()
	return p.wait()
}

// dial connects; the group must be closed.
func (p *publishing) dial(s *Session, n int) error {
	p.g = s.group()
	for range n {
		if _, err := p.g.dial(&publisher{p: p}, nil); err != nil {
			p.g.close()
			return err
		}
	}
	return nil
}

func (p *publishing) start() {
	p.started.Store(true)
	if p.rate > 0 {
		begin := time.Now()
		p.g.paces.Go(func() { p.pace(begin) })
		return
	}
	for _, c := range p.g.conns {
		c.Handler().Turn(c)
	}
}

// pace sends each event when it is due, whatever has become of those before it: a
// relay that is slow is not asked less (open loop). Latencies count from then on, so
// that what waits here because the relay does not read counts as its time. See Gil
// Tene, "How NOT to Measure Latency", on coordinated omission.
func (p *publishing) pace(begin time.Time) {
	for i := range p.events {
		due := begin.Add(time.Duration(i) * time.Second / time.Duration(p.rate))
		if !sleepUntil(p.g.ctx, due) {
			return
		}
		c := p.g.conns[i%len(p.g.conns)]
		p.begun[i].Store(due.UnixNano())
		c.Queue([]byte(`["EVENT",`), p.events[i].JSON, []byte("]"))
		c.Flush()
	}
}

func (p *publishing) wait() error {
	if err := p.g.wait(p.done, "an OK"); err != nil {
		return fmt.Errorf("%w (%d of %d events have been answered%s)", err, p.answered.Load(), len(p.events), p.reasons.after("; refused: "))
	}
	return nil
}

// publisher is the handler of one connection.
type publisher struct {
	p        *publishing
	mu       sync.Mutex // the first turn is not the reader's
	inFlight int
}

func (h *publisher) Message(c *wire.Conn, msg []byte, at time.Time) {
	verb, arg, rest, ok := wire.Split(msg)
	if !ok || string(verb) != "OK" {
		h.p.g.other(verb, arg)
		return
	}
	key, _ := wire.KeyOf(arg)
	i, known := h.p.index[key]
	begun := int64(0)
	if known {
		begun = h.p.begun[i].Load()
	}
	if begun == 0 {
		c.Fail(fmt.Errorf("the relay answers an event that it was not sent: %s", msg))
		return
	}
	h.mu.Lock()
	h.inFlight--
	h.mu.Unlock()
	h.p.g.moved.Add(1)
	h.p.answer(time.Duration(at.UnixNano()-begun), rest)
}

func (p *publishing) answer(took time.Duration, verdict []byte) {
	accepted, reason := wire.Verdict(verdict)
	duplicate := strings.HasPrefix(reason, "duplicate:")
	switch {
	case p.again == refusal && duplicate, p.again == wanted && accepted && !duplicate && reason != "":
		accepted = false
	case p.again != refusal && duplicate:
		accepted = true
	}
	p.latency.Record(took)
	if !accepted {
		p.reasons.add(reason)
		p.refused.Add(1)
	} else {
		p.ok.Add(1)
	}
	switch n := p.answered.Add(1); {
	case n < p.first:
		p.early.Record(took)
	case n == p.first:
		p.early.Record(took)
		close(p.reached)
	}
	if p.answered.Load() == int64(len(p.events)) {
		p.finish.Do(func() { close(p.done) })
	}
}

func (h *publisher) Turn(c *wire.Conn) {
	if h.p.rate > 0 || !h.p.started.Load() {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now().UnixNano()
	for h.inFlight < h.p.window {
		i := int(h.p.next.Add(1)) - 1
		if i >= len(h.p.events) {
			break
		}
		h.inFlight++
		h.p.begun[i].Store(now)
		c.Queue([]byte(`["EVENT",`), h.p.events[i].JSON, []byte("]"))
	}
	c.Flush()
}
