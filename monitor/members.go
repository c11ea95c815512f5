package monitor

import (
	"maps"
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
			for _, w := range gw.watches {
				c.drop(w)
			}
			delete(c.gateways, id)
			continue
		}
		if c.known && len(gw.watches) > 0 && (gw.number == 0 || gw.said != c.position() || gw.content) {
			c.talk(gw)
		}
	}
}

// letGo drops the watches of a shard that another monitor has, and says so: a
// gateway that has not noticed would wait for events that never come.
func (c *core) letGo(sh subject.Shard) {
	for _, gw := range c.gateways {
		for _, num := range slices.Sorted(maps.Keys(gw.watches)) {
			if w := gw.watches[num]; w.shard == sh {
				c.drop(w)
				c.end(gw, num, "")
			}
		}
	}
}
