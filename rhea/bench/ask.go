package bench

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"rhea/rhea/bench/histogram"
	"rhea/rhea/bench/wire"
)

// asking sends REQs over some connections, each closed after its EOSE, and gathers
// the answers.
type asking struct {
	filter func(dst []byte, rng *rand.Rand) []byte
	rate   int // REQs a second over all connections; 0: a closed loop, one in flight each
	until  time.Time

	latency histogram.Histogram // from REQ to EOSE
	good    atomic.Int64
	events  atomic.Int64
	refused atomic.Int64
	reasons reasons
	busy    atomic.Int64 // connections that have a question open or will ask another
	done    chan struct{}
	g       *group
}

// run asks for a time over n connections; ready is called when they are there.
func (a *asking) run(s *Session, n int, ready func() error) error {
	a.done = make(chan struct{})
	a.g = s.group()
	defer a.g.close()
	for i := range n {
		h := &asker{a: a, rng: rand.New(rand.NewPCG(s.Seed, uint64(i)+uint64(s.round)<<32)), open: make(map[string]*question)}
		if _, err := a.g.dial(h, nil); err != nil {
			return err
		}
	}
	if err := ready(); err != nil {
		return err
	}
	a.busy.Store(int64(n))
	begin := time.Now()
	a.until = begin.Add(s.Time)
	if a.rate > 0 {
		a.g.paces.Go(func() { a.pace(begin) })
	} else {
		for _, c := range a.g.conns {
			c.Handler().(*asker).ask(c, time.Now())
			c.Flush()
		}
	}
	if err := a.g.wait(a.done, "EOSE"); err != nil {
		return fmt.Errorf("%w (%d queries have been answered%s)", err, a.good.Load(), a.reasons.after("; refused: "))
	}
	return nil
}

// pace asks when it is due, over the connections in turn; see publishing.pace.
func (a *asking) pace(begin time.Time) {
	for i := 0; ; i++ {
		due := begin.Add(time.Duration(i) * time.Second / time.Duration(a.rate))
		if due.After(a.until) {
			break
		}
		if !sleepUntil(a.g.ctx, due) {
			return
		}
		c := a.g.conns[i%len(a.g.conns)]
		c.Handler().(*asker).ask(c, due)
		c.Flush()
	}
	for _, c := range a.g.conns {
		c.Handler().(*asker).rest()
	}
}

// question is a REQ under way.
type question struct {
	begun  time.Time
	events int
}

// asker is the handler of one connection.
type asker struct {
	a       *asking
	mu      sync.Mutex // a paced question is not the reader's
	rng     *rand.Rand
	open    map[string]*question
	made    int
	text    []byte
	resting bool // nothing more will be asked
}

// ask queues a REQ that began, or was due, at a time.
func (h *asker) ask(c *wire.Conn, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.made++
	sub := strconv.Itoa(h.made)
	h.open[sub] = &question{begun: at}
	h.text = append(append(append(h.text[:0], `["REQ","`...), sub...), `",`...)
	h.text = append(h.a.filter(h.text, h.rng), ']')
	c.Queue(h.text)
}

// rest says that nothing more will be asked.
func (h *asker) rest() {
	h.mu.Lock()
	h.resting = true
	idle := len(h.open) == 0
	h.mu.Unlock()
	if idle {
		h.a.idle()
	}
}

func (a *asking) idle() {
	if a.busy.Add(-1) == 0 {
		close(a.done)
	}
}

func (h *asker) Message(c *wire.Conn, msg []byte, at time.Time) {
	verb, arg, rest, _ := wire.Split(msg)
	switch string(verb) {
	case "EVENT":
		h.mu.Lock()
		if q := h.open[string(arg)]; q != nil { // else it is live, behind EOSE
			q.events++
		}
		h.mu.Unlock()
	case "EOSE", "CLOSED":
		h.mu.Lock()
		q := h.open[string(arg)]
		delete(h.open, string(arg))
		last := h.resting && len(h.open) == 0
		h.mu.Unlock()
		if q == nil {
			return
		}
		h.a.g.moved.Add(1)
		if string(verb) == "EOSE" {
			c.Queue([]byte(`["CLOSE","`), arg, []byte(`"]`))
			h.a.answered(q, at)
		} else {
			h.a.refuse(string(rest))
		}
		switch {
		case last, h.a.rate == 0 && !at.Before(h.a.until):
			h.a.idle()
		case h.a.rate == 0:
			h.ask(c, time.Now())
		}
	default:
		h.a.g.other(verb, arg)
	}
}

// answered counts an EOSE. Every question of a load is about what is stored, so that
// an answer without an event is no answer.
func (a *asking) answered(q *question, at time.Time) {
	if q.events == 0 {
		a.refuse("EOSE without an event")
		return
	}
	a.latency.Record(at.Sub(q.begun))
	a.events.Add(int64(q.events))
	a.good.Add(1)
}

func (a *asking) refuse(why string) {
	a.reasons.add(why)
	a.refused.Add(1)
}

func (h *asker) Turn(c *wire.Conn) { c.Flush() }
