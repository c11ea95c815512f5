package store

import (
	"bytes"

	"github.com/cockroachdb/pebble/v2"

	"rhea/proto/subject"
)

// source yields the entries of one value of one filter in the order of the
// query. It reads ahead a little, through an iterator that it shares with all
// other sources: a query has one open iterator however many values it has, and a
// value costs a seek and a few dozen bytes.
type source struct {
	filter int
	prefix []byte
	window window // what has not been read yet
	buf    []suffix
	next   int    // index in buf
	ahead  int    // how many entries to read the next time
	dry    bool   // nothing is left to read
	sieve  *sieve // nil: every entry is yielded
	// A source that is not begun stands where its first entry may be at the newest, and
	// is read when its turn comes. One with a hash tells what it finds then to newest.
	begun bool
	at    suffix
	hash  uint64
}

// Read-ahead begins small where there are many sources, of which most will
// contribute little, and doubles each time a source runs empty.
const (
	minAhead = 1
	maxAhead = 128
)

// head returns the entry that comes next, or what it does not come before.
func (s *source) head() suffix {
	if !s.begun {
		return s.at
	}
	return s.buf[s.next]
}

// reader owns the iterator over the indexes.
type reader struct {
	it        *pebble.Iterator
	ascending bool
	// Between floor and the key that the iterator stands on (or the end) there is
	// no other key. A seek to there is spared: when a source goes on where it was,
	// and between sources that are neighbours, such as the kinds of an author.
	floor []byte
	known bool // floor holds
	// If not nil, the iterator stands on what this source has just yielded. It
	// steps on when that source is read again: a seek after a seek is cheaper for
	// Pebble than a seek after a step, and most sources are read once.
	spent *source
	key   []byte
	// What sources find at first goes there, as of the view's head.
	newest *newest
	seq    subject.Seq
}

// fill reads ahead for a source that has yielded all it had. It reports whether
// there is something.
func (r *reader) fill(s *source) (bool, error) {
	s.buf, s.next, s.begun = s.buf[:0], 0, true
	if s.dry {
		return false, nil
	}
	var first, last suffix
	looked := 0
	for r.seek(s); ; r.step() {
		e, ok := r.entry(s)
		if !ok {
			s.dry = true
			break
		}
		if looked == 0 {
			first = e
		}
		last = e
		looked++
		if s.sieve != nil && looked%maxSifted != 0 && !s.sieve.lets(r.it.Value()) {
			continue
		}
		if s.buf = append(s.buf, e); len(s.buf) == s.ahead {
			r.spent = s
			break
		}
	}
	if looked > 0 {
		s.pass(last, r.ascending)
		r.floor = s.begin(r.ascending).appendTo(append(r.floor[:0], s.prefix...))
	}
	s.ahead = min(2*s.ahead, maxAhead)
	if err := r.it.Error(); err != nil {
		return false, err
	}
	if s.hash != 0 {
		r.learn(s, first, looked > 0)
	}
	return len(s.buf) > 0, nil
}

// learn notes what a source has found first, which begins at the newest.
func (r *reader) learn(s *source, first suffix, found bool) {
	at := s.window.hi.createdAt() - 1 // there may be something older, or nothing: -1
	if found {
		at = first.createdAt()
	}
	r.newest.learn(s.hash, at, r.seq)
	s.hash = 0
}

// entry returns the entry that the iterator stands on, if it is the source's.
func (r *reader) entry(s *source) (e suffix, ok bool) {
	if !r.it.Valid() {
		return suffix{}, false
	}
	key := r.it.Key()
	if len(key) != len(s.prefix)+suffixLen || !bytes.HasPrefix(key, s.prefix) {
		return suffix{}, false
	}
	e = parseSuffix(key)
	return e, e.compare(s.window.lo) >= 0 && e.compare(s.window.hi) <= 0
}

// seek moves the iterator to where the window of a source begins.
func (r *reader) seek(s *source) {
	r.key = s.begin(r.ascending).appendTo(append(r.key[:0], s.prefix...))
	switch {
	case r.spent == s:
		r.step()
	case r.spent != nil:
		r.known = false
	}
	r.spent = nil
	if r.known && r.before(r.floor, r.key) && (!r.it.Valid() || r.before(r.key, r.it.Key())) {
		return
	}
	r.floor, r.known = append(r.floor[:0], r.key...), true
	if r.ascending {
		r.it.SeekLT(append(r.key, 0)) // the window includes its end
	} else {
		r.it.SeekGE(r.key)
	}
}

// before reports whether a comes before b, or is b.
func (r *reader) before(a, b []byte) bool {
	if r.ascending {
		a, b = b, a
	}
	return bytes.Compare(a, b) <= 0
}

func (r *reader) step() {
	if r.ascending {
		r.it.Prev()
	} else {
		r.it.Next()
	}
}

// begin is where the window begins.
func (s *source) begin(ascending bool) suffix {
	if ascending {
		return s.window.hi
	}
	return s.window.lo
}

// pass narrows the window to what lies behind an entry. Seqs begin at 1 and end
// before the largest, so this neither wraps nor skips.
func (s *source) pass(e suffix, ascending bool) {
	if ascending {
		s.window.hi = e
		s.window.hi.seq--
	} else {
		s.window.lo = e
		s.window.lo.seq++
	}
}
