// Package relaypb is the contract between the stages: one .proto file per inbox,
// one top-level oneof per inbox. Reading ingest, write, scan, log, req, sub, neg,
// out and member.proto is reading everything that any process can be told.
//
// Rules of the contract:
//   - fields only grow and numbers are never reused;
//   - a bus message is a batch: inbox messages one after another, each preceded
//     by its length as a varint (package bus packs and unpacks it), so batching is
//     the bus's business and no message has a list only to be sent in one piece;
//   - every question carries a number (num) that its sender never uses twice, and
//     every answer quotes it, so an answer that comes late or twice is recognised
//     and dropped;
//   - filters travel as the JSON they came in, events as the canonical JSON that
//     goes to disk and to every socket, beside a packed nostr.Header;
//   - whoever receives bytes checks them: ids have 32 bytes, headers pass
//     nostr.CheckHeader, filters are parsed again.
//
// The generated code is committed; `make gen` writes it. Package bus writes and reads
// messages by Append and Read, which are generated too and use no reflection.
package relaypb

//go:generate go run ./gen
