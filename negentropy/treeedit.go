package negentropy

import (
	"slices"

	"rhea/proto/negentropy"
)

// insert adds an item. It reports false if the tree has it already.
func (t *tree) insert(x item) bool {
	if t.root.node == nil {
		t.root = child{node: t.newLeaf(), first: x}
	} else if x.Compare(t.root.first) >= 0 && t.has(x) {
		return false
	}
	if right, split := t.put(&t.root, x); split {
		root := &node{owner: t.owner, children: make([]child, 0, fanout+1)}
		root.children = append(root.children, t.root, right)
		t.made++
		t.root = root.asChild()
	}
	return true
}

// put adds an item below c, which does not have it. If the node was full it is
// split: what is right then belongs behind c.
func (t *tree) put(c *child, x item) (right child, split bool) {
	n := t.writable(c)
	c.count++
	c.sum = c.sum.Add(negentropy.SumOf(x.ID))
	if x.Compare(c.first) < 0 {
		c.first = x
	}
	if n.children == nil {
		at := n.place(x)
		if len(n.items) < leafItems {
			n.items = slices.Insert(n.items, at, x)
			return child{}, false
		}
		right = t.splitLeaf(n, at, x)
	} else {
		i := n.childOf(x)
		below, more := t.put(&n.children[i], x)
		if !more {
			return child{}, false
		}
		n.children = slices.Insert(n.children, i+1, below)
		if len(n.children) <= fanout {
			return child{}, false
		}
		right = t.splitInner(n, i+1)
	}
	c.count -= right.count
	c.sum = c.sum.Sub(right.sum)
	return right, true
}

// splitLeaf splits a full leaf to add an item at a place. At either end the leaf
// stays full, and the item begins another: events arrive and are scanned in order,
// and halves would stay halves.
func (t *tree) splitLeaf(n *node, at int, x item) child {
	cut := len(n.items) / 2
	switch at {
	case len(n.items):
		cut = at
	case 0:
		cut = 0
	}
	other := t.newLeaf()
	other.items = append(other.items, n.items[cut:]...)
	n.items = n.items[:cut]
	if at < cut || cut == 0 {
		n.items = slices.Insert(n.items, at, x)
	} else {
		other.items = slices.Insert(other.items, at-cut, x)
	}
	return other.asChild()
}

// splitInner splits an inner node that has one child too many since one was added
// at a place.
func (t *tree) splitInner(n *node, added int) child {
	cut := len(n.children) / 2
	switch added {
	case len(n.children) - 1:
		cut = added
	case 1: // a split of the first child, which insertions at the front make
		cut = 1
	}
	other := &node{owner: t.owner, children: make([]child, 0, fanout+1)}
	other.children = append(other.children, n.children[cut:]...)
	clear(n.children[cut:])
	n.children = n.children[:cut]
	t.made++
	return other.asChild()
}

// remove takes an item out. It reports false if the tree does not have it.
func (t *tree) remove(x item) bool {
	if !t.has(x) {
		return false
	}
	t.take(&t.root, x)
	for len(t.root.node.children) == 1 {
		t.root = t.root.node.children[0]
	}
	if t.root.count == 0 {
		t.root = child{}
	}
	return true
}

func (t *tree) take(c *child, x item) {
	n := t.writable(c)
	c.count--
	c.sum = c.sum.Sub(negentropy.SumOf(x.ID))
	if n.children == nil {
		at := n.place(x)
		n.items = slices.Delete(n.items, at, at+1)
		return
	}
	i := n.childOf(x)
	t.take(&n.children[i], x)
	if len(n.children) > 1 {
		t.join(n, max(i-1, 0))
	}
}

// join makes one of a child and the next if together they fill half a node, so
// that a tree out of which much is removed does not keep empty nodes.
func (t *tree) join(n *node, i int) {
	a, b := &n.children[i], &n.children[i+1]
	if len(a.node.items)+len(b.node.items) > leafItems/2 || len(a.node.children)+len(b.node.children) > fanout/2 {
		return
	}
	left := t.writable(a)
	left.items = append(left.items, b.node.items...)
	left.children = append(left.children, b.node.children...)
	a.count += b.count
	a.sum = a.sum.Add(b.sum)
	n.children = slices.Delete(n.children, i+1, i+2)
}

// writable returns the node of c, copied first if it is not the tree's own.
func (t *tree) writable(c *child) *node {
	if c.node.owner == t.owner {
		return c.node
	}
	n := &node{owner: t.owner}
	if c.node.children == nil {
		n.items = append(make([]item, 0, leafItems), c.node.items...)
	} else {
		n.children = append(make([]child, 0, fanout+1), c.node.children...)
	}
	c.node = n
	t.copied++
	return n
}

func (t *tree) newLeaf() *node {
	t.made++
	return &node{owner: t.owner, items: make([]item, 0, leafItems)}
}

// asChild adds a node up.
func (n *node) asChild() child {
	c := child{node: n, count: len(n.items)}
	if n.children == nil {
		c.first = n.items[0]
		for i := range n.items {
			c.sum = c.sum.Add(negentropy.SumOf(n.items[i].ID))
		}
		return c
	}
	c.first = n.children[0].first
	for i := range n.children {
		c.count += n.children[i].count
		c.sum = c.sum.Add(n.children[i].sum)
	}
	return c
}
