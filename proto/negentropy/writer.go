package negentropy

// MinSize is the smallest limit of a message: the answer to one range fits in
// any case.
const MinSize = 4096

// reserve is how much of the limit is kept for the end of a message, as much as
// the reference implementation keeps.
const reserve = 200

// A range of fewer than 2*buckets items is sent as ids, a larger one as the
// fingerprints of so many buckets.
const buckets = 16

// writer writes a message, the server's or the client's.
type writer struct {
	set   Set
	buf   []byte
	start int // where in buf the message begins
	limit int // a message that is longer gets its end; 0 is none

	time     uint64 // of the last bound written
	skip     Bound  // where a Skip ends that is still to be written
	skipping bool
	full     bool // the message has its end
}

// newWriter begins a message.
func newWriter(dst []byte, set Set, maxSize int) *writer {
	w := &writer{set: set, buf: append(dst, Version), start: len(dst)}
	if maxSize != 0 {
		w.limit = max(maxSize, MinSize) - reserve
	}
	return w
}

// answer goes through the ranges of a message of the other party. What is to be
// done with ids differs between server and client. The message is read to its
// end even when the answer is full, so that a bad one is refused in any case.
func (w *writer) answer(msg []byte, ids func(from, to int, s span)) error {
	r := reader{msg: msg, off: 1}
	if len(msg) == 0 {
		return &Error{Why: "message is empty"}
	}
	from := 0
	for r.more() {
		s := r.next()
		if r.err != nil || w.full {
			continue
		}
		to := w.set.LowerBound(s.end)
		switch {
		case s.mode == modeIDs:
			ids(from, to, s)
		case s.mode == modeSkip || w.fingerprint(from, to) == s.fingerprint:
			w.skipTo(s.end)
		default:
			w.split(from, to, s.end)
		}
		from = to
	}
	return r.err
}

// split sends what the set has in a range whose fingerprints differ, in more
// detail. If that is too long, the rest of everything is sent as one range.
func (w *writer) split(from, to int, end Bound) {
	w.writeSkip()
	mark := len(w.buf)
	if to-from < 2*buckets {
		w.ids(from, to, end)
	} else {
		w.buckets(from, to, end)
	}
	if w.over() {
		// The bounds dropped have moved w.time on, which infinity does not look at.
		w.buf = w.buf[:mark]
		w.finish(from)
	}
}

// buckets writes a range as fingerprints of nearly equal parts, the larger ones
// first.
func (w *writer) buckets(from, to int, end Bound) {
	size, larger := (to-from)/buckets, (to-from)%buckets
	for i := range buckets {
		next := from + size
		if i < larger {
			next++
		}
		b := end
		if next < to {
			b = between(w.set.Item(next-1), w.set.Item(next))
		}
		w.bound(b, modeFingerprint)
		w.digest(from, next)
		from = next
	}
}

// ids writes a range as ids.
func (w *writer) ids(from, to int, end Bound) {
	w.bound(end, modeIDs)
	w.buf = appendVarint(w.buf, uint64(to-from))
	for i := from; i < to; i++ {
		id := w.set.Item(i).ID
		w.buf = append(w.buf, id[:]...)
	}
}

// finish ends the message: all items from one on are one range.
func (w *writer) finish(from int) {
	w.bound(Infinity(), modeFingerprint)
	w.digest(from, w.set.Len())
	w.full = true
}

// skipTo leaves everything up to a bound out of the message. Skips in a row are
// written as one, and not at all at the end.
func (w *writer) skipTo(end Bound) { w.skip, w.skipping = end, true }

func (w *writer) writeSkip() {
	if w.skipping {
		w.bound(w.skip, modeSkip)
		w.skipping = false
	}
}

// bound writes where a range ends, and its mode.
func (w *writer) bound(b Bound, mode byte) {
	if b.time == infinity {
		w.buf = append(w.buf, 0)
	} else {
		w.buf = appendVarint(w.buf, b.time-w.time+1)
	}
	w.time = b.time
	w.buf = append(w.buf, b.prefix)
	w.buf = append(w.buf, b.id[:b.prefix]...)
	w.buf = append(w.buf, mode)
}

func (w *writer) digest(from, to int) {
	f := w.fingerprint(from, to)
	w.buf = append(w.buf, f[:]...)
}

func (w *writer) fingerprint(from, to int) Fingerprint {
	return w.set.Sum(from, to).Fingerprint(to - from)
}

// size is the length of the message so far.
func (w *writer) size() int { return len(w.buf) - w.start }

// over reports whether the message has come so near its limit that it must end.
func (w *writer) over() bool { return w.limit > 0 && w.size() > w.limit }
