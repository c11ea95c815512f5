package main

import (
	"context"
	"fmt"

	"rhea/proto/bus"
	"rhea/proto/stage"
	relay "rhea/rhea/up"
)

const restartHelp = `Usage: rhea restart [flags] [STAGE…]

Has a running ` + "`rhea up`" + ` replace its processes, of the named stages or of all, by the programs
that are on disk now, one after the other: each new one is ready before the old one stops, and
a gateway sends its clients away over [gateway] leave_over. Prints how it goes. A program that
does not come up is not used: the old one stays, nothing further is replaced, exit code 1.
The restart goes on when this command is stopped. The process of ` + "`rhea up`" + ` itself stays.

Stages: writer, monitor, reqworker, ingester, negentropy, gateway (in this order)
` + operatorFlags

func restart(h stage.Host) int {
	var own struct{}
	o, code, done := newOperator(h, "restart", restartHelp, &own)
	if done {
		return code
	}
	stages, err := relay.ParseStages(o.rest)
	if err != nil {
		fmt.Fprintf(h.Stderr, "rhea restart: %v\n", err)
		return stage.ExitUsage
	}
	return o.withBus(func(ctx context.Context, b *bus.Bus) error {
		return relay.Restart(ctx, b, stages, func(text string) { fmt.Fprintln(h.Stdout, text) })
	})
}
