// Command rhea-writer runs the writer stage as a process: it owns the store.
package main

import (
	"context"

	"rhea/proto/bus"
	"rhea/proto/limits"
	"rhea/proto/policy"
	"rhea/proto/stage"
	"rhea/proto/subject"
	"rhea/writer"
)

type config struct {
	Writer writer.Config `toml:"writer" help:"the store"`
	Limits limits.Limits `toml:"limits" help:"what clients may send; the same in every process"`
	Policy policy.Policy `toml:"policy" help:"who must authenticate, who may read what; the same in every process"`
	Bus    bus.Config    `toml:"bus" help:"the message bus; the same in every process"`
}

func main() {
	cfg := config{Writer: writer.DefaultConfig(), Limits: limits.Default(), Policy: policy.Default(), Bus: bus.DefaultConfig()}
	stage.Main(stage.Program{
		Name: "rhea-writer", Stage: string(subject.Writer), Version: stage.Version(), Part: stage.Whole,
		Doc: "The writer stage of a Rhea relay: owns the store, puts events on disk, publishes the log " +
			"and reads the store for the other stages. There is one on a bus.",
		Config: &cfg,
		Run: func(ctx context.Context, p stage.Process) error {
			return stage.WithBus(ctx, p, cfg.Bus, cfg.Limits, cfg.Policy, stage.Version(), func(ctx context.Context, env stage.Env) error {
				return writer.Run(ctx, cfg.Writer, env)
			})
		},
	})
}
