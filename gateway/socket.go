package gateway

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"
)

// socket is the half of a connection that touches the network: what waits to be
// written, and the goroutines that read and write. It knows nothing of what the
// frames mean. Methods may be called from any goroutine and never block.
//
// Its life: open; then closing, when the last word is queued and nothing more is
// taken in; then dead. The reader is the last to use it and reports its end.
type socket struct {
	nc   net.Conn // nil in tests of the core
	conn *conn    // the other half
	hub  *hub

	heard atomic.Int64 // tick of the last bytes from the client
	share share        // of the windows; theirs
	toll  atomic.Int32 // bytes that each message takes of the windows beside its own: keys

	mu      sync.Mutex
	state   socketState
	writing bool          // a writer goroutine is alive
	notify  bool          // the core waits for the buffer to drain
	flight  int           // bytes that the writer is writing
	buf     []byte        // frames that wait for it
	pong    []byte        // the answer to the last ping, owed
	over    chan struct{} // since hush; closed when the last word is out, or nothing goes out any more
}

type socketState uint8

const (
	open socketState = iota
	closing
	dead
)

// text queues a text frame of b. Nothing is sent before flush.
func (s *socket) text(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.room(len(b)) {
		s.buf = append(appendHeader(s.buf, ws.OpText, len(b)), b...)
	}
}

// event queues a text frame of prefix, json and a closing bracket.
func (s *socket) event(prefix string, json []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(prefix) + len(json) + 1
	if s.room(n) {
		s.buf = append(appendHeader(s.buf, ws.OpText, n), prefix...)
		s.buf = append(s.buf, json...)
		s.buf = append(s.buf, ']')
	}
}

// ping queues a ping.
func (s *socket) ping() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.room(0) {
		s.buf = appendHeader(s.buf, ws.OpPing, 0)
	}
}

// owePong answers a ping. Only the last one that is unanswered gets an answer
// (RFC 6455, 5.5.3), so that a flood of pings makes no flood of pongs.
func (s *socket) owePong(payload []byte) {
	s.mu.Lock()
	if s.state == open {
		s.pong = append(appendHeader(s.pong[:0], ws.OpPong, len(payload)), payload...)
	}
	s.mu.Unlock()
	s.flush()
}

// maxFrameHeader is the most bytes that a frame's header has here.
const maxFrameHeader = 10

// room says whether a frame of n bytes may wait, and takes a buffer for it.
// A client that lets more gather than it may is disconnected. Mu is held.
func (s *socket) room(n int) bool {
	if s.state != open {
		return false
	}
	if s.flight+len(s.buf)+n > s.hub.limits.Load().maxOutbound {
		s.hub.metrics.slow.Inc()
		s.kill("too many bytes wait for it")
		return false
	}
	if need := len(s.buf) + n + maxFrameHeader; need > cap(s.buf) && need <= largeBuffer {
		old := s.buf
		s.buf = append(s.hub.buffers.take(need)[:0], old...)
		s.hub.buffers.give(old)
	}
	return true
}

// crowded says whether more than limit bytes wait for the client. If they do, the
// core hears when most have been taken.
func (s *socket) crowded(limit int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	crowded := s.flight+len(s.buf) > limit
	s.notify = s.notify || crowded
	return crowded
}

// close queues a close frame as the last word, to be sent with what waits.
func (s *socket) close(code ws.StatusCode, reason string) {
	s.mu.Lock()
	if s.state == open && s.room(0) {
		s.buf, s.pong = append(s.buf, s.pong...), nil
		s.buf = appendHeader(s.buf, ws.OpClose, 2+len(reason))
		s.buf = append(s.buf, byte(code>>8), byte(code))
		s.buf = append(s.buf, reason...)
		s.state = closing
	}
	s.mu.Unlock()
	s.hub.windows.close(&s.share)
	s.flush()
}

// hush has the reader stop where it is. What has been read it still hands on; then
// it tells the core so.
func (s *socket) hush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == open && s.nc != nil && s.over == nil {
		s.over = make(chan struct{})
		_ = s.nc.SetReadDeadline(time.Unix(1, 0)) // a connection that is lost stops as well
	}
}

// hushed returns what the reader waits for once it has stopped, nil if it need not.
func (s *socket) hushed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over
}

// unhush lets a reader that has stopped go on to the end. Mu is held.
func (s *socket) unhush() {
	if s.over != nil {
		close(s.over)
		s.over = nil
	}
}

// abort ends the connection at once.
func (s *socket) abort(why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kill(why)
}

// kill ends the connection and forgets what waits, in the kernel too. Mu is held.
func (s *socket) kill(why string) {
	if s.state == dead {
		return
	}
	s.hub.log.Debug("a connection is cut", "conn", s.conn.id, "because", why)
	if tcp, ok := s.nc.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // the connection is lost already if this fails
	}
	s.end()
}

// end closes the connection. Mu is held.
func (s *socket) end() {
	s.state, s.buf, s.pong = dead, nil, nil
	s.unhush()
	s.hub.windows.close(&s.share)
	if s.nc != nil {
		_ = s.nc.Close() // there is no use for an error of a connection that is over
	}
}

// appendHeader appends the header of an unfragmented, unmasked frame.
func appendHeader(dst []byte, op ws.OpCode, n int) []byte {
	dst = append(dst, 0x80|byte(op))
	switch {
	case n < 126:
		return append(dst, byte(n))
	case n < 1<<16:
		return append(dst, 126, byte(n>>8), byte(n))
	}
	return append(dst, 127, 0, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}
