package reqworker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rhea/proto/beat"
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
	if err := cfg.Validate(); err != nil {
		return fmt.Errorf("reqworker: %w", err)
	}
	scans, err := bus.NewQuestions[*relaypb.ScanReply, *query](
		env.Bus, string(subject.Reqworker), func() *relaypb.ScanReply { return new(relaypb.ScanReply) }, 2*cfg.Concurrency)
	if err != nil {
		return fmt.Errorf("reqworker: %w", err)
	}
	defer scans.Close()
	return newWorker(cfg, env, scans).run(ctx)
}

// worker is the shell around the core. All fields belong to the loop.
type worker struct {
	env     stage.Env
	roster  *bus.Roster
	inbox   *bus.Inbox[*relaypb.ReqInbox]
	shards  *bus.Ownership
	outbox  *bus.Outbox
	scans   *bus.Questions[*relaypb.ScanReply, *query]
	core    *core
	metrics *metrics
	pulse   *stage.Pulse

	store subject.Instance // the writer that serves the store; 0: none
}

// scanTimeout is how long a slice may take: slices are short, and one whose answer is
// lost is asked for again.
const scanTimeout = 2 * time.Second

// errNoAnswer is that of a slice that nobody will answer any more.
var errNoAnswer = errors.New("no answer from whoever serves the store")

func newWorker(cfg Config, env stage.Env, scans *bus.Questions[*relaypb.ScanReply, *query]) *worker {
	b := env.Bus
	w := &worker{env: env, scans: scans, metrics: newMetrics(env.Metrics)}
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

// serve is the loop. It ends when stop is closed or done reports true.
func (w *worker) serve(stop <-chan struct{}, changes <-chan struct{}, done func() bool) {
	tick := beat.NewTicker(tickEvery)
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
			tick.Next()
			w.pulse.Beat()
			w.reconcile()
			w.core.tick(now, w.roster.View().Alive)
			w.giveUp(now.Add(-scanTimeout))
		case s := <-w.env.Reload:
			w.core.set(stage.Section[Config](s), stage.Section[limits.Limits](s), stage.Section[policy.Policy](s))
		case <-rouse.C:
		case msg := <-w.inbox.C():
			w.take(msg)
		case msg := <-w.scans.C():
			w.answer(msg)
		}
		w.takeWaiting()
		w.core.rouse(time.Now())
		w.say()
		if next := w.core.rests(); !next.IsZero() {
			rouse.Reset(time.Until(next))
		}
	}
}

// takeWaiting takes what else waits, so that it shares the messages of the flush.
func (w *worker) takeWaiting() {
	for range turnMessages {
		select {
		case msg := <-w.scans.C():
			w.answer(msg)
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

// answer takes the answer to a slice.
func (w *worker) answer(msg *bus.Message) {
	if q, asked, reply, err, ok := w.scans.Answer(msg); ok {
		now := time.Now()
		w.metrics.sliceTime.Observe(now.Sub(asked).Seconds())
		w.core.read(now, q, reply, err)
	}
}

// giveUp stops waiting for slices that were asked for before a time.
func (w *worker) giveUp(before time.Time) {
	now := time.Now()
	w.scans.GiveUp(before, func(q *query, asked time.Time) {
		w.metrics.sliceTime.Observe(now.Sub(asked).Seconds())
		w.core.read(now, q, nil, errNoAnswer)
	})
}

// say says what the core has to say, which may be more once it hears that a slice
// cannot even be asked for.
func (w *worker) say() {
	for {
		out := w.core.flush()
		now := time.Now()
		for _, a := range out.asks {
			in := &relaypb.ScanInbox{Body: &relaypb.ScanInbox_Scan{Scan: a.scan}}
			if err := w.scans.Ask(now, w.env.Bus.Space.Scan(), in, a.query); err != nil {
				w.core.read(now, a.query, nil, err)
			}
		}
		for _, a := range out.answers {
			if w.outbox.Send(w.env.Bus.Space.Out(a.to), a.msg) != nil {
				w.metrics.unsent.Inc()
			}
		}
		if len(out.asks) == 0 {
			break
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
		w.giveUp(time.Now().Add(time.Hour))
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
