package gateway

import (
	"slices"

	"github.com/gobwas/ws"

	"rhea/proto/nostr"
)

// goingAway is what a client hears that asks too late.
func goingAway() string { return nostr.Failed.Text("the relay is going away; try again") }

// Drain has the core refuse whatever clients still ask for. What they end, they end.
func (c *core) Drain() { c.draining = true }

// settled says whether every EVENT, AUTH, COUNT, stored query and message of a
// session has its answer.
func (c *core) settled() bool {
	return len(c.events)+len(c.counts)+c.queries+len(c.waitingSessions()) == 0
}

// Farewell refuses what is unanswered, and closes every connection with 1001.
func (c *core) Farewell() {
	c.refuseUnanswered(func(*conn) bool { return true })
	for _, cn := range c.conns {
		c.close(cn, ws.StatusGoingAway, "the relay is going away")
	}
}

// refuseUnanswered answers, with error:, all that some connections have not been
// answered.
func (c *core) refuseUnanswered(of func(*conn) bool) {
	var nums []uint64
	for num, e := range c.events {
		if of(e.conn) {
			nums = append(nums, num)
		}
	}
	slices.Sort(nums)
	for _, num := range nums {
		if e := c.events[num]; e.decided() {
			c.checkHearing(num)
		} else {
			c.answer(num, e, "", false, goingAway())
		}
	}
	for _, n := range c.sortedCounts() {
		if of(n.conn) {
			c.dropCount(n, true)
			c.sayClosed(n.conn, n.id, goingAway())
		}
	}
	for _, s := range c.sorted(func(s *sub) bool { return s.query != nil && of(s.conn) }) {
		c.closeSub(s, goingAway())
	}
	for _, s := range c.waitingSessions() {
		if of(s.conn) {
			c.failSession(s, goingAway())
		}
	}
}
