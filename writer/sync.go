package writer

import (
	"fmt"
	"sync/atomic"
	"time"

	"rhea/proto/bus"
	"rhea/proto/relaypb"
	"rhea/proto/stage"
	"rhea/proto/subject"
	"rhea/writer/store"
)

// commitsAhead is how many commits may wait for the disk. Pebble syncs all of
// them with the next fsync, so a few keep the disk busy and more would only let
// the batches stay small.
const commitsAhead = 4

// committed is a batch that has been decided, or a step of sweeping, and is on its
// way to the disk.
type committed struct {
	commit *store.Commit
	asked  []asked // empty of a step
	at     time.Time
}

// syncer waits for the disk. It owns its outbox, and head for writing.
type syncer struct {
	env     stage.Env
	storeID uint64
	outbox  *bus.Outbox
	metrics *metrics
	head    *atomic.Uint64 // the last Seq on disk, for the announcements
	verdict relaypb.OutInbox_Verdict
	out     relaypb.OutInbox // of verdict, for every one that is sent

	commits chan committed // closed by decide after the last
	freed   chan struct{}  // one for each commit that is done
	failed  chan error     // the first failure
	done    chan struct{}  // closed when run has returned
}

func newSyncer(env stage.Env, storeID uint64, m *metrics, head *atomic.Uint64) *syncer {
	return &syncer{
		env: env, storeID: storeID, outbox: env.Bus.NewOutbox(), metrics: m, head: head,
		commits: make(chan committed, commitsAhead), freed: make(chan struct{}, commitsAhead),
		failed: make(chan error, 1), done: make(chan struct{}),
	}
}

// run ends when commits is closed and every commit before that is answered.
// After a failure nothing is answered any more: what was on its way may be on
// disk or not, so the gateways have to ask again.
func (s *syncer) run() {
	defer close(s.done)
	healthy := true
	for c := range s.commits {
		if healthy {
			if err := s.settle(c); err != nil {
				healthy = false
				s.failed <- err
			}
		}
		s.freed <- struct{}{}
	}
}

// settle waits until c is on disk, then publishes its entries, then its
// verdicts.
func (s *syncer) settle(c committed) error {
	began := time.Now()
	entries, head, err := c.commit.Wait()
	s.metrics.syncTime.Observe(time.Since(began).Seconds())
	if err != nil {
		return fmt.Errorf("a commit of %d events: %w", len(c.asked), err)
	}
	s.head.Store(uint64(head))
	space := s.env.Bus.Space
	for _, piece := range pieces(s.storeID, entries, head, time.Now()) {
		err := s.outbox.Send(space.Log(), &relaypb.LogInbox{Body: &relaypb.LogInbox_Entries{Entries: piece}})
		if err != nil {
			// Whoever follows the log finds the hole and fetches.
			s.metrics.unsent.Inc()
		}
	}
	for _, a := range answers(c.asked, c.commit.Verdicts) {
		s.metrics.verdict(a.verdict.Outcome)
		s.send(a.gateway, a.verdict)
	}
	if s.outbox.Flush() != nil {
		s.metrics.unsent.Inc()
	}
	for _, e := range entries {
		s.metrics.removed.Add(len(e.Removed))
	}
	s.metrics.commits.Inc()
	if len(c.asked) == 0 {
		return nil
	}
	s.metrics.commitSize.Observe(float64(len(c.asked)))
	s.metrics.commitTime.Observe(time.Since(c.at).Seconds())
	return nil
}

func (s *syncer) send(gateway subject.Instance, v *relaypb.Verdict) {
	s.verdict.Verdict, s.out.Body = v, &s.verdict
	if s.outbox.Send(s.env.Bus.Space.Out(gateway), &s.out) != nil {
		s.metrics.unsent.Inc()
	}
}
