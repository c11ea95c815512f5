package stage

import (
	"context"
	"log/slog"
	"runtime/debug"
	"time"

	"rhea/proto/bus"
	"rhea/proto/limits"
	"rhea/proto/policy"
)

// Env is what a stage's Run works with, whichever process it runs in.
type Env struct {
	Bus     *bus.Bus
	Log     *slog.Logger
	Metrics *Metrics
	Checks  *Checks
	Limits  limits.Limits
	Policy  policy.Policy
	Version string
	// Reload receives the settings in force whenever they have changed: Limits and
	// Policy, and the stage's own section (see Section). It may be nil.
	Reload <-chan Settings
	// Clock tells the time that events are judged by: created_at and expiration.
	// Nil is the clock on the wall; a replay gives the recording's. Time-outs and
	// rhythms go by the wall in any case.
	Clock func() time.Time
}

// Now is the time that events are judged by.
func (e Env) Now() time.Time {
	if e.Clock != nil {
		return e.Clock()
	}
	return time.Now()
}

// WithBus connects the process to the bus, calls run, and disconnects after it
// has returned.
func WithBus(ctx context.Context, p Process, c bus.Config, l limits.Limits, pol policy.Policy, version string, run func(context.Context, Env) error) error {
	b, err := bus.Dial(ctx, c, p.Instance, p.Metrics.stage, p.Log)
	if err != nil {
		return err
	}
	return p.OnBus(ctx, b, l, pol, version, run)
}

// OnBus calls run with a bus that it closes after run has returned.
func (p Process) OnBus(ctx context.Context, b *bus.Bus, l limits.Limits, pol policy.Policy, version string, run func(context.Context, Env) error) error {
	defer b.Close()
	p.Checks.add("bus", b.Down)
	measureBus(p.Metrics, b)
	return run(ctx, Env{Bus: b, Log: p.Log, Metrics: p.Metrics, Checks: p.Checks, Limits: l, Policy: pol, Version: version, Reload: p.Reload})
}

// version is set by the linker (make build); a build without it names the commit.
var version string

// Version returns what this build calls itself.
func Version() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "dev"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "dev-" + s.Value[:12]
		}
	}
	return "dev"
}
