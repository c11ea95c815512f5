// Package writer is the stage that owns the store: it decides about admitted
// events, puts them on disk, answers, publishes the log, and reads the store for
// whoever asks.
//
//	arrives         Admitted on write, from ingesters; Scan on scan and LogFetch on
//	                log.fetch, requests from reqworkers, monitors, and tools
//	leaves          Verdict on out.<gateway>, one for each Admitted; Entries on log,
//	                also for what is swept; ScanReply and LogInbox to the requests;
//	                Part on out.<gateway>, before its ScanReply, where a Scan is Direct
//	owns            the Pebble store; there is one writer on a bus
//	order           events are decided in the order of arrival; an event's entry is
//	                published before its verdict, and entries in the order of Seq
//	lost on death   nothing that a verdict was given for; events without one are
//	                sent again by their gateways, requests by who asked
//
// The way of an event, and the ways of the readers beside it:
//
//	write ──► inbox ──► decide ──── committed (4) ────► sync ──► log, out.<gateway>
//	                     │ Store.Commit                  │ Commit.Wait
//	                     └─────────────────┬─────────────┘
//	                                     Store
//	                     ┌─────────────────┴─────────────┐
//	                     │ View.Scan, View.Log           │
//	scan, log.fetch ──► desk ── queues (bounded) ──► readers ──► out.<gateway>, reply
//
// decide is the goroutine that called Run. It takes what waits, at most 512
// events or 4 MiB, never waits for more, and hands the commit to Pebble, which
// syncs it while decide takes the next. sync waits for the disk, in the order of
// the commits, and only then publishes and answers. When four commits are on
// their way, decide leaves what arrives in the inbox, whose size the gateways'
// windows of unanswered EVENTs bound.
//
// decide also sweeps: in steps of some 500 events it removes what requests to
// vanish (NIP-62) cover, which nobody is shown any more, and each second what has
// expired (NIP-40). Each step is a commit like any other, without verdicts, and its
// removals are published. While events arrive, steps and batches take turns.
//
// desk hands requests to the readers, a fixed number for scans and one for the
// log, through bounded queues. A request that finds its queue full is answered
// "error: busy" at once. Readers see what is on disk and never wait for a commit,
// nor a commit for them.
//
// A store that fails ends the process: what it would say from then on could not
// be trusted.
package writer
