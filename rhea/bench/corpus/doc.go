// Package corpus makes and reads the events of a load: plausible ones from a seed,
// signed once and kept in the user's cache directory, and real ones from a file.
//
// An event is kept as its JSON and the little that questions about it need. What is
// made depends on the seed and the count alone, so two relays, or two days, are given
// the same.
package corpus

import (
	"rhea/proto/nostr"
	"rhea/rhea/bench/wire"
)

// Event is one event of a load.
type Event struct {
	JSON      []byte
	ID        nostr.EventID
	Author    nostr.PubKey
	CreatedAt int64
	Kind      nostr.Kind
	Replied   string // what its first e tag names, "" if it has none
	Mentioned string // the same of its p tags
}

// Key is what the event is known by in a run.
func (e *Event) Key() wire.Key {
	var text [16]byte
	const digits = "0123456789abcdef"
	for i, b := range e.ID[:8] {
		text[2*i], text[2*i+1] = digits[b>>4], digits[b&15]
	}
	k, _ := wire.KeyOf(text[:])
	return k
}
