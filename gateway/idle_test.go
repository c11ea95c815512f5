package gateway

import (
	"fmt"
	"log/slog"
	"runtime"
	"testing"
	"time"
	"unique"

	"rhea/proto/limits"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
	"rhea/proto/stage"
	"rhea/proto/subject"
)

// TestIdleConnections weighs connections with one live subscription each, when they have
// just been sent a ping. The bound is a little more than what they take, with 99 bytes of
// filters and a place in the maps: whoever adds to them learns what it costs.
func TestIdleConnections(t *testing.T) {
	const conns, most = 10_000, 560
	space, err := subject.New("rhea", 1)
	if err != nil {
		t.Fatal(err)
	}
	cfg, lim, now := DefaultConfig(), limits.Default(), time.Unix(1_700_000_000, 0)
	h := newHub(newMetrics(stage.NewMetrics("gateway")), slog.New(slog.DiscardHandler), limitsOfSockets(&cfg, &lim))
	c := newCore(space, 1, rules{config: &cfg, limits: &lim, policy: &policy.Policy{}}, nowhere{}, h, now)
	c.HandleRoster(testView{
		owners:  map[subject.Stage]subject.Instance{subject.Reqworker: 2, subject.Monitor: 3},
		members: map[subject.Stage][]*relaypb.Member{subject.Monitor: {{Instance: 3}}}})
	tick := func() {
		now = now.Add(tickEvery)
		c.Tick(now)
		c.Resume()
		c.Flush()
	}
	before, number := heapInUse(), uint64(0)
	for i := range uint32(conns) {
		cn := &conn{id: subject.MakeConnID(1, i), host: unique.Make("relay.example.org"), socket: socket{wire: new(stillWire)}}
		req := fmt.Sprintf(`["REQ","s",{"authors":["%064x"],"kinds":[1],"limit":0}]`, i)
		c.Open(cn, raw(fin|textOp, []byte(req)))
		s := cn.subs[0]
		c.part(&relaypb.Part{Num: s.num, Worker: 2, AsOf: 1, Eose: true})
		c.WatchFresh()
		number++
		c.deliveries(&relaypb.Deliveries{Monitor: 3, Number: number, Upto: 1, Watching: []uint64{s.num}})
		if i%100 == 0 { // 1,000 come in a second
			tick()
		}
	}
	for range c.config.PingInterval / tickEvery {
		tick()
	}
	each := float64(heapInUse()-before) / conns
	if len(c.conns) != conns || len(c.subs) != conns || c.watching.Used() != 0 {
		t.Fatalf("%d connections, %d subscriptions, %d bytes that are not watched", len(c.conns), len(c.subs), c.watching.Used())
	}
	t.Logf("%.0f bytes a connection", each)
	if each > most {
		t.Errorf("an idle connection takes %.0f bytes, want at most %d", each, most)
	}
	runtime.KeepAlive(c)
}

// heapInUse is what is on the heap, without garbage.
func heapInUse() int64 {
	runtime.GC()
	runtime.GC() // what the first one has put in order to be finalised
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// stillWire is as large as a polled one; its client says nothing.
type stillWire struct{ _ [3]uint64 }

func (*stillWire) read([]byte) (int, error)    { return 0, errWait }
func (*stillWire) write(b []byte) (int, error) { return len(b), nil }
func (*stillWire) want(bool, bool) error       { return nil }
func (*stillWire) shut()                       {}
func (*stillWire) close(bool)                  {}
