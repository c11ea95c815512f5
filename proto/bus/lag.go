package bus

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"rhea/proto/subject"
)

// Lag measures how far a reader of the log is behind the writer, in Seqs and in
// time. The zero value knows nothing. Its methods are safe for concurrent use.
type Lag struct {
	mu    sync.Mutex
	known bool
	seqs  uint64
	mark  subject.Seq // a head that was not reached when it was noted; 0: none
	since time.Time   // when
}

// Note takes in how far the reader has come and where the log ends; about once a
// second.
func (l *Lag) Note(now time.Time, position, head subject.Seq) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known = true
	l.seqs = uint64(head - min(head, position))
	if position >= l.mark || head < l.mark { // a lower head is another log's
		if l.mark = 0; head > position {
			l.mark, l.since = head, now
		}
	}
}

// Forget says that the reader has lost its place.
func (l *Lag) Forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known, l.seqs, l.mark = false, 0, 0
}

// Seqs is by how many Seqs the reader was behind at the last Note.
func (l *Lag) Seqs() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seqs
}

// Behind is for how long the reader has been behind a head that it has not
// reached yet; to about a second less than the age of what it reads.
func (l *Lag) Behind(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mark == 0 {
		return 0
	}
	return max(0, now.Sub(l.since))
}

// tolerableLag is by how much a follower that is well may be behind.
const tolerableLag = 5 * time.Second

// Check says that the reader does not know its place in the log, or is behind by
// more than 5 seconds; else it returns nil.
func (l *Lag) Check() error {
	behind := l.Behind(time.Now())
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !l.known:
		return errors.New("does not know its place in the log yet")
	case behind > tolerableLag:
		return fmt.Errorf("%d Seqs and %s behind the writer", l.seqs, behind.Round(time.Second))
	}
	return nil
}
