package writer

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/protobuf/proto"

	"rhea/proto/bus"
	"rhea/proto/limits"
	"rhea/proto/nostr"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
	"rhea/proto/stage"
	"rhea/proto/subject"
)

// patience bounds every wait of the tests, which end long before unless
// something is wrong.
const patience = 20 * time.Second

// world is a memory bus with the test on it as ingester, gateway, follower of
// the log and reqworker.
type world struct {
	t      testing.TB
	mem    *bus.Memory
	space  subject.Space
	bus    *bus.Bus
	roster *bus.Roster // looks on
	outbox *bus.Outbox
	out    *bus.Inbox[*relaypb.OutInbox]
	log    *bus.Inbox[*relaypb.LogInbox]
	num    uint64

	verdicts []*relaypb.Verdict // received and not yet taken by verdict
}

// running is a writer.
type running struct {
	*writer
	bus     *bus.Bus
	metrics *stage.Metrics
	stop    func()
}

func newWorld(t testing.TB) *world {
	space, err := subject.New("test", 1)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, mem: bus.NewMemory(), space: space}
	w.bus = w.mem.Join(space, slog.New(slog.DiscardHandler))
	w.outbox = w.bus.NewOutbox()
	w.out = bus.Listen(w.bus, func() *relaypb.OutInbox { return new(relaypb.OutInbox) }, 0)
	w.log = bus.Listen(w.bus, func() *relaypb.LogInbox { return new(relaypb.LogInbox) }, 0)
	w.roster = bus.NewRoster(w.bus, "", "test", nil)
	for _, err := range []error{w.out.Add(space.Out(w.bus.Instance)), w.log.Add(space.Log())} {
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.roster.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return w
}

// idle makes a writer on fs that does not run yet.
func (w *world) idle(cfg Config, fs vfs.FS) *running {
	r := &running{bus: w.mem.Join(w.space, slog.New(slog.DiscardHandler)), metrics: stage.NewMetrics("writer")}
	r.writer = newWriter(cfg, stage.Env{
		Bus: r.bus, Log: slog.New(slog.DiscardHandler), Metrics: r.metrics, Limits: limits.Default(), Policy: policy.Default(), Version: "test",
	}, fs)
	return r
}

// launch runs a writer on fs and returns without waiting for anything.
func (w *world) launch(ctx context.Context, cfg Config, fs vfs.FS) (*running, <-chan error) {
	r := w.idle(cfg, fs)
	ended := make(chan error, 1)
	go func() { ended <- r.run(ctx) }()
	return r, ended
}

// start runs a writer on fs and returns when it serves.
func (w *world) start(cfg Config, fs vfs.FS) *running {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, ended := w.launch(ctx, cfg, fs)
	r.stop = func() {
		w.t.Helper()
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("the writer ended with %v", err)
		}
	}
	changes, late := w.roster.Changes(), time.After(patience)
	for {
		if m := w.roster.View().Member(r.bus.Instance); m != nil && m.Store != 0 {
			return r
		}
		select {
		case <-changes:
		case err := <-ended:
			w.t.Fatalf("the writer ended with %v", err)
		case <-late:
			w.t.Fatal("the writer does not serve")
		}
	}
}

// memConfig is for stores in memory.
func memConfig() Config {
	cfg := DefaultConfig()
	cfg.Dir, cfg.Cache, cfg.MemTable = "store", 1<<20, 1<<20
	return cfg
}

// admittedOf is what an ingester makes of an event.
func admittedOf(e *nostr.Event) *relaypb.Admitted {
	return &relaypb.Admitted{Header: nostr.AppendHeader(nil, e), Json: e.AppendJSON(nil)}
}

// admit sends an event with the next flush and returns its number.
func (w *world) admit(a *relaypb.Admitted) uint64 {
	w.num++
	a.Conn, a.Num = uint64(subject.MakeConnID(w.bus.Instance, 1)), w.num
	w.send(w.space.Write(), &relaypb.WriteInbox{Body: &relaypb.WriteInbox_Admitted{Admitted: a}})
	return w.num
}

func (w *world) send(subj string, m proto.Message) {
	w.t.Helper()
	if err := w.outbox.Send(subj, m); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) flush() {
	w.t.Helper()
	if err := w.outbox.Flush(); err != nil {
		w.t.Fatal(err)
	}
}

// verdict waits for the next verdict.
func (w *world) verdict() *relaypb.Verdict {
	w.t.Helper()
	late := time.After(patience)
	for len(w.verdicts) == 0 {
		select {
		case msg := <-w.out.C():
			w.out.Each(msg, func(m *relaypb.OutInbox) { w.verdicts = append(w.verdicts, m.GetVerdict()) })
		case <-late:
			w.t.Fatal("no verdict")
		}
	}
	v := w.verdicts[0]
	w.verdicts = w.verdicts[1:]
	return v
}

// published returns the entries that the log inbox holds.
func (w *world) published() []*relaypb.Entries {
	var all []*relaypb.Entries
	for w.log.Waiting() > 0 {
		w.log.Each(<-w.log.C(), func(m *relaypb.LogInbox) { all = append(all, m.GetEntries()) })
	}
	return all
}

// scan asks for a slice.
func (w *world) scan(ask *relaypb.Scan) *relaypb.ScanReply {
	w.t.Helper()
	reply := new(relaypb.ScanReply)
	w.request(w.space.Scan(), &relaypb.ScanInbox{Body: &relaypb.ScanInbox_Scan{Scan: ask}}, reply)
	return reply
}

// fetch asks for a range of the log.
func (w *world) fetch(from uint64, maxBytes uint32) *relaypb.Entries {
	w.t.Helper()
	reply := new(relaypb.LogInbox)
	w.request(w.space.LogFetch(), &relaypb.LogFetch{From: from, MaxBytes: maxBytes}, reply)
	return reply.GetEntries()
}

func (w *world) request(subj string, m, reply proto.Message) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := w.bus.Request(ctx, subj, m, reply); err != nil {
		w.t.Fatal(err)
	}
}

// all returns what a query matches, slice by slice, and in how many.
func (w *world) all(filters string, maxBytes uint32) (events [][]byte, slices int) {
	w.t.Helper()
	ask := &relaypb.Scan{Filters: []byte(filters), MaxBytes: maxBytes, Everything: true}
	for {
		reply := w.scan(ask)
		if reply.Error != "" {
			w.t.Fatalf("scan: %s", reply.Error)
		}
		slices++
		events = append(events, reply.Events...)
		if reply.Done {
			return events, slices
		}
		ask.Cursor, ask.AsOf = reply.Cursor, reply.AsOf
	}
}

// eventually waits until a condition holds that nothing announces.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	late := time.After(patience)
	for !holds() {
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("never: %s", what)
		}
	}
}
