package wire

import "sync/atomic"

// Meter counts what connections get. It is safe for concurrent use.
type Meter struct {
	Bytes  atomic.Int64 // from sockets, but for the answers to handshakes
	Texts  atomic.Int64 // of messages, inflated
	answer atomic.Value // a string
}

// The answers to an offer of permessage-deflate.
const (
	Declined   = "declined"
	NoTakeover = "no takeover" // each message is compressed by itself
	Takeover   = "takeover"    // messages may refer to earlier ones
)

// Answer is what the last connection was answered, "" when it has offered nothing.
func (m *Meter) Answer() string {
	a, _ := m.answer.Load().(string)
	return a
}
