// Package bus carries the contract of package relaypb between processes: typed
// inboxes and outboxes, membership and the ownership of shards, the follower of
// the log, windows. It runs over NATS (Dial) or in memory (NewMemory); no stage
// can tell the difference.
//
// What it promises, and to whom:
//
//   - Order. Messages that one Outbox sends to one subject reach one Inbox in
//     order. Nothing is promised between subjects or between senders.
//   - At most once. A message can be lost (a full inbox, a reconnect, a receiver
//     that dies), never repeated by the bus. So every question in the contract has
//     a number and an answer, and every stream has numbers without holes.
//   - Batches. An Outbox packs what is sent between two flushes into one bus
//     message a subject, of MaxBatch bytes at the most; a loop that handles all
//     that is waiting and then flushes thus batches under load and adds no delay
//     when idle.
//   - Foreign bytes. What does not decode is counted, logged (one line a second
//     at the most) and skipped; it never reaches a stage.
//   - A way back. A connection on which nothing comes back for 4 s is given up, and
//     made again to the next server of the URL, for ever. So a NATS server that dies
//     costs a moment, and one behind a cable that is pulled those seconds.
//   - No silence about refusals. What NATS does not permit is counted and logged; a
//     process that it lets not listen, or not announce itself, ends.
//
// What bounds memory: an Inbox holds at most its capacity of messages, an Outbox
// MaxBatch bytes a subject; senders keep what is in flight inside windows that
// the answers free (package doc of each stage says which). A message that finds
// an inbox full is dropped and counted; that is an accident, which the answers
// and numbers make good, and no mode of working.
//
// The package knows the messages member, log and log.fetch, which it speaks
// itself, and no others.
package bus
