// Package monitor is the stage of live subscriptions: it follows the log, matches
// every commit against all live filters of its shards, and sends each gateway one
// message with the events and the numbers of the subscriptions they are for.
//
//	arrives         Watch and Unwatch on sub.<shard>, from gateways; the log, from
//	                the writer, by bus.Follower and by ranges on log.fetch
//	leaves          Deliveries on out.<gateway>, numbered 1, 2, 3 … for each gateway;
//	                Heard, to the gateways that ask for it
//	owns            the watches of its shards, the index of their filters, and a
//	                window of the recent log
//	order           each watch gets its events in the order of their Seqs, each once
//	lost on death   the watches; gateways register them again with the shard's next
//	                owner, each with the Seq it has come to
//
//	roster ──changes──┐
//	                  ▼
//	follower ──C──► loop (the core, alone) ──► outbox
//	                 ▲   │
//	         answers │   │ asks: one range of the log at a time
//	                 │   ▼
//	                fetcher
//
// The core is a plain struct in one goroutine; index, filters, window and watches
// are parts of it. Watches, filters and what these ask for are records in arenas,
// without pointers (docs/decisions/0017): a small subscription takes 200 bytes with
// its place in the index, and Go's collector nothing. Equal filters are one, and so
// are equal values in whatever filters they are.
//
// A watch begins by waiting. It is live, and confirmed, when it has been served from
// its `after` up to the position: from the window, when that reaches back far enough,
// or from ranges of the log while the others go on.
//
// A watch is sent what its keys may see (nostr.Parties) and what has not expired by
// the clock, however it comes by it. Filters and their index know nothing of that:
// those of watches with different keys are shared, and only the watches that a
// commit of a private kind matches are looked at one by one. Keys are those that
// came with the watch; a gateway whose client has one more registers it again.
//
// An entry of the log that names an asker is an ephemeral event about which a
// gateway wants to know whether anybody has received it. It is told the number of
// watches once the event is matched, none included; one that waits counts if it will
// be served the event. A monitor does not answer when it reads the entry by range, or
// when too many watches wait; the gateway does without its word.
//
// Every second a gateway that has watches is told the position if it does not know
// it, and once after every message with content, so that the loss of the last one
// is noticed even when the log rests. While a shard changes hands two monitors can
// have a watch; a gateway goes by the one that it asked, since each alone is
// complete and in order.
//
// What bounds memory: Config bounds the window and the watches with all that is
// theirs, as pages of the arenas, which go when they are empty; a flush's output is
// bounded by the batch of the log that it answers. Nothing bounds what a gateway does
// not take but the bus: its loss shows as a hole in the numbers, and the gateway
// registers again. Ranges are fetched no faster than 25 MB a second.
//
// The stage refuses to know how keys are authenticated and what a client has seen:
// the gateway asks, and filters what it passes on. Of removals nobody is told; but
// what has left the store is not served from the window, which may reach back far
// behind a query whose client was slow.
package monitor
