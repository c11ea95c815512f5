package negentropy

import (
	"context"

	"rhea/proto/bus"
	"rhea/proto/limits"
	"rhea/proto/policy"
	"rhea/proto/stage"
	"rhea/proto/subject"
)

// sections are the settings of the stage's program.
type sections struct {
	Negentropy Config        `toml:"negentropy" help:"set reconciliation (NIP-77)"`
	Limits     limits.Limits `toml:"limits" help:"what clients may send; the same in every process"`
	Policy     policy.Policy `toml:"policy" help:"who must authenticate, who may read what; the same in every process"`
	Bus        bus.Config    `toml:"bus" help:"the message bus; the same in every process"`
}

// Program is the stage as a process of its own.
func Program() stage.Program {
	cfg := sections{Negentropy: DefaultConfig(), Limits: limits.Default(), Policy: policy.Default(), Bus: bus.DefaultConfig()}
	return stage.Program{
		Name: "rhea-negentropy", Stage: string(subject.Negentropy), Version: stage.Version(), Part: stage.Part{Processors: stage.Half},
		Doc: "The negentropy stage of a Rhea relay: answers NIP-77 sessions, in which clients find out " +
			"which events they and the relay lack. Each process keeps the ids of all public events in memory.",
		Config: &cfg,
		Run: func(ctx context.Context, p stage.Process) error {
			return stage.WithBus(ctx, p, cfg.Bus, cfg.Limits, cfg.Policy, stage.Version(), func(ctx context.Context, env stage.Env) error {
				return Run(ctx, cfg.Negentropy, env)
			})
		},
	}
}
