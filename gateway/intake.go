package gateway

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"rhea/proto/frame"
	"rhea/proto/nostr"
)

// intake is what has been read of a client and is not handled yet: the beginning of
// a frame, fragments of a message, a message that waits for room in the windows.
type intake struct {
	buf  []byte // pooled; begins with a frame
	need int    // bytes of that frame, as far as is known

	message    []byte // fragments so far
	fragmented bool
	packed     bool // they are compressed

	held *said
}

// said is a message of a client.
type said struct {
	client frame.Client // its Body is the core's
	err    error        // why it cannot be understood
	taken  int          // bytes of the windows
	came   time.Time    // of one that waits
}

// maxInput is how much is read of a connection before the next one's turn.
const maxInput = 64 << 10

// room returns where more can be read to. The buffer grows as bytes come: a length
// that a client merely claims gets it no memory.
func (in *intake) room(p *buffers) []byte {
	if len(in.buf) == cap(in.buf) {
		old := in.buf
		in.buf = append(p.take(min(max(in.need, len(old)+1), 2*len(old)))[:0], old...)
		p.give(old)
	}
	return in.buf[len(in.buf):cap(in.buf)]
}

// intake returns a connection's, which is a new one if it had none.
func (cn *conn) intake() *intake {
	if cn.in == nil {
		cn.in = new(intake)
	}
	return cn.in
}

// readable reads what a client has sent, up to a bound, and handles it.
func (c *core) readable(cn *conn) {
	into := c.hub.input
	half := cn.in != nil && len(cn.in.buf) > 0
	if half {
		into = cn.in.room(&c.hub.buffers)
	}
	n, err := cn.wire.read(into)
	switch {
	case err == errWait:
		return
	case err != nil: // it has gone, or shut its end, which nobody does who wants an answer
		c.bury(cn, false)
		return
	}
	c.metrics.bytesIn.Add(n)
	if cn.state != open {
		return // it was told to close; what it says until then is for nobody
	}
	cn.heard = c.hub.tick
	if half {
		cn.in.buf = cn.in.buf[:len(cn.in.buf)+n]
		c.takeIn(cn, cn.in.buf)
	} else {
		c.takeIn(cn, into[:n])
	}
}

// takeIn handles the frames in b, and keeps what is left of it.
func (c *core) takeIn(cn *conn, b []byte) {
	used, need, err := c.frames(cn, b)
	if err != nil {
		c.end(cn, err)
	}
	if cn.state != open {
		return
	}
	p, rest := &c.hub.buffers, b[used:]
	switch in := cn.in; {
	case len(rest) > 0 && in != nil && len(in.buf) > 0: // rest is its end
		in.buf, in.need = in.buf[:copy(in.buf, rest)], need
	case len(rest) > 0:
		in = cn.intake()
		in.buf, in.need = append(p.take(max(len(rest), min(need, 2*len(rest))))[:0], rest...), need
	case in != nil:
		p.give(in.buf)
		if in.buf = nil; !in.fragmented && in.held == nil {
			cn.in = nil
		}
	}
}

// frames handles frames until b ends or something else has to happen first. It
// returns how many bytes it has used, and how many the next frame needs.
func (c *core) frames(cn *conn, b []byte) (used, need int, err *ending) {
	for cn.state == open && !cn.share.waits() {
		h, n, err := parseHeader(b[used:])
		switch {
		case err != nil:
			return used, 0, err
		case n == 0:
			return used, maxHeader, nil
		}
		if err := c.check(cn, h); err != nil {
			return used, 0, err
		}
		if n += h.length; len(b)-used < n {
			return used, n, nil
		}
		payload := b[used+n-h.length : used+n]
		ws.Cipher(payload, h.mask, 0)
		used += n
		if err := c.frame(cn, h, payload); err != nil {
			return used, 0, err
		}
	}
	return used, maxHeader, nil
}

// check refuses a frame by its header, before its payload is there.
func (c *core) check(cn *conn, h header) *ending {
	fragments, fragmented := 0, false
	if cn.in != nil {
		fragments, fragmented = len(cn.in.message), cn.in.fragmented
	}
	most := c.hub.limits.maxMessage
	switch {
	case h.packed && (!cn.packs || h.op.IsControl() || h.op == ws.OpContinuation):
		return protocolError("a reserved bit is set")
	case h.op.IsControl() && !h.fin:
		return protocolError("a control frame in fragments")
	case h.op.IsControl() && h.length > ws.MaxControlFramePayloadSize:
		return protocolError("a control frame of more than 125 bytes")
	case h.op.IsControl():
		return nil
	case h.op == ws.OpContinuation && !fragmented:
		return protocolError("a continuation of nothing")
	case h.op != ws.OpContinuation && fragmented:
		return protocolError("a message inside of another")
	case h.op == ws.OpBinary:
		return &ending{ws.StatusUnsupportedData, "messages are text, not binary", true}
	case h.length > most-fragments:
		return tooLong(most)
	}
	return nil
}

// frame handles one frame; payload is valid during the call.
func (c *core) frame(cn *conn, h header, payload []byte) *ending {
	switch {
	case h.op == ws.OpPing:
		c.owePong(cn, payload)
		return nil
	case h.op == ws.OpPong:
		return nil
	case h.op == ws.OpClose:
		return closeFrame(payload)
	case h.fin && h.op != ws.OpContinuation:
		return c.whole(cn, h.packed, payload)
	}
	in := cn.intake()
	if h.op != ws.OpContinuation {
		in.packed = h.packed
	}
	in.message = append(in.message, payload...)
	in.fragmented = !h.fin
	if in.fragmented {
		return nil
	}
	message := in.message
	in.message = nil
	return c.whole(cn, in.packed, message)
}

// whole handles one message, which may be compressed.
func (c *core) whole(cn *conn, packed bool, payload []byte) *ending {
	if packed {
		return c.unpack(cn, payload)
	}
	return c.text(cn, payload)
}

// closeFrame answers a close frame (RFC 6455, 5.5.1 and 7.4).
func closeFrame(payload []byte) *ending {
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
func (c *core) text(cn *conn, b []byte) *ending {
	if !utf8.Valid(b) {
		return &ending{ws.StatusInvalidFramePayloadData, "a message is not UTF-8", false}
	}
	c.metrics.messages.Inc()
	client, err := frame.ParseClient(b)
	client.Body = bytes.Clone(client.Body) // b is the buffer's
	c.admit(cn, said{client: client, err: err})
	return nil
}

// admit handles a message, or keeps it until there is room in the windows.
func (c *core) admit(cn *conn, s said) {
	if s.taken = weigh(s.client, s.err); s.taken > 0 {
		s.taken += len(cn.keys()) * len(nostr.PubKey{})
		if !c.hub.windows.take(cn, s.taken) {
			held := s // only those that wait take memory
			held.came = c.at
			cn.intake().held = &held
			c.listen(cn)
			return
		}
	}
	c.letIn(cn, s)
}

// letIn handles a message that the windows have room for. What asks something behind
// an AUTH waits for its answer.
func (c *core) letIn(cn *conn, s said) {
	if s.client.Verb == frame.Auth && s.taken > 0 {
		c.hub.windows.hold(cn)
	}
	c.hear(cn, s)
}

func (c *core) hear(cn *conn, s said) {
	num := c.message(cn, s.client, s.err)
	c.claim(num, cn, s.taken)
	if num == 0 && s.client.Verb == frame.Auth && s.taken > 0 {
		c.hub.windows.release(cn)
	}
}

// Resume goes on with the connections whose messages have found room in the windows.
func (c *core) Resume() {
	w := c.hub.windows
	for len(w.passed) > 0 {
		passed := w.passed
		w.passed = nil
		for _, cn := range passed {
			n := int(cn.share.passed)
			cn.share.passed = 0
			if cn.state != open {
				w.give(cn, n)
				continue
			}
			c.goOn(cn)
		}
	}
}

func (c *core) goOn(cn *conn) {
	in := cn.in
	held := in.held
	in.held = nil
	cn.heard = c.hub.tick // what came meanwhile is unread
	now := c.at
	c.at = held.came
	c.letIn(cn, *held)
	c.at = now
	c.takeIn(cn, in.buf)
	if cn.state == open && !cn.share.waits() {
		cn.stopped = cn.hushed
		c.listen(cn)
	}
}

// ending is how a connection is to end.
type ending struct {
	code ws.StatusCode
	why  string // the client's fault; empty when it has closed the connection properly
	loud bool   // say it in a NOTICE as well
}

func tooLong(most int) *ending {
	return &ending{ws.StatusMessageTooBig, fmt.Sprintf("a message has more than %d bytes", most), true}
}

func protocolError(why string) *ending { return &ending{code: ws.StatusProtocolError, why: why} }
