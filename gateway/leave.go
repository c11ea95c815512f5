package gateway

import (
	"cmp"
	"slices"
	"time"

	"github.com/gobwas/ws"
)

// leave is how a gateway that others take over from sends its clients away: one
// after the other, evenly over leave_over, so that they do not come back as a herd.
// A connection whose time has come is read no further; what was read of it is asked
// and answered as ever; then it is closed with 1001. What its client has said
// beyond that was never read, and is the client's to repeat. There is no NOTICE:
// clients show those to people, who have nothing to do about it.
//
//	waiting ──its time──► going ──all answered, or drain_timeout is over──► closed
type leave struct {
	since   time.Time
	waiting []*conn // those who are served as ever, in the order of going
	going   []*conn
	sent    int // away, so far
}

// Leave begins to send the clients away, those that came first first.
func (c *core) Leave() {
	c.leaving = &leave{since: c.now}
	for _, cn := range c.conns {
		c.leaving.waiting = append(c.leaving.waiting, cn)
	}
	slices.SortFunc(c.leaving.waiting, func(a, b *conn) int { return cmp.Compare(a.id, b.id) })
	c.sendAway()
}

// sendAway stops reading from those whose time has come, and closes those that have
// been answered.
func (c *core) sendAway() {
	l := c.leaving
	if l == nil {
		return
	}
	gone := func(cn *conn) bool { return cn.gone }
	l.waiting = slices.DeleteFunc(l.waiting, gone)
	for l.sent < l.due(c.now, c.config.LeaveOver) {
		cn := l.waiting[0]
		l.waiting = l.waiting[1:]
		l.sent++
		l.going = append(l.going, cn)
		cn.rarely().left = c.now
		c.hush(cn)
	}
	l.going = slices.DeleteFunc(l.going, gone)
	for _, cn := range l.going {
		switch late := !cn.left().Add(c.config.DrainTimeout).After(c.now); {
		case cn.closed: // and its client takes its time
		case late:
			c.refuseUnanswered(func(x *conn) bool { return x == cn })
			fallthrough
		case cn.stopped && !cn.owed():
			cn.closed = true
			c.close(cn, ws.StatusGoingAway, "this gateway is going away; connect again")
		}
	}
}

// due is how many should have been sent away by now.
func (l *leave) due(now time.Time, over time.Duration) int {
	all := l.sent + len(l.waiting)
	past := now.Sub(l.since)
	if past >= over {
		return all
	}
	return min(all, 1+int(float64(all)*past.Seconds()/over.Seconds()))
}

// owed says whether the client waits for an answer.
func (cn *conn) owed() bool {
	return cn.pending > 0 || len(cn.counts()) > 0 ||
		slices.ContainsFunc(cn.subs, func(s *sub) bool { return s.query != nil }) ||
		slices.ContainsFunc(cn.sessions(), func(s *session) bool { return s.waiting })
}
