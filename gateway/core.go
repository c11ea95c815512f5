package gateway

import (
	"net/netip"
	"slices"
	"time"
	"unique"

	"github.com/gobwas/ws"
	"google.golang.org/protobuf/proto"

	"rhea/proto/bus"
	"rhea/proto/frame"
	"rhea/proto/limits"
	"rhea/proto/nostr"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// core is the state of a gateway and every decision about it, without goroutine
// or clock: what it has to say to the bus goes to out, what it has to say to clients
// into the turn, and at its end to their wires. It belongs to one goroutine.
type core struct {
	rules
	space   subject.Space
	self    subject.Instance
	out     outbox
	hub     *hub
	metrics *metrics

	now    time.Time // of the last Tick or Advance
	at     time.Time // of what is in hand, finer than now; for measuring alone
	alarms *wheel
	asked  uint64 // questions so far; see number

	conns    map[subject.ConnID]*conn
	claims   map[uint64]claim
	events   map[uint64]*event
	counts   map[uint64]*count
	subs     map[uint64]*sub // by the number of the query, later of the watch
	sessions map[uint64]*session

	who      roster
	monitors map[subject.Instance]*monitor
	fresh    []uint64   // subscriptions that have just had their EOSE, in order
	toWatch  []uint64   // watches that wait for room in the window, in order
	watching bus.Window // bytes of watches that are not confirmed
	packing  packing

	// origin is what ticks are counted from. They are differences of monotonic times:
	// when the system's clock is set, no client seems silent, or stays unheard.
	origin time.Time

	ghosts   int // answers to unknown numbers that may still be replied to in this tick
	queries  int // subs whose stored part is not done
	draining bool
	leaving  *leave // nil unless the clients are being sent away
	scratch  []byte
	asking   asking
}

// rules are what a core goes by.
type rules struct {
	config *Config
	limits *limits.Limits
	policy *policy.Policy
	secret [32]byte // that challenges come from
}

// outbox is where the core sends to, which keeps nothing of a message; bus.Outbox is
// one.
type outbox interface {
	Send(subj string, m proto.Message) error
}

// conn is one client connection, the core's half of it. There are a great many, and
// most do nothing: its size is most of what one takes.
type conn struct {
	socket
	id    subject.ConnID
	shard subject.Shard
	host  unique.Handle[string] // that the client has connected to; a great many have the same
	from  netip.Addr            // the client's address

	subs    []*sub
	rare    *rare // nil as long as it would hold nothing
	filters int32 // bytes, of all subs and counts
	granted int32 // bytes of events that queries may still send
	pending int32 // EVENTs and AUTHs without an answer
	pinged  int64 // tick of a ping that nothing has followed yet; 0: none

	gone       bool
	challenged bool // the client has its challenge
	stopped    bool // it is not read any more; see leave
	closed     bool // and it has been told to go
}

func newCore(space subject.Space, self subject.Instance, r rules, out outbox, h *hub, now time.Time) *core {
	c := &core{
		rules: r, space: space, self: self, out: out, hub: h, metrics: h.metrics,
		origin:   now.Add(-tickEvery), // no tick is 0
		alarms:   newWheel(now),
		conns:    make(map[subject.ConnID]*conn),
		claims:   make(map[uint64]claim),
		events:   make(map[uint64]*event),
		counts:   make(map[uint64]*count),
		subs:     make(map[uint64]*sub),
		sessions: make(map[uint64]*session),
		monitors: make(map[subject.Instance]*monitor),
		watching: bus.Window{Limit: watchWindow},
	}
	c.who = newRoster(space.Shards())
	c.packing.set(r.config)
	c.Tick(now)
	return c
}

// number returns the number of a new question. It is unique in the gateway's
// life, and its low bits are the shard of the connection that asks, so that even
// an answer to a forgotten question tells who must be told so.
func (c *core) number(sh subject.Shard) uint64 {
	c.asked++
	return c.asked*uint64(c.space.Shards()) + uint64(sh)
}

// Open takes in a new connection, and what it has said already.
func (c *core) Open(cn *conn, early []byte) {
	c.conns[cn.id] = cn
	if c.leaving != nil {
		c.leaving.waiting = append(c.leaving.waiting, cn)
	}
	if c.policy.Auth != policy.AuthNeeded {
		c.challenge(cn)
	}
	c.alarms.set(c.now.Add(c.config.PingInterval), alarm{aboutConn, uint64(cn.id)})
	cn.heard = c.hub.tick
	c.takeIn(cn, early)
	c.listen(cn)
}

// Signal handles what the network has to tell.
func (c *core) Signal(s signal) {
	cn := c.conns[s.id]
	if cn == nil || cn.state == dead {
		return
	}
	if s.out && cn.out != nil {
		c.writable(cn)
	}
	switch {
	case cn.state == dead:
	case s.in && cn.reads():
		c.readable(cn)
	case s.lost && !cn.reads():
		c.bury(cn, false)
	}
}

// message handles a message and returns the number of the question that it has
// led to, 0 if to none.
func (c *core) message(cn *conn, m frame.Client, err error) (num uint64) {
	if err == nil && m.Verb != frame.Event && m.Verb != frame.Auth {
		err = c.checkSubID(m.Sub)
	}
	switch {
	case err != nil:
		c.refuse(cn, m, err.Error())
	case c.draining && asks(m.Verb):
		c.turnAway(cn, m, goingAway())
	case m.Verb == frame.Auth:
		return c.authenticate(cn, m.Body)
	case c.stranger(cn) && asks(m.Verb):
		c.metrics.refusedStrangers.Inc()
		c.turnAway(cn, m, nostr.AuthRequired.Text(strangersUnwanted))
	case m.Verb == frame.Event:
		return c.ask(cn, m.Body)
	case m.Verb == frame.Req:
		return c.subscribe(cn, m.Sub, m.Body)
	case m.Verb == frame.Close:
		if !c.unsubscribe(cn, m.Sub) { // it is meant for that: the ids of COUNTs are others
			c.endCount(cn, m.Sub)
		}
	case m.Verb == frame.Count:
		return c.enumerate(cn, m.Sub, m.Body)
	case m.Verb == frame.NegOpen, m.Verb == frame.NegMsg, m.Verb == frame.NegClose:
		return c.negotiate(cn, m)
	}
	return 0
}

func (c *core) checkSubID(id frame.SubID) error {
	if len(id) > c.limits.MaxSubIDLength && len([]rune(string(id))) > c.limits.MaxSubIDLength {
		return &frame.Error{Prefix: nostr.Invalid, Why: "the subscription id is too long"}
	}
	return nil
}

// Handle handles what the bus brings.
func (c *core) Handle(m *relaypb.OutInbox) {
	switch b := m.Body.(type) {
	case *relaypb.OutInbox_Verdict:
		c.verdict(b.Verdict)
	case *relaypb.OutInbox_Part:
		c.part(b.Part)
	case *relaypb.OutInbox_Closed:
		c.closed(b.Closed)
	case *relaypb.OutInbox_Deliveries:
		c.deliveries(b.Deliveries)
	case *relaypb.OutInbox_Neg:
		c.negReply(b.Neg)
	case *relaypb.OutInbox_Counted:
		c.counted(b.Counted)
	case *relaypb.OutInbox_Heard:
		c.heard(b.Heard)
	}
}

// Advance moves the clock.
func (c *core) Advance(now time.Time) {
	c.now, c.at = now, now
	c.hub.tick = int64(now.Sub(c.origin))
}

// Tick moves the clock, and looks after everything whose time has come.
func (c *core) Tick(now time.Time) {
	c.Advance(now)
	c.ghosts = maxGhosts
	c.alarms.ring(now, func(a alarm) {
		switch a.about {
		case aboutEvent:
			c.checkEvent(a.num)
		case aboutHearing:
			c.checkHearing(a.num)
		case aboutCount:
			c.checkCount(a.num)
		case aboutSub:
			c.checkSub(a.num)
		case aboutSession:
			c.checkSession(a.num)
		case aboutClaim:
			c.giveBack(a.num)
		default:
			if cn := c.conns[subject.ConnID(a.num)]; cn != nil && cn.state != dead {
				c.checkSocket(cn, a.about)
			}
		}
	})
	c.checkMonitors()
	c.WatchFresh()
	c.pumpWatches() // subscriptions that were closed have made room
	c.sendAway()
	c.report()
}

// Quiet is how long there is nothing for Tick to do, or at most so long.
func (c *core) Quiet(now time.Time, most time.Duration) time.Duration {
	for _, m := range c.monitors {
		if !m.behind.IsZero() {
			return 0
		}
	}
	return c.alarms.quiet(now, most)
}

// checkSocket looks after a connection.
func (c *core) checkSocket(cn *conn, about concern) {
	switch about {
	case aboutConn:
		c.checkConn(cn)
	case aboutBacklog:
		c.checkBacklog(cn)
	case aboutLinger:
		c.bury(cn, false)
	}
}

// checkConn pings a client that is silent and drops one that stays so: its
// socket may be half open, and nobody would ever know.
func (c *core) checkConn(cn *conn) {
	if cn.share.waits() {
		cn.heard = c.hub.tick // we do not read, so it cannot be heard
	}
	heard := cn.heard
	due := c.origin.Add(time.Duration(heard)).Add(c.config.PingInterval)
	switch {
	case due.After(c.now):
		cn.pinged = 0
	case cn.pinged != 0 && heard < cn.pinged && cn.crowded(0):
		cn.pinged = 0 // it may not have come to the ping yet; write_timeout judges it
		due = c.now.Add(c.config.PingTimeout)
	case cn.pinged != 0 && heard < cn.pinged:
		c.metrics.silent.Inc()
		c.kill(cn, "it has not answered a ping")
		return
	default:
		cn.pinged = c.hub.tick
		c.queue(cn, outgoing{op: ws.OpPing})
		due = c.now.Add(c.config.PingTimeout)
	}
	c.alarms.set(due, alarm{aboutConn, uint64(cn.id)})
}

// end has a connection closed after what it has been told so far.
func (c *core) end(cn *conn, e *ending) {
	if e.why != "" {
		c.metrics.refusedFrames.Inc()
	}
	if e.loud {
		c.say(cn, frame.AppendNotice(c.scratch[:0], nostr.Invalid.Text(e.why)))
	}
	c.close(cn, e.code, e.why)
}

// forget ends all that a connection has asked for.
func (c *core) forget(cn *conn) {
	if cn.gone {
		return
	}
	cn.gone = true
	delete(c.conns, cn.id)
	c.hub.leave(householdOf(cn.from))
	for _, s := range slices.Clone(cn.subs) {
		c.drop(s)
	}
	for _, n := range slices.Clone(cn.counts()) {
		c.dropCount(n, true)
	}
	for _, s := range slices.Clone(cn.sessions()) {
		c.dropSession(s, true)
	}
}

// send sends to the bus. A failure is counted and otherwise a loss like any
// other: the question is asked again when its time has come.
func (c *core) send(subj string, m proto.Message) {
	if c.out.Send(subj, m) != nil {
		c.metrics.sendFailures.Inc()
	}
}
