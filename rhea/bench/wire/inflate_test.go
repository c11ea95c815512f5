package wire

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
)

// deflater compresses messages as a server does.
type deflater struct {
	takeover bool
	out      bytes.Buffer
	w        *flate.Writer
}

func (d *deflater) payload(text string) []byte {
	if d.w == nil || !d.takeover {
		d.w, _ = flate.NewWriter(&d.out, 9)
	}
	d.out.Reset()
	io.WriteString(d.w, text)
	d.w.Flush()
	return bytes.Clone(bytes.TrimSuffix(d.out.Bytes(), []byte("\x00\x00\xff\xff")))
}

// deflating runs a server that agrees to compress.
func deflating(t *testing.T, takeover bool, each func(net.Conn)) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := wsflate.Extension{Parameters: wsflate.Parameters{ServerNoContextTakeover: !takeover}}
		conn, _, _, err := ws.HTTPUpgrader{Negotiate: e.Negotiate}.Upgrade(r, w)
		if err != nil {
			return
		}
		defer conn.Close()
		each(conn)
		io.Copy(io.Discard, conn)
	}))
	t.Cleanup(s.Close)
	return "ws" + strings.TrimPrefix(s.URL, "http")
}

func packedFrame(op ws.OpCode, fin bool, payload []byte) ws.Frame {
	f := ws.NewFrame(op, fin, payload)
	f.Header.Rsv = ws.Rsv(true, false, false)
	return f
}

// chatter is messages that repeat themselves and each other, from nothing to more than
// a window.
func chatter(seed uint64) (texts []string) {
	rng := rand.New(rand.NewPCG(seed, 0))
	for i := range 200 {
		size := rng.IntN(1000)
		if i%50 == 49 {
			size = 70_000
		}
		var b strings.Builder
		for b.Len() < size {
			fmt.Fprintf(&b, "%x,", rng.IntN(300))
		}
		texts = append(texts, b.String())
	}
	return texts
}

// What is compressed is heard as it was said, whether it refers to what was said before
// or not, in fragments or not, by one or by others who have heard the same or something
// else before.
func TestInflates(t *testing.T) {
	for _, takeover := range []bool{false, true} {
		t.Run(fmt.Sprint(takeover), func(t *testing.T) {
			seeds := make(chan uint64, 1)
			url := deflating(t, takeover, func(conn net.Conn) {
				d := &deflater{takeover: takeover}
				for i, text := range chatter(<-seeds) {
					p := d.payload(text)
					switch {
					case i%5 == 1:
						ws.WriteFrame(conn, packedFrame(ws.OpText, false, p[:i%2*len(p)/2]))
						ws.WriteFrame(conn, ws.NewPingFrame(nil))
						ws.WriteFrame(conn, ws.NewFrame(ws.OpContinuation, true, p[i%2*len(p)/2:]))
					default:
						ws.WriteFrame(conn, packedFrame(ws.OpText, true, p))
					}
					ws.WriteFrame(conn, ws.NewTextFrame([]byte("plain")))
				}
			})
			var m Meter
			dialer, texts := NewDialer(url, &m, true), 0
			for i, seed := range []uint64{1, 1, 2, 1} {
				seeds <- seed
				k := newKept()
				c, err := dialer.Dial(t.Context(), k, nil)
				if err != nil {
					t.Fatal(err)
				}
				for n, want := range chatter(seed) {
					if got := k.next(t); got != want {
						t.Fatalf("message %d of connection %d: %d bytes heard, %d said", n, i, len(got), len(want))
					}
					if got := k.next(t); got != "plain" {
						t.Fatal(got)
					}
					texts += len(want) + len("plain")
				}
				c.Close()
			}
			if want := map[bool]string{false: NoTakeover, true: Takeover}[takeover]; m.Answer() != want {
				t.Errorf("answered: %q", m.Answer())
			}
			if m.Texts.Load() != int64(texts) || m.Bytes.Load() >= int64(texts) || m.Bytes.Load() < int64(texts)/10 {
				t.Errorf("%d bytes of text in %d, want %d", m.Texts.Load(), m.Bytes.Load(), texts)
			}
		})
	}
}

// The same bytes say something else to who has heard something else, also when what
// they have said to others is kept.
func TestSameBytesAfterOthers(t *testing.T) {
	i := newInflater()
	var payloads []string
	for _, first := range []string{strings.Repeat("ab", 50), strings.Repeat("cd", 50)} {
		d := &deflater{takeover: true}
		for range 2 {
			var p past
			for n := range 2 {
				payload := d.payload(first)
				text, err := i.text(&p, payload, true)
				if err != nil || string(text) != first {
					t.Fatalf("heard %s, %v", text, err)
				}
				if n == 1 {
					payloads = append(payloads, string(payload))
				}
			}
			d = &deflater{takeover: true}
		}
	}
	if payloads[0] != payloads[2] {
		t.Errorf("%x, %x: the test needs them to be the same", payloads[0], payloads[2])
	}
	if len(i.young) != 4 {
		t.Errorf("%d texts are kept of 4 in 8 messages", len(i.young))
	}
}

// What is kept is bounded.
func TestInflatedIsForgotten(t *testing.T) {
	i, d := newInflater(), &deflater{}
	for n := range 5 * generation / 100_000 {
		text := strings.Repeat(fmt.Sprintf("%9d\n", n), 10_000)
		if got, err := i.text(new(past), d.payload(text), false); err != nil || string(got) != text {
			t.Fatal(err)
		}
	}
	if n := len(i.young) + len(i.old); n > 2*generation/100_000+2 || n < generation/100_000 {
		t.Errorf("%d texts of 100 KB are kept", n)
	}
}

// What a relay may not send, or what nobody can inflate, ends the connection.
func TestBadlyDeflated(t *testing.T) {
	good := (&deflater{}).payload("hi")
	bomb := (&deflater{}).payload(strings.Repeat(" ", maxMessage+1))
	for _, c := range []struct {
		name   string
		offer  bool
		frames []ws.Frame
		want   string
	}{
		{"not agreed", false, []ws.Frame{packedFrame(ws.OpText, true, good)}, "no server may send"},
		{"ping", true, []ws.Frame{packedFrame(ws.OpPing, true, good)}, "no server may send"},
		{"continuation", true, []ws.Frame{packedFrame(ws.OpText, false, good[:1]), packedFrame(ws.OpContinuation, true, good[1:])}, "no server may send"},
		{"garbage", true, []ws.Frame{packedFrame(ws.OpText, true, []byte(`["EOSE","x"]`))}, "cannot be inflated"},
		{"bomb", true, []ws.Frame{packedFrame(ws.OpText, true, bomb)}, "without an end"},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := deflating(t, false, func(conn net.Conn) {
				for _, f := range c.frames {
					ws.WriteFrame(conn, f)
				}
			})
			conn, err := NewDialer(url, new(Meter), c.offer).Dial(t.Context(), newKept(), nil)
			if err != nil {
				t.Fatal(err)
			}
			<-conn.Done()
			if err := conn.Err(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// A relay that knows nothing of it goes on as before.
func TestDeclined(t *testing.T) {
	url := serve(t, func(conn net.Conn) {
		ws.WriteFrame(conn, ws.NewTextFrame([]byte("plain")))
		io.Copy(io.Discard, conn)
	})
	k, m := newKept(), new(Meter)
	c, err := NewDialer(url, m, true).Dial(t.Context(), k, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := k.next(t); got != "plain" || m.Answer() != Declined {
		t.Errorf("heard %q, answered %q", got, m.Answer())
	}
}
