package writer

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
	Writer Config        `toml:"writer" help:"the store"`
	Limits limits.Limits `toml:"limits" help:"what clients may send; the same in every process"`
	Policy policy.Policy `toml:"policy" help:"who must authenticate, who may read what; the same in every process"`
	Bus    bus.Config    `toml:"bus" help:"the message bus; the same in every process"`
}

// Program is the stage as a process of its own.
func Program() stage.Program {
	cfg := sections{Writer: DefaultConfig(), Limits: limits.Default(), Policy: policy.Default(), Bus: bus.DefaultConfig()}
	return stage.Program{
		Name: "rhea-writer", Stage: string(subject.Writer), Version: stage.Version(), Part: stage.Part{Processors: stage.Half, Garbage: 50},
		Doc: "The writer stage of a Rhea relay: owns the store, puts events on disk, publishes the log " +
			"and reads the store for the other stages. There is one on a bus.",
		Config: &cfg,
		Run: func(ctx context.Context, p stage.Process) error {
			return stage.WithBus(ctx, p, cfg.Bus, cfg.Limits, cfg.Policy, stage.Version(), func(ctx context.Context, env stage.Env) error {
				return Run(ctx, cfg.Writer, env)
			})
		},
	}
}
