package gateway

import (
	"context"
	"time"

	"rhea/proto/bus"
	"rhea/proto/limits"
	"rhea/proto/policy"
	"rhea/proto/stage"
	"rhea/proto/subject"
)

// sections are the settings of the stage's program.
type sections struct {
	Gateway Config        `toml:"gateway" help:"the edge: clients' connections"`
	Relay   Relay         `toml:"relay" help:"what the relay says of itself (NIP-11)"`
	Limits  limits.Limits `toml:"limits" help:"what clients may do; the same in every process"`
	Policy  policy.Policy `toml:"policy" help:"who must authenticate, who may read what; the same in every process"`
	Bus     bus.Config    `toml:"bus" help:"the NATS servers between the processes"`
}

// Program is the stage as a process of its own.
func Program() stage.Program {
	cfg := sections{DefaultConfig(), DefaultRelay(), limits.Default(), policy.Default(), bus.DefaultConfig()}
	return stage.Program{
		Name: "rhea-gateway", Stage: string(subject.Gateway), Version: stage.Version(), Part: stage.Part{Processors: stage.Quarter},
		Doc:      "The gateway holds the clients' WebSocket connections and passes what they say to the other stages.",
		Config:   &cfg,
		StopTime: func(s stage.Settings) time.Duration { return stage.Section[Config](s).StopTime() },
		Run: func(ctx context.Context, p stage.Process) error {
			cfg.Gateway.Relay = cfg.Relay
			return stage.WithBus(ctx, p, cfg.Bus, cfg.Limits, cfg.Policy, stage.Version(), func(ctx context.Context, env stage.Env) error {
				return Run(ctx, cfg.Gateway, env)
			})
		},
	}
}
