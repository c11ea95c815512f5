package deflate

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"rhea/proto/nostr/nostrtest"
)

// What is sent once is not compressed; what is sent again is, once.
func TestRunsOf(t *testing.T) {
	lines := nostrtest.Lines(t)
	r := NewRuns(1 << 20)
	if r.Of(lines[0]) != nil || r.Of(lines[1]) != nil {
		t.Error("an event is compressed for one")
	}
	again := r.Of(bytes.Clone(lines[0]))
	if again == nil {
		t.Fatal("an event is not compressed the second time")
	}
	if third := r.Of(lines[0]); &third[0] != &again[0] {
		t.Error("an event is compressed twice")
	}
	for size, compressed := range map[int]bool{2: false, maxRun: true, maxRun + 1: false} {
		json := bytes.Repeat([]byte("x"), size)
		r.Of(json)
		if (r.Of(json) != nil) != compressed || (r.Of(json) != nil) != compressed {
			t.Errorf("%d bytes are compressed: %v", size, !compressed)
		}
	}
}

// However many events pass, the memory is bounded, what is asked for all the time
// stays, and each run is its event's.
func TestRunsAreBounded(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	lines := nostrtest.Lines(t)
	r := NewRuns(256 << 10)
	r.Of(lines[0])
	hot := r.Of(lines[0])
	for range 5000 {
		json := lines[rng.IntN(len(lines))]
		if run := r.Of(json); run != nil && rng.IntN(8) == 0 && inflated(t, run) != string(json)+"]" {
			t.Fatal("the run of another event")
		}
		if now := r.Of(lines[0]); len(now) == 0 || &now[0] != &hot[0] {
			t.Fatal("what is asked for all the time is forgotten")
		}
		if size := sizeOf(r.young) + sizeOf(r.old); size > 256<<10 || r.size != sizeOf(r.young) {
			t.Fatalf("%d bytes, %d of them young, which are said to be %d", size, sizeOf(r.young), r.size)
		}
	}
}

func sizeOf(generation map[key]entry) (size int) {
	for _, run := range generation {
		size += entryBytes + len(run)
	}
	return size
}

// BenchmarkRuns looks runs up, and makes none.
func BenchmarkRuns(b *testing.B) {
	events := usual(b)
	r := NewRuns(64 << 20)
	for range 2 {
		for _, e := range events {
			r.Of(e)
		}
	}
	for i := 0; b.Loop(); i++ {
		r.Of(events[i%len(events)])
	}
}
