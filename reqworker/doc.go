// Package reqworker is the stage that answers REQs and COUNTs from the store: it
// checks and clamps filters, reads slice by slice, and sends what it reads as fast
// as the gateway grants credit, or the sum of it.
//
//	arrives         Query, Credit and Stop on req.<shard>, from gateways
//	leaves          one Counted, or one Closed, on out.<gateway>; Scan requests, to
//	                whoever serves the store, which sends the Parts there (Direct)
//	owns            the queries of its shards that run, and nothing of their events
//	order           the Parts of a query are numbered 0, 1, 2 … and go out in order;
//	                between queries there is none
//	lost on death   the queries; gateways send them again to the shard's next owner,
//	                each with the cursor that it has come to
//
//	roster ──changes──┐
//	                  ▼
//	inbox ────────► loop (the core, alone) ──► outbox
//	                 ▲   │
//	         answers │   │ slices, Config.Concurrency at a time
//	                 │   ▼
//	               whoever serves the store (bus.Questions)
//
// A query is in one of four states: ready (in line to be read), reading (one
// slice asked for), paused (no credit), resting (the store is away or busy, and
// will be asked again). Ready queries take turns, one slice each, so a short query
// waits for one slice of each of the others at the most, never for the whole of a
// long one. Between slices a query is its filters and a cursor: a paused one costs
// nothing else.
//
// A slice becomes one Part, which goes from the store to the gateway without a
// detour, in this worker's name; the worker hears how much it was. Where a slice has
// no answer, nobody can tell whether its Part went out. The query is forgotten
// then, and the gateway sent an index that no Part has: it misses something, and has
// the query go on from what it does have, under a new number. Slices with nothing for
// the gateway, and those that were certainly not asked for, are asked for again.
//
// A slice is asked for with no more bytes than there is credit; since one event may
// go beyond that, so may a query's credit, once. The last one says whether the answer
// is whole (NIP-67): the store knows that of the filters that it was given, and the
// plan what was left out of them.
//
// A COUNT (NIP-45) is a query whose slices are sums: it takes its turn like any
// other, needs no credit, and sends an empty Part a second, as a sign of life, until
// its end. Sent again under its number while it runs, it goes on; at another worker,
// or after its answer, it begins anew.
//
// Access is decided twice, by the keys that come with the query. Here, a query that
// asks for private kinds alone is refused when the reader can be nobody's party
// (nostr.Access.Judge). Whatever else is private is left out by whoever serves the
// store, which every slice tells the keys.
//
// What bounds memory: Config bounds the queries, those of one connection, and the
// bytes of their filters and keys; Config.Concurrency slices are asked for at a time,
// each of Config.SliceBytes and one event at most. A query that has had no credit for a
// minute is forgotten; its gateway notices, should it grant any, and sends it
// again.
//
// The stage refuses to know subscriptions and their names, how keys are
// authenticated, and live events: the gateway has all that.
package reqworker
