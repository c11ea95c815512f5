package main

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"

	"rhea/rhea/datadir"
	"rhea/rhea/settings"
	"rhea/rhea/whole"
	"rhea/writer"
)

// ownBus stands for the URL of the NATS server that rhea runs itself.
const ownBus = "rhea's own"

// defaultRelay is a relay with a NATS server of its own.
func defaultRelay() settings.Relay {
	c := settings.Default()
	c.Bus.URL = ownBus
	return c
}

// settle fills in what follows from other settings.
func settle(c *settings.Relay) {
	// What a file that is shared with other machines says of their NATS is not meant
	// for rhea's own, which has neither TLS nor credentials files.
	b := &c.Bus
	b.URL, b.CA, b.Credentials, b.Cert, b.Key = ownBus, "", "", "", ""
	c.Writer.Dir = storeDir(c.Up.Data, c.Writer.Dir)
}

// heeded says which settings a relay with a bus of its own goes by.
func heeded(setting string) bool {
	key, ofBus := strings.CutPrefix(setting, "bus.")
	return !ofBus || key == "prefix" || key == "shards"
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
