package ingester

import (
	"context"
	"log/slog"
	"testing"

	"rhea/proto/bus"
	"rhea/proto/limits"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
	"rhea/proto/stage"
	"rhea/proto/subject"
)

// world is a memory bus with ingesters on it, and the test as gateway and writer.
type world struct {
	t      *testing.T
	mem    *bus.Memory
	space  subject.Space
	bus    *bus.Bus // the gateway's
	out    *bus.Inbox[*relaypb.OutInbox]
	write  *bus.Inbox[*relaypb.WriteInbox]
	outbox *bus.Outbox
}

// running is one ingester.
type running struct {
	bus     *bus.Bus
	roster  *bus.Roster
	metrics *stage.Metrics
	stop    func()
}

func newWorld(t *testing.T, shards int) *world {
	space, err := subject.New("test", shards)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, mem: bus.NewMemory(), space: space}
	w.bus = w.mem.Join(space, slog.New(slog.DiscardHandler))
	w.outbox = w.bus.NewOutbox()
	w.out = bus.Listen(w.bus, func() *relaypb.OutInbox { return new(relaypb.OutInbox) }, 0)
	w.write = bus.Listen(w.bus, func() *relaypb.WriteInbox { return new(relaypb.WriteInbox) }, 0)
	for _, err := range []error{w.out.Add(space.Out(w.bus.Instance)), w.write.Add(space.Write())} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// start runs an ingester until stop is called.
func (w *world) start(cfg Config, newVerifier func() verifier) *running {
	r := &running{bus: w.mem.Join(w.space, slog.New(slog.DiscardHandler)), metrics: stage.NewMetrics("ingester")}
	in := newIngester(cfg, stage.Env{
		Bus: r.bus, Log: slog.New(slog.DiscardHandler), Metrics: r.metrics, Limits: limits.Default(), Policy: policy.Default(), Version: "test",
	}, newVerifier)
	r.roster = in.roster
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- in.run(ctx) }()
	r.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("the ingester ended with %v", err)
		}
	}
	return r
}

// conn returns a connection of the test's gateway.
func (w *world) conn(i uint32) subject.ConnID { return subject.MakeConnID(w.bus.Instance, i) }

// event sends a frame, with the next flush.
func (w *world) event(conn subject.ConnID, num uint64, event []byte) {
	w.send(conn, &relaypb.IngestInbox{Body: &relaypb.IngestInbox_Event{Event: &relaypb.EventFrame{Conn: uint64(conn), Num: num, Event: event}}})
}

// send sends a message to the ingester of a connection, with the next flush.
func (w *world) send(conn subject.ConnID, m *relaypb.IngestInbox) {
	if err := w.outbox.Send(w.space.Ingest(w.space.ShardOf(conn)), m); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) flush() {
	if err := w.outbox.Flush(); err != nil {
		w.t.Fatal(err)
	}
}

// admitted returns what the writer has been sent since the last call.
func (w *world) admitted() []*relaypb.Admitted {
	var all []*relaypb.Admitted
	for w.write.Waiting() > 0 {
		w.write.Each(<-w.write.C(), func(m *relaypb.WriteInbox) { all = append(all, m.GetAdmitted()) })
	}
	return all
}

// verdicts returns what the gateway has been sent since the last call.
func (w *world) verdicts() []*relaypb.Verdict {
	var all []*relaypb.Verdict
	for w.out.Waiting() > 0 {
		w.out.Each(<-w.out.C(), func(m *relaypb.OutInbox) { all = append(all, m.GetVerdict()) })
	}
	return all
}
