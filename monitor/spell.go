package monitor

import (
	"cmp"
	"slices"
	"unsafe"

	"rhea/proto/nostr"
)

// spell writes to parts and under what f asks for, counting a place more for each
// term, and returns its shape.
func (x *filters) spell(f *nostr.Filter) (s shape) {
	x.parts, x.under = x.parts[:0], x.under[:0]
	if len(f.Kinds) == 1<<16 {
		f.Kinds = nil // all there are
	}
	slices.SortFunc(f.Tags, func(a, b nostr.TagFilter) int { return cmp.Compare(a.Name, b.Name) })
	used, tag := selective(f)
	s = shape(used) << fieldShift
	if f.HasSince {
		s |= hasSince
		x.spellTime(f.Since)
	}
	if f.HasUntil {
		s |= hasUntil
		x.spellTime(f.Until)
	}
	if f.Kinds != nil {
		s |= hasKinds | shape(len(f.Kinds))<<kindsShift
		x.spellKinds(f.Kinds)
	}
	if f.IDs != nil {
		if used == byID {
			s |= shape(ids) << usedShift
		}
		spellValues(x, ids, used == byID, f.IDs, func(id *nostr.EventID) ([]byte, bool) { return id[:], true })
	}
	if f.Authors != nil {
		if used == byAuthor {
			s |= shape(authors) << usedShift
		}
		spellValues(x, authors, used == byAuthor, f.Authors, func(pk *nostr.PubKey) ([]byte, bool) { return pk[:], true })
	}
	for i := range f.Tags {
		t := &f.Tags[i]
		if used == byTag && i == tag {
			s |= shape(tagSpace(t.Name)) << usedShift
		}
		spellValues(x, tagSpace(t.Name), used == byTag && i == tag, t.Values, func(v *nostr.TagValue) ([]byte, bool) {
			_, packed := v.Packed()
			return v.Raw(), packed
		})
	}
	switch used {
	case byKind:
		for _, k := range f.Kinds {
			x.under = append(x.under, uint32(k))
		}
	case byNothing:
		x.under = append(x.under, 0)
	}
	return s
}

func (x *filters) spellTime(at int64) {
	x.parts = append(x.parts, uint32(uint64(at)), uint32(uint64(at)>>32))
}

func (x *filters) spellKinds(kinds []nostr.Kind) {
	if len(kinds) == 0 {
		return
	}
	from := len(x.parts)
	x.parts = append(x.parts, make([]uint32, (len(kinds)+1)/2)...)
	copy(unsafe.Slice((*nostr.Kind)(unsafe.Pointer(&x.parts[from])), len(kinds)), kinds)
}

// spellValues spells a condition out: to under if it is the one that the index uses.
func spellValues[T any](x *filters, s space, used bool, values []T, bytes func(*T) (_ []byte, packed bool)) {
	to := &x.parts
	if used {
		to = &x.under
	} else {
		*to = append(*to, uint32(s)<<spaceShift|uint32(len(values)))
	}
	from := len(*to)
	for i := range values {
		value, packed := bytes(&values[i])
		*to = append(*to, uint32(x.terms.intern(s, value, packed)))
	}
	slices.Sort((*to)[from:])
}

// read undoes spell.
func (x *filters) read(r ref) nostr.Filter {
	f := view[liveFilter](x.arena, r)
	made := nostr.Filter{HasSince: f.shape&hasSince != 0, HasUntil: f.shape&hasUntil != 0, Limit: nostr.NoLimit}
	made.Since, made.Until = f.times()
	if f.shape&hasKinds != 0 {
		made.Kinds = slices.Clone(f.kinds())
	}
	if f.shape.field().hasTerms() {
		posts := f.under.items(x.arena)
		x.readValues(&made, f.shape.used(), len(posts), func(i int) uint32 { return posts[i].value })
	}
	body := f.body()
	for at := f.conditions(); at < len(body); {
		var s space
		var values []uint32
		s, values, at = condition(body, at)
		x.readValues(&made, s, len(values), func(i int) uint32 { return values[i] })
	}
	made.Sort()
	return made
}

func (x *filters) readValues(f *nostr.Filter, s space, n int, value func(int) uint32) {
	term := func(i int) *term { return view[term](x.arena, ref(value(i))) }
	switch s {
	case ids:
		f.IDs = make([]nostr.EventID, n)
		for i := range n {
			f.IDs[i] = nostr.EventID(term(i).value())
		}
	case authors:
		f.Authors = make([]nostr.PubKey, n)
		for i := range n {
			f.Authors[i] = nostr.PubKey(term(i).value())
		}
	default:
		t := nostr.TagFilter{Name: byte(s-firstTag) + 'A', Values: make([]nostr.TagValue, n)}
		for i := range n {
			t.Values[i] = term(i).tagValue()
		}
		f.Tags = append(f.Tags, t)
	}
}

// times returns since and until, which count if the shape says so.
func (f *liveFilter) times() (since, until int64) {
	body := f.body()
	at := func(i int) int64 { return int64(uint64(body[i]) | uint64(body[i+1])<<32) }
	switch f.shape & (hasSince | hasUntil) {
	case hasSince:
		return at(0), 0
	case hasUntil:
		return 0, at(0)
	case hasSince | hasUntil:
		return at(0), at(2)
	}
	return 0, 0
}

// kinds returns the kinds, none if there is no condition or an empty one.
func (f *liveFilter) kinds() []nostr.Kind {
	if f.shape.kinds() == 0 {
		return nil
	}
	words := f.body()[f.timeWords():]
	return unsafe.Slice((*nostr.Kind)(unsafe.Pointer(&words[0])), f.shape.kinds())
}

func (f *liveFilter) timeWords() int { return int(f.shape&hasSince)*2 + int(f.shape&hasUntil) }

// conditions returns where in the body the first condition is.
func (f *liveFilter) conditions() int { return f.timeWords() + (f.shape.kinds()+1)/2 }

// condition returns the condition that is at a place of a body, and where the next
// one is.
func condition(body []uint32, at int) (_ space, values []uint32, next int) {
	n := int(body[at] & (1<<spaceShift - 1))
	return space(body[at] >> spaceShift), body[at+1 : at+1+n], at + 1 + n
}
