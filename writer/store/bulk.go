package store

import (
	"encoding/binary"

	"rhea/proto/relaypb"
)

// IDLen is the length of an item of ScanResult.IDs: created_at, 8 bytes big endian,
// and the id.
const IDLen = 8 + 32

// maxBulk is how many candidates a query for ids or a count reads at once. More of
// them lie closer together in the log; fewer are less to wait for on a cold disk.
const maxBulk = 512

// bulk is how many candidates to read, where a batch of a size is due, for ids or a
// count. They end their slices between batches, so that they get by without a
// position within a tie.
func (q *query) bulk(size int) int {
	if q.req.MaxRows > 0 {
		size = min(size, q.req.MaxRows)
	}
	if q.req.Want == relaypb.Want_IDS {
		size = min(size, (q.req.MaxBytes-len(q.res.IDs))/IDLen)
	}
	return max(size, 1)
}

// current returns the candidates of a batch that are in the query's snapshot, and
// moves the position behind all of them.
func (q *query) current(batch []candidate) []candidate {
	q.rows += len(batch)
	q.cur.started, q.cur.pos = true, endOf(batch[len(batch)-1].suffix)
	n := 0
	for i := range batch {
		if batch[i].seq <= q.req.AsOf {
			batch[n] = batch[i]
			n++
		}
	}
	return batch[:n]
}

// judge takes from the log whether a candidate is to be found; if not, no filter is
// left of those that led to it.
func (q *query) judge(c *candidate, v logValue) error {
	c.id, c.expires = v.header.ID(), v.header.Expiration()
	for _, filter := range c.filters {
		if q.matches(filter, v.header) {
			if !q.visible(v.header) {
				break
			}
			if q.res.Registers != nil {
				q.res.Registers.Add(v.header.PubKey(), q.req.HLLOffset)
			}
			return nil
		}
	}
	c.filters = nil
	return nil
}

// ids returns the ids of a batch, and reports whether there is room for more.
//
// The ids are read with the events, which costs unpacking these: 4 to 6 us each, or
// 1 where the cache holds them. Rejected: to complete the 8 bytes that an index has
// from the id keyspace. Each of its entries lies in a block of its own, and in a
// store that is larger than the cache these are more to read than events, which lie
// in the log nearly in the order in which they are wanted.
func (q *query) ids(batch []candidate) (room bool, err error) {
	batch = q.current(batch)
	if err := q.fetch.fetch(batch, q.judge); err != nil {
		return false, err
	}
	orderTies(batch, q.req.Ascending)
	for i := range batch {
		if c := &batch[i]; len(c.filters) > 0 {
			if c.expires != 0 {
				q.res.Expiring = binary.BigEndian.AppendUint32(q.res.Expiring, uint32(len(q.res.IDs)/IDLen))
				q.res.Expiring = binary.BigEndian.AppendUint64(q.res.Expiring, uint64(c.expires))
			}
			q.res.IDs = binary.BigEndian.AppendUint64(q.res.IDs, uint64(c.createdAt()))
			q.res.IDs = append(q.res.IDs, c.id[:]...)
		}
	}
	return len(q.res.IDs)+IDLen <= q.req.MaxBytes, nil
}
