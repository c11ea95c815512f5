package store

import (
	"slices"

	"rhea/proto/nostr"
	"rhea/proto/relaypb"
)

// maxBatch is how many candidates are read at once.
const maxBatch = 64

// When the limits are used up, a slice looks at this many candidates for one that
// is missing, or at as many as it has returned events from, but no more than
// maxLook. It ends the query even if it does not know then.
const (
	minLook = 16
	maxLook = 1000
)

// events returns what of a batch is to be returned, and reports whether the slice
// has room for more.
func (q *query) events(batch []candidate) (room bool, err error) {
	if err := q.fetch.fetch(batch, q.read); err != nil {
		return false, err
	}
	orderTies(batch, q.req.Ascending)
	return q.emit(batch), nil
}

// read takes from the log what is needed of a candidate.
func (q *query) read(c *candidate, v logValue) (err error) {
	c.id = v.header.ID()
	asked, wanted := false, false
	matched := c.filters[:0]
	for _, filter := range c.filters {
		yields := q.cur.quotas[filter].yields()
		asked = asked || yields
		if q.matches(filter, v.header) {
			matched = append(matched, filter)
			wanted = wanted || yields
		}
	}
	if !asked {
		q.looked++
	}
	if len(matched) > 0 && !q.visible(v.header) {
		matched, wanted = nil, false
	}
	if c.filters = matched; wanted {
		c.json, err = q.fetch.keep(c, v)
	}
	return err
}

func (q *query) matches(filter int, h nostr.Header) bool {
	return q.exact[filter] || q.req.Filters[filter].Match(h)
}

// orderTies brings tied candidates into the order of their full ids.
func orderTies(batch []candidate, ascending bool) {
	for from := 0; from < len(batch); {
		to := from + 1
		for to < len(batch) && batch[to].tied(batch[from].suffix) {
			to++
		}
		if to-from > 1 {
			slices.SortFunc(batch[from:to], func(a, b candidate) int {
				if ascending {
					a, b = b, a
				}
				return a.id.Compare(b.id)
			})
		}
		from = to
	}
}

// emit deals with the candidates of a batch in order, until an event has no room.
func (q *query) emit(batch []candidate) (room bool) {
	for i := range batch {
		c := &batch[i]
		if q.passed(c) {
			continue
		}
		q.rows++
		if c.createdAt() != q.cur.pos.createdAt {
			q.cur.nextSecond()
		}
		if len(c.filters) > 0 && c.seq <= q.req.AsOf {
			switch {
			case !slices.ContainsFunc(c.filters, func(filter int) bool { return q.cur.quotas[filter].yields() }):
				q.miss(c)
			case len(q.res.Events) > 0 && q.bytes+len(c.json) > q.req.MaxBytes:
				return false
			default:
				q.add(c)
			}
		}
		q.cur.started, q.cur.pos = true, position{c.createdAt(), c.id}
	}
	return true
}

// add returns an event.
func (q *query) add(c *candidate) {
	q.bytes += len(c.json)
	q.res.Events = append(q.res.Events, c.json)
	for _, filter := range c.filters {
		ties := 0
		if slices.Contains(q.req.Capped, filter) {
			ties = q.req.Filters[filter].Limit
		}
		q.cur.take(filter, ties)
	}
}

// miss notes an event that is beyond the limit of each filter that it matches.
func (q *query) miss(c *candidate) {
	for _, filter := range c.filters {
		if q.cur.quotas[filter].phase == looking {
			q.cur.missing()
			return
		}
	}
}

// passed reports whether the query is beyond a candidate already, which can only
// be one that is tied with its position.
func (q *query) passed(c *candidate) bool {
	p := &q.cur.pos
	if !q.cur.started || c.createdAt() != p.createdAt {
		return false
	}
	if q.req.Ascending {
		return c.id.Compare(p.id) >= 0
	}
	return c.id.Compare(p.id) <= 0
}

// firstBatch is how many candidates to read at first: nobody reads 64 events to
// return one.
func (q *query) firstBatch() int {
	if q.req.Want != relaypb.Want_EVENTS {
		return maxBatch
	}
	return min(q.cur.wanted()+1, maxBatch)
}

// nextBatch is how many candidates to read after a batch of a size.
func (q *query) nextBatch(size int) int {
	switch {
	case q.req.Want != relaypb.Want_EVENTS:
		return maxBulk
	case !q.cur.yields():
		return minLook
	}
	return min(2*size, maxBatch)
}

// batch is how many candidates to read now, where a batch of a size is due: filters that
// nearly all candidates match need no more than they may yield, and one to tell whether that is all.
func (q *query) batch(size int) int {
	switch {
	case q.req.Want != relaypb.Want_EVENTS:
		return q.bulk(size)
	case slices.Contains(q.near, false):
		return size
	}
	return min(size, q.cur.wanted()+1)
}
