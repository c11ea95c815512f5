package natsd_test

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"rhea/proto/bus"
	"rhea/proto/relaypb"
	"rhea/rhea/natsd"
)

var quiet = slog.New(slog.DiscardHandler)

func newReq() *relaypb.ReqInbox { return new(relaypb.ReqInbox) }

func stop(num uint64) *relaypb.ReqInbox {
	return &relaypb.ReqInbox{Body: &relaypb.ReqInbox_Stop{Stop: &relaypb.Stop{Num: num}}}
}

// house is a server, two buses in its process, and one in another.
type house struct {
	a, b, outside *bus.Bus
	server        *natsd.Server
}

func newHouse(t *testing.T) house {
	server, err := natsd.Start("127.0.0.1:0", quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	c := bus.DefaultConfig()
	c.URL = server.URL()
	local, err := bus.DialLocal(t.Context(), c, server, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(local.Close)
	outside, err := bus.Dial(t.Context(), c, bus.NewInstance(), "outside", quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(outside.Close)
	return house{local.Join(bus.NewInstance(), "a", quiet), local.Join(bus.NewInstance(), "b", quiet), outside, server}
}

// listen returns an inbox on the subject of shard 1.
func listen(t *testing.T, b *bus.Bus) *bus.Inbox[*relaypb.ReqInbox] {
	in := bus.Listen(b, newReq, 0)
	if err := in.Add(b.Space.Req(1)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(in.Close)
	return in
}

// hears fails unless the next n messages of an inbox are first, first+1, …
func hears(t *testing.T, who string, in *bus.Inbox[*relaypb.ReqInbox], first, n uint64) {
	t.Helper()
	for want := first; want < first+n; {
		select {
		case msg := <-in.C():
			in.Each(msg, func(m *relaypb.ReqInbox) {
				if got := m.GetStop().GetNum(); got != want {
					t.Fatalf("%s hears %d, want %d", who, got, want)
				}
				want++
			})
		case <-time.After(10 * time.Second):
			t.Fatalf("%s does not hear %d", who, want)
		}
	}
}

// TestLocal has everybody speak in turn, with listeners inside and outside: each
// listener hears everything once and in order.
func TestLocal(t *testing.T) {
	h := newHouse(t)
	inA, inB, inOutside := listen(t, h.a), listen(t, h.b), listen(t, h.outside)
	const n = 100
	speak := func(b *bus.Bus, first uint64) {
		for i := range uint64(n) {
			if err := b.Publish(b.Space.Req(1), stop(first+i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for round, b := range []*bus.Bus{h.a, h.outside, h.b, h.outside, h.a} {
		first := uint64(round * n)
		speak(b, first)
		hears(t, "a", inA, first, n)
		hears(t, "b", inB, first, n)
		hears(t, "outside", inOutside, first, n)
	}
	// When nobody else is connected any more, NATS has nothing of what is said.
	h.outside.Close()
	for deadline := time.Now().Add(10 * time.Second); h.server.NumClients() > 1; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a client that has left is still there")
		}
	}
	before := h.server.Received()
	speak(h.b, 5*n)
	hears(t, "a", inA, 5*n, n)
	hears(t, "b", inB, 5*n, n)
	if got := h.server.Received() - before; got != 0 {
		t.Errorf("NATS has got %d messages that nobody listens to", got)
	}
	if s := h.b.Traffic(); s.OutMsgs != 2*n || s.InMsgs != 6*n {
		t.Errorf("b has said %d and heard %d", s.OutMsgs, s.InMsgs)
	}
}

// TestLocalRequest asks across every border, and where nobody is.
func TestLocalRequest(t *testing.T) {
	for _, c := range []struct {
		name          string
		asker, server func(house) *bus.Bus
	}{
		{"inside", func(h house) *bus.Bus { return h.a }, func(h house) *bus.Bus { return h.b }},
		{"from outside", func(h house) *bus.Bus { return h.outside }, func(h house) *bus.Bus { return h.b }},
		{"to outside", func(h house) *bus.Bus { return h.a }, func(h house) *bus.Bus { return h.outside }},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t)
			asker, server := c.asker(h), c.server(h)
			ask := func(num uint64) (uint64, error) {
				reply := newReq()
				err := asker.Request(t.Context(), asker.Space.Req(1), stop(num), reply)
				return reply.GetStop().GetNum(), err
			}
			if _, err := ask(1); !errors.Is(err, bus.ErrNobody) {
				t.Fatal("nobody is there:", err)
			}
			in := listen(t, server)
			done := make(chan struct{})
			go func() {
				defer close(done)
				for num := uint64(10); num < 13; num++ {
					msg := <-in.C()
					in.Each(msg, func(m *relaypb.ReqInbox) { _ = server.Reply(msg, stop(m.GetStop().GetNum()+1)) })
				}
			}()
			for num := uint64(10); num < 13; num++ {
				if got, err := ask(num); err != nil || got != num+1 {
					t.Fatal(fmt.Sprint(num), got, err)
				}
			}
			<-done
		})
	}
}

// TestLocalRequestIsSlow has an answer inside come after NATS has said that nobody
// outside listens: who answers asks somebody outside first, whose reply NATS brings
// after that refusal.
func TestLocalRequestIsSlow(t *testing.T) {
	h := newHouse(t)
	inside, outside := listen(t, h.b), bus.Listen(h.outside, newReq, 0)
	t.Cleanup(outside.Close)
	if err := outside.Add(h.outside.Space.Req(2)); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		question := <-inside.C()
		asked := make(chan error, 1)
		go func() { asked <- h.b.Request(t.Context(), h.b.Space.Req(2), stop(2), newReq()) }()
		done <- errors.Join(h.outside.Reply(<-outside.C(), stop(3)), <-asked, h.b.Reply(question, stop(4)))
	}()
	reply := newReq()
	if err := h.a.Request(t.Context(), h.a.Space.Req(1), stop(1), reply); err != nil || reply.GetStop().GetNum() != 4 {
		t.Fatal(err, reply)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
