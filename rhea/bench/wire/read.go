package wire

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"github.com/gobwas/ws"
)

// read hands on what comes until the connection ends.
func (c *Conn) read() {
	defer close(c.done)
	defer c.tcp.Close() // nothing is lost with it but what is over anyway
	if len(c.rest) > 0 {
		c.dialer.meter.Bytes.Add(int64(len(c.rest)))
		if err := c.take(c.rest, time.Now()); err != nil {
			c.end(err)
			return
		}
	}
	var failed error
	// It is one call for the life of the connection: what becomes ready between two reads
	// is remembered only within it. So a read that leaves room in its buffer, which is to
	// say nothing in the socket, need not be followed by one that finds nothing.
	err := c.raw.Read(func(fd uintptr) bool {
		for more := true; more && failed == nil; {
			more, failed = c.turn(int(fd))
		}
		return failed != nil
	})
	c.end(cmp.Or(failed, fmt.Errorf("reading: %w", err)))
}

// turn reads once, into a buffer of the pool if what is left over and as much again fit
// into it, and hands on what there is. While it waits the connection has no buffer. There
// may be more when the buffer was filled.
func (c *Conn) turn(fd int) (more bool, err error) {
	var b []byte
	if len(c.rest) <= bufferSize/2 {
		whole := c.dialer.buffers.Get().(*[bufferSize]byte)
		defer c.dialer.buffers.Put(whole)
		b = whole[:]
	} else {
		b = make([]byte, 2*len(c.rest))
	}
	n, err := syscall.Read(fd, b[len(c.rest):])
	switch {
	case errors.Is(err, syscall.EAGAIN):
		return false, nil
	case errors.Is(err, syscall.EINTR):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("reading: %w", err)
	case n == 0:
		return false, fmt.Errorf("reading: %w", io.EOF)
	}
	c.dialer.meter.Bytes.Add(int64(n))
	size := copy(b, c.rest) + n
	return size == len(b), c.take(b[:size], time.Now())
}

// take hands on the messages in b and keeps what is behind the last of them.
func (c *Conn) take(b []byte, at time.Time) error {
	for {
		f, size, err := parseFrame(b)
		if err != nil {
			return err
		}
		if size == 0 {
			break
		}
		if err := c.handle(f, at); err != nil {
			return err
		}
		b = b[size:]
	}
	// In place: b may be a part of rest.
	if c.rest = append(c.rest[:0], b...); len(b) == 0 && cap(c.rest) > 1024 {
		c.rest = nil
	}
	c.to.Turn(c)
	return nil
}

func (c *Conn) handle(f frame, at time.Time) error {
	if f.packed && (!c.deflates || f.op != ws.OpText && f.op != ws.OpBinary) {
		return errStrange
	}
	switch f.op {
	case ws.OpText, ws.OpBinary, ws.OpContinuation:
		switch {
		case f.final && len(c.frag) == 0:
			return c.message(f.payload, f.packed || c.packed, at)
		case len(c.frag)+len(f.payload) > maxMessage:
			return errors.New("the relay sends a message without an end")
		}
		c.frag, c.packed = append(c.frag, f.payload...), c.packed || f.packed
		if f.final {
			whole := c.frag
			c.frag = nil
			return c.message(whole, c.packed, at)
		}
	case ws.OpPing:
		c.frame(ws.OpPong, f.payload)
		c.Flush()
	case ws.OpClose:
		code, reason := ws.ParseCloseFrameData(f.payload)
		return fmt.Errorf("the relay closed the connection: %d %s", code, reason)
	}
	return nil
}

// message hands on a message.
func (c *Conn) message(b []byte, packed bool, at time.Time) (err error) {
	if c.packed = false; packed {
		if b, err = c.dialer.inflater.text(&c.past, b, c.takeover); err != nil {
			return err
		}
	}
	c.dialer.meter.Texts.Add(int64(len(b)))
	c.to.Message(c, b, at)
	return nil
}

type frame struct {
	op      ws.OpCode
	final   bool
	packed  bool // compressed; RSV1
	payload []byte
}

var errStrange = errors.New("the relay sends a frame that no server may send")

// parseFrame reads the frame that b begins with; size is its length, 0 when it is not
// there whole.
func parseFrame(b []byte) (f frame, size int, err error) {
	if len(b) < 2 {
		return f, 0, nil
	}
	if b[0]&0x30 != 0 || b[1]&0x80 != 0 {
		return f, 0, errStrange
	}
	head, n := 2, uint64(b[1])
	switch {
	case n == 126 && len(b) >= 4:
		head, n = 4, uint64(binary.BigEndian.Uint16(b[2:]))
	case n == 127 && len(b) >= 10:
		head, n = 10, binary.BigEndian.Uint64(b[2:])
	case n >= 126:
		return f, 0, nil
	}
	if n > maxMessage {
		return f, 0, fmt.Errorf("the relay sends a frame of %d bytes", n)
	}
	size = head + int(n)
	if len(b) < size {
		return f, 0, nil
	}
	return frame{ws.OpCode(b[0] & 0x0f), b[0]&0x80 != 0, b[0]&0x40 != 0, b[head:size]}, size, nil
}
