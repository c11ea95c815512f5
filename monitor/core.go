package monitor

import (
	"slices"
	"time"

	"rhea/proto/nostr"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// core is the state of the stage and all of its decisions. It belongs to one
// goroutine, knows neither bus nor clock, and never blocks: what it is told comes
// in by its methods, what it has to say is collected until flush.
type core struct {
	self    subject.Instance
	cfg     Config
	shardOf func(subject.ConnID) subject.Shard
	limits  nostr.FilterLimits
	metrics *metrics
	now     time.Time        // of what is in hand
	today   func() time.Time // that expiration is judged by; nil: now

	private policy.Kinds // for the parties of an event only

	// The log. Until the follower has told the position nothing is known.
	known  bool
	store  uint64
	window window

	index   *index
	watches watches

	gateways map[subject.Instance]*gateway
	slots    []*gateway // by gateway.slot; nil for one that is free
	shards   shards

	keys []nostr.PubKey // scratch

	waiting  []ref  // watches not served up to the position yet, oldest first
	fetching *fetch // the range that was asked for; nil when none is
	talking  []*gateway
	heard    []hearing
	lookups  int // of waiting watches since the last flush, to know who hears

	committed uint64 // when what is being matched live was on disk, Unix nanoseconds; else 0
}

// outputs is what the core has to say. It holds until the core is told more.
type outputs struct {
	deliveries []delivery
	heard      []hearing
	fetch      *fetch // to be answered with fetched
	more       bool   // flush again, soon: watches are left that could be served
}

// delivery is a message for one gateway.
type delivery struct {
	to  subject.Instance
	msg *relaypb.Deliveries
}

func newCore(self subject.Instance, cfg Config, limits nostr.FilterLimits, pol policy.Policy, shardOf func(subject.ConnID) subject.Shard, m *metrics) *core {
	c := &core{
		self: self, shardOf: shardOf, metrics: m,
		index: newIndex(newFilters()), watches: newWatches(),
		gateways: make(map[subject.Instance]*gateway),
		shards:   shards{held: make(map[subject.Shard]bool), lost: make(map[subject.Shard]time.Time)},
	}
	c.set(cfg, limits, pol)
	return c
}

// set changes the settings. Watches that are registered stay; what they are sent
// from now on, out of the window too, goes by the new private kinds.
func (c *core) set(cfg Config, limits nostr.FilterLimits, pol policy.Policy) {
	c.cfg, c.limits, c.private = cfg, limits, pol.PrivateKinds
	c.window.resize(int(cfg.WindowBytes), cfg.WindowEntries)
	c.window.judge(c.partiesOf)
}

// partiesOf returns who alone may see an event of a private kind, nil for others.
func (c *core) partiesOf(h nostr.Header) nostr.Parties {
	if _, private := slices.BinarySearch(c.private, h.Kind()); private {
		return h.Parties()
	}
	return nil
}

// position is the last Seq of the log that has been matched.
func (c *core) position() subject.Seq {
	if c.window.next == 0 {
		return 0
	}
	return c.window.next - 1
}

// handle takes a message of the inbox.
func (c *core) handle(now time.Time, m *relaypb.SubInbox) {
	c.now = now
	switch body := m.Body.(type) {
	case *relaypb.SubInbox_Watch:
		c.watch(body.Watch)
	case *relaypb.SubInbox_Unwatch:
		c.unwatch(body.Unwatch)
	default:
		c.metrics.garbage.Inc()
	}
}

// follow takes the next batch of the log and matches it.
func (c *core) follow(now time.Time, e *relaypb.Entries) {
	c.now = now
	if e.Next < e.From {
		c.metrics.garbage.Inc()
		return
	}
	from := subject.Seq(e.From)
	if !c.known || e.Store != c.store || from != c.window.next {
		c.restart(e.Store, from)
	}
	list := c.commits(e)
	c.committed = e.Committed
	for i := range list {
		c.window.push(list[i])
		c.match(&list[i])
	}
	c.committed = 0
	for _, entry := range e.Entries {
		for _, r := range entry.Removed {
			c.window.forget(subject.Seq(r.Seq))
		}
	}
	c.window.advance(subject.Seq(e.Next))
}

// restart begins another history of the log at a position. The watches stay; what
// they have seen of the old history says nothing about the new one.
func (c *core) restart(store uint64, next subject.Seq) {
	if c.known {
		c.metrics.restarts.Inc()
		for _, gw := range c.gateways {
			gw.said = min(gw.said, before(next))
		}
		c.watches.each(func(_ ref, w *watch) { w.after = min(w.after, before(next)) })
	}
	c.known, c.store = true, store
	c.fetching = nil
	c.window.reset(next)
}

func before(next subject.Seq) subject.Seq {
	if next == 0 {
		return 0
	}
	return next - 1
}

// removedSize is about what a Removed takes of a bus message, in bytes.
const removedSize = 48

// commits checks a batch and returns its events.
func (c *core) commits(e *relaypb.Entries) []commit {
	list := make([]commit, 0, len(e.Entries))
	last := e.From
	for _, entry := range e.Entries {
		if len(entry.Header) == 0 {
			continue // nothing but a removal
		}
		h, err := nostr.CheckHeader(entry.Header)
		if err != nil || entry.Seq < last || entry.Seq >= e.Next {
			c.metrics.garbage.Inc()
			continue
		}
		last = entry.Seq + 1
		list = append(list, commit{
			seq: subject.Seq(entry.Seq), header: h, json: entry.Json, parties: c.partiesOf(h),
			asker: subject.Instance(entry.Asker), num: entry.Num,
			pins: len(h) + len(entry.Json) + removedSize*len(entry.Removed),
		})
	}
	return list
}

// date is the time that expiration is judged by, in Unix seconds.
func (c *core) date() int64 {
	if c.today != nil {
		return c.today().Unix()
	}
	return c.now.Unix()
}

// match delivers a commit to the live watches that want it.
func (c *core) match(e *commit) {
	c.metrics.commits.Inc()
	if e.header.Expired(c.date()) {
		return
	}
	takers := 0
	c.index.match(e.header, func(f *liveFilter) {
		for _, r := range f.watches.items(c.index.arena) {
			w := c.watches.at(r)
			if e.seq <= w.after || !c.maySee(w, e) {
				continue // before its time, by another of its filters, or not for it
			}
			w.after = e.seq
			takers++
			c.deliver(c.slots[w.gateway], w.num, e)
		}
	})
	c.metrics.recipients.Add(takers)
	if e.asker != 0 {
		c.hear(e, takers)
	}
}
