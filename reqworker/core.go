package reqworker

import (
	"container/list"
	"time"

	"rhea/proto/bus"
	"rhea/proto/limits"
	"rhea/proto/nostr"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// core is the state of the stage and all of its decisions. It belongs to one
// goroutine, knows neither bus nor clock, and never blocks: what it is told comes
// in by its methods, what it has to say is collected until flush.
type core struct {
	self         subject.Instance
	cfg          Config
	limits       nostr.FilterLimits
	policy       policy.Policy
	maxLimit     int
	defaultLimit int
	shardOf      func(subject.ConnID) subject.Shard
	metrics      *metrics
	now          time.Time // of the message in hand

	queries     map[key]*query
	perConn     map[subject.ConnID]int
	filterBytes int // keys included
	count       [states]int
	scratch     []byte

	line    list.List // of *query: those that are ready, in turn
	resting []*query
	reading int // slices under way, those of ended queries included
	absent  bus.Absent

	answers []answer
}

// answer is a message for one gateway.
type answer struct {
	to  subject.Instance
	msg *relaypb.OutInbox
}

// ask is a slice to be read; its result comes back with core.read.
type ask struct {
	query *query
	scan  *relaypb.Scan
}

// outputs is what the core has to say.
type outputs struct {
	answers []answer
	asks    []ask
}

func newCore(self subject.Instance, cfg Config, lim limits.Limits, pol policy.Policy, shardOf func(subject.ConnID) subject.Shard, m *metrics) *core {
	c := &core{
		self: self, shardOf: shardOf, metrics: m,
		queries: make(map[key]*query), perConn: make(map[subject.ConnID]int),
	}
	c.set(cfg, lim, pol)
	return c
}

// set changes the settings. The queries that run have been admitted and go on; their
// next slices are of the new size.
func (c *core) set(cfg Config, lim limits.Limits, pol policy.Policy) {
	c.cfg, c.policy = cfg, pol
	c.limits = nostr.FilterLimits{MaxFilters: lim.MaxFilters, MaxValues: lim.MaxFilterValues}
	c.maxLimit, c.defaultLimit = lim.MaxLimit, lim.DefaultLimit
}

// handle takes a message of the inbox.
func (c *core) handle(now time.Time, m *relaypb.ReqInbox) {
	c.now = now
	switch body := m.Body.(type) {
	case *relaypb.ReqInbox_Query:
		c.query(body.Query)
	case *relaypb.ReqInbox_Credit:
		c.credit(body.Credit)
	case *relaypb.ReqInbox_Stop:
		c.stop(body.Stop)
	default:
		c.metrics.garbage.Inc()
	}
}

// schedule puts a query in line, or aside when it has no credit.
func (c *core) schedule(q *query) {
	if !q.hasCredit() {
		c.become(q, paused)
		return
	}
	c.become(q, ready)
	q.place = c.line.PushBack(q)
}

func (c *core) become(q *query, s state) {
	c.count[q.state]--
	c.count[s]++
	q.state, q.since, q.place = s, c.now, nil
}

// flush returns what is to be said, and the slices that are to be read now.
func (c *core) flush() outputs {
	out := outputs{answers: c.answers}
	c.answers = nil
	for c.reading < c.cfg.Concurrency && c.line.Len() > 0 {
		q := c.line.Remove(c.line.Front()).(*query)
		c.become(q, reading)
		c.reading++
		c.metrics.slices.Inc()
		out.asks = append(out.asks, ask{q, q.scan(c.self, int(c.cfg.SliceBytes))})
	}
	return out
}

// drop forgets a query without a word. If a slice of it is under way its result
// will be ignored.
func (c *core) drop(q *query) {
	if q.state == ready {
		c.line.Remove(q.place)
	}
	c.become(q, ended)
	delete(c.queries, q.key())
	if c.perConn[q.conn]--; c.perConn[q.conn] == 0 {
		delete(c.perConn, q.conn)
	}
	c.filterBytes -= q.size()
}

// refuse answers a query with Closed; it is not, or no longer, known.
func (c *core) refuse(q *query, text string) {
	c.metrics.closed.Inc()
	c.say(q, &relaypb.OutInbox{Body: &relaypb.OutInbox_Closed{Closed: &relaypb.Closed{
		Num: q.num, Worker: uint32(c.self), Text: text,
	}}})
}

func (c *core) say(q *query, m *relaypb.OutInbox) {
	c.answers = append(c.answers, answer{q.conn.Gateway(), m})
}
