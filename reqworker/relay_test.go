package reqworker

import (
	"bytes"
	"context"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"rhea/proto/bus"
	"rhea/proto/limits"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
	"rhea/proto/stage"
	"rhea/proto/subject"
)

var quiet = slog.New(slog.DiscardHandler)

func newSpace(tb testing.TB) subject.Space {
	s, err := subject.New("test", 16)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// fakeWriter serves a naiveStore on the bus, now and then too busily or not at all, or
// as a writer that knows nothing of Direct.
type fakeWriter struct {
	bus   *bus.Bus
	store *naiveStore
	scans *bus.Inbox[*relaypb.ScanInbox]
	rng   *rand.Rand
	lossy atomic.Bool
}

func newFakeWriter(t *testing.T, m *bus.Memory, store *naiveStore, rng *rand.Rand) *fakeWriter {
	w := &fakeWriter{bus: m.Join(newSpace(t), quiet), store: store, rng: rng}
	w.lossy.Store(true)
	w.scans = bus.Listen(w.bus, func() *relaypb.ScanInbox { return new(relaypb.ScanInbox) }, 0)
	return w
}

func (w *fakeWriter) run(ctx context.Context) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	defer w.scans.Close()
	w.scans.Add(w.bus.Space.Scan())
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			w.scans.Remove(w.bus.Space.Scan())
			if !w.lossy.Load() || w.rng.IntN(4) > 0 {
				w.scans.Add(w.bus.Space.Scan())
			}
			w.store.mu.Lock()
			w.store.head = min(len(w.store.events), w.store.head+w.rng.IntN(20))
			w.store.mu.Unlock()
		case msg := <-w.scans.C():
			w.scans.Each(msg, func(in *relaypb.ScanInbox) {
				switch w.rng.IntN(20) {
				case 0:
					if w.lossy.Load() {
						return
					}
				case 1:
					if w.lossy.Load() {
						w.bus.Reply(msg, &relaypb.ScanReply{Error: "error: busy"})
						return
					}
				}
				reply, _ := w.store.Scan(ctx, in.GetScan())
				if to := in.GetScan().Direct; to != nil && w.rng.IntN(4) > 0 {
					w.send(to, reply)
					if w.lossy.Load() && w.rng.IntN(20) == 0 {
						return // the events are out, and nobody says so
					}
				}
				w.bus.Reply(msg, reply)
			})
		}
	}
}

// send sends the events of a reply straight to their gateway.
func (w *fakeWriter) send(to *relaypb.Direct, reply *relaypb.ScanReply) {
	p := &relaypb.Part{Num: to.Num, Worker: to.Worker, Index: to.Index, Events: reply.Events, Cursor: reply.Cursor, AsOf: reply.AsOf, Eose: reply.Done}
	if reply.Done && !to.Blind {
		p.Completeness = reply.Completeness
	}
	w.bus.Publish(w.bus.Space.Out(subject.Instance(to.Gateway)), &relaypb.OutInbox{Body: &relaypb.OutInbox_Part{Part: p}})
	reply.Sent = &relaypb.Sent{Events: uint32(len(reply.Events))}
	for _, e := range reply.Events {
		reply.Sent.Bytes += uint64(len(e))
	}
	reply.Events = nil
}

// fakeGateway speaks a gateway's part in queries, as the design says, and loses
// some of what it is sent.
type fakeGateway struct {
	t      *testing.T
	bus    *bus.Bus
	roster *bus.Roster
	inbox  *bus.Inbox[*relaypb.OutInbox]
	outbox *bus.Outbox
	do     chan func()
	rng    *rand.Rand
	lossy  bool

	num     uint64
	byNum   map[uint64]*req
	reqs    []*req
	resumes int
}

// req is a query and what has come of it.
type req struct {
	conn     subject.ConnID
	filters  []byte
	keys     [][]byte
	count    bool
	hint     relaypb.Completeness
	counted  *relaypb.Counted
	num      uint64
	owner    subject.Instance
	worker   uint32
	index    uint32
	cursor   []byte
	asOf     uint64
	granted  uint64
	received uint64 // of this number
	got      [][]byte
	done     bool
	stopped  bool
	closed   string
	progress time.Time
}

func newFakeGateway(t *testing.T, m *bus.Memory, rng *rand.Rand) *fakeGateway {
	b := m.Join(newSpace(t), quiet)
	g := &fakeGateway{t: t, bus: b, roster: bus.NewRoster(b, subject.Gateway, "", nil), outbox: b.NewOutbox(),
		do: make(chan func()), rng: rng, lossy: true, byNum: map[uint64]*req{},
		inbox: bus.Listen(b, func() *relaypb.OutInbox { return new(relaypb.OutInbox) }, 0)}
	if err := g.inbox.Add(b.Space.Out(b.Instance)); err != nil {
		t.Fatal(err)
	}
	return g
}

// in runs f in the gateway's loop and waits for it.
func (g *fakeGateway) in(f func()) {
	done := make(chan struct{})
	g.do <- func() { f(); close(done) }
	<-done
}

func (g *fakeGateway) run(ctx context.Context) {
	changes := g.roster.Changes()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	defer g.inbox.Close()
	for {
		select {
		case <-ctx.Done():
			return
		case f := <-g.do:
			f()
		case <-changes:
			for _, r := range g.reqs {
				if owner := g.owner(r); r.running() && owner != 0 && owner != r.owner {
					g.send(r)
				}
			}
		case <-tick.C:
			for _, r := range g.reqs {
				if !r.running() {
					continue
				}
				if r.received < r.granted && time.Since(r.progress) > 3*time.Second {
					g.send(r)
				} else if r.received >= r.granted && g.rng.IntN(3) == 0 {
					g.grant(r)
				}
			}
		case msg := <-g.inbox.C():
			g.inbox.Each(msg, func(m *relaypb.OutInbox) {
				if p := m.GetPart(); len(p.GetEvents()) > 1 && proto.Size(m) > maxSlice+maxSlice/8 {
					g.t.Errorf("a part of %d bytes", proto.Size(m))
				}
				if !g.lossy || g.rng.IntN(50) > 0 {
					g.take(m)
				}
			})
		}
		g.outbox.Flush()
	}
}

func (r *req) running() bool { return !r.done && !r.stopped && r.closed == "" }

func (g *fakeGateway) owner(r *req) subject.Instance {
	return g.roster.View().Owner(subject.Reqworker, g.bus.Space.ShardOf(r.conn))
}

func (g *fakeGateway) publish(r *req, m *relaypb.ReqInbox) {
	g.outbox.Send(g.bus.Space.Req(g.bus.Space.ShardOf(r.conn)), m)
}

// send sends a query under a new number, from where it has come to.
func (g *fakeGateway) send(r *req) {
	if r.num != 0 {
		g.resumes++
		delete(g.byNum, r.num)
	}
	g.num++
	r.num, r.owner, r.worker, r.index, r.received = g.num, g.owner(r), 0, 0, 0
	r.granted = uint64(g.rng.IntN(100_000))
	if r.count {
		r.granted = 1 // for the fake's own patience
	}
	r.progress = time.Now()
	g.byNum[r.num] = r
	g.publish(r, &relaypb.ReqInbox{Body: &relaypb.ReqInbox_Query{Query: &relaypb.Query{
		Conn: uint64(r.conn), Num: r.num, Filters: r.filters, Granted: r.granted, Cursor: r.cursor, AsOf: r.asOf,
		Keys: r.keys, Count: r.count,
	}}})
}

func (g *fakeGateway) grant(r *req) {
	r.granted += uint64(1 + g.rng.IntN(60_000))
	r.progress = time.Now()
	g.publish(r, &relaypb.ReqInbox{Body: &relaypb.ReqInbox_Credit{Credit: &relaypb.Credit{
		Conn: uint64(r.conn), Num: r.num, Worker: r.worker, Granted: r.granted,
	}}})
}

func (g *fakeGateway) stop(r *req) {
	r.stopped = true
	delete(g.byNum, r.num)
	g.publish(r, &relaypb.ReqInbox{Body: &relaypb.ReqInbox_Stop{Stop: &relaypb.Stop{Conn: uint64(r.conn), Num: r.num}}})
}

func (g *fakeGateway) take(m *relaypb.OutInbox) {
	if c := m.GetClosed(); c != nil {
		if r := g.byNum[c.Num]; r != nil {
			r.closed = c.Text
		}
		return
	}
	if n := m.GetCounted(); n != nil {
		if r := g.byNum[n.Num]; r != nil && r.running() {
			r.counted, r.done = n, true
		}
		return
	}
	p := m.GetPart()
	r := g.byNum[p.Num]
	if r == nil || !r.running() || r.worker != 0 && r.worker != p.Worker {
		return
	}
	if r.worker = p.Worker; p.Index != r.index {
		g.send(r)
		return
	}
	for _, e := range p.Events {
		if r.received >= r.granted {
			g.t.Errorf("an event beyond the credit: %d of %d bytes", r.received, r.granted)
		}
		r.received += uint64(len(e))
		r.got = append(r.got, bytes.Clone(e))
	}
	r.index++
	r.cursor, r.asOf, r.done, r.hint, r.progress = p.Cursor, p.AsOf, p.Eose, p.Completeness, time.Now()
	if r.running() && g.rng.IntN(40) == 0 {
		g.send(r) // for no reason: from any part on, it is the same answer
	}
}

// runningWorker is the whole stage, in this process.
type runningWorker struct {
	env    stage.Env
	cancel context.CancelFunc
	done   chan struct{}
}

func startWorker(tb testing.TB, m *bus.Memory, cfg Config) *runningWorker {
	ctx, cancel := context.WithCancel(context.Background())
	r := &runningWorker{cancel: cancel, done: make(chan struct{}), env: stage.Env{
		Bus: m.Join(newSpace(tb), quiet), Log: quiet, Metrics: stage.NewMetrics("reqworker"), Limits: limits.Default(),
		Policy: policy.Policy{PrivateKinds: privateKinds}, Version: "test",
	}}
	go func() {
		defer close(r.done)
		if err := Run(ctx, cfg, r.env); err != nil {
			tb.Error(err)
		}
	}()
	return r
}

func (r *runningWorker) stop() {
	r.cancel()
	<-r.done
}
