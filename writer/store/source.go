package store

import (
	"bytes"

	"github.com/cockroachdb/pebble/v2"
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
	next   int  // index in buf
	ahead  int  // how many entries to read the next time
	dry    bool // nothing is left to read
}

// Read-ahead begins small where there are many sources, of which most will
// contribute little, and doubles each time a source runs empty.
const (
	minAhead = 4
	maxAhead = 128
)

// head returns the entry that comes next.
func (s *source) head() suffix { return s.buf[s.next] }

// reader owns the iterator over the indexes.
type reader struct {
	it        *pebble.Iterator
	ascending bool
	at        *source // whose next entry the iterator stands on
	key       []byte
}

// fill reads ahead for a source that has yielded all it had. It reports whether
// there is something.
func (r *reader) fill(s *source) (bool, error) {
	s.buf, s.next = s.buf[:0], 0
	if s.dry {
		return false, nil
	}
	valid := r.it.Valid()
	if r.at != s {
		valid = r.seek(s)
	}
	r.at = s
	for len(s.buf) < s.ahead {
		entry, ok := suffix{}, false
		if valid && bytes.HasPrefix(r.it.Key(), s.prefix) && len(r.it.Key()) == len(s.prefix)+suffixLen {
			entry, _ = parseSuffix(r.it.Key())
			ok = entry.compare(s.window.lo) >= 0 && entry.compare(s.window.hi) <= 0
		}
		if !ok {
			s.dry, r.at = true, nil
			break
		}
		s.buf = append(s.buf, entry)
		valid = r.step()
	}
	if n := len(s.buf); n > 0 {
		s.pass(s.buf[n-1], r.ascending)
	}
	s.ahead = min(2*s.ahead, maxAhead)
	return len(s.buf) > 0, r.it.Error()
}

func (r *reader) seek(s *source) bool {
	if r.ascending {
		r.key = s.window.hi.appendTo(append(r.key[:0], s.prefix...))
		// The bound is inclusive and SeekLT is not.
		return r.it.SeekLT(append(r.key, 0))
	}
	r.key = s.window.lo.appendTo(append(r.key[:0], s.prefix...))
	return r.it.SeekGE(r.key)
}

func (r *reader) step() bool {
	if r.ascending {
		return r.it.Prev()
	}
	return r.it.Next()
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
