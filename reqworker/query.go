package reqworker

import (
	"container/list"
	"time"

	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// query is a REQ that is being answered.
type query struct {
	conn  subject.ConnID
	num   uint64
	shard subject.Shard

	filters []byte // as they go to the store: limits clamped, those that find nothing left out
	bare    bool   // no filter finds anything: only the Seq is wanted
	cursor  []byte
	asOf    uint64

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
		cursor: m.Cursor, asOf: m.AsOf, began: c.now,
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
	switch {
	case c.perConn[q.conn] >= c.cfg.MaxQueriesPerConn:
		c.refuse(q, nostr.RateLimited.Text("too many queries of this connection are running"))
		return
	case len(c.queries) >= c.cfg.MaxQueries:
		c.refuse(q, nostr.Failed.Text("busy: too many queries are running"))
		return
	}
	q.filters, q.bare = c.plan(filters)
	if c.filterBytes+len(q.filters) > int(c.cfg.MaxFilterBytes) {
		c.refuse(q, nostr.Failed.Text("busy: too many queries are running"))
		return
	}
	c.queries[q.key()] = q
	c.perConn[q.conn]++
	c.filterBytes += len(q.filters)
	c.count[q.state]++
	c.schedule(q)
}

// plan writes the filters for the store. Those that can find nothing are left
// out; what is left keeps its order, which the cursor relies on.
func (c *core) plan(filters []nostr.Filter) (text []byte, bare bool) {
	c.scratch = c.scratch[:0]
	for i := range filters {
		f := &filters[i]
		switch {
		case f.Limit == nostr.NoLimit:
			f.Limit = c.defaultLimit
		case f.Limit > c.maxLimit:
			f.Limit = c.maxLimit
		}
		if f.Limit == 0 || f.Impossible() {
			continue
		}
		if len(c.scratch) > 0 {
			c.scratch = append(c.scratch, ',')
		}
		c.scratch = f.AppendJSON(c.scratch)
	}
	if len(c.scratch) == 0 {
		return []byte(`{"limit":0}`), true
	}
	return append(make([]byte, 0, len(c.scratch)), c.scratch...), false
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

// scan returns the request for the next slice.
func (q *query) scan(sliceBytes int) *relaypb.Scan {
	most := uint64(sliceBytes)
	if left := q.granted - q.sent; !q.bare && left < most {
		most = left
	}
	return &relaypb.Scan{Filters: q.filters, Cursor: q.cursor, AsOf: q.asOf, MaxBytes: uint32(most)}
}

// hasCredit says whether another slice may be sent.
func (q *query) hasCredit() bool { return q.bare || q.sent < q.granted }
