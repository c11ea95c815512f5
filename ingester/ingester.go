package ingester

import (
	"context"
	"fmt"
	"time"

	"rhea/proto/beat"
	"rhea/proto/bus"
	"rhea/proto/limits"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
	"rhea/proto/schnorr"
	"rhea/proto/stage"
	"rhea/proto/subject"
)

// When a batch takes no further bus message; or when each worker has a full piece of
// signatures. A batch is sent when its last signature is verified, so the number of
// signatures bounds how long the first one waits, and keeps the writer busy beside this
// stage rather than after it.
const (
	batchMessages = 256
	batchBytes    = 4 << 20
)

// How often the loop shows that it turns, how long a stopping ingester waits for
// its successors, and how soon a subscription that failed is tried again.
const (
	tickEvery      = time.Second
	handOver       = 2 * time.Second
	reconcileAgain = 500 * time.Millisecond
)

// Run is the stage: it serves the shards that fall to it until ctx ends, then
// hands them over, finishes what waits and returns nil. It returns an error when
// the process cannot be part of the deployment.
func Run(ctx context.Context, cfg Config, env stage.Env) error {
	if err := cfg.Validate(); err != nil {
		return fmt.Errorf("ingester: %w", err)
	}
	if len(env.Policy.URLs) == 0 {
		env.Log.Info("policy.urls is empty: AUTH goes by the Host that clients name, and requests to vanish by ALL_RELAYS only")
	}
	keys := schnorr.NewKeys(cfg.AuthorKeys)
	return newIngester(cfg, env, func() verifier { return schnorr.NewVerifier(keys) }).run(ctx)
}

// ingester is the shell around the core; all fields belong to the loop.
type ingester struct {
	env     stage.Env
	roster  *bus.Roster
	inbox   *bus.Inbox[*relaypb.IngestInbox]
	shards  *bus.Ownership
	outbox  *bus.Outbox
	core    *core
	crew    crew
	workers int
	metrics *metrics
	pulse   *stage.Pulse
	retry   <-chan time.Time // after a Reconcile that failed

	// What send sends, used again.
	admitted relaypb.WriteInbox_Admitted
	write    relaypb.WriteInbox
}

func newIngester(cfg Config, env stage.Env, newVerifier func() verifier) *ingester {
	in := &ingester{env: env, crew: crew{newWorker: newVerifier}, workers: cfg.verifiers(), metrics: newMetrics(env.Metrics)}
	in.core = newCore(env.Limits, env.Policy, cfg.SeenEvents, in.metrics)
	in.roster = bus.NewRoster(env.Bus, subject.Ingester, env.Version, func(m *relaypb.Member) {
		m.Stats = env.Metrics.Report()
	})
	in.inbox = bus.Listen(env.Bus, bus.Again[relaypb.IngestInbox](), 0)
	in.outbox = env.Bus.NewOutbox()
	in.shards = bus.NewOwnership(env.Bus, in.roster, subject.Ingester, in.inbox, env.Bus.Space.Ingest)
	in.pulse = env.Checks.Loop("loop")
	env.Checks.Ready("shards", in.shards.Ready)
	env.Checks.Ready("writer", func() error { return in.roster.View().Serving() })
	env.Metrics.InboxWaiting(in.inbox.Waiting)
	in.inbox.MeasureHops(env.Metrics.Hop("ingest"))
	return in
}

// run drains in this order: announce the leave, go on serving until the
// successors listen, stop listening, finish what waits, say goodbye (While).
func (in *ingester) run(ctx context.Context) error {
	return in.roster.While(ctx, func(ctx context.Context) error {
		defer in.inbox.Close()
		select {
		case <-in.roster.Settled():
		case <-ctx.Done():
			return nil
		}
		changes := in.roster.Changes()
		in.serve(ctx.Done(), changes, func() bool { return false })

		in.roster.Leave()
		late, cancel := context.WithTimeout(context.Background(), handOver)
		defer cancel()
		in.serve(late.Done(), changes, func() bool { return len(in.shards.Held()) == 0 || !in.shards.Successors() })
		in.inbox.Close()
		for in.inbox.Waiting() > 0 {
			in.handle(<-in.inbox.C())
		}
		return nil
	})
}

// serve is the loop. It ends when stop is closed or done reports true.
func (in *ingester) serve(stop <-chan struct{}, changes <-chan struct{}, done func() bool) {
	tick := beat.NewTicker(tickEvery)
	defer tick.Stop()
	defer in.pulse.End()
	for !done() {
		select {
		case <-stop:
			return
		case <-tick.C:
			tick.Next()
			in.pulse.Beat()
		case <-changes:
			in.reconcile()
		case <-in.retry:
			in.reconcile()
		case s := <-in.env.Reload:
			in.core.setRules(stage.Section[limits.Limits](s), stage.Section[policy.Policy](s))
			in.workers = stage.Section[Config](s).verifiers()
		case msg := <-in.inbox.C():
			in.handle(msg)
		}
	}
}

func (in *ingester) reconcile() {
	_, _, err := in.shards.Reconcile()
	in.retry = nil
	if err != nil {
		in.retry = time.After(reconcileAgain)
	}
}

// handle makes a batch of first and what waits behind it.
func (in *ingester) handle(first *bus.Message) {
	began, now := time.Now(), in.env.Now().Unix()
	in.take(first, now)
	for n := 1; n < batchMessages && in.inbox.Waiting() > 0 && in.core.checks() < fullPiece*in.workers && in.core.bytes < batchBytes; n++ {
		in.take(<-in.inbox.C(), now)
	}
	in.metrics.batchChecks.Observe(float64(in.core.checks()))
	in.crew.settle(&in.core.together, &in.core.alone, in.workers)
	for _, out := range in.core.finish() {
		in.send(out)
	}
	if in.outbox.Flush() != nil {
		in.metrics.unsent.Inc()
	}
	in.metrics.batchTime.Observe(time.Since(began).Seconds())
}

func (in *ingester) take(msg *bus.Message, now int64) {
	in.inbox.Each(msg, func(m *relaypb.IngestInbox) {
		switch body := m.Body.(type) {
		case *relaypb.IngestInbox_Event:
			in.core.take(body.Event, now)
		case *relaypb.IngestInbox_Auth:
			in.core.authenticate(body.Auth, now)
		default:
			in.metrics.unknown.Inc()
		}
	})
}

func (in *ingester) send(out output) {
	space := in.env.Bus.Space
	var err error
	if out.verdict != nil {
		err = in.outbox.Send(space.Out(out.gateway), &relaypb.OutInbox{Body: &relaypb.OutInbox_Verdict{Verdict: out.verdict}})
	} else {
		in.admitted.Admitted, in.write.Body = out.admitted, &in.admitted
		err = in.outbox.Send(space.Write(), &in.write)
	}
	if err != nil {
		in.metrics.unsent.Inc()
	}
}
