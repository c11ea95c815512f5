package monitor

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"rhea/proto/bus"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Monitors come and go, messages of the log and deliveries are lost, the window
// is small, and subscriptions begin anywhere in the log: every subscription gets
// what a loop over the log finds for it and its keys may see, once, in order, but
// for what has expired.
func TestNothingIsLostOrRepeated(t *testing.T) {
	for range 3 {
		seed := rand.Uint64()
		entries, events := realLog(t, rand.New(rand.NewPCG(seed, 1)))
		begin := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // of the bubble
		expiring(entries, rand.New(rand.NewPCG(seed, 1)), begin.Unix(), 120)
		synctest.Test(t, func(t *testing.T) {
			t.Logf("seed %d", seed)
			r := rand.New(rand.NewPCG(seed, 0))
			gen := nostrtest.NewFilterGen(seed, events)
			m := bus.NewMemory()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var running sync.WaitGroup
			w := newFakeWriter(t, m, entries, r)
			w.lossy = true
			w.head.Store(100)
			running.Go(func() { w.run(ctx) })
			running.Go(func() { w.roster.Run(ctx) })
			var gateways []*fakeGateway
			for i := range uint64(2) {
				g := newFakeGateway(t, m, entries, rand.New(rand.NewPCG(seed, 2+i)))
				g.lossy = true
				gateways = append(gateways, g)
				running.Go(func() { g.run(ctx) })
				running.Go(func() { g.roster.Run(ctx) })
			}
			cfg := Config{WindowBytes: 128 << 10, WindowEntries: 100, MaxWatches: 10_000, MaxFilterBytes: 1 << 30}
			monitors := []*runningMonitor{startMonitor(t, m, cfg)}

			last := entries[len(entries)-1].Seq
			for w.head.Load() < last {
				w.commit(r.Uint64N(8))
				g := gateways[r.IntN(2)]
				switch r.IntN(12) {
				case 0, 1, 2, 3:
					filters, keys, after := gen.Filters(), someKeys(r, events), w.head.Load()
					if r.IntN(3) == 0 {
						after = r.Uint64N(after)
					}
					g.in(func() { g.open(uint32(r.IntN(50)), filters, keys, after) })
				case 4:
					g.in(func() {
						if len(g.subs) > 0 {
							if s := g.subs[r.IntN(len(g.subs))]; s.until == 0 {
								g.close(s, w.head.Load())
							}
						}
					})
				case 5:
					if r.IntN(5) == 0 && len(monitors) < 3 {
						monitors = append(monitors, startMonitor(t, m, cfg))
					}
				case 6:
					if r.IntN(5) == 0 && len(monitors) > 0 {
						i := r.IntN(len(monitors))
						monitors[i].cancel()
						old := monitors[i]
						running.Go(func() { <-old.done })
						monitors = slices.Delete(monitors, i, i+1)
					}
				}
				time.Sleep(time.Duration(r.IntN(200)) * time.Millisecond)
			}
			w.lossy = false
			if len(monitors) == 0 {
				monitors = append(monitors, startMonitor(t, m, cfg))
			}
			for _, g := range gateways {
				g.in(func() { g.lossy = false })
			}
			time.Sleep(time.Minute)
			for _, mo := range monitors {
				mo.stop()
			}
			cancel()
			running.Wait()

			received, gaps := 0, 0
			for _, g := range gateways {
				for i, s := range g.subs {
					want := less(s.wanted(entries, last), s.got, entries, time.Now().Unix())
					if s.until == 0 && !slices.Equal(s.got, want) ||
						s.until != 0 && (len(s.got) > len(want) || !slices.Equal(s.got, want[:len(s.got)])) {
						t.Errorf("sub %d after %d until %d: %s", i, s.after, s.until, difference(s.got, want))
					}
					received += len(s.got)
				}
				gaps += g.gaps
			}
			t.Logf("%d deliveries, %d gaps, %d log messages lost", received, gaps, w.lost)
			if received < 1000 || gaps == 0 || w.lost == 0 {
				t.Errorf("%d deliveries, %d gaps, %d log messages lost: the test tests little", received, gaps, w.lost)
			}
		})
	}
}

// Bytes from anybody are counted and hurt nobody.
func TestGarbage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := bus.NewMemory()
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 0))
		mo := startMonitor(t, m, DefaultConfig())
		b := m.Join(newSpace(t), quiet)
		time.Sleep(time.Second)
		for range 200 {
			conn := subject.MakeConnID(subject.Instance(r.Uint32()), r.Uint32())
			subj := b.Space.Sub(b.Space.ShardOf(conn))
			filters := []string{"", "{", `{"kinds":1}`, "{}", `{"ids":[]}`, "[]"}[r.IntN(6)]
			for _, msg := range []*relaypb.SubInbox{
				{}, {Body: &relaypb.SubInbox_Watch{}}, {Body: &relaypb.SubInbox_Unwatch{}},
				{Body: &relaypb.SubInbox_Watch{Watch: &relaypb.Watch{Conn: uint64(conn), Num: r.Uint64(), After: r.Uint64(), Filters: []byte(filters)}}},
				{Body: &relaypb.SubInbox_Unwatch{Unwatch: &relaypb.Unwatch{Conn: uint64(conn), Num: r.Uint64()}}},
			} {
				b.Publish(subj, msg)
			}
			b.Publish(subj, &relaypb.Hello{})
			b.Publish(b.Space.Sub(subject.Shard(r.IntN(16))), &relaypb.Member{Stage: "monitor", Host: "\xf8"[:0], Instance: r.Uint32(), Shards: 4})
			b.Publish(b.Space.Log(), &relaypb.LogInbox{Body: &relaypb.LogInbox_Entries{Entries: &relaypb.Entries{Store: r.Uint64(), From: r.Uint64(), Next: r.Uint64()}}})
		}
		time.Sleep(10 * time.Second)
		if mo.env.Metrics.Snapshot()["garbage"] == 0 {
			t.Error("nothing was counted as garbage")
		}
		if n := mo.env.Metrics.Snapshot()["watches"]; n != 0 {
			t.Errorf("%v watches are left of gateways that do not exist", n)
		}
		mo.stop()
	})
}
