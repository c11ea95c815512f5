package up

import "time"

// How long a child that died is left lying: hardly at all the first time, since
// its shards are waiting, and up to maxPause when it keeps dying. One that lived
// for long has earned a first time again.
const (
	firstPause = 75 * time.Millisecond
	maxPause   = 2 * time.Second
	longLife   = 30 * time.Second
)

// backoff is the memory of one child's deaths. The zero value has seen none.
type backoff struct{ last time.Duration }

// after returns the pause before the next start of a child that lived so long.
func (b *backoff) after(lived time.Duration) time.Duration {
	if b.last == 0 || lived >= longLife {
		b.last = firstPause
	} else {
		b.last = min(2*b.last, maxPause)
	}
	return b.last
}
