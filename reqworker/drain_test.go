package reqworker

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"rhea/proto/bus"
	"rhea/proto/limits"
	"rhea/proto/relaypb"
	"rhea/proto/stage"
	"rhea/proto/subject"
)

// slowReader takes its time for every slice; a query has three.
type slowReader struct{ takes time.Duration }

func (r slowReader) Scan(ctx context.Context, m *relaypb.Scan) (*relaypb.ScanReply, error) {
	select {
	case <-time.After(r.takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	reply := &relaypb.ScanReply{AsOf: 5, Cursor: append(m.Cursor, 'x')}
	if len(reply.Cursor) == 3 {
		reply.Cursor, reply.Done = nil, true
	}
	return reply, nil
}

// A worker that is stopped and has no successor finishes what runs, if that does
// not take long; paused queries are not waited for. With a successor it lets go at
// once, and the query is the successor's to finish.
func TestStop(t *testing.T) {
	for _, c := range []struct {
		name      string
		takes     time.Duration
		granted   uint64
		successor bool
		parts     int
		atMost    time.Duration
	}{
		{"finishes what runs", 100 * time.Millisecond, 1000, false, 3, 350 * time.Millisecond},
		{"not for ever", 400 * time.Millisecond, 1000, false, 2, 1100 * time.Millisecond},
		{"does not wait for clients", 100 * time.Millisecond, 0, false, 0, 0},
		{"hands over", 300 * time.Millisecond, 1000, true, 0, 100 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := bus.NewMemory()
				defer serveStore(m.Join(newSpace(t), quiet), slowReader{c.takes})()
				start := func() (*bus.Bus, func()) {
					ctx, cancel := context.WithCancel(context.Background())
					done := make(chan error, 1)
					b := m.Join(newSpace(t), quiet)
					env := stage.Env{Bus: b, Log: quiet, Metrics: stage.NewMetrics("reqworker"), Limits: limits.Default()}
					go func() { done <- Run(ctx, DefaultConfig(), env) }()
					time.Sleep(time.Second)
					return b, func() {
						cancel()
						if err := <-done; err != nil {
							t.Error(err)
						}
					}
				}
				worker, stop := start()
				g := m.Join(newSpace(t), quiet)
				in := bus.Listen(g, func() *relaypb.OutInbox { return new(relaypb.OutInbox) }, 0)
				if err := in.Add(g.Space.Out(g.Instance)); err != nil {
					t.Fatal(err)
				}
				defer in.Close()
				g.Publish(g.Space.Req(3), &relaypb.ReqInbox{Body: &relaypb.ReqInbox_Query{Query: &relaypb.Query{
					Conn: uint64(subject.MakeConnID(g.Instance, 3)), Num: 1, Filters: []byte(`{}`), Granted: c.granted,
				}}})
				synctest.Wait()
				if c.successor {
					_, stopNext := start()
					defer stopNext()
					for len(in.C()) > 0 {
						<-in.C()
					}
					g.Publish(g.Space.Req(3), &relaypb.ReqInbox{Body: &relaypb.ReqInbox_Query{Query: &relaypb.Query{
						Conn: uint64(subject.MakeConnID(g.Instance, 3)), Num: 2, Filters: []byte(`{}`), Granted: c.granted,
					}}})
					synctest.Wait()
				}
				asked := time.Now()
				stop()
				if took := time.Since(asked); took > c.atMost {
					t.Errorf("stopping took %s", took)
				}
				parts := 0
				for len(in.C()) > 0 {
					in.Each(<-in.C(), func(out *relaypb.OutInbox) {
						if subject.Instance(out.GetPart().GetWorker()) == worker.Instance {
							parts++
						}
					})
				}
				if parts != c.parts {
					t.Errorf("%d parts before the end, want %d", parts, c.parts)
				}
			})
		})
	}
}
