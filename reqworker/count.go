package reqworker

import (
	"rhea/proto/nostr"
	"rhea/proto/relaypb"
)

// tally is what the slices of a COUNT have come to (NIP-45).
type tally struct {
	count     uint64
	offset    int // of the byte that chooses the register; 0: no registers
	registers nostr.Registers
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

// counted answers a COUNT.
func (c *core) counted(q *query) {
	c.metrics.counts.Inc()
	m := &relaypb.Counted{Num: q.num, Worker: uint32(c.self), Count: q.tally.count}
	if q.tally.offset != 0 {
		m.Hll = q.tally.registers[:]
	}
	c.say(q, &relaypb.OutInbox{Body: &relaypb.OutInbox_Counted{Counted: m}})
}
