package negentropy

import (
	"sort"

	"rhea/proto/negentropy"
)

type item = negentropy.Item

// tree is a sorted set of items: a B+-tree whose inner nodes know how many items
// lie below each child and what their ids add up to, so that an index, a bound, a
// sum, an insertion and a removal all cost one way down. It implements
// negentropy.Set.
//
// Trees share nodes: a snapshot is a second tree over the same ones, and each
// copies a node before it changes it the first time. A tree belongs to one
// goroutine; two that share nodes may belong to two.
type tree struct {
	root  child // without a node when the tree is empty
	owner *owner

	made   int // nodes made for new items
	copied int // nodes copied since they were shared
}

// owner marks the nodes that a tree may change: those that carry its mark. It is
// not empty so that no two have the same address.
type owner struct{ _ byte }

// The width of nodes. A leaf of 128 items fits Go's size class of 5376 bytes; a
// full tree of as wide nodes has four levels from 500,000 items to 33 millions.
const (
	leafItems = 128
	fanout    = 64
)

// nodeBytes is the memory of a node, about, and of a leaf as of an inner one.
const nodeBytes = 5600

type node struct {
	owner    *owner
	items    []item  // of a leaf
	children []child // of an inner node; nil in a leaf
}

// child is a node as its parent sees it.
type child struct {
	node  *node
	count int
	sum   negentropy.Sum
	first item // no item of the node lies before it, and all before the node do
}

func newTree() *tree { return &tree{owner: new(owner)} }

// snapshot returns a tree with the same items, at the cost of nothing: what either
// changes from now on, it copies first.
func (t *tree) snapshot() *tree {
	t.owner = new(owner)
	return &tree{root: t.root, owner: new(owner)}
}

// bytes is the memory of the nodes that the tree has made or copied, about.
func (t *tree) bytes() int { return (t.made + t.copied) * nodeBytes }

// Len implements negentropy.Set.
func (t *tree) Len() int { return t.root.count }

// Item implements negentropy.Set.
func (t *tree) Item(i int) item {
	n := t.root.node
	for n.children != nil {
		k := 0
		for i >= n.children[k].count {
			i -= n.children[k].count
			k++
		}
		n = n.children[k].node
	}
	return n.items[i]
}

// LowerBound implements negentropy.Set.
func (t *tree) LowerBound(b negentropy.Bound) int {
	n, i := t.root.node, 0
	if n == nil {
		return 0
	}
	for n.children != nil {
		// The last child that begins before b, since those behind it do not.
		k := sort.Search(len(n.children)-1, func(k int) bool { return !n.children[k+1].first.Before(b) })
		for j := range k {
			i += n.children[j].count
		}
		n = n.children[k].node
	}
	return i + sort.Search(len(n.items), func(k int) bool { return !n.items[k].Before(b) })
}

// Sum implements negentropy.Set.
func (t *tree) Sum(from, to int) negentropy.Sum { return t.sumBefore(to).Sub(t.sumBefore(from)) }

func (t *tree) sumBefore(i int) (sum negentropy.Sum) {
	if i >= t.root.count {
		return t.root.sum
	}
	n := t.root.node
	for n.children != nil {
		k := 0
		for c := &n.children[0]; i >= c.count; c = &n.children[k] {
			i -= c.count
			sum = sum.Add(c.sum)
			k++
		}
		n = n.children[k].node
	}
	for k := range n.items[:i] {
		sum = sum.Add(negentropy.SumOf(n.items[k].ID))
	}
	return sum
}

// has reports whether an item is in the tree.
func (t *tree) has(x item) bool {
	n := t.root.node
	if n == nil {
		return false
	}
	for n.children != nil {
		n = n.children[n.childOf(x)].node
	}
	at := n.place(x)
	return at < len(n.items) && n.items[at] == x
}

// childOf is the child of an inner node that has an item or should.
func (n *node) childOf(x item) int {
	return sort.Search(len(n.children)-1, func(k int) bool { return n.children[k+1].first.Compare(x) > 0 })
}

// place is where an item is in a leaf, or should be.
func (n *node) place(x item) int {
	return sort.Search(len(n.items), func(k int) bool { return n.items[k].Compare(x) >= 0 })
}
