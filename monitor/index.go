package monitor

import (
	"slices"

	"rhea/proto/nostr"
)

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

// hasTerms says whether the index finds the filter under terms.
func (f field) hasTerms() bool { return f == byID || f == byAuthor || f == byTag }

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
	*filters
	kinds    map[nostr.Kind]*list[posting] // what has no term to stand under
	rest     list[posting]
	sighting sighting
	round    uint64
	size     int    // postings
	tried    uint64 // filters that a commit was held against
}

// posting is a filter in the list of a value. The guard turns away most commits
// that the filter does not want, so that going through a long list does not touch
// its filters. In the list of a term it has a bit for each kind that the filter asks
// for (kinds share bits): of the many feeds that follow a popular author only those
// that want the kind count. Elsewhere it is a span of time, since most filters
// without an author or a tag that match nothing new have an until.
type posting struct {
	filter ref
	guard  uint32
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

// period is the 18 hours that a time is in, since 1970 and up to 2106.
func period(at int64) uint32 { return uint32(min(max(at, 0)>>16, 1<<16-1)) }

// span returns since and until by the period.
func (f *liveFilter) span() uint32 {
	first, last := uint32(0), uint32(1<<16-1)
	since, until := f.times()
	if f.shape&hasSince != 0 {
		first = period(since)
	}
	if f.shape&hasUntil != 0 {
		last = period(until)
	}
	return first<<16 | last
}

func newIndex(f *filters) *index {
	return &index{filters: f, kinds: make(map[nostr.Kind]*list[posting])}
}

// add has the index find a filter.
func (x *index) add(r ref) {
	f := x.at(r)
	p := posting{r, f.span()}
	if f.shape.field().hasTerms() {
		p.guard = f.mask
	}
	posts := f.under.items(x.arena)
	for i := range posts {
		posts[i].place = x.list(f.shape.field(), posts[i].value).add(x.arena, p)
	}
	x.size += len(posts)
}

// remove undoes add, without searching the lists: those of popular values are long.
func (x *index) remove(r ref) {
	f := x.at(r)
	posts := f.under.items(x.arena)
	for _, p := range posts {
		l := x.list(f.shape.field(), p.value)
		if moved, ok := l.cut(x.arena, p.place); ok {
			theirs := x.at(moved.filter).under.items(x.arena)
			i, _ := slices.BinarySearchFunc(theirs, p.value, post.compare)
			theirs[i].place = p.place
		}
		if l.n == 0 && f.shape.field() == byKind {
			delete(x.kinds, nostr.Kind(p.value))
		}
	}
	x.size -= len(posts)
}

// list returns the list of a value of a field.
func (x *index) list(f field, value uint32) *list[posting] {
	switch f {
	case byNothing:
		return &x.rest
	case byKind:
		l := x.kinds[nostr.Kind(value)]
		if l == nil {
			l = new(list[posting])
			x.kinds[nostr.Kind(value)] = l
		}
		return l
	}
	return &view[term](x.arena, ref(value)).postings
}

// at returns a filter's record.
func (x *index) at(r ref) *liveFilter { return view[liveFilter](x.arena, r) }

// bytes is the memory of all filters, terms and lists.
func (x *index) bytes() int {
	const kindBytes = 64 // of a place in the map, and a list
	return x.arena.held + x.filters.table.bytes() + x.terms.table.bytes() + kindBytes*len(x.kinds)
}

// match calls found for each live filter that matches h, once.
func (x *index) match(h nostr.Header, found func(*liveFilter)) {
	x.round++
	x.look(h)
	bit := kindBit(x.sighting.kind)
	for _, seen := range x.sighting.terms {
		for _, p := range view[term](x.arena, ref(seen)).postings.items(x.arena) {
			if p.guard&bit != 0 {
				x.try(p.filter, found)
			}
		}
	}
	at := period(x.sighting.createdAt)
	inTime := func(l *list[posting]) {
		for _, p := range l.items(x.arena) {
			if p.guard>>16 <= at && at <= p.guard&(1<<16-1) {
				x.try(p.filter, found)
			}
		}
	}
	if l := x.kinds[x.sighting.kind]; l != nil {
		inTime(l)
	}
	inTime(&x.rest)
}

func (x *index) try(r ref, found func(*liveFilter)) {
	f := x.at(r)
	if f.round == x.round {
		return // under another value of the same event
	}
	f.round = x.round
	x.tried++
	if x.sighting.satisfies(f) {
		found(f)
	}
}

// holds says whether a filter, live or not, matches the event that match has been
// given last.
func (x *index) holds(r ref) bool {
	f := x.at(r)
	if !x.sighting.satisfies(f) {
		return false
	}
	has := func(value uint32) bool {
		_, ok := slices.BinarySearchFunc(f.under.items(x.arena), value, post.compare)
		return ok
	}
	switch used := f.shape.field(); {
	case used.hasTerms():
		return slices.ContainsFunc(x.sighting.of(f.shape.used()), func(seen uint64) bool { return has(uint32(seen)) })
	case used == byKind:
		return has(uint32(x.sighting.kind))
	}
	return true
}
