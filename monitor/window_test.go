package monitor

import (
	"testing"

	"rhea/proto/subject"
)

// A commit that has left the store counts: the bus message that it came in is held by
// those that it came with.
func TestWindowCountsTheGone(t *testing.T) {
	const each, room = 1000, 10
	w := window{maxBytes: room * each * 2, maxCount: 1 << 20}
	w.reset(1)
	for seq := subject.Seq(1); seq <= 10*room; seq++ {
		w.push(commit{seq: seq, header: make([]byte, 100), json: make([]byte, each-100), pins: each})
		w.forget(seq - 1)
	}
	if n := w.len(); n < room || n > 2*room {
		t.Errorf("%d commits of %d bytes in a window of %d", n, each, w.maxBytes)
	}
}
