// Package negentropy is the stage that answers NIP-77: sessions in which a client
// and the relay find out which events the other has.
//
//	arrives         NegOpen, NegMsg, NegClose on neg.<shard>, from gateways
//	leaves          NegReply on out.<gateway>: one for each NegOpen and NegMsg
//	owns            the shards that Ownership gives it
//	order           what one connection sends is answered in the order it came
//	lost on death   unanswered messages: the gateway ends their sessions with
//	                NEG-ERR, and the client starts over
//
// The protocol is not served by this build: every session is refused with
// NEG-ERR "error: not yet", so that a client learns it at once and falls back to
// REQ. Since a refused session is over (NIP-77), the stage keeps none.
//
// One goroutine owns everything. The inbox bounds memory.
package negentropy
