package gateway

import (
	"log/slog"

	"github.com/gobwas/ws"
)

// hub is what all connections of a gateway share. Like they, it belongs to the core's
// goroutine.
type hub struct {
	limits  socketLimits
	metrics *metrics
	log     *slog.Logger
	leave   func(household) // tells the door

	tick    int64 // nanoseconds since the core's origin, as of its last tick
	buffers buffers
	windows *windows
	turn    turn
	input   []byte // what is being read; between two connections it is nobody's
}

func newHub(m *metrics, log *slog.Logger, l socketLimits) *hub {
	return &hub{metrics: m, log: log, limits: l, leave: func(household) {}, windows: newWindows(maxWindow), input: make([]byte, maxInput)}
}

// socketLimits are what connections go by. They may change at any time.
type socketLimits struct {
	maxMessage, maxOutbound int // bytes
}

// socket is the half of a connection that touches the network. It knows nothing of
// what the messages mean.
//
// Its life: open; then closing, when the last word is queued and nothing more is
// taken in; then dead, and the turn's end buries it. An idle one has neither an
// intake nor a backlog.
type socket struct {
	wire wire // nil in tests of the core

	heard int64 // tick of the last bytes from the client
	share share // of the windows

	in  *intake  // nil unless something is half read
	out *backlog // nil unless the network takes no more

	first, last int32 // frames of this turn; 0: none
	queued      int32 // bytes of them
	state       socketState
	packs       bool // messages may be compressed, in either direction
	hushed      bool // it is read no further
	notify      bool // the core waits for what waits to drain
	timed       bool // an alarm looks after the backlog
	shut        bool // the last word is out
}

type socketState uint8

const (
	open socketState = iota
	closing
	dead
)

// backlog is what the network has not taken.
type backlog struct {
	buf   []byte
	from  int    // up to here it has been taken
	pong  []byte // the answer to the last ping, owed
	since int64  // tick when the network last took something
}

// add puts b at the end.
func (l *backlog) add(p *buffers, b []byte) {
	if len(l.buf)+len(b) > cap(l.buf) {
		old := l.buf
		waits := old[l.from:]
		grown := p.take(max(len(waits)+len(b), min(2*len(waits), 2*len(waits)+len(b))))
		l.buf, l.from = append(grown[:0], waits...), 0
		p.give(old)
	}
	l.buf = append(l.buf, b...)
}

// waiting is how many bytes the client has not been sent.
func (s *socket) waiting() int {
	n := int(s.queued)
	if s.out != nil {
		n += len(s.out.buf) - s.out.from
	}
	return n
}

// crowded says whether more than limit bytes wait for the client. If they do, its
// queries are looked at again when most have been taken.
func (s *socket) crowded(limit int) bool {
	crowded := s.waiting() > limit
	s.notify = s.notify || crowded
	return crowded
}

// reads says whether what the client says is wanted.
func (s *socket) reads() bool {
	return s.state == closing || s.state == open && !s.hushed && !s.share.waits()
}

// maxFrameHeader is the most bytes that a frame's header has here.
const maxFrameHeader = 10

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
