package monitor

import (
	"slices"
	"time"

	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// fetch asks for the log from a Seq on, of the history that was current then.
type fetch struct {
	from subject.Seq
}

// settleTries is how many (watch, commit) pairs one settle tries, ten to twenty
// milliseconds of work: when a monitor has died all its watches come at once, and
// those that are live already are not to wait for them.
const settleTries = 200_000

// keepWaiting is how long a list of waiting watches is kept when none wait any more.
const keepWaiting = 1 << 10

// settle brings the waiting watches forward: those that the window reaches back
// to are served from it, confirmed and live; for the others a range of the log is
// fetched, one at a time, for the oldest and whoever else it serves. It reports
// whether some are left that the window reaches back to.
func (c *core) settle() (more bool) {
	if !c.known || len(c.waiting) == 0 {
		return false
	}
	var ready []ref
	left := c.waiting[:0]
	tries := 0
	for _, r := range c.waiting {
		switch w := c.watches.at(r); {
		case w.state == gone:
			c.watches.arena.release(r)
		case c.window.covers(w.after) && tries < settleTries:
			ready = append(ready, r)
			tries += 1 + len(c.window.behind(w.after))
		default:
			more = more || c.window.covers(w.after)
			left = append(left, r)
		}
	}
	if c.waiting = left; len(left) == 0 && cap(left) > keepWaiting {
		c.waiting = nil
	}
	if len(ready) > 0 {
		c.serve(ready, c.window.behind(c.least(ready)))
		for _, r := range ready {
			w := c.watches.at(r)
			w.after = max(w.after, c.position())
			c.join(r)
			c.confirm(w)
		}
		c.metrics.caughtUp.Add(len(ready))
	}
	return more
}

// nextFetch says what to fetch now, if anything.
func (c *core) nextFetch() *fetch {
	if c.fetching != nil || !c.known {
		return nil
	}
	oldest := slices.IndexFunc(c.waiting, func(r ref) bool {
		w := c.watches.at(r)
		return w.state == waiting && !c.window.covers(w.after)
	})
	if oldest < 0 {
		return nil
	}
	c.fetching = &fetch{from: c.watches.at(c.waiting[oldest]).after + 1}
	c.metrics.fetches.Inc()
	return c.fetching
}

// fetched takes the answer to a fetch and serves the waiting watches from it. An
// answer that does not get on, or is of another history than the follower's, is
// dropped: the next flush asks again.
func (c *core) fetched(now time.Time, f *fetch, e *relaypb.Entries) {
	c.now = now
	if f != c.fetching {
		return
	}
	c.fetching = nil
	from, next := f.from, subject.Seq(e.Next)
	if e.Store != c.store || next <= from {
		c.metrics.staleFetches.Inc()
		return
	}
	var group []ref
	for _, r := range c.waiting {
		if w := c.watches.at(r); w.state == waiting && w.after+1 >= from && w.after+1 < next {
			group = append(group, r)
		}
	}
	if len(group) == 0 {
		return
	}
	c.serve(group, c.commits(e))
	for _, r := range group {
		c.watches.at(r).after = next - 1
	}
}

// serve delivers commits, ascending, to the watches of a group that want and may
// see them. It goes through the commits for each watch, not the other way round:
// after the loss of a monitor the group is large, and its filters then stay in the
// cache.
func (c *core) serve(group []ref, commits []commit) {
	takers := make([][]ref, len(commits))
	for _, r := range group {
		from := firstBehind(commits, c.watches.at(r).after)
		if from == len(commits) {
			continue
		}
		filters := c.read(r)
		for i := from; i < len(commits); i++ {
			if !commits[i].gone() && nostr.MatchAny(filters, commits[i].header) {
				takers[i] = append(takers[i], r)
			}
		}
	}
	now := c.date()
	for i := range commits {
		e := &commits[i]
		if len(takers[i]) == 0 || e.header.Expired(now) {
			continue
		}
		for _, r := range takers[i] {
			if w := c.watches.at(r); c.maySee(w, e) {
				c.metrics.recipients.Inc()
				c.deliver(c.slots[w.gateway], w.num, e)
			}
		}
	}
}

func (c *core) least(group []ref) subject.Seq {
	after := c.watches.at(group[0]).after
	for _, r := range group {
		after = min(after, c.watches.at(r).after)
	}
	return after
}
