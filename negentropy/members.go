package negentropy

import (
	"slices"
	"time"

	"rhea/proto/nostr"
	"rhea/proto/subject"
)

// How long sessions outlive a gateway that the roster does not know, which may
// only be new or have been silent; and how long one may take to open, which is
// less than gateways wait.
const (
	gatewayGrace = 3 * time.Second
	openPatience = 10 * time.Second
)

// lose drops the sessions of shards that another process serves now. Their
// gateways have ended them when they saw that.
func (c *core) lose(lost []subject.Shard) {
	c.dropIf(func(s *session) bool { return slices.Contains(lost, s.shard) })
}

// tick does, once a second, what time asks for.
func (c *core) tick(now time.Time, alive func(subject.Instance) bool) {
	c.now = now
	c.mirror.expire(c.date())
	c.mourn(alive)
	for _, s := range c.sessions {
		idleFor, age := now.Sub(s.since), now.Sub(s.began)
		switch {
		case s.state == idle && idleFor >= c.cfg.IdleTimeout:
			c.fail(s, nostr.Closed.Text("you took too long to respond!"), 0)
		case s.state == idle && age >= c.cfg.MaxAge:
			c.fail(s, nostr.Closed.Text("the session is too old; start over"), 0)
		case s.state == idle && c.drifted(s):
			c.fail(s, nostr.Closed.Text("too many events have changed since the session began; start over"), 0)
		case (s.state == forTree || s.state == opening) && age >= openPatience:
			c.fail(s, nostr.Failed.Text("the events of the session could not be read in time; try again later"), 0)
		}
	}
}

// drifted reports whether the mirror has changed so much since a session took its
// set out of it that what they no longer share fills the memory for sessions, or
// is a new one. Since this ends the oldest of them, it bounds what all of them
// keep alive.
func (c *core) drifted(s *session) bool {
	return s.origin != nil && (s.origin != c.mirror.tree ||
		(s.origin.copied-s.copied)*nodeBytes >= int(c.cfg.MaxSessionBytes))
}

// mourn drops the sessions of gateways that are gone.
func (c *core) mourn(alive func(subject.Instance) bool) {
	present := make(map[subject.Instance]bool)
	for k := range c.sessions {
		present[k.gateway] = true
	}
	c.absent.Note(c.now, present, alive)
	c.dropIf(func(s *session) bool { return c.absent.For(s.conn.Gateway(), c.now, gatewayGrace) })
}

func (c *core) dropIf(cond func(*session) bool) {
	for _, s := range c.sessions {
		if cond(s) {
			c.drop(s)
			c.metrics.dropped.Inc()
		}
	}
}

// news takes what the loader has for the mirror. Sessions that waited for it, or
// for it to be given up, go on.
func (c *core) news(now time.Time, n news) {
	c.now = now
	c.mirror.take(n, c.date())
	if c.count[forTree] == 0 {
		return
	}
	for _, s := range c.sessions {
		if s.state == forTree {
			c.plan(s) // while another store is loaded: forgets how far the one before was
		}
	}
}

// active reports whether a message waits for its answer.
func (c *core) active() bool { return c.count[forTree]+c.count[opening]+c.count[answering] > 0 }

// stop ends what has not been answered, and refuses what still comes.
func (c *core) stop() {
	c.stopping = true
	for _, s := range c.sessions {
		if s.pending() {
			c.fail(s, nostr.Closed.Text("the relay is restarting; start over"), 0)
		}
	}
}
