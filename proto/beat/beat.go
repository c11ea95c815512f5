// Package beat is the rhythm in which the processes of a relay do what nothing asks
// for: announcing themselves, looking after what may be overdue.
//
// Being woken costs an idle process far more than what it then does. So whatever comes
// again and again comes at the same times of the wall clock, at whole multiples of its
// period: in one process with one wake-up, and in all of them, as far as their clocks
// agree, so that one who is woken by the others' announcements is woken once.
package beat

import "time"

// Every is the time between two beats: half a second.
const Every = 500 * time.Millisecond

// Until is how long it is from now until the next multiple of period: more than
// nothing, and never more than the period, whatever the clock does.
func Until(now time.Time, period time.Duration) time.Duration {
	return period - time.Duration(now.UnixNano())%period
}

// Ticker is a timer for a loop: it rings at the next multiple of its period, and again
// after each call of Next.
type Ticker struct {
	*time.Timer
	period time.Duration
}

// NewTicker returns a Ticker that has been set.
func NewTicker(period time.Duration) *Ticker {
	return &Ticker{time.NewTimer(Until(time.Now(), period)), period}
}

// Next sets the ticker again, when it has rung.
func (t *Ticker) Next() { t.Reset(Until(time.Now(), t.period)) }
