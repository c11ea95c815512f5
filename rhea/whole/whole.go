// Package whole knows what holds of a relay as a whole, however its stages are
// grouped into processes: when it is ready (every process announced, the store
// open, every shard of every stage listened to, the gateways accepting), and in
// which order it stops. It only looks on.
package whole

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"rhea/proto/bus"
	"rhea/proto/subject"
)

// Sharded lists the stages that share the connections among their processes by
// shard; the writer and the gateways are addressed otherwise.
func Sharded() []subject.Stage {
	return []subject.Stage{subject.Ingester, subject.Reqworker, subject.Monitor, subject.Negentropy}
}

// StopOrder is the order in which stages drain: intake first, and the store, to
// which everybody still has something to say, last.
func StopOrder() []subject.Stage {
	return []subject.Stage{
		subject.Gateway, subject.Ingester, subject.Reqworker, subject.Monitor, subject.Negentropy, subject.Writer,
	}
}

// How often the address is tried while the bus is in order already, and how long
// one waits in silence before saying what is missing.
const (
	again    = 25 * time.Millisecond
	patience = 10 * time.Second
)

// Wait returns nil when the roster knows as many processes of each stage as are
// wanted, no shard is without owner, and every address accepts a connection. While
// it waits for long, it logs what is missing. It returns ctx's error if that
// ends first.
func Wait(ctx context.Context, r *bus.Roster, shards int, want map[subject.Stage]int, addresses []string, log *slog.Logger) error {
	changes := r.Changes()
	tick := time.NewTicker(again)
	defer tick.Stop()
	complain := time.NewTicker(patience)
	defer complain.Stop()
	for {
		missing := Missing(r.View(), shards, want)
		if len(missing) == 0 {
			if missing = refused(ctx, addresses); len(missing) == 0 {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-complain.C:
			log.Warn("not ready yet", "missing", strings.Join(missing, "; "))
		case <-changes:
		case <-tick.C:
		}
	}
}

// Missing says in words what the bus lacks of the wanted processes.
func Missing(v *bus.View, shards int, want map[subject.Stage]int) []string {
	var missing []string
	for _, stage := range subject.Stages() {
		there := 0
		for _, m := range v.Members(stage) {
			if !m.Leaving {
				there++
			}
		}
		if there < want[stage] {
			missing = append(missing, fmt.Sprintf("%s: %d of %d", stage, there, want[stage]))
		}
	}
	for _, m := range v.Members(subject.Writer) {
		if m.Store == 0 {
			missing = append(missing, "writer: the store is not open yet")
		}
	}
	for _, stage := range Sharded() {
		unowned := 0
		for sh := range shards {
			if v.Owner(stage, subject.Shard(sh)) == 0 {
				unowned++
			}
		}
		if unowned > 0 && want[stage] > 0 {
			missing = append(missing, fmt.Sprintf("%s: %d of %d shards have no owner", stage, unowned, shards))
		}
	}
	return missing
}

// refused tries to connect to each address.
func refused(ctx context.Context, addresses []string) []string {
	var missing []string
	for _, address := range addresses {
		dialer := net.Dialer{Timeout: time.Second}
		conn, err := dialer.DialContext(ctx, "tcp", Reachable(address))
		if err != nil {
			missing = append(missing, "gateway: "+err.Error())
			continue
		}
		_ = conn.Close() // nothing was sent
	}
	return missing
}

// Reachable is where to connect to a listener on address: "any interface" is
// reached on loopback.
func Reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	switch host {
	case "", "0.0.0.0":
		host = "127.0.0.1"
	case "::":
		host = "::1"
	}
	return net.JoinHostPort(host, port)
}
