package monitor

import (
	"cmp"
	"slices"
	"time"

	"rhea/proto/subject"
)

// How long watches outlive their gateway, which may only have been silent, and
// their shard, whose gateways register with its new owner meanwhile.
const (
	gatewayGrace = 3 * time.Second
	shardGrace   = 2 * time.Second
	// gainGrace is how long gateways may take to register what a shard has with its
	// new owner.
	gainGrace = 3 * time.Second
)

// maxGateways bounds how many gateways are known, as the roster does.
const maxGateways = 1024

// newGateway makes the gateway of an instance that is not known yet; nil if too
// many are.
func (c *core) newGateway(id subject.Instance) *gateway {
	if len(c.gateways) >= maxGateways {
		return nil
	}
	slot := slices.Index(c.slots, nil)
	if slot < 0 {
		slot = len(c.slots)
		c.slots = append(c.slots, nil)
	}
	gw := &gateway{id: id, slot: uint16(slot)}
	c.slots[slot], c.gateways[id] = gw, gw
	return gw
}

// shards is what this process holds, and what it held or never held but has
// watches of, with the time since when.
type shards struct {
	held map[subject.Shard]bool
	lost map[subject.Shard]time.Time
	// When the last shard was gained: gateways register what it has a moment later.
	gained time.Time
}

// note takes a watch's shard into account.
func (s *shards) note(sh subject.Shard, now time.Time) {
	if _, known := s.lost[sh]; !known && !s.held[sh] {
		s.lost[sh] = now
	}
}

// reshard takes note of the shards gained and lost.
func (c *core) reshard(now time.Time, gained, lost []subject.Shard) {
	if len(gained) > 0 {
		c.shards.gained = now
	}
	for _, sh := range gained {
		c.shards.held[sh] = true
		delete(c.shards.lost, sh)
	}
	for _, sh := range lost {
		delete(c.shards.held, sh)
		c.shards.lost[sh] = now
	}
}

// tick does, once a second, what time asks for: it drops the watches of gateways
// and shards that have been gone for long enough, and gives a sign of life to the
// gateways that have something to learn from it.
func (c *core) tick(now time.Time, alive func(subject.Instance) bool) {
	c.now = now
	for sh, since := range c.shards.lost {
		if now.Sub(since) >= shardGrace {
			delete(c.shards.lost, sh)
			c.letGo(sh)
		}
	}
	for id, gw := range c.gateways {
		switch {
		case alive(id):
			gw.missing = time.Time{}
		case gw.missing.IsZero():
			gw.missing = now
		case now.Sub(gw.missing) >= gatewayGrace:
			for _, r := range c.watches.those(func(w *watch) bool { return w.gateway == gw.slot }) {
				c.drop(r)
			}
			c.slots[gw.slot] = nil
			delete(c.gateways, id)
			continue
		}
		if c.known && gw.watches > 0 && (gw.number == 0 || gw.said != c.position() || gw.content) {
			c.talk(gw)
		}
	}
}

// letGo drops the watches of a shard that another monitor has, and says so: a
// gateway that has not noticed would wait for events that never come.
func (c *core) letGo(sh subject.Shard) {
	list := c.watches.those(func(w *watch) bool { return w.shard == sh })
	slices.SortFunc(list, func(a, b ref) int { return cmp.Compare(c.watches.at(a).num, c.watches.at(b).num) })
	for _, r := range list {
		w := c.watches.at(r)
		gw, num := c.slots[w.gateway], w.num
		c.drop(r)
		c.end(gw, num, "")
	}
}
