// Package wire is a WebSocket client for load: thousands of connections that cost
// the machine, which they share with the relay under test, as little as they can. A
// message is looked at by its first bytes, never parsed as JSON; an idle connection
// holds no buffer; what a turn sends is one write.
//
// It speaks RFC 6455 over TCP alone: with TLS much of what is measured would be TLS. If
// told to it offers permessage-deflate (RFC 7692) and inflates what comes, but compresses
// nothing itself: what clients say is little, and what it costs is the relay's to inflate.
package wire
