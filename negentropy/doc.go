// Package negentropy is the stage that answers NIP-77: sessions in which a client
// and the relay find out which events the other has.
//
//	arrives         NegOpen, NegMsg, NegClose on neg.<shard>, from gateways; ids of
//	                the store's events, by Scan; the log, by bus.Follower
//	leaves          NegReply on out.<gateway>: one for each NegOpen and NegMsg, and
//	                one without a question when a session is ended; Scan requests
//	owns            the sessions of its shards; a tree of the ids of all public
//	                events of the relay
//	order           one message of a session is under way at a time; between
//	                sessions there is none
//	lost on death   the sessions: their gateways end them with NEG-ERR, and the
//	                clients start over. The tree is scanned again
//
//	roster ──changes──┐        ┌── news ── loader ── scan, then bus.Follower
//	                  ▼        ▼
//	inbox ────────► loop (the core, alone) ──► outbox
//	                 ▲   │          ▲   │
//	          slices │   │ reads    │   │ questions
//	                 │   ▼          │   ▼
//	               readers        repliers (one a processor)
//	               (Config.Concurrency)
//
// # Where a session's events come from
//
// A filter that is nothing but a range of time, {} first of all, is answered from
// the tree: the session takes a snapshot, which costs nothing, and the private
// events of its keys are scanned and added to that. Every other filter, one with a
// limit included (the newest ones, as for REQ), has its ids scanned into a tree of
// the session's own. Either way the set stays what it was at the NEG-OPEN, and the
// protocol keeps all other state in its messages.
//
// A session that is answered from the tree first asks how far the store is
// (opening), and waits (forTree) until the tree has come there: who has been told OK
// finds the event. One that is scanned is opening meanwhile. From then on a session
// is answering and idle by turns.
//
// # The tree
//
// It is scanned once, at the start, and then follows the log: events are added,
// removed with what removes them, and taken out the second they expire (NIP-40).
// Private kinds (policy.Policy) are not in it. What a request to vanish (NIP-62) has
// hidden is in it until the store has removed it; sessions that begin in these
// moments are scanned. It is scanned again only when the log turns out to be of
// another store, and when the private kinds change: then all sessions end, and the
// scan waits until the writer goes by the same kinds. A scan sees some of what the log tells again; to add and remove
// twice is harmless.
//
// # Bounds
//
// The tree has MaxTreeRecords events at the most; beyond, it is given up, ranges
// of time are scanned, and {} is refused. A session's scan has MaxRecords; all of
// them together have MaxSessionBytes, a slice for each reader added. What a
// snapshot keeps alive of the tree as it was is bounded by as much again: sessions
// are ended when the tree has copied so many nodes since they began. Config bounds
// the sessions, those of one connection, those that are being opened, their
// messages, their age and their silence; a message is answered in FrameBytes.
//
// The stage refuses to know events, which are never sent here, and hex.
package negentropy
