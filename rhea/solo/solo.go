// Package solo runs a relay in one process: the same six stages as `rhea up`. What
// they say to each other passes memory, and a NATS server in this process as soon as
// somebody outside listens. No stage can tell the difference.
//
//	               rhea solo
//	┌──────────────────────────────────────┐
//	│ natsd        NATS, in process         │◄──── operator's commands, on loopback
//	│ bus.Local    between the stages       │
//	│ whole.Wait   … until it is whole      │
//	│ one goroutine for each stage's Run    │
//	│ Run          first failure, drain     │
//	└──────────────────────────────────────┘
//
// It owns the stages' lives. When one fails all stop: what a supervisor would
// start again is here the whole process.
package solo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"rhea/gateway"
	"rhea/proto/bus"
	"rhea/proto/stage"
	"rhea/proto/subject"
	"rhea/rhea/datadir"
	"rhea/rhea/natsd"
	"rhea/rhea/settings"
	"rhea/rhea/whole"
)

// Options configure the whole relay.
type Options struct {
	Settings settings.Relay // Gateway.Ready and Bus.URL are Run's

	Drain   time.Duration     // what each stage may take to stop
	OnReady func(at net.Addr) // called once, when the relay is whole
}

// running is one stage.
type running struct {
	stage subject.Stage
	stop  context.CancelFunc
	ended chan struct{} // closed when Run has returned, err
	err   error
}

// Run runs the relay until ctx ends, then stops the stages in order, intake
// first. It returns the first stage's error, if one fails, and an
// *datadir.InUseError if a relay already runs on the data directory.
func Run(ctx context.Context, o Options, p stage.Process) (err error) {
	held, err := datadir.Hold(o.Settings.Up.Data, "rhea solo")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.Release()) }()
	server, err := natsd.Start(o.Settings.Up.Bus, p.Log)
	if err != nil {
		return err
	}
	defer server.Stop()
	server.Measure(p.Metrics)
	o.Settings.Bus.URL = server.URL()
	local, err := bus.DialLocal(ctx, o.Settings.Bus, server, p.Log)
	if err != nil {
		return err
	}
	defer local.Close()
	b := local.Join(bus.NewInstance(), "solo", p.Log)
	if err := held.Announce(o.Settings.Bus); err != nil {
		return err
	}
	roster := bus.NewRoster(b, "", "", nil)
	return roster.While(ctx, func(ctx context.Context) error {
		return o.live(ctx, local, b, roster, p)
	})
}

// live runs the stages.
func (o Options) live(ctx context.Context, local *bus.Local, b *bus.Bus, roster *bus.Roster, p stage.Process) error {
	listening := make(chan net.Addr, 1)
	o.Settings.Gateway.Ready = func(at net.Addr) { listening <- at }
	failed := make(chan struct{}, len(subject.Stages()))
	want := make(map[subject.Stage]int)
	var all []*running
	for _, st := range subject.Stages() {
		want[st] = 1
		all = append(all, o.start(ctx, st, local, p, failed))
	}
	waitCtx, stopWaiting := context.WithCancel(ctx)
	waited := make(chan struct{})
	var isWhole atomic.Bool
	p.Checks.Ready("relay", func() error {
		if !isWhole.Load() {
			return errors.New("is not whole yet")
		}
		return nil
	})
	go func() {
		defer close(waited)
		select {
		case <-waitCtx.Done():
		case at := <-listening:
			if whole.Wait(waitCtx, roster, b.Space.Shards(), want, nil, p.Log) == nil {
				isWhole.Store(true)
				o.OnReady(at)
			}
		}
	}()
	for stopping := false; !stopping; {
		select {
		case <-ctx.Done():
			stopping = true
		case <-failed:
			stopping = true
		case s := <-p.Reload: // the stages have theirs themselves
			o.Drain, o.Settings.Gateway = stage.Section[stage.DrainConfig](s).Drain, stage.Section[gateway.Config](s)
		}
	}
	stopWaiting()
	<-waited
	return o.drain(all)
}

// start runs one stage in a goroutine of its own, under an instance of its own.
// The end of ctx is not passed on: the stages are stopped one after the other.
func (o Options) start(ctx context.Context, st subject.Stage, local *bus.Local, p stage.Process, failed chan<- struct{}) *running {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r := &running{stage: st, stop: cancel, ended: make(chan struct{})}
	p = p.For(string(st))
	go func() {
		defer close(r.ended)
		b := local.Join(p.Instance, string(st), p.Log)
		err := p.OnBus(ctx, b, o.Settings.Limits, o.Settings.Policy, stage.Version(), func(ctx context.Context, env stage.Env) error {
			return o.Settings.Run(ctx, st, env)
		})
		stopped := ctx.Err() != nil
		switch {
		case err == nil && !stopped:
			r.err = errors.New("ended without being asked to")
		case err != nil && !(stopped && errors.Is(err, context.Canceled)):
			r.err = err
		}
		failed <- struct{}{}
	}()
	return r
}

// drain stops the stages in order, each within o.Drain, and returns the errors
// that any of them has ended with.
func (o Options) drain(all []*running) error {
	var errs []error
	for _, st := range whole.StopOrder() {
		r := all[slices.IndexFunc(all, func(r *running) bool { return r.stage == st })]
		r.stop()
		patience := o.Drain
		if st == subject.Gateway {
			patience += o.Settings.Gateway.StopTime()
		}
		timer := time.NewTimer(patience)
		select {
		case <-r.ended:
			if r.err != nil {
				errs = append(errs, named(st, r.err))
			}
		case <-timer.C:
			errs = append(errs, fmt.Errorf("%s: has not stopped in %s", st, patience))
		}
		timer.Stop()
	}
	return errors.Join(errs...)
}

// named says whose error it is, unless the error does.
func named(st subject.Stage, err error) error {
	if strings.HasPrefix(err.Error(), string(st)+":") {
		return err
	}
	return fmt.Errorf("%s: %w", st, err)
}
