package replay

import (
	"google.golang.org/protobuf/proto"

	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// askOpen begins a negentropy session again.
func (c *core) askOpen(m *relaypb.NegOpen) {
	if c.asked[keyOf(m.Conn, m.Num)] != nil {
		return
	}
	q := c.begin(askedSession, m.Conn, m.Num, m.Filter)
	q.raced = len(c.flying) > 0
	again := proto.Clone(m).(*relaypb.NegOpen)
	again.Conn, again.Num = c.connOf(m.Conn), q.mine
	c.sendNeg(again.Conn, &relaypb.NegInbox{Body: &relaypb.NegInbox_Open{Open: again}})
}

// askMsg goes on with a session, for as long as its answers are the recorded ones:
// the client has made its message of those.
func (c *core) askMsg(m *relaypb.NegMsg) {
	q := c.asked[keyOf(m.Conn, m.Num)]
	if q == nil || q.kind != askedSession || q.replayed.over || part(q.recorded.items, q.replayed.items) >= 0 {
		return
	}
	q.turns++
	conn := c.connOf(m.Conn)
	c.sendNeg(conn, &relaypb.NegInbox{Body: &relaypb.NegInbox_Msg{Msg: &relaypb.NegMsg{
		Conn: conn, Num: q.mine, Message: m.Message, Turn: m.Turn,
	}}})
}

// askClose ends a session.
func (c *core) askClose(m *relaypb.NegClose) {
	q := c.asked[keyOf(m.Conn, m.Num)]
	if q == nil || q.kind != askedSession {
		return
	}
	conn := c.connOf(m.Conn)
	c.sendNeg(conn, &relaypb.NegInbox{Body: &relaypb.NegInbox_Close{Close: &relaypb.NegClose{Conn: conn, Num: q.mine}}})
	q.recorded.close(stopped)
	q.replayed.close(stopped)
	c.weigh(q)
}

func (c *core) sendNeg(conn uint64, m *relaypb.NegInbox) { c.send(c.space.Neg(c.shardOf(conn)), m) }

// replyThen takes in a recorded answer of a session.
func (c *core) replyThen(gateway subject.Instance, r *relaypb.NegReply) {
	q := c.recorded(gateway, r.Num)
	if q == nil || q.kind != askedSession || q.recorded.over {
		return
	}
	if q.first.IsZero() {
		q.first = c.at
		q.raced = q.raced || c.moves != q.events
	}
	if r.Error != "" {
		q.recorded.close("NEG-ERR " + r.Error)
	} else {
		q.recorded.items = append(q.recorded.items, digest(r.Message))
	}
	c.weigh(q)
}

// replyNow takes in an answer of the replay.
func (c *core) replyNow(r *relaypb.NegReply) {
	q := c.mine[r.Num]
	if q == nil || q.kind != askedSession || q.replayed.over {
		return
	}
	if r.Error != "" {
		q.replayed.close("NEG-ERR " + r.Error)
	} else {
		q.replayed.items = append(q.replayed.items, digest(r.Message))
	}
	c.progress(q)
}
