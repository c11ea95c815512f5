// Package tap is the file that `rhea record` writes: what was said on the bus of
// a deployment, message for message, with the time at which each arrived. It owns
// the format, its writer and its reader; docs/format/recording.md describes the
// format byte by byte, for programs in other languages.
//
// A recording is a magic and then independent blocks, each with its length, a
// checksum and a compressed run of records:
//
//   - It is only ever appended to. Whatever happens to the process that writes it,
//     everything up to the last flush can be read.
//   - A block that is damaged costs that block: the reader finds the next one and
//     says what it left out (DamageError). A file without its end says so, after
//     everything that it holds (CutError).
//   - Hostile bytes cost a bounded amount of memory, a few MiB, whatever they claim.
//
// The package does not know what the messages mean; they are subject, reply
// subject and bytes, as they were on the bus. Package bus takes the bytes apart
// (bus.Split), package relaypb says what is in them.
package tap
