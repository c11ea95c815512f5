package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"rhea/proto/bus"
	"rhea/proto/stage"
	"rhea/rhea/status"
)

const statusHelp = `Usage: rhea status [flags]

Shows the processes of a running relay, the shards they serve, how far the monitors are behind
the writer, and what each does at the moment. Warns of shards that nobody serves. Listens for
about two seconds.

  --watch              show it again every second
  --json               print an object (with --watch, one a line) with all statistics` + operatorFlags

type statusFlagSet struct {
	Flags struct {
		Watch bool `toml:"watch"`
		JSON  bool `toml:"json"`
	} `toml:"-"`
}

func showStatus(h stage.Host) int {
	var own statusFlagSet
	o, code, done := newOperator(h, "status", statusHelp, &own)
	if done {
		return code
	}
	if len(o.rest) > 0 {
		fmt.Fprintf(h.Stderr, "rhea status: %q is not a flag, and nothing else is expected; see --help\n", o.rest[0])
		return stage.ExitUsage
	}
	return o.withBus(func(ctx context.Context, b *bus.Bus) error {
		var printing error
		err := status.Watch(ctx, b, time.Second, func(r status.Report) bool {
			printing = show(h.Stdout, r, own.Flags.JSON, own.Flags.Watch)
			return own.Flags.Watch && printing == nil
		})
		if ctx.Err() != nil {
			return nil // this is how a watch ends
		}
		if printing != nil {
			return printing
		}
		return err
	})
}

// show prints one report, in one piece so that a terminal does not flicker.
func show(w io.Writer, r status.Report, asJSON, again bool) error {
	var b bytes.Buffer
	switch {
	case asJSON && again:
		if err := json.NewEncoder(&b).Encode(r); err != nil {
			return err
		}
	case asJSON:
		e := json.NewEncoder(&b)
		e.SetIndent("", "  ")
		if err := e.Encode(r); err != nil {
			return err
		}
	default:
		if again && isTerminal(w) {
			b.WriteString(clearScreen)
		}
		if err := r.Write(&b); err != nil {
			return err
		}
		if again && !isTerminal(w) {
			b.WriteString("\n")
		}
	}
	_, err := b.WriteTo(w)
	return err
}
