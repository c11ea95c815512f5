// Package policy is the rules of a relay that more than one stage goes by: what
// it is called, who must say who he is, who may read what, and how much work an
// event must show. The numbers that bound messages are in package limits.
//
// It owns the meaning of section [policy] and refuses to know events, connections
// and the bus: the stages enforce it. A Policy is a plain value, never
// written to once it has been read, and so safe for concurrent use: when the policy
// changes, a stage takes another one.
package policy

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"rhea/proto/nostr"
)

// Policy is section [policy]. Every process of a deployment should be given the
// same.
type Policy struct {
	// URLs are the relay's addresses. Without any, an AUTH is good for the Host
	// that its sender names, which stops nobody who passes on what was signed for
	// another relay, and a request to vanish (NIP-62) counts only when it names
	// ALL_RELAYS.
	URLs []string `toml:"urls" help:"all addresses of this relay as clients know them, such as wss://relay.example.org; AUTH and requests to vanish must name one; with none, AUTH goes by the Host that the client names, and only requests to ALL_RELAYS count" live:"true"`
	// Auth is when a client is asked to authenticate (NIP-42).
	Auth Auth `toml:"auth" help:"when clients are sent a challenge: connect (at once), needed (with the first answer that requires it), or required (at once, and nothing works without)" live:"true"`
	// PrivateKinds are served to authors and recipients only.
	PrivateKinds Kinds `toml:"private_kinds" help:"kinds (4,1059,30000-30003) that only an authenticated author or p-tagged recipient may read (NIP-04, NIP-17, NIP-59)" live:"true"`
	// MinPoW is the least number of leading zero bits of an event id (NIP-13).
	MinPoW int `toml:"min_pow" help:"leading zero bits that an event's id must have (NIP-13); 0: none" live:"true"`
	// KindPoW is the same for single kinds, in place of MinPoW.
	KindPoW Difficulties `toml:"kind_pow" help:"the same for single kinds, in place of min_pow: kind:bits, such as 1:16,7:8" live:"true"`
	// ExemptKinds are spared MinPoW and limits.CreatedAtLowerLimit and -UpperLimit.
	ExemptKinds Kinds `toml:"exempt_kinds" help:"kinds (4,1059,30000-30003) spared min_pow and the bounds of created_at, which are meant for notes" live:"true"`
	// CloseByID ends a subscription that can only be for events by id when what is
	// stored of them has been sent; one that arrives later is missed.
	CloseByID bool `toml:"close_by_id" help:"close (CLOSED) a subscription after EOSE when every filter of it names ids; what arrives later is then missed" live:"true"`
	// Mute refuses ephemeral events that no subscription wanted (NIP-01).
	Mute bool `toml:"mute" help:"refuse an ephemeral event that no subscriber has received (OK false, mute:)" live:"true"`
	// WritePlugin is a program that is asked about every valid event of a client, in
	// strfry's protocol; the ingesters run it.
	WritePlugin string `toml:"write_plugin" help:"a command that decides about each valid event, in strfry's plugin protocol; run by every ingester; empty: none" live:"true"`
	// ReadPlugin is the same for REQ, COUNT and NEG-OPEN; the reqworkers and negentropy
	// stages run it.
	ReadPlugin string `toml:"read_plugin" help:"a command that decides about each REQ, COUNT and NEG-OPEN; run by every reqworker and negentropy stage; empty: none" live:"true"`
	// PluginTimeout is how long a plugin may take over one question.
	PluginTimeout time.Duration `toml:"plugin_timeout" help:"how long a plugin may take over one question before it is taken for stuck; below gateway.event_timeout" live:"true"`
	// PluginProcesses is how many processes of a plugin each stage runs.
	PluginProcesses int `toml:"plugin_processes" help:"processes of a plugin that each of these stages runs; a plugin that counts must have one" live:"true"`
}

// Default returns the policy of an open relay.
//
// The exempt kinds are requests to delete and to vanish, which nobody may be kept
// from (NIP-09, NIP-62), relay lists (NIP-65, NIP-17), signers (NIP-46), wallets
// (NIP-47), and gift wraps, whose created_at lies up to two days back (NIP-59).
func Default() Policy {
	return Policy{
		Auth:         AuthOnConnect,
		PrivateKinds: Kinds{4, 1059, 21059},
		ExemptKinds:  Kinds{5, 62, 1059, 10002, 10050, 13194, 21059, 23194, 23195, 23196, 23197, 24133},

		PluginTimeout:   5 * time.Second,
		PluginProcesses: 1,
	}
}

// maxPoW is more than anybody mines for an event.
const maxPoW = 64

// Bounds of the plugins' settings. A plugin that takes longer than the longest would be
// given up by the gateway first.
const (
	minPluginTimeout   = 10 * time.Millisecond
	maxPluginTimeout   = 9 * time.Second
	maxPluginProcesses = 64
)

// Validate reports the first setting that cannot work.
func (p *Policy) Validate() error {
	for _, u := range p.URLs {
		if err := validateURL(u); err != nil {
			return fmt.Errorf("urls: %q: %w", u, err)
		}
	}
	if !slices.IsSorted(p.PrivateKinds) || !slices.IsSorted(p.ExemptKinds) {
		return errors.New("private_kinds or exempt_kinds are not in ascending order")
	}
	if p.MinPoW < 0 || p.MinPoW > maxPoW {
		return fmt.Errorf("min_pow is %d: want 0 to %d", p.MinPoW, maxPoW)
	}
	for k, bits := range p.KindPoW {
		if bits > maxPoW {
			return fmt.Errorf("kind_pow: kind %d has %d bits: want 0 to %d", k, bits, maxPoW)
		}
	}
	if p.PluginTimeout < minPluginTimeout || p.PluginTimeout > maxPluginTimeout {
		return fmt.Errorf("plugin_timeout is %s: want %s to %s", p.PluginTimeout, minPluginTimeout, maxPluginTimeout)
	}
	if p.PluginProcesses < 1 || p.PluginProcesses > maxPluginProcesses {
		return fmt.Errorf("plugin_processes is %d: want 1 to %d", p.PluginProcesses, maxPluginProcesses)
	}
	return nil
}

// IsExempt reports whether a kind is spared the limits that are meant for notes.
func (p *Policy) IsExempt(k nostr.Kind) bool {
	_, ok := slices.BinarySearch(p.ExemptKinds, k)
	return ok
}

// Difficulty returns the leading zero bits that an event of a kind needs.
func (p *Policy) Difficulty(k nostr.Kind) int {
	if bits, ok := p.KindPoW[k]; ok {
		return int(bits)
	}
	if p.IsExempt(k) {
		return 0
	}
	return p.MinPoW
}

// Access returns what a reader with these keys may be sent.
func (p *Policy) Access(keys []nostr.PubKey) nostr.Access {
	return nostr.Access{Private: p.PrivateKinds, Keys: keys}
}
