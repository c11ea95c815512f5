package replay

import "time"

// life is when an event came to be and went, by the recording: each is a span,
// because it was on its way for a while.
type life struct {
	asked, settled int64 // Unix nanoseconds; settled 0: never answered
	going, gone    int64 // 0: it stays
	expires        bool  // by another clock than the recording\'s
}

// span is a stretch of the recording's time.
type span struct{ from, to int64 }

func between(from, to time.Time) span {
	s := span{from: from.UnixNano(), to: to.UnixNano()}
	if to.IsZero() {
		s.to = 1<<63 - 1
	}
	return s
}

func (s span) meets(from, to int64) bool {
	if to == 0 {
		to = 1<<63 - 1
	}
	return from <= s.to && s.from <= to
}

// livesKept is how many events are remembered in each of two generations, of some
// 80 bytes each.
const livesKept = 1 << 19

// lives remembers the lives of the events of the recording, those of the latest.
type lives struct {
	young, old map[item]life
}

func newLives() *lives {
	return &lives{young: make(map[item]life), old: make(map[item]life)}
}

func (l *lives) get(i item) (life, bool) {
	x, ok := l.young[i]
	if !ok {
		x, ok = l.old[i]
	}
	return x, ok
}

func (l *lives) set(i item, x life) {
	if len(l.young) >= livesKept {
		l.young, l.old = make(map[item]life), l.young
	}
	l.young[i] = x
}

// ask notes that an event is on its way.
func (l *lives) ask(i item, at time.Time) {
	if _, known := l.get(i); !known {
		l.set(i, life{asked: at.UnixNano()})
	}
}

// settle notes that an event is stored, or passed on.
func (l *lives) settle(i item, at time.Time) {
	x, known := l.get(i)
	if !known {
		x.asked = at.UnixNano()
	}
	if x.settled == 0 {
		x.settled = at.UnixNano()
		l.set(i, x)
	}
}

// remove notes that an event has left the store, with one that took its place or
// asked for it, if that is known.
func (l *lives) remove(i, by item, at time.Time) {
	x, known := l.get(i)
	if !known {
		return
	}
	x.going, x.gone = at.Add(-removing).UnixNano(), at.UnixNano()
	if b, ok := l.get(by); ok {
		x.going = b.asked
	}
	l.set(i, x)
}

// removing is how long a removal without a known cause may have been on its way.
const removing = 2 * time.Second

// unsettled says whether an event was coming or going within a span.
func (l *lives) unsettled(i item, s span) bool {
	x, known := l.get(i)
	return known && (s.meets(x.asked, x.settled) || x.gone != 0 && s.meets(x.going, x.gone))
}

// leaving says whether an event that has left the store was on its way out within a
// span.
func (l *lives) leaving(i item, s span) bool {
	x, known := l.get(i)
	return known && x.gone != 0 && s.meets(x.going, x.gone)
}

// knows says whether the recording has had an event.
func (l *lives) knows(i item) bool {
	_, known := l.get(i)
	return known
}
