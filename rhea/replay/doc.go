// Package replay plays a recording (package tap) again: into a whole relay, or into
// one stage alone, and compares what comes back with what came then.
//
//	arrives       a recording; answers of the relay or stage under test
//	leaves        the questions of the recording, asked again; the answers to the
//	              requests of a stage that is alone; differences
//	owns          the questions that are not answered yet, and of each a digest of
//	              both answers
//	order         a question is asked when all that was answered before it in the
//	              recording is answered in the replay
//	lost on death the replay; the recording is only read
//
// A recording is a conversation. Of everything in it the core picks what was said to
// the stage under test and says it again, as one gateway with an instance, numbers
// and ConnIDs of its own; and what the stage said, to compare it. What stands
// between the two (batches, parts, credit, questions asked twice, who answered) is
// not compared, as another run has others:
//
//	recording ──► core ── ask ──► outbox ──► stages under test
//	               │  ▲                          │
//	       differences └────────── hear ◄────────┘
//
// What a question may find depends on what was under way when it was asked, and
// chance decides about that. An event that was on its way while a query was being
// answered is left out of the comparison of both answers; so is what a store held
// before the recording began.
//
// The package knows the contract, and runs stages by their Run functions; it does
// not know sockets, nor what a client made of what it was sent.
package replay
