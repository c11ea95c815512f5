// Package operate holds what an operator does with a relay besides importing and
// looking at its state: finding its bus, reading events out of it, and checking
// the store of one that does not run.
package operate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"

	"rhea/proto/bus"
	"rhea/rhea/datadir"
)

// FromData stands for a bus URL that is to be read from the data directory.
const FromData = "bus.url in --data"

// dialPatience bounds how long a relay may take to accept a connection: it says
// that it runs, or the operator does.
const dialPatience = 3 * time.Second

// Find returns where the bus of a running relay is: what c says or, when c.URL is
// FromData, where the relay that runs on the data directory says.
func Find(data string, c bus.Config) (bus.Config, error) {
	if c.URL != FromData {
		return c, nil
	}
	found, err := datadir.Bus(data)
	if _, ok := errors.AsType[*datadir.NoRelayError](err); ok {
		return c, fmt.Errorf("%w: start one with `rhea up --data %s`, or name another with --data or --bus", err, data)
	}
	return found, err
}

// Dial connects to the bus of a running relay; see Find. Name is what NATS shows for
// the connection.
func Dial(ctx context.Context, data string, c bus.Config, name string, log *slog.Logger) (*bus.Bus, error) {
	c, err := Find(data, c)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialPatience)
	defer cancel()
	return bus.Dial(ctx, c, bus.NewInstance(), name, log)
}

// Connect is Dial for a connection of NATS's own client, for what a relay's bus knows
// nothing of, such as JetStream. It also returns where it has found the bus.
func Connect(ctx context.Context, data string, c bus.Config, name string, log *slog.Logger) (*nats.Conn, bus.Config, error) {
	c, err := Find(data, c)
	if err != nil {
		return nil, c, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialPatience)
	defer cancel()
	nc, err := bus.Connect(ctx, c, name, log)
	return nc, c, err
}
