package gateway

import (
	"slices"
	"time"

	"rhea/proto/frame"
	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// count is a COUNT without an answer (NIP-45). It keeps its number when it is sent
// again: a reqworker that is at work on it goes on, and any answer is a good one.
type count struct {
	conn    *conn
	id      frame.SubID // of its own namespace
	filters []byte
	keys    [][]byte
	num     uint64
	came    time.Time // when it had been read
	since   time.Time // when it was asked, or last heard of
	again   time.Time // when it is sent again
}

// enumerate passes a COUNT on, in place of the one that has the same id, which
// then gets no answer.
func (c *core) enumerate(cn *conn, id frame.SubID, filters []byte) (num uint64) {
	c.endCount(cn, id)
	if why := c.full(cn, len(filters)); why != "" {
		c.refuseSub(cn, id, why)
		return 0
	}
	n := &count{conn: cn, id: id, filters: filters, keys: cn.allKeys(), num: c.number(cn.shard), came: c.at, since: c.now}
	cn.rarely().counts = append(cn.counts(), n)
	cn.filters += int32(len(filters))
	c.counts[n.num] = n
	c.metrics.counts.Inc()
	c.sendCount(n)
	c.watchCount(n)
	return n.num
}

func (c *core) sendCount(n *count) {
	n.again = c.now.Add(resumeQuery)
	if c.who.owner(subject.Reqworker, n.conn.shard) == 0 {
		return // the next change of the roster sends it
	}
	q := &relaypb.Query{Conn: uint64(n.conn.id), Num: n.num, Filters: n.filters, Keys: n.keys, Count: true}
	q.SourceType, q.Source = c.readSource(n.conn)
	c.send(c.space.Req(n.conn.shard), &relaypb.ReqInbox{Body: &relaypb.ReqInbox_Query{Query: q}})
}

// watchCount sets the alarm for the next check, of which there is one at a time.
func (c *core) watchCount(n *count) {
	when := n.since.Add(c.config.QueryTimeout)
	if n.again.Before(when) {
		when = n.again
	}
	c.alarms.set(when, alarm{aboutCount, n.num})
}

// checkCount sends an unanswered COUNT again, or gives it up.
func (c *core) checkCount(num uint64) {
	n := c.counts[num]
	switch {
	case n == nil:
		return
	case !n.since.Add(c.config.QueryTimeout).After(c.now):
		c.metrics.timeouts.Inc()
		c.dropCount(n, true)
		c.sayClosed(n.conn, n.id, nostr.Failed.Text("the relay did not answer in time; try again"))
		return
	case !n.again.After(c.now):
		c.metrics.resumed.Inc()
		c.sendCount(n)
	}
	c.watchCount(n)
}

// resendCounts sends the unanswered COUNTs of some shards again.
func (c *core) resendCounts(concerned func(subject.Shard) bool) {
	for _, n := range c.sortedCounts() {
		if concerned(n.conn.shard) {
			c.sendCount(n)
		}
	}
}

func (c *core) sortedCounts() []*count {
	list := make([]*count, 0, len(c.counts))
	for _, n := range c.counts {
		list = append(list, n)
	}
	slices.SortFunc(list, func(a, b *count) int { return int(int64(a.num - b.num)) })
	return list
}

// goesOn hears that a reqworker is at work on a COUNT.
func (c *core) goesOn(n *count) { n.since, n.again = c.now, c.now.Add(resumeQuery) }

// counted passes on an answer.
func (c *core) counted(m *relaypb.Counted) {
	c.giveBack(m.Num)
	n := c.counts[m.Num]
	if n == nil {
		c.metrics.late.Inc()
		return
	}
	r := frame.CountResult{Count: m.Count}
	if len(m.Hll) == len(r.HLL) {
		r.HLL = (*[256]byte)(m.Hll)
	}
	c.metrics.countTime.Observe(c.at.Sub(n.came).Seconds())
	c.dropCount(n, false)
	c.say(n.conn, frame.AppendCount(c.scratch[:0], n.id, r))
}

// endCount ends a COUNT in silence; one that does not exist, too.
func (c *core) endCount(cn *conn, id frame.SubID) {
	if i := slices.IndexFunc(cn.counts(), func(n *count) bool { return n.id == id }); i >= 0 {
		c.dropCount(cn.counts()[i], true)
	}
}

// dropCount forgets a COUNT, and has its reqworker forget it if tell is set.
func (c *core) dropCount(n *count, tell bool) {
	cn := n.conn
	cn.rare.counts = slices.DeleteFunc(cn.rare.counts, func(x *count) bool { return x == n })
	cn.filters -= int32(len(n.filters))
	delete(c.counts, n.num)
	if tell && c.who.owner(subject.Reqworker, cn.shard) != 0 {
		c.send(c.space.Req(cn.shard), &relaypb.ReqInbox{Body: &relaypb.ReqInbox_Stop{
			Stop: &relaypb.Stop{Conn: uint64(cn.id), Num: n.num},
		}})
	}
}
