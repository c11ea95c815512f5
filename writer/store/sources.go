package store

import (
	"encoding/binary"
	"errors"
	"slices"

	"rhea/proto/nostr"
	"rhea/proto/relaypb"
)

// sources makes the sources of every filter that can still yield something.
func (q *query) sources() (_ []source, err error) {
	var sources []source
	q.exact, q.near = slices.Repeat([]bool{true}, len(q.req.Filters)), slices.Repeat([]bool{true}, len(q.req.Filters))
	var prefixes []byte
	for i := range q.req.Filters {
		f := &q.req.Filters[i]
		w := windowOf(f)
		if q.cur.started {
			w = w.after(q.cur.pos, q.req.Ascending, q.req.Want == relaypb.Want_EVENTS)
		}
		if q.cur.quotas[i].phase == ended || f.Impossible() || w.empty() {
			continue
		}
		a := choose(f, q.cur.quotas[i].toRead())
		sieve := sieveOf(f, a)
		q.exact[i], q.near[i] = a.exact, a.exact || sieve.decides(f)
		if a.index == spaceID {
			found, err := q.find(f.IDs, w)
			if err != nil {
				return nil, err
			}
			if len(found) > 0 {
				sources = append(sources, source{filter: i, buf: found, dry: true, begun: true})
			}
			continue
		}
		lazy := q.awaits(a)
		add := func(filter int, prefix []byte) {
			from := len(prefixes)
			prefixes = append(prefixes, prefix...)
			s := source{filter: filter, prefix: prefixes[from:len(prefixes):len(prefixes)], window: w, ahead: minAhead, sieve: sieve}
			if lazy && !q.await(&s, !f.HasUntil && !q.cur.started) {
				return
			}
			sources = append(sources, s)
		}
		a.eachPrefix(f, func(prefix []byte) { add(i, prefix) })
		if q.req.Want == relaypb.Want_COUNT {
			if err := q.countBlindly(i, a, func(prefix []byte) { add(q.suspect(), prefix) }); err != nil {
				return nil, err
			}
		}
	}
	if slices.ContainsFunc(sources, func(s source) bool { return !s.dry }) {
		err = q.openReader(sources)
	}
	return sources, err
}

// minAwait is from how many values on those are looked up last that may have nothing
// new.
const minAwait = 8

// awaits reports whether the sources of an access may be awaited.
func (q *query) awaits(a access) bool {
	return (a.index == spaceAuthor || a.index == spaceAuthorKind) && a.values >= minAwait &&
		q.req.Want == relaypb.Want_EVENTS && !q.req.Ascending
}

// await leaves a source for the time at which its newest event is dated, if that is
// known; if it is not, reading the source tells it, if that begins at the newest. It
// reports whether there is anything in the source's window.
func (q *query) await(s *source, fromNewest bool) bool {
	hash := q.v.s.newest.hash(s.prefix)
	if fromNewest {
		s.hash = hash
	}
	at, known := q.v.s.newest.bound(hash, q.v.seq)
	if !known {
		return true
	}
	if at < s.window.hi.createdAt() {
		return false
	}
	s.at = s.window.lo
	if bound := (suffix{inv: invert(at)}); bound.compare(s.at) > 0 {
		s.at = bound
	}
	return true
}

// openReader prepares what the sources share.
func (q *query) openReader(sources []source) (err error) {
	if len(sources) == 1 {
		sources[0].ahead = min(q.firstBatch(), maxAhead)
	}
	// Room for the first read of each source, in one piece.
	room := make([]suffix, len(sources)*minAhead)
	for i := range sources {
		if s := &sources[i]; !s.dry {
			s.buf = room[i*minAhead : i*minAhead : (i+1)*minAhead]
		}
	}
	if q.merge.reader.it == nil {
		q.merge.reader.it, err = q.v.snap.NewIter(nil)
	}
	return err
}

// manyIDs is from how many ids on an iterator pays, which goes through them in their
// order: of 10,000 ids each takes a third of what it takes to look one up.
const manyIDs = 16

// find looks events up by id. The result is in the order of the query.
func (q *query) find(ids []nostr.EventID, w window) (found []suffix, err error) {
	place := q.v.place
	if len(ids) >= manyIDs {
		places, failed := newPlaces(q.v.snap)
		if failed != nil {
			return nil, failed
		}
		defer func() { err = errors.Join(err, places.it.Close()) }()
		place = places.next
	}
	for _, id := range ids {
		p, err := place(id)
		if err != nil {
			return nil, err
		}
		s := suffix{invert(p.createdAt), binary.BigEndian.Uint64(id[:8]), p.seq}
		if p.seq != 0 && s.compare(w.lo) >= 0 && s.compare(w.hi) <= 0 {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, suffix.compare)
	if q.req.Ascending {
		slices.Reverse(found)
	}
	return found, nil
}
