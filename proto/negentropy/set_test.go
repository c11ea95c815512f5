package negentropy

import (
	"bytes"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"rhea/proto/nostr"
)

// random makes n items within so many seconds. One in eight ids differs from
// its neighbours only late.
func random(rng *rand.Rand, n int, seconds int64) []Item {
	items := make([]Item, n)
	for i := range items {
		items[i].CreatedAt = 1_700_000_000 + rng.Int64N(seconds)
		id := &items[i].ID
		from := 0
		if rng.IntN(8) == 0 {
			from = rng.IntN(len(id))
		}
		for j := from; j < len(id); j++ {
			id[j] = byte(rng.Uint32())
		}
	}
	return items
}

// distinct drops items whose id is there already, as no two events share one.
func distinct(items []Item) (out []Item) {
	seen := map[nostr.EventID]bool{}
	for _, i := range items {
		if !seen[i.ID] {
			seen[i.ID] = true
			out = append(out, i)
		}
	}
	return out
}

func seeded(t testing.TB, seed uint64) *rand.Rand {
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 77))
}

// TestSlice holds Slice and Part against a plain list and arbitrary precision.
func TestSlice(t *testing.T) {
	rng := seeded(t, rand.Uint64())
	for _, n := range []int{0, 1, 63, 64, 65, 127, 128, 129, 500} {
		items := distinct(random(rng, n, 20))
		sorted := slices.Clone(items)
		slices.SortFunc(sorted, func(a, b Item) int {
			if a.CreatedAt != b.CreatedAt {
				return int(a.CreatedAt - b.CreatedAt)
			}
			return bytes.Compare(a.ID[:], b.ID[:])
		})
		checkSet(t, rng, NewSlice(append(items, items[:len(items)/2]...)), sorted)
		from := rng.IntN(len(sorted) + 1)
		to := from + rng.IntN(len(sorted)-from+1)
		checkSet(t, rng, Part(NewSlice(slices.Clone(sorted)), from, to), sorted[from:to])
	}
}

func checkSet(t *testing.T, rng *rand.Rand, set Set, want []Item) {
	t.Helper()
	if set.Len() != len(want) {
		t.Fatalf("%d items, want %d", set.Len(), len(want))
	}
	for i, item := range want {
		if set.Item(i) != item {
			t.Fatalf("item %d is %v, want %v", i, set.Item(i), item)
		}
		if got := set.LowerBound(Just(item)); got != i {
			t.Fatalf("the bound of item %d leads to %d", i, got)
		}
		if i > 0 {
			b := between(want[i-1], item)
			if got := set.LowerBound(b); got != i {
				t.Fatalf("the bound between %v and %v leads to %d, want %d", want[i-1], item, got, i)
			}
			if shorter := b; b.prefix > 0 {
				shorter.prefix--
				shorter.id[shorter.prefix] = 0
				if got := set.LowerBound(shorter); got >= i {
					t.Fatalf("the bound between %v and %v could be shorter", want[i-1], item)
				}
			}
		}
	}
	if set.LowerBound(Infinity()) != len(want) || set.LowerBound(Bound{}) != 0 || set.LowerBound(At(0)) != 0 {
		t.Fatal("infinity and zero are not the ends")
	}
	for range 50 {
		at := 1_700_000_000 + rng.Int64N(22) - 1
		first := slices.IndexFunc(want, func(i Item) bool { return i.CreatedAt >= at })
		if first < 0 {
			first = len(want)
		}
		if got := set.LowerBound(At(at)); got != first {
			t.Fatalf("time %d leads to %d, want %d", at, got, first)
		}
		from := rng.IntN(len(want) + 1)
		to := from + rng.IntN(len(want)-from+1)
		if got := set.Sum(from, to); got != slowSum(want[from:to]) {
			t.Fatalf("sum of %d to %d is %x", from, to, got)
		}
	}
}

func slowSum(items []Item) (s Sum) {
	total := new(big.Int)
	for _, i := range items {
		id := i.ID
		slices.Reverse(id[:])
		total.Add(total, new(big.Int).SetBytes(id[:]))
	}
	total.Mod(total, new(big.Int).Lsh(big.NewInt(1), 256))
	var b nostr.EventID
	total.FillBytes(b[:])
	slices.Reverse(b[:])
	return SumOf(b)
}
