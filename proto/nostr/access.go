package nostr

import "slices"

// Access is what one reader may be sent. The zero value is a stranger on a relay
// without private kinds, who may see everything. It is used alike for stored and
// live events, counts and negentropy.
type Access struct {
	// Private kinds are served only to the parties of an event: its author and
	// those in its p tags (NIP-04, NIP-17, NIP-59). Sorted.
	Private []Kind
	// Keys are the public keys that the reader has authenticated (NIP-42).
	Keys []PubKey
}

// Allows reports whether the reader may be sent the event of h.
func (a *Access) Allows(h Header) bool { return !a.IsPrivate(h.Kind()) || a.isParty(h) }

// IsPrivate reports whether events of a kind are for their parties only.
func (a *Access) IsPrivate(k Kind) bool {
	_, private := slices.BinarySearch(a.Private, k)
	return private
}

func (a *Access) isParty(h Header) bool {
	if len(a.Keys) == 0 {
		return false
	}
	if slices.Contains(a.Keys, h.PubKey()) {
		return true
	}
	for name, value := range h.Tags() {
		if name != 'p' {
			continue
		}
		if b, ok := value.Packed(); ok && slices.Contains(a.Keys, PubKey(b)) {
			return true
		}
	}
	return false
}

// Judge reports why a query with these filters is refused, "" if it is not:
//
//	auth-required  a filter asks for private kinds alone, and the reader is a stranger
//	restricted     a filter asks for private kinds alone, names authors and p tags,
//	               and none of them is the reader
//
// Everything else is served, less what the reader may not see: a filter that asks
// for other kinds too has an answer without it.
func (a *Access) Judge(filters []Filter) (Prefix, string) {
	for i := range filters {
		f := &filters[i]
		switch {
		case !a.asksForPrivate(f):
		case len(a.Keys) == 0:
			return AuthRequired, "these kinds are served to their authors and recipients only"
		case f.Authors != nil && !a.anyOf(f.Authors) && a.namesOthers(f):
			return Restricted, "these events are for others than the keys that are authenticated"
		}
	}
	return "", ""
}

// asksForPrivate reports whether f can match events of private kinds only.
func (a *Access) asksForPrivate(f *Filter) bool {
	return len(f.Kinds) > 0 && !slices.ContainsFunc(f.Kinds, func(k Kind) bool { return !a.IsPrivate(k) })
}

func (a *Access) anyOf(keys []PubKey) bool {
	return slices.ContainsFunc(a.Keys, func(k PubKey) bool { return slices.Contains(keys, k) })
}

// namesOthers reports whether f asks for p tags none of which is one of the keys.
func (a *Access) namesOthers(f *Filter) bool {
	for i := range f.Tags {
		if t := &f.Tags[i]; t.Name == 'p' {
			return !slices.ContainsFunc(a.Keys, func(k PubKey) bool { return t.contains(PackedTagValue(k)) })
		}
	}
	return false
}

// ParseKeys reads public keys as the bus carries them, 32 bytes each, and leaves
// out what is none.
func ParseKeys(raw [][]byte) []PubKey {
	var keys []PubKey
	for _, b := range raw {
		if len(b) == len(PubKey{}) {
			keys = append(keys, PubKey(b))
		}
	}
	return keys
}

// Expired reports whether the event of h has expired at a time in Unix seconds
// (NIP-40). Ephemeral events do not expire: they are gone before.
func (h Header) Expired(now int64) bool {
	at := h.Expiration()
	return at != 0 && at <= now && !h.Kind().IsEphemeral()
}
