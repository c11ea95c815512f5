package gateway

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"pgregory.net/rapid"

	"rhea/proto/frame"
	"rhea/proto/stage"
)

// FuzzHeader compares the parser of frame headers with gobwas/ws, which is laxer:
// what this one accepts, that one reads in the same way.
func FuzzHeader(f *testing.F) {
	f.Add(raw(fin|textOp, []byte("x")))
	f.Add(raw(fin|textOp, make([]byte, 200)))
	f.Add(raw(textOp, make([]byte, 70_000)))
	f.Add([]byte{0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, err := parseHeader(b)
		if n == 0 || err != nil {
			if n != 0 {
				t.Fatal("an error and a header")
			}
			return
		}
		want, err := ws.ReadHeader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if h.fin != want.Fin || h.op != want.OpCode || h.mask != want.Mask || !want.Masked || want.Rsv != 0 ||
			n != ws.HeaderSize(want) || h.length != int(min(want.Length, 1<<31-1)) {
			t.Fatalf("%+v, want %+v", h, want)
		}
		for i := range n { // a header in pieces is no header yet, and no error
			if _, k, err := parseHeader(b[:i]); k != 0 || err != nil {
				t.Fatalf("of the first %d bytes: %d, %v", i, k, err)
			}
		}
	})
}

// FuzzReader feeds bytes to a reader: it must end without a panic, in order, and
// hand on only messages within the limit.
func FuzzReader(f *testing.F) {
	f.Add(append(raw(textOp, []byte(`["COU`)), raw(fin|cont, []byte(`NT","x",{}]`))...))
	f.Add(raw(fin|textOp, []byte(`["EVENT",{"id":"x"}]`)))
	f.Add(raw(fin|pingOp, nil))
	f.Add(append(raw(fin|textOp, []byte(`["AUTH",{}]`)), raw(fin|textOp, []byte(`["NEG-OPEN","n",{},"61"]`))...))
	f.Fuzz(func(t *testing.T, b []byte) {
		const limit = 1000
		h := newTestHub(limit)
		cn := &conn{socket: socket{nc: &scriptConn{data: b}, hub: h}}
		cn.socket.conn = cn
		h.running.Go(func() { (&reader{s: &cn.socket, leave: func() {}}).run(nil) })
		for w := range h.words {
			if len(w.client.Body) > limit {
				t.Errorf("a body of %d bytes", len(w.client.Body))
			}
			if w.taken > 0 {
				h.windows.give(&cn.share, w.taken)
				h.windows.release(&cn.share)
			}
			if w.kind == saidClosed {
				break
			}
		}
		h.end()
	})
}

// TestReaderWaitsForTheWindow has a client say more than its share holds. What
// asks something of other processes waits, the rest does not.
func TestReaderWaitsForTheWindow(t *testing.T) {
	for _, c := range []struct {
		verb    string
		through int // of 20
	}{{`"EVENT"`, 10}, {`"REQ","s"`, 10}, {`"NEG-OPEN","s"`, 10}, {`"NEG-MSG","s"`, 10}, {`"COUNT","s"`, 10}, {`"CLOSE"`, 20}} {
		synctest.Test(t, func(t *testing.T) {
			h := newTestHub(200_000)
			h.words = make(chan word, 100)
			message := raw(fin|textOp, fmt.Appendf(nil, `[%s,"%s"]`, c.verb, strings.Repeat("x", 100_000)))
			cn := &conn{socket: socket{nc: &scriptConn{data: bytes.Repeat(message, 20)}, hub: h}}
			cn.socket.conn = cn
			h.running.Go(func() { (&reader{s: &cn.socket, leave: func() {}}).run(nil) })
			through := func() (n int, last word) {
				synctest.Wait()
				for len(h.words) > 0 {
					if w := <-h.words; w.kind == saidMessage {
						n, last = n+1, w
					}
				}
				return n, last
			}
			n, last := through()
			if n != c.through {
				t.Errorf("%s: %d messages came through, want %d", c.verb, n, c.through)
			}
			if n < 20 {
				h.windows.give(&cn.share, last.taken)
				if n, _ := through(); n != 1 {
					t.Errorf("%s: %d messages came through after an answer", c.verb, n)
				}
			}
			h.windows.close(&cn.share)
			through()
			h.end()
		})
	}
}

// TestReaderWaitsForAnAuth has a client say more behind an AUTH: what asks something
// waits for the answer, also when the window is full meanwhile.
func TestReaderWaitsForAnAuth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestHub(200_000)
		h.words = make(chan word, 100)
		var said []byte
		for _, text := range []string{`["EVENT",{}]`, `["AUTH",{}]`, `["CLOSE","s"]`, `["REQ","s",{}]`, `["AUTH",{}]`, `["COUNT","s",{}]`} {
			said = append(said, raw(fin|textOp, []byte(text))...)
		}
		cn := &conn{socket: socket{nc: &scriptConn{data: said}, hub: h}}
		cn.socket.conn = cn
		cn.toll.Store(32)
		h.running.Go(func() { (&reader{s: &cn.socket, leave: func() {}}).run(nil) })
		through := func(want ...frame.Verb) {
			t.Helper()
			var got []frame.Verb
			synctest.Wait()
			for len(h.words) > 0 {
				if w := <-h.words; w.kind == saidMessage {
					got = append(got, w.client.Verb)
					if asks(w.client.Verb) && w.taken != len(w.client.Body)+32 {
						t.Errorf("%s has taken %d bytes", w.client.Verb, w.taken)
					}
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%v came through, want %v", got, want)
			}
		}
		through(frame.Event, frame.Auth, frame.Close)
		h.windows.give(&cn.share, 34)
		through()
		h.windows.resize(1)
		h.windows.release(&cn.share)
		through()
		h.windows.give(&cn.share, 34)
		through(frame.Req)
		h.windows.resize(maxWindow)
		through(frame.Auth)
		h.windows.close(&cn.share)
		through()
		h.end()
	})
}

// TestWheel checks the wheel against a list: nothing rings early unless it is
// beyond the wheel's round, and nothing more than a tick late.
func TestWheel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(1000, 0)
		w := newWheel(now)
		due := make(map[uint64]time.Time)
		for n := range uint64(rapid.IntRange(1, 60).Draw(t, "steps")) {
			when := now.Add(time.Duration(rapid.Int64Range(-int64(time.Second), int64(90*time.Second)).Draw(t, "wait")))
			due[n] = when
			w.set(when, alarm{aboutEvent, n})
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(3*time.Second)).Draw(t, "pass")))
			w.ring(now, func(a alarm) {
				if due[a.num].After(now) {
					t.Fatalf("alarm %d rings %v early", a.num, due[a.num].Sub(now))
				}
				delete(due, a.num)
			})
			for n, when := range due {
				if now.Sub(when) > tickEvery && !when.Before(w.at.Add(-tickEvery)) {
					t.Fatalf("alarm %d is %v late", n, now.Sub(when))
				}
			}
		}
		w.ring(now.Add(2*time.Minute), func(a alarm) { delete(due, a.num) })
		if len(due) > 0 {
			t.Fatalf("%d alarms are lost", len(due))
		}
	})
}

// TestWindows has many connections take from windows that are far too small for
// them, while others close: all are let through or sent away, and in the end
// nothing is in the windows.
func TestWindows(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	w := newWindows(maxShare + maxShare/2)
	type taken struct {
		s *share
		n int
	}
	answers := make(chan taken, 10_000)
	done := make(chan struct{})
	const conns = 20
	for i := range conns {
		go func() {
			defer func() { done <- struct{}{} }()
			rng := rand.New(rand.NewPCG(seed, uint64(i)))
			s := new(share)
			for range 200 {
				n := 1 + rng.IntN(maxShare/2)
				if !w.take(s, n) {
					return
				}
				answers <- taken{s, n}
			}
			w.close(s)
		}()
	}
	rng := rand.New(rand.NewPCG(seed, conns))
	for left := conns; left > 0; {
		select {
		case a := <-answers:
			if used := w.used(); used > maxShare+maxShare/2 {
				t.Fatalf("%d bytes are in the window", used)
			}
			if rng.IntN(500) == 0 {
				w.close(a.s)
			}
			w.give(a.s, a.n)
		case <-done:
			left--
		}
	}
	for len(answers) > 0 {
		a := <-answers
		w.give(a.s, a.n)
	}
	if used := w.used(); used != 0 || len(w.queue) != 0 {
		t.Errorf("%d bytes and %d connections are left in the windows", used, len(w.queue))
	}
	if !w.take(new(share), 10*maxShare) {
		t.Error("something larger than the windows does not fit alone")
	}
}

// TestAppendHeader reads back what it writes.
func TestAppendHeader(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 1<<16 - 1, 1 << 16, 1 << 20} {
		b := appendHeader(nil, ws.OpText, n)
		h, err := ws.ReadHeader(bytes.NewReader(b))
		if err != nil || h.Length != int64(n) || !h.Fin || h.Masked || h.OpCode != ws.OpText || len(b) > maxFrameHeader {
			t.Errorf("%d: %+v, %v", n, h, err)
		}
	}
}

func newTestHub(maxMessage int) *hub {
	h := &hub{
		metrics: newMetrics(stage.NewMetrics("gateway")), log: slog.New(slog.DiscardHandler),
		windows: newWindows(maxWindow), words: make(chan word, 1), done: make(chan struct{}),
	}
	h.limits.Store(&socketLimits{maxMessage: maxMessage, maxOutbound: minOutbound, writeTimeout: time.Second})
	return h
}

// scriptConn is a connection on which data comes and nothing is heard.
type scriptConn struct {
	net.Conn
	data []byte
}

func (c *scriptConn) Read(b []byte) (int, error) {
	if len(c.data) == 0 {
		return 0, io.EOF
	}
	n := copy(b, c.data)
	c.data = c.data[n:]
	return n, nil
}

func (c *scriptConn) Write(b []byte) (int, error)      { return len(b), nil }
func (c *scriptConn) Close() error                     { return nil }
func (c *scriptConn) SetReadDeadline(time.Time) error  { return nil }
func (c *scriptConn) SetWriteDeadline(time.Time) error { return nil }
