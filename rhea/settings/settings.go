// Package settings is the configuration of a whole relay: every section that any
// of its programs reads, in the order of a file. The single stages have their own
// sections and those that they share; here all are together, for the commands that
// run a relay, for the check of a file, and for the reference page
// (docs/configuration.md), which package reference writes.
//
// It knows what can be set, and not what the settings do: for that it has the
// stages' own Run.
package settings

import (
	"fmt"

	"rhea/gateway"
	"rhea/ingester"
	"rhea/monitor"
	"rhea/negentropy"
	"rhea/proto/bus"
	"rhea/proto/limits"
	"rhea/proto/policy"
	"rhea/reqworker"
	"rhea/writer"
)

// Up is section [up]: what concerns the relay as a whole, in both its
// forms, and the commands that look for it.
type Up struct {
	Data       string `toml:"data" help:"data directory: the store, a lock, and while the relay runs the address of its bus"`
	Bus        string `toml:"bus" help:"address of the NATS server in rhea's own process; port 0: a free one"`
	Gateways   int    `toml:"gateways" help:"gateway processes, which share the address (rhea up)"`
	Ingesters  int    `toml:"ingesters" help:"ingester processes (rhea up)"`
	Reqworkers int    `toml:"reqworkers" help:"reqworker processes (rhea up)"`
	Monitors   int    `toml:"monitors" help:"monitor processes (rhea up)"`
}

// DefaultUp is one process of each stage, with its data in ./data.
func DefaultUp() Up {
	return Up{Data: "data", Bus: "127.0.0.1:0", Gateways: 1, Ingesters: 1, Reqworkers: 1, Monitors: 1}
}

// Validate refuses counts that make no relay.
func (c Up) Validate() error {
	if c.Data == "" {
		return fmt.Errorf("data: which directory?")
	}
	for _, n := range []struct {
		key   string
		value int
	}{{"gateways", c.Gateways}, {"ingesters", c.Ingesters}, {"reqworkers", c.Reqworkers}, {"monitors", c.Monitors}} {
		if n.value < 1 || n.value > 64 {
			return fmt.Errorf("%s is %d: want 1 to 64", n.key, n.value)
		}
	}
	return nil
}

// Relay is the configuration of a whole relay.
type Relay struct {
	Up         Up                `toml:"up" help:"the relay as a whole"`
	Relay      gateway.Relay     `toml:"relay" help:"what the relay says of itself (NIP-11)"`
	Gateway    gateway.Config    `toml:"gateway" help:"connections of clients"`
	Limits     limits.Limits     `toml:"limits" help:"what clients may send"`
	Policy     policy.Policy     `toml:"policy" help:"who must authenticate, who may read what"`
	Ingester   ingester.Config   `toml:"ingester" help:"checks on published events"`
	Writer     writer.Config     `toml:"writer" help:"the store"`
	Reqworker  reqworker.Config  `toml:"reqworker" help:"stored events for REQs"`
	Monitor    monitor.Config    `toml:"monitor" help:"live subscriptions"`
	Negentropy negentropy.Config `toml:"negentropy" help:"NIP-77 sessions"`
	Bus        bus.Config        `toml:"bus" help:"the message bus, NATS; rhea up and rhea solo have their own, and take only prefix and shards from here"`
}

// Default is a relay that nobody has configured.
func Default() Relay {
	return Relay{
		Up: DefaultUp(), Relay: gateway.DefaultRelay(), Gateway: gateway.DefaultConfig(), Limits: limits.Default(), Policy: policy.Default(),
		Ingester: ingester.DefaultConfig(), Writer: writer.DefaultConfig(), Reqworker: reqworker.DefaultConfig(),
		Monitor: monitor.DefaultConfig(), Negentropy: negentropy.DefaultConfig(), Bus: bus.DefaultConfig(),
	}
}
