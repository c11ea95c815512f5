package nostr

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// Match reports whether the event of h satisfies everything in the filter but
// its limit. It is the one matching function, for stored and for live events.
// It does not allocate; cheap conditions come first, and tags are passed over
// once however many tag conditions there are.
func (f *Filter) Match(h Header) bool {
	if f.HasSince || f.HasUntil {
		at := h.CreatedAt()
		if f.HasSince && at < f.Since || f.HasUntil && at > f.Until {
			return false
		}
	}
	if f.Kinds != nil {
		if _, ok := slices.BinarySearch(f.Kinds, h.Kind()); !ok {
			return false
		}
	}
	if f.Authors != nil && !contains(f.Authors, h[offPubKey:offCreatedAt]) {
		return false
	}
	if f.IDs != nil && !contains(f.IDs, h[offID:offPubKey]) {
		return false
	}
	return len(f.Tags) == 0 || f.matchTags(h)
}

// MatchAny reports whether one of the filters of a subscription matches.
func MatchAny(filters []Filter, h Header) bool {
	for i := range filters {
		if filters[i].Match(h) {
			return true
		}
	}
	return false
}

// matchTags ticks off the tag conditions as their tags come by.
func (f *Filter) matchTags(h Header) bool {
	var open uint64 // a bit per letter that still lacks a match
	for i := range f.Tags {
		open |= letterBit(f.Tags[i].Name)
	}
	for name, value := range h.Tags() {
		bit := letterBit(name)
		if open&bit == 0 {
			continue
		}
		for i := range f.Tags {
			if f.Tags[i].Name == name {
				if f.Tags[i].contains(value) {
					open &^= bit
				}
				break
			}
		}
		if open == 0 {
			return true
		}
	}
	return open == 0
}

// letterBit maps A-Z and a-z to different bits.
func letterBit(c byte) uint64 { return 1 << (c - 'A') }

// few is the length up to which walking a list beats halving it.
const few = 8

func (t *TagFilter) contains(v TagValue) bool {
	if len(t.Values) <= few {
		return slices.Contains(t.Values, v)
	}
	lo, hi := 0, len(t.Values)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if t.Values[mid].less(&v) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo < len(t.Values) && t.Values[lo] == v
}

// contains searches a sorted list for the 32 bytes of key. The first halving
// looks at eight bytes only and has no branch to mispredict, which decides
// nearly always; values made to agree in them cost a second one.
func contains[T ~[32]byte](sorted []T, key []byte) bool {
	if len(sorted) == 0 {
		return false
	}
	head := binary.BigEndian.Uint64(key)
	base := 0
	for n := len(sorted); n > 1; {
		half := n >> 1
		next := base + half
		if binary.BigEndian.Uint64(sorted[next-1][:]) < head {
			base = next
		}
		n -= half
	}
	if binary.BigEndian.Uint64(sorted[base][:]) != head {
		return false
	}
	lo, hi := base, len(sorted)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if bytes.Compare(sorted[mid][:], key) < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo < len(sorted) && string(sorted[lo][:]) == string(key)
}
