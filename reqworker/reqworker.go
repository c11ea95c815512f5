package reqworker

import (
	"context"
	"fmt"
	"sync"
	"time"

	"rhea/proto/bus"
	"rhea/proto/limits"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
	"rhea/proto/stage"
	"rhea/proto/subject"
)

// turnMessages is what one turn of the loop takes before it says what it has to
// say.
const turnMessages = 256

const (
	tickEvery = time.Second
	handOver  = 2 * time.Second // a stopping worker's patience with its successors
	finish    = time.Second     // the time that running queries get when there are none
)

// Run is the stage: it serves the shards that fall to it until ctx ends, then
// hands them over, or finishes what runs, and returns nil. It returns an error
// when the process cannot be part of the deployment.
func Run(ctx context.Context, cfg Config, env stage.Env) error {
	return RunWith(ctx, cfg, env, busReader{env.Bus})
}

// RunWith is Run with another way to the store.
func RunWith(ctx context.Context, cfg Config, env stage.Env, reader Reader) error {
	if err := cfg.Validate(); err != nil {
		return fmt.Errorf("reqworker: %w", err)
	}
	return newWorker(cfg, env, reader).run(ctx)
}

// worker is the shell around the core. All fields belong to the loop, but for the
// channels.
type worker struct {
	env     stage.Env
	roster  *bus.Roster
	inbox   *bus.Inbox[*relaypb.ReqInbox]
	shards  *bus.Ownership
	outbox  *bus.Outbox
	core    *core
	metrics *metrics
	pulse   *stage.Pulse
	reader  Reader
	asks    chan job    // the core has at most cfg.Concurrency slices under way,
	results chan result // so neither is ever full

	store   subject.Instance // the writer that serves the store; 0: none
	life    context.Context  // of what it was asked
	abandon context.CancelFunc
}

// job is a slice to read, for as long as the writer that was asked lives.
type job struct {
	ask
	life context.Context
}

type result struct {
	query *query
	reply *relaypb.ScanReply
	err   error
}

func newWorker(cfg Config, env stage.Env, reader Reader) *worker {
	b := env.Bus
	w := &worker{
		env: env, reader: reader, metrics: newMetrics(env.Metrics),
		asks: make(chan job, cfg.Concurrency), results: make(chan result, cfg.Concurrency),
	}
	w.life, w.abandon = context.WithCancel(context.Background())
	w.core = newCore(b.Instance, cfg, env.Limits, env.Policy, b.Space.ShardOf, w.metrics)
	w.roster = bus.NewRoster(b, subject.Reqworker, env.Version, func(m *relaypb.Member) {
		m.Stats = env.Metrics.Report()
	})
	w.inbox = bus.Listen(b, func() *relaypb.ReqInbox { return new(relaypb.ReqInbox) }, 0)
	w.shards = bus.NewOwnership(b, w.roster, subject.Reqworker, w.inbox, b.Space.Req)
	w.outbox = b.NewOutbox()
	w.pulse = env.Checks.Loop("loop")
	env.Checks.Ready("shards", w.shards.Ready)
	env.Checks.Ready("writer", func() error { return w.roster.View().Serving() })
	env.Metrics.InboxWaiting(w.inbox.Waiting)
	w.inbox.MeasureHops(env.Metrics.Hop("req"))
	b.MeasureReplies(env.Metrics.Hop("reply"))
	return w
}

// run drains in this order: announce the leave; while there are successors, serve
// until they listen, which drops what runs (their gateways go on there); with none,
// finish what runs; say goodbye (While).
func (w *worker) run(ctx context.Context) error {
	return w.roster.While(ctx, func(ctx context.Context) error {
		defer w.inbox.Close()
		stop := w.startReaders()
		defer stop()
		select {
		case <-w.roster.Settled():
		case <-ctx.Done():
			return nil
		}
		changes := w.roster.Changes()
		w.serve(ctx.Done(), changes, func() bool { return false })

		w.roster.Leave()
		patience := finish
		if w.shards.Successors() {
			patience = handOver
		}
		late, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		w.serve(late.Done(), changes, func() bool {
			return len(w.shards.Held()) == 0 || !w.shards.Successors() && !w.core.active()
		})
		return nil
	})
}

// startReaders starts the goroutines that read slices. Stop ends them and waits.
func (w *worker) startReaders() (stop func()) {
	ended := make(chan struct{})
	var running sync.WaitGroup
	for range cap(w.asks) {
		running.Go(func() {
			for {
				select {
				case <-ended:
					return
				case j := <-w.asks:
					began := time.Now()
					reply, err := w.reader.Scan(j.life, j.scan)
					w.metrics.sliceTime.Observe(time.Since(began).Seconds())
					w.results <- result{j.query, reply, err}
				}
			}
		})
	}
	return func() { close(ended); w.abandon(); running.Wait() }
}

// serve is the loop. It ends when stop is closed or done reports true.
func (w *worker) serve(stop <-chan struct{}, changes <-chan struct{}, done func() bool) {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	rouse := time.NewTimer(time.Hour)
	defer rouse.Stop()
	defer w.pulse.End()
	for !done() {
		select {
		case <-stop:
			return
		case <-changes:
			w.reconcile()
		case now := <-tick.C:
			w.pulse.Beat()
			w.reconcile()
			w.core.tick(now, w.roster.View().Alive)
		case s := <-w.env.Reload:
			w.core.set(stage.Section[Config](s), stage.Section[limits.Limits](s), stage.Section[policy.Policy](s))
		case <-rouse.C:
		case msg := <-w.inbox.C():
			w.take(msg)
		case r := <-w.results:
			w.core.read(time.Now(), r.query, r.reply, r.err)
		}
		w.takeWaiting()
		if next := w.core.rouse(time.Now()); !next.IsZero() {
			rouse.Reset(time.Until(next))
		}
		w.say(w.core.flush())
	}
}

// takeWaiting takes what else waits, so that it shares the messages of the flush.
func (w *worker) takeWaiting() {
	for range turnMessages {
		select {
		case r := <-w.results:
			w.core.read(time.Now(), r.query, r.reply, r.err)
		case msg := <-w.inbox.C():
			w.take(msg)
		default:
			return
		}
	}
}

func (w *worker) take(msg *bus.Message) {
	now := time.Now()
	w.inbox.Each(msg, func(m *relaypb.ReqInbox) { w.core.handle(now, m) })
}

func (w *worker) say(out outputs) {
	for _, a := range out.asks {
		w.asks <- job{a, w.life}
	}
	for _, a := range out.answers {
		if w.outbox.Send(w.env.Bus.Space.Out(a.to), a.msg) != nil {
			w.metrics.unsent.Inc()
		}
	}
	if w.outbox.Flush() != nil {
		w.metrics.unsent.Inc()
	}
	w.metrics.measure(w.core)
}

// follow notices that another writer serves the store: what the one before was
// asked will never be answered, and what waits can be asked now.
func (w *worker) follow() {
	var serving subject.Instance
	for _, m := range w.roster.View().Members(subject.Writer) {
		if m.Store != 0 {
			serving = subject.Instance(m.Instance)
		}
	}
	if serving == w.store {
		return
	}
	if w.store != 0 {
		w.abandon()
		w.life, w.abandon = context.WithCancel(context.Background())
	}
	if w.store = serving; serving != 0 {
		w.core.hurry(time.Now())
	}
}

func (w *worker) reconcile() {
	w.follow()
	// What could not be done is tried again with the next tick.
	if _, lost, _ := w.shards.Reconcile(); len(lost) > 0 {
		w.core.lose(lost)
	}
}
