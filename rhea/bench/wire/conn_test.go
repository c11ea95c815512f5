package wire

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// kept is a handler that keeps all messages.
type kept struct {
	messages chan string
	turns    chan bool
}

func newKept() *kept { return &kept{make(chan string, 1000), make(chan bool, 1000)} }

func (k *kept) Message(_ *Conn, msg []byte, _ time.Time) { k.messages <- string(msg) }
func (k *kept) Turn(*Conn)                               { k.turns <- true }

func (k *kept) next(t *testing.T) string {
	t.Helper()
	select {
	case m := <-k.messages:
		return m
	case <-time.After(10 * time.Second):
		t.Fatal("nothing comes")
		return ""
	}
}

// serve runs a WebSocket server whose connections are given to each.
func serve(t *testing.T, each func(net.Conn)) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, _, err := ws.UpgradeHTTP(r, w)
		if err != nil {
			return
		}
		defer conn.Close()
		each(conn)
	}))
	t.Cleanup(s.Close)
	return "ws" + strings.TrimPrefix(s.URL, "http")
}

func dial(t *testing.T, url string, h Handler) *Conn {
	t.Helper()
	c, err := NewDialer(url, new(Meter), false).Dial(context.Background(), h, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// What is sent comes back as it was, whatever its size and however it is cut.
func TestEcho(t *testing.T) {
	url := serve(t, func(conn net.Conn) {
		for {
			msg, err := wsutil.ReadClientText(conn)
			if err != nil {
				return
			}
			var frames bytes.Buffer
			half := len(msg) / 2
			ws.WriteFrame(&frames, ws.NewFrame(ws.OpText, false, msg[:half]))
			ws.WriteFrame(&frames, ws.NewPingFrame([]byte("p")))
			ws.WriteFrame(&frames, ws.NewFrame(ws.OpContinuation, true, msg[half:]))
			ws.WriteFrame(&frames, ws.NewTextFrame(msg))
			// Cut where it hurts.
			for b := frames.Bytes(); len(b) > 0; {
				n := min(len(b), max(1, len(b)*2/3))
				if _, err := conn.Write(b[:n]); err != nil {
					return
				}
				b = b[n:]
			}
		}
	})
	k := newKept()
	c := dial(t, url, k)
	for _, size := range []int{0, 1, 125, 126, 127, 65535, 65536, 300_000} {
		want := strings.Repeat("xyz", size/3+1)[:size]
		c.Queue([]byte(want[:size/3]), []byte(want[size/3:]))
		c.Flush()
		for range 2 {
			if got := k.next(t); got != want {
				t.Fatalf("%d bytes come back as %d", size, len(got))
			}
		}
	}
	if len(k.turns) == 0 {
		t.Error("no turn")
	}
}

func TestClosedByTheRelay(t *testing.T) {
	url := serve(t, func(conn net.Conn) {
		ws.WriteFrame(conn, ws.NewCloseFrame(ws.NewCloseFrameBody(4001, "go away")))
		io.Copy(io.Discard, conn)
	})
	c := dial(t, url, newKept())
	<-c.Done()
	if err := c.Err(); err == nil || !strings.Contains(err.Error(), "4001 go away") {
		t.Errorf("got %v", err)
	}
}

func TestNoWebSocket(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	_, err := NewDialer("ws"+strings.TrimPrefix(s.URL, "http"), new(Meter), false).Dial(context.Background(), newKept(), nil)
	if err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("got %v", err)
	}
}

// Frames that no server may send end the connection, and none makes it panic.
func FuzzParseFrame(f *testing.F) {
	f.Add([]byte("\x81\x02hi"))
	f.Add([]byte("\x81\x7e\x00\x02hi"))
	f.Add([]byte("\x81\x7f\x00\x00\x00\x00\x00\x00\x00\x02hi"))
	f.Add([]byte("\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, size, err := parseFrame(b)
		if size > len(b) || err != nil && size > 0 {
			t.Fatalf("%d of %d bytes: %v", size, len(b), err)
		}
	})
}

// failing is a handler that ends its connection with the first message.
type failing struct{ kept }

func (f *failing) Message(c *Conn, _ []byte, _ time.Time) { c.Fail(io.ErrUnexpectedEOF) }

// A handler may end its connection while it is told of a message, and whoever closes the
// connection then does not wait for ever.
func TestFailFromTheHandler(t *testing.T) {
	url := serve(t, func(conn net.Conn) {
		ws.WriteFrame(conn, ws.NewTextFrame([]byte("x")))
		io.Copy(io.Discard, conn)
	})
	c := dial(t, url, &failing{*newKept()})
	select {
	case <-c.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the connection does not end")
	}
	if err := c.Err(); err != io.ErrUnexpectedEOF {
		t.Errorf("got %v", err)
	}
}
