package store

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
)

// TestScanUnderCommits scans in slices while events come and go.
func TestScanUnderCommits(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	s := openMem(t, Options{MemTableBytes: 64 << 10})
	h, m := newHistory(seed), newModel(defaultKeep)
	now := time.Now()
	play := func(n int) {
		var batch []Incoming
		for range n {
			e, _ := h.next()
			m.commit(e, false, now)
			batch = append(batch, incomingOf(e))
		}
		commit(t, s, batch...)
		m.sweep(t, s, time.Unix(0, 0), true, func(c *Commit) {
			if _, _, err := c.Wait(); err != nil {
				t.Fatal(err)
			}
		})
	}
	play(500)
	for range 50 {
		gen := nostrtest.NewFilterGen(h.rng.Uint64(), h.past)
		filters := gen.Filters()
		for i := range filters {
			filters[i].Limit = nostr.NoLimit // what a removal does to a limit is not defined
		}
		for _, ascending := range []bool{false, true} {
			before := slices.Collect(maps.Values(m.events))
			rng := h.rng
			if len(filters)%2 == 0 {
				rng = nil
			}
			got := scanAll(t, s, rng, filters, ascending, func() { play(3) })
			var want [][]byte
			for _, line := range expect(before, filters, ascending) {
				id, _ := nostr.ParseEventID(string(line[7 : 7+64]))
				if m.events[id] != nil || slices.ContainsFunc(got, func(g []byte) bool { return bytes.Equal(g, line) }) {
					want = append(want, line)
				}
			}
			diff(t, string(filtersJSON(filters)), got, want)
		}
	}
}

// TestTies checks the order of events that agree in created_at and in the first
// 8 bytes of their ids, which index keys do not tell apart.
func TestTies(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 3))
	s, gen := openMem(t, Options{}), nostrtest.NewEventGen(seed, 1_700_000_000)
	var events []*nostr.Event
	for range 500 {
		e := gen.Event()
		e.CreatedAt = 1_700_000_000 + int64(rng.IntN(3))
		copy(e.ID[:8], []byte{1, 2, 3, 4, 5, 6, 7, byte(rng.IntN(4))})
		events = append(events, e)
	}
	load(t, s, events)
	checked(t, s)
	events = stored(t, s)
	filters := nostrtest.NewFilterGen(seed, events)
	for range 300 {
		f := filters.Filters()
		for _, ascending := range []bool{false, true} {
			diff(t, string(filtersJSON(f)), scanAll(t, s, rng, f, ascending, nil), expect(events, f, ascending))
		}
	}
}
