package bus

import (
	"time"

	"rhea/proto/subject"
)

// Absent remembers since when processes that somebody works for have not been in
// the roster: one may only be new, or have been silent. The zero value knows of
// none. It belongs to one goroutine.
type Absent struct {
	since map[subject.Instance]time.Time
}

// Note takes in who is worked for and who is alive, and forgets everybody else.
func (a *Absent) Note(now time.Time, workedFor map[subject.Instance]bool, alive func(subject.Instance) bool) {
	next := make(map[subject.Instance]time.Time)
	for id := range workedFor {
		if alive(id) {
			continue
		}
		if next[id] = now; !a.since[id].IsZero() {
			next[id] = a.since[id]
		}
	}
	a.since = next
}

// For reports whether a process has been absent for at least that long.
func (a *Absent) For(id subject.Instance, now time.Time, long time.Duration) bool {
	since, absent := a.since[id]
	return absent && now.Sub(since) >= long
}
