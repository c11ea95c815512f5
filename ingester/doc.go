// Package ingester is the stage that stands between a client's EVENT and the
// writer: it parses, makes the canonical JSON and the header, and lets nothing
// through that is not a valid, signed event within the limits and the policy. It
// also decides whether an AUTH is good.
//
//	arrives         EventFrame and AuthFrame on ingest.<shard>, from gateways and
//	                importers
//	leaves          Admitted on write: a valid event, or one with a bad signature
//	                flagged forged; Verdict on out.<gateway> for every other
//	                refusal, and for every AUTH
//	owns            the shards that Ownership gives it, and the memory of events
//	                whose signature it has verified
//	order           what one connection sends is admitted and answered in the order
//	                it came
//	lost on death   frames not yet passed on; their gateways send them again to
//	                the shard's next owner, and the writer makes that harmless
//
// The checks, the cheapest first; the first that fails is the answer:
//
//	size, shape          limits, NIP-01
//	kind 22242           NIP-42: never published
//	created_at, content  limits, less the policy's exempt kinds
//	work                 NIP-13
//	id                   NIP-01
//	expiration           NIP-40
//	protected            NIP-70: its author's key must be among the connection's
//	embedded protected   NIP-70, for reposts
//	relay tags           NIP-62, for requests to vanish
//	signature            the writer answers, who knows whether the id is stored
//
// Work and protection are asked of clients and not of imports; all else is asked
// of both.
//
// One goroutine owns the state. It takes what waits, up to some dozens of
// signatures or a few MiB, runs the cheap checks, has the signatures verified in
// batches by as many goroutines as there are processors, waits for them, and sends
// everything in the order of arrival. Meanwhile the next batch collects in the
// inbox. A bad signature makes its whole batch dearer, so a connection that has sent
// one has the rest of its own verified one by one.
//
// What bounds memory: the gateways' windows of unanswered EVENTs and AUTHs bound
// what can wait in the inbox, Config.SeenEvents bounds the memory of verified
// events, and 8,192 is how many connections are remembered for a bad signature. The
// headers and texts of a batch are bounded as it is, and of their memory up to 1 MiB
// is kept for the next.
//
// The stage refuses to know what is stored and which challenges were sent. A
// challenge comes with its AUTH, as the connection's keys come with each EVENT.
// Events go to the writer whether or not one is there, because the gateway, which
// keeps every unanswered EVENT, sends it again when one has come.
package ingester
