package up

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"rhea/proto/bus"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

const (
	// progressEvery is how often a restart that is under way says that it is.
	progressEvery = time.Second
	// silence is how long an operator's command listens to nothing.
	silence = 5 * time.Second
)

var (
	errNoSupervisor = errors.New("no supervisor answers: only a relay that runs under `rhea up` can be restarted by it")
	errStops        = errors.New("the relay stops")
)

// control takes Restarts from the bus and tells how they go. Its goroutines are
// run's.
type control struct {
	bus   *bus.Bus
	rolls chan Roll

	mu   sync.Mutex
	busy bool
}

func newControl(b *bus.Bus) *control { return &control{bus: b, rolls: make(chan Roll)} }

// run listens until ctx ends.
func (c *control) run(ctx context.Context) error {
	inbox := bus.Listen(c.bus, func() *relaypb.UpInbox { return new(relaypb.UpInbox) }, 16)
	defer inbox.Close()
	if err := inbox.Add(c.bus.Space.Up()); err != nil {
		return err
	}
	var rolling sync.WaitGroup
	defer rolling.Wait()
	for {
		select {
		case <-ctx.Done():
			return nil
		case msg := <-inbox.C():
			inbox.Each(msg, func(m *relaypb.UpInbox) {
				if r := m.GetRestart(); r != nil {
					rolling.Go(func() { c.restart(ctx, r) })
				}
			})
		}
	}
}

// restart has the supervisor do what is asked, unless it is at it already.
func (c *control) restart(ctx context.Context, r *relaypb.Restart) {
	c.mu.Lock()
	busy := c.busy
	c.busy = true
	c.mu.Unlock()
	if busy {
		c.say(&relaypb.Progress{Num: r.Num, Done: true, Error: "another restart is under way"})
		return
	}
	defer func() {
		c.mu.Lock()
		c.busy = false
		c.mu.Unlock()
	}()
	var stages []subject.Stage
	for _, st := range r.Stages {
		stages = append(stages, subject.Stage(st))
	}
	done := make(chan error, 1)
	roll := Roll{
		Stages: stages, Done: func(err error) { done <- err },
		Say: func(text string) { c.say(&relaypb.Progress{Num: r.Num, Text: text}) },
	}
	rolls, over := c.rolls, ctx.Done()
	beat := time.NewTicker(progressEvery)
	defer beat.Stop()
	for {
		select {
		case rolls <- roll:
			rolls, over = nil, nil // the supervisor answers, whatever happens
		case <-over:
			return
		case <-beat.C:
			c.say(&relaypb.Progress{Num: r.Num})
		case err := <-done:
			p := &relaypb.Progress{Num: r.Num, Done: true}
			switch {
			case errors.Is(err, context.Canceled):
				p.Error = errStops.Error()
			case err != nil:
				p.Error = err.Error()
			}
			c.say(p)
			return
		}
	}
}

func (c *control) say(p *relaypb.Progress) {
	if err := c.bus.Publish(c.bus.Space.Up(), &relaypb.UpInbox{Body: &relaypb.UpInbox_Progress{Progress: p}}); err != nil {
		c.bus.Log.Warn("nobody hears how the restart goes", "err", err)
	}
}

// Restart asks the supervisor of the relay that is on a bus to replace its children
// of some stages, all if none is given, and returns when it has. Say is told how it
// goes. When ctx ends before, the supervisor goes on.
func Restart(ctx context.Context, b *bus.Bus, stages []subject.Stage, say func(text string)) error {
	inbox := bus.Listen(b, func() *relaypb.UpInbox { return new(relaypb.UpInbox) }, 0)
	defer inbox.Close()
	if err := inbox.Add(b.Space.Up()); err != nil {
		return err
	}
	ask := &relaypb.Restart{Num: rand.Uint64()}
	for _, st := range stages {
		ask.Stages = append(ask.Stages, string(st))
	}
	if err := b.Publish(b.Space.Up(), &relaypb.UpInbox{Body: &relaypb.UpInbox_Restart{Restart: ask}}); err != nil {
		return err
	}
	patience := time.NewTimer(silence)
	defer patience.Stop()
	var end *relaypb.Progress
	for end == nil {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-patience.C:
			return errNoSupervisor
		case msg := <-inbox.C():
			inbox.Each(msg, func(m *relaypb.UpInbox) {
				p := m.GetProgress()
				if p == nil || p.Num != ask.Num {
					return
				}
				patience.Reset(silence)
				if p.Text != "" {
					say(p.Text)
				}
				if p.Done {
					end = p
				}
			})
		}
	}
	if end.Error != "" {
		return errors.New(end.Error)
	}
	return nil
}

// ParseStages reads the names of stages.
func ParseStages(names []string) (stages []subject.Stage, err error) {
	for _, name := range names {
		if !slices.Contains(subject.Stages(), subject.Stage(name)) {
			var all []string
			for _, st := range subject.Stages() {
				all = append(all, string(st))
			}
			return nil, fmt.Errorf("there is no stage %q; there are %s", name, strings.Join(all, ", "))
		}
		stages = append(stages, subject.Stage(name))
	}
	return stages, nil
}
