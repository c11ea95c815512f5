package monitor

import (
	"slices"
	"time"

	"rhea/proto/bus"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// gateway is what the monitor owes one gateway.
type gateway struct {
	id      subject.Instance
	slot    uint16 // in core.slots
	watches int

	number  uint64 // of the last message
	said    subject.Seq
	content bool // the last message had some: if it is lost, only a next one tells
	missing time.Time

	// Collected until flush.
	committed uint64 // the earliest of what is live; 0: nothing is
	pending   []*relaypb.Delivery
	nums      []uint64 // of all pending, which have parts of it
	watching  []uint64
	ended     []*relaypb.Ended
	talking   bool // listed in core.talking
}

// deliver collects an event for a watch. Deliveries of one event that follow each
// other are one.
func (c *core) deliver(gw *gateway, num uint64, e *commit) {
	if c.committed != 0 && (gw.committed == 0 || c.committed < gw.committed) {
		gw.committed = c.committed
	}
	gw.nums = append(gw.nums, num)
	if n := len(gw.pending); n > 0 && gw.pending[n-1].Seq == uint64(e.seq) {
		d := gw.pending[n-1]
		d.Nums = gw.nums[len(gw.nums)-1-len(d.Nums):]
		return
	}
	gw.pending = append(gw.pending, &relaypb.Delivery{Seq: uint64(e.seq), Json: e.json, Nums: gw.nums[len(gw.nums)-1:]})
	c.metrics.deliveries.Inc()
	c.talk(gw)
}

// confirm collects the confirmation of a watch.
func (c *core) confirm(w *watch) {
	gw := c.slots[w.gateway]
	gw.watching = append(gw.watching, w.num)
	c.talk(gw)
}

// end collects the end of a watch that is not kept: with a text it is refused,
// without one its shard is another monitor's.
func (c *core) end(gw *gateway, num uint64, text string) {
	gw.ended = append(gw.ended, &relaypb.Ended{Num: num, Text: text})
	c.talk(gw)
}

func (c *core) talk(gw *gateway) {
	if !gw.talking {
		gw.talking = true
		c.talking = append(c.talking, gw)
	}
}

// flush brings the waiting watches forward and returns all that is to be said.
func (c *core) flush(now time.Time) outputs {
	c.now = now
	out := outputs{heard: c.heard}
	c.heard, c.lookups = nil, 0
	out.more = c.settle()
	for _, gw := range c.talking {
		out.deliveries = gw.messages(out.deliveries, c.self, c.position())
		gw.talking = false
	}
	clear(c.talking)
	c.talking = c.talking[:0]
	out.fetch = c.nextFetch()
	return out
}

// What one message takes: near bus.MaxBatch, unless a single event is larger.
const (
	messageBytes  = bus.MaxBatch - 1<<10
	deliveryBytes = 32      // of an event beside its JSON and numbers
	numBytes      = 6       // of a number, nearly always less
	maxNums       = 4 << 10 // of one event in one message
)

// keepNums is how much room for numbers a gateway keeps between two flushes.
const keepNums = 16 << 10

// messages appends the messages of what was collected, or a heartbeat when that is
// nothing. Only the last one tells the position, since until then not everything
// up to it has been said; and watches are confirmed last.
func (gw *gateway) messages(out []delivery, self subject.Instance, position subject.Seq) []delivery {
	var msg *relaypb.Deliveries
	size := 0
	room := func(need int) {
		if msg == nil || size > 0 && size+need > messageBytes {
			gw.number++
			msg = &relaypb.Deliveries{Monitor: uint32(self), Number: gw.number, Upto: uint64(gw.said), Committed: gw.committed}
			out = append(out, delivery{gw.id, msg})
			size = 0
		}
		size += need
	}
	room(0)
	for _, d := range gw.pending {
		for nums := range slices.Chunk(d.Nums, maxNums) {
			room(len(d.Json) + deliveryBytes + numBytes*len(nums))
			msg.Events = append(msg.Events, &relaypb.Delivery{Seq: d.Seq, Json: d.Json, Nums: nums})
		}
	}
	for _, num := range gw.watching {
		room(numBytes)
		msg.Watching = append(msg.Watching, num)
	}
	for _, e := range gw.ended {
		room(numBytes + len(e.Text) + 8)
		msg.Ended = append(msg.Ended, e)
	}
	msg.Upto = uint64(position)
	gw.said, gw.content = position, len(gw.pending)+len(gw.watching)+len(gw.ended) > 0
	gw.committed = 0
	if gw.nums = gw.nums[:0]; cap(gw.nums) > keepNums {
		gw.nums = nil
	}
	clear(gw.pending)
	clear(gw.ended)
	gw.pending, gw.watching, gw.ended = gw.pending[:0], gw.watching[:0], gw.ended[:0]
	return out
}
