package gateway

import "time"

// An alarm asks the core to look at something at a time. It names the thing and
// carries no decision: by then the thing may be gone, or may have nothing to
// wait for.
type alarm struct {
	about concern
	num   uint64 // a question's number, or the ConnID
}

// concern is what an alarm is about.
type concern uint8

const (
	aboutEvent concern = iota
	aboutHearing
	aboutSub
	aboutCount
	aboutSession
	aboutClaim
	aboutConn
	aboutBacklog
	aboutLinger
)

// tickEvery is the grain of all times in the core.
const tickEvery = 100 * time.Millisecond

const wheelSlots = 1024

// wheel keeps alarms in slots of one tick each (Varghese and Lauck, 1987): setting
// one is an append, and a tick touches only what is due. A time further off than
// the wheel is round is rung early, and whoever is looked at sets it again.
//
// Each connection has an alarm, so a slot is a list of blocks, which are used again by
// other slots: what a slot once held it does not keep room for.
type wheel struct {
	slots [wheelSlots]slot
	at    time.Time // the start of the next slot to ring
	next  int
	spare *block
	kept  int // blocks that are spare
}

// slot is a list of alarms in the order in which they were set.
type slot struct{ first, last *block }

// block is 256 bytes of a slot.
type block struct {
	next   *block
	n      int
	alarms [15]alarm
}

// maxSpare bounds the blocks that are kept for later.
const maxSpare = 1024

func newWheel(now time.Time) *wheel { return &wheel{at: now.Add(tickEvery)} }

// set rings a at the first tick not before when.
func (w *wheel) set(when time.Time, a alarm) {
	ahead := int((when.Sub(w.at) + tickEvery - 1) / tickEvery)
	ahead = min(max(ahead, 0), wheelSlots-1)
	s := &w.slots[(w.next+ahead)%wheelSlots]
	switch {
	case s.first == nil:
		s.first = w.take()
		s.last = s.first
	case s.last.n == len(s.last.alarms):
		s.last.next = w.take()
		s.last = s.last.next
	}
	s.last.alarms[s.last.n] = a
	s.last.n++
}

// quiet is how long it is from now until an alarm may ring, or at most so long.
func (w *wheel) quiet(now time.Time, most time.Duration) time.Duration {
	at := w.at
	for i := w.next; at.Sub(now) < most && w.slots[i].first == nil; i = (i + 1) % wheelSlots {
		at = at.Add(tickEvery)
	}
	return min(max(at.Sub(now), 0), most)
}

// ring calls look for every alarm that is due at now. Look may set alarms.
func (w *wheel) ring(now time.Time, look func(alarm)) {
	for !w.at.After(now) {
		due := w.slots[w.next].first
		w.slots[w.next] = slot{}
		w.at = w.at.Add(tickEvery)
		w.next = (w.next + 1) % wheelSlots
		for due != nil {
			for _, a := range due.alarms[:due.n] {
				look(a)
			}
			b := due
			due = due.next
			w.give(b)
		}
	}
}

func (w *wheel) take() *block {
	b := w.spare
	if b == nil {
		return new(block)
	}
	w.spare, b.next = b.next, nil
	w.kept--
	return b
}

func (w *wheel) give(b *block) {
	if w.kept < maxSpare {
		w.kept++
		b.n, b.next, w.spare = 0, w.spare, b
	}
}
