// Package trace follows one event, or one connection, through the stages of a running
// relay, by listening to what they say to each other. It tells each hop as it happens,
// and in the end where the time went.
//
// Two times are known of a bus message: when it was sent, its stamp, by the clock of
// the sender's machine; and when the tracer heard it, which stands for when its
// receiver did. From the one to the other it was on the bus; from hearing a message to
// sending the next, a stage had it: in a queue, and at work. On machines whose clocks
// disagree the times of a single hop are off by as much, those of the whole are not.
//
//	      EventFrame        Admitted           Verdict
//	gateway ──bus──► ingester ──bus──► writer ──bus──► gateway
//
// What is never on the bus is not seen: what a gateway refuses by itself, and the
// sockets of clients.
package trace
