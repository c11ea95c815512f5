package negentropy

import (
	"time"

	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// message takes the next message of a session. One that has come before is not
// answered again: its answer is on the way.
func (c *core) message(m *relaypb.NegMsg) {
	conn := subject.ConnID(m.Conn)
	s := c.sessions[key{conn.Gateway(), m.Num}]
	switch {
	case s == nil:
		c.refuse(conn, m.Num, m.Turn, nostr.Closed.Text("no such session"), 0)
		return
	case m.Turn <= s.turn:
		return
	}
	pending, expected := s.pending(), s.turn+1
	s.turn = m.Turn
	switch {
	case c.stopping:
		c.fail(s, nostr.Closed.Text("the relay is restarting; start over"), 0)
	case pending:
		c.fail(s, nostr.Invalid.Text("a message before the answer to the last one"), 0)
	case m.Turn != expected:
		c.fail(s, nostr.Closed.Text("a message was lost; start over"), 0)
	case int64(m.Turn) >= int64(c.cfg.MaxMessages):
		c.fail(s, nostr.Closed.Text("the session has had too many messages; start over"), 0)
	default:
		s.message, s.since = m.Message, c.now
		c.become(s, answering)
	}
}

// replied takes the answer to a question.
func (c *core) replied(now time.Time, q *question, reply []byte, err error) {
	c.now = now
	c.replying.busy--
	s := q.session
	switch {
	case s.state == ended:
	case err != nil:
		c.fail(s, nostr.Invalid.Text(err.Error()), 0)
	default:
		c.metrics.messageSeconds.Observe(c.now.Sub(s.since).Seconds())
		s.message, s.since = nil, c.now
		c.become(s, idle)
		c.metrics.replyBytes.Add(len(reply))
		c.say(s.conn, &relaypb.NegReply{Num: s.num, Turn: s.turn, Message: reply})
	}
}
