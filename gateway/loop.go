package gateway

import (
	"context"
	"fmt"
	"time"

	"rhea/proto/beat"
	"rhea/proto/bus"
	"rhea/proto/relaypb"
	"rhea/proto/stage"
	"rhea/proto/subject"
)

// loop feeds the core: one thing arrives, what else waits is handled with it, and
// then everything that this has led to goes out at once.
type loop struct {
	core    *core
	net     network
	came    <-chan newcomer
	inbox   *bus.Inbox[*relaypb.OutInbox]
	outbox  *bus.Outbox
	roster  *bus.Roster
	changes <-chan struct{}

	fresh   <-chan time.Time // nil while no subscription waits for WatchFresh
	ticks   *time.Timer      // of serve
	resting bool             // the next tick is further away than tickEvery

	bus        *bus.Bus
	reconnects uint64 // of bus, as of the last tick
	pulse      *stage.Pulse
	reload     <-chan stage.Settings
	apply      func(stage.Settings)
}

// serve runs until ctx ends, or the HTTP server does.
func (l *loop) serve(ctx context.Context, served <-chan error) error {
	l.ticks = time.NewTimer(tickEvery)
	defer l.ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-served:
			return fmt.Errorf("%w: %w", errServer, err)
		case n := <-l.came:
			l.open(n)
		case <-l.net.ready():
			l.listen()
		case msg := <-l.inbox.C():
			l.take(msg)
		case <-l.changes:
			l.rosterChanged()
		case <-l.fresh:
			l.watchFresh()
		case s := <-l.reload:
			l.apply(s)
		case now := <-l.ticks.C:
			l.tick(now)
			l.rest(time.Now())
		}
		l.round()
		l.send()
	}
}

// rest sets the next tick: the next but few when there is nothing to be looked after
// before that, and an idle gateway is woken anyway by then to announce itself.
func (l *loop) rest(now time.Time) {
	pause := l.core.Quiet(now, beat.Until(now, beat.Every))
	l.resting = pause > tickEvery
	if !l.resting {
		pause = beat.Until(now, tickEvery)
	}
	l.ticks.Reset(pause)
}

// clock tells the core what time it is when something happens. While the loop rests,
// the time that alarms are set by stands still.
func (l *loop) clock() {
	l.core.at = time.Now()
	if l.resting {
		l.resting = false
		l.core.Advance(l.core.at)
		l.ticks.Reset(beat.Until(l.core.at, tickEvery))
	}
}

// open takes in a client.
func (l *loop) open(n newcomer) {
	l.clock()
	l.core.Open(n.conn, n.early)
}

// rosterChanged is no reason to rest no more: the writer announces itself at every beat.
func (l *loop) rosterChanged() {
	if l.resting {
		l.core.Advance(time.Now())
	}
	l.core.HandleRoster(l.roster.View())
}

// listen handles what clients say.
func (l *loop) listen() {
	l.clock()
	l.net.each(l.core.Signal)
}

// watchFresh registers what has not been closed in the meantime.
func (l *loop) watchFresh() {
	l.fresh = nil
	l.core.WatchFresh()
}

// take handles what a bus message brings.
func (l *loop) take(msg *bus.Message) {
	l.clock()
	l.inbox.Each(msg, l.core.Handle)
}

// tick moves the core's clock. What has arrived is handled before alarms ring: when
// the loop has stood still, they are late, and so is what they miss.
func (l *loop) tick(now time.Time) {
	l.resting = false
	l.pulse.Beat()
	l.core.Advance(now)
	for range l.inbox.Waiting() {
		l.take(<-l.inbox.C())
		if l.core.Said() > maxRoundFrames {
			l.core.Flush()
		}
	}
	if n := l.bus.Reconnects(); n != l.reconnects {
		l.reconnects = n
		l.core.Reconnected()
	}
	l.core.Tick(now)
}

// round handles what waits, up to a bound.
func (l *loop) round() {
	for range maxRound {
		if l.core.Said() > maxRoundFrames {
			return
		}
		select {
		case n := <-l.came:
			l.open(n)
		case <-l.net.ready():
			l.listen()
		case msg := <-l.inbox.C():
			l.take(msg)
		default:
			return
		}
	}
}

// send flushes to the bus and to the sockets. The bus comes first, as others have
// work to do there; what writing to the sockets leads to follows. The outbox counts
// its failures.
func (l *loop) send() {
	l.core.Resume()
	if l.fresh == nil && len(l.core.fresh) > 0 {
		l.fresh = time.After(freshTime)
	}
	_ = l.outbox.Flush()
	l.core.Flush()
	_ = l.outbox.Flush()
}

// successors says whether another gateway can take this one's clients.
func (l *loop) successors() bool {
	for _, m := range l.roster.View().Members(subject.Gateway) {
		if subject.Instance(m.Instance) != l.bus.Instance && !m.Leaving {
			return true
		}
	}
	return false
}

// leave waits until the entrance is shut, so that nobody who goes comes back through
// it, and then sends the clients away until the gateway is empty, for as long as
// somebody takes them; patience bounds it. When all gateways leave at once, the relay
// stops, and nobody is waited for.
func (l *loop) leave(patience time.Duration, shut, empty func() bool) {
	l.until(2*lastCall, func() bool { return shut() || !l.successors() })
	l.core.Leave()
	l.until(patience, func() bool { return empty() || !l.successors() })
}

// drain takes in nothing new, waits for the answers to what is unanswered, refuses
// the rest, and says goodbye to the clients; patience bounds each half.
func (l *loop) drain(patience time.Duration) {
	l.core.Drain()
	l.until(patience, l.core.settled)
	l.core.Farewell()
	l.send()
	if !l.until(patience, func() bool { return len(l.core.conns) == 0 }) {
		for _, cn := range l.core.conns {
			l.core.kill(cn, "the gateway stops")
		}
		l.send()
	}
}

// until goes on with the loop until done, or for as long as patience lasts, and
// says which.
func (l *loop) until(patience time.Duration, done func() bool) bool {
	out := time.NewTimer(patience)
	defer out.Stop()
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	for !done() {
		select {
		case <-out.C:
			return false
		case n := <-l.came:
			l.open(n)
		case <-l.net.ready():
			l.listen()
		case msg := <-l.inbox.C():
			l.take(msg)
		case <-l.changes:
			l.rosterChanged()
		case <-l.fresh:
			l.watchFresh()
		case now := <-tick.C:
			l.tick(now)
		}
		l.round()
		l.send()
	}
	return true
}
