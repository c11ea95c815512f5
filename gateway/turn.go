package gateway

import (
	"github.com/gobwas/ws"

	"rhea/gateway/deflate"
)

// turn is what is said to clients until the turn's end: of each a list of frames.
// Then each connection's are put into one buffer, which is hot from the connection
// before, and written with one system call. Copying a usual event costs less than
// naming it to the kernel as a piece of its own, and the bytes that are kept until
// then are the event's alone, however many get it.
type turn struct {
	frames []outgoing // the first is nobody's, so that 0 is none
	texts  []byte     // of messages that are nobody else's
	encode []byte
	dirty  []*conn // with frames
	dead   []*conn // to be forgotten
}

// outgoing is a frame for one client: a head of its own, and a body that many may
// share.
type outgoing struct {
	head    []byte
	body    []byte
	bracket bool // one follows the body
	packed  bool // the body is compressed; a head goes before it in a stored block
	op      ws.OpCode
	next    int32
}

// maxEncode is how many bytes are put together for one write.
const maxEncode = 128 << 10

// eventFrame is an event for a subscription.
func eventFrame(prefix, json []byte) outgoing {
	return outgoing{op: ws.OpText, head: prefix, body: json, bracket: true}
}

func (f *outgoing) size() int {
	n := len(f.head) + len(f.body)
	if f.bracket {
		n++
	}
	if f.packed && len(f.head) > 0 {
		n += deflate.StoredHeader
	}
	return n
}

func (f *outgoing) appendTo(dst []byte) []byte {
	at := len(dst)
	dst = appendHeader(dst, f.op, f.size())
	switch {
	case !f.packed:
		dst = append(dst, f.head...)
	case len(f.head) > 0:
		dst = deflate.AppendStored(dst, f.head)
		fallthrough
	default:
		dst[at] |= rsv1
	}
	dst = append(dst, f.body...)
	if f.bracket {
		dst = append(dst, ']')
	}
	return dst
}

// keep copies b until the turn's end.
func (t *turn) keep(b []byte) []byte {
	n := len(t.texts)
	t.texts = append(t.texts, b...)
	return t.texts[n:len(t.texts):len(t.texts)]
}

// queue puts a frame at the end of a connection's.
func (c *core) queue(cn *conn, f outgoing) {
	n := f.size()
	if cn.state != open {
		return
	}
	if cn.waiting()+n > c.hub.limits.maxOutbound {
		c.metrics.slow.Inc()
		c.kill(cn, "too many bytes wait for it")
		return
	}
	t := &c.hub.turn
	if len(t.frames) == 0 {
		t.frames = append(t.frames, outgoing{})
	}
	at := int32(len(t.frames))
	t.frames = append(t.frames, f)
	if cn.first == 0 {
		cn.first = at
		t.dirty = append(t.dirty, cn)
	} else {
		t.frames[cn.last].next = at
	}
	cn.last = at
	cn.queued += int32(n + headerSize(n))
}

func headerSize(n int) int {
	switch {
	case n < 126:
		return 2
	case n < 1<<16:
		return 4
	}
	return maxFrameHeader
}

// say queues a text frame. B may be c.scratch, which it becomes.
func (c *core) say(cn *conn, b []byte) {
	c.scratch = b
	if f, shorter := c.pack(cn, b); shorter {
		c.queue(cn, f)
		return
	}
	c.queue(cn, outgoing{op: ws.OpText, body: c.hub.turn.keep(b)})
}

// owePong answers a ping. Only the last one that is unanswered gets an answer
// (RFC 6455, 5.5.3), so that a flood of pings makes no flood of pongs.
func (c *core) owePong(cn *conn, payload []byte) {
	pong := outgoing{op: ws.OpPong, body: c.hub.turn.keep(payload)}
	switch last := &c.hub.turn; {
	case cn.state != open:
	case cn.out != nil:
		cn.out.pong = pong.appendTo(cn.out.pong[:0])
	case cn.last != 0 && last.frames[cn.last].op == ws.OpPong:
		cn.queued += int32(len(payload) - len(last.frames[cn.last].body))
		last.frames[cn.last].body = pong.body
	default:
		c.queue(cn, pong)
	}
}

// close queues a close frame as the last word, to be sent with what waits.
func (c *core) close(cn *conn, code ws.StatusCode, reason string) {
	if cn.state != open {
		return
	}
	if cn.out != nil && len(cn.out.pong) > 0 {
		cn.out.add(&c.hub.buffers, cn.out.pong)
		cn.out.pong = nil
	}
	c.queue(cn, outgoing{op: ws.OpClose, head: append([]byte{byte(code >> 8), byte(code)}, reason...)})
	if cn.state == open {
		cn.state = closing
	}
	c.hub.windows.close(cn)
	c.listen(cn)
}

// kill ends a connection at once, and what waits in the kernel with it.
func (c *core) kill(cn *conn, why string) {
	if cn.state != dead {
		c.hub.log.Debug("a connection is cut", "conn", cn.id, "because", why)
		c.bury(cn, true)
	}
}

// bury ends a connection. It is forgotten at the turn's end, when nobody is at work
// on it.
func (c *core) bury(cn *conn, reset bool) {
	if cn.state == dead {
		return
	}
	cn.state = dead
	c.hub.windows.close(cn)
	if cn.wire != nil {
		cn.wire.close(reset)
	}
	if cn.out != nil {
		c.hub.buffers.give(cn.out.buf)
		cn.out = nil
	}
	if cn.in != nil {
		c.hub.buffers.give(cn.in.buf)
		cn.in = nil
	}
	c.hub.turn.dead = append(c.hub.turn.dead, cn)
}
