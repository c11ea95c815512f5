package gateway

import (
	"slices"

	"rhea/proto/relaypb"
)

// A client is sent stored events only as fast as it takes them. Each connection
// has a budget of bytes that wait in its socket's buffer or that its queries may
// still send; a query is granted more as long as the budget lasts, and otherwise
// waits in line until the socket has drained or another query has ended. With
// nothing waiting and nothing granted the budget is whole, so one query at least
// always goes on.
//
// What a query is granted beyond what has come is a step, or, while no other of its
// connection may send anything and the socket has room, a stride: most queries are
// alone, and one question and one answer cost far less than eight of each.
const (
	queryBudget = 768 << 10
	queryStep   = 64 << 10
	queryStride = 512 << 10
)

// grant raises what a query may send to a step or a stride beyond what came, if the
// budget allows it, and otherwise puts the query in line.
func (c *core) grant(s *sub) bool {
	q, cn := s.query, s.conn
	switch {
	case q.starved:
		return false
	case q.granted-q.received >= queryStep:
		return true
	case len(cn.starved()) == 0 && c.affordable(cn):
		c.settle(s, q.received+q.reach(cn), q.received)
		return true
	}
	q.starved = true
	cn.rarely().starved = append(cn.starved(), s.num)
	return false
}

// affordable says whether the budget has room for a step. If not, the socket will
// tell when it has drained.
func (c *core) affordable(cn *conn) bool {
	return !cn.crowded(queryBudget - queryStep - int(cn.granted))
}

// reach is how far beyond what came a query of a connection may be granted now that
// a step is affordable.
func (q *query) reach(cn *conn) int {
	if others := int(cn.granted) - max(0, q.granted-q.received); others > 0 || cn.crowded(queryBudget-queryStride) {
		return queryStep
	}
	return queryStride
}

// more grants a running query more.
func (c *core) more(s *sub) {
	q := s.query
	if !c.grant(s) {
		return
	}
	c.send(c.space.Req(s.conn.shard), &relaypb.ReqInbox{Body: &relaypb.ReqInbox_Credit{Credit: &relaypb.Credit{
		Conn: uint64(s.conn.id), Num: s.num, Worker: uint32(q.worker), Granted: uint64(q.granted),
	}}})
}

// fund serves the queries in line for as long as the budget lasts.
func (c *core) fund(cn *conn) {
	for len(cn.starved()) > 0 && c.affordable(cn) {
		s := c.subs[cn.rare.starved[0]]
		cn.rare.starved = cn.rare.starved[1:]
		q := s.query
		q.starved = false
		q.asked = c.now
		c.settle(s, max(q.granted, q.received+q.reach(s.conn)), q.received)
		if q.sent {
			c.more(s)
		} else {
			c.launch(s)
		}
	}
	if cn.rare != nil && len(cn.rare.starved) == 0 {
		cn.rare.starved = nil
	}
}

// defund takes back what a query was granted, and its place in line.
func (c *core) defund(s *sub) {
	c.settle(s, 0, 0)
	if s.query.starved {
		s.query.starved = false
		s.conn.rare.starved = slices.DeleteFunc(s.conn.rare.starved, func(num uint64) bool { return num == s.num })
	}
}

// settle changes a query's account, and the connection's with it.
func (c *core) settle(s *sub, granted, received int) {
	q := s.query
	s.conn.granted -= int32(max(0, q.granted-q.received))
	q.granted, q.received = granted, received
	s.conn.granted += int32(max(0, q.granted-q.received))
}
