package gateway

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"rhea/proto/bus"
	"rhea/proto/limits"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// wantGoingAway reads on to the close frame.
func (c *client) wantGoingAway() {
	c.t.Helper()
	_ = c.nc.SetReadDeadline(deadline())
	for {
		_, err := wsutil.ReadServerText(c)
		if closed, ok := err.(wsutil.ClosedError); ok && closed.Code == ws.StatusGoingAway {
			return
		}
		if err != nil {
			c.t.Fatalf("want close code 1001, got %v", err)
		}
	}
}

// acquainted waits until n gateways know of each other: one that announces itself at
// its beat has heard what was announced before.
func (w *world) acquainted(n int) {
	w.t.Helper()
	b := w.mem.Join(w.space, w.log)
	defer b.Close()
	inbox := bus.Listen(b, func() *relaypb.Member { return new(relaypb.Member) }, 0)
	defer inbox.Close()
	if err := inbox.Add(w.space.Member(subject.Gateway)); err != nil {
		w.t.Fatal(err)
	}
	const beats = 4 // the first may be out of turn, the second before somebody's first
	heard := make(map[uint32]int)
	for late := time.After(patience); ; {
		select {
		case msg := <-inbox.C():
			inbox.Each(msg, func(m *relaypb.Member) { heard[m.Instance]++ })
		case <-late:
			w.t.Fatalf("gateways announce themselves: %v", heard)
		}
		all := 0
		for _, times := range heard {
			if times >= beats {
				all++
			}
		}
		if all == n {
			return
		}
	}
}

// TestHandOver has a second gateway take over the address while clients of the first
// publish without waiting: the first sends them away, each EVENT that it reads has its
// OK true before, and nobody who comes meanwhile is turned away.
func TestHandOver(t *testing.T) { overBoth(t, handOver) }

func handOver(t *testing.T, w *world) {
	w.startIngester()
	w.startReqworker()
	w.startMonitor()
	shared := func(address string) func(*Config, *limits.Limits) {
		return func(c *Config, _ *limits.Limits) {
			c.ReusePort, c.LeaveOver = true, 2*time.Second
			if address != "" {
				c.Listen = address
			}
		}
	}
	address, _, stop := w.startGateway(shared(""))
	var clients []*client
	for range 5 {
		clients = append(clients, dial(t, address))
	}
	reader := dial(t, address)
	reader.say(`["REQ","live",{"kinds":[1]}]`)
	reader.want(`["EOSE","live"]`)
	w.startGateway(shared(address))
	w.acquainted(2)

	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	oks := make(chan int)
	for i, c := range clients {
		go func() { oks <- c.publishUntilSent(100_000 * i) }()
	}
	answered := 0
	for left := len(clients); left > 0; {
		select {
		case n := <-oks:
			answered += n
			left--
		case <-time.After(10 * time.Millisecond):
			if err := visit(address); err != nil {
				t.Fatal("a newcomer: ", err)
			}
		}
	}
	if answered < 50 {
		t.Errorf("%d EVENTs were answered while the clients were sent away", answered)
	}
	reader.wantGoingAway()
	<-stopped
	again := dial(t, address)
	again.say(`["EVENT",%s]`, testEvent(1_000_000, 1, "x"))
	again.want(fmt.Sprintf(`["OK","%064x",true,""]`, 1_000_000))
}

// publishUntilSent publishes events without waiting for their OKs, until it is sent
// away. It returns how many OKs came, all of them OK true and in order.
func (c *client) publishUntilSent(first int) (oks int) {
	go func() {
		pause := time.NewTicker(time.Millisecond)
		defer pause.Stop()
		for i := first; ; i++ {
			if wsutil.WriteClientText(c.nc, fmt.Appendf(nil, `["EVENT",%s]`, testEvent(i, 1, "x"))) != nil {
				return
			}
			<-pause.C
		}
	}()
	_ = c.nc.SetReadDeadline(deadline())
	for {
		b, err := wsutil.ReadServerText(c)
		if closed, ok := err.(wsutil.ClosedError); ok && closed.Code == ws.StatusGoingAway {
			return oks
		}
		if want := fmt.Sprintf(`["OK","%064x",true,""]`, first+oks); err != nil || string(b) != want {
			c.t.Errorf("heard %s, %v\nwant %s", cutText(string(b)), err, want)
			return oks
		}
		oks++
	}
}

// visit asks for the relay's information on a connection of its own.
func visit(address string) error {
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequest(http.MethodGet, "http://"+address+"/", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", informationType)
	response, err := client.Do(req)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

// TestAllLeave stops all gateways at once: none waits for another.
func TestAllLeave(t *testing.T) {
	w := newWorld(t)
	slow := func(c *Config, _ *limits.Limits) { c.LeaveOver = time.Hour }
	first, _, stopFirst := w.startGateway(slow)
	second, _, stopSecond := w.startGateway(slow)
	w.acquainted(2)
	a, b := dial(t, first), dial(t, second)
	for _, c := range []*client{a, b} { // they are in, which a handshake alone does not tell
		c.say(`[]`)
		c.hear()
	}
	stopped := make(chan struct{}, 2)
	for _, stop := range []func(){stopFirst, stopSecond} {
		go func() { stop(); stopped <- struct{}{} }()
	}
	a.wantGoingAway()
	b.wantGoingAway()
	for range 2 {
		select {
		case <-stopped:
		case <-time.After(patience):
			t.Fatal("they wait for each other")
		}
	}
}

// TestSlowHandOver has a client that neither takes what it is sent nor goes: it is
// cut, and the gateway ends.
func TestSlowHandOver(t *testing.T) { overBoth(t, slowHandOver) }

func slowHandOver(t *testing.T, w *world) {
	quick := func(c *Config, _ *limits.Limits) { c.LeaveOver, c.DrainTimeout = 0, time.Second }
	address, _, stop := w.startGateway(quick)
	w.startGateway(quick)
	w.acquainted(2)
	nc, _, _, err := ws.Dial(t.Context(), "ws://"+address+"/")
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := wsutil.WriteClientText(nc, []byte(`["EVENT",{"id":"x"}]`)); err != nil { // nobody answers
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { stop(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("the gateway does not end")
	}
}

// A client hears how its connection is called.
func TestConnHeader(t *testing.T) {
	w := newWorld(t)
	address, _, _ := w.startGateway(nil)
	got := ""
	d := ws.Dialer{OnHeader: func(key, value []byte) error {
		if string(key) == connHeader {
			got = string(value)
		}
		return nil
	}}
	nc, _, _, err := d.Dial(t.Context(), "ws://"+address+"/")
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	var instance, counter uint32
	if n, err := fmt.Sscanf(got, "%08x-%d", &instance, &counter); n != 2 || err != nil || counter != 1 {
		t.Errorf("%s: %q", connHeader, got)
	}
}
