package store

import (
	"testing"

	"rhea/proto/nostr/nostrtest"
)

// TestCompactionsLeaveTheLog compacts everything, and has the values of the log stay
// where their flush has put them.
func TestCompactionsLeaveTheLog(t *testing.T) {
	s := openMem(t, Options{})
	events := nostrtest.Events(t)
	for len(events) > 0 {
		n := min(len(events), 500)
		load(t, s, events[:n])
		events = events[n:]
		if err := s.db.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.db.Compact(t.Context(), []byte{0}, []byte{0xff}, false); err != nil {
		t.Fatal(err)
	}
	written, flushed := uint64(0), uint64(0)
	for _, l := range s.db.Metrics().Levels {
		written, flushed = written+l.BlobBytesCompacted, flushed+l.BlobBytesFlushed // of which the latter are part
	}
	if m := s.db.Metrics(); flushed == 0 || written != flushed || m.BlobFiles.LiveCount == 0 {
		t.Errorf("%d bytes of the log were flushed to files of their own, of which there are %d; %d were written", flushed, m.BlobFiles.LiveCount, written)
	}
}
