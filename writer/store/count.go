package store

import (
	"encoding/binary"
	"errors"
	"slices"

	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// maxExpired is how many events may have expired, and be stored still, before a
// count looks at every event rather than remember them.
const maxExpired = 1000

// counter is what a count knows of events that it does not read. An entry of an
// index is an event that counts, unread, if it is certain that a filter matches,
// nobody wants its pubkey for registers, and it is certain that the reader may see
// it: it has not expired, is not hidden, and is not of a private kind. That costs a
// twentieth of reading it.
type counter struct {
	reads   bool      // no event counts unread
	blind   []bool    // by filter: its matches count unread, unless suspected
	probes  []*prober // by filter: tells which of its entries match; or nil
	probing int       // how many probers there are
	expired map[subject.Seq]struct{}
}

// suspect is what stands for a filter where entries lead to what may be private.
func (q *query) suspect() int { return len(q.req.Filters) }

// openCount prepares a count.
func (q *query) openCount() error {
	if q.req.Want != relaypb.Want_COUNT {
		return nil
	}
	q.count.blind = make([]bool, len(q.req.Filters))
	q.count.probes = make([]*prober, len(q.req.Filters))
	if q.req.HLLOffset != 0 {
		q.res.Registers = new(nostr.Registers)
		q.count.reads = true
	}
	if q.v.hides() {
		q.count.reads = true
	}
	if q.count.reads || q.req.Everything {
		return nil
	}
	return q.findExpired()
}

// findExpired finds what has expired and has not been removed yet.
func (q *query) findExpired() error {
	it, err := q.v.snap.NewIter(within(spaceExpiration))
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		b := it.Key()[1:]
		if len(b) != 16 || int64(binary.BigEndian.Uint64(b)) > q.req.Now {
			break
		}
		if len(q.count.expired) == maxExpired {
			q.count.reads = true
			break
		}
		if q.count.expired == nil {
			q.count.expired = make(map[subject.Seq]struct{})
		}
		q.count.expired[subject.Seq(binary.BigEndian.Uint64(b[8:]))] = struct{}{}
	}
	return errors.Join(it.Error(), it.Close())
}

// countBlindly decides what of a filter's entries need not be read. Where it must
// be told which of them are private, it yields what the keys of those begin with,
// which are never more than those of the access itself.
func (q *query) countBlindly(filter int, a access, suspects func(prefix []byte)) (err error) {
	f := &q.req.Filters[filter]
	if canProbe(f, a) && q.count.probing < maxProbing {
		if q.count.probes[filter], err = newProber(q.v.snap, f.Kinds); err != nil {
			return err
		}
		q.count.probing++
	} else if !a.exact {
		return nil
	}
	if q.count.reads {
		return nil
	}
	switch private := q.req.Access.Private; {
	case q.req.Everything || len(private) == 0:
	case f.Kinds != nil:
		if slices.ContainsFunc(f.Kinds, q.req.Access.IsPrivate) {
			return nil
		}
	case a.index == spaceAll:
		access{index: spaceKind}.eachPrefix(&nostr.Filter{Kinds: private}, suspects)
	case a.index == spaceAuthor && len(f.Authors)*len(private) <= maxPairs:
		access{index: spaceAuthorKind}.eachPrefix(&nostr.Filter{Authors: f.Authors, Kinds: private}, suspects)
	default:
		return nil
	}
	q.count.blind[filter] = true
	return nil
}

// counts counts a batch.
func (q *query) counts(batch []candidate) (room bool, err error) {
	batch = q.current(batch)
	unread := batch[:0]
	for i := range batch {
		counts, sure, err := q.countUnread(&batch[i])
		switch {
		case err != nil:
			return false, err
		case !sure:
			unread = append(unread, batch[i])
		case counts:
			q.res.Count++
		}
	}
	if len(unread) == 0 {
		return true, nil
	}
	if err := q.fetch.fetch(unread, q.judge); err != nil {
		return false, err
	}
	for i := range unread {
		if len(unread[i].filters) > 0 {
			q.res.Count++
		}
	}
	return true, nil
}

// countUnread reports whether a candidate counts, if that is sure without reading
// its event. It drops the filters that cannot match.
func (q *query) countUnread(c *candidate) (counts, sure bool, err error) {
	suspected := false
	matched := c.filters[:0]
	for _, filter := range c.filters {
		if filter == q.suspect() {
			suspected = true
			continue
		}
		if p := q.count.probes[filter]; p != nil {
			if is, err := p.has(c.suffix); err != nil {
				return false, false, err
			} else if !is {
				continue
			}
		}
		counts = counts || q.count.blind[filter]
		matched = append(matched, filter)
	}
	if c.filters = matched; len(matched) == 0 {
		return false, true, nil
	}
	if _, gone := q.count.expired[c.seq]; gone {
		return false, true, nil
	}
	return counts, counts && !suspected, nil
}

func (q *query) closeCount() (err error) {
	for _, p := range q.count.probes {
		if p != nil {
			err = errors.Join(err, p.close())
		}
	}
	return err
}
