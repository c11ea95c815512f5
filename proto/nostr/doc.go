// Package nostr is the vocabulary of NIP-01 as every stage sees it: events,
// ids, kinds, the packed Header by which events are indexed and matched, and
// filters. It owns what an event and a filter are allowed to look like, the id
// preimage and the canonical JSON, and the one matching function used for
// stored and live events alike.
//
// It refuses to know signatures (package schnorr), time, policy, frames and
// the bus. Nothing in it has state; everything is safe for concurrent use as
// long as nobody writes to the bytes.
//
// Ownership: an Event aliases the bytes it was parsed from, a TagValue taken
// from a Header aliases the header, and a parsed Filter owns its memory,
// because filters outlive the frames that brought them.
package nostr
