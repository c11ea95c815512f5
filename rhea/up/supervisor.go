package up

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"rhea/proto/stage"
	"rhea/proto/subject"
	"rhea/rhea/whole"
)

// Supervisor keeps programs running until it is told to stop, and then stops
// them in order. It knows processes, not the bus.
type Supervisor struct {
	Programs []Program // in the order of starting
	Log      *slog.Logger
	Output   io.Writer     // takes the children's log lines; safe for concurrent use
	Drain    time.Duration // what each stage may take to stop before it is killed
	// Ready is closed when the whole works. A child that cannot start is fatal
	// before, and restarted after.
	Ready <-chan struct{}
	// Deaths counts the ends that nobody asked for, by the child's name; nil: nobody
	// counts.
	Deaths map[string]*stage.Counter
	// Died is called, from Run's goroutine, after each end of a child.
	Died func(stage subject.Stage, pid int)
	// Changed is called, from the same goroutine, when Changes receives.
	Changed func()
	Changes <-chan struct{}
	// Hangups, when it receives, has SIGHUP sent to all children, once Ready.
	Hangups <-chan struct{}
	// Kill, when closed, ends all children without waiting.
	Kill <-chan struct{}
}

// attempts is how often a child may die before Ready until that is fatal: once
// can be an accident, and whoever waits for the prompt wants to know soon.
const attempts = 3

// Run starts the programs and returns when all have ended: nil after ctx has,
// or why a stage cannot start.
func (s *Supervisor) Run(ctx context.Context) error {
	deaths := make(chan death)
	children := make([]*child, 0, len(s.Programs))
	for _, p := range s.Programs {
		c := &child{
			Program: p, log: s.Log, drain: s.Drain, deaths: deaths, kill: s.Kill,
			hangup: make(chan struct{}, 1),
			output: &lines{stage: string(p.Stage), name: p.Name, to: s.Output, log: s.Log},
			stop:   make(chan struct{}), done: make(chan struct{}),
		}
		children = append(children, c)
		go c.keep()
	}
	err := s.watch(ctx, children, deaths)
	for _, st := range whole.StopOrder() {
		s.stop(st, children, deaths)
	}
	return err
}

// watch returns when ctx ends, or with the reason why there is no going on.
func (s *Supervisor) watch(ctx context.Context, children []*child, deaths <-chan death) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.Changes:
			s.Changed()
		case <-s.Hangups:
			// One that is only starting may not expect the signal yet, which would end it;
			// it finds out by itself.
			for _, c := range children {
				if closed(s.Ready) {
					c.hangUp()
				}
			}
		case d := <-deaths:
			s.Died(d.child.Stage, d.pid)
			d.child.failed++
			if counter := s.Deaths[d.child.Name]; counter != nil {
				counter.Inc()
			}
			ready := closed(s.Ready)
			// A child that cannot work as it is configured is not started in vain.
			if !ready && (d.pid == 0 || d.code == stage.ExitUsage || d.child.failed >= attempts) {
				return fmt.Errorf("%s cannot start: %s", d.child.Name, d.reason())
			}
			s.Log.Warn("a stage has ended and is started again", "stage", d.child.Name, "pid", d.pid,
				"how", d.how, "lived", d.lived.Round(time.Millisecond), "in", d.pause)
		}
	}
}

// stop ends the children of one stage and waits for them.
func (s *Supervisor) stop(stage subject.Stage, children []*child, deaths <-chan death) {
	for _, c := range children {
		if c.Stage == stage {
			close(c.stop)
		}
	}
	for _, c := range children {
		for c.Stage == stage && !closed(c.done) {
			select {
			case <-s.Changes:
				s.Changed()
			case d := <-deaths:
				s.Died(d.child.Stage, d.pid)
			case <-c.done:
			}
		}
	}
}
