package up

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"rhea/proto/subject"
)

// Roll asks a Supervisor to replace its children, one after the other, by the
// programs that are on disk now. Its functions are called from Supervisor.Run's
// goroutine.
type Roll struct {
	Stages []subject.Stage // none: all
	Say    func(text string)
	Done   func(error) // called once, at the end
}

const (
	// readyTime is how long a process may take until it is ready: a large store is
	// opened again, or scanned for the tree of negentropy.
	readyTime = 5 * time.Minute
	// settleTime is what the processes of a relay get to hear of a new one, before
	// the old one asks who is there.
	settleTime = 300 * time.Millisecond
	// tryTime is how long a program may take to print its settings.
	tryTime = 10 * time.Second
)

var errNotWhole = errors.New("the relay is still starting")

// roll replaces children in the order of starting: who answers is new before who
// asks, and clients connect again only once, to a relay that is all new. It stops
// at the first that does not come up.
func (s *Supervisor) roll(ctx context.Context, r Roll) error {
	if !closed(s.Ready) {
		return errNotWhole
	}
	var todo []*child
	for _, c := range s.children {
		if len(r.Stages) == 0 || slices.Contains(r.Stages, c.Stage) {
			todo = append(todo, c)
		}
	}
	if err := s.try(ctx, todo); err != nil {
		return err
	}
	for _, c := range todo {
		began := time.Now()
		replace := s.replace
		if c.Stage == subject.Writer {
			replace = s.succeed
		}
		if err := replace(ctx, c, r.Say); err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		r.Say(fmt.Sprintf("%s: replaced, in %s", c.Name, time.Since(began).Round(10*time.Millisecond)))
	}
	return nil
}

// try finds out, before anything is stopped, whether the programs run at all and
// like their settings.
func (s *Supervisor) try(ctx context.Context, todo []*child) error {
	tried := make(map[subject.Stage]bool)
	for _, c := range todo {
		if tried[c.Stage] {
			continue
		}
		tried[c.Stage] = true
		if said, err := s.tryOne(ctx, c.Program); err != nil {
			why, _, _ := strings.Cut(said, "\n")
			return fmt.Errorf("nothing was replaced, since the program of %s does not start: %w: %s", c.Name, err, why)
		}
	}
	return nil
}

func (s *Supervisor) tryOne(ctx context.Context, p Program) (said string, err error) {
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.Path, append(p.Args[:len(p.Args):len(p.Args)], "--print-config")...)
	var errs strings.Builder
	cmd.Env, cmd.Stderr, cmd.WaitDelay = p.Env, &errs, outputPatience
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err = cmd.Run()
	}()
	s.await(context.Background(), ended) // it ends with ctx
	return errs.String(), err
}

// replace starts a child's program beside it, and ends the old child when the new
// one is ready.
func (s *Supervisor) replace(ctx context.Context, old *child, say func(string)) error {
	fresh := s.start(old.Program, old.Path)
	if err := s.awaitReady(ctx, fresh); err != nil {
		s.end(ctx, fresh)
		return fmt.Errorf("the new process does not come up, and the old one stays: %w", err)
	}
	heard, cancel := context.WithTimeout(ctx, settleTime)
	s.await(heard, nil)
	cancel()
	say(fmt.Sprintf("%s: process %d is ready, and %d is to stop", old.Name, fresh.pid.Load(), old.pid.Load()))
	s.end(ctx, old)
	return ctx.Err()
}

// succeed is replace for a stage of which there can only be one process: the old
// one ends first. Its program is kept at hand meanwhile, in case that the new one
// does not come up.
func (s *Supervisor) succeed(ctx context.Context, old *child, say func(string)) error {
	program, err := os.Open(fmt.Sprintf("/proc/%d/exe", old.pid.Load()))
	if err != nil {
		program = nil // there is no /proc, or no process; then there is no way back
	}
	say(fmt.Sprintf("%s: process %d is to stop", old.Name, old.pid.Load()))
	s.end(ctx, old)
	fresh := s.start(old.Program, old.Path)
	err = s.awaitReady(ctx, fresh)
	switch {
	case err == nil || ctx.Err() != nil || program == nil:
		if program != nil {
			_ = program.Close() // it was only read
		}
		return err
	}
	s.end(ctx, fresh)
	again := s.start(old.Program, fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), program.Fd()))
	again.program = program
	if e := s.awaitReady(ctx, again); e != nil {
		return fmt.Errorf("the new process does not come up: %w; the old program neither: %w", err, e)
	}
	return fmt.Errorf("the new process does not come up, and the old program runs again: %w", err)
}

// awaitReady waits until a child that was just started is ready. It returns why it
// is not when it dies or takes too long.
func (s *Supervisor) awaitReady(ctx context.Context, c *child) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyTime, fmt.Errorf("it is not ready after %s", readyTime))
	defer cancel()
	ctx, fell := context.WithCancelCause(ctx)
	defer fell(nil)
	c.fell = func(d death) { fell(errors.New(d.reason())) }
	defer func() { c.fell = nil }()
	if !s.await(ctx, c.ready) {
		return context.Cause(ctx)
	}
	return nil
}
