package store

import (
	"encoding/binary"
	"math"

	"rhea/proto/nostr"
)

// access is a way to find a filter's events: an index, of which the filter needs
// some values, each a range of keys.
type access struct {
	index  byte             // a keyspace
	tag    *nostr.TagFilter // the values, if index is spaceTag
	values int
	exact  bool // every key found is an event that matches, but for its time
}

// The cost model. Costs are in index entries read. What a value leads to is
// guessed from what relays hold, not counted: counting would cost a write per
// key, and a wrong guess costs time only.
const (
	costSeek       = 10        // to find the first entry of a value
	costAuthorKind = 60        // entries of one author and kind
	costReference  = 100       // entries of one e, a, q, d or i tag value
	costAuthor     = 300       // entries of one author
	costTag        = 1000      // entries of one value of another tag
	costKind       = 250_000   // entries of one kind
	costAll        = 1_000_000 // entries in the store
)

// maxPairs bounds how many (author, kind) pairs are looked up for one filter, of which
// each takes some 250 bytes while a slice is made.
const maxPairs = 8192

// choose returns the cheapest access for a filter that is not impossible, to read
// so many of its events (negative: all).
//
// An exact access reads, beyond the seeks, only what it returns. Any other reads
// until the limit is reached, in the worst case everything that its values lead
// to, and each entry's header.
//
// Rejected: the kind as a value in the author index, to read one range for each
// author of a feed and pass over other kinds. It costs more than the seeks that it
// spares (1.9 against 1.0 ms for 200 authors and 2 kinds), because those who
// write little of what is wanted write much else.
func choose(f *nostr.Filter, limit int) access {
	if f.IDs != nil {
		return access{index: spaceID, values: len(f.IDs), exact: f.Authors == nil && f.Kinds == nil && f.Tags == nil}
	}
	if limit < 0 {
		limit = math.MaxInt32
	}
	best, least := access{index: spaceAll, values: 1, exact: f.Authors == nil && f.Kinds == nil && f.Tags == nil}, math.MaxInt
	consider := func(a access, entries int) {
		cost := a.values * entries
		if a.exact {
			cost = min(cost, limit)
		}
		if cost += a.values * costSeek; cost < least {
			best, least = a, cost
		}
	}
	consider(best, costAll)
	if f.Kinds != nil {
		consider(access{index: spaceKind, values: len(f.Kinds), exact: f.Authors == nil && f.Tags == nil}, costKind)
	}
	if f.Authors != nil {
		consider(access{index: spaceAuthor, values: len(f.Authors), exact: f.Kinds == nil && f.Tags == nil}, costAuthor)
	}
	if pairs := len(f.Authors) * len(f.Kinds); pairs > 0 && pairs <= maxPairs {
		consider(access{index: spaceAuthorKind, values: pairs, exact: f.Tags == nil}, costAuthorKind)
	}
	for i := range f.Tags {
		t := &f.Tags[i]
		a := access{index: spaceTag, tag: t, values: len(t.Values)}
		a.exact = len(f.Tags) == 1 && f.Authors == nil && f.Kinds == nil
		consider(a, tagCost(t.Name))
	}
	return best
}

func tagCost(name byte) int {
	switch name {
	case 'e', 'E', 'a', 'A', 'q', 'd', 'i', 'I':
		return costReference
	}
	return costTag
}

// eachPrefix calls f with what the keys of each value begin with, in the order
// of keys where the filter's lists are sorted. It is not for ids.
func (a access) eachPrefix(f *nostr.Filter, yield func(prefix []byte)) {
	var stack [maxKeyLen]byte
	switch a.index {
	case spaceAll:
		yield(append(stack[:0], spaceAll))
	case spaceKind:
		for _, k := range f.Kinds {
			yield(appendKind(stack[:0], k))
		}
	case spaceAuthor:
		for _, pk := range f.Authors {
			yield(appendAuthor(stack[:0], pk))
		}
	case spaceAuthorKind:
		for _, pk := range f.Authors {
			for _, k := range f.Kinds {
				yield(appendAuthorKind(stack[:0], spaceAuthorKind, pk, k))
			}
		}
	case spaceTag:
		for _, v := range a.tag.Values {
			yield(appendTag(stack[:0], a.tag.Name, v))
		}
	}
}

// window is a range of time and, within a query, what of it is still to come.
// Bounds are inclusive, in the order of keys: lo is the newest.
type window struct{ lo, hi suffix }

func windowOf(f *nostr.Filter) window {
	w := window{hi: suffix{invert(0), math.MaxUint64, math.MaxUint64}}
	if f.HasUntil {
		w.lo.inv = invert(f.Until)
	} else {
		w.lo.inv = invert(math.MaxInt64)
	}
	if f.HasSince {
		w.hi.inv = invert(max(f.Since, 0))
	}
	return w
}

// after narrows the window to what comes behind a position; keys that are tied
// with it are in the window, or out of it.
func (w window) after(p position, ascending, ties bool) window {
	at := suffix{inv: invert(p.createdAt), id8: binary.BigEndian.Uint64(p.id[:8])}
	if ascending == ties {
		at.seq = math.MaxUint64 // which no event has, nor 0
	}
	if ascending {
		if at.compare(w.hi) < 0 {
			w.hi = at
		}
	} else if at.compare(w.lo) > 0 {
		w.lo = at
	}
	return w
}

func (w window) empty() bool { return w.lo.compare(w.hi) > 0 }
