package nostr

import "slices"

// Parties are the author of an event and those whom its p tags name: who may see
// it if its kind is private. Sorted, without repetitions, never empty. It says the
// same as Access.Allows, for an event that is held against very many readers: its
// tags are looked at once.
type Parties []PubKey

// Parties returns the parties to the event of h.
func (h Header) Parties() Parties {
	p := Parties{h.PubKey()}
	for name, value := range h.Tags() {
		if name != 'p' {
			continue
		}
		if b, ok := value.Packed(); ok {
			p = append(p, PubKey(b))
		}
	}
	slices.SortFunc(p, PubKey.Compare)
	return slices.Clip(slices.Compact(p))
}

// Include reports whether one of the keys is a party.
func (p Parties) Include(keys []PubKey) bool {
	for i := range keys {
		if contains(p, keys[i][:]) {
			return true
		}
	}
	return false
}
