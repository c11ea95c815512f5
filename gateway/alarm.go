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
type wheel struct {
	slots [wheelSlots][]alarm
	at    time.Time // the start of the next slot to ring
	next  int
	due   []alarm
}

func newWheel(now time.Time) *wheel { return &wheel{at: now.Add(tickEvery)} }

// set rings a at the first tick not before when.
func (w *wheel) set(when time.Time, a alarm) {
	ahead := int((when.Sub(w.at) + tickEvery - 1) / tickEvery)
	ahead = min(max(ahead, 0), wheelSlots-1)
	i := (w.next + ahead) % wheelSlots
	w.slots[i] = append(w.slots[i], a)
}

// quiet is how long it is from now until an alarm may ring, or at most so long.
func (w *wheel) quiet(now time.Time, most time.Duration) time.Duration {
	at := w.at
	for i := w.next; at.Sub(now) < most && len(w.slots[i]) == 0; i = (i + 1) % wheelSlots {
		at = at.Add(tickEvery)
	}
	return min(max(at.Sub(now), 0), most)
}

// ring calls look for every alarm that is due at now. Look may set alarms.
func (w *wheel) ring(now time.Time, look func(alarm)) {
	for !w.at.After(now) {
		slot := &w.slots[w.next]
		w.due = append(w.due[:0], *slot...)
		*slot = (*slot)[:0]
		if cap(*slot) > 4096 {
			*slot = nil
		}
		w.at = w.at.Add(tickEvery)
		w.next = (w.next + 1) % wheelSlots
		for _, a := range w.due {
			look(a)
		}
	}
	if cap(w.due) > 1<<16 {
		w.due = nil
	}
}
