package gateway

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"rhea/proto/frame"
)

// reader reads the frames of one client, in one goroutine at a time for as long
// as the connection lives.
type reader struct {
	s     *socket
	leave func()   // called at the end
	first [16]byte // read into while idle, so that idle connections have no buffer
	buf   []byte   // pooled; holds bytes from..to
	from  int
	to    int
	full  bool // the last read filled the buffer: there is more

	message    []byte // fragments so far
	fragmented bool
}

// ending is how a connection is to end.
type ending struct {
	code ws.StatusCode
	why  string // the client's fault; empty when it has closed the connection properly
	loud bool   // say it in a NOTICE as well
}

func (e *ending) Error() string { return e.why }

func protocolError(why string) error { return &ending{code: ws.StatusProtocolError, why: why} }

// run tells the core of the connection, reads until it ends, and tells that it
// has. Early are bytes that came with the HTTP request.
func (r *reader) run(early []byte) {
	s := r.s
	if !s.hub.send(word{kind: saidOpened, conn: s.conn}) {
		s.abort("the gateway stops")
		r.leave()
		return
	}
	if len(early) > 0 {
		r.buf = s.hub.buffers.take(len(early))
		r.to = copy(r.buf, early)
	}
	r.live()
}

// live reads until the connection ends. Whenever all that has come is handled, it
// goes on in a goroutine of its own, whose stack is new: handling a message makes
// the stack grow to a size that the runtime never takes back, and most connections
// are idle most of the time.
func (r *reader) live() {
	s := r.s
	err := r.frames()
	if err == errIdle {
		s.hub.running.Go(r.live)
		return
	}
	defer r.leave()
	if over := s.hushed(); over != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		s.hub.send(word{kind: saidStopped, conn: s.conn})
		<-over
	}
	if e, ok := err.(*ending); ok && !s.hub.send(word{kind: saidEnding, conn: s.conn, err: e}) {
		s.abort("the gateway stops")
	}
	if err != io.EOF {
		r.discard()
	}
	if r.buf != nil {
		s.hub.buffers.give(r.buf)
	}
	s.mu.Lock()
	s.end()
	s.mu.Unlock()
	s.hub.send(word{kind: saidClosed, conn: s.conn})
}

// discard reads what the client still says while the last word goes out, until
// it closes or the writer's deadline passes.
func (r *reader) discard() {
	scratch := r.s.hub.buffers.take(smallBuffer)
	defer r.s.hub.buffers.give(scratch)
	for left := 16 << 20; left > 0; {
		n, err := r.s.nc.Read(scratch)
		if err != nil {
			return
		}
		left -= n
	}
}

// frames handles frames until one ends the connection.
func (r *reader) frames() error {
	for {
		h, n, err := parseHeader(r.buf[r.from:r.to])
		if err != nil {
			return err
		}
		if n == 0 {
			if err := r.fill(maxHeader); err != nil {
				return err
			}
			continue
		}
		if err := r.check(h); err != nil {
			return err
		}
		for r.to-r.from < n+h.length {
			if err := r.fill(n + h.length); err != nil {
				return err
			}
		}
		payload := r.buf[r.from+n : r.from+n+h.length]
		ws.Cipher(payload, h.mask, 0)
		r.from += n + h.length
		if err := r.frame(h, payload); err != nil {
			return err
		}
		if r.from == r.to {
			r.s.hub.buffers.give(r.buf)
			r.buf, r.from, r.to = nil, 0, 0
			return errIdle
		}
	}
}

// errIdle says that all that has come is handled.
var errIdle = errors.New("nothing to do")

// errOver says that the connection, or the gateway, takes in nothing more.
var errOver = errors.New("the connection is over")

// check refuses a frame by its header, before its payload is read.
func (r *reader) check(h header) error {
	switch {
	case h.op.IsControl() && !h.fin:
		return protocolError("a control frame in fragments")
	case h.op.IsControl() && h.length > ws.MaxControlFramePayloadSize:
		return protocolError("a control frame of more than 125 bytes")
	case h.op.IsControl():
		return nil
	case h.op == ws.OpContinuation && !r.fragmented:
		return protocolError("a continuation of nothing")
	case h.op != ws.OpContinuation && r.fragmented:
		return protocolError("a message inside of another")
	case h.op == ws.OpBinary:
		return &ending{ws.StatusUnsupportedData, "messages are text, not binary", true}
	case h.length > r.s.hub.limits.Load().maxMessage-len(r.message):
		return &ending{ws.StatusMessageTooBig, fmt.Sprintf("a message has more than %d bytes", r.s.hub.limits.Load().maxMessage), true}
	}
	return nil
}

// frame handles one frame; payload is valid during the call.
func (r *reader) frame(h header, payload []byte) error {
	switch {
	case h.op == ws.OpPing:
		r.s.owePong(payload)
		return nil
	case h.op == ws.OpPong:
		return nil
	case h.op == ws.OpClose:
		return r.closeFrame(payload)
	case h.fin && !r.fragmented:
		return r.text(payload)
	}
	r.message = append(r.message, payload...)
	r.fragmented = !h.fin
	if r.fragmented {
		return nil
	}
	message := r.message
	r.message = nil
	return r.text(message)
}

// closeFrame answers a close frame (RFC 6455, 5.5.1 and 7.4).
func (r *reader) closeFrame(payload []byte) error {
	if len(payload) == 0 {
		return &ending{code: ws.StatusNormalClosure}
	}
	if len(payload) == 1 {
		return protocolError("a close frame of one byte")
	}
	code := ws.StatusCode(binary.BigEndian.Uint16(payload))
	if ws.CheckCloseFrameData(code, string(payload[2:])) != nil {
		return protocolError("a close frame with a code or reason that is none")
	}
	return &ending{code: code}
}

// text handles one message.
func (r *reader) text(b []byte) error {
	if !utf8.Valid(b) {
		return &ending{ws.StatusInvalidFramePayloadData, "a message is not UTF-8", false}
	}
	r.s.hub.metrics.messages.Inc()
	at := time.Now()
	c, err := frame.ParseClient(b)
	taken := weigh(c, err)
	if taken > 0 {
		taken += int(r.s.toll.Load())
		if !r.s.hub.windows.take(&r.s.share, taken) {
			return errOver
		}
		if c.Verb == frame.Auth {
			r.s.hub.windows.hold(&r.s.share)
		}
		r.s.heard.Store(r.s.hub.tick.Load()) // what came meanwhile is unread
	}
	c.Body = bytes.Clone(c.Body) // b is the buffer's
	if !r.s.hub.send(word{kind: saidMessage, conn: r.s.conn, client: c, taken: taken, err: err, at: at}) {
		return errOver
	}
	return nil
}

// fill reads more. The buffer grows as bytes come, up to need from r.from on: a
// length that a client merely claims gets it no memory.
func (r *reader) fill(need int) error {
	if r.buf == nil {
		n, err := r.read(r.first[:])
		if n > 0 {
			r.buf = r.s.hub.buffers.take(smallBuffer)
			r.to = copy(r.buf, r.first[:n])
		}
		return err
	}
	if r.full || len(r.buf)-r.from < need && (r.from > 0 || r.to == len(r.buf)) {
		r.makeRoom(need)
	}
	n, err := r.read(r.buf[r.to:])
	r.to += n
	r.full = r.to == len(r.buf)
	return err
}

// read reads at least one byte into b, or fails.
func (r *reader) read(b []byte) (int, error) {
	n, err := r.s.nc.Read(b)
	if n == 0 {
		if err == nil {
			err = io.ErrNoProgress
		}
		return 0, err
	}
	r.s.heard.Store(r.s.hub.tick.Load())
	r.s.hub.metrics.bytesIn.Add(n)
	return n, nil
}

// makeRoom moves what is unread to the start of the buffer, or of a larger one
// if the client fills this one.
func (r *reader) makeRoom(need int) {
	unread := r.buf[r.from:r.to]
	size := len(r.buf)
	switch {
	case size < largeBuffer && r.full:
		size = largeBuffer
	case len(unread) > size/2 && need > size:
		size = max(min(2*size, need), largeBuffer)
	}
	old := r.buf
	if size > len(old) {
		r.buf = r.s.hub.buffers.take(size)
	}
	r.from, r.to = 0, copy(r.buf, unread)
	if size > len(old) {
		r.s.hub.buffers.give(old)
	}
}
