package replay

import (
	"sync/atomic"
	"time"
)

// Clock tells the time of the recording: that of the message that was played last.
// The zero value tells the wall's until it is set. It is safe for concurrent use.
type Clock struct{ at atomic.Int64 }

// Now is the recording's time.
func (c *Clock) Now() time.Time {
	if at := c.at.Load(); at != 0 {
		return time.Unix(0, at)
	}
	return time.Now()
}

// set moves the clock; it does not go back.
func (c *Clock) set(at time.Time) {
	if ns := at.UnixNano(); ns > c.at.Load() {
		c.at.Store(ns)
	}
}
