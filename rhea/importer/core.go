package importer

import (
	"time"

	"rhea/proto/bus"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// window is how many bytes of events are in flight at the most, of the same
// order as a gateway's.
const window = 4 << 20

// When an event that is not answered is sent again: after firstRetry, and each
// time after twice as long, lastRetry at the most.
const (
	firstRetry = 2 * time.Second
	lastRetry  = 16 * time.Second
)

// event is one that is not answered yet.
type event struct {
	line   Line
	num    uint64
	shard  subject.Shard
	sent   time.Time
	retry  time.Duration
	copies int  // sent so far
	held   bool // nobody listens on the shard: it waits for the next owner
}

// frame is an event to be sent now.
type frame struct {
	shard subject.Shard
	event *relaypb.EventFrame
}

// core keeps what has been sent until it is answered. It does no I/O: the frames
// to send gather in out. It belongs to one goroutine.
type core struct {
	space    subject.Space
	instance subject.Instance
	trusted  bool

	window  bus.Window
	waiting map[uint64]*event
	nums    uint64
	owners  []subject.Instance // of the shards' ingesters, as last seen
	writer  subject.Instance
	out     []frame
	result  Result
	marks   []mark // in the order of num; see mark.go
	failed  bool   // an event that was answered has no final answer
}

func newCore(space subject.Space, instance subject.Instance, trusted bool) *core {
	return &core{
		space: space, instance: instance, trusted: trusted,
		window: bus.Window{Limit: window}, waiting: make(map[uint64]*event),
		owners: make([]subject.Instance, space.Shards()),
		result: Result{Rejected: make(map[string]int)},
	}
}

// add sends a line, and says whether there was room for it in the window.
func (c *core) add(line Line, now time.Time) bool {
	if !c.window.Take(len(line.Event)) {
		return false
	}
	c.nums++
	e := &event{line: line, num: c.nums, shard: subject.Shard(c.nums % uint64(len(c.owners))), retry: firstRetry}
	c.waiting[e.num] = e
	c.send(e, now)
	return true
}

// send puts an event out, or holds it while its shard has no owner.
func (c *core) send(e *event, now time.Time) {
	e.sent = now
	if e.held = c.owners[e.shard] == 0; e.held {
		return
	}
	if e.copies++; e.copies > 1 {
		c.result.Resent++
	}
	// Any counter will do that falls to the shard: this sender has no connections.
	conn := subject.MakeConnID(c.instance, uint32(e.shard))
	c.out = append(c.out, frame{e.shard, &relaypb.EventFrame{
		Conn: uint64(conn), Num: e.num, Event: e.line.Event, Trusted: c.trusted, Imported: true,
	}})
}

// verdict takes an answer in and returns the event that it is for, nil when it
// was answered before or is somebody else's.
func (c *core) verdict(v *relaypb.Verdict) *event {
	e := c.waiting[v.GetNum()]
	if e == nil {
		return nil
	}
	delete(c.waiting, e.num)
	c.window.Give(len(e.line.Event))
	c.result.count(v, e.copies > 1)
	if v.Outcome == relaypb.Outcome_ERROR {
		c.fail(e.num)
	}
	return e
}

// look takes the roster's view in: what went to a process that has been replaced
// is sent again.
func (c *core) look(v *bus.View, now time.Time) {
	var writer subject.Instance
	for _, m := range v.Members(subject.Writer) {
		if i := subject.Instance(m.Instance); !m.Leaving || writer == 0 {
			writer = i
		}
	}
	changed := make([]bool, len(c.owners))
	for sh := range c.owners {
		owner := v.Owner(subject.Ingester, subject.Shard(sh))
		changed[sh] = owner != c.owners[sh] || writer != c.writer
		c.owners[sh] = owner
	}
	c.writer = writer
	for _, e := range c.waiting {
		if changed[e.shard] {
			c.send(e, now)
		}
	}
}

// tick sends again what has waited for too long.
func (c *core) tick(now time.Time) {
	for _, e := range c.waiting {
		if !e.held && now.Sub(e.sent) >= e.retry {
			e.retry = min(2*e.retry, lastRetry)
			c.send(e, now)
		}
	}
}
