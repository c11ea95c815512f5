// Package gateway is the edge of the relay: the stage that holds the sockets.
//
//	arrives        frames of clients (sockets), Verdict, Part, Counted, Closed, Deliveries, Heard,
//	               NegReply (out.<instance>)
//	leaves         EventFrame, AuthFrame (ingest.<shard>), Query, Credit, Stop (req.<shard>),
//	               Watch, Unwatch (sub.<shard>), NegOpen, NegMsg, NegClose (neg.<shard>), frames to clients
//	owns           connections; the keys that they have authenticated; their subscriptions; the EVENTs,
//	               AUTHs, queries, COUNTs and sessions that are unanswered
//	order          what one connection says is handled in the order it was said; what one
//	               answer makes a client hear is heard in the order of the answers
//	lost on death  the connections: clients come back, here or at another gateway
//
// Every question has a number, and the gateway is the only one to ask again:
// when the process that should answer changes, when an answer's parts have a
// hole, and when nothing comes for too long. Nobody else keeps anything for
// recovery. A question that stays unanswered ends in OK false, CLOSED or NEG-ERR
// with error:, so that a client is never left waiting.
//
// A connection's keys (NIP-42) go with all that it asks; whoever is asked decides by
// them what it may have. What a client asks behind an AUTH waits for its answer, as
// it may be meant for the key. A live subscription is registered again under a new
// key, from where it is; the stored part of one ends with the keys that it began with.
//
//	clients                                            bus
//	   │  ┌─────────┐  signals  ┌──────────┐  outbox   │
//	   │  │ network ├───────────►          ├───────────►
//	   │  └─────────┘           │   core   │           │
//	   │    read, write         │          │   inbox   │
//	   ◄────────────────────────►          ◄───────────┤
//	   │                        └──────────┘           │
//
// The core is one goroutine and owns all state. It waits for nobody: the network tells
// which sockets are ready, the core reads a little of each, and handles it together
// with what the bus has brought. That is a turn. At its end the outbox goes to the bus,
// and each client gets all that it was told with one write. What its socket does not
// take waits in a backlog, and a client that lets that grow is disconnected. A socket
// is not read while the messages that wait for an answer fill the connection's share or
// the gateway's window. An idle connection has no goroutine and no buffer.
//
// What bounds memory: connections (max_connections); for each the message being
// read (max_message_length), the backlog (max_outbound), the subscriptions
// and COUNTs (max_subscriptions), the bytes of their filters and the keys (maxKeys);
// for all the window of unanswered messages, what one turn reads, the newcomers that
// wait and the inbox. Queries are granted bytes only as the client takes them.
//
// What is compressed for a client is in package deflate; no connection has any memory
// of it. The core makes the runs of events and keeps the last ones (deflate_cache).
//
// The package knows nothing of what filters and events mean: it reads the name
// of a message and the subscription id, and passes on bytes. It makes challenges and
// remembers keys; whether an AUTH is good is the ingester's to say, and what a key may
// read that of the stages that serve it.
package gateway
