package main

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"

	"rhea/gateway"
	"rhea/ingester"
	"rhea/monitor"
	"rhea/negentropy"
	"rhea/proto/bus"
	"rhea/proto/limits"
	"rhea/proto/policy"
	"rhea/reqworker"
	"rhea/rhea/datadir"
	"rhea/rhea/whole"
	"rhea/writer"
)

// upConfig is section [up]: what concerns the relay as a whole, in both its
// forms, and the commands that look for it.
type upConfig struct {
	Data       string `toml:"data" help:"data directory: the store, a lock, and while the relay runs the address of its bus"`
	Bus        string `toml:"bus" help:"address of the NATS server in rhea's own process; port 0: a free one"`
	Gateways   int    `toml:"gateways" help:"gateway processes, which share the address (rhea up)"`
	Ingesters  int    `toml:"ingesters" help:"ingester processes (rhea up)"`
	Reqworkers int    `toml:"reqworkers" help:"reqworker processes (rhea up)"`
	Monitors   int    `toml:"monitors" help:"monitor processes (rhea up)"`
}

func defaultUp() upConfig {
	return upConfig{Data: "data", Bus: "127.0.0.1:0", Gateways: 1, Ingesters: 1, Reqworkers: 1, Monitors: 1}
}

// Validate refuses counts that make no relay.
func (c upConfig) Validate() error {
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

// ownBus stands for the URL of the NATS server that rhea runs itself.
const ownBus = "rhea's own"

// relayConfig is the configuration of a whole relay.
type relayConfig struct {
	Up         upConfig          `toml:"up" help:"the relay as a whole"`
	Relay      gateway.Relay     `toml:"relay" help:"what the relay says of itself (NIP-11)"`
	Gateway    gateway.Config    `toml:"gateway" help:"connections of clients"`
	Limits     limits.Limits     `toml:"limits" help:"what clients may send"`
	Policy     policy.Policy     `toml:"policy" help:"who must authenticate, who may read what"`
	Ingester   ingester.Config   `toml:"ingester" help:"checks on published events"`
	Writer     writer.Config     `toml:"writer" help:"the store"`
	Reqworker  reqworker.Config  `toml:"reqworker" help:"stored events for REQs"`
	Monitor    monitor.Config    `toml:"monitor" help:"live subscriptions"`
	Negentropy negentropy.Config `toml:"negentropy" help:"NIP-77 sessions"`
	Bus        bus.Config        `toml:"bus" help:"the message bus, which is rhea's own; url, credentials and ca are for stages that are started one by one"`
}

func defaultRelay() relayConfig {
	c := relayConfig{
		Up: defaultUp(), Relay: gateway.DefaultRelay(), Gateway: gateway.DefaultConfig(), Limits: limits.Default(), Policy: policy.Default(),
		Ingester: ingester.DefaultConfig(), Writer: writer.DefaultConfig(), Reqworker: reqworker.DefaultConfig(),
		Monitor: monitor.DefaultConfig(), Negentropy: negentropy.DefaultConfig(), Bus: bus.DefaultConfig(),
	}
	c.Bus.URL = ownBus
	return c
}

// settle fills in what follows from other settings.
func (c *relayConfig) settle() {
	// What a file that is shared with other machines says of their NATS is not meant
	// for rhea's own, which has neither TLS nor credentials files.
	c.Bus.URL, c.Bus.CA, c.Bus.Credentials = ownBus, "", ""
	c.Writer.Dir = storeDir(c.Up.Data, c.Writer.Dir)
}

// storeDir is where the store is: in the data directory unless [writer] dir names
// another place.
func storeDir(data, dir string) string {
	if dir == writer.DefaultConfig().Dir {
		return datadir.Store(data)
	}
	return dir
}

// portAfter returns address with a port n higher; port 0 stays, since each gets a
// free one.
func portAfter(address string, n int) string {
	host, port, err := net.SplitHostPort(address)
	number, lookupErr := net.LookupPort("tcp", port)
	if err != nil || lookupErr != nil || number == 0 {
		return address // whoever listens there says what is wrong with it
	}
	return net.JoinHostPort(host, fmt.Sprint(number+n))
}

// readyLine is what a relay says on standard output when it is whole.
func readyLine(address string, processes int, data string) string {
	parts := []string{"ready on ws://" + whole.Reachable(address), "6 stages"}
	if processes > 6 {
		parts[1] += fmt.Sprintf(" in %d processes", processes)
	}
	if processes == 1 {
		parts[1] += " in one process"
	}
	return "rhea: " + strings.Join(append(parts, "data "+shown(data)), " · ") + "\n"
}

// shown marks a relative path as one.
func shown(path string) string {
	if filepath.IsAbs(path) || strings.HasPrefix(path, ".") {
		return path
	}
	return "./" + path
}

const relayFlags = `
  --listen HOST:PORT   where clients connect (127.0.0.1:7777)
  --data DIR           data directory, made if it is not there (./data)
  --config FILE        read settings from a TOML file (or RHEA_CONFIG)
`

const relaySettings = `
  --bus HOST:PORT      where its NATS server listens; port 0: a free one (127.0.0.1:0)
  --print-config       print every setting in effect, with its meaning, as TOML
  --version, --help

Every setting is a key in the file, a flag (--limits.max_filters=10) and an environment
variable (RHEA_LIMITS_MAX_FILTERS=10). Flags win over the environment, which wins over the file.
A variable that is set to nothing counts: it makes a string or a list empty, and is an error
for any other setting.
`
