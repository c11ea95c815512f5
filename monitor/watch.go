package monitor

import (
	"slices"

	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// watch registers a subscription, unless it is known already.
func (c *core) watch(m *relaypb.Watch) {
	conn := subject.ConnID(m.Conn)
	gw := c.gateways[conn.Gateway()]
	if gw == nil {
		if gw = c.newGateway(conn.Gateway()); gw == nil {
			c.metrics.refused.Inc()
			return // there is not even anybody to tell
		}
	}
	if known := c.watches.find(gw.slot, m.Num); known != 0 {
		if w := c.watches.at(known); w.state == live {
			c.confirm(w)
		}
		return
	}
	if c.watches.table.count >= c.cfg.MaxWatches || c.memory() >= int(c.cfg.MaxFilterBytes) {
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
	r := c.watches.add(gw.slot, m.Num)
	w := c.watches.at(r)
	w.shard, w.after, w.keys = c.shardOf(conn), subject.Seq(m.After), c.internKeys(nostr.ParseKeys(m.Keys))
	c.shards.note(w.shard, c.now)
	for _, f := range filters {
		if f.Impossible() {
			continue
		}
		if lf := c.index.intern(f); c.has(w, lf) {
			c.index.release(lf)
		} else {
			w.filters.add(c.index.arena, membership{filter: lf})
		}
	}
	gw.watches++
	c.waiting = append(c.waiting, r)
}

func (c *core) unwatch(m *relaypb.Unwatch) {
	conn := subject.ConnID(m.Conn)
	gw := c.gateways[conn.Gateway()]
	if gw == nil {
		return
	}
	if m.Below {
		shard := c.shardOf(conn)
		for _, r := range c.watches.those(func(w *watch) bool { return w.gateway == gw.slot && w.num < m.Num && w.shard == shard }) {
			c.drop(r)
		}
		return
	}
	if r := c.watches.find(gw.slot, m.Num); r != 0 {
		c.drop(r)
	}
}

// drop forgets a watch. One that waits stays in the list, gone, until settle
// meets it.
func (c *core) drop(r ref) {
	w := c.watches.at(r)
	if w.state == live {
		c.leave(r)
	}
	for _, m := range w.filters.items(c.index.arena) {
		c.index.release(m.filter)
	}
	w.filters.clear(c.index.arena)
	c.releaseKeys(w.keys)
	c.slots[w.gateway].watches--
	c.watches.table.remove(r)
	if w.state == live {
		c.watches.arena.release(r)
	} else {
		w.state = gone
	}
}

// join makes a watch live.
func (c *core) join(r ref) {
	w := c.watches.at(r)
	w.state = live
	members := w.filters.items(c.index.arena)
	for i := range members {
		f := c.index.at(members[i].filter)
		if f.watches.n == 0 {
			c.index.add(members[i].filter)
		}
		members[i].at = f.watches.add(c.index.arena, r)
	}
}

// leave undoes join.
func (c *core) leave(r ref) {
	for _, m := range c.watches.at(r).filters.items(c.index.arena) {
		f := c.index.at(m.filter)
		if moved, ok := f.watches.cut(c.index.arena, m.at); ok {
			others := c.watches.at(moved).filters.items(c.index.arena)
			i := slices.IndexFunc(others, func(other membership) bool { return other.filter == m.filter })
			others[i].at = m.at
		}
		if f.watches.n == 0 {
			c.index.remove(m.filter)
		}
	}
}

func (c *core) has(w *watch, filter ref) bool {
	return slices.ContainsFunc(w.filters.items(c.index.arena), func(m membership) bool { return m.filter == filter })
}

// holds says whether one of the watch's filters matches the commit in hand.
func (c *core) holds(w *watch) bool {
	return slices.ContainsFunc(w.filters.items(c.index.arena), func(m membership) bool { return c.index.holds(m.filter) })
}

// read returns a watch's filters.
func (c *core) read(r ref) (list []nostr.Filter) {
	for _, m := range c.watches.at(r).filters.items(c.index.arena) {
		list = append(list, c.index.read(m.filter))
	}
	return list
}

// memory is what all watches, their filters and the index of these take, in bytes.
func (c *core) memory() int { return c.watches.bytes() + c.index.bytes() }
