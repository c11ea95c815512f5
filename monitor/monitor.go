package monitor

import (
	"context"
	"fmt"
	"sync"
	"time"

	"rhea/proto/beat"
	"rhea/proto/bus"
	"rhea/proto/limits"
	"rhea/proto/nostr"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
	"rhea/proto/stage"
	"rhea/proto/subject"
)

// What one turn of the loop takes before it says what it has to say.
const (
	turnMessages = 256 // of the inbox
	turnBatches  = 8   // of the log
)

// followBuffer is how many batches of the log wait for the loop.
const followBuffer = 16

const (
	tickEvery = time.Second
	handOver  = 2 * time.Second // a stopping monitor's patience with its successors
)

// Run is the stage: it serves the shards that fall to it until ctx ends, then
// hands them over and returns nil. It returns an error when the process cannot be
// part of the deployment or cannot listen.
func Run(ctx context.Context, cfg Config, env stage.Env) error {
	if err := cfg.Validate(); err != nil {
		return fmt.Errorf("monitor: %w", err)
	}
	return newMonitor(cfg, env).run(ctx)
}

// monitor is the shell around the core. All fields belong to the loop.
type monitor struct {
	env      stage.Env
	roster   *bus.Roster
	inbox    *bus.Inbox[*relaypb.SubInbox]
	shards   *bus.Ownership
	outbox   *bus.Outbox
	follower *bus.Follower
	fetcher  *fetcher
	core     *core
	metrics  *metrics
	pulse    *stage.Pulse
	lag      bus.Lag
	refused  uint64 // watches, at the last line logged about it
}

func newMonitor(cfg Config, env stage.Env) *monitor {
	b := env.Bus
	m := &monitor{env: env, metrics: newMetrics(env.Metrics)}
	m.core = newCore(b.Instance, cfg, filterLimits(env.Limits), env.Policy, b.Space.ShardOf, m.metrics)
	m.core.today = env.Clock
	m.roster = bus.NewRoster(b, subject.Monitor, env.Version, func(r *relaypb.Member) {
		r.Seq = uint64(m.metrics.position.Value())
		r.Stats = env.Metrics.Report()
	})
	m.inbox = bus.Listen(b, func() *relaypb.SubInbox { return new(relaypb.SubInbox) }, 0)
	m.shards = bus.NewOwnership(b, m.roster, subject.Monitor, m.inbox, b.Space.Sub)
	m.outbox = b.NewOutbox()
	m.follower = bus.NewFollower(b, m.roster, bus.Head, followBuffer)
	m.fetcher = newFetcher(b, func(err error) {
		m.metrics.fetchErrors.Inc()
		env.Log.Debug("a range of the log is not to be had, will try again", "err", err)
	})
	m.pulse = env.Checks.Loop("loop")
	env.Checks.Ready("shards", m.shards.Ready)
	env.Checks.Ready("writer", func() error { return m.roster.View().Serving() })
	env.Checks.Ready("log", m.lag.Check)
	env.Metrics.Lag(&m.lag)
	env.Metrics.InboxWaiting(m.inbox.Waiting)
	env.Metrics.LogWaiting(m.follower.Waiting)
	m.inbox.MeasureHops(env.Metrics.Hop("sub"))
	m.follower.MeasureHops(env.Metrics.Hop("log"))
	b.MeasureReplies(env.Metrics.Hop("reply"))
	return m
}

func filterLimits(l limits.Limits) nostr.FilterLimits {
	return nostr.FilterLimits{MaxFilters: l.MaxFilters, MaxValues: l.MaxFilterValues}
}

// run drains in this order: announce the leave, go on serving until the
// successors listen, stop following and listening, say goodbye (While).
func (m *monitor) run(ctx context.Context) error {
	return m.roster.While(ctx, func(ctx context.Context) error {
		defer m.inbox.Close()
		stop, failed := m.start()
		defer stop()
		select {
		case <-m.roster.Settled():
		case <-ctx.Done():
			return nil
		}
		changes := m.roster.Changes()
		if err := m.serve(ctx.Done(), changes, failed, func() bool { return false }); err != nil {
			return err
		}
		m.roster.Leave()
		late, cancel := context.WithTimeout(context.Background(), handOver)
		defer cancel()
		return m.serve(late.Done(), changes, failed, func() bool { return len(m.shards.Held()) == 0 || !m.shards.Successors() })
	})
}

// start starts follower and fetcher. Stop ends them and waits; failed receives
// the follower's error.
func (m *monitor) start() (stop func(), failed <-chan error) {
	ctx, cancel := context.WithCancel(context.Background())
	errs := make(chan error, 1)
	var running sync.WaitGroup
	running.Go(func() {
		if err := m.follower.Run(ctx); err != nil {
			errs <- fmt.Errorf("monitor: following the log: %w", err)
		}
	})
	running.Go(func() { m.fetcher.run(ctx) })
	return func() { cancel(); running.Wait() }, errs
}

// serve is the loop. It ends when stop is closed or done reports true.
func (m *monitor) serve(stop <-chan struct{}, changes <-chan struct{}, failed <-chan error, done func() bool) error {
	tick := beat.NewTicker(tickEvery)
	defer tick.Stop()
	defer m.pulse.End()
	var again <-chan struct{} // always, while watches are left to be served; else nil
	always := make(chan struct{})
	close(always)
	for !done() {
		select {
		case <-again:
		case <-stop:
			return nil
		case err := <-failed:
			return err
		case <-changes:
			m.reconcile()
		case now := <-tick.C:
			tick.Next()
			m.pulse.Beat()
			m.reconcile()
			m.measureLag(now)
			m.core.tick(now, m.roster.View().Alive)
			m.report()
		case s := <-m.env.Reload:
			m.core.set(stage.Section[Config](s), filterLimits(stage.Section[limits.Limits](s)), stage.Section[policy.Policy](s))
		case msg := <-m.inbox.C():
			m.take(msg)
		case e := <-m.follower.C():
			m.follow(e)
		case a := <-m.fetcher.answers:
			m.core.fetched(time.Now(), a.fetch, a.entries)
		}
		m.takeWaiting()
		out := m.core.flush(time.Now())
		m.say(out)
		if again = nil; out.more {
			again = always
		}
	}
	return nil
}

// takeWaiting takes what else waits, so that it shares the messages of the flush.
func (m *monitor) takeWaiting() {
	for messages, batches := 0, 0; messages < turnMessages && batches < turnBatches; {
		select {
		case e := <-m.follower.C():
			m.follow(e)
			batches++
		case msg := <-m.inbox.C():
			m.take(msg)
			messages++
		default:
			return
		}
	}
}

func (m *monitor) follow(e *relaypb.Entries) {
	began := time.Now()
	m.core.follow(began, e)
	m.metrics.matchTime.Observe(time.Since(began).Seconds())
}

func (m *monitor) take(msg *bus.Message) {
	now := time.Now()
	m.inbox.Each(msg, func(in *relaypb.SubInbox) { m.core.handle(now, in) })
}

func (m *monitor) say(out outputs) {
	send := func(to subject.Instance, msg *relaypb.OutInbox) {
		if m.outbox.Send(m.env.Bus.Space.Out(to), msg) != nil {
			m.metrics.unsent.Inc()
		}
	}
	for _, d := range out.deliveries {
		send(d.to, &relaypb.OutInbox{Body: &relaypb.OutInbox_Deliveries{Deliveries: d.msg}})
	}
	for _, h := range out.heard {
		send(h.to, &relaypb.OutInbox{Body: &relaypb.OutInbox_Heard{Heard: h.msg}})
	}
	if m.outbox.Flush() != nil {
		m.metrics.unsent.Inc()
	}
	if out.fetch != nil {
		select {
		case <-m.fetcher.asks: // one that the core has forgotten
		default:
		}
		m.fetcher.asks <- out.fetch
	}
	m.metrics.measure(m.core)
}

func (m *monitor) reconcile() {
	// What could not be done is tried again with the next tick.
	if gained, lost, _ := m.shards.Reconcile(); len(gained)+len(lost) > 0 {
		m.core.reshard(time.Now(), gained, lost)
	}
}

// measureLag compares what has been matched with what the writer says is on disk.
func (m *monitor) measureLag(now time.Time) {
	if head, ok := m.roster.View().Head(); ok && m.core.known {
		m.lag.Note(now, m.core.position(), head)
	}
}

// report logs refusals, one line a tick.
func (m *monitor) report() {
	if n := m.metrics.refused.Value(); n != m.refused {
		m.env.Log.Warn("subscriptions are refused: max_watches or max_filter_bytes is reached", "refused", n-m.refused, "watches", m.core.watches.table.count)
		m.refused = n
	}
}
