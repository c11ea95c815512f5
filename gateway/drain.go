package gateway

import (
	"slices"

	"github.com/gobwas/ws"

	"rhea/proto/frame"
	"rhea/proto/nostr"
)

// goingAway is what a client hears that asks too late.
func goingAway() string { return nostr.Failed.Text("the relay is going away; try again") }

// Drain has the core refuse whatever clients still ask for. What they end, they end.
func (c *core) Drain() { c.draining = true }

// turnAway refuses a question that came too late.
func (c *core) turnAway(cn *conn, m frame.Client) {
	switch m.Verb {
	case frame.Event:
		id, _ := frame.EventIDOf(m.Body)
		c.say(cn, frame.AppendOKText(c.scratch[:0], id, false, goingAway()))
	case frame.Req:
		c.unsubscribe(cn, m.Sub)
		c.say(cn, frame.AppendClosed(c.scratch[:0], m.Sub, goingAway()))
	case frame.NegOpen, frame.NegMsg:
		c.endSession(cn, m.Sub)
		c.say(cn, frame.AppendNegErr(c.scratch[:0], m.Sub, goingAway()))
	}
}

// settled says whether every EVENT and every stored query has its answer.
func (c *core) settled() bool { return len(c.events)+c.queries == 0 }

// Farewell refuses what is unanswered, and closes every connection with 1001.
func (c *core) Farewell() {
	var nums []uint64
	for num := range c.events {
		nums = append(nums, num)
	}
	slices.Sort(nums)
	for _, num := range nums {
		c.answer(num, c.events[num], "", false, goingAway())
	}
	for _, s := range c.sorted(func(s *sub) bool { return s.query != nil }) {
		c.closeSub(s, goingAway())
	}
	for _, cn := range c.conns {
		cn.close(ws.StatusGoingAway, "the relay is going away")
	}
}
