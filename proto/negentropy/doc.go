// Package negentropy is the wire codec and the reconciliation of NIP-77
// (Negentropy Protocol V1): two parties find out which events one has and the
// other lacks, by comparing fingerprints of ever smaller ranges.
//
// Respond is the server's side. It needs nothing but the set and the message:
// all state of a session travels in the messages. Client is the side that asks
// and learns the differences. A Set is what is reconciled: Slice is one of a
// slice of items, a tree that follows the log is another, Part is a stretch of
// either.
//
// The package knows neither filters, hex nor sessions. It owns no goroutine; a
// Set is only read, and only during a call.
//
// # Bounds
//
// A message of n bytes costs at most n/3 searches in the set, one search for
// each range, and sums and ids of ranges that never overlap. An answer is never
// longer than the limit it is given; nothing is allocated for a count that the
// message does not hold the items of.
//
// # Where a range does not fit
//
// Answers are byte for byte those of the reference implementation, save one case.
// When the split of a range would exceed the limit, the reference drops it,
// together with the Skip before it, and ends with a fingerprint of the items
// after the range, although the range on the wire begins at the last bound
// written. That fingerprint is not of "all the IDs the sender has within the
// Range": when the other party happens to have nothing there but that, the
// items dropped are never found. Here the Skip is written and the fingerprint
// is that of everything from the range on.
//
// # What is refused
//
// Other implementations take some messages that the protocol does not allow, or
// fall over them. Here they are an Error: numbers with leading zeros or of more
// than 64 bits, ranges that end before they begin, an id prefix of infinity or
// of more than 32 bytes, more ids announced than follow, modes above 2, and
// anything that ends in the middle. An empty range is allowed, behind infinity
// too: it is how an answer ends whose ids reached just to the end.
package negentropy
