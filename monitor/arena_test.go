package monitor

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Blocks of all sizes come and go. None is given twice, none loses what is written
// to it, each begins as zero, and all pages go with their last block.
func TestArena(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	var a arena
	type block struct {
		at    ref
		mark  uint32
		words int
	}
	var blocks []block
	live := 0
	for round := range 200_000 {
		// Two waves, so that pages fill up, empty and change their sizes.
		grow := round/25_000%2 == 0
		if r.IntN(10) < 7 == grow || len(blocks) == 0 {
			words := 1 + r.IntN(60)
			if r.IntN(500) == 0 {
				words = 1 + r.IntN(4*pageWords)
			}
			b := block{at: a.alloc(words), mark: r.Uint32() | 1, words: words}
			got := a.at(b.at)
			if len(got) < words || b.at == 0 {
				t.Fatalf("block %d has %d words, want %d", b.at, len(got), words)
			}
			if i := slices.IndexFunc(got, func(w uint32) bool { return w != 0 }); i >= 0 {
				t.Fatalf("word %d of a new block of %d is %d", i, words, got[i])
			}
			got[0], got[words-1] = b.mark, b.mark
			blocks = append(blocks, b)
			live += words * wordBytes
			continue
		}
		i := r.IntN(len(blocks))
		b := blocks[i]
		if got := a.at(b.at); got[0] != b.mark || got[b.words-1] != b.mark || *view[uint32](&a, b.at) != b.mark {
			t.Fatalf("a block of %d words has lost its mark", b.words)
		}
		a.release(b.at)
		live -= b.words * wordBytes
		blocks[i] = blocks[len(blocks)-1]
		blocks = blocks[:len(blocks)-1]
	}
	if a.held < live {
		t.Errorf("%d bytes are held for blocks of %d", a.held, live)
	}
	for _, b := range blocks {
		a.release(b.at)
	}
	if a.held != 0 || len(a.vacant) != len(a.pages)-1 || len(a.spare) > maxSpare {
		t.Errorf("%d bytes in %d pages, %d of them vacant, %d spare, when nothing is left", a.held, len(a.pages)-1, len(a.vacant), len(a.spare))
	}
}

// What a block takes beyond what was asked for is an eighth at the most, 8 bytes for
// the smallest; classes are numbered without holes.
func TestSizeClasses(t *testing.T) {
	last, lastSize := -1, 0
	for units := 1; units <= maxShared; units++ {
		class, size := classOf(units)
		if size < units || size > units+units/8 || class < last || class > last+1 || class == last != (size == lastSize) {
			t.Fatalf("%d units: class %d of %d, after class %d of %d", units, class, size, last, lastSize)
		}
		last, lastSize = class, size
	}
	if last != sizeClasses-1 {
		t.Errorf("there are %d classes, want %d", last+1, sizeClasses)
	}
}

// A walk meets every block once.
func TestWalk(t *testing.T) {
	var ws = newWatches()
	var all []ref
	for num := range uint64(5000) {
		all = append(all, ws.add(3, num))
	}
	for i, r := range all {
		if i%3 > 0 && (i < 1000 || i >= 3000) {
			ws.table.remove(r)
			ws.arena.release(r)
		}
	}
	seen := make(map[ref]int)
	ws.each(func(r ref, w *watch) {
		if seen[r]++; w.gateway != 3 {
			t.Errorf("watch %d is not one", w.num)
		}
	})
	for i, r := range all {
		want := 1
		if i%3 > 0 && (i < 1000 || i >= 3000) {
			want = 0
		}
		if seen[r] != want {
			t.Fatalf("watch %d was visited %d times, want %d", i, seen[r], want)
		}
	}
}

// Lists of one word and of two are what appending and swapping make of a slice.
func TestList(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var a arena
	var one list[ref]
	var two list[posting]
	var want []posting
	for round := range 100_000 {
		if r.IntN(10) < 5+round/10_000%2 || len(want) == 0 {
			p := posting{ref(r.Uint32()), r.Uint32()}
			want = append(want, p)
			if at, other := one.add(&a, p.filter), two.add(&a, p); at != other || int(at) != len(want)-1 {
				t.Fatalf("added at %d and %d, want %d", at, other, len(want)-1)
			}
		} else {
			i := r.IntN(len(want))
			moved := want[len(want)-1]
			want[i], want = moved, want[:len(want)-1]
			a1, ok1 := one.cut(&a, uint32(i))
			a2, ok2 := two.cut(&a, uint32(i))
			if a1 != moved.filter || a2 != moved || ok1 != (i < len(want)) || ok2 != ok1 {
				t.Fatalf("cut %d of %d: %v %v and %v %v, want %v", i, len(want)+1, a1, ok1, a2, ok2, moved)
			}
		}
		if round%100 == 0 && !slices.Equal(two.items(&a), want) || len(one.items(&a)) != len(want) {
			t.Fatal("not what it should be")
		}
	}
	for i, p := range want {
		if one.items(&a)[i] != p.filter {
			t.Fatalf("item %d of %d is another", i, len(want))
		}
	}
	one.clear(&a)
	two.clear(&a)
	if a.held != 0 {
		t.Errorf("%d bytes are held for empty lists", a.held)
	}
}

// The numbers of pages outlast the memory that a monitor may be given, even if it goes
// to the smallest blocks that have a page each.
func TestArenaHasNumbersForAll(t *testing.T) {
	var a arena
	a.alloc(maxShared*unitWords + 1)
	if len(a.pages) != 2 || maxHeld/a.held > maxPages-2 {
		t.Errorf("%d pages of %d bytes are within %d bytes, %d have a number", maxHeld/a.held, a.held, maxHeld, maxPages-1)
	}
	a.alloc(maxShared * unitWords)
	a.alloc(maxShared * unitWords)
	if len(a.pages) != 3 {
		t.Errorf("%d pages, want 3: two blocks share one", len(a.pages))
	}
}
