package gateway

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"rhea/proto/limits"
	"rhea/proto/stage"
)

// raw is a frame as a client sends it, with any header.
func raw(first byte, payload []byte) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	mask := [4]byte{1, 2, 3, 4}
	b = append(b, mask[:]...)
	masked := bytes.Clone(payload)
	ws.Cipher(masked, mask, 0)
	return append(b, masked...)
}

const (
	fin    = 0x80
	cont   = 0x0
	textOp = 0x1
	binOp  = 0x2
	bye    = 0x8
	pingOp = 0x9
	pongOp = 0xa
)

func TestHostileFrames(t *testing.T) { overBoth(t, hostileFrames) }

func hostileFrames(t *testing.T, w *world) {
	address, _, _ := w.startGateway(func(_ *Config, l *limits.Limits) { l.MaxMessageLength = 2000 })
	message := []byte(`["NEG-MSG","x","61"]`)
	answer := `["NEG-ERR","x","closed: no such session"]`
	long := bytes.Repeat([]byte("x"), 2001)
	tooLong := `["NOTICE","invalid: a message has more than 2000 bytes"]`
	join := func(frames ...[]byte) []byte { return bytes.Join(frames, nil) }
	for _, c := range []struct {
		name string
		send []byte
		text []string // heard in this order
		code ws.StatusCode
	}{
		{"close", raw(fin|bye, []byte{3, 232}), nil, 1000},
		{"close without code", raw(fin|bye, nil), nil, 1000},
		{"close of one byte", raw(fin|bye, []byte{3}), nil, 1002},
		{"close with a code that is none", raw(fin|bye, []byte{0, 1}), nil, 1002},
		{"close with a reason that is not UTF-8", raw(fin|bye, []byte{3, 232, 0xff}), nil, 1002},
		{"data behind a close", join(raw(fin|bye, nil), raw(fin|textOp, message)), nil, 1000},
		{"text", join(raw(fin|textOp, message), raw(fin|bye, nil)), []string{answer}, 1000},
		{"fragments", join(raw(textOp, message[:3]), raw(cont, nil), raw(fin|pingOp, nil), raw(cont, message[3:5]), raw(fin|cont, message[5:]), raw(fin|bye, nil)), []string{answer}, 1000},
		{"fragments that are too long together", join(raw(textOp, long[:1000]), raw(cont, long[:1001])), []string{tooLong}, 1009},
		{"too long", raw(fin|textOp, long), []string{tooLong}, 1009},
		{"a length beyond all bounds", join([]byte{fin | textOp, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255}, make([]byte, 100)), []string{tooLong}, 1009},
		{"a negative length", join([]byte{fin | textOp, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0}, make([]byte, 100)), nil, 1002},
		{"a length in too many bytes", join([]byte{fin | textOp, 0xfe, 0, 1, 0, 0, 0, 0, 'x'}), nil, 1002},
		{"exactly as long as allowed", join(raw(fin|textOp, append(bytes.Clone(message), bytes.Repeat([]byte(" "), 2000-len(message))...)), raw(fin|bye, nil)), []string{answer}, 1000},
		{"binary", raw(fin|binOp, message), []string{`["NOTICE","invalid: messages are text, not binary"]`}, 1003},
		{"not UTF-8", raw(fin|textOp, []byte{'[', '"', 0xff, '"', ']'}), nil, 1007},
		{"not UTF-8 across fragments", join(raw(textOp, []byte{0xe2, 0x82}), raw(fin|cont, []byte{0x41})), nil, 1007},
		{"UTF-8 across fragments", join(raw(textOp, []byte{'[', '"', 0xe2, 0x82}), raw(fin|cont, []byte{0xac, '"', ']'}), raw(fin|bye, nil)), []string{`["NOTICE","unsupported: unknown message"]`}, 1000},
		{"no mask", []byte{fin | textOp, 1, 'x'}, nil, 1002},
		{"reserved bit", raw(fin|0x40|textOp, message), nil, 1002},
		{"reserved opcode", raw(fin|0x3, message), nil, 1002},
		{"reserved control opcode", raw(fin|0xb, nil), nil, 1002},
		{"a ping in fragments", raw(pingOp, nil), nil, 1002},
		{"a long ping", raw(fin|pingOp, long[:126]), nil, 1002},
		{"a continuation of nothing", raw(fin|cont, message), nil, 1002},
		{"text inside of text", join(raw(textOp, message), raw(fin|textOp, message)), nil, 1002},
		{"pongs that nobody asked for", join(raw(fin|pongOp, nil), raw(fin|pongOp, long[:125]), raw(fin|bye, nil)), nil, 1000},
		{"nothing", join(raw(fin|textOp, nil), raw(fin|bye, nil)), []string{`["NOTICE","invalid: a message must be one JSON array"]`}, 1000},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl := dial(t, address)
			if _, err := cl.nc.Write(c.send); err != nil {
				t.Fatal(err)
			}
			for _, text := range c.text {
				cl.want(text)
			}
			if code := cl.hearClose(); code != c.code {
				t.Errorf("closed with %d, want %d", code, c.code)
			}
		})
	}
}

// hearClose reads up to the close frame and the end of the connection.
func (c *client) hearClose() ws.StatusCode {
	c.t.Helper()
	_ = c.nc.SetReadDeadline(deadline())
	for {
		h, err := ws.ReadHeader(c)
		if err != nil {
			c.t.Fatalf("no close frame: %v", err)
		}
		payload := make([]byte, h.Length)
		if _, err := io.ReadFull(c, payload); err != nil {
			c.t.Fatal(err)
		}
		switch h.OpCode {
		case ws.OpText:
			c.t.Errorf("heard %s", payload)
		case ws.OpClose:
			code, _ := ws.ParseCloseFrameData(payload)
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				c.t.Errorf("after the close frame: %v", err)
			}
			return code
		}
	}
}

// TestFrameStream sends messages in random fragments and pieces, pings between
// them: what is heard must be the answers, in order.
func TestFrameStream(t *testing.T) { overBoth(t, frameStream) }

func frameStream(t *testing.T, w *world) {
	address, _, _ := w.startGateway(nil)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	var stream []byte
	var ids []string
	for i := range 300 {
		id := fmt.Sprintf("%d-%s", i, strings.Repeat("é", rng.IntN(20)))
		ids = append(ids, id)
		message := fmt.Appendf(nil, `["NEG-MSG","%s",{%s}]`, id, strings.Repeat(" ", rng.IntN(1<<rng.IntN(18))))
		for op := byte(textOp); ; op = cont {
			n := rng.IntN(len(message) + 1)
			if rng.IntN(2) == 0 {
				n = len(message)
			}
			if n == len(message) {
				stream = append(stream, raw(fin|op, message)...)
				break
			}
			stream = append(stream, raw(op, message[:n])...)
			message = message[n:]
			if rng.IntN(3) == 0 {
				stream = append(stream, raw(fin|pingOp, []byte("?"))...)
			}
		}
	}
	c := dial(t, address)
	written := make(chan error, 1)
	go func() {
		for len(stream) > 0 {
			n := 1 + rng.IntN(1<<rng.IntN(17))
			n = min(n, len(stream))
			if _, err := c.nc.Write(stream[:n]); err != nil {
				written <- err
				return
			}
			stream = stream[n:]
		}
		written <- nil
	}()
	for _, id := range ids {
		if got := c.hear(); !strings.HasPrefix(got, `["NEG-ERR","`+id+`",`) {
			t.Fatalf("heard %s, want an answer to %s", got, id)
		}
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
}

// TestPingFlood sends pings without reading: what is owed for them stays one pong
// at a time, and others are served.
func TestPingFlood(t *testing.T) { overBoth(t, pingFlood) }

func pingFlood(t *testing.T, w *world) {
	address, m, _ := w.startGateway(nil)
	flooder, other := dial(t, address), dial(t, address)
	flood := bytes.Repeat(raw(fin|pingOp, bytes.Repeat([]byte("p"), 125)), 50_000) // 6.5 MB, more than max_outbound
	sent := make(chan error, 1)
	go func() {
		_, err := flooder.nc.Write(flood)
		sent <- err
	}()
	other.say(`["NEG-MSG","x","61"]`)
	other.hear()
	if err := <-sent; err != nil {
		t.Fatalf("the flood was not taken: %v", err)
	}
	flooder.say(`["NEG-MSG","last","61"]`)
	if got := flooder.hear(); !strings.HasPrefix(got, `["NEG-ERR","last"`) {
		t.Fatal(got)
	}
	if n := m.Snapshot()["disconnects.slow"]; n != 0 {
		t.Errorf("%v connections were cut", n)
	}
}

// TestClientThatNeverReads is owed far more than its bound, by live events, stored
// ones and answers: it is cut, with its memory bounded all the while, and another
// client hears everything in time.
func TestClientThatNeverReads(t *testing.T) { overBoth(t, clientThatNeverReads) }

func clientThatNeverReads(t *testing.T, w *world) {
	w.startIngester()
	w.startReqworker()
	w.startMonitor()
	address, m, _ := w.startGateway(func(c *Config, _ *limits.Limits) { c.MaxOutbound = minOutbound })
	deaf, hearer, author := dialSmall(t, address), dial(t, address), dial(t, address)
	for _, c := range []*client{deaf, hearer} {
		c.say(`["REQ","live",{"kinds":[1],"limit":0}]`)
	}
	hearer.want(`["EOSE","live"]`)
	content := strings.Repeat("x", 100_000)
	for i := range 200 {
		author.say(`["EVENT",%s]`, testEvent(i, 1, content))
		author.hear()
		if got := hearer.hear(); !strings.HasPrefix(got, `["EVENT","live",`) {
			t.Fatal(cutText(got))
		}
		deaf.try(`["REQ","stored%d",{"kinds":[1]}]`, i%20)
	}
	waitFor(t, m, "disconnects.slow", 1)
	waitFor(t, m, "conns", 2)
	hearer.say(`["REQ","all",{"kinds":[1]}]`)
	for i := 199; i >= 0; i-- {
		hearer.want(`["EVENT","all",` + testEvent(i, 1, content) + `]`)
	}
	hearer.want(`["EOSE","all"]`)
}

// TestQueriesWaitForTheirClient has a client ask for far more stored events than
// its bound and take them late: it is not cut, and gets every one.
func TestQueriesWaitForTheirClient(t *testing.T) { overBoth(t, queriesWaitForTheirClient) }

func queriesWaitForTheirClient(t *testing.T, w *world) {
	w.startReqworker()
	w.startMonitor()
	content := strings.Repeat("x", 100_000)
	for i := range 200 {
		w.commit(stored{fmt.Sprint(i), 1, []byte(testEvent(i, 1, content))})
	}
	address, m, _ := w.startGateway(func(c *Config, _ *limits.Limits) { c.MaxOutbound = minOutbound })
	c := dialSmall(t, address)
	const subs = 5
	for i := range subs {
		c.say(`["REQ","%d",{"kinds":[1]}]`, i)
	}
	waitAtLeast(t, m, "stored_events", 1) // out_bytes may wait for the client to read
	next, eose := [subs]int{199, 199, 199, 199, 199}, 0
	for eose < subs {
		got, sub := c.hear(), 0
		if strings.HasPrefix(got, `["EOSE"`) {
			eose++
			continue
		}
		if _, err := fmt.Sscanf(got[:20], `["EVENT","%d"`, &sub); err != nil {
			t.Fatal(err, cutText(got))
		}
		if want := fmt.Sprintf(`["EVENT","%d",%s]`, sub, testEvent(next[sub], 1, content)); got != want {
			t.Fatalf("heard %s, want %s", cutText(got), cutText(want))
		}
		next[sub]--
	}
	for sub, n := range next {
		if n != -1 {
			t.Errorf("subscription %d: %d events are missing", sub, n+1)
		}
	}
	if n := m.Snapshot()["disconnects.slow"]; n != 0 {
		t.Errorf("%v connections were cut", n)
	}
}

// TestFullWindow has a client send EVENTs that nobody answers: its socket is read
// no further than its share, others are served, and when there is an ingester
// everything is answered.
func TestFullWindow(t *testing.T) { overBoth(t, fullWindow) }

func fullWindow(t *testing.T, w *world) {
	address, m, _ := w.startGateway(nil)
	c, other := dial(t, address), dial(t, address)
	const n = 100
	content := strings.Repeat("x", 100_000) // 10 MB in all
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for i := range n {
			c.try(`["EVENT",%s]`, testEvent(i, 1, content))
		}
	}()
	waitAtLeast(t, m, "window_bytes", maxShare-200_000)
	other.say(`["NEG-MSG","x","61"]`)
	other.hear()
	if used := m.Snapshot()["window_bytes"]; used > maxShare {
		t.Errorf("one connection has %v bytes in the window", used)
	}
	w.startIngester()
	for i := range n {
		c.want(fmt.Sprintf(`["OK","%064x",true,""]`, i))
	}
	<-sent
}

// dialSmall dials with small socket buffers, so that what the gateway holds back
// shows early.
func dialSmall(t *testing.T, address string) *client {
	c := dial(t, address)
	if err := c.nc.(*net.TCPConn).SetReadBuffer(16 << 10); err != nil {
		t.Fatal(err)
	}
	return c
}

// try says something and does not mind being cut.
func (c *client) try(format string, args ...any) {
	_ = wsutil.WriteClientText(c.nc, fmt.Appendf(nil, format, args...))
}

func waitFor(t *testing.T, m *stage.Metrics, name string, want float64) {
	t.Helper()
	wait(t, m, name, func(v float64) bool { return v == want })
}

func waitAtLeast(t *testing.T, m *stage.Metrics, name string, want float64) {
	t.Helper()
	wait(t, m, name, func(v float64) bool { return v >= want })
}
