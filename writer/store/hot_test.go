package store

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"testing"

	"rhea/proto/subject"
)

// What stands in the cache is what was put there under that Seq, whoever puts at the
// same time, and all of it together stays within the limit.
func TestHotEvents(t *testing.T) {
	const limit = 64 << 10
	h := newHotEvents(limit)
	var putting sync.WaitGroup
	for worker := range uint64(4) {
		rng := rand.New(rand.NewPCG(1, worker))
		putting.Go(func() {
			for range 5000 {
				seq := rng.Uint64N(300) + 1
				json := make([]byte, 8+rng.IntN(2*limit/hotLargest))
				binary.BigEndian.PutUint64(json, seq)
				h.put(&hotEvent{seq: subject.Seq(seq), json: json})
				seq = rng.Uint64N(300) + 1
				if e := h.get(subject.Seq(seq)); e != nil && (uint64(e.seq) != seq || binary.BigEndian.Uint64(e.json) != seq) {
					t.Errorf("under %d stands %d with %x", seq, e.seq, e.json[:8])
				}
			}
		})
	}
	putting.Wait()
	kept, bytes := 0, int64(0)
	for i := range h.places {
		if e := h.places[i].Load(); e != nil {
			kept++
			bytes += e.size()
			if e.size() > limit/hotLargest {
				t.Errorf("an event of %d bytes is kept", e.size())
			}
		}
	}
	if bytes != h.used.Load() || bytes > limit || kept < 30 {
		t.Errorf("%d events of %d bytes are kept, %d are counted, %d allowed", kept, bytes, h.used.Load(), limit)
	}
	h.put(&hotEvent{seq: 7})
	if e := h.get(7); e == nil || h.get(7+subject.Seq(len(h.places))) != nil {
		t.Errorf("just put: %v; and it stands for others", e)
	}
}
