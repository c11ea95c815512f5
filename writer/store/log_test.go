package store

import (
	"fmt"
	"testing"

	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// TestLogStaysWithinItsSize reads a log in slices of several sizes: events that are
// packed to half of what they are in a message, and the removals of small ones.
func TestLogStaysWithinItsSize(t *testing.T) {
	s := openMem(t, Options{})
	var tags []nostr.Tag
	for i := range 500 {
		tags = append(tags, nostr.Tag{"e", fmt.Sprintf("%064x", i)})
	}
	const count = 60
	var events []*nostr.Event
	for i := range byte(count) {
		events = append(events, made(i, 1, int64(i), "", tags...), made(count+i, 10_000, int64(i), ""))
	}
	load(t, s, events)
	for _, size := range []int{1, 200, 100_000, 256 << 10, 512 << 10} {
		withView(t, s, func(v *View) {
			events, removals := 0, 0
			for next := uint64(1); next <= uint64(v.Seq()); {
				r, err := v.Log(subject.Seq(next), size)
				if err != nil {
					t.Fatal(err)
				}
				if n := relaypb.Size(&relaypb.Entries{Entries: r.Entries}); n > size && len(r.Entries) > 1 {
					t.Errorf("%d bytes are asked for, %d entries of %d bytes come", size, len(r.Entries), n)
				}
				for _, e := range r.Entries {
					events, removals = events+min(1, len(e.Json)), removals+len(e.Removed)
				}
				next = r.Next
			}
			if events != count+1 || removals != count-1 {
				t.Errorf("in slices of %d bytes there are %d events and %d removals", size, events, removals)
			}
		})
	}
}
