package ingester

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
	Ingester Config        `toml:"ingester" help:"checks on published events"`
	Limits   limits.Limits `toml:"limits" help:"what clients may send; the same in every process"`
	Policy   policy.Policy `toml:"policy" help:"who must authenticate, who may read what; the same in every process"`
	Bus      bus.Config    `toml:"bus" help:"the message bus; the same in every process"`
}

// Program is the stage as a process of its own.
func Program() stage.Program {
	cfg := sections{Ingester: DefaultConfig(), Limits: limits.Default(), Policy: policy.Default(), Bus: bus.DefaultConfig()}
	return stage.Program{
		Name: "rhea-ingester", Stage: string(subject.Ingester), Version: stage.Version(), Part: stage.Part{Processors: stage.Half},
		Doc: "The ingester stage of a Rhea relay: parses published events, checks ids, " +
			"limits and signatures, and hands the good ones to the writer. Start as many as there is work for.",
		Config: &cfg,
		Run: func(ctx context.Context, p stage.Process) error {
			return stage.WithBus(ctx, p, cfg.Bus, cfg.Limits, cfg.Policy, stage.Version(), func(ctx context.Context, env stage.Env) error {
				return Run(ctx, cfg.Ingester, env)
			})
		},
	}
}
