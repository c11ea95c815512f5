package monitor

import (
	"slices"

	"rhea/proto/nostr"
)

// sighting is an event in terms: what it has of what anybody asks for.
type sighting struct {
	createdAt int64
	kind      nostr.Kind
	terms     []uint64 // space<<32 | term: ascending, each once
	spans     [spaces]struct{ from, to uint32 }
}

// look makes the sighting that of an event.
func (x *index) look(h nostr.Header) {
	s := &x.sighting
	for _, t := range s.terms {
		s.spans[t>>32].to = s.spans[t>>32].from
	}
	s.createdAt, s.kind, s.terms = h.CreatedAt(), h.Kind(), s.terms[:0]
	note := func(sp space, value []byte, packed bool) {
		if t := x.terms.find(sp, value, packed); t != 0 {
			s.terms = append(s.terms, uint64(sp)<<32|uint64(t))
		}
	}
	id, pubkey := h.ID(), h.PubKey()
	note(ids, id[:], true)
	note(authors, pubkey[:], true)
	for name, value := range h.Tags() {
		if sp := tagSpace(name); x.terms.used[sp] > 0 {
			_, packed := value.Packed()
			note(sp, value.Raw(), packed)
		}
	}
	slices.Sort(s.terms)
	s.terms = slices.Compact(s.terms)
	for i, t := range s.terms {
		span := &s.spans[t>>32]
		if span.to == span.from {
			span.from = uint32(i)
		}
		span.to = uint32(i) + 1
	}
}

// of returns what of the terms are of a space.
func (s *sighting) of(sp space) []uint64 {
	span := s.spans[sp]
	return s.terms[span.from:span.to]
}

// satisfies says whether the event satisfies everything in a filter but for what the
// index has it under.
func (s *sighting) satisfies(f *liveFilter) bool {
	since, until := f.times()
	if f.shape&hasSince != 0 && s.createdAt < since || f.shape&hasUntil != 0 && s.createdAt > until {
		return false
	}
	if f.shape&hasKinds != 0 && f.shape.field() != byKind && !slices.Contains(f.kinds(), s.kind) {
		return false
	}
	body := f.body()
	for at := f.conditions(); at < len(body); {
		var sp space
		var values []uint32
		sp, values, at = condition(body, at)
		if !meet(values, s.of(sp)) {
			return false
		}
	}
	return true
}

// few is the length up to which walking a list beats halving it.
const few = 8

// meet says whether an ascending list of terms and one of a sighting have one in
// common. It looks for the values of the shorter one in the longer one.
func meet(values []uint32, seen []uint64) bool {
	if len(values) <= len(seen) && len(seen) > few {
		for _, v := range values {
			if _, ok := slices.BinarySearchFunc(seen, v, func(s uint64, v uint32) int { return int(int64(uint32(s)) - int64(v)) }); ok {
				return true
			}
		}
		return false
	}
	for _, s := range seen {
		if len(values) <= few {
			if slices.Contains(values, uint32(s)) {
				return true
			}
		} else if _, ok := slices.BinarySearch(values, uint32(s)); ok {
			return true
		}
	}
	return false
}
