package monitor

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"rhea/proto/bus"
	"rhea/proto/limits"
	"rhea/proto/nostr"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
	"rhea/proto/stage"
	"rhea/proto/subject"
)

func newSpace(t *testing.T) subject.Space {
	s, err := subject.New("test", 16)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var quiet = slog.New(slog.DiscardHandler)

// fakeWriter speaks the writer's part of the log over a list of entries: it
// publishes what is appended, losing some of it, and serves ranges.
type fakeWriter struct {
	bus     *bus.Bus
	roster  *bus.Roster
	fetches *bus.Inbox[*relaypb.LogFetch]
	entries []*relaypb.Entry
	head    atomic.Uint64
	lost    int
	lossy   bool
	rng     *rand.Rand
}

func newFakeWriter(t *testing.T, m *bus.Memory, entries []*relaypb.Entry, rng *rand.Rand) *fakeWriter {
	w := &fakeWriter{bus: m.Join(newSpace(t), quiet), entries: entries, rng: rng}
	w.roster = bus.NewRoster(w.bus, subject.Writer, "", func(m *relaypb.Member) { m.Seq, m.Store = w.head.Load(), 1 })
	w.fetches = bus.Listen(w.bus, func() *relaypb.LogFetch { return new(relaypb.LogFetch) }, 0)
	if err := w.fetches.Add(w.bus.Space.LogFetch()); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *fakeWriter) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			w.fetches.Close()
			return
		case msg := <-w.fetches.C():
			w.fetches.Each(msg, func(f *relaypb.LogFetch) { w.bus.Reply(msg, w.slice(f.From, int(f.MaxBytes))) })
		}
	}
}

// slice serves a range; it never returns more than 300 Seqs.
func (w *fakeWriter) slice(from uint64, maxBytes int) *relaypb.LogInbox {
	head := w.head.Load()
	from = min(from, head+1)
	e := between(w.entries, from, min(from+300, head+1))
	for i, size := 0, 0; i < len(e.Entries); i++ {
		if size += len(e.Entries[i].Json); size > maxBytes {
			e.Next = e.Entries[i].Seq + 1
			e.Entries = e.Entries[:i+1]
		}
	}
	e.Head = head
	return &relaypb.LogInbox{Body: &relaypb.LogInbox_Entries{Entries: e}}
}

// commit appends the next n Seqs to the log.
func (w *fakeWriter) commit(n uint64) {
	from := w.head.Load() + 1
	next := min(from+n, w.entries[len(w.entries)-1].Seq+1)
	w.head.Store(next - 1)
	if w.lossy && w.rng.IntN(5) == 0 {
		w.lost++
		return
	}
	e := between(w.entries, from, next)
	e.Head = next - 1
	w.bus.Publish(w.bus.Space.Log(), &relaypb.LogInbox{Body: &relaypb.LogInbox_Entries{Entries: e}})
}

// fakeGateway speaks a gateway's part in live subscriptions, as the design says,
// and loses some of what it is sent.
type fakeGateway struct {
	t       *testing.T
	bus     *bus.Bus
	roster  *bus.Roster
	inbox   *bus.Inbox[*relaypb.OutInbox]
	outbox  *bus.Outbox
	do      chan func() // what the test asks for, done in the loop
	lossy   bool
	rng     *rand.Rand
	entries []*relaypb.Entry // the whole log

	num    uint64
	byNum  map[uint64]*sub
	subs   []*sub
	number map[subject.Instance]uint64
	upto   map[subject.Instance]uint64
	gaps   int
}

type sub struct {
	client
	conn      subject.ConnID
	seen      uint64
	owner     subject.Instance
	confirmed bool
	asked     time.Time
}

func newFakeGateway(t *testing.T, m *bus.Memory, entries []*relaypb.Entry, rng *rand.Rand) *fakeGateway {
	b := m.Join(newSpace(t), quiet)
	g := &fakeGateway{
		t: t, bus: b, entries: entries, roster: bus.NewRoster(b, subject.Gateway, "", nil), outbox: b.NewOutbox(), do: make(chan func()), rng: rng,
		byNum: map[uint64]*sub{}, number: map[subject.Instance]uint64{}, upto: map[subject.Instance]uint64{},
		inbox: bus.Listen(b, func() *relaypb.OutInbox { return new(relaypb.OutInbox) }, 0),
	}
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
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	defer g.inbox.Close()
	for {
		select {
		case <-ctx.Done():
			return
		case f := <-g.do:
			f()
		case <-changes:
			g.reroute()
		case <-tick.C:
			for _, s := range g.subs {
				if !s.confirmed && time.Since(s.asked) > 2*time.Second && s.until == 0 {
					g.register(s)
				}
			}
		case msg := <-g.inbox.C():
			g.inbox.Each(msg, func(m *relaypb.OutInbox) {
				if d := m.GetDeliveries(); d != nil && !(g.lossy && g.rng.IntN(30) == 0) {
					if n := proto.Size(d); n > bus.MaxMessage {
						g.t.Errorf("deliveries of %d bytes", n)
					}
					g.take(d)
				}
			})
		}
		g.outbox.Flush()
	}
}

func (g *fakeGateway) reroute() {
	for _, s := range g.subs {
		if owner := g.owner(s); s.until == 0 && owner != 0 && owner != s.owner {
			g.register(s)
		}
	}
}

func (g *fakeGateway) owner(s *sub) subject.Instance {
	return g.roster.View().Owner(subject.Monitor, g.bus.Space.ShardOf(s.conn))
}

// register asks for a subscription under a new number, from where it has come to.
func (g *fakeGateway) register(s *sub) {
	after := s.seen
	if s.confirmed {
		after = max(after, g.upto[s.owner])
	}
	delete(g.byNum, s.num)
	g.num++
	s.num, s.owner, s.confirmed, s.asked = g.num, g.owner(s), false, time.Now()
	g.byNum[s.num] = s
	m := watchOf(&client{filters: s.filters, keys: s.keys, after: after}, s.num)
	m.GetWatch().Conn = uint64(s.conn)
	g.outbox.Send(g.bus.Space.Sub(g.bus.Space.ShardOf(s.conn)), m)
}

func (g *fakeGateway) open(conn uint32, filters []nostr.Filter, keys [][]byte, after uint64) {
	s := &sub{client: client{filters: filters, keys: keys, after: after}, conn: subject.MakeConnID(g.bus.Instance, conn), seen: after}
	g.subs = append(g.subs, s)
	g.register(s)
}

func (g *fakeGateway) close(s *sub, position uint64) {
	s.until = position
	delete(g.byNum, s.num)
	g.outbox.Send(g.bus.Space.Sub(g.bus.Space.ShardOf(s.conn)), &relaypb.SubInbox{Body: &relaypb.SubInbox_Unwatch{
		Unwatch: &relaypb.Unwatch{Conn: uint64(s.conn), Num: s.num}}})
}

func (g *fakeGateway) take(d *relaypb.Deliveries) {
	from := subject.Instance(d.Monitor)
	expected := g.number[from] + 1
	g.number[from] = d.Number
	if d.Number != expected {
		g.gaps++
		for _, s := range g.subs {
			if s.until == 0 && s.owner == from {
				g.register(s)
			}
		}
	}
	for _, e := range d.Events {
		if expired(g.entries, e.Seq, time.Now().Unix()) {
			g.t.Errorf("event %d came although it has expired", e.Seq)
		}
		for _, num := range e.Nums {
			// While a shard changes hands two monitors can have a watch. Each may lose
			// what the other delivers, so only the one that was asked counts.
			s := g.byNum[num]
			if s == nil || s.owner != from {
				continue
			}
			if e.Seq > s.seen {
				s.got = append(s.got, e.Seq)
				s.seen = e.Seq
			}
		}
	}
	for _, num := range d.Watching {
		if s := g.byNum[num]; s != nil && s.owner == from {
			s.confirmed = true
		}
	}
	g.upto[from] = d.Upto
}

// runningMonitor is the whole stage, in this process.
type runningMonitor struct {
	env    stage.Env
	cancel context.CancelFunc
	done   chan struct{}
}

func startMonitor(t *testing.T, m *bus.Memory, cfg Config) *runningMonitor {
	ctx, cancel := context.WithCancel(context.Background())
	r := &runningMonitor{cancel: cancel, done: make(chan struct{}), env: stage.Env{
		Bus: m.Join(newSpace(t), quiet), Log: quiet, Metrics: stage.NewMetrics("monitor"), Limits: limits.Default(),
		Policy: policy.Policy{PrivateKinds: privateKinds}, Version: "test",
	}}
	go func() {
		defer close(r.done)
		if err := Run(ctx, cfg, r.env); err != nil {
			t.Error(err)
		}
	}()
	return r
}

func (r *runningMonitor) stop() {
	r.cancel()
	<-r.done
}
