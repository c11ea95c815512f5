package gateway

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"

	"rhea/gateway/deflate"
	"rhea/proto/limits"
)

// dialPacking connects with an offer of permessage-deflate, and returns the answer.
func dialPacking(t *testing.T, address, offer string) (c *client, answer string) {
	t.Helper()
	nc, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	fmt.Fprintf(nc, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: %s\r\n\r\n", address, offer)
	rd := bufio.NewReader(nc)
	_ = nc.SetReadDeadline(deadline())
	r, err := http.ReadResponse(rd, nil)
	if err != nil || r.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(r, err)
	}
	return &client{t, nc, rd}, r.Header.Get("Sec-WebSocket-Extensions")
}

// packed is a message as another implementation compresses it.
func packed(t *testing.T, text string) []byte {
	t.Helper()
	f, err := wsflate.CompressFrame(ws.NewTextFrame([]byte(text)))
	if err != nil {
		t.Fatal(err)
	}
	return f.Payload
}

// hearAny reads a message, and says whether it came compressed.
func (c *client) hearAny() (text string, packed bool) {
	c.t.Helper()
	_ = c.nc.SetReadDeadline(deadline())
	for {
		f, err := ws.ReadFrame(c)
		if err != nil || f.Header.OpCode == ws.OpClose {
			c.t.Fatalf("nothing to hear: %s %v", f.Payload, err)
		}
		if f.Header.OpCode != ws.OpText {
			continue // a pong
		}
		if packed = f.Header.Rsv1(); packed {
			f, err = wsflate.DecompressFrame(f)
		}
		if err != nil || f.Header.Rsv != 0 {
			c.t.Fatalf("heard a frame %+v: %v", f.Header, err)
		}
		return string(f.Payload), packed
	}
}

func (c *client) wantAny(text string, compressed bool) {
	c.t.Helper()
	if got, packed := c.hearAny(); got != text || packed != compressed {
		c.t.Fatalf("heard %s, compressed: %v\nwant  %s, compressed: %v", cutText(got), packed, cutText(text), compressed)
	}
}

func TestDeflateIsNegotiated(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		mode   deflate.Mode
		offer  string
		answer string
	}{
		{deflate.Shared, "permessage-deflate; client_max_window_bits", "permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
		{deflate.Message, "permessage-deflate", "permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
		{deflate.Off, "permessage-deflate", ""},
		{deflate.Shared, "permessage-deflate; server_max_window_bits=9", ""},
		{deflate.Shared, "permessage-deflate;;", ""},
	} {
		address, _, stop := w.startGateway(func(g *Config, _ *limits.Limits) { g.Deflate = c.mode })
		cl, answer := dialPacking(t, address, c.offer)
		if answer != c.answer {
			t.Errorf("%s, %s: answered %q, want %q", c.mode, c.offer, answer, c.answer)
		}
		cl.say(`["NEG-MSG","x","61"]`)
		cl.wantAny(`["NEG-ERR","x","closed: no such session"]`, false)
		cl.nc.Close()
		stop()
	}
}

// What clients compress, in one frame or many, and what they do not, and what is not
// compressed as RFC 7692 wants it.
func TestHostileDeflate(t *testing.T) {
	w := newWorld(t)
	address, _, _ := w.startGateway(func(_ *Config, l *limits.Limits) { l.MaxMessageLength = 2000 })
	const rsv2, rsv3 = 0x20, 0x10
	message, answer := `["NEG-MSG","x","61"]`, `["NEG-ERR","x","closed: no such session"]`
	small := packed(t, message)
	exact := packed(t, message+strings.Repeat(" ", 2000-len(message)))
	bomb := packed(t, strings.Repeat(" ", 1<<20))
	tooLong := `["NOTICE","invalid: a message has more than 2000 bytes"]`
	end := raw(fin|bye, nil)
	join := func(frames ...[]byte) []byte { return bytes.Join(frames, nil) }
	for _, c := range []struct {
		name string
		send []byte
		text string
		code ws.StatusCode
	}{
		{"compressed", join(raw(fin|rsv1|textOp, small), end), answer, 1000},
		{"not compressed", join(raw(fin|textOp, []byte(message)), end), answer, 1000},
		{"in fragments", join(raw(rsv1|textOp, small[:4]), raw(cont, nil), raw(fin|pingOp, nil), raw(fin|cont, small[4:]), end), answer, 1000},
		{"as long as allowed", join(raw(fin|rsv1|textOp, exact), end), answer, 1000},
		{"too long", raw(fin|rsv1|textOp, packed(t, strings.Repeat(" ", 2001))), tooLong, 1009},
		{"a bomb", raw(fin|rsv1|textOp, bomb), tooLong, 1009},
		{"a bomb in fragments", join(raw(rsv1|textOp, bomb[:500]), raw(fin|cont, bomb[500:])), tooLong, 1009},
		{"compressed to more than allowed", raw(fin|rsv1|textOp, make([]byte, 2001)), tooLong, 1009},
		{"malformed", raw(fin|rsv1|textOp, []byte(message)), "", 1007},
		{"nothing", raw(fin|rsv1|textOp, nil), "", 1007},
		{"not UTF-8", raw(fin|rsv1|textOp, packed(t, "[\"\xff\"]")), "", 1007},
		{"binary", raw(fin|rsv1|binOp, small), `["NOTICE","invalid: messages are text, not binary"]`, 1003},
		{"of another message's context", join(raw(fin|rsv1|textOp, []byte{0xf2, 0, 0x11, 0, 0})), "", 1007},
		{"a compressed continuation", join(raw(textOp, small[:4]), raw(fin|rsv1|cont, small[4:])), "", 1002},
		{"a compressed continuation of something compressed", join(raw(rsv1|textOp, small[:4]), raw(fin|rsv1|cont, small[4:])), "", 1002},
		{"a compressed ping", raw(fin|rsv1|pingOp, nil), "", 1002},
		{"a compressed close", raw(fin|rsv1|bye, nil), "", 1002},
		{"another reserved bit", raw(fin|rsv2|textOp, small), "", 1002},
		{"two reserved bits", raw(fin|rsv1|rsv3|textOp, small), "", 1002},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl, _ := dialPacking(t, address, "permessage-deflate")
			if _, err := cl.nc.Write(c.send); err != nil {
				t.Fatal(err)
			}
			if c.text != "" {
				cl.wantAny(c.text, false)
			}
			if code := cl.hearClose(); code != c.code {
				t.Errorf("closed with %d, want %d", code, c.code)
			}
		})
	}
}

// However a message is cut into fragments, it is the same.
func TestEverySplitOfACompressedMessage(t *testing.T) {
	w := newWorld(t)
	address, _, _ := w.startGateway(nil)
	cl, _ := dialPacking(t, address, "permessage-deflate")
	for n := 1; n <= 3; n++ {
		payload := packed(t, fmt.Sprintf(`["NEG-MSG","%s","61"]`, strings.Repeat("x", n)))
		for i := range payload {
			for j := i; j <= len(payload); j++ {
				frames := [][]byte{raw(rsv1|textOp, payload[:i]), raw(cont, payload[i:j]), raw(fin|cont, payload[j:])}
				if _, err := cl.nc.Write(bytes.Join(frames, nil)); err != nil {
					t.Fatal(err)
				}
			}
		}
		for range len(payload) * (len(payload) + 3) / 2 {
			cl.wantAny(fmt.Sprintf(`["NEG-ERR","%s","closed: no such session"]`, strings.Repeat("x", n)), false)
		}
	}
}

// Subscribers hear the same, whether they take compressed messages or not, and
// whatever is compressed.
func TestWhatIsCompressed(t *testing.T) {
	long := strings.Repeat("what is said twice is said in fewer words; ", 20)
	for _, c := range []struct {
		mode         deflate.Mode
		first, later bool // to a client that takes it
	}{{deflate.Off, false, false}, {deflate.Shared, false, true}, {deflate.Message, true, true}} {
		t.Run(string(c.mode), func(t *testing.T) {
			w := newWorld(t)
			w.startIngester()
			w.startReqworker()
			w.startMonitor()
			address, m, _ := w.startGateway(func(g *Config, _ *limits.Limits) { g.Deflate = c.mode })
			json := testEvent(1, 1, long)
			w.commit(stored{"1", 1, []byte(json)})

			plain := dial(t, address)
			one, _ := dialPacking(t, address, "permessage-deflate")
			two, _ := dialPacking(t, address, "permessage-deflate")
			event := func(sub, json string) string { return fmt.Sprintf(`["EVENT","%s",%s]`, sub, json) }
			for i, cl := range []*client{plain, one, two} {
				sub := fmt.Sprint("sub", i)
				cl.say(`["REQ","%s",{"kinds":[1]}]`, sub)
				cl.wantAny(event(sub, json), i == 1 && c.first || i == 2 && c.later)
				cl.wantAny(fmt.Sprintf(`["EOSE","%s"]`, sub), false)
			}
			wait(t, m, "subs", func(n float64) bool { return n == 3 })
			live := testEvent(2, 1, long)
			plain.say(`["EVENT",%s]`, live)
			compressed := 0
			for i, cl := range []*client{plain, one, two} {
				for {
					text, packed := cl.hearAny()
					if strings.HasPrefix(text, `["OK"`) {
						continue
					}
					if want := event(fmt.Sprint("sub", i), live); text != want {
						t.Fatalf("heard %s, want %s", cutText(text), cutText(want))
					}
					if packed {
						compressed++
					}
					break
				}
			}
			if want := map[deflate.Mode]int{deflate.Off: 0, deflate.Shared: 1, deflate.Message: 2}[c.mode]; compressed != want {
				t.Errorf("a live event came compressed to %d, want %d", compressed, want)
			}
		})
	}
}
