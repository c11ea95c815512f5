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

	"rhea/proto/bus"
	"rhea/rhea/datadir"
)

// FromData stands for a bus URL that is to be read from the data directory.
const FromData = "bus.url in --data"

// dialPatience bounds how long a relay may take to accept a connection: it says
// that it runs, or the operator does.
const dialPatience = 3 * time.Second

// Dial connects to the bus of a running relay: at c.URL or, when that is
// FromData, where the relay that runs on the data directory says. Name is what
// NATS shows for the connection.
func Dial(ctx context.Context, data string, c bus.Config, name string, log *slog.Logger) (*bus.Bus, error) {
	if c.URL == FromData {
		found, err := datadir.Bus(data)
		if _, ok := errors.AsType[*datadir.NoRelayError](err); ok {
			return nil, fmt.Errorf("%w: start one with `rhea up --data %s`, or name another with --data or --bus", err, data)
		}
		if err != nil {
			return nil, err
		}
		c = found
	}
	ctx, cancel := context.WithTimeout(ctx, dialPatience)
	defer cancel()
	return bus.Dial(ctx, c, bus.NewInstance(), name, log)
}
