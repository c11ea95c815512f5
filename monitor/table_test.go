package monitor

import (
	"math/rand/v2"
	"testing"
)

// A table that grows and shrinks has what a map has, in about as many buckets as
// there are records; also when hashes are alike.
func TestTable(t *testing.T) {
	for _, mask := range []uint32{^uint32(0), 0xff00ff, 7} {
		r := rand.New(rand.NewPCG(1, uint64(mask)))
		a := new(arena)
		tab := table{arena: a}
		var all []ref
		hashes := make(map[ref]uint32)
		steps := 60_000
		if mask == 7 {
			steps = 2000
		}
		for step := range steps {
			if step < steps/2 == (r.IntN(3) > 0) || len(all) == 0 {
				at, hash := a.alloc(2), r.Uint32()&mask
				tab.insert(at, hash)
				all = append(all, at)
				hashes[at] = hash
			} else {
				i := r.IntN(len(all))
				tab.remove(all[i])
				delete(hashes, all[i])
				a.release(all[i])
				all[i], all = all[len(all)-1], all[:len(all)-1]
			}
			if tab.count != len(all) || int(tab.buckets) < tab.count || int(tab.buckets) > 2*tab.count+1 || len(tab.heads) != (int(tab.buckets)+headPage-1)/headPage {
				t.Fatalf("%d records in %d buckets on %d pages, want %d", tab.count, tab.buckets, len(tab.heads), len(all))
			}
			if step%1000 != 0 && step < steps-1 {
				continue
			}
			for at, hash := range hashes {
				r := tab.first(hash)
				for r != 0 && r != at {
					r = tab.next(r)
				}
				if r == 0 {
					t.Fatalf("step %d, %d buckets: a record is not found under its hash %x", step, tab.buckets, hash)
				}
			}
		}
		for _, at := range all {
			tab.remove(at)
			a.release(at)
		}
		if tab.count != 0 || tab.bytes() != 0 || a.held != 0 || tab.first(5) != 0 {
			t.Errorf("an empty table holds %d bytes", tab.bytes()+a.held)
		}
	}
}

// The buckets of watches, whose numbers follow each other, are short.
func TestWatchesAreSpread(t *testing.T) {
	const watches = 100_000
	for _, gateways := range []int{1, 3, 10} {
		ws := newWatches()
		for i := range watches {
			ws.add(uint16(i%gateways), uint64(1000+i/gateways))
		}
		steps := 0
		for bucket := range ws.table.buckets {
			for r, n := *ws.table.head(bucket), 1; r != 0; r, n = ws.table.next(r), n+1 {
				steps += n
			}
		}
		if mean := float64(steps) / watches; mean > 1.6 {
			t.Errorf("%d gateways: a watch is found after %.2f steps", gateways, mean)
		}
	}
}
