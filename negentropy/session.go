package negentropy

import (
	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// core decides about messages. It has no goroutine, clock or bus.
type core struct {
	metrics *metrics
}

// output is an answer for a gateway.
type output struct {
	gateway subject.Instance
	reply   *relaypb.NegReply
}

// handle returns the answer to a message; ok is false when it has none.
func (c *core) handle(m *relaypb.NegInbox) (out output, ok bool) {
	switch body := m.Body.(type) {
	case *relaypb.NegInbox_Open:
		c.metrics.opened.Inc()
		return c.refuse(body.Open.Conn, body.Open.Num), true
	case *relaypb.NegInbox_Msg:
		c.metrics.messages.Inc()
		return c.refuse(body.Msg.Conn, body.Msg.Num), true
	case *relaypb.NegInbox_Close:
		c.metrics.closed.Inc()
	default:
		c.metrics.unknown.Inc()
	}
	return output{}, false
}

func (c *core) refuse(conn, num uint64) output {
	c.metrics.refused.Inc()
	return output{
		gateway: subject.ConnID(conn).Gateway(),
		reply:   &relaypb.NegReply{Num: num, Error: nostr.Failed.Text("not yet")},
	}
}
