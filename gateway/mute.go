package gateway

import (
	"slices"
	"time"

	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// hearing is what is known of who has received an ephemeral event, on a relay that
// tells its author (NIP-01, mute:).
type hearing struct {
	id, text string // of the verdict
	decided  bool   // it is in
	heard    bool
	deaf     []subject.Instance // monitors none of whose subscriptions wanted it
}

// hearTime is how long monitors may take to say who has received an event.
// Without their word it counts as received.
const hearTime = time.Second

// awaitWord waits, with the verdict on an ephemeral event, for the monitors' word.
func (c *core) awaitWord(num uint64, e *event, id, text string) {
	h := e.hearing()
	h.id, h.text, h.decided = id, text, true
	c.alarms.set(c.now.Add(hearTime), alarm{aboutHearing, num})
	c.judge(num, e)
}

// heard takes in a monitor's word. It may come before the verdict.
func (c *core) heard(m *relaypb.Heard) {
	e := c.events[m.Num]
	if e == nil || !c.policy.Mute {
		return // others have said enough
	}
	h, from := e.hearing(), subject.Instance(m.Monitor)
	if m.Watches > 0 {
		h.heard = true
	} else if slices.Contains(c.who.monitors, from) && !slices.Contains(h.deaf, from) {
		h.deaf = append(h.deaf, from)
	}
	c.judge(m.Num, e)
}

// judge answers an ephemeral event as soon as enough is known.
func (c *core) judge(num uint64, e *event) {
	h := e.hear
	deaf := func(m subject.Instance) bool { return slices.Contains(h.deaf, m) }
	switch {
	case !h.decided:
	case h.heard:
		c.answer(num, e, h.id, true, h.text)
	case len(c.who.monitors) > 0 && !slices.ContainsFunc(c.who.monitors, func(m subject.Instance) bool { return !deaf(m) }):
		c.answer(num, e, h.id, false, nostr.Mute.Text("nobody received it"))
	}
}

// checkHearing ends the wait for the monitors' word.
func (c *core) checkHearing(num uint64) {
	if e := c.events[num]; e != nil {
		c.answer(num, e, e.hear.id, true, e.hear.text)
	}
}

// hearing returns what is known, which is nothing at first.
func (e *event) hearing() *hearing {
	if e.hear == nil {
		e.hear = new(hearing)
	}
	return e.hear
}

// decided says whether the verdict is in, and only the monitors' word is missing.
func (e *event) decided() bool { return e.hear != nil && e.hear.decided }
