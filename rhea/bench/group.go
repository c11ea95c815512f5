package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"rhea/rhea/bench/wire"
)

// group is the connections of a workload, which end together: when the work is done,
// when one of them fails, when nothing has moved for long, or when ctx ends.
type group struct {
	ctx      context.Context
	fail     context.CancelCauseFunc
	dialer   *wire.Dialer
	patience time.Duration
	moved    atomic.Int64 // anything that came

	paces sync.WaitGroup // what sends by the clock

	mu    sync.Mutex
	conns []*wire.Conn

	said reasons // notices, which belong to no question
}

// group makes an empty one; close must be called.
func (s *Session) group() *group {
	g := &group{dialer: wire.NewDialer(s.relay.URL, &s.relay.sent, s.Deflate), patience: s.Patience}
	g.ctx, g.fail = context.WithCancelCause(s.ctx)
	return g
}

// dial adds a connection. That a connection ends is the group's failure. It is safe
// for concurrent use.
func (g *group) dial(h wire.Handler, from net.Addr) (*wire.Conn, error) {
	ctx, cancel := context.WithTimeout(g.ctx, g.patience)
	defer cancel()
	c, err := g.dialer.Dial(ctx, h, from)
	if err != nil && ctx.Err() != nil && g.ctx.Err() == nil {
		return nil, fmt.Errorf("the relay stalls: no connection within %s: %w", g.patience, err)
	}
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	g.conns = append(g.conns, c)
	g.mu.Unlock()
	return c, nil
}

// wait returns when done is closed. The error says what has gone wrong before, what
// names what was waited for.
func (g *group) wait(done <-chan struct{}, what string) error {
	look := time.NewTicker(min(g.patience/4, 50*time.Millisecond))
	defer look.Stop()
	last, since := int64(-1), time.Now()
	for {
		select {
		case <-done:
			return nil
		case <-g.ctx.Done():
			return context.Cause(g.ctx)
		case now := <-look.C:
			if err := g.ended(); err != nil {
				return err
			}
			if moved := g.moved.Load(); moved != last {
				last, since = moved, now
			} else if now.Sub(since) > g.patience {
				return fmt.Errorf("the relay stalls: nothing for %s while waiting for %s%s", g.patience, what, g.said.after("; it has said: "))
			}
		}
	}
}

// ended says whether a connection is gone.
func (g *group) ended() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, c := range g.conns {
		select {
		case <-c.Done():
			if err := c.Err(); err != nil {
				return fmt.Errorf("connection %d of %d: %w", i+1, len(g.conns), err)
			}
		default:
		}
	}
	return nil
}

// close ends all connections and returns when their handlers are told nothing more and
// nothing sends any more.
func (g *group) close() {
	g.fail(errors.New("the workload is over"))
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.conns {
		c.Close()
	}
	g.paces.Wait() // a write that hangs has failed now
}

// other takes a message that answers nothing.
func (g *group) other(verb, arg []byte) {
	if string(verb) == "NOTICE" {
		g.said.add(string(arg))
	}
}

// sleepUntil returns false when ctx has ended before. Go's timers are up to a
// millisecond late, which a load of some hundred a second does not mind, as latencies
// count from when something was due.
func sleepUntil(ctx context.Context, due time.Time) bool {
	d := time.Until(due)
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
