// Package words puts messages of the contract into words: as one line for people, as
// JSON for programs. It goes by the names of fields, so that a field that is added to
// the contract shows up by itself:
//
//	conn                       as in logs: 1a2b3c4d-17
//	store                      16 hex digits
//	fixed32                    an instance: 8 hex digits
//	event, json, events        Nostr events, as JSON
//	filter, filters            NIP-01 filters, as JSON
//	header                     a nostr.Header; the event beside it says the same
//	other bytes                hex
//
// It is for looking at what may be damaged or hostile: nothing in a message makes it
// fail, and a line has no control characters. It has no state.
package words
