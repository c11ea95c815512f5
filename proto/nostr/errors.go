package nostr

import "strings"

// Prefix is the machine-readable word at the start of an OK or CLOSED text.
type Prefix string

// The prefixes of NIP-01 and NIP-42, then those of this project for cases
// that NIP-01 describes and does not name.
const (
	Duplicate    Prefix = "duplicate"     // stored already; OK true
	PoW          Prefix = "pow"           // not enough proof of work (NIP-13)
	Blocked      Prefix = "blocked"       // banned, deleted, not wanted here
	RateLimited  Prefix = "rate-limited"  // slow down
	Invalid      Prefix = "invalid"       // breaks the protocol
	Restricted   Prefix = "restricted"    // not allowed, authenticated or not
	Mute         Prefix = "mute"          // an ephemeral event nobody received
	Failed       Prefix = "error"         // our failure; may be sent again
	AuthRequired Prefix = "auth-required" // authenticate first (NIP-42)
	Unsupported  Prefix = "unsupported"   // a feature this relay lacks
	Replaced     Prefix = "replaced"      // superseded by a newer version
	Closed       Prefix = "closed"        // NEG-ERR of a session that ended (NIP-77)
)

// Text returns "prefix: why".
func (p Prefix) Text(why string) string { return string(p) + ": " + why }

// Prefixed returns text as it is when it begins with the prefix of a refusal, and
// otherwise as a failure of ours.
func Prefixed(text string) string {
	for _, p := range [...]Prefix{Invalid, Blocked, Restricted, AuthRequired, Unsupported, RateLimited, Failed} {
		if strings.HasPrefix(text, string(p)) && strings.HasPrefix(text[len(p):], ":") {
			return text
		}
	}
	return Failed.Text(text)
}

// Error is what is wrong with an event or a filter that a client sent. Its
// text is short, holds nothing of the input, and fits after "invalid: ".
type Error struct {
	Field string // the field at fault, or what else names the place; may be ""
	Why   string
}

func (e *Error) Error() string {
	if e.Field == "" {
		return e.Why
	}
	return e.Field + ": " + e.Why
}
