package ingester

import (
	"bytes"
	"slices"

	"rhea/proto/nostr"
	"rhea/proto/policy"
)

// Kinds with rules of their own.
const (
	kindRepost        nostr.Kind = 6     // of a note (NIP-18)
	kindGenericRepost nostr.Kind = 16    // of any other event (NIP-18)
	kindVanish        nostr.Kind = 62    // request to vanish (NIP-62)
	kindAuth          nostr.Kind = 22242 // authenticates a client, must not be published (NIP-42)
)

// dated refuses an event whose created_at is out of bounds.
func (c *core) dated(e *nostr.Event, now int64) *refusal {
	past, future := c.limits.CreatedAtLowerLimit, c.limits.CreatedAtUpperLimit
	switch {
	case past > 0 && e.CreatedAt < now-past && !c.policy.IsExempt(e.Kind):
		return beyond("created_at is more than %d seconds in the past", past)
	case future > 0 && e.CreatedAt > now+future && !c.policy.IsExempt(e.Kind):
		return beyond("created_at is more than %d seconds in the future", future)
	}
	return nil
}

// worked refuses an event that shows less work than its kind needs, or whose
// author has aimed at less and was lucky (NIP-13).
func (c *core) worked(e *nostr.Event) *refusal {
	want := c.policy.Difficulty(e.Kind)
	if want == 0 {
		return nil
	}
	if got := e.ID.Difficulty(); got < want {
		return unwanted(reasonPoW, nostr.PoW, "difficulty %d is less than %d", got, want)
	}
	switch target, given := e.WorkTarget(); {
	case !given || target >= want:
		return nil
	case target < 0:
		return unwanted(reasonPoW, nostr.PoW, "the committed target is not a number")
	default:
		return unwanted(reasonPoW, nostr.PoW, "the committed target %d is less than %d", target, want)
	}
}

// fromItsAuthor refuses a protected event unless one of the connection's keys is
// its author's (NIP-70).
func fromItsAuthor(e *nostr.Event, keys [][]byte) *refusal {
	switch {
	case len(keys) == 0:
		return unwanted(reasonProtected, nostr.AuthRequired, "this event may only be published by its author")
	case !slices.ContainsFunc(keys, func(key []byte) bool { return bytes.Equal(key, e.PubKey[:]) }):
		return unwanted(reasonProtected, nostr.Restricted, "this event may only be published by its author")
	}
	return nil
}

// maxVanishRelays bounds the relay tags of a request to vanish, because each is
// read as a URL before the signature is looked at.
const maxVanishRelays = 1000

// vanishesHere reports whether a request to vanish names this relay, and refuses
// one that names none (NIP-62). One that names only others is an event like any
// other.
func (c *core) vanishesHere(e *nostr.Event) (bool, *refusal) {
	named := 0
	for _, tag := range e.Tags {
		if tag[0] != "relay" || len(tag) < 2 || tag[1] == "" {
			continue
		}
		if tag[1] == policy.AllRelays || c.names.Relay(tag[1]) {
			return true, nil
		}
		if named++; named > maxVanishRelays {
			return false, unwanted(reasonVanish, nostr.Invalid, "a request to vanish can name at most %d relays", maxVanishRelays)
		}
	}
	if named == 0 {
		return false, invalid(reasonVanish, "a request to vanish must have a relay tag")
	}
	return false, nil
}
