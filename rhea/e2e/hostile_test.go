package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/nats-io/nats.go"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/subject"
)

// raw is a connection below the level of messages.
type raw struct {
	t *testing.T
	net.Conn
}

func rawDial(t *testing.T, url string) raw {
	t.Helper()
	conn, _, _, err := ws.Dial(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return raw{t, conn}
}

func (r raw) frame(f ws.Frame) {
	r.t.Helper()
	r.Write(ws.MustCompileFrame(ws.MaskFrame(f))) // it may be cut off in the middle
}

// answer reads text frames until one begins with prefix.
func (r raw) answer(prefix string) {
	r.t.Helper()
	for {
		data, err := wsutil.ReadServerText(r.Conn)
		if err != nil {
			r.t.Errorf("no answer that begins with %s: %v", prefix, err)
			return
		}
		if strings.HasPrefix(string(data), prefix) {
			return
		}
	}
}

// closed reads until the relay closes with the given status.
func (r raw) closed(code ws.StatusCode) {
	r.t.Helper()
	for {
		f, err := ws.ReadFrame(r.Conn)
		if err != nil {
			r.t.Errorf("the end came without a close frame: %v, want %d", err, code)
			return
		}
		if f.Header.OpCode == ws.OpClose {
			if got, why := ws.ParseCloseFrameData(f.Payload); got != code {
				r.t.Errorf("closed with %d %q, want %d", got, why, code)
			}
			return
		}
	}
}

// Every kind of bad input gets a clear refusal, and the relay goes on.
func TestHostileFrames(t *testing.T) {
	r := start(t, "solo", "", nil)
	good := &nostr.Event{CreatedAt: 1_700_000_000, Kind: 1, Content: "still here"}
	nostrtest.Sign(good, nostrtest.Secret(1))
	text := func(s string) ws.Frame { return ws.NewTextFrame([]byte(s)) }

	for _, c := range []struct {
		name   string
		send   func(raw)
		expect func(raw)
	}{
		{"not JSON", func(c raw) { c.frame(text("hello")) }, func(c raw) { c.answer(`["NOTICE","invalid:`) }},
		{"not an array", func(c raw) { c.frame(text(`{"a":1}`)) }, func(c raw) { c.answer(`["NOTICE","invalid:`) }},
		{"empty", func(c raw) { c.frame(text("")) }, func(c raw) { c.answer(`["NOTICE","invalid:`) }},
		{"unknown verb", func(c raw) { c.frame(text(`["PING"]`)) }, func(c raw) { c.answer(`["NOTICE","`) }},
		{"event that is none", func(c raw) { c.frame(text(`["EVENT",5]`)) }, func(c raw) { c.answer(`["OK","",false,"invalid:`) }},
		{"event without sense", func(c raw) { c.frame(text(`["EVENT",{"id":"zz"}]`)) }, func(c raw) { c.answer(`["OK","`) }},
		{"subscription id too long", func(c raw) { c.frame(text(`["REQ","` + strings.Repeat("s", 65) + `",{}]`)) }, func(c raw) { c.answer(`["`) }},
		{"bad filter", func(c raw) { c.frame(text(`["REQ","bad",{"ids":["short"]}]`)) }, func(c raw) { c.answer(`["CLOSED","bad","invalid:`) }},
		{"too many filters", func(c raw) { c.frame(text(`["REQ","many"` + strings.Repeat(`,{}`, 1000) + `]`)) }, func(c raw) { c.answer(`["CLOSED","many","`) }},
		{"deep nesting", func(c raw) {
			c.frame(text(`["EVENT",{"id":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}]`))
		}, func(c raw) { c.answer(`["OK","",false,"invalid:`) }},
		{"deep nesting in a filter", func(c raw) {
			c.frame(text(`["REQ","deep",{"x":` + strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_000) + `}]`))
		}, func(c raw) { c.answer(`["CLOSED","deep","invalid:`) }},
		{"as many tags as a message holds", func(c raw) {
			e := *good
			e.Tags = nil
			tags := strings.TrimSuffix(strings.Repeat(`["a"],`, 40_000), ",")
			js := strings.Replace(string(e.AppendJSON(nil)), `"tags":[]`, `"tags":[`+tags+`]`, 1)
			c.frame(text(`["EVENT",` + js + `]`))
		}, func(c raw) { c.answer(`["OK","` + good.ID.String() + `",false,"`) }},
		{"binary", func(c raw) { c.frame(ws.NewBinaryFrame([]byte(`["REQ","a",{}]`))) }, func(c raw) { c.closed(ws.StatusUnsupportedData) }},
		{"invalid UTF-8", func(c raw) { c.frame(text("[\"NOTICE\",\"\xff\xfe\"]")) }, func(c raw) { c.closed(ws.StatusInvalidFramePayloadData) }},
		{"oversized", func(c raw) { go c.frame(text(`["EVENT",{"x":"` + strings.Repeat("x", 2<<20) + `"}]`)) }, func(c raw) { c.closed(ws.StatusMessageTooBig) }},
		{"oversized in fragments", func(c raw) {
			go func() {
				f := ws.NewFrame(ws.OpText, false, bytes.Repeat([]byte("["), 100<<10))
				c.frame(f)
				for range 20 {
					c.frame(ws.NewFrame(ws.OpContinuation, false, bytes.Repeat([]byte("["), 100<<10)))
				}
			}()
		}, func(c raw) { c.closed(ws.StatusMessageTooBig) }},
		{"a header that promises exabytes", func(c raw) {
			c.Write([]byte{0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4})
		}, func(c raw) { c.closed(ws.StatusMessageTooBig) }},
		{"unmasked", func(c raw) { c.Write(ws.MustCompileFrame(text(`["REQ","a",{}]`))) }, func(c raw) { c.closed(ws.StatusProtocolError) }},
		{"continuation of nothing", func(c raw) { c.frame(ws.NewFrame(ws.OpContinuation, true, []byte("x"))) }, func(c raw) { c.closed(ws.StatusProtocolError) }},
		{"reserved opcode", func(c raw) { c.frame(ws.NewFrame(ws.OpCode(3), true, nil)) }, func(c raw) { c.closed(ws.StatusProtocolError) }},
		{"fragments with a ping between", func(c raw) {
			req := []byte(`["REQ","frag",{"limit":0}]`)
			c.frame(ws.NewFrame(ws.OpText, false, req[:10]))
			c.frame(ws.NewPingFrame([]byte("hi")))
			c.frame(ws.NewFrame(ws.OpContinuation, false, req[10:12]))
			c.frame(ws.NewFrame(ws.OpContinuation, true, req[12:]))
		}, func(c raw) { c.answer(`["EOSE","frag"`) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := rawDial(t, r.url)
			c.send(conn)
			c.expect(conn)
		})
	}
	c := dial(t, r.url)
	if o, err := c.publish(good.AppendJSON(nil), good.ID.String()); err != nil || !o.accepted {
		t.Fatalf("afterwards: %v %v", o, err)
	}
}

// Garbage on every subject of the bus is skipped, and the relay goes on.
func TestGarbageOnEverySubject(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	r := start(t, "up", "", nil)
	b, roster := onlooker(t, r.busURL())
	before := map[string]int32{}
	for _, st := range subject.Stages() {
		before[string(st)] = members(t, roster, st, 1)[0].Pid
	}
	gateway := subject.Instance(members(t, roster, subject.Gateway, 1)[0].Instance)
	nc, err := nats.Connect(r.busURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	s := b.Space
	subjects := []string{s.Write(), s.Scan(), s.Log(), s.LogFetch(), s.Hello(), s.Out(gateway),
		s.Member(subject.Writer), s.Member(subject.Gateway), s.Member("nonsense")}
	for sh := range subject.Shard(16) {
		subjects = append(subjects, s.Ingest(sh), s.Req(sh), s.Sub(sh), s.Neg(sh))
	}
	for _, subj := range subjects {
		for range 300 {
			// Often the shape of a batch of one message with small field numbers, so
			// that a good part of it decodes to messages full of nonsense.
			body := make([]byte, rng.IntN(120))
			for i := range body {
				body[i] = byte(rng.Uint32())
			}
			if len(body) > 2 && rng.IntN(3) > 0 {
				body[0], body[1] = byte(1+rng.IntN(5))<<3|2, byte(len(body)-2)
				for i := 2; i+1 < len(body); i += 2 {
					body[i], body[i+1] = byte(1+rng.IntN(8))<<3, byte(rng.IntN(128))
				}
			}
			nc.PublishRequest(subj, "nobody", append([]byte{byte(len(body))}, body...))
		}
	}
	nc.Flush()
	c := dial(t, r.url)
	for i := range 50 {
		e := &nostr.Event{CreatedAt: 1_700_000_000, Kind: 1, Content: fmt.Sprint("after garbage ", i)}
		nostrtest.Sign(e, nostrtest.Secret(1))
		if o, err := c.publish(e.AppendJSON(nil), e.ID.String()); err != nil || !o.accepted {
			t.Fatalf("after garbage: %v %v", o, err)
		}
	}
	got, err := c.query("q", `{"kinds":[1]}`)
	if err != nil || len(got) != 50 {
		t.Fatalf("after garbage: %d events, %v", len(got), err)
	}
	for _, st := range subject.Stages() {
		if pid := members(t, roster, st, 1)[0].Pid; pid != before[string(st)] {
			t.Errorf("%s did not survive the garbage", st)
		}
	}
	r.stop()
	if out, errs, err := r.rhea(nil, "check"); err != nil {
		t.Errorf("check: %v\n%s%s", err, out, errs)
	}
}

// A peer that vanishes without a word, in the handshake or after it, costs its
// socket for a while and nothing else.
func TestHalfOpenAndSlowHandshakes(t *testing.T) {
	r := start(t, "solo", "", nil, "RHEA_GATEWAY_PING_INTERVAL=1s", "RHEA_GATEWAY_PING_TIMEOUT=1s")
	addr := strings.TrimSuffix(strings.TrimPrefix(r.url, "ws://"), "/")
	for range 50 {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n") // and no more
	}
	mute := rawDial(t, r.url) // answers no ping
	begin := time.Now()
	if _, err := io.Copy(io.Discard, mute); err != nil && strings.Contains(err.Error(), "timeout") {
		t.Errorf("a peer that answers no ping is still connected after %v", time.Since(begin))
	}
	resp, err := http.Get("http://" + addr + "/")
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("afterwards: %v %v", resp, err)
	}
	resp.Body.Close()
}

// A client that listens and says nothing, but answers pings, stays.
func TestQuietClientStays(t *testing.T) {
	r := start(t, "solo", "", nil, "RHEA_GATEWAY_PING_INTERVAL=1s", "RHEA_GATEWAY_PING_TIMEOUT=1s")
	quiet, loud := dial(t, r.url), dial(t, r.url)
	s, err := quiet.subscribe("quiet", `{"kinds":[1]}`)
	if err == nil {
		err = quiet.waitEOSE(s)
	}
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(5 * time.Second) // several pings; the silence is what is tested
	e := &nostr.Event{CreatedAt: 1_700_000_000, Kind: 1, Content: "good morning"}
	nostrtest.Sign(e, nostrtest.Secret(1))
	if o, err := loud.publish(e.AppendJSON(nil), e.ID.String()); err != nil || !o.accepted {
		t.Fatal(o, err)
	}
	if err := quiet.wait(s, func() bool { return len(s.events) == 1 }); err != nil {
		t.Error(err)
	}
}
