// Package bench is a load generator for relays: it drives one over real WebSockets as
// clients would, and says what each event, query and delivery has cost the relay's
// processes, as the kernel counts it.
//
//	corpus ──► workload ──► wire ══ WebSocket ══► relay: one it starts itself, or any
//	(events)   (what to      │                      │
//	            ask, when)   ▼                      ▼
//	                      histogram                proc (CPU, wake-ups, memory, disk)
//	                         └───────► Result ◄─────┘
//
// A workload is a function over a Session and one file of this package. Every one
// ends within a bounded time, whatever the relay does: with a Result, or an error
// that says what did not come. What a relay refuses is counted as refused and never
// as done.
//
// It refuses to know how a relay is made. That is why it can compare two.
package bench
