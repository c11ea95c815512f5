package deflate

import "fmt"

// Mode is what a relay compresses of what it sends. Whatever it is, a connection has
// no state of its own for it, and what clients compress is read unless it is Off.
type Mode string

// The modes, in the order of the bytes that they save.
const (
	Off     Mode = "off"     // nothing, and nothing is negotiated
	Shared  Mode = "shared"  // events that are sent more than once, each of them once
	Message Mode = "message" // each message, as often as it is sent
)

// UnmarshalText takes the name of a mode.
func (m *Mode) UnmarshalText(text []byte) error {
	switch Mode(text) {
	case Off, Shared, Message:
		*m = Mode(text)
		return nil
	}
	return fmt.Errorf("%q: want %s, %s or %s", text, Off, Shared, Message)
}

// MarshalText returns the name.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m), nil }
