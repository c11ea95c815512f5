package gateway

import (
	"slices"

	"github.com/gobwas/ws"

	"rhea/proto/nostr"
)

// Drain has the core take in no more messages of clients.
func (c *core) Drain() { c.draining = true }

// unanswered is how many EVENTs and stored queries wait for an answer.
func (c *core) unanswered() int {
	n := len(c.events)
	for _, s := range c.subs {
		if s.query != nil {
			n++
		}
	}
	return n
}

// Farewell refuses what is unanswered, and closes every connection with 1001.
func (c *core) Farewell() {
	var nums []uint64
	for num := range c.events {
		nums = append(nums, num)
	}
	slices.Sort(nums)
	why := nostr.Failed.Text("the relay is going away; try again")
	for _, num := range nums {
		c.answer(num, c.events[num], "", false, why)
	}
	for _, s := range c.sorted(func(s *sub) bool { return s.query != nil }) {
		c.closeSub(s, why)
	}
	for _, cn := range c.conns {
		cn.close(ws.StatusGoingAway, "the relay is going away")
	}
}
