package store

import (
	"slices"

	"rhea/proto/nostr"
)

// candidate is an event that a filter may match.
type candidate struct {
	suffix
	filters []int // those that led to it and, once it is read, match it
	id      nostr.EventID
	expires int64 // Unix seconds, 0 if it does not; only where ids are wanted
	json    []byte
}

// merger merges sources into one sequence of candidates, in the order of the
// query but for ties, each once.
type merger struct {
	reader  reader
	heap    []*source // by head; a binary heap
	open    func(filter int) bool
	batch   []candidate
	filters []int // backs candidate.filters
}

// start fills the sources that cannot wait, and makes the heap.
func (m *merger) start(sources []source) error {
	for i := range sources {
		s := &sources[i]
		if len(s.buf) == 0 && (s.at == suffix{}) {
			if ok, err := m.reader.fill(s); err != nil {
				return err
			} else if !ok {
				continue
			}
		}
		m.heap = append(m.heap, s)
	}
	for i := len(m.heap)/2 - 1; i >= 0; i-- {
		m.down(i)
	}
	return nil
}

// gather returns the next n candidates, fewer at the end, and more where the last ones
// are tied: a tie is never split. The result is valid until the next call.
func (m *merger) gather(n int) ([]candidate, error) {
	// Sized up front, because candidates alias it.
	m.batch, m.filters = m.batch[:0], m.filters[:0]
	for len(m.heap) > 0 {
		top := m.heap[0]
		if !m.open(top.filter) {
			m.drop()
			continue
		}
		if !top.begun {
			if ok, err := m.reader.fill(top); err != nil {
				return nil, err
			} else if !ok {
				m.drop()
			} else {
				m.down(0)
			}
			continue
		}
		e := top.head()
		last := len(m.batch) - 1
		switch {
		case last >= 0 && m.batch[last].suffix == e:
			c := &m.batch[last]
			if !slices.Contains(c.filters, top.filter) {
				m.filters = append(m.filters, top.filter)
				// The filters of the last candidate are the last of all.
				c.filters = m.filters[len(m.filters)-len(c.filters)-1:]
			}
		case last+1 >= n && !m.batch[last].tied(e):
			return m.batch, nil
		default:
			m.filters = append(m.filters, top.filter)
			m.batch = append(m.batch, candidate{suffix: e, filters: m.filters[len(m.filters)-1:]})
		}
		if err := m.advance(top); err != nil {
			return nil, err
		}
	}
	return m.batch, nil
}

// advance moves the source at the top to its next entry.
func (m *merger) advance(top *source) error {
	top.next++
	if top.next == len(top.buf) {
		if ok, err := m.reader.fill(top); err != nil {
			return err
		} else if !ok {
			m.drop()
			return nil
		}
	}
	m.down(0)
	return nil
}

// drop takes the top off the heap.
func (m *merger) drop() {
	last := len(m.heap) - 1
	m.heap[0] = m.heap[last]
	m.heap[last] = nil
	m.heap = m.heap[:last]
	m.down(0)
}

func (m *merger) down(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(m.heap); child++ {
			if m.before(m.heap[child].head(), m.heap[least].head()) {
				least = child
			}
		}
		if least == i {
			return
		}
		m.heap[i], m.heap[least] = m.heap[least], m.heap[i]
		i = least
	}
}

func (m *merger) before(a, b suffix) bool {
	if m.reader.ascending {
		a, b = b, a
	}
	return a.compare(b) < 0
}
