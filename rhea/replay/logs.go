package replay

import "math"

// logged is an event's place in the recorded log.
type logged struct {
	seq  uint64
	item item
}

// logsKept is how many events of either log are remembered in each of two
// generations, of some 50 bytes each.
const logsKept = 1 << 16

// logs pairs places of the recorded log with those of the replay's, by the events
// there: what was under way at the same time may be in another order, and either log
// may be ahead.
type logs struct {
	then       []logged        // ascending by seq
	now, older map[item]uint64 // where an event is in the replay's
}

func newLogs() *logs { return &logs{now: make(map[item]uint64)} }

// recorded takes in an event of the recorded log, replayed one of the replay's.
func (l *logs) recorded(seq uint64, i item) {
	if n := len(l.then); n > 0 && seq <= l.then[n-1].seq {
		return // heard before
	}
	if len(l.then) >= 2*logsKept {
		l.then = append(l.then[:0], l.then[logsKept:]...)
	}
	l.then = append(l.then, logged{seq, i})
}

func (l *logs) replayed(seq uint64, i item) {
	if len(l.now) >= logsKept {
		l.now, l.older = make(map[item]uint64), l.now
	}
	l.now[i] = seq
}

func (l *logs) place(i item) (seq uint64, known bool) {
	if seq, known = l.now[i]; !known {
		seq, known = l.older[i]
	}
	return seq, known
}

// translate makes of a place in the recorded log the one in the replay's behind which
// is what was behind the recorded: before the first of those events, or, when the
// replay has none of them yet, at the last event that was not behind. It is 0 when
// too little is known.
func (l *logs) translate(after uint64) uint64 {
	first := uint64(math.MaxUint64)
	for k := len(l.then) - 1; k >= 0; k-- {
		x := l.then[k]
		seq, known := l.place(x.item)
		switch {
		case x.seq > after && known:
			first = min(first, seq)
		case x.seq <= after && first != math.MaxUint64:
			return first - 1
		case x.seq <= after && known:
			return seq
		}
	}
	return 0
}
