package reqworker

import (
	"time"

	"rhea/proto/nostr"
	"rhea/proto/relaypb"
)

// tally is what the slices of a COUNT have come to (NIP-45).
type tally struct {
	count     uint64
	offset    int // of the byte that chooses the register; 0: no registers
	registers nostr.Registers
	told      time.Time // when the gateway heard last that this goes on
}

// newTally begins a count. NIP-45 defines registers for one filter with a tag
// condition.
func newTally(filters []nostr.Filter) *tally {
	t := new(tally)
	if len(filters) == 1 {
		t.offset = filters[0].HLLOffset()
	}
	return t
}

// fits reports whether a slice has what was asked for.
func (t *tally) fits(reply *relaypb.ScanReply) bool {
	return t.offset == 0 || len(reply.Hll) == len(t.registers)
}

// add takes a slice.
func (t *tally) add(reply *relaypb.ScanReply) {
	t.count += reply.Count
	if t.offset != 0 {
		t.registers.Merge((*nostr.Registers)(reply.Hll))
	}
}

// signOfLife is how often the gateway of a COUNT hears that it goes on, which is
// all that it hears until the end.
const signOfLife = time.Second

// goesOn gives the gateway of a COUNT a sign of life, if it is time for one.
func (c *core) goesOn(q *query) {
	if q.tally.told.IsZero() {
		q.tally.told = q.began
	}
	if c.now.Sub(q.tally.told) < signOfLife {
		return
	}
	q.tally.told = c.now
	c.say(q, &relaypb.OutInbox{Body: &relaypb.OutInbox_Part{Part: &relaypb.Part{Num: q.num, Worker: uint32(c.self)}}})
}

// counted answers a COUNT.
func (c *core) counted(q *query) {
	c.metrics.counts.Inc()
	m := &relaypb.Counted{Num: q.num, Worker: uint32(c.self), Count: q.tally.count}
	if q.tally.offset != 0 {
		m.Hll = q.tally.registers[:]
	}
	c.say(q, &relaypb.OutInbox{Body: &relaypb.OutInbox_Counted{Counted: m}})
}
