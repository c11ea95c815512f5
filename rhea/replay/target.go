package replay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"rhea/proto/bus"
	"rhea/proto/stage"
	"rhea/proto/subject"
	"rhea/rhea/settings"
	"rhea/rhea/whole"
)

// Own are stages in this process, on a bus in memory, to replay into.
type Own struct {
	Under subject.Stage // the only one; empty: all but the gateway
	Space subject.Space

	Settings settings.Relay // Writer.Dir is the directory of an empty store

	Clock *Clock // that events are judged by
	Log   *slog.Logger
}

// stages are those of a target, in the order in which they stop.
func stages(under subject.Stage) []subject.Stage {
	if under != "" {
		return []subject.Stage{under}
	}
	return whole.StopOrder()[1:] // this process is the gateway
}

// With starts the stages, calls play with a way to join their bus, and stops them in
// order. It returns the first stage's error, if one fails, or play's.
func (o Own) With(ctx context.Context, play func(ctx context.Context, join Join) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	memory := bus.NewMemory()
	join := func() (*bus.Bus, error) { return memory.Join(o.Space, o.Log), nil }
	type running struct {
		stop  context.CancelFunc
		ended chan struct{}
	}
	var mu sync.Mutex
	var failed error
	var all []running
	for _, st := range stages(o.Under) {
		life, stop := context.WithCancel(context.WithoutCancel(ctx))
		r := running{stop, make(chan struct{})}
		all = append(all, r)
		go func() {
			defer close(r.ended)
			b, _ := join() // a bus in memory lets everybody in
			if err := o.run(life, st, b); err != nil && !errors.Is(err, context.Canceled) {
				mu.Lock()
				failed = errors.Join(failed, fmt.Errorf("%s: %w", st, err))
				mu.Unlock()
				cancel()
			}
		}()
	}
	err := play(ctx, join)
	for _, r := range all {
		r.stop()
		<-r.ended
	}
	if failed != nil {
		return failed
	}
	return err
}

func (o Own) run(ctx context.Context, st subject.Stage, b *bus.Bus) error {
	env := stage.Env{
		Bus: b, Log: o.Log.With("stage", string(st)), Metrics: stage.NewMetrics(string(st)), Checks: new(stage.Checks),
		Limits: o.Settings.Limits, Policy: o.Settings.Policy, Version: stage.Version(), Clock: o.Clock.Now,
	}
	return o.Settings.Run(ctx, st, env)
}
