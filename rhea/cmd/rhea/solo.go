package main

import (
	"context"
	"fmt"
	"net"
	"time"

	"rhea/gateway"
	"rhea/proto/stage"
	relay "rhea/rhea/solo"
)

const soloHelp = `Usage: rhea solo [flags]

Runs a relay in one process: the same stages as rhea up, with less memory and latency, but
nothing is started again when it fails. Prints a line when clients can connect.
SIGINT or SIGTERM stops the relay in order, a second one at once. SIGHUP, or a change of the
file, has it read the file again.
` + relayFlags + relaySettings

func solo(h stage.Host) int {
	cfg, common := defaultRelay(), stage.DefaultCommon()
	l := &stage.Loader{Name: "rhea solo", Config: []any{&cfg, &common}}
	args := unalias(h.Args, map[string]string{"--bus": "--up.bus"})
	_, mode, code, done := load(h, l, soloHelp, args)
	if done {
		return code
	}
	settle(&cfg)
	if mode == stage.ModePrintConfig {
		if err := l.WriteConfig(h.Stdout); err != nil {
			return fail(h, "solo", err)
		}
		return stage.ExitOK
	}
	// From here on the process lives as every stage's does, and reads its settings from
	// the defaults on.
	h.Args, cfg = args, defaultRelay()
	program := stage.Program{
		Name: "rhea solo", Stage: "solo", Version: stage.Version(), Config: &cfg, Mine: heeded,
		StopTime: func(s stage.Settings) time.Duration { return stage.Section[gateway.Config](s).StopTime() },
		Run: func(ctx context.Context, p stage.Process) error {
			settle(&cfg)
			cfg.Gateway.Relay = cfg.Relay
			return relay.Run(ctx, relay.Options{
				Settings: cfg, Drain: common.Stage.Drain,
				OnReady: func(at net.Addr) { fmt.Fprint(h.Stdout, readyLine(at.String(), 1, cfg.Up.Data)) },
			}, p)
		},
	}
	return program.Start(h)
}
