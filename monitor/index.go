package monitor

import (
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
	ids     postings[nostr.EventID]
	authors postings[nostr.PubKey]
	kinds   postings[nostr.Kind]
	tags    ['z' - 'A' + 1]postings[nostr.TagValue] // by name
	rest    []*liveFilter
	round   uint64
	size    int // filters under each of their values
	tried   uint64
}

func newIndex() *index {
	return &index{
		ids: make(postings[nostr.EventID]), authors: make(postings[nostr.PubKey]), kinds: make(postings[nostr.Kind]),
	}
}

func (x *index) add(f *liveFilter) {
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
		f.at = []uint32{uint32(len(x.rest))}
		x.rest = append(x.rest, f)
	}
	x.size += len(f.at)
}

func (x *index) remove(f *liveFilter) {
	switch f.field {
	case byID:
		x.ids.remove(f, f.filter.IDs, func(other *liveFilter, id nostr.EventID) int {
			return find(other.filter.IDs, id, nostr.EventID.Compare)
		})
	case byAuthor:
		x.authors.remove(f, f.filter.Authors, func(other *liveFilter, pk nostr.PubKey) int {
			return find(other.filter.Authors, pk, nostr.PubKey.Compare)
		})
	case byKind:
		x.kinds.remove(f, f.filter.Kinds, func(other *liveFilter, k nostr.Kind) int {
			i, _ := slices.BinarySearch(other.filter.Kinds, k)
			return i
		})
	case byTag:
		t := &f.filter.Tags[f.tag]
		x.tags[t.Name-'A'].remove(f, t.Values, func(other *liveFilter, v nostr.TagValue) int {
			return find(other.filter.Tags[other.tag].Values, v, nostr.TagValue.Compare)
		})
	case byNothing:
		x.rest = cut(x.rest, f.at[0], func(moved *liveFilter) { moved.at[0] = f.at[0] })
	}
	x.size -= len(f.at)
	f.at = nil
}

// match calls found for each live filter that matches h, once.
func (x *index) match(h nostr.Header, found func(*liveFilter)) {
	x.round++
	x.try(x.ids[h.ID()], h, found)
	x.try(x.authors[h.PubKey()], h, found)
	x.try(x.kinds[h.Kind()], h, found)
	for name, value := range h.Tags() {
		if p := x.tags[name-'A']; p != nil {
			x.try(p[value], h, found)
		}
	}
	x.try(x.rest, h, found)
}

func (x *index) try(list []*liveFilter, h nostr.Header, found func(*liveFilter)) {
	for _, f := range list {
		if f.round == x.round {
			continue // under another value of the same event
		}
		f.round = x.round
		x.tried++
		if f.filter.Match(h) {
			found(f)
		}
	}
}

// postings lists the filters under each value of a field.
type postings[K comparable] map[K][]*liveFilter

func (p postings[K]) add(f *liveFilter, values []K) {
	f.at = make([]uint32, len(values))
	for i, v := range values {
		list := p[v]
		f.at[i] = uint32(len(list))
		p[v] = append(list, f)
	}
}

// remove takes f out of the list of each of its values, without searching them:
// the lists of popular values are long. Place says which of a filter's values
// one is.
func (p postings[K]) remove(f *liveFilter, values []K, place func(*liveFilter, K) int) {
	for i, v := range values {
		list := cut(p[v], f.at[i], func(moved *liveFilter) { moved.at[place(moved, v)] = f.at[i] })
		if len(list) == 0 {
			delete(p, v)
		} else {
			p[v] = list
		}
	}
}

// cut removes the i-th item of a list by moving the last one there.
func cut[T any](list []*T, i uint32, moved func(*T)) []*T {
	last := len(list) - 1
	if int(i) != last {
		list[i] = list[last]
		moved(list[i])
	}
	list[last] = nil
	list = list[:last]
	if last > 64 && last < cap(list)/4 {
		list = append(make([]*T, 0, 2*last), list...)
	}
	return list
}

func find[T any](sorted []T, v T, compare func(T, T) int) int {
	i, _ := slices.BinarySearchFunc(sorted, v, compare)
	return i
}
