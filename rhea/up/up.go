// Package up runs a relay as processes on one machine: a NATS server inside this
// process, and one child for every stage, or several, kept running.
//
//	                   rhea up
//	┌──────────────────────────────────────────────┐
//	│ natsd          NATS on loopback              │◄──── children, operator's commands
//	│ roster         who is on the bus             │
//	│ whole.Wait     … until the relay is whole    │
//	│ control.run    rhea restart                  │
//	│ Supervisor.Run deaths, order of stopping,    │
//	│                rolling replacement           │
//	│  └ child.keep  start, wait, start again  × n │── stdin ──► rhea stage writer, rhea stage gateway, …
//	│     ├ Wait     of os/exec                × n │◄─ stderr ──
//	│     └ hearReady                          × n │◄─ sd_notify ──
//	└──────────────────────────────────────────────┘
//
// It owns the children's lives and nothing of their work: it never reads a
// message of theirs except announcements. A child that dies is announced as gone
// at once, and started again. On demand they are replaced, one after the other, by the
// programs that are on disk, without the relay being away. When this process dies, each child sees the end of
// its standard input and stops by itself.
package up

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"rhea/proto/bus"
	"rhea/proto/stage"
	"rhea/proto/subject"
	"rhea/rhea/datadir"
	"rhea/rhea/natsd"
	"rhea/rhea/whole"
)

// Options are what a relay of processes is made of.
type Options struct {
	Data      string     // the data directory
	BusListen string     // address of the NATS server
	Bus       bus.Config // without URL
	Counts    map[subject.Stage]int
	Path      string   // of the program rhea, whose command stage the children are
	Env       []string // of the children, except the bus and what EnvOf adds
	// EnvOf, which may be nil, returns what only the n-th child of all gets.
	EnvOf func(n int) []string
	// Addresses are where the gateways accept connections.
	Addresses []string
	// Drain is what a stage may take to stop, as of now; called from any goroutine.
	Drain   func(subject.Stage) time.Duration
	Log     *slog.Logger
	Checks  *stage.Checks // what this process answers for; nil: nothing
	Metrics *stage.Metrics
	Output  io.Writer       // takes the children's log lines; safe for concurrent use
	OnReady func()          // called once, when the relay is whole
	Kill    <-chan struct{} // closed: end the children without waiting
	Hangups <-chan struct{} // receives: have the children read their settings again
}

// Run runs the relay until ctx ends, and returns when all children have ended.
// The error says why the relay could not start, *datadir.InUseError included.
func Run(ctx context.Context, o Options) (err error) {
	held, err := datadir.Hold(o.Data, "rhea up")
	if err != nil {
		return err
	}
	defer func() {
		if e := held.Release(); err == nil {
			err = e
		}
	}()
	server, err := natsd.Start(o.BusListen, o.Log)
	if err != nil {
		return err
	}
	defer server.Stop()
	server.Measure(o.Metrics)
	o.Bus.URL = server.URL()
	b, err := bus.Dial(ctx, o.Bus, bus.NewInstance(), "up", o.Log, nats.InProcessServer(server))
	if err != nil {
		return err
	}
	defer b.Close()
	if err := held.Announce(o.Bus); err != nil {
		return err
	}
	roster := bus.NewRoster(b, "", "", nil)
	return roster.While(ctx, func(ctx context.Context) error { return o.supervise(ctx, b, roster) })
}

// supervise runs the children.
func (o Options) supervise(ctx context.Context, b *bus.Bus, roster *bus.Roster) error {
	ctx, cancel := context.WithCancel(ctx)
	var waiter sync.WaitGroup
	defer waiter.Wait()
	defer cancel()
	ready := make(chan struct{})
	o.Checks.Ready("relay", func() error {
		if missing := whole.Missing(roster.View(), b.Space.Shards(), o.Counts); len(missing) > 0 {
			return errors.New(strings.Join(missing, "; "))
		}
		return nil
	})
	waiter.Go(func() {
		if whole.Wait(ctx, roster, b.Space.Shards(), o.Counts, o.Addresses, o.Log) == nil {
			o.OnReady()
			close(ready)
		}
	})
	control := newControl(b)
	waiter.Go(func() {
		if err := control.run(ctx); err != nil {
			o.Log.Error("rhea restart will not work", "err", err)
		}
	})
	mourner := newMourner(b, roster)
	programs := o.programs()
	s := Supervisor{
		Programs: programs, Deaths: CountDeaths(o.Metrics, programs), Log: o.Log, Output: o.Output, Drain: o.Drain, Ready: ready, Dir: datadir.Run(o.Data),
		Kill: o.Kill, Rolls: control.rolls, Hangups: o.Hangups,
		Changes: roster.Changes(), Changed: mourner.announce, Died: mourner.died,
	}
	return s.Run(ctx)
}

// programs lists the children in the order of starting.
func (o Options) programs() []Program {
	env := append(append([]string{}, o.Env...),
		stage.SupervisedEnv+"=1", "RHEA_BUS_URL="+o.Bus.URL,
		"RHEA_BUS_PREFIX="+o.Bus.Prefix, fmt.Sprintf("RHEA_BUS_SHARDS=%d", o.Bus.Shards),
		// Core NATS on loopback knows neither.
		"RHEA_BUS_CREDENTIALS=", "RHEA_BUS_CA=",
	)
	var programs []Program
	for _, st := range subject.Stages() {
		for n := range o.Counts[st] {
			p := Program{Stage: st, Name: string(st), Path: o.Path, Args: []string{"stage", string(st)}, Env: env[:len(env):len(env)]}
			if o.Counts[st] > 1 {
				p.Name = fmt.Sprintf("%s-%d", st, n+1)
			}
			if o.EnvOf != nil {
				p.Env = append(p.Env, o.EnvOf(len(programs))...)
			}
			programs = append(programs, p)
		}
	}
	return programs
}

// CountDeaths makes the counters of a Supervisor's Deaths.
func CountDeaths(m *stage.Metrics, programs []Program) map[string]*stage.Counter {
	deaths := make(map[string]*stage.Counter)
	for _, p := range programs {
		deaths[p.Name] = m.Counter("deaths", "Ends of a stage's process that nobody had asked for; it is started again.", "child", p.Name)
	}
	return deaths
}

// LockedWriter makes writes to a stream that is shared follow each other.
type LockedWriter struct {
	mu sync.Mutex
	to io.Writer
}

// NewLockedWriter returns a LockedWriter over to.
func NewLockedWriter(to io.Writer) *LockedWriter { return &LockedWriter{to: to} }

// Write writes data in one piece.
func (w *LockedWriter) Write(data []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(data)
}
