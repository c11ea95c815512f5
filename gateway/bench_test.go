package gateway

import (
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"rhea/gateway/deflate"
	"rhea/proto/limits"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
	"rhea/proto/stage"
	"rhea/proto/subject"
)

type nowhere struct{}

func (nowhere) Send(string, proto.Message) error { return nil }

// liveCore returns a core with n subscriptions, live, each of a connection of its
// own over TCP, and the clients' ends.
func liveCore(b *testing.B, conns int) (c *core, on network, nums []uint64, clients []net.Conn) {
	space, err := subject.New("rhea", 1)
	if err != nil {
		b.Fatal(err)
	}
	cfg, lim := DefaultConfig(), limits.Default()
	h := newHub(newMetrics(stage.NewMetrics("gateway")), slog.New(slog.DiscardHandler), limitsOfSockets(&cfg, &lim))
	on, err = newNetwork()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(on.close)
	c = newCore(space, 1, rules{config: &cfg, limits: &lim, policy: &policy.Policy{Auth: policy.AuthNeeded}}, nowhere{}, h, time.Now())
	c.HandleRoster(testView{
		owners:  map[subject.Stage]subject.Instance{subject.Reqworker: 2, subject.Monitor: 3},
		members: map[subject.Stage][]*relaypb.Member{subject.Monitor: {{Instance: 3}}}})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	for i := range conns {
		far, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		near, err := l.Accept()
		if err != nil {
			b.Fatal(err)
		}
		clients = append(clients, far)
		id := subject.MakeConnID(1, uint32(i))
		w, err := on.attach(near, id)
		if err != nil {
			b.Fatal(err)
		}
		cn := &conn{id: id, socket: socket{wire: w}}
		c.Open(cn, nil)
		c.subscribe(cn, "subscription", []byte(`{"kinds":[1]}`))
		c.part(&relaypb.Part{Num: cn.subs[0].num, Worker: 2, AsOf: 1, Eose: true})
		nums = append(nums, cn.subs[0].num)
	}
	c.WatchFresh()
	c.deliveries(&relaypb.Deliveries{Monitor: 3, Number: 1, Upto: 1, Watching: nums})
	return c, on, nums, clients
}

// BenchmarkDeliver delivers events to each of n sockets, one at a time, each event a
// new one; the clients' end of reading is in the figure.
func BenchmarkDeliver(b *testing.B) {
	for _, n := range []int{100, 1000} {
		for _, mode := range []deflate.Mode{deflate.Off, deflate.Shared, deflate.Message} {
			b.Run(fmt.Sprintf("%d/%s", n, mode), func(b *testing.B) { benchmarkDeliver(b, n, mode) })
		}
	}
}

func benchmarkDeliver(b *testing.B, n int, mode deflate.Mode) {
	c, on, nums, clients := liveCore(b, n)
	c.packing.set(&Config{Deflate: mode, DeflateCache: 8 << 20})
	for _, cn := range c.conns {
		cn.packs = mode != deflate.Off
	}
	var got atomic.Int64
	var readers sync.WaitGroup
	for _, cl := range clients {
		readers.Go(func() {
			buf := make([]byte, 16<<10)
			for {
				k, err := cl.Read(buf)
				if err != nil {
					return
				}
				got.Add(int64(k))
			}
		})
	}
	events := nostrtest.Lines(b)
	seq, before := uint64(1), c.metrics.bytesOut.Value()
	b.ResetTimer()
	for i := range b.N {
		seq++
		json := fmt.Appendf(nil, "%.700s %d", events[i%len(events)], i)
		c.deliveries(&relaypb.Deliveries{Monitor: 3, Number: seq, Upto: seq, Events: []*relaypb.Delivery{{Seq: seq, Json: json, Nums: nums}}})
		c.Flush()
		on.each(c.Signal)
		for got.Load() < int64(c.metrics.bytesOut.Value())-int64(n)*4*700 {
			runtime.Gosched()
		}
	}
	b.StopTimer()
	if delivered := c.metrics.delivered.Value(); int(delivered) != b.N*n {
		b.Fatalf("%v deliveries, want %d", delivered, b.N*n)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/delivery")
	b.ReportMetric(float64(c.metrics.bytesOut.Value()-before)/float64(b.N*n), "wire-B/delivery")
	for _, cn := range c.conns {
		c.kill(cn, "over")
	}
	c.Flush()
	readers.Wait()
}
