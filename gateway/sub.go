package gateway

import (
	"fmt"
	"slices"

	"rhea/proto/frame"
	"rhea/proto/nostr"
	"rhea/proto/nostr/strictjson"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// sub is a subscription. While its stored events are being sent it has a query;
// afterwards it is watched by a monitor, or waits for one. As there are a great many,
// and most have nothing to do, all of its text is one piece.
type sub struct {
	conn *conn
	text []byte // its prefix and, from cut on, its filters
	num  uint64 // of the query or watch that was asked for last

	query *query // nil once it is done

	seen      subject.Seq      // everything up to this has been sent
	monitor   subject.Instance // that it was registered with; 0: none
	cut       uint16           // subscription ids have a bound
	confirmed bool             // the monitor has said so
	resent    uint8            // how often a watch without an answer was sent again
}

func newSub(cn *conn, prefix, filters []byte) *sub {
	text := make([]byte, len(prefix)+len(filters)) // append may make it longer
	copy(text[copy(text, prefix):], filters)
	return &sub{conn: cn, text: text, cut: uint16(len(prefix))}
}

// prefix returns ["EVENT","<id>", as it stands before each of its events.
func (s *sub) prefix() []byte { return s.text[:s.cut:s.cut] }

// filters returns them as the client sent them.
func (s *sub) filters() []byte { return s.text[s.cut:] }

// id returns its id, which is a piece of its text as a rule.
func (s *sub) id() frame.SubID {
	l := strictjson.New(s.text[len(`["EVENT",`):s.cut])
	id, _ := l.String() // it was put there as one
	return frame.SubID(id)
}

// subscribe opens a subscription, in place of the one that has the same id.
func (c *core) subscribe(cn *conn, id frame.SubID, filters []byte) (num uint64) {
	c.unsubscribe(cn, id)
	if why := c.full(cn, len(filters)); why != "" {
		c.refuseSub(cn, id, why)
		return 0
	}
	c.scratch = frame.AppendEventPrefix(c.scratch[:0], id)
	s := newSub(cn, c.scratch, filters)
	s.num = c.number(cn.shard)
	cn.subs = append(cn.subs, s)
	cn.filters += int32(len(filters))
	c.subs[s.num] = s
	c.metrics.queries.Inc()
	c.begin(s)
	return s.num
}

// full says why a connection may not ask for more with filters of so many bytes, ""
// if it may. COUNTs that run are counted with its subscriptions.
func (c *core) full(cn *conn, filters int) string {
	switch n := len(cn.subs) + len(cn.counts()); {
	case n >= c.limits.MaxSubscriptions:
		return fmt.Sprintf("too many subscriptions: %d are open", n)
	case int(cn.filters)+filters > int(c.config.MaxSubscribeSize):
		return fmt.Sprintf("the filters of all subscriptions have more than %d bytes", c.config.MaxSubscribeSize)
	}
	return ""
}

func (c *core) refuseSub(cn *conn, id frame.SubID, why string) {
	c.metrics.refusedSubs.Inc()
	c.sayClosed(cn, id, nostr.Blocked.Text(why))
}

// unsubscribe ends a subscription in silence, and says whether there was one.
func (c *core) unsubscribe(cn *conn, id frame.SubID) bool {
	for _, s := range cn.subs {
		if s.id() == id {
			c.drop(s)
			return true
		}
	}
	return false
}

// closeSub ends a subscription and tells the client why.
func (c *core) closeSub(s *sub, text string) {
	cn, id := s.conn, s.id()
	c.drop(s)
	c.metrics.closedSubs.Inc()
	c.sayClosed(cn, id, text)
}

// drop forgets a subscription and stops whoever works for it.
func (c *core) drop(s *sub) {
	cn := s.conn
	cn.subs = slices.DeleteFunc(cn.subs, func(x *sub) bool { return x == s })
	cn.filters -= int32(len(s.filters()))
	if s.query != nil {
		c.stop(s)
		s.query = nil
		c.queries--
	} else {
		c.unwatch(s)
	}
	delete(c.subs, s.num)
	if !cn.gone {
		c.fund(cn)
	}
}

// checkSub looks after a subscription that something is owed to.
func (c *core) checkSub(num uint64) {
	s := c.subs[num]
	switch {
	case s == nil:
	case s.query != nil:
		c.checkQuery(s)
	default:
		c.checkWatch(s)
	}
}

// closed passes on a reqworker's refusal of a REQ or COUNT.
func (c *core) closed(m *relaypb.Closed) {
	c.giveBack(m.Num)
	text := m.Text
	if text == "" {
		text = nostr.Failed.Text("closed without a reason")
	}
	if n := c.counts[m.Num]; n != nil {
		c.dropCount(n, false)
		c.sayClosed(n.conn, n.id, text)
		return
	}
	s := c.answered(m.Num, m.Worker)
	if s == nil {
		return
	}
	s.query.sent = false // it has ended there: there is nothing to stop
	c.closeSub(s, text)
}
