// Package record writes what is said on the bus of a running relay to a recording
// (package tap), or has NATS keep it in a JetStream stream and takes a piece of that
// out into a recording.
//
//	bus ──► hear ──► queue ──► write ──► file
//	         │ its time          │ leaves out, redacts, packs
//
// It listens and says nothing but one Hello at the start, so that it knows who is
// there. It must never slow the relay down: hear does nothing but note the time, and
// when the queue, which is bounded in bytes, is full, messages are lost to the
// recording, which says so.
//
// The file is written a block at a time and never waited for (no fsync): a crash of
// the recorder costs a quarter of a second of the recording, one of the machine what
// the kernel had not written.
package record
