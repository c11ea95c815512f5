package negentropy

import (
	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// mirror is the tree of all public events that are stored and have not expired:
// what {} finds for everybody. It is scanned once and then follows the log.
type mirror struct {
	access  nostr.Access // of a stranger
	max     int          // events
	metrics *metrics

	state    mirrorState
	tree     *tree // nil unless following
	expiries expiries
	position subject.Seq
}

type mirrorState uint8

const (
	loading mirrorState = iota
	following
	givenUp // there are more events than it may hold
)

// news is what the loader has for the mirror: a tree with the first entries that
// follow it, more entries, or neither, when what it was told is void.
type news struct {
	tree     *tree
	expiring []expiry
	entries  *relaypb.Entries
	tooMany  bool // events, for the mirror
}

// take takes news in. Now is in Unix seconds.
func (m *mirror) take(n news, now int64) {
	switch {
	case m.state == givenUp:
	case n.tooMany:
		m.void(givenUp)
	case n.entries == nil:
		m.void(loading)
	default:
		if n.tree != nil {
			m.void(following)
			m.tree = n.tree
			for _, x := range n.expiring {
				m.expiries.add(x, m.tree)
			}
		}
		m.apply(n.entries, now)
		if m.tree.Len() > m.max {
			m.void(givenUp)
		}
	}
}

func (m *mirror) void(s mirrorState) { m.state, m.tree, m.expiries = s, nil, expiries{} }

// apply does what entries of the log say. That the scan may have seen some of it
// makes no difference.
func (m *mirror) apply(e *relaypb.Entries, now int64) {
	for _, entry := range e.Entries {
		for _, r := range entry.Removed {
			if len(r.Id) == len(nostr.EventID{}) {
				m.tree.remove(item{CreatedAt: r.CreatedAt, ID: nostr.EventID(r.Id)})
			}
		}
		if len(entry.Header) == 0 {
			continue
		}
		h, err := nostr.CheckHeader(entry.Header)
		if err != nil {
			m.metrics.garbage.Inc()
			continue
		}
		if h.Kind().IsEphemeral() || m.access.IsPrivate(h.Kind()) || h.Expired(now) {
			continue
		}
		x := item{CreatedAt: h.CreatedAt(), ID: h.ID()}
		if m.tree.insert(x) && h.Expiration() != 0 {
			m.expiries.add(expiry{h.Expiration(), x}, m.tree)
		}
	}
	m.position = subject.Seq(e.Next) - 1
}

// expire removes what has expired.
func (m *mirror) expire(now int64) {
	if m.tree == nil {
		return
	}
	for x, ok := m.expiries.next(now); ok; x, ok = m.expiries.next(now) {
		m.tree.remove(x)
	}
}

// snapshot is the tree as it is now.
func (m *mirror) snapshot(now int64) *tree {
	m.expire(now)
	return m.tree.snapshot()
}
