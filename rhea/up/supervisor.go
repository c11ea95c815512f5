package up

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
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
	Output   io.Writer // takes the children's log lines; safe for concurrent use
	// Drain is what a stage may take to stop before it is killed, as of now. It is
	// called from any goroutine.
	Drain func(subject.Stage) time.Duration
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
	// Rolls is where rolling replacements are asked for, one at a time.
	Rolls <-chan Roll
	// Dir is a directory for sockets, which is emptied at the beginning and removed at
	// the end; "": a temporary one.
	Dir string
	// Kill, when closed, ends all children without waiting.
	Kill <-chan struct{}

	dir      string
	children []*child
	deaths   chan death
}

// attempts is how often a child may die before Ready until that is fatal: once
// can be an accident, and whoever waits for the prompt wants to know soon.
const attempts = 3

// Run starts the programs and returns when all have ended: nil after ctx has,
// or why a stage cannot start.
func (s *Supervisor) Run(ctx context.Context) error {
	dir, err := socketDir(s.Dir)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s.dir, s.deaths = dir, make(chan death)
	for _, p := range s.Programs {
		s.start(p, p.Path)
	}
	err = s.watch(ctx)
	for _, st := range whole.StopOrder() {
		s.stop(st)
	}
	return err
}

// start starts a child that is to run a program's file at path.
func (s *Supervisor) start(p Program, path string) *child {
	c := &child{
		Program: p, path: path, dir: s.dir, log: s.Log, drain: s.Drain, deaths: s.deaths, kill: s.Kill,
		hangup: make(chan struct{}, 1), ready: make(chan struct{}),
		output: &lines{stage: string(p.Stage), name: p.Name, to: s.Output, log: s.Log},
		stop:   make(chan struct{}), done: make(chan struct{}),
	}
	s.children = append(s.children, c)
	go c.keep()
	return c
}

// watch returns when ctx ends, or with the reason why there is no going on.
func (s *Supervisor) watch(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.Changes:
			s.Changed()
		case <-s.Hangups:
			s.hangUp()
		case r := <-s.Rolls:
			r.Done(s.roll(ctx, r))
		case d := <-s.deaths:
			if err := s.note(d); err != nil {
				return err
			}
		}
	}
}

// await goes on with what watch does, except that it takes no Roll, until what is
// closed or ctx ends, and says which.
func (s *Supervisor) await(ctx context.Context, what <-chan struct{}) bool {
	for {
		select {
		case <-what:
			return true
		case <-ctx.Done():
			return false
		case <-s.Changes:
			s.Changed()
		case <-s.Hangups:
			s.hangUp()
		case d := <-s.deaths:
			_ = s.note(d) // who waits here has something to do that matters more
		}
	}
}

// hangUp passes SIGHUP on. One that is only starting may not expect the signal yet,
// which would end it; it finds out by itself.
func (s *Supervisor) hangUp() {
	for _, c := range s.children {
		if closed(s.Ready) {
			c.hangUp()
		}
	}
}

// note takes in a death. It returns an error when a child cannot work as it is
// configured: that one is not started in vain.
func (s *Supervisor) note(d death) error {
	s.Died(d.child.Stage, d.pid)
	if closed(d.child.stop) {
		return nil
	}
	d.child.failed++
	if counter := s.Deaths[d.child.Name]; counter != nil {
		counter.Inc()
	}
	switch {
	case !closed(s.Ready) && (d.pid == 0 || d.code == stage.ExitUsage || d.child.failed >= attempts):
		return fmt.Errorf("%s cannot start: %s", d.child.Name, d.reason())
	case d.child.fell != nil:
		d.child.fell(d)
	default:
		s.Log.Warn("a stage has ended and is started again", "stage", d.child.Name, "pid", d.pid,
			"how", d.how, "lived", d.lived.Round(time.Millisecond), "in", d.pause)
	}
	return nil
}

// stop ends the children of one stage and waits for them.
func (s *Supervisor) stop(stage subject.Stage) {
	var all []*child
	for _, c := range s.children {
		if c.Stage == stage {
			all = append(all, c)
			c.askToStop()
		}
	}
	for _, c := range all {
		s.end(context.Background(), c)
	}
}

// end ends a child and waits for it, until ctx ends.
func (s *Supervisor) end(ctx context.Context, c *child) {
	c.askToStop()
	if !s.await(ctx, c.done) {
		return
	}
	s.children = slices.DeleteFunc(s.children, func(x *child) bool { return x == c })
	if c.program != nil {
		_ = c.program.Close() // it was only read
	}
}
