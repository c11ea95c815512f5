package negentropy

import (
	"context"
	"fmt"
	"time"

	"rhea/proto/bus"
	"rhea/proto/relaypb"
	"rhea/proto/stage"
	"rhea/proto/subject"
)

// batchMessages is how many bus messages are answered with one flush.
const batchMessages = 256

// How a stopping process hands its shards over, and how soon a subscription that
// failed is tried again.
const (
	handOver       = 2 * time.Second
	reconcileAgain = 500 * time.Millisecond
)

// Run is the stage: it serves the shards that fall to it until ctx ends, then
// hands them over, answers what waits and returns nil. It returns an error when
// the process cannot be part of the deployment.
func Run(ctx context.Context, cfg Config, env stage.Env) error {
	if err := cfg.Validate(); err != nil {
		return fmt.Errorf("negentropy: %w", err)
	}
	return newShell(env).run(ctx)
}

// shell is what stands around the core; all fields belong to the loop.
type shell struct {
	env     stage.Env
	roster  *bus.Roster
	inbox   *bus.Inbox[*relaypb.NegInbox]
	shards  *bus.Ownership
	outbox  *bus.Outbox
	core    core
	metrics *metrics
	retry   <-chan time.Time // after a Reconcile that failed
}

func newShell(env stage.Env) *shell {
	s := &shell{env: env, metrics: newMetrics(env.Metrics)}
	s.core = core{metrics: s.metrics}
	s.roster = bus.NewRoster(env.Bus, subject.Negentropy, env.Version, func(m *relaypb.Member) {
		m.Stats = env.Metrics.Snapshot()
	})
	s.inbox = bus.Listen(env.Bus, func() *relaypb.NegInbox { return new(relaypb.NegInbox) }, 0)
	s.outbox = env.Bus.NewOutbox()
	s.shards = bus.NewOwnership(env.Bus, s.roster, subject.Negentropy, s.inbox, env.Bus.Space.Neg)
	env.Metrics.GaugeFunc("inbox_waiting", "Bus messages that wait to be read.", func() float64 { return float64(s.inbox.Waiting()) })
	return s
}

// run drains in this order: announce the leave, go on serving until the
// successors listen, stop listening, answer what waits, say goodbye (While).
func (s *shell) run(ctx context.Context) error {
	return s.roster.While(ctx, func(ctx context.Context) error {
		defer s.inbox.Close()
		select {
		case <-s.roster.Settled():
		case <-ctx.Done():
			return nil
		}
		changes := s.roster.Changes()
		s.serve(ctx.Done(), changes, func() bool { return false })

		s.roster.Leave()
		late, cancel := context.WithTimeout(context.Background(), handOver)
		defer cancel()
		s.serve(late.Done(), changes, func() bool { return len(s.shards.Held()) == 0 || !s.shards.Successors() })
		s.inbox.Close()
		for s.inbox.Waiting() > 0 {
			s.handle(<-s.inbox.C())
		}
		return nil
	})
}

// serve is the loop. It ends when stop is closed or done reports true.
func (s *shell) serve(stop <-chan struct{}, changes <-chan struct{}, done func() bool) {
	for !done() {
		select {
		case <-stop:
			return
		case <-changes:
			s.reconcile()
		case <-s.retry:
			s.reconcile()
		case msg := <-s.inbox.C():
			s.handle(msg)
		}
	}
}

func (s *shell) reconcile() {
	gained, lost, err := s.shards.Reconcile()
	if len(gained)+len(lost) > 0 {
		s.env.Log.Info("shards", "gained", gained, "lost", lost, "held", len(s.shards.Held()))
	}
	s.retry = nil
	if err != nil {
		s.env.Log.Error("cannot listen on all shards, will try again", "err", err)
		s.retry = time.After(reconcileAgain)
	}
}

// handle answers first and what waits behind it, then flushes.
func (s *shell) handle(first *bus.Message) {
	s.answer(first)
	for n := 1; n < batchMessages && s.inbox.Waiting() > 0; n++ {
		s.answer(<-s.inbox.C())
	}
	if s.outbox.Flush() != nil {
		s.metrics.unsent.Inc()
	}
}

func (s *shell) answer(msg *bus.Message) {
	s.inbox.Each(msg, func(m *relaypb.NegInbox) {
		out, ok := s.core.handle(m)
		if !ok {
			return
		}
		reply := &relaypb.OutInbox{Body: &relaypb.OutInbox_Neg{Neg: out.reply}}
		if s.outbox.Send(s.env.Bus.Space.Out(out.gateway), reply) != nil {
			s.metrics.unsent.Inc()
		}
	})
}
