package main

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/term"

	"rhea/proto/bus"
	"rhea/proto/stage"
	"rhea/rhea/top"
)

const topHelp = `Usage: rhea top [flags]

Shows a running relay live: what flows through the pipeline, and of each process its shards, rates,
queues, limits, times and lag. Keys: q quits, p pauses, s sorts, ? explains.

  --once               print it once, as plain text; also when the output is no terminal` + operatorFlags

type topFlagSet struct {
	Flags struct {
		Once bool `toml:"once"`
	} `toml:"-"`
}

func showTop(h stage.Host) int {
	var own topFlagSet
	o, code, done := newOperator(h, "top", topHelp, &own)
	if done {
		return code
	}
	if len(o.rest) > 0 {
		fmt.Fprintf(h.Stderr, "rhea top: %q is not a flag, and nothing else is expected; see --help\n", o.rest[0])
		return stage.ExitUsage
	}
	in, out, live := screen(h)
	if own.Flags.Once || !live {
		return o.withBus(func(ctx context.Context, b *bus.Bus) error { return top.Once(ctx, b, h.Stdout, 0) })
	}
	o.mute = true
	return o.withBus(func(ctx context.Context, b *bus.Bus) error { return top.Run(ctx, b, in, out) })
}

// screen returns the terminal that this process reads and writes, if it does.
func screen(h stage.Host) (in, out *os.File, ok bool) {
	in, reads := h.Stdin.(*os.File)
	out, writes := h.Stdout.(*os.File)
	ok = reads && writes && term.IsTerminal(int(in.Fd())) && term.IsTerminal(int(out.Fd()))
	return in, out, ok
}
