package monitor

import (
	"cmp"
	"hash/maphash"
	"slices"
	"unsafe"

	"rhea/proto/nostr"
)

// liveFilter is a filter that one watch or more has: filters that ask for the
// same are one, however many subscriptions have them. What it asks for beside the
// values that the index has it under follows the record, in words:
//
//	since, until     two words each, if the filter has them
//	kinds            two in a word, ascending
//	conditions       for each a word, space<<26 | number of values, and the values:
//	                 terms, ascending
//
// So what a match looks at is small and close together, however long a feed is.
type liveFilter struct {
	link
	round   uint64     // of the index's last look at it
	watches list[ref]  // those that are live; the index has the filter if there is one
	under   list[post] // where the index has it: ascending by value
	users   uint32     // watches that have it
	mask    uint32     // of its kinds, as in a posting
	shape   shape
	words   uint32 // that follow
}

// post is a value that the index has a filter under (a term, a kind, or 0), and
// where in the value's list the filter stands.
type post struct {
	value, place uint32
}

func (p post) compare(value uint32) int { return cmp.Compare(p.value, value) }

const filterWords = int(unsafe.Sizeof(liveFilter{})) / wordBytes

// shape is the number of kinds, the field that the index uses and, if that is one of
// terms, their space, and what else there is.
type shape uint32

const (
	hasSince shape = 1 << iota
	hasUntil
	hasKinds
	fieldShift = 3
	usedShift  = 6
	kindsShift = 16
)

func (s shape) field() field { return field(s >> fieldShift & 7) }
func (s shape) used() space  { return space(s >> usedShift & 63) }
func (s shape) kinds() int   { return int(s >> kindsShift) }

// filters is the set of the live filters and of those about to be.
type filters struct {
	arena *arena
	terms *terms
	table table

	// Scratch: a filter spelled out.
	parts, under []uint32
}

func newFilters() *filters {
	a := new(arena)
	return &filters{
		arena: a, table: table{arena: a},
		terms: &terms{arena: a, table: table{arena: a}, seed: maphash.MakeSeed()},
	}
}

// intern returns the live filter that asks for what f asks for, making it when it
// is the first. Its limit and the order of its tag conditions do not count.
func (x *filters) intern(f nostr.Filter) ref {
	shape := x.spell(&f)
	hash := x.hash(shape)
	for r := x.table.first(hash); r != 0; r = x.table.next(r) {
		known := view[liveFilter](x.arena, r)
		if known.hash == hash && known.shape == shape && x.spelled(known) {
			known.users++
			x.releaseTerms(known)
			return r
		}
	}
	r := x.arena.alloc(filterWords + len(x.parts))
	made := view[liveFilter](x.arena, r)
	made.users, made.shape, made.words = 1, shape, uint32(len(x.parts))
	made.mask = kindMask(f.Kinds)
	copy(made.body(), x.parts)
	for i, posts := 0, made.under.sized(x.arena, len(x.under)); i < len(posts); i++ {
		posts[i].value = x.under[i]
	}
	x.table.insert(r, hash)
	return r
}

func (x *filters) hash(s shape) uint32 {
	var h maphash.Hash
	h.SetSeed(x.terms.seed)
	for _, words := range [][]uint32{x.parts, x.under} {
		h.Write(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), len(words)*wordBytes))
	}
	return uint32(h.Sum64()>>32) ^ uint32(s)*0x9e3779b1
}

// spelled says whether a filter, whose shape is the same, is the one spelled out.
func (x *filters) spelled(f *liveFilter) bool {
	return slices.Equal(f.body(), x.parts) && slices.EqualFunc(f.under.items(x.arena), x.under, func(p post, v uint32) bool { return p.value == v })
}

// release takes note that one watch less has the filter, and forgets it if none
// has it any more.
func (x *filters) release(r ref) {
	f := view[liveFilter](x.arena, r)
	if f.users--; f.users == 0 {
		x.releaseTerms(f)
		f.under.clear(x.arena)
		x.table.remove(r)
		x.arena.release(r)
	}
}

func (x *filters) releaseTerms(f *liveFilter) {
	if f.shape.field().hasTerms() {
		for _, p := range f.under.items(x.arena) {
			x.terms.release(ref(p.value))
		}
	}
	body := f.body()
	for at := f.conditions(); at < len(body); {
		var values []uint32
		_, values, at = condition(body, at)
		for _, t := range values {
			x.terms.release(ref(t))
		}
	}
}

// body returns what follows a filter's record.
func (f *liveFilter) body() []uint32 {
	return unsafe.Slice((*uint32)(unsafe.Add(unsafe.Pointer(f), unsafe.Sizeof(*f))), f.words)
}
