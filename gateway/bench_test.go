package gateway

import (
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"rhea/proto/limits"
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
		cn := &conn{id: id, socket: socket{wire: w, hub: h}}
		c.Open(cn, nil)
		c.subscribe(cn, "subscription", []byte(`{"kinds":[1]}`))
		c.part(&relaypb.Part{Num: cn.subs[0].num, Worker: 2, AsOf: 1, Eose: true})
		nums = append(nums, cn.subs[0].num)
	}
	c.deliveries(&relaypb.Deliveries{Monitor: 3, Number: 1, Upto: 1, Watching: nums})
	return c, on, nums, clients
}

// BenchmarkDeliver delivers one event of 700 bytes to each of n sockets a time;
// the clients' end of reading is in the figure.
func BenchmarkDeliver(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c, on, nums, clients := liveCore(b, n)
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
			json := []byte(strings.Repeat("x", 700))
			seq := uint64(1)
			size := int64(0)
			b.ResetTimer()
			for range b.N {
				seq++
				c.deliveries(&relaypb.Deliveries{Monitor: 3, Number: seq, Upto: seq, Events: []*relaypb.Delivery{{Seq: seq, Json: json, Nums: nums}}})
				c.Flush()
				size += int64(n) * int64(len(json)+4+len(`["EVENT","subscription",]`))
				on.each(c.Signal)
				for got.Load() < size-int64(n)*4*700 {
					runtime.Gosched()
				}
			}
			b.StopTimer()
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/delivery")
			for _, cn := range c.conns {
				c.kill(cn, "over")
			}
			c.Flush()
			readers.Wait()
		})
	}
}
