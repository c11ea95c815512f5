package reqworker

import (
	"slices"
	"time"

	"rhea/proto/subject"
)

// How long queries outlive a gateway that the roster does not know, which may only
// be new or have been silent, and a pause.
const (
	gatewayGrace = 3 * time.Second
	longestPause = time.Minute
)

// lose drops the queries of shards that another worker serves now: the gateways
// send them there, with their cursors.
func (c *core) lose(lost []subject.Shard) {
	c.dropIf(func(q *query) bool { return slices.Contains(lost, q.shard) })
}

// tick does, once a second, what time asks for: it drops the queries of gateways
// that are gone, and those that have been paused for too long.
func (c *core) tick(now time.Time, alive func(subject.Instance) bool) {
	c.now = now
	present := make(map[subject.Instance]bool)
	for k := range c.queries {
		present[k.gateway] = true
	}
	c.absent.Note(now, present, alive)
	c.dropIf(func(q *query) bool {
		return c.absent.For(q.conn.Gateway(), now, gatewayGrace) ||
			q.state == paused && now.Sub(q.since) >= longestPause
	})
}

func (c *core) dropIf(cond func(*query) bool) {
	for _, q := range c.queries {
		if cond(q) {
			c.drop(q)
			c.metrics.dropped.Inc()
		}
	}
}

// active says whether a query is running that is not waiting for its client.
func (c *core) active() bool { return len(c.queries) > c.count[paused] }
