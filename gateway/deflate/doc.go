// Package deflate is permessage-deflate (RFC 7692) for a relay: what an offer is
// answered, how messages are compressed, and how those of clients are inflated
// within a bound.
//
// It owns pools of compressors and inflaters and a bounded cache of what has been
// compressed, and refuses to know connections and frames: a message comes in as
// bytes, and its payload leaves as bytes, for a frame whose RSV1 is set.
//
// No side takes a context over from one message to the next: that is negotiated
// off, always. So a connection has no state at all, and an event can be compressed
// once for all who get it. Its JSON and the bracket behind it become a run of
// DEFLATE blocks that begins and ends on a byte and refers to nothing before
// itself; what differs from subscription to subscription goes before the run in a
// stored block, which ends on a byte as well:
//
//	00 len nlen ["EVENT","sub",      stored block, made for each delivery
//	dynamic or fixed blocks …        the run: {"id":…}], made once
//	00                               the beginning of an empty stored block, whose
//	                                 other four bytes the receiver adds (7.2.1)
//
// Everything is safe for concurrent use unless it says otherwise.
package deflate
