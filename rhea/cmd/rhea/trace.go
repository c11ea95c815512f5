package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rhea/proto/bus"
	"rhea/proto/stage"
	"rhea/rhea/tap/trace"
)

const traceHelp = `Usage: rhea trace [flags] EVENT_ID|CONN

Follows an event, or a connection, live through the stages of a running relay: each hop as it
happens, how long after the one before, and in the end where the time went. An event is named by
its id, or by the first 8 or more hex digits of it; its story is over when it is answered and
nothing more comes for two seconds. A connection is named as in logs and in the header Rhea-Conn
of the handshake, 1a2b3c4d-17; it is followed until you interrupt. What a gateway refuses by
itself is not seen.

  --timeout DURATION   end with exit code 1 when nothing is seen for so long (0: wait for ever)` + operatorFlags

type traceFlagSet struct {
	Flags struct {
		Timeout time.Duration `toml:"timeout"`
	} `toml:"-"`
}

func traceBus(h stage.Host) int {
	var own traceFlagSet
	o, code, done := newOperator(h, "trace", traceHelp, &own)
	if done {
		return code
	}
	var target trace.Target
	var err error
	switch {
	case len(o.rest) != 1:
		err = errors.New("what is to be followed? Name one event, by its id, or one connection; see --help")
	case own.Flags.Timeout < 0:
		err = fmt.Errorf("--timeout is %s: want 0, to wait for ever, or more", own.Flags.Timeout)
	default:
		target, err = trace.ParseTarget(o.rest[0])
	}
	if err != nil {
		fail(h, "trace", err)
		return stage.ExitUsage
	}
	return o.withBus(func(ctx context.Context, b *bus.Bus) error {
		err := trace.Run(ctx, b, target, h.Stdout, trace.Options{Timeout: own.Flags.Timeout})
		if ctx.Err() != nil {
			return nil // this is how following a connection ends
		}
		return err
	})
}
