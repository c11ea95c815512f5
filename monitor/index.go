package monitor

import (
	"cmp"
	"slices"

	"rhea/proto/nostr"
)

// liveFilter is a filter that one watch or more has: filters that ask for the
// same are one, however many subscriptions have them.
type liveFilter struct {
	filter  nostr.Filter
	sum     filterSum
	users   int      // watches that have it
	watches []*watch // those of them that are live; the index has it if there is one
	cost    int      // estimate of the memory it takes, in bytes
	round   uint64   // of the index's last look at it

	// Where the index has it: under each value of one field of the filter, and for
	// each value the position in the value's list.
	id    uint32
	field field
	tag   int // which of filter.Tags, if field is byTag
	at    []uint32
}

// field says which part of a filter the index uses.
type field uint8

const (
	nowhere field = iota // no event can match
	byID
	byAuthor
	byTag
	byKind
	byNothing // every commit must be held against it
)

// How many values of a tag with plain text count as much as one author: topics
// and labels are shared by many events, while an author, an event id, a pubkey
// or an address names one thing.
const plainTextWeight = 16

// selective chooses the field that the fewest commits have in common with f:
//
//	ids                     a commit has one id, once
//	authors or a tag        what has fewer values, as those are named by fewer
//	                        commits; plain text counts plainTextWeight-fold; between
//	                        equals authors, since a commit has only one
//	kinds                   nearly always shared by very many commits
//
// A feed (hundreds of authors, some kinds) stands under its authors, a
// notifications filter (#p: me) under the tag, and both cost a commit of anybody
// else nothing.
func selective(f *nostr.Filter) (field, int) {
	switch {
	case f.Impossible():
		return nowhere, 0
	case f.IDs != nil:
		return byID, 0
	}
	best, tag, lowest := byNothing, 0, 0
	if f.Kinds != nil {
		best = byKind
	}
	if f.Authors != nil {
		best, lowest = byAuthor, len(f.Authors)
	}
	for i := range f.Tags {
		if w := weight(&f.Tags[i]); lowest == 0 || w < lowest {
			best, tag, lowest = byTag, i, w
		}
	}
	return best, tag
}

func weight(t *nostr.TagFilter) int {
	if t.Name == 'a' || t.Name == 'A' {
		return len(t.Values)
	}
	sum := 0
	for _, v := range t.Values {
		if _, packed := v.Packed(); packed {
			sum++
		} else {
			sum += plainTextWeight
		}
	}
	return sum
}

// index finds the live filters that a commit may match without looking at the
// others. It belongs to one goroutine.
type index struct {
	filters []*liveFilter // by id; nil for an id that is free
	free    []uint32
	ids     postings[nostr.EventID]
	authors postings[nostr.PubKey]
	kinds   postings[nostr.Kind]
	tags    ['z' - 'A' + 1]postings[nostr.TagValue] // by name
	rest    postings[struct{}]
	round   uint64
	size    int    // postings
	tried   uint64 // filters that a commit was held against
}

// posting is a filter in the list of a value. The mask has a bit for each kind
// that the filter asks for (kinds share bits), so that going through the many
// feeds that follow a popular author touches only those that want the kind.
type posting struct {
	id    uint32
	kinds uint32
}

func kindBit(k nostr.Kind) uint32 { return 1 << (uint32(k) * 0x9e3779b1 >> 27) }

func kindMask(kinds []nostr.Kind) (mask uint32) {
	if kinds == nil {
		return ^uint32(0)
	}
	for _, k := range kinds {
		mask |= kindBit(k)
	}
	return mask
}

func newIndex() *index {
	return &index{
		ids: make(postings[nostr.EventID]), authors: make(postings[nostr.PubKey]),
		kinds: make(postings[nostr.Kind]), rest: make(postings[struct{}]),
	}
}

func (x *index) add(f *liveFilter) {
	if n := len(x.free); n > 0 {
		f.id, x.free = x.free[n-1], x.free[:n-1]
		x.filters[f.id] = f
	} else {
		f.id = uint32(len(x.filters))
		x.filters = append(x.filters, f)
	}
	f.field, f.tag = selective(&f.filter)
	switch f.field {
	case byID:
		x.ids.add(f, f.filter.IDs)
	case byAuthor:
		x.authors.add(f, f.filter.Authors)
	case byKind:
		x.kinds.add(f, f.filter.Kinds)
	case byTag:
		t := &f.filter.Tags[f.tag]
		p := &x.tags[t.Name-'A']
		if *p == nil {
			*p = make(postings[nostr.TagValue])
		}
		p.add(f, t.Values)
	case byNothing:
		x.rest.add(f, unselective[:])
	}
	x.size += len(f.at)
}

// unselective is the one value that filters without any selective field share.
var unselective [1]struct{}

func (x *index) remove(f *liveFilter) {
	switch f.field {
	case byID:
		remove(x, x.ids, f, f.filter.IDs, func(other *liveFilter, id nostr.EventID) int {
			return find(other.filter.IDs, id, nostr.EventID.Compare)
		})
	case byAuthor:
		remove(x, x.authors, f, f.filter.Authors, func(other *liveFilter, pk nostr.PubKey) int {
			return find(other.filter.Authors, pk, nostr.PubKey.Compare)
		})
	case byKind:
		remove(x, x.kinds, f, f.filter.Kinds, func(other *liveFilter, k nostr.Kind) int {
			return find(other.filter.Kinds, k, cmp.Compare)
		})
	case byTag:
		t := &f.filter.Tags[f.tag]
		remove(x, x.tags[t.Name-'A'], f, t.Values, func(other *liveFilter, v nostr.TagValue) int {
			return find(other.filter.Tags[other.tag].Values, v, nostr.TagValue.Compare)
		})
	case byNothing:
		remove(x, x.rest, f, unselective[:], func(*liveFilter, struct{}) int { return 0 })
	}
	x.size -= len(f.at)
	f.at = nil
	x.filters[f.id] = nil
	x.free = append(x.free, f.id)
}

// match calls found for each live filter that matches h, once.
func (x *index) match(h nostr.Header, found func(*liveFilter)) {
	x.round++
	kind := h.Kind()
	bit := kindBit(kind)
	try := func(list []posting) {
		for _, p := range list {
			if p.kinds&bit == 0 {
				continue
			}
			f := x.filters[p.id]
			if f.round == x.round {
				continue // under another value of the same event
			}
			f.round = x.round
			x.tried++
			if f.residual().Match(h) {
				found(f)
			}
		}
	}
	try(x.ids[h.ID()])
	try(x.authors[h.PubKey()])
	try(x.kinds[kind])
	for name, value := range h.Tags() {
		if p := x.tags[name-'A']; p != nil {
			try(p[value])
		}
	}
	try(x.rest[struct{}{}])
}

// residual is what is left to ask of an event that has one of the filter's ids or
// authors, whichever the index uses. To look a pubkey up once more in the hundreds
// of a feed would cost more than all the rest.
func (f *liveFilter) residual() *nostr.Filter {
	r := f.filter
	switch f.field {
	case byID:
		r.IDs = nil
	case byAuthor:
		r.Authors = nil
	}
	return &r
}

// postings lists the filters under each value of a field.
type postings[K comparable] map[K][]posting

func (p postings[K]) add(f *liveFilter, values []K) {
	f.at = make([]uint32, len(values))
	mask := kindMask(f.filter.Kinds)
	for i, v := range values {
		list := p[v]
		f.at[i] = uint32(len(list))
		p[v] = append(list, posting{f.id, mask})
	}
}

// remove takes f out of the list of each of its values, without searching them:
// the lists of popular values are long. Place says which of a filter's values
// one is.
func remove[K comparable](x *index, p postings[K], f *liveFilter, values []K, place func(*liveFilter, K) int) {
	for i, v := range values {
		list := cut(p[v], f.at[i], func(moved posting) {
			other := x.filters[moved.id]
			other.at[place(other, v)] = f.at[i]
		})
		if len(list) == 0 {
			delete(p, v)
		} else {
			p[v] = list
		}
	}
}

// cut removes the i-th item of a list by moving the last one there.
func cut[T any](list []T, i uint32, moved func(T)) []T {
	last := len(list) - 1
	if int(i) != last {
		list[i] = list[last]
		moved(list[i])
	}
	clear(list[last:])
	list = list[:last]
	if last > 64 && last < cap(list)/4 {
		list = append(make([]T, 0, 2*last), list...)
	}
	return list
}

func find[T any](sorted []T, v T, compare func(T, T) int) int {
	i, _ := slices.BinarySearchFunc(sorted, v, compare)
	return i
}
