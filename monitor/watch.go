package monitor

import (
	"slices"

	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// watch is a live subscription. It waits until it has been served up to the
// position of the log, and then is live.
type watch struct {
	gateway *gateway
	num     uint64
	shard   subject.Shard
	state   watchState
	after   subject.Seq // it wants, or still lacks, what lies behind
	filters []membership
	keys    []nostr.PubKey // of its reader
	round   uint64         // of the index's match that delivered to it last
}

type watchState uint8

const (
	waiting watchState = iota
	live
	gone
)

// membership is one filter of a watch and, when live, the watch's place among
// those that have it.
type membership struct {
	filter *liveFilter
	at     uint32
}

// watch registers a subscription, unless it is known already.
func (c *core) watch(m *relaypb.Watch) {
	conn := subject.ConnID(m.Conn)
	gw := c.gateways[conn.Gateway()]
	if gw != nil {
		if known := gw.watches[m.Num]; known != nil {
			if known.state == live {
				c.confirm(known)
			}
			return
		}
	}
	if gw == nil {
		if len(c.gateways) >= maxGateways {
			c.metrics.refused.Inc()
			return // there is not even anybody to tell
		}
		gw = &gateway{id: conn.Gateway(), watches: make(map[uint64]*watch)}
		c.gateways[gw.id] = gw
	}
	if c.watches >= c.cfg.MaxWatches || c.bytes >= int(c.cfg.MaxFilterBytes) {
		c.metrics.refused.Inc()
		c.end(gw, m.Num, nostr.RateLimited.Text("the relay has too many subscriptions"))
		return
	}
	filters, err := nostr.ParseFilters(m.Filters, c.limits)
	if err != nil {
		c.metrics.garbage.Inc()
		c.end(gw, m.Num, nostr.Invalid.Text(err.Error()))
		return
	}
	w := &watch{gateway: gw, num: m.Num, shard: c.shardOf(conn), after: subject.Seq(m.After), keys: nostr.ParseKeys(m.Keys)}
	c.bytes += w.keyBytes()
	c.shards.note(w.shard, c.now)
	for _, f := range filters {
		if f.Impossible() {
			continue
		}
		if lf := c.intern(f); w.has(lf) {
			c.release(lf)
		} else {
			w.filters = append(w.filters, membership{filter: lf})
		}
	}
	w.filters = slices.Clip(w.filters)
	gw.watches[w.num] = w
	c.watches++
	c.waiting = append(c.waiting, w)
}

func (c *core) unwatch(m *relaypb.Unwatch) {
	conn := subject.ConnID(m.Conn)
	gw := c.gateways[conn.Gateway()]
	if gw == nil {
		return
	}
	if m.Below {
		for _, w := range gw.watches {
			if w.num < m.Num && w.shard == c.shardOf(conn) {
				c.drop(w)
			}
		}
		return
	}
	if w := gw.watches[m.Num]; w != nil {
		c.drop(w)
	}
}

// drop forgets a watch. One that waits stays in the list, gone, until settle
// meets it.
func (c *core) drop(w *watch) {
	if w.state == live {
		c.leave(w)
	}
	for _, m := range w.filters {
		c.release(m.filter)
	}
	c.bytes -= w.keyBytes()
	w.state, w.filters = gone, nil
	delete(w.gateway.watches, w.num)
	c.watches--
}

// join makes a watch live.
func (c *core) join(w *watch) {
	w.state = live
	for i := range w.filters {
		m := &w.filters[i]
		if len(m.filter.watches) == 0 {
			c.index.add(m.filter)
		}
		m.at = uint32(len(m.filter.watches))
		m.filter.watches = append(m.filter.watches, w)
	}
}

// leave undoes join.
func (c *core) leave(w *watch) {
	for _, m := range w.filters {
		m.filter.watches = cut(m.filter.watches, m.at, func(moved *watch) {
			i := slices.IndexFunc(moved.filters, func(other membership) bool { return other.filter == m.filter })
			moved.filters[i].at = m.at
		})
		if len(m.filter.watches) == 0 {
			c.index.remove(m.filter)
		}
	}
}

func (w *watch) has(f *liveFilter) bool {
	return slices.ContainsFunc(w.filters, func(m membership) bool { return m.filter == f })
}

// matches says whether one of the watch's filters matches.
func (w *watch) matches(h nostr.Header) bool {
	for _, m := range w.filters {
		if m.filter.filter.Match(h) {
			return true
		}
	}
	return false
}

// maySee says whether the watch may be sent a commit.
func (w *watch) maySee(e *commit) bool { return e.parties == nil || e.parties.Include(w.keys) }

func (w *watch) keyBytes() int { return len(w.keys) * len(nostr.PubKey{}) }
