package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"rhea/rhea/bench/corpus"
	"rhea/rhea/bench/histogram"
	"rhea/rhea/bench/wire"
)

// What happens in a second of a day, which lasts twice --time.
const (
	dayEvents  = 50
	dayQueries = 50
	dayVisits  = 5 // connections that come, ask once and go
	dayReaders = 200
	dayFollows = 100 // authors that a reader follows
)

// day mixes everything at a pace that a relay should hardly notice: what it costs to
// do little, all at once, and what its clients notice of one another.
func day(s *Session) ([]Result, error) {
	if err := s.fill(); err != nil {
		return nil, err
	}
	stored, err := s.main()
	if err != nil {
		return nil, err
	}
	long := *s
	long.Time = 2 * s.Time
	events, err := s.fresh(max(1, int(dayEvents*long.Time.Seconds())))
	if err != nil {
		return nil, err
	}
	d := &dayWork{s: &long, questions: newPick(stored), published: newPublishing(events, 0), readers: s.group()}
	defer d.readers.close()
	if err := d.follow(events, min(dayReaders, s.Subscribers)); err != nil {
		return nil, err
	}
	before, err := s.relay.read(true)
	if err != nil {
		return nil, err
	}
	if err := d.run(); err != nil {
		return nil, err
	}
	res, err := s.relay.measure(before, "second", seconds(long.Time), uint64(d.published.refused.Load()+d.asked.refused.Load()), &histogram.Histogram{})
	if err != nil {
		return nil, err
	}
	for _, part := range []struct {
		name string
		h    *histogram.Histogram
	}{{"ok", &d.published.latency}, {"query", &d.asked.latency}, {"live", &d.live}, {"visit", &d.visits}} {
		res.figure(part.name+"_p50_ms", latencyOf(part.h).P50/1000)
		res.figure(part.name+"_p99_ms", latencyOf(part.h).P99/1000)
	}
	res.figure("deliveries", float64(d.live.Count()))
	return []Result{res}, nil
}

// dayWork is what goes on during the day.
type dayWork struct {
	s         *Session
	questions *pick
	published *publishing
	asked     asking
	visits    histogram.Histogram
	live      histogram.Histogram
	readers   *group
}

// follow opens the readers' subscriptions, each to some of the authors who will
// publish.
func (d *dayWork) follow(events []corpus.Event, n int) error {
	authors := newPick(events)
	ready := newCountdown(n)
	for i := range n {
		c, err := d.readers.dial(&reader{d: d, ready: ready}, nil)
		if err != nil {
			return err
		}
		authors.rng = rand.New(rand.NewPCG(d.s.Seed, uint64(i)))
		c.Queue([]byte(`["REQ","feed",`), authors.following(nil, dayFollows), []byte("]"))
		c.Flush()
	}
	return d.readers.wait(ready.done, "EOSE")
}

// run does everything at once, and returns when all of it is over.
func (d *dayWork) run() error {
	ctx, cancel := context.WithCancel(d.s.ctx)
	defer cancel()
	s := *d.s
	s.ctx = ctx
	d.published.rate = dayEvents
	d.asked.rate = dayQueries
	d.asked.filter = func(dst []byte, rng *rand.Rand) []byte {
		at := *d.questions
		at.rng = rng
		return at.mix(dst)
	}
	var all sync.WaitGroup
	var first atomic.Pointer[error]
	part := func(name string, work func() error) {
		all.Go(func() {
			if err := work(); err != nil {
				err = fmt.Errorf("%s: %w", name, err)
				first.CompareAndSwap(nil, &err)
				cancel() // the others need not go on
			}
		})
	}
	part("publishing", func() error { return d.published.run(&s, 20) })
	part("asking", func() error { return d.asked.run(&s, 20, func() error { return nil }) })
	part("visiting", func() error { return d.visit(&s) })
	all.Wait()
	if err := first.Load(); err != nil {
		return *err
	}
	return d.readers.ended()
}

// visit has connections come, ask and go.
func (d *dayWork) visit(s *Session) error {
	begin := time.Now()
	rng := rand.New(rand.NewPCG(s.Seed, 1))
	for i := range max(1, int(dayVisits*s.Time.Seconds())) {
		if !sleepUntil(s.ctx, begin.Add(time.Duration(i)*time.Second/dayVisits)) {
			return s.ctx.Err()
		}
		at := *d.questions
		at.rng = rng
		o := &opening{g: s.group(), req: func(int) []byte {
			return append(at.mix([]byte(`["REQ","s",`)), ']')
		}}
		n, err := o.open(1, 1)
		o.g.close()
		if n == 0 {
			return errors.Join(errors.New("a visitor was not served"), err)
		}
		d.visits.Record(o.latency.Max())
	}
	return nil
}

// reader is the handler of a subscription that stays.
type reader struct {
	d     *dayWork
	ready *countdown
}

func (h *reader) Message(c *wire.Conn, msg []byte, at time.Time) {
	verb, arg, rest, _ := wire.Split(msg)
	switch string(verb) {
	case "EOSE":
		h.d.readers.moved.Add(1)
		h.ready.one()
	case "EVENT":
		key, _ := wire.EventKey(rest)
		if i, known := h.d.published.index[key]; known {
			h.d.live.Record(time.Duration(at.UnixNano() - h.d.published.begun[i].Load()))
		}
	case "CLOSED":
		c.Fail(fmt.Errorf("the relay closed a subscription: %s", rest))
	default:
		h.d.readers.other(verb, arg)
	}
}

func (h *reader) Turn(*wire.Conn) {}
