package gateway

import (
	"time"

	"rhea/proto/frame"
)

// claim is what a client's message has taken from the windows. It keeps within
// bounds what the processes that read the message have before them.
type claim struct {
	conn  *conn
	bytes int
}

// claimTime is how long a REQ, COUNT or NEG may claim when no answer comes: what its
// process has not read by then, it has lost. An EVENT or AUTH claims until its answer.
const claimTime = 2 * time.Second

// weigh returns what a message takes from the windows: the bytes of what is sent
// on the bus for it.
func weigh(m frame.Client, err error) int {
	if err == nil && asks(m.Verb) {
		return len(m.Body)
	}
	return 0
}

// asks says whether a message asks something of other processes.
func asks(v frame.Verb) bool {
	return v != 0 && v != frame.Close && v != frame.NegClose
}

// claim keeps what a message has taken until its question has its first answer.
// That is also what a REQ does which is closed or replaced before: the other side
// reads it all the same. Without a question, num 0, it goes back at once.
func (c *core) claim(num uint64, cn *conn, bytes int) {
	switch {
	case bytes == 0:
		return
	case num == 0:
		c.hub.windows.give(cn, bytes)
		return
	}
	c.claims[num] = claim{cn, bytes}
	if c.events[num] == nil {
		c.alarms.set(c.now.Add(claimTime), alarm{aboutClaim, num})
	}
}

// giveBack ends a claim, if the question has one.
func (c *core) giveBack(num uint64) {
	if cl, ok := c.claims[num]; ok {
		delete(c.claims, num)
		c.hub.windows.give(cl.conn, cl.bytes)
	}
}
