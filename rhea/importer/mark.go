package importer

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"math"
)

// markEvery is after how many bytes of text the reader makes a mark. What lies
// behind the last mark is read again by an import that goes on: all duplicates.
const markEvery = 256 << 10

// tracker makes marks: it knows how much of a text has been read, and what. Without
// one, as for an import that does not go on later, there are none.
type tracker struct {
	sum   hash.Hash
	state State // without SHA256
	whole bool  // no line is cut at the end of what was read
	last  int64 // Bytes of the last mark
}

// skip reads the text that has been imported before, and makes sure that it is that.
func skip(file string, r io.Reader, from State) (*tracker, error) {
	t := &tracker{sum: sha256.New(), state: from, whole: true, last: from.Bytes}
	n, err := io.CopyN(t.sum, r, from.Bytes)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("%s: %w", file, explain(err))
	}
	if from.Bytes > 0 && (n < from.Bytes || hex.EncodeToString(t.sum.Sum(nil)) != from.SHA256) {
		return nil, fmt.Errorf("%s is not the file whose import was cut: remove %s to import it from the start", file, file+StateSuffix)
	}
	return t, nil
}

// take counts what was read: at most up to the end of a line.
func (t *tracker) take(piece []byte) {
	if t == nil || len(piece) == 0 {
		return
	}
	t.sum.Write(piece)
	t.state.Bytes += int64(len(piece))
	if t.whole = piece[len(piece)-1] == '\n'; t.whole {
		t.state.Lines++
	}
}

// mark returns a place to go on from when one is due, or when the text has ended; nil
// within a line, which could have more to it the next time.
func (t *tracker) mark(ended bool) *State {
	if t == nil || !t.whole || t.state.Bytes == t.last || t.state.Bytes-t.last < markEvery && !ended {
		return nil
	}
	t.last = t.state.Bytes
	state := t.state
	state.SHA256 = hex.EncodeToString(t.sum.Sum(nil))
	return &state
}

// mark is a place that an import can go on from once the events up to num are answered.
type mark struct {
	file  string
	state State
	num   uint64
}

// mark takes a place in that lies behind everything added so far. Behind an event
// that has failed in the relay there are none: it is to be sent again the next time.
func (c *core) mark(file string, state State) {
	if !c.failed {
		c.marks = append(c.marks, mark{file, state, c.nums})
	}
}

// reached returns the last place of each file that has come to be answered in full.
func (c *core) reached() map[string]State {
	open := uint64(math.MaxUint64)
	for num := range c.waiting {
		open = min(open, num)
	}
	states := make(map[string]State)
	for len(c.marks) > 0 && c.marks[0].num < open {
		states[c.marks[0].file] = c.marks[0].state
		c.marks = c.marks[1:]
	}
	return states
}

// fail notes that an event has no final answer: no mark behind it counts.
func (c *core) fail(num uint64) {
	c.failed = true
	for i, m := range c.marks {
		if m.num >= num {
			c.marks = c.marks[:i]
			return
		}
	}
}
