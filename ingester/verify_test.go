package ingester

import (
	"fmt"
	"slices"
	"testing"

	"rhea/proto/limits"
	"rhea/proto/nostr"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
	"rhea/proto/schnorr"
	"rhea/proto/stage"
	"rhea/proto/subject"
)

// sizes notes how many signatures it is given at a time.
type sizes struct {
	got *[]int
	judge
}

func (s sizes) VerifyBatch(sigs []schnorr.Signature, ok []bool) {
	*s.got = append(*s.got, len(sigs))
	s.judge.VerifyBatch(sigs, ok)
}

// TestPieces cuts piles of every size, with the work done by one goroutine so that
// the cuts can be seen.
func TestPieces(t *testing.T) {
	for _, c := range []struct {
		together, alone, goroutines int
		want                        string
	}{
		{0, 0, 1, "[]"}, {1, 0, 8, "[1]"}, {0, 3, 1, "[1 1 1]"}, {31, 0, 8, "[31]"}, {64, 0, 1, "[64]"}, {64, 2, 2, "[32 32 1 1]"},
		{65, 0, 1, "[33 32]"}, {100, 0, 4, "[34 33 33]"}, {300, 0, 2, "[60 60 60 60 60]"},
	} {
		var got []int
		var piles [2]pile
		for i := range c.together + c.alone {
			p := &piles[0]
			if i >= c.together {
				p = &piles[1]
			}
			p.add(schnorr.Signature{ID: [32]byte{byte(i)}}, origin{})
		}
		w := crew{newWorker: func() verifier { return sizes{&got, func(s *schnorr.Signature) bool { return s.ID[0]%3 == 0 }} }}
		w.cut(&piles[0], &piles[1], c.goroutines)
		w.work(w.worker(0))
		if fmt.Sprint(got) != c.want {
			t.Errorf("%d together, %d alone, %d goroutines: %v, want %s", c.together, c.alone, c.goroutines, got, c.want)
		}
		for _, p := range piles {
			for i := range p.sigs {
				if p.good[i] != (p.sigs[i].ID[0]%3 == 0) {
					t.Errorf("signature %d of %d has another's outcome", i, c.together)
				}
			}
		}
	}
}

// TestSuspects has one of three connections send a bad signature: its later ones are
// verified alone, and nobody else's.
func TestSuspects(t *testing.T) {
	const conns = 3
	c := newCore(limits.Default(), policy.Default(), 0, newMetrics(stage.NewMetrics("ingester")))
	var got []int
	w := crew{newWorker: func() verifier { return sizes{&got, func(s *schnorr.Signature) bool { return s.Sig != [64]byte{} }} }}
	events := signed(t, 4*conns)
	batch := func(round int, bad int) (forged []int) {
		got = nil
		for i := range conns {
			e := *events[round*conns+i]
			if i == bad {
				e.Sig = nostr.Sig{}
			}
			c.take(&relaypb.EventFrame{Conn: uint64(subject.MakeConnID(1, uint32(i))), Num: uint64(i), Event: e.AppendJSON(nil)}, 0)
		}
		w.settle(&c.together, &c.alone, 1)
		for _, out := range c.finish() {
			if out.admitted.Forged {
				forged = append(forged, int(out.admitted.Num))
			}
		}
		return forged
	}
	for round, want := range []struct {
		bad    int // whose signature is; -1: nobody's
		sizes  []int
		forged []int
	}{{-1, []int{3}, nil}, {1, []int{3}, []int{1}}, {-1, []int{2, 1}, nil}, {1, []int{2, 1}, []int{1}}} {
		if forged := batch(round, want.bad); !slices.Equal(forged, want.forged) || !slices.Equal(got, want.sizes) {
			t.Errorf("round %d: forged %v, verified %v at a time; want %v, %v", round, forged, got, want.forged, want.sizes)
		}
	}
	if n := c.metrics.alone.Value(); n != 2 {
		t.Errorf("%d counted as verified alone, want 2", n)
	}
}

// TestImportsAreNoSuspects has an import bring a bad signature: the rest of its shard,
// which comes from the same connection, is verified together as before.
func TestImportsAreNoSuspects(t *testing.T) {
	c := newCore(limits.Default(), policy.Default(), 0, newMetrics(stage.NewMetrics("ingester")))
	var got []int
	w := crew{newWorker: func() verifier { return sizes{&got, func(s *schnorr.Signature) bool { return s.Sig != [64]byte{} }} }}
	events := signed(t, 8)
	events[0].Sig = nostr.Sig{}
	for i, e := range events {
		c.take(&relaypb.EventFrame{Conn: uint64(subject.MakeConnID(1, 0)), Num: uint64(i), Event: e.AppendJSON(nil), Imported: true}, 0)
		if i%4 < 3 {
			continue
		}
		w.settle(&c.together, &c.alone, 1)
		for _, out := range c.finish() {
			if out.admitted.Forged != (out.admitted.Num == 0) {
				t.Errorf("event %d: forged is %v", out.admitted.Num, out.admitted.Forged)
			}
		}
	}
	if !slices.Equal(got, []int{4, 4}) {
		t.Errorf("verified %v at a time, want 4 and 4", got)
	}
}
