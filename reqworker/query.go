package reqworker

import (
	"container/list"
	"time"

	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// query is a REQ or a COUNT that is being answered.
type query struct {
	conn  subject.ConnID
	num   uint64
	shard subject.Shard

	plan
	keys   [][]byte // of the reader
	tally  *tally   // of a COUNT, else nil
	cursor []byte
	asOf   uint64

	granted, sent uint64 // bytes of events
	index         uint32 // of the next Part

	state   state
	since   time.Time     // in that state
	place   *list.Element // of a ready one
	wake    time.Time     // of a resting one
	attempt int           // slices that brought nothing in a row
	errors  int           // of them, errors of the store
	began   time.Time
}

type state uint8

const (
	ready   state = iota // in core.line
	reading              // a slice is asked for
	paused               // until there is credit
	resting              // in core.resting, until wake
	ended                // forgotten; a slice may still be under way
	states
)

// key identifies a query: numbers are unique in a gateway's life.
type key struct {
	gateway subject.Instance
	num     uint64
}

func (q *query) key() key { return key{q.conn.Gateway(), q.num} }

// query begins a query, or refuses it. A number that is known already is one that
// the bus has brought twice.
func (c *core) query(m *relaypb.Query) {
	q := &query{
		conn: subject.ConnID(m.Conn), num: m.Num, granted: m.Granted,
		keys: m.Keys, cursor: m.Cursor, asOf: m.AsOf, began: c.now,
	}
	if c.queries[q.key()] != nil {
		return
	}
	q.shard = c.shardOf(q.conn)
	c.metrics.received.Inc()
	filters, err := nostr.ParseFilters(m.Filters, c.limits)
	if err != nil {
		c.refuse(q, nostr.Invalid.Text(err.Error()))
		return
	}
	access := c.policy.Access(nostr.ParseKeys(m.Keys))
	if prefix, why := access.Judge(filters); prefix != "" {
		c.refuse(q, prefix.Text(why))
		return
	}
	switch {
	case c.perConn[q.conn] >= c.cfg.MaxQueriesPerConn:
		c.refuse(q, nostr.RateLimited.Text("too many queries of this connection are running"))
		return
	case len(c.queries) >= c.cfg.MaxQueries:
		c.refuse(q, nostr.Failed.Text("busy: too many queries are running"))
		return
	}
	if m.Count {
		q.tally = newTally(filters)
		q.granted, q.cursor, q.asOf = 0, nil, 0
	}
	if q.plan = c.plan(filters, m.Count); q.bare && m.Count {
		c.counted(q)
		return
	}
	if c.filterBytes+q.size() > int(c.cfg.MaxFilterBytes) {
		c.refuse(q, nostr.Failed.Text("busy: too many queries are running"))
		return
	}
	c.queries[q.key()] = q
	c.perConn[q.conn]++
	c.filterBytes += q.size()
	c.count[q.state]++
	c.schedule(q)
}

func (c *core) credit(m *relaypb.Credit) {
	q := c.queries[key{subject.ConnID(m.Conn).Gateway(), m.Num}]
	switch {
	case q == nil:
	case m.Worker != uint32(c.self):
		c.drop(q) // its gateway keeps to another worker
	case m.Granted > q.granted:
		q.granted = m.Granted
		if q.state == paused {
			c.schedule(q)
		}
	}
}

func (c *core) stop(m *relaypb.Stop) {
	if q := c.queries[key{subject.ConnID(m.Conn).Gateway(), m.Num}]; q != nil {
		c.drop(q)
	}
}

// scan returns the request for the next slice. Whoever serves the store sends the
// events straight to the gateway, if there may be any, in the name of this worker.
func (q *query) scan(self subject.Instance, sliceBytes int) *relaypb.Scan {
	scan := &relaypb.Scan{
		Filters: q.filters, Cursor: q.cursor, AsOf: q.asOf,
		MaxBytes: uint32(sliceBytes), Keys: q.keys, Capped: q.capped,
	}
	switch {
	case q.tally != nil:
		scan.Want, scan.HllOffset = relaypb.Want_COUNT, uint32(q.tally.offset)
	case q.direct():
		scan.MaxBytes = uint32(min(q.granted-q.sent, uint64(sliceBytes)))
		scan.Direct = &relaypb.Direct{
			Gateway: uint32(q.conn.Gateway()), Num: q.num, Worker: uint32(self), Index: q.index, ById: q.byID, Blind: q.blind,
		}
	}
	return scan
}

// direct says whether the slices of a query go straight to its gateway.
func (q *query) direct() bool { return q.tally == nil && !q.bare }

// hasCredit says whether another slice may be read: what brings no events needs
// none.
func (q *query) hasCredit() bool { return q.bare || q.tally != nil || q.sent < q.granted }

// size is the memory of what the client has determined the size of.
func (q *query) size() int { return len(q.filters) + len(q.keys)*len(nostr.PubKey{}) }
