package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"rhea/proto/bus"
	"rhea/proto/relaypb"
	"rhea/proto/stage"
	"rhea/proto/subject"
	"rhea/rhea/tap"
	"rhea/rhea/whole"
)

// Source is a recording; *tap.Reader is one.
type Source interface {
	Header() tap.Header
	Next() (tap.Message, error)
}

// Join connects to the bus that is played on, each time as another process.
type Join func() (*bus.Bus, error)

// Options say how to replay.
type Options struct {
	Under     subject.Stage // the stage that is alone under test; empty: a whole relay
	Subjects  []string      // patterns, relative to the prefix; only what they match is asked; none: all
	Speed     float64       // times the recorded one; 0: as fast as the answers come
	Clock     *Clock        // is set to the recording's time; may be nil
	Elsewhere bool          // the stages go by a clock of their own: what depends on it is not compared
	Force     bool          // into a store that is not empty
	Patience  time.Duration // for an answer that the recording has; 0: 5 s

	// Tell is called for each difference, Progress a few times a second, Step before
	// each message, which it may end the replay instead of. Each may be nil.
	Tell     func(Difference)
	Progress func(Result, time.Duration)
	Step     func(line string) (goOn bool)
}

// patience is how long an answer may take that the recording has. It shrinks as
// answers are missed, so that a stage that differs much does not take for ever.
const (
	patience      = 5 * time.Second
	leastPatience = 200 * time.Millisecond
)

// entering bounds how long the stages to play to may take to be there.
const entering = 20 * time.Second

// Check says what keeps a recording from being played to a stage.
func Check(h tap.Header, under subject.Stage) error {
	if under == subject.Gateway {
		return errors.New("a gateway cannot be replayed: what it is told comes over sockets, and no recording has that")
	}
	if under != "" && !slices.Contains(subject.Stages(), under) {
		return fmt.Errorf("there is no stage %q", under)
	}
	if _, err := subject.New(h.Prefix, h.Shards); err != nil {
		return fmt.Errorf("the recording's header makes no sense: %w", err)
	}
	for _, subj := range needs(under) {
		full := h.Prefix + "." + subject.Version + "." + subj
		if !slices.ContainsFunc(h.Subjects, func(p string) bool { return matches(p, full) }) {
			inbox, _, _ := strings.Cut(subj, ".")
			return fmt.Errorf("the recording has no %s.> of which a %s needs or says something; record without --subject", inbox, under)
		}
	}
	return nil
}

// Run plays a recording on the bus that join gives, and returns what has come of it,
// also with an error. What the Source says at its end, other than io.EOF and a
// *tap.CutError, is one.
func Run(ctx context.Context, from Source, join Join, o Options) (Result, error) {
	started := time.Now()
	if err := Check(from.Header(), o.Under); err != nil {
		return Result{}, err
	}
	p, err := newPlayer(from, join, o)
	if err != nil {
		return Result{}, err
	}
	defer p.close()
	if r, ok := from.(*tap.Reader); ok {
		r.Note = p.core.result.note
	}
	err = p.roster.While(ctx, func(ctx context.Context) error {
		if p.writer == nil {
			return p.play(ctx)
		}
		return p.writer.While(ctx, p.play)
	})
	p.core.result.Took = time.Since(started)
	p.core.result.Before = p.core.before
	return p.core.result, err
}

// enter waits for those who are to be played to, and refuses those who are not.
func (p *player) enter(ctx context.Context) error {
	select {
	case <-p.roster.Settled():
	case <-ctx.Done():
		return ctx.Err()
	}
	want := make(map[subject.Stage]int)
	for _, st := range stages(p.o.Under) {
		want[st] = 1
	}
	waitCtx, cancel := context.WithTimeout(ctx, entering)
	defer cancel()
	if err := whole.Wait(waitCtx, p.roster, p.bus.Space.Shards(), want, nil, p.bus.Log); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("the bus has nobody to play to: %s", strings.Join(whole.Missing(p.roster.View(), p.bus.Space.Shards(), want), "; "))
	}
	for _, m := range p.roster.View().Members(subject.Writer) {
		played := p.o.Under == "" || p.o.Under == subject.Writer
		switch {
		case !played && (p.writer == nil || m.Instance != uint32(p.writerBus.Instance)):
			return fmt.Errorf("a writer is on that bus: a %s that is alone is played to on a bus of its own", p.o.Under)
		case played && m.Seq > 0 && !p.o.Force:
			return fmt.Errorf("the store is not empty: it has come to Seq %d; --force replays into it all the same", m.Seq)
		case played && m.Seq > 0:
			p.core.before = true
		}
		p.core.head = m.Seq
	}
	return nil
}

// announce makes the rosters: this process is a gateway, and for a stage that follows
// the log a writer as well.
func (p *player) announce(join Join) error {
	p.roster = bus.NewRoster(p.bus, subject.Gateway, stage.Version(), nil)
	if p.o.Under != subject.Monitor && p.o.Under != subject.Negentropy {
		return nil
	}
	b, err := join()
	if err != nil {
		return err
	}
	p.writerBus = b
	p.writer = bus.NewRoster(b, subject.Writer, stage.Version(), func(m *relaypb.Member) {
		m.Store, m.Seq = p.log.store, p.head.Load()
	})
	return nil
}
