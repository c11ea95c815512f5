package gateway

import (
	"maps"
	"slices"
	"time"

	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

const (
	// watchWindow bounds the bytes of watches that monitors have not confirmed, so
	// that registering everything again does not flood them.
	watchWindow = 4 << 20
	watchCost   = 64 // of a watch, beside its filters and keys
	// freshTime is how long a subscription that has just had its EOSE waits before it is
	// registered: most are closed at once. It misses nothing, because a monitor goes on
	// from where the stored part ended.
	freshTime = 5 * time.Millisecond
	// A watch that is not confirmed is sent again after resendWatch, then after
	// twice as long, and so on up to maxResendWatch. It keeps its number, which
	// leaves a monitor that is still catching it up where it is.
	resendWatch    = 2 * time.Second
	maxResendWatch = 30 * time.Second
	// behindTime is how long a monitor may have read further in the log than it
	// has told this gateway, before it is taken to have forgotten the gateway.
	behindTime = 3 * time.Second
	// maxGhosts bounds the replies to answers that nobody waits for, in one tick.
	maxGhosts = 64
)

// monitor is what is known of a process that watches for this gateway.
type monitor struct {
	next   uint64      // the number of the Deliveries to come
	upto   subject.Seq // what its confirmed watches have been served up to
	live   int         // confirmed watches
	behind time.Time   // since when it owes news; zero: it does not
}

func (c *core) monitorOf(i subject.Instance) *monitor {
	m := c.monitors[i]
	if m == nil {
		m = &monitor{next: 1}
		c.monitors[i] = m
	}
	return m
}

// watch registers a subscription with the shard's monitor, when there is one and
// the window has room.
func (c *core) watch(s *sub) {
	c.toWatch = append(c.toWatch, s.num)
	c.pumpWatches()
}

// WatchFresh registers the subscriptions that have had their EOSE and are still
// there.
func (c *core) WatchFresh() {
	for _, num := range c.fresh {
		if s := c.subs[num]; s != nil {
			c.watch(s)
		}
	}
	c.fresh = c.fresh[:0]
}

func (c *core) pumpWatches() {
	for len(c.toWatch) > 0 {
		s := c.subs[c.toWatch[0]]
		if s != nil && s.query == nil && s.monitor == 0 {
			owner := c.who.owner(subject.Monitor, s.conn.shard)
			if owner != 0 && !c.watching.Take(s.cost()) {
				return
			}
			if owner != 0 { // else the next change of the roster registers it
				c.register(s, owner)
			}
		}
		c.toWatch = c.toWatch[1:]
	}
	c.toWatch = nil
}

func (c *core) register(s *sub, owner subject.Instance) {
	s.monitor, s.resent = owner, 0
	c.monitorOf(owner)
	c.sendWatch(s)
}

func (c *core) sendWatch(s *sub) {
	c.send(c.space.Sub(s.conn.shard), &relaypb.SubInbox{Body: &relaypb.SubInbox_Watch{Watch: &relaypb.Watch{
		Conn: uint64(s.conn.id), Num: s.num, After: uint64(s.seen), Filters: s.filters(), Keys: s.conn.allKeys(),
	}}})
	c.alarms.set(c.now.Add(min(resendWatch<<s.resent, maxResendWatch)), alarm{aboutSub, s.num})
}

// checkWatch sends a watch again that its monitor has not confirmed.
func (c *core) checkWatch(s *sub) {
	if s.monitor == 0 || s.confirmed {
		return
	}
	c.metrics.rewatched.Inc()
	s.resent = min(s.resent+1, 8) // by then the pause is the longest
	c.sendWatch(s)
}

// unwatch ends the registration of a subscription, if it has one.
func (c *core) unwatch(s *sub) {
	if s.monitor != 0 && c.who.owner(subject.Monitor, s.conn.shard) == s.monitor {
		c.sendUnwatch(s.conn.shard, s.num, false)
	}
	c.release(s)
}

// release forgets the registration of a subscription.
func (c *core) release(s *sub) {
	switch {
	case s.monitor == 0:
		return
	case s.confirmed:
		c.monitors[s.monitor].live--
	default:
		c.watching.Give(s.cost())
	}
	s.monitor, s.confirmed = 0, false
}

// sendUnwatch tells a shard's monitor to forget a watch, or all below a number.
// The connection may be unknown by now; what is said stands for it has the right
// gateway and shard.
func (c *core) sendUnwatch(sh subject.Shard, num uint64, below bool) {
	c.send(c.space.Sub(sh), &relaypb.SubInbox{Body: &relaypb.SubInbox_Unwatch{
		Unwatch: &relaypb.Unwatch{Conn: uint64(subject.MakeConnID(c.self, uint32(sh))), Num: num, Below: below},
	}})
}

// cost is what a watch takes of the window, for as long as its connection has the
// same keys.
func (s *sub) cost() int {
	return watchCost + len(s.filters()) + len(s.conn.keys())*len(nostr.PubKey{})
}

// pass notes how far a subscription has been served.
func (c *core) pass(s *sub) {
	if s.confirmed {
		s.seen = max(s.seen, c.monitors[s.monitor].upto)
	}
}

// rewatch registers a subscription again, from where it has been served to, under
// a new number: what still comes for the old one is for nobody.
func (c *core) rewatch(s *sub) {
	c.pass(s)
	c.metrics.rewatched.Inc()
	c.release(s)
	delete(c.subs, s.num)
	s.num = c.number(s.conn.shard)
	c.subs[s.num] = s
	c.watch(s)
}

// rewatchAll registers again all subscriptions of some shards. Their monitors are
// told first to forget everything older, because nobody knows what they have:
// they may have kept it over a loss, or from another time when the shard was theirs.
func (c *core) rewatchAll(concerned func(subject.Shard) bool) {
	for sh := range subject.Shard(c.space.Shards()) {
		if concerned(sh) && c.who.owner(subject.Monitor, sh) != 0 && c.asked > 0 {
			c.sendUnwatch(sh, (c.asked+1)*uint64(c.space.Shards()), true) // see number
		}
	}
	for _, s := range c.sorted(func(s *sub) bool { return s.query == nil && concerned(s.conn.shard) }) {
		c.rewatch(s)
	}
}

// rewatchFrom registers again all that a monitor watches.
func (c *core) rewatchFrom(i subject.Instance) {
	c.metrics.gaps.Inc()
	c.rewatchAll(func(sh subject.Shard) bool { return c.who.owner(subject.Monitor, sh) == i })
	c.monitors[i].behind = time.Time{}
}

// sorted returns the subscriptions that are meant, in the order of their numbers.
func (c *core) sorted(meant func(*sub) bool) []*sub {
	var list []*sub
	for _, s := range c.subs {
		if meant(s) {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b *sub) int {
		if a.num < b.num {
			return -1
		}
		return 1
	})
	return list
}

// deliveries passes on live events. A hole in the numbers means that some were
// lost; which is not known, so all that this monitor watches starts again from
// what is certain, and this message, too, is for numbers that are no more.
func (c *core) deliveries(d *relaypb.Deliveries) {
	i := subject.Instance(d.Monitor)
	m := c.monitorOf(i)
	if d.Number != m.next {
		m.next = d.Number + 1
		c.rewatchFrom(i)
		m.upto = subject.Seq(d.Upto)
		return
	}
	m.next++
	for _, e := range d.Events {
		p := parcel{json: e.Json}
		for _, num := range e.Nums {
			c.deliver(i, num, subject.Seq(e.Seq), &p)
		}
	}
	if d.Committed != 0 {
		// The writer's clock and this machine's may differ.
		c.metrics.liveTime.Observe(max(0, time.Duration(c.at.UnixNano()-int64(d.Committed))).Seconds())
	}
	for _, num := range d.Watching {
		if s := c.subs[num]; s != nil && s.monitor == i && !s.confirmed {
			s.confirmed = true
			m.live++
			c.watching.Give(s.cost())
		}
	}
	for _, e := range d.Ended {
		c.ended(i, e)
	}
	c.pumpWatches()
	m.upto = subject.Seq(d.Upto)
}

// ended hears that a monitor does not keep a watch: the shard is another's, or it
// refuses the subscription.
func (c *core) ended(from subject.Instance, e *relaypb.Ended) {
	s := c.subs[e.Num]
	switch {
	case s == nil || s.monitor != from:
		c.metrics.late.Inc()
	case e.Text == "":
		c.rewatch(s)
	default:
		c.release(s) // there is nothing to tell the monitor
		c.closeSub(s, e.Text)
	}
}

// deliver passes an event on to one subscription. Only the monitor that it is
// registered with counts, even when another has heard of it as well while the
// shard changes hands: each is complete and in order, a mixture is neither.
func (c *core) deliver(from subject.Instance, num uint64, seq subject.Seq, p *parcel) {
	s := c.subs[num]
	switch {
	case s == nil:
		c.metrics.late.Inc()
		c.exorcise(num, subject.Monitor)
	case s.monitor != from || seq <= s.seen:
		c.metrics.repeated.Inc()
	default:
		s.seen = seq
		c.event(s, p)
		c.metrics.delivered.Inc()
	}
}

// exorcise tells whoever works under a number that nobody waits for to stop: what
// told it so before was lost.
func (c *core) exorcise(num uint64, by subject.Stage) {
	if c.ghosts == 0 {
		return
	}
	c.ghosts--
	sh := subject.Shard(num % uint64(c.space.Shards()))
	if by == subject.Monitor {
		c.sendUnwatch(sh, num, false)
		return
	}
	c.send(c.space.Req(sh), &relaypb.ReqInbox{Body: &relaypb.ReqInbox_Stop{
		Stop: &relaypb.Stop{Conn: uint64(subject.MakeConnID(c.self, uint32(sh))), Num: num},
	}})
}

// checkMonitors registers again with a monitor that has read on in the log and
// keeps it to itself: then its last words were lost, or it has taken this gateway
// for dead and dropped its watches.
func (c *core) checkMonitors() {
	if c.who.view == nil {
		return
	}
	for _, i := range slices.Sorted(maps.Keys(c.monitors)) {
		m := c.monitors[i]
		switch {
		case m.live == 0 || c.who.progress(i) <= m.upto:
			m.behind = time.Time{}
		case m.behind.IsZero():
			m.behind = c.now
		case c.now.Sub(m.behind) >= behindTime:
			c.rewatchFrom(i)
		}
	}
}
