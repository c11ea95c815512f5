package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"

	"github.com/gobwas/ws"
)

// read hands on what comes until the connection ends.
func (c *Conn) read(buffers *sync.Pool) {
	defer close(c.done)
	if len(c.rest) > 0 {
		if err := c.take(c.rest, time.Now()); err != nil {
			c.end(err)
			return
		}
	}
	for {
		b, from, err := c.fill(buffers)
		if err == nil {
			err = c.take(b[:from], time.Now())
			c.put(buffers, b)
		}
		if err != nil {
			c.end(err)
			return
		}
	}
}

// fill waits for bytes and returns them behind what was left over, in a buffer of the
// pool if they fit into it. While it waits the connection has none.
func (c *Conn) fill(buffers *sync.Pool) (b []byte, size int, err error) {
	failed := c.raw.Read(func(fd uintptr) bool {
		if b == nil {
			b = c.room(buffers)
		}
		n, e := syscall.Read(int(fd), b[len(c.rest):])
		for e == syscall.EINTR {
			n, e = syscall.Read(int(fd), b[len(c.rest):])
		}
		switch {
		case e == syscall.EAGAIN:
			c.put(buffers, b)
			b = nil
			return false
		case e != nil:
			err = fmt.Errorf("reading: %w", e)
		case n == 0:
			err = fmt.Errorf("reading: %w", io.EOF)
		default:
			size = copy(b, c.rest) + n
		}
		return true
	})
	if failed != nil && err == nil {
		err = fmt.Errorf("reading: %w", failed)
	}
	return b, size, err
}

// room is a buffer for what is left over and as much again, or more.
func (c *Conn) room(buffers *sync.Pool) []byte {
	if len(c.rest) <= bufferSize/2 {
		return buffers.Get().(*[bufferSize]byte)[:]
	}
	return make([]byte, 2*len(c.rest))
}

func (c *Conn) put(buffers *sync.Pool, b []byte) {
	if len(b) == bufferSize {
		buffers.Put((*[bufferSize]byte)(b))
	}
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
	switch f.op {
	case ws.OpText, ws.OpBinary, ws.OpContinuation:
		switch {
		case f.final && len(c.frag) == 0:
			c.to.Message(c, f.payload, at)
		case len(c.frag)+len(f.payload) > maxMessage:
			return errors.New("the relay sends a message without an end")
		default:
			if c.frag = append(c.frag, f.payload...); f.final {
				c.to.Message(c, c.frag, at)
				c.frag = nil
			}
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

type frame struct {
	op      ws.OpCode
	final   bool
	payload []byte
}

// parseFrame reads the frame that b begins with; size is its length, 0 when it is not
// there whole.
func parseFrame(b []byte) (f frame, size int, err error) {
	if len(b) < 2 {
		return f, 0, nil
	}
	if b[0]&0x70 != 0 || b[1]&0x80 != 0 {
		return f, 0, errors.New("the relay sends a frame that no server may send")
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
	return frame{ws.OpCode(b[0] & 0x0f), b[0]&0x80 != 0, b[head:size]}, size, nil
}
