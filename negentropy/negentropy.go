package negentropy

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"rhea/proto/beat"
	"rhea/proto/bus"
	"rhea/proto/limits"
	"rhea/proto/negentropy"
	"rhea/proto/nostr"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
	"rhea/proto/stage"
	"rhea/proto/subject"
)

// What one turn of the loop takes before it says what it has to say.
const (
	turnMessages = 256
	turnBatches  = 8 // of the log
)

const (
	tickEvery = time.Second
	handOver  = 2 * time.Second // a stopping process's patience with its successors
	finish    = time.Second     // the time that unanswered messages get when there are none
)

// Run is the stage: it serves the shards that fall to it until ctx ends, then
// hands them over, or answers what waits, and returns nil. It returns an error
// when the process cannot be part of the deployment or cannot listen.
func Run(ctx context.Context, cfg Config, env stage.Env) error {
	if err := cfg.Validate(); err != nil {
		return fmt.Errorf("negentropy: %w", err)
	}
	return newShell(cfg, env).run(ctx)
}

// shell is what stands around the core. All fields belong to the loop, but for the
// channels.
type shell struct {
	env     stage.Env
	roster  *bus.Roster
	inbox   *bus.Inbox[*relaypb.NegInbox]
	shards  *bus.Ownership
	outbox  *bus.Outbox
	core    *core
	loader  *loader
	reader  *reader
	metrics *metrics
	pulse   *stage.Pulse
	lag     bus.Lag      // of the tree
	hops    bus.Observer // of the log
	state   mirrorState  // as logged last
	load    func()       // starts the loader
	giveUp  func()       // ends it

	// The core bounds what is under way, so none of these is ever full.
	reads   chan *session
	slices  chan slice
	asked   chan *question
	replies chan reply
}

type slice struct {
	session *session
	err     error
}

type reply struct {
	question *question
	message  []byte
	err      error
}

func newShell(cfg Config, env stage.Env) *shell {
	b, repliers := env.Bus, runtime.GOMAXPROCS(0)
	s := &shell{
		env: env, hops: env.Metrics.Hop("log"), metrics: newMetrics(env.Metrics),
		reads: make(chan *session, cfg.Concurrency), slices: make(chan slice, cfg.Concurrency),
		asked: make(chan *question, repliers), replies: make(chan reply, repliers),
	}
	s.core = newCore(cfg, filterLimits(env.Limits), &env.Policy, b.Space.ShardOf, repliers, s.metrics)
	s.core.today = env.Clock
	s.roster = bus.NewRoster(b, subject.Negentropy, env.Version, func(m *relaypb.Member) {
		m.Stats = env.Metrics.Report()
	})
	s.inbox = bus.Listen(b, func() *relaypb.NegInbox { return new(relaypb.NegInbox) }, 0)
	s.outbox = b.NewOutbox()
	s.shards = bus.NewOwnership(b, s.roster, subject.Negentropy, s.inbox, b.Space.Neg)
	s.reader = &reader{bus: b, metrics: s.metrics}
	s.pulse = env.Checks.Loop("loop")
	env.Checks.Ready("shards", s.shards.Ready)
	env.Checks.Ready("writer", func() error { return s.roster.View().Serving() })
	env.Checks.Ready("tree", s.treeReady)
	env.Metrics.Lag(&s.lag)
	env.Metrics.InboxWaiting(s.inbox.Waiting)
	s.inbox.MeasureHops(env.Metrics.Hop("neg"))
	b.MeasureReplies(env.Metrics.Hop("reply"))
	return s
}

func filterLimits(l limits.Limits) nostr.FilterLimits {
	return nostr.FilterLimits{MaxFilters: l.MaxFilters, MaxValues: l.MaxFilterValues}
}

// run drains in this order: announce the leave; while there are successors, serve
// until they listen, which drops the sessions (their gateways end them); with none,
// finish what is unanswered; stop listening, refuse what is left and what waits,
// say goodbye (While).
func (s *shell) run(ctx context.Context) error {
	return s.roster.While(ctx, func(ctx context.Context) error {
		defer s.inbox.Close()
		stop, failed := s.start()
		defer stop()
		select {
		case <-s.roster.Settled():
		case <-ctx.Done():
			return nil
		}
		changes := s.roster.Changes()
		if err := s.serve(ctx.Done(), changes, failed, func() bool { return false }); err != nil {
			return err
		}
		s.roster.Leave()
		patience := finish
		if s.shards.Successors() {
			patience = handOver
		}
		late, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		err := s.serve(late.Done(), changes, failed, func() bool {
			return len(s.shards.Held()) == 0 || !s.shards.Successors() && !s.core.active() && s.inbox.Waiting() == 0
		})
		s.inbox.Close()
		s.core.stop()
		for s.inbox.Waiting() > 0 {
			s.take(<-s.inbox.C())
		}
		s.say(outputs{answers: s.core.flush().answers})
		return err
	})
}

// start starts the goroutines that read slices, make answers, and feed the mirror.
// Stop ends them and waits; failed receives the error of the latter.
func (s *shell) start() (stop func(), failed <-chan error) {
	ctx, cancel := context.WithCancel(context.Background())
	errs := make(chan error, 1)
	var running sync.WaitGroup
	s.load = func() {
		loading, giveUp := context.WithCancel(ctx)
		// Its own channel: what the loader before still has to say is not heard.
		l := &loader{
			bus: s.env.Bus, roster: s.roster, reader: s.reader, log: s.env.Log, max: s.core.cfg.MaxTreeRecords,
			private: s.core.policy.PrivateKinds.Fingerprint(), out: make(chan news), hops: s.hops,
		}
		s.loader, s.giveUp = l, giveUp
		running.Go(func() {
			if err := l.run(loading); err != nil {
				errs <- err
			}
		})
	}
	s.load()
	for range cap(s.reads) {
		running.Go(func() { s.read(ctx) })
	}
	for range cap(s.asked) {
		running.Go(func() { s.reply(ctx) })
	}
	return func() { cancel(); running.Wait() }, errs
}

// read reads slices for sessions.
func (s *shell) read(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case x := <-s.reads:
			either, cancel := context.WithCancel(x.life)
			stop := context.AfterFunc(ctx, cancel)
			err := s.reader.next(either, x.scan)
			stop()
			cancel()
			s.slices <- slice{x, err}
		}
	}
}

// reply answers questions.
func (s *shell) reply(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case q := <-s.asked:
			began := time.Now()
			message, err := negentropy.Respond(nil, q.set, q.message, q.most)
			s.metrics.replySeconds.Observe(time.Since(began).Seconds())
			s.replies <- reply{q, message, err}
		}
	}
}

// serve is the loop. It ends when stop is closed or done reports true.
func (s *shell) serve(stop <-chan struct{}, changes <-chan struct{}, failed <-chan error, done func() bool) error {
	tick := beat.NewTicker(tickEvery)
	defer tick.Stop()
	defer s.pulse.End()
	for !done() {
		select {
		case <-stop:
			return nil
		case err := <-failed:
			return err
		case <-changes:
			s.reconcile()
		case now := <-tick.C:
			tick.Next()
			s.pulse.Beat()
			s.reconcile()
			s.measureLag(now)
			s.core.tick(now, s.roster.View().Alive)
		case settings := <-s.env.Reload:
			s.reload(settings)
		case n := <-s.loader.out:
			s.core.news(time.Now(), n)
		case msg := <-s.inbox.C():
			s.take(msg)
		case r := <-s.slices:
			s.core.slice(time.Now(), r.session, r.err)
		case r := <-s.replies:
			s.core.replied(time.Now(), r.question, r.message, r.err)
		}
		s.takeWaiting()
		s.say(s.core.flush())
	}
	return nil
}

// takeWaiting takes what else waits, so that it shares the messages of the flush.
func (s *shell) takeWaiting() {
	for messages, batches := 0, 0; messages < turnMessages && batches < turnBatches; {
		select {
		case n := <-s.loader.out:
			s.core.news(time.Now(), n)
			batches++
			continue
		case msg := <-s.inbox.C():
			s.take(msg)
		case r := <-s.slices:
			s.core.slice(time.Now(), r.session, r.err)
		case r := <-s.replies:
			s.core.replied(time.Now(), r.question, r.message, r.err)
		default:
			return
		}
		messages++
	}
}

// reload goes by other settings. A tree of other kinds, or of another size, is loaded
// anew.
func (s *shell) reload(settings stage.Settings) {
	p := stage.Section[policy.Policy](settings)
	if s.core.set(time.Now(), stage.Section[Config](settings), filterLimits(stage.Section[limits.Limits](settings)), &p) {
		s.giveUp()
		s.load()
	}
}

func (s *shell) take(msg *bus.Message) {
	now := time.Now()
	s.inbox.Each(msg, func(m *relaypb.NegInbox) { s.core.handle(now, m) })
}

func (s *shell) say(out outputs) {
	for _, x := range out.reads {
		s.reads <- x
	}
	for _, q := range out.replies {
		s.asked <- q
	}
	for _, a := range out.answers {
		m := &relaypb.OutInbox{Body: &relaypb.OutInbox_Neg{Neg: a.msg}}
		if s.outbox.Send(s.env.Bus.Space.Out(a.to), m) != nil {
			s.metrics.unsent.Inc()
		}
	}
	if s.outbox.Flush() != nil {
		s.metrics.unsent.Inc()
	}
	s.metrics.measure(s.core)
	if now := s.core.mirror.state; now != s.state {
		if s.state = now; now == givenUp {
			s.giveUp()
			s.env.Log.Warn("the tree of all events is given up: there are more than max_tree_records",
				"max_tree_records", s.core.cfg.MaxTreeRecords)
		}
	}
}

// measureLag compares what the tree has with what the writer says is on disk.
func (s *shell) measureLag(now time.Time) {
	head, ok := s.roster.View().Head()
	switch {
	case s.core.mirror.state != following:
		s.lag.Forget()
	case ok:
		s.lag.Note(now, s.core.mirror.position, head)
	}
}

// treeReady says what the tree lacks. One that is given up lacks nothing: sessions
// do without it.
func (s *shell) treeReady() error {
	switch mirrorState(s.metrics.treeState.Value()) {
	case loading:
		return errLoading
	case following:
		return s.lag.Check()
	}
	return nil
}

var errLoading = errors.New("the ids of all events are being read")

func (s *shell) reconcile() {
	// What could not be done is tried again with the next tick.
	if _, lost, _ := s.shards.Reconcile(); len(lost) > 0 {
		s.core.lose(lost)
	}
}
