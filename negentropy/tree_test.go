package negentropy

import (
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"

	"rhea/proto/negentropy"
	"rhea/proto/nostr"
)

func randomItem(rng *rand.Rand, times int64) item {
	x := item{CreatedAt: rng.Int64N(times)}
	for i := range x.ID {
		x.ID[i] = byte(rng.Uint32())
	}
	return x
}

// seed returns a source of randomness, whose seed is logged, and is RHEA_SEED if
// that is set.
func seed(t testing.TB) *rand.Rand {
	s := rand.Uint64()
	if fixed := os.Getenv("RHEA_SEED"); fixed != "" {
		s, _ = strconv.ParseUint(fixed, 10, 64)
	}
	t.Logf("seed %d", s)
	return rand.New(rand.NewPCG(s, 0))
}

// sameSet fails if two sets differ in anything that Set tells.
func sameSet(t *testing.T, rng *rand.Rand, got, want negentropy.Set) {
	t.Helper()
	if got.Len() != want.Len() {
		t.Fatalf("%d items, want %d", got.Len(), want.Len())
	}
	for i := range want.Len() {
		if got.Item(i) != want.Item(i) {
			t.Fatalf("item %d is %v, want %v", i, got.Item(i), want.Item(i))
		}
	}
	for range 50 {
		from := rng.IntN(want.Len() + 1)
		to := from + rng.IntN(want.Len()-from+1)
		if got.Sum(from, to) != want.Sum(from, to) {
			t.Fatalf("sum of %d to %d", from, to)
		}
		b := negentropy.At(rng.Int64N(1100))
		if to < want.Len() && rng.IntN(2) == 0 {
			b = negentropy.Just(want.Item(to))
		}
		if got.LowerBound(b) != want.LowerBound(b) {
			t.Fatalf("lower bound of %v is %d, want %d", b, got.LowerBound(b), want.LowerBound(b))
		}
	}
	if got.LowerBound(negentropy.Infinity()) != want.Len() {
		t.Fatal("lower bound of infinity")
	}
}

// checkShape fails if a node is larger than it may be, or a count or sum wrong.
func checkShape(t *testing.T, c *child) {
	t.Helper()
	n := c.node
	if n == nil {
		return
	}
	if len(n.items) > leafItems || len(n.children) > fanout || n.items != nil && n.children != nil {
		t.Fatalf("a node of %d items and %d children", len(n.items), len(n.children))
	}
	var sum negentropy.Sum
	count := len(n.items)
	for i := range n.items {
		sum = sum.Add(negentropy.SumOf(n.items[i].ID))
	}
	for i := range n.children {
		checkShape(t, &n.children[i])
		count += n.children[i].count
		sum = sum.Add(n.children[i].sum)
	}
	if c.count != count || c.sum != sum {
		t.Fatalf("a child of %d items with the count %d, or another sum", count, c.count)
	}
}

// After random insertions and removals, in phases that grow and shrink it, the
// tree is the sorted slice of what is left; snapshots stay what they were, also
// when they are changed themselves.
func TestTree(t *testing.T) {
	rng := seed(t)
	tr, model := newTree(), map[item]bool{}
	var all []item
	type shot struct {
		tree *tree
		want *negentropy.Slice
	}
	var shots []shot
	slice := func() *negentropy.Slice {
		var items []item
		for x := range model {
			items = append(items, x)
		}
		return negentropy.NewSlice(items)
	}
	ops := 60_000
	if testing.Short() {
		ops = 10_000
	}
	for op := range ops {
		grow := 8
		if op/7000%2 == 1 {
			grow = 2
		}
		if len(all) == 0 || rng.IntN(10) < grow {
			x := randomItem(rng, 1000)
			switch rng.IntN(4) {
			case 0: // in order of time, as events come
				x.CreatedAt = int64(op) * 1000 / int64(ops)
			case 1: // one that may be there already
				if len(all) > 0 {
					x = all[rng.IntN(len(all))]
				}
			}
			if tr.insert(x) == model[x] {
				t.Fatalf("inserting %v that is there: %v", x, model[x])
			}
			if !model[x] {
				model[x] = true
				all = append(all, x)
			}
		} else {
			i := rng.IntN(len(all))
			x := all[i]
			if tr.remove(x) != model[x] {
				t.Fatalf("removing %v that is there: %v", x, model[x])
			}
			delete(model, x)
			if rng.IntN(8) > 0 { // now and then one that has gone is removed again
				all[i] = all[len(all)-1]
				all = all[:len(all)-1]
			}
		}
		if rng.IntN(ops/12) == 0 {
			shots = append(shots, shot{tr.snapshot(), slice()})
			own := tr.snapshot()
			for range 300 {
				own.insert(randomItem(rng, 1000))
				own.remove(own.Item(rng.IntN(own.Len())))
			}
			checkShape(t, &own.root)
		}
	}
	checkShape(t, &tr.root)
	sameSet(t, rng, tr, slice())
	for _, s := range shots {
		checkShape(t, &s.tree.root)
		sameSet(t, rng, s.tree, s.want)
	}
	for x := range model {
		if !tr.remove(x) || tr.remove(x) {
			t.Fatal("not removed once")
		}
	}
	if tr.Len() != 0 || tr.root.node != nil || tr.Sum(0, 0) != (negentropy.Sum{}) {
		t.Fatal("not empty")
	}
}

// What is inserted in order, from either end, fills its nodes.
func TestTreeIsFullInOrder(t *testing.T) {
	for _, step := range []int64{1, -1} {
		tr := newTree()
		const n = 100_000
		for i := range int64(n) {
			tr.insert(item{CreatedAt: n + step*i, ID: nostr.EventID{byte(i)}})
		}
		checkShape(t, &tr.root)
		if least := n/leafItems + n/leafItems/fanout; tr.made > least+least/10 {
			t.Errorf("step %d: %d nodes, %d would do", step, tr.made, least)
		}
	}
}

// What is left when most has been removed does not lie scattered in many nodes.
func TestTreeShrinks(t *testing.T) {
	rng, tr := seed(t), newTree()
	const n, left = 100_000, 2000
	for range n {
		tr.insert(randomItem(rng, 1<<40))
	}
	for tr.Len() > left {
		tr.remove(tr.Item(rng.IntN(tr.Len())))
	}
	checkShape(t, &tr.root)
	if nodes := countNodes(&tr.root); nodes > 6*left/leafItems {
		t.Errorf("%d nodes", nodes)
	}
}

func countNodes(c *child) int {
	n := 1
	for i := range c.node.children {
		n += countNodes(&c.node.children[i])
	}
	return n
}

// manyItems returns random items as the store is scanned, newest first.
func manyItems(n int) []item {
	rng := rand.New(rand.NewPCG(1, 2))
	items := make([]item, n)
	for i := range items {
		items[i] = randomItem(rng, 200_000_000)
	}
	slices.SortFunc(items, func(a, b item) int { return b.Compare(a) })
	return items
}

func fill(items []item) *tree {
	tr := newTree()
	for _, x := range items {
		tr.insert(x)
	}
	return tr
}

func BenchmarkTree(b *testing.B) {
	for _, size := range []struct {
		name string
		n    int
	}{{"1M", 1_000_000}, {"10M", 10_000_000}} {
		if testing.Short() && size.n > 1_000_000 {
			continue
		}
		rng := rand.New(rand.NewPCG(3, 4))
		items := manyItems(size.n)
		tr := fill(items)
		b.Run(size.name+"/fill", func(b *testing.B) {
			for b.Loop() {
				runtime.GC()
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				another := fill(items)
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(another.Len()), "B/item")
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(size.n), "ns/item")
		})
		newest := items[0].CreatedAt
		b.Run(size.name+"/insert-newest", func(b *testing.B) {
			for b.Loop() {
				newest++
				x := randomItem(rng, 1)
				x.CreatedAt = newest
				tr.insert(x)
			}
		})
		b.Run(size.name+"/insert-remove-anywhere", func(b *testing.B) {
			for b.Loop() {
				x := randomItem(rng, 200_000_000)
				tr.insert(x)
				tr.remove(x)
			}
		})
		b.Run(size.name+"/insert-after-snapshot", func(b *testing.B) {
			for b.Loop() {
				tr.snapshot()
				tr.insert(randomItem(rng, 200_000_000))
			}
		})
		other := tr.snapshot()
		for range 1000 {
			other.remove(items[rng.IntN(len(items))])
		}
		first := negentropy.NewClient(other, 0).Open()
		b.Run(size.name+"/answer-first", func(b *testing.B) {
			for b.Loop() {
				if _, err := negentropy.Respond(nil, tr, first, 60_000); err != nil {
					b.Fatal(err)
				}
			}
		})
		few := newTree()
		ids := negentropy.NewClient(few, 0).Open()
		b.Run(size.name+"/answer-with-ids", func(b *testing.B) {
			for b.Loop() {
				if _, err := negentropy.Respond(nil, tr, ids, 60_000); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
