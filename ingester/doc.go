// Package ingester is the stage that stands between a client's EVENT and the
// writer: it parses, makes the canonical JSON and the header, and lets nothing
// through that is not a valid, signed event within the limits.
//
//	arrives         EventFrame on ingest.<shard>, from gateways and importers
//	leaves          Admitted on write: a valid event, or one with a bad signature
//	                flagged forged; Verdict on out.<gateway> for every other refusal
//	owns            the shards that Ownership gives it, and the memory of events
//	                whose signature it has verified
//	order           what one connection sends is admitted in the order it came
//	lost on death   frames not yet passed on; their gateways send them again to
//	                the shard's next owner, and the writer makes that harmless
//
// One goroutine owns the state. It takes what waits, up to some dozens of
// signatures or a few MiB, runs the cheap checks, has the signatures verified by
// as many goroutines as there are processors, waits for them, and sends
// everything in the order of arrival. Meanwhile the next batch collects in the
// inbox.
//
// What bounds memory: the gateways' windows of unanswered EVENTs bound what can
// wait in the inbox, Config.SeenEvents bounds the memory of verified events.
//
// The stage refuses to know what is stored; it sends to the writer whether or
// not one is there, because the gateway, which keeps every unanswered EVENT,
// sends it again when one has come.
package ingester
