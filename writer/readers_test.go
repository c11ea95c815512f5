package writer

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"rhea/proto/bus"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/relaypb"
	"rhea/proto/stage"
	"rhea/writer/store"
)

// A request that finds its queue full is answered at once, and those before it
// stay queued.
func TestBusy(t *testing.T) {
	w := newWorld(t)
	st, err := store.Open("store", store.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	// No reader runs, so what is queued stays queued.
	r := &readers{
		bus: w.mem.Join(w.space, slog.New(slog.DiscardHandler)), metrics: newMetrics(stage.NewMetrics("writer")), store: st,
		scans: make(chan request[*relaypb.Scan], 2), fetches: make(chan request[*relaypb.LogFetch], 2),
	}
	scans := bus.Listen(w.bus, func() *relaypb.ScanReply { return new(relaypb.ScanReply) }, 0)
	fetches := bus.Listen(w.bus, func() *relaypb.LogInbox { return new(relaypb.LogInbox) }, 0)
	if err := errors.Join(scans.Add("reply.scan"), fetches.Add("reply.fetch")); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		r.queueScan(&bus.Message{Reply: "reply.scan"}, &relaypb.ScanInbox{Body: &relaypb.ScanInbox_Scan{Scan: &relaypb.Scan{}}})
		r.queueFetch(&bus.Message{Reply: "reply.fetch"}, &relaypb.LogFetch{})
	}
	if len(r.scans) != 2 || len(r.fetches) != 2 || scans.Waiting() != 1 || fetches.Waiting() != 1 {
		t.Fatalf("%d and %d queued, %d and %d answered", len(r.scans), len(r.fetches), scans.Waiting(), fetches.Waiting())
	}
	scans.Each(<-scans.C(), func(m *relaypb.ScanReply) {
		if m.Error != "error: busy" {
			t.Errorf("%v", m)
		}
	})
	fetches.Each(<-fetches.C(), func(m *relaypb.LogInbox) {
		if m.GetEntries().GetError() != "error: busy" {
			t.Errorf("%v", m)
		}
	})
	if s, f := r.metrics.busyScans.Value(), r.metrics.busyFetches.Value(); s != 1 || f != 1 {
		t.Errorf("%d and %d counted", s, f)
	}
}

// Whoever asks around the stop has an answer, or learns that nobody listens; no
// request is left to its time-out.
func TestRequestsAroundTheStop(t *testing.T) {
	w := newWorld(t)
	r := w.start(memConfig(), vfs.NewMem())
	for _, e := range nostrtest.Events(t)[:200] {
		w.admit(admittedOf(e))
	}
	w.flush()
	for range 200 {
		w.verdict()
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	served := make(chan struct{}, 1)
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			for {
				reply := new(relaypb.ScanReply)
				err := w.bus.Request(ctx, w.space.Scan(), &relaypb.ScanInbox{Body: &relaypb.ScanInbox_Scan{Scan: &relaypb.Scan{Filters: []byte(`{}`)}}}, reply)
				if errors.Is(err, bus.ErrNobody) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				if reply.Error != "" && reply.Error != "error: the writer is stopping" {
					t.Errorf("%v", reply)
				}
				select {
				case served <- struct{}{}:
				default:
				}
			}
		})
	}
	<-served
	r.stop()
	asking.Wait()
}
