package nostr

import (
	"encoding/hex"
	"slices"
	"strconv"

	"rhea/proto/nostr/strictjson"
)

// NoLimit is the Limit of a filter without one.
const NoLimit = -1

// Filter is a filter of NIP-01. A nil list is an absent one and matches
// everything; a list that is there and empty matches nothing. Lists are sorted
// and without repetitions: ParseFilter makes them so, and a filter built by
// hand needs Sort.
//
// The zero Filter matches every event and, having Limit 0, asks for no stored
// ones; All is the filter {}.
type Filter struct {
	IDs      []EventID
	Authors  []PubKey
	Kinds    []Kind
	Tags     []TagFilter // in the order of the JSON, each name once
	Since    int64       // inclusive, Unix seconds; counts if HasSince
	Until    int64       // inclusive, Unix seconds; counts if HasUntil
	HasSince bool
	HasUntil bool
	Limit    int // of stored events, NoLimit if absent
}

// TagFilter asks for an event with an indexed tag of this name and one of
// these values.
type TagFilter struct {
	Name   byte       // a-z or A-Z
	Values []TagValue // sorted by Compare
	First  TagValue   // the value that came first in the JSON (NIP-45 hashes it)
}

// All returns the filter {}.
func All() Filter { return Filter{Limit: NoLimit} }

// Sort brings the lists of a filter that was built by hand into the order
// that Match relies on, and removes repetitions. First is left alone.
func (f *Filter) Sort() {
	slices.SortFunc(f.IDs, EventID.Compare)
	f.IDs = slices.Compact(f.IDs)
	slices.SortFunc(f.Authors, PubKey.Compare)
	f.Authors = slices.Compact(f.Authors)
	slices.Sort(f.Kinds)
	f.Kinds = slices.Compact(f.Kinds)
	for i := range f.Tags {
		t := &f.Tags[i]
		slices.SortFunc(t.Values, TagValue.Compare)
		t.Values = slices.Compact(t.Values)
	}
}

// Impossible reports whether no event can ever match: a list is empty, since
// is after until, or until is before 1970.
func (f *Filter) Impossible() bool {
	if f.IDs != nil && len(f.IDs) == 0 || f.Authors != nil && len(f.Authors) == 0 ||
		f.Kinds != nil && len(f.Kinds) == 0 {
		return true
	}
	for i := range f.Tags {
		if len(f.Tags[i].Values) == 0 {
			return true
		}
	}
	return f.HasUntil && (f.Until < 0 || f.HasSince && f.Since > f.Until)
}

// AppendJSON appends the filter as a JSON object from which ParseFilter makes
// an equal one. Unknown fields of the original and repetitions are gone.
func (f *Filter) AppendJSON(dst []byte) []byte {
	w := filterWriter{dst: append(dst, '{'), sep: ""}
	if f.IDs != nil {
		w.key("ids")
		w.list(len(f.IDs), func(dst []byte, i int) []byte { return appendHex(dst, f.IDs[i][:]) })
	}
	if f.Authors != nil {
		w.key("authors")
		w.list(len(f.Authors), func(dst []byte, i int) []byte { return appendHex(dst, f.Authors[i][:]) })
	}
	if f.Kinds != nil {
		w.key("kinds")
		w.list(len(f.Kinds), func(dst []byte, i int) []byte {
			return strconv.AppendUint(dst, uint64(f.Kinds[i]), 10)
		})
	}
	for i := range f.Tags {
		t := &f.Tags[i]
		w.key("#" + string(rune(t.Name)))
		w.list(len(t.Values), t.appendValue)
	}
	if f.HasSince {
		w.number("since", f.Since)
	}
	if f.HasUntil {
		w.number("until", f.Until)
	}
	if f.Limit >= 0 {
		w.number("limit", int64(f.Limit))
	}
	return append(w.dst, '}')
}

// appendValue appends the i-th value, where First changes places with the
// value at 0 so that it comes first again.
func (t *TagFilter) appendValue(dst []byte, i int) []byte {
	v := t.Values[i]
	if i == 0 {
		if _, ok := slices.BinarySearchFunc(t.Values, t.First, TagValue.Compare); ok {
			v = t.First
		}
	} else if v == t.First {
		v = t.Values[0]
	}
	if b, ok := v.Packed(); ok {
		return appendHex(dst, b)
	}
	return strictjson.AppendString(dst, v.raw)
}

func appendHex(dst, b []byte) []byte {
	return append(hex.AppendEncode(append(dst, '"'), b), '"')
}

type filterWriter struct {
	dst []byte
	sep string
}

func (w *filterWriter) key(name string) {
	w.dst = append(w.dst, w.sep...)
	w.dst = append(w.dst, '"')
	w.dst = append(w.dst, name...)
	w.dst = append(w.dst, '"', ':')
	w.sep = ","
}

func (w *filterWriter) number(name string, n int64) {
	w.key(name)
	w.dst = strconv.AppendInt(w.dst, n, 10)
}

func (w *filterWriter) list(n int, item func(dst []byte, i int) []byte) {
	w.dst = append(w.dst, '[')
	for i := range n {
		if i > 0 {
			w.dst = append(w.dst, ',')
		}
		w.dst = item(w.dst, i)
	}
	w.dst = append(w.dst, ']')
}
