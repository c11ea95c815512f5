// Command rhea-gateway runs the gateway: the process that clients connect to.
package main

import (
	"context"
	"time"

	"rhea/gateway"
	"rhea/proto/bus"
	"rhea/proto/limits"
	"rhea/proto/policy"
	"rhea/proto/stage"
)

func main() {
	config := struct {
		Gateway gateway.Config `toml:"gateway" help:"the edge: clients' connections"`
		Relay   gateway.Relay  `toml:"relay" help:"what the relay says of itself (NIP-11)"`
		Limits  limits.Limits  `toml:"limits" help:"what clients may do; the same in every process"`
		Policy  policy.Policy  `toml:"policy" help:"who must authenticate, who may read what; the same in every process"`
		Bus     bus.Config     `toml:"bus" help:"the NATS servers between the processes"`
	}{gateway.DefaultConfig(), gateway.DefaultRelay(), limits.Default(), policy.Default(), bus.DefaultConfig()}
	stage.Main(stage.Program{
		Name:     "rhea-gateway",
		Stage:    "gateway",
		Version:  stage.Version(),
		Part:     stage.Quarter,
		Doc:      "The gateway holds the clients' WebSocket connections and passes what they say to the other stages.",
		Config:   &config,
		StopTime: func(s stage.Settings) time.Duration { return stage.Section[gateway.Config](s).StopTime() },
		Run: func(ctx context.Context, p stage.Process) error {
			config.Gateway.Relay = config.Relay
			return stage.WithBus(ctx, p, config.Bus, config.Limits, config.Policy, stage.Version(), func(ctx context.Context, env stage.Env) error {
				return gateway.Run(ctx, config.Gateway, env)
			})
		},
	})
}
