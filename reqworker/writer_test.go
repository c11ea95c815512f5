package reqworker

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rhea/proto/bus"
	"rhea/proto/limits"
	"rhea/proto/relaypb"
	"rhea/proto/stage"
	"rhea/proto/subject"
)

// mortal answers nothing until it is brought to life.
type mortal struct {
	mu    sync.Mutex
	alive bool
	asked int
}

func (m *mortal) Scan(ctx context.Context, _ *relaypb.Scan) (*relaypb.ScanReply, error) {
	m.mu.Lock()
	m.asked++
	alive := m.alive
	m.mu.Unlock()
	if alive {
		return &relaypb.ScanReply{AsOf: 7, Done: true}, nil
	}
	<-ctx.Done() // as a request whose receiver has died
	return nil, ctx.Err()
}

// A gateway hears as soon as another writer serves that a slice the dead one was
// asked for will not come, not when the request has timed out, and has the query go
// on there.
func TestNextWriterIsAskedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := bus.NewMemory()
		store := &mortal{}
		defer serveStore(m.Join(newSpace(t), quiet), store)()
		var wg sync.WaitGroup
		defer wg.Wait()
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		wb := m.Join(newSpace(t), quiet)
		wg.Go(func() {
			Run(ctx, DefaultConfig(), stage.Env{Bus: wb, Log: quiet, Metrics: stage.NewMetrics("reqworker"), Limits: limits.Default()})
		})
		gb := m.Join(newSpace(t), quiet)
		gateway := bus.NewRoster(gb, subject.Gateway, "", nil)
		wg.Go(func() { gateway.Run(ctx) })
		inbox := bus.Listen(gb, func() *relaypb.OutInbox { return new(relaypb.OutInbox) }, 0)
		inbox.Add(gb.Space.Out(gb.Instance))
		writer := func() context.CancelFunc {
			ctx, die := context.WithCancel(ctx)
			r := bus.NewRoster(m.Join(newSpace(t), quiet), subject.Writer, "", func(m *relaypb.Member) { m.Store = 5 })
			wg.Go(func() { r.Run(ctx) })
			return die
		}
		die := writer()
		time.Sleep(time.Second)
		conn := subject.MakeConnID(gb.Instance, 1)
		query := func(num uint64) {
			gb.Publish(gb.Space.Req(gb.Space.ShardOf(conn)), &relaypb.ReqInbox{Body: &relaypb.ReqInbox_Query{
				Query: &relaypb.Query{Conn: uint64(conn), Num: num, Filters: []byte("{}"), Granted: 1 << 20}}})
		}
		query(1)
		synctest.Wait()
		if store.asked != 1 {
			t.Fatalf("asked %d times", store.asked)
		}
		die()
		synctest.Wait()
		store.mu.Lock()
		store.alive = true
		store.mu.Unlock()
		begin := time.Now()
		writer()
		inbox.Each(<-inbox.C(), func(m *relaypb.OutInbox) {
			if p := m.GetPart(); p == nil || p.Num != 1 || p.Index != noPart {
				t.Errorf("got %v, want a hole in the parts", m)
			}
		})
		query(2)
		inbox.Each(<-inbox.C(), func(m *relaypb.OutInbox) {
			if p := m.GetPart(); p == nil || p.Num != 2 || !p.Eose || p.AsOf != 7 {
				t.Errorf("got %v", m)
			}
		})
		if waited := time.Since(begin); waited > 10*time.Millisecond { // of the bubble's time
			t.Errorf("the answer came %v after the writer", waited)
		}
	})
}
