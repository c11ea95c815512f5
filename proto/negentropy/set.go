package negentropy

import (
	"slices"
	"sort"
)

// Set is what is reconciled: items in the order of Item.Compare, each once. It
// must not change while a message is answered.
type Set interface {
	// Len is the number of items.
	Len() int
	// Item is the item at index i, 0 <= i < Len.
	Item(i int) Item
	// LowerBound is the index of the first item that is not before b, Len if
	// there is none.
	LowerBound(b Bound) int
	// Sum is the sum of the ids of the items from index from up to, not
	// including, to; 0 <= from <= to <= Len.
	Sum(from, to int) Sum
}

// Slice is a Set of a slice of items. It takes 40 bytes for an item and, in
// stride, half a byte for sums. It is safe for concurrent use, as it never
// changes.
type Slice struct {
	items []Item
	// sums holds at i the sum of all items before i*stride.
	sums []Sum
}

// stride is how many items lie between two stored sums: a sum of any range adds
// up fewer than two strides.
const stride = 64

// NewSlice makes a set of items in any order. It takes the slice over, sorts it
// and drops duplicates.
func NewSlice(items []Item) *Slice {
	slices.SortFunc(items, Item.Compare)
	items = slices.Compact(items)
	s := &Slice{items: items, sums: make([]Sum, 1, len(items)/stride+1)}
	var sum Sum
	for i := range items {
		sum = sum.Add(SumOf(items[i].ID))
		if (i+1)%stride == 0 {
			s.sums = append(s.sums, sum)
		}
	}
	return s
}

// Len implements Set.
func (s *Slice) Len() int { return len(s.items) }

// Item implements Set.
func (s *Slice) Item(i int) Item { return s.items[i] }

// LowerBound implements Set.
func (s *Slice) LowerBound(b Bound) int {
	return sort.Search(len(s.items), func(i int) bool { return !s.items[i].Before(b) })
}

// Sum implements Set.
func (s *Slice) Sum(from, to int) Sum {
	if to-from <= stride {
		return s.add(Sum{}, from, to)
	}
	return s.before(to).Sub(s.before(from))
}

// before is the sum of the items before index i.
func (s *Slice) before(i int) Sum { return s.add(s.sums[i/stride], i-i%stride, i) }

// add adds the items from index from up to to.
func (s *Slice) add(sum Sum, from, to int) Sum {
	for i := from; i < to; i++ {
		sum = sum.Add(SumOf(s.items[i].ID))
	}
	return sum
}

// Part is the stretch of a set from index from up to, not including, to, as a
// set of its own: a range of time out of the whole, for instance.
func Part(set Set, from, to int) Set { return part{set, from, to} }

type part struct {
	set      Set
	from, to int
}

func (p part) Len() int             { return p.to - p.from }
func (p part) Item(i int) Item      { return p.set.Item(p.from + i) }
func (p part) Sum(from, to int) Sum { return p.set.Sum(p.from+from, p.from+to) }
func (p part) LowerBound(b Bound) int {
	return min(max(p.set.LowerBound(b), p.from), p.to) - p.from
}
