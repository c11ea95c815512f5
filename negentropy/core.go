package negentropy

import (
	"context"
	"slices"
	"time"

	"rhea/proto/bus"
	"rhea/proto/negentropy"
	"rhea/proto/nostr"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// core is the state of the stage and all of its decisions. It belongs to one
// goroutine, knows neither bus nor clock, and never blocks: what it is told comes
// in by its methods, what it has to say is collected until flush.
type core struct {
	cfg     Config
	limits  nostr.FilterLimits
	policy  *policy.Policy
	shardOf func(subject.ConnID) subject.Shard
	metrics *metrics
	now     time.Time        // of the message in hand
	today   func() time.Time // that expiration is judged by; nil: now

	mirror   mirror
	sessions map[key]*session
	perConn  map[subject.ConnID]int
	count    [states]int
	bytes    int // of all sessions

	reading   line // sessions in state opening
	replying  line // sessions in state answering
	absent    bus.Absent
	stopping  bool
	collected outputs
}

// outputs is what the core has to say.
type outputs struct {
	answers []answer
	reads   []*session  // a slice of each one's scan; to be told with core.read
	replies []*question // to be told with core.replied
}

// answer is a message for one gateway.
type answer struct {
	to  subject.Instance
	msg *relaypb.NegReply
}

// question is a message and the set to answer it from, which nobody else reads.
type question struct {
	session *session
	set     negentropy.Set
	message []byte
	most    int // bytes of the answer
}

func newCore(cfg Config, limits nostr.FilterLimits, p *policy.Policy, shardOf func(subject.ConnID) subject.Shard, repliers int, m *metrics) *core {
	return &core{
		cfg: cfg, limits: limits, policy: p, shardOf: shardOf, metrics: m,
		mirror:   mirror{access: p.Access(nil), max: cfg.MaxTreeRecords, metrics: m},
		sessions: make(map[key]*session), perConn: make(map[subject.ConnID]int),
		reading: line{workers: cfg.Concurrency}, replying: line{workers: repliers},
	}
}

// date is the time that expiration is judged by, in Unix seconds.
func (c *core) date() int64 {
	if c.today != nil {
		return c.today().Unix()
	}
	return c.now.Unix()
}

// set changes the settings. Sessions that are open go on, unless the private kinds
// have changed: then all of them end, as their sets were made for others. It reports
// whether the mirror is to be loaded anew.
func (c *core) set(now time.Time, cfg Config, limits nostr.FilterLimits, p *policy.Policy) (reload bool) {
	c.now = now
	private := !slices.Equal(p.PrivateKinds, c.policy.PrivateKinds)
	reload = private || cfg.MaxTreeRecords != c.cfg.MaxTreeRecords
	c.cfg, c.limits, c.policy = cfg, limits, p
	if private {
		for _, s := range c.sessions {
			c.fail(s, nostr.Closed.Text("the relay's rules have changed; start over"), 0)
		}
	}
	if reload {
		c.mirror.access, c.mirror.max = p.Access(nil), cfg.MaxTreeRecords
		c.mirror.void(loading)
	}
	return reload
}

// handle takes a message of the inbox.
func (c *core) handle(now time.Time, m *relaypb.NegInbox) {
	c.now = now
	switch body := m.Body.(type) {
	case *relaypb.NegInbox_Open:
		c.metrics.opened.Inc()
		c.open(body.Open)
	case *relaypb.NegInbox_Msg:
		c.metrics.messages.Inc()
		c.message(body.Msg)
	case *relaypb.NegInbox_Close:
		c.metrics.closed.Inc()
		if s := c.sessions[key{subject.ConnID(body.Close.Conn).Gateway(), body.Close.Num}]; s != nil {
			c.drop(s)
		}
	default:
		c.metrics.unknown.Inc()
	}
}

// flush returns what is to be said and to be done now.
func (c *core) flush() outputs {
	for s := c.reading.next(); s != nil; s = c.reading.next() {
		c.collected.reads = append(c.collected.reads, s)
	}
	for s := c.replying.next(); s != nil; s = c.replying.next() {
		c.collected.replies = append(c.collected.replies, &question{s, s.set, s.message, c.cfg.FrameBytes})
	}
	out := c.collected
	c.collected = outputs{}
	return out
}

// become moves a session to another state, and to the line that goes with it.
func (c *core) become(s *session, next state) {
	if s.place != nil {
		if s.state == opening {
			c.reading.leave(s)
		} else {
			c.replying.leave(s)
		}
	}
	c.count[s.state]--
	c.count[next]++
	s.state = next
	switch next {
	case opening:
		c.reading.join(s)
	case answering:
		c.replying.join(s)
	}
}

// weigh counts the memory of a session's own part of its set.
func (c *core) weigh(s *session, bytes int) {
	c.bytes += bytes - s.bytes
	s.bytes = bytes
}

// drop forgets a session without a word. What is under way for it is abandoned.
func (c *core) drop(s *session) {
	s.abandon()
	c.become(s, ended)
	c.count[ended]--
	c.weigh(s, 0)
	delete(c.sessions, s.key())
	if c.perConn[s.conn]--; c.perConn[s.conn] == 0 {
		delete(c.perConn, s.conn)
	}
}

// fail ends a session with NEG-ERR. Records, if not 0, is the most that it may have.
func (c *core) fail(s *session, text string, records int) {
	c.drop(s)
	c.refuse(s.conn, s.num, s.turn, text, records)
}

// refuse answers a message of a session that is not, or no longer, known.
func (c *core) refuse(conn subject.ConnID, num uint64, turn uint32, text string, records int) {
	c.metrics.refused.Inc()
	c.say(conn, &relaypb.NegReply{Num: num, Turn: turn, Error: text, Records: uint64(records)})
}

func (c *core) say(conn subject.ConnID, m *relaypb.NegReply) {
	c.collected.answers = append(c.collected.answers, answer{conn.Gateway(), m})
}

// life is a context that ends when its session does.
func life() (context.Context, context.CancelFunc) { return context.WithCancel(context.Background()) }
