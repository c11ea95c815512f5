package bench

import (
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"rhea/rhea/bench/corpus"
	"rhea/rhea/bench/histogram"
	"rhea/rhea/bench/wire"
)

// liveWindow is how many events are under way to some subscriber at a time when they
// are not paced: enough to keep a relay busy, and little enough that none of its
// queues has cause to overflow.
const liveWindow = 64

// fanout publishes events and counts them at every subscriber.
type fanout struct {
	events  []corpus.Event
	index   map[wire.Key]int
	begun   []atomic.Int64 // Unix nanoseconds: when sent or, if paced, due
	left    []atomic.Int32 // subscribers that have not got it
	missing atomic.Int64   // deliveries
	latency histogram.Histogram
	strange atomic.Int64 // events that are not of this run, or come twice
	next    atomic.Int64
	done    chan struct{}
	paced   bool

	from *wire.Conn // the publisher's
	g    *group
}

// live is a workload: so many subscribers, and events at a rate, or unpaced at 0.
func live(subscribers, rate int) func(*Session) ([]Result, error) {
	return func(s *Session) ([]Result, error) {
		n := min(subscribers, s.Subscribers)
		count := 2000 * 1000 / subscribers
		if rate > 0 {
			count = max(int(float64(rate)*s.Time.Seconds()), 10)
		}
		events, err := s.fresh(min(count, s.Count))
		if err != nil {
			return nil, err
		}
		f := newFanout(events, n)
		f.paced = rate > 0
		f.g = s.group()
		defer f.g.close()
		if err := f.subscribe(n); err != nil {
			return nil, err
		}
		before, err := s.relay.read(true)
		if err != nil {
			return nil, err
		}
		if err := f.run(rate); err != nil {
			return nil, err
		}
		res, err := s.relay.measure(before, "delivery", f.latency.Count(), 0, &f.latency)
		if err != nil {
			return nil, err
		}
		if n < subscribers {
			res.Notes = append(res.Notes, fmt.Sprintf("%d subscribers, not %d", n, subscribers))
		}
		if strange := f.strange.Load(); strange > 0 {
			res.Notes = append(res.Notes, fmt.Sprintf("%d events came twice or were not of this run", strange))
		}
		res.figure("events", float64(len(events)))
		return []Result{res}, nil
	}
}

func newFanout(events []corpus.Event, subscribers int) *fanout {
	f := &fanout{
		events: events, index: make(map[wire.Key]int, len(events)), done: make(chan struct{}),
		begun: make([]atomic.Int64, len(events)), left: make([]atomic.Int32, len(events)),
	}
	for i := range events {
		f.index[events[i].Key()] = i
		f.left[i].Store(int32(subscribers))
	}
	f.missing.Store(int64(len(events)) * int64(subscribers))
	return f
}

// subscribe opens n subscriptions to all that will come, and the publisher's
// connection.
func (f *fanout) subscribe(n int) error {
	ready := newCountdown(n)
	for range n {
		c, err := f.g.dial(&subscriber{f: f, ready: ready}, nil)
		if err != nil {
			return err
		}
		c.Queue([]byte(`["REQ","live",{"limit":0}]`))
		c.Flush()
	}
	if err := f.g.wait(ready.done, "EOSE"); err != nil {
		return err
	}
	var err error
	f.from, err = f.g.dial(fanoutPublisher{f}, nil)
	return err
}

func (f *fanout) run(rate int) error {
	if rate == 0 {
		for range min(liveWindow, len(f.events)) {
			f.send()
		}
	} else {
		f.g.paces.Go(func() {
			begin := time.Now()
			for i := range f.events {
				due := begin.Add(time.Duration(i) * time.Second / time.Duration(rate))
				if !sleepUntil(f.g.ctx, due) {
					return
				}
				f.publish(i, due)
			}
		})
	}
	if err := f.g.wait(f.done, "live events"); err != nil {
		return fmt.Errorf("%w (%d deliveries are missing)", err, f.missing.Load())
	}
	return nil
}

// send publishes the next event at once.
func (f *fanout) send() {
	if i := int(f.next.Add(1)) - 1; i < len(f.events) {
		f.publish(i, time.Now())
	}
}

func (f *fanout) publish(i int, due time.Time) {
	f.begun[i].Store(due.UnixNano())
	f.from.Queue([]byte(`["EVENT",`), f.events[i].JSON, []byte("]"))
	f.from.Flush()
}

// arrived counts one delivery.
func (f *fanout) arrived(event []byte, at time.Time) {
	key, ok := wire.EventKey(event)
	i, known := f.index[key]
	if !ok || !known {
		f.strange.Add(1)
		return
	}
	left := f.left[i].Add(-1)
	if left < 0 {
		f.strange.Add(1)
		return
	}
	f.latency.Record(time.Duration(at.UnixNano() - f.begun[i].Load()))
	f.g.moved.Add(1)
	if left == 0 && !f.paced {
		f.send()
	}
	if f.missing.Add(-1) == 0 {
		close(f.done)
	}
}

// subscriber is the handler of one subscription.
type subscriber struct {
	f     *fanout
	ready *countdown
}

func (h *subscriber) Message(c *wire.Conn, msg []byte, at time.Time) {
	verb, arg, rest, _ := wire.Split(msg)
	switch string(verb) {
	case "EVENT":
		h.f.arrived(rest, at)
	case "EOSE":
		h.f.g.moved.Add(1)
		h.ready.one()
	case "CLOSED":
		c.Fail(fmt.Errorf("the relay closed a subscription: %s", rest))
	default:
		h.f.g.other(verb, arg)
	}
}

func (h *subscriber) Turn(*wire.Conn) {}

// fanoutPublisher is the handler of the connection that publishes.
type fanoutPublisher struct{ f *fanout }

func (h fanoutPublisher) Message(_ *wire.Conn, msg []byte, _ time.Time) {
	verb, arg, rest, _ := wire.Split(msg)
	if string(verb) != "OK" {
		h.f.g.other(verb, arg)
		return
	}
	if accepted, reason := wire.Verdict(rest); !accepted || strings.HasPrefix(reason, "duplicate:") {
		h.f.g.fail(fmt.Errorf("an event that nobody has seen is refused: %s (has this relay been given it in another run? --seed makes others)", reason))
	}
}

func (h fanoutPublisher) Turn(*wire.Conn) {}
