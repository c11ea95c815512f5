package replay

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// query is what is known of a REQ or COUNT: in the replay, and in the recording.
type query struct {
	ask    *relaypb.Query
	where  place
	halted time.Time // when it was stopped, in the recording; another number may go on with it

	worker            uint32
	next              uint32
	granted, received uint64
	cursor            []byte
	asOf              uint64

	workerThen uint32
	nextThen   uint32
	cursorThen []byte
	asOfThen   uint64
}

// place is where a subscription is: a connection has few with the same filters.
type place struct {
	conn    uint64
	filters item
}

// grant is how many bytes of events a query may send beyond what it has sent.
const grant = 256 << 10

// haltedKept is how long a query that was stopped may go on under another number.
const haltedKept = 5 * time.Second

// askQuery asks a query again. A number that goes on with one that was asked before
// is the same question.
func (c *core) askQuery(m *relaypb.Query) {
	k := keyOf(m.Conn, m.Num)
	if c.asked[k] != nil {
		return
	}
	where := place{m.Conn, digest(m.Filters)}
	if c.under == "" && !m.Count && (len(m.Cursor) > 0 || m.AsOf != 0) {
		c.goOn(k, where, m)
		return
	}
	kind := askedQuery
	if m.Count {
		kind = askedCount
	}
	q := c.begin(kind, m.Conn, m.Num, m.Filters)
	q.raced = len(c.flying) > 0
	c.pair(q, where.filters)
	q.query = &query{ask: m, where: where, granted: grant, cursor: m.Cursor, asOf: m.AsOf}
	if c.under != "" {
		q.query.granted = m.Granted
	}
	if !m.Count {
		c.running[where] = append(c.running[where], q)
	}
	c.sendQuery(q)
}

// twins is how close two queries are that may be given each other's replies.
const twins = time.Second

// pair notes that two queries make equal requests at about the same time. A reqworker
// that is alone then gets the recorded replies in the order in which it asks, which
// need not be the recorded one.
func (c *core) pair(q *question, filters item) {
	if c.under != subject.Reqworker {
		return
	}
	if other := c.latest[filters]; other != nil && c.at.Sub(other.asked) < twins {
		q.twin, other.twin = true, true
	}
	if len(c.latest) > maxRemoved {
		clear(c.latest)
	}
	c.latest[filters] = q
}

func (c *core) sendQuery(q *question) {
	m := q.query.ask
	conn := c.connOf(m.Conn)
	c.send(c.space.Req(c.shardOf(conn)), &relaypb.ReqInbox{Body: &relaypb.ReqInbox_Query{Query: &relaypb.Query{
		Conn: conn, Num: q.mine, Filters: m.Filters, Granted: q.query.granted,
		Cursor: q.query.cursor, AsOf: q.query.asOf, Keys: m.Keys, Count: m.Count,
	}}})
}

// goOn takes a query as the continuation of one that was asked under another number.
func (c *core) goOn(k key, where place, m *relaypb.Query) {
	i := slices.IndexFunc(c.running[where], func(q *question) bool { return bytes.Equal(q.query.cursorThen, m.Cursor) })
	if i < 0 {
		c.result.Foreign++ // it began before the recording
		return
	}
	q := c.running[where][i]
	delete(c.asked, q.key)
	q.key = k
	c.asked[k] = q
	q.query.workerThen, q.query.nextThen = 0, 0
	if q.query.halted.IsZero() {
		return
	}
	q.query.halted = time.Time{}
	if !q.replayed.over {
		c.number(q)
		q.query.worker, q.query.next, q.query.granted, q.query.received = 0, 0, grant, 0
		c.sendQuery(q)
	}
	c.weigh(q)
}

// askCredit passes credit on to a reqworker that is alone, whose slices are then those
// of the recording. A whole relay gets credit as it sends.
func (c *core) askCredit(m *relaypb.Credit) {
	q := c.asked[keyOf(m.Conn, m.Num)]
	if c.under == "" || q == nil || q.replayed.over {
		return
	}
	q.query.granted = m.Granted
	c.credit(q)
}

func (c *core) credit(q *question) {
	conn := c.connOf(uint64(q.conn))
	c.send(c.space.Req(c.shardOf(conn)), &relaypb.ReqInbox{Body: &relaypb.ReqInbox_Credit{
		Credit: &relaypb.Credit{Conn: conn, Num: q.mine, Worker: q.query.worker, Granted: q.query.granted},
	}})
}

// askStop ends a query, unless it goes on under another number.
func (c *core) askStop(m *relaypb.Stop) {
	q := c.asked[keyOf(m.Conn, m.Num)]
	if q == nil || q.query == nil {
		return
	}
	if c.under != "" || q.kind == askedCount {
		c.abandon(q)
		return
	}
	q.query.halted = c.at
	c.halted = append(c.halted, q)
	delete(c.owed, q)
	if !q.replayed.over {
		c.sendStop(q)
		delete(c.mine, q.mine)
		c.number(q) // what still comes is for nobody
	}
}

func (c *core) sendStop(q *question) {
	conn := c.connOf(uint64(q.conn))
	c.send(c.space.Req(c.shardOf(conn)), &relaypb.ReqInbox{Body: &relaypb.ReqInbox_Stop{Stop: &relaypb.Stop{Conn: conn, Num: q.mine}}})
}

// settleHalted ends the queries that were stopped before a time of the recording, all
// of them if it is zero.
func (c *core) settleHalted(before time.Time) {
	for len(c.halted) > 0 {
		q := c.halted[0]
		if !before.IsZero() && q.query.halted.After(before) {
			return
		}
		c.halted = c.halted[1:]
		if !q.query.halted.IsZero() { // else it goes on
			q.recorded.close(stopped)
			q.replayed.close(stopped)
			c.forgetQuery(q)
			c.weigh(q)
		}
	}
	c.halted = nil
}

func (c *core) forgetQuery(q *question) {
	where := q.query.where
	c.running[where] = slices.DeleteFunc(c.running[where], func(x *question) bool { return x == q })
	if len(c.running[where]) == 0 {
		delete(c.running, where)
	}
}

// partThen takes in a recorded part as its gateway did: from the first worker that
// answers, and without holes.
func (c *core) partThen(gateway subject.Instance, p *relaypb.Part) {
	q := c.recorded(gateway, p.Num)
	if q == nil || q.query == nil || q.recorded.over || q.kind == askedCount {
		return
	}
	x := q.query
	if x.workerThen == 0 {
		x.workerThen = p.Worker
	}
	if x.workerThen != p.Worker || p.Index != x.nextThen || !x.halted.IsZero() {
		return
	}
	x.nextThen++
	x.cursorThen, x.asOfThen = p.Cursor, p.AsOf
	if q.first.IsZero() {
		q.first = c.at
		q.raced = q.raced || c.moves != q.events
	}
	for _, json := range p.Events {
		id := idOf(json)
		q.recorded.items = append(q.recorded.items, id)
		c.before = c.before || c.under == "" && !c.lives.knows(id)
	}
	if p.Eose {
		q.recorded.close(eoseEnd(p))
		c.forgetQuery(q)
		if c.under == "" {
			c.tokens[x.where] = append(c.tokens[x.where], token{at: c.at, query: q, after: p.AsOf})
		}
	}
	c.weigh(q)
}

func eoseEnd(p *relaypb.Part) string {
	switch p.Completeness {
	case relaypb.Completeness_FINISH:
		return "EOSE finish"
	case relaypb.Completeness_MORE:
		return "EOSE more"
	}
	return "EOSE"
}

// partNow takes in a part of the replay.
func (c *core) partNow(p *relaypb.Part) {
	q := c.mine[p.Num]
	if q == nil || q.query == nil || q.replayed.over {
		return
	}
	x := q.query
	if x.worker == 0 {
		x.worker = p.Worker
	}
	if x.worker != p.Worker || q.kind == askedCount {
		c.progress(q)
		return
	}
	if p.Index != x.next { // a message of the bus was lost
		c.result.Lost++
		c.number(q)
		x.worker, x.next, x.granted, x.received = 0, 0, grant, 0
		c.sendQuery(q)
		return
	}
	x.next++
	x.cursor, x.asOf = p.Cursor, p.AsOf
	for _, json := range p.Events {
		q.replayed.items = append(q.replayed.items, idOf(json))
		x.received += uint64(len(json))
	}
	if p.Eose {
		q.replayed.close(eoseEnd(p))
	} else if c.under == "" && x.granted < x.received+grant/2 {
		x.granted = x.received + grant
		c.credit(q)
	}
	c.progress(q)
}

// endedThen takes in a recorded end of a query: a refusal, or a count.
func (c *core) endedThen(gateway subject.Instance, num uint64, end string) {
	q := c.recorded(gateway, num)
	if q == nil || q.query == nil || q.recorded.over {
		return
	}
	if q.first.IsZero() {
		q.first = c.at
	}
	q.raced = q.raced || c.moves != q.events
	q.recorded.close(end)
	c.forgetQuery(q)
	c.weigh(q)
}

// endedNow takes in the same of the replay.
func (c *core) endedNow(num uint64, end string) {
	if q := c.mine[num]; q != nil && q.query != nil && !q.replayed.over {
		q.replayed.close(end)
		c.progress(q)
	}
}

func closedEnd(m *relaypb.Closed) string { return "CLOSED " + m.Text }

func countedEnd(m *relaypb.Counted) string {
	if len(m.Hll) == 0 {
		return fmt.Sprintf("COUNT %d", m.Count)
	}
	return fmt.Sprintf("COUNT %d hll %s", m.Count, digest(m.Hll))
}
