package negentropy

import "container/heap"

// expiryBytes is an element of ScanReply.expiring: an index and a time.
const expiryBytes = 4 + 8

// expiry is an event that expires (NIP-40), and when, in Unix seconds.
type expiry struct {
	at   int64
	item item
}

// expiries has the event that expires first in front. It may hold events that have
// left the tree, which is checked when it has doubled.
type expiries struct {
	heap  expiryHeap
	check int // how many to hold before those that have left are dropped
}

// fewExpiries are not worth a check.
const fewExpiries = 1024

// add takes note of an event of a tree.
func (e *expiries) add(x expiry, tree *tree) {
	heap.Push(&e.heap, x)
	if len(e.heap) <= max(e.check, fewExpiries) {
		return
	}
	kept := e.heap[:0]
	for _, x := range e.heap {
		if tree.has(x.item) {
			kept = append(kept, x)
		}
	}
	e.heap = kept
	heap.Init(&e.heap)
	e.check = 2 * len(kept)
}

// next takes out an event that has expired by now, if there is one.
func (e *expiries) next(now int64) (x item, ok bool) {
	if len(e.heap) == 0 || e.heap[0].at > now {
		return item{}, false
	}
	return heap.Pop(&e.heap).(expiry).item, true
}

type expiryHeap []expiry

func (h expiryHeap) Len() int           { return len(h) }
func (h expiryHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h expiryHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *expiryHeap) Push(x any) { *h = append(*h, x.(expiry)) }

// Pop implements heap.Interface.
func (h *expiryHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}
