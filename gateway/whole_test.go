package gateway

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"go.uber.org/goleak"

	"rhea/proto/limits"
	"rhea/proto/stage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// overBoth runs a test over each of the networks that there are.
func overBoth(t *testing.T, test func(*testing.T, *world)) {
	for _, goroutines := range []bool{false, true} {
		t.Run(map[bool]string{false: "polled", true: "goroutines"}[goroutines], func(t *testing.T) {
			w := newWorld(t)
			w.goroutines = goroutines
			test(t, w)
		})
	}
}

// startGateway runs the stage until the test ends, and returns its address.
func (w *world) startGateway(change func(*Config, *limits.Limits)) (address string, m *stage.Metrics, stop func()) {
	w.t.Helper()
	cfg, lim := DefaultConfig(), limits.Default()
	cfg.Listen, cfg.Goroutines = "127.0.0.1:0", w.goroutines
	if change != nil {
		change(&cfg, &lim)
	}
	ready := make(chan net.Addr, 1)
	cfg.Ready = func(a net.Addr) { ready <- a }
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	m = stage.NewMetrics("gateway")
	go func() {
		ended <- Run(ctx, cfg, stage.Env{Bus: w.mem.Join(w.space, w.log), Log: w.log, Metrics: m, Limits: lim, Policy: w.policy, Version: "test"})
	}()
	stopped := false
	stop = func() {
		if cancel(); !stopped {
			stopped = true
			if err := <-ended; err != nil {
				w.t.Error(err)
			}
		}
	}
	w.t.Cleanup(stop)
	select {
	case a := <-ready:
		return a.String(), m, stop
	case err := <-ended:
		w.t.Fatal(err)
		return "", nil, nil
	}
}

// client is a WebSocket client that reads and writes text.
type client struct {
	t  *testing.T
	nc net.Conn
	rd *bufio.Reader
}

// patience is how long a test waits for what must come; it decides nothing else.
const patience = 20 * time.Second

func deadline() time.Time { return time.Now().Add(patience) }

// wait polls a metric: counters are all that shows from outside.
func wait(t *testing.T, m *stage.Metrics, name string, ok func(float64) bool) {
	t.Helper()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for end := deadline(); !ok(m.Snapshot()[name]); <-poll.C {
		if time.Now().After(end) {
			t.Fatalf("%s stays %v", name, m.Snapshot()[name])
		}
	}
}

func dial(t *testing.T, address string) *client {
	t.Helper()
	nc, rd, _, err := ws.Dial(context.Background(), "ws://"+address+"/")
	if err != nil {
		t.Fatal(err)
	}
	if rd == nil {
		rd = bufio.NewReader(nc)
	}
	t.Cleanup(func() { nc.Close() })
	return &client{t, nc, rd}
}

// Read and Write make a client what wsutil reads from, and answers pings to.
func (c *client) Read(b []byte) (int, error)  { return c.rd.Read(b) }
func (c *client) Write(b []byte) (int, error) { return c.nc.Write(b) }

func (c *client) say(format string, args ...any) {
	c.t.Helper()
	if err := wsutil.WriteClientText(c.nc, fmt.Appendf(nil, format, args...)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) hear() string {
	c.t.Helper()
	_ = c.nc.SetReadDeadline(deadline())
	b, err := wsutil.ReadServerText(c)
	if err != nil {
		c.t.Fatalf("nothing to hear: %v", err)
	}
	return string(b)
}

func (c *client) want(text string) {
	c.t.Helper()
	if got := c.hear(); got != text {
		c.t.Fatalf("heard %s\nwant  %s", cutText(got), cutText(text))
	}
}

func cutText(s string) string {
	if len(s) > 300 {
		return s[:300] + "…"
	}
	return s
}

func testEvent(id, kind int, content string) string {
	return fmt.Sprintf(`{"id":"%064x","kind":%d,"content":"%s"}`, id, kind, content)
}

func TestEndToEnd(t *testing.T) { overBoth(t, endToEnd) }

func endToEnd(t *testing.T, w *world) {
	w.startIngester()
	w.startReqworker()
	w.startMonitor()
	address, m, stop := w.startGateway(nil)
	a, b := dial(t, address), dial(t, address)

	a.say(`["EVENT",%s]`, testEvent(1, 1, "one"))
	a.want(fmt.Sprintf(`["OK","%064x",true,""]`, 1))
	a.say(`["EVENT",%s]`, testEvent(1, 1, "one"))
	a.want(fmt.Sprintf(`["OK","%064x",true,"duplicate: have it"]`, 1))
	a.say(`["EVENT",{"id":"nonsense"}]`)
	a.want(`["OK","nonsense",false,"invalid: not an event"]`)

	b.say(`["REQ","sub",{"kinds":[1]}]`)
	b.want(`["EVENT","sub",` + testEvent(1, 1, "one") + `]`)
	b.want(`["EOSE","sub"]`)
	a.say(`["EVENT",%s]`, testEvent(2, 1, "two"))
	a.want(fmt.Sprintf(`["OK","%064x",true,""]`, 2))
	b.want(`["EVENT","sub",` + testEvent(2, 1, "two") + `]`)

	b.say(`["REQ","sub",{"kinds":[7],"limit":0}]`)
	b.want(`["EOSE","sub"]`)
	a.say(`["EVENT",%s]`, testEvent(3, 1, "three"))
	a.say(`["EVENT",%s]`, testEvent(4, 7, "four"))
	b.want(`["EVENT","sub",` + testEvent(4, 7, "four") + `]`)
	b.say(`["CLOSE","sub"]`)
	b.say(`["REQ","bad",nonsense]`)
	b.want(`["CLOSED","bad","invalid: not a filter"]`)
	b.say(`["REQ","x"]`)
	b.want(`["CLOSED","x","invalid: REQ: too few elements"]`)
	b.say(`["COUNT","sub",{"kinds":[1],"limit":1},{"kinds":[7]}]`)
	b.want(`["COUNT","sub",{"count":4}]`)
	b.say(`["COUNT","bad",nonsense]`)
	b.want(`["CLOSED","bad","invalid: not a filter"]`)
	stop()
	_, _, err := wsutil.ReadServerData(b)
	if closed, ok := err.(wsutil.ClosedError); !ok || closed.Code != ws.StatusGoingAway {
		t.Fatalf("want close code 1001, got %v", err)
	}
	for name, want := range map[string]float64{
		"event_seconds": 6, "query_seconds.first": 2, "query_seconds.eose": 2, "count_seconds": 1, "live_seconds": 2,
	} {
		n, sum := m.Snapshot()[name+".count"], m.Snapshot()[name+".sum"]
		if n != want || sum <= 0 || sum > n*patience.Seconds() {
			t.Errorf("%s has %v times, %v in all, want %v", name, n, sum, want)
		}
	}
}

// TestStagesComeAndGo replaces every process behind the gateway while clients
// publish and listen: each EVENT gets its OK, and each event is heard once.
func TestStagesComeAndGo(t *testing.T) { overBoth(t, stagesComeAndGo) }

func stagesComeAndGo(t *testing.T, w *world) {
	stops := map[string]func(){"ingester": w.startIngester(), "reqworker": w.startReqworker(), "monitor": w.startMonitor()}
	starts := map[string]func() func(){"ingester": w.startIngester, "reqworker": w.startReqworker, "monitor": w.startMonitor}
	address, _, _ := w.startGateway(nil)
	author, hearer := dial(t, address), dial(t, address)
	hearer.say(`["REQ","live",{"kinds":[1]}]`)
	hearer.want(`["EOSE","live"]`)
	n := 0
	for _, name := range []string{"monitor", "ingester", "reqworker", "monitor"} {
		for _, crash := range []bool{false, true} {
			if crash {
				stops[name]()
			}
			next := starts[name]()
			if !crash {
				stops[name]()
			}
			stops[name] = next
			for range 20 {
				author.say(`["EVENT",%s]`, testEvent(n, 1, "x"))
				if got := author.hear(); !strings.HasPrefix(got, fmt.Sprintf(`["OK","%064x",true,`, n)) {
					t.Fatal(got)
				}
				hearer.want(`["EVENT","live",` + testEvent(n, 1, "x") + `]`)
				n++
			}
			author.say(`["REQ","stored",{"kinds":[1]}]`)
			for i := n - 1; i >= 0; i-- {
				author.want(`["EVENT","stored",` + testEvent(i, 1, "x") + `]`)
			}
			author.want(`["EOSE","stored"]`)
			author.say(`["CLOSE","stored"]`)
		}
	}
}
