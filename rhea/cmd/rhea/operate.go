package main

import (
	"context"
	"errors"
	"log/slog"

	"rhea/proto/bus"
	"rhea/proto/limits"
	"rhea/proto/stage"
	"rhea/rhea/operate"
	"rhea/rhea/settings"
)

// operatorConfig is what the commands for a running relay are configured with.
type operatorConfig struct {
	Up     settings.Up   `toml:"up"`
	Bus    bus.Config    `toml:"bus"`
	Limits limits.Limits `toml:"limits"`
}

func defaultOperator() operatorConfig {
	c := operatorConfig{Up: settings.DefaultUp(), Bus: bus.DefaultConfig(), Limits: limits.Default()}
	c.Bus.URL = operate.FromData
	return c
}

const operatorFlags = `
  --data DIR           data directory of a relay that runs on this machine (./data)
  --bus URL            NATS server of any other relay; more in --bus.prefix, --bus.shards,
                       --bus.credentials, --bus.ca, --bus.cert, --bus.key (or RHEA_BUS_URL, …)
  --config FILE        read these settings from a relay's TOML file (or RHEA_CONFIG)
`

// operator is a command that talks to a running relay: its configuration and its
// flags have been read.
type operator struct {
	h    stage.Host
	name string
	cfg  operatorConfig
	rest []string
	mute bool // it logs nothing: the screen is taken
}

// newOperator reads the command line, with the command's own flags into own, a
// pointer to a struct with a section tagged "-".
func newOperator(h stage.Host, name, help string, own any) (o operator, code int, done bool) {
	o = operator{h: h, name: name, cfg: defaultOperator()}
	l := &stage.Loader{Name: "rhea " + name, Config: []any{&o.cfg, own}}
	rest, mode, code, done := load(h, l, help, unalias(h.Args, map[string]string{"--bus": "--bus.url"}))
	if done {
		return o, code, true
	}
	if mode == stage.ModePrintConfig {
		if err := l.WriteConfig(h.Stdout); err != nil {
			return o, fail(h, name, err), true
		}
		return o, stage.ExitOK, true
	}
	o.rest = rest
	return o, 0, false
}

// withBus connects to the relay and does the work. The first signal ends it in
// order; the second does not wait for it, as it may be writing into a pipe that
// nobody reads.
func (o operator) withBus(work func(ctx context.Context, b *bus.Bus) error) int {
	ctx, kill, stopWatching := stopOnSignals(o.h.Signals, nil)
	defer stopWatching()
	common := stage.DefaultCommon()
	common.Log.Level = "warn"
	log := slog.New(slog.DiscardHandler)
	if !o.mute {
		log = common.Log.NewLogger(o.h.Stderr, o.name, bus.NewInstance())
	}
	b, err := operate.Dial(ctx, o.cfg.Up.Data, o.cfg.Bus, o.name, log)
	if err != nil {
		return fail(o.h, o.name, err)
	}
	defer b.Close()
	done := make(chan error, 1)
	go func() { done <- work(ctx, b) }()
	select {
	case err = <-done:
	case <-kill:
		err = context.Canceled
	}
	if err != nil && ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	if err != nil {
		return fail(o.h, o.name, err)
	}
	return stage.ExitOK
}
