package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
)

// Handler is told what comes. All calls for a connection come from one goroutine.
type Handler interface {
	// Message gets one text message, which is valid during the call alone, and when
	// its last bytes came.
	Message(c *Conn, msg []byte, at time.Time)
	// Turn follows the messages that came together.
	Turn(c *Conn)
}

// Conn is a connection. Its methods are safe for concurrent use.
type Conn struct {
	tcp  *net.TCPConn
	raw  syscall.RawConn
	to   Handler
	rest []byte // the beginning of a frame whose end has not come
	frag []byte // what has come of a message whose last frame has not
	past past   // of what the relay compresses

	dialer   *Dialer
	deflates bool // the relay may compress
	takeover bool // and refer to what it has sent before
	packed   bool // frag is compressed

	mu  sync.Mutex // guards out, and orders what is written
	out []byte     // frames that wait for Flush

	once sync.Once
	err  error // why it ended; read after done
	done chan struct{}
}

// bufferSize is what one read takes from a socket at most.
const bufferSize = 64 << 10

// maxMessage bounds what is taken from a relay as one message.
const maxMessage = 16 << 20

func buffers() *sync.Pool {
	return &sync.Pool{New: func() any { return new([bufferSize]byte) }}
}

// Dialer makes connections to one address. Its buffers are shared by all of them.
// It is safe for concurrent use.
type Dialer struct {
	url      string
	meter    *Meter
	inflater *inflater // nil: permessage-deflate is not offered
	buffers  *sync.Pool
}

// NewDialer returns a dialer for a URL that begins with ws://, which counts what comes in
// meter. With deflate it offers permessage-deflate as browsers do.
func NewDialer(url string, meter *Meter, deflate bool) *Dialer {
	d := &Dialer{url: url, meter: meter, buffers: buffers()}
	if deflate {
		d.inflater = newInflater()
	}
	return d
}

// Dial connects, and has h told what comes. The error says what the relay answered,
// if it is not a WebSocket. From names the local address; nil: any.
func (d *Dialer) Dial(ctx context.Context, h Handler, from net.Addr) (*Conn, error) {
	nd := net.Dialer{LocalAddr: from}
	wd := ws.Dialer{NetDial: nd.DialContext}
	if d.inflater != nil {
		wd.Extensions = append(wd.Extensions, wsflate.Parameters{ClientMaxWindowBits: 1}.Option())
	}
	conn, early, shake, err := wd.Dial(ctx, d.url)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", d.url, err)
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		_ = conn.Close() // it was of no use
		return nil, fmt.Errorf("%s is not plain TCP: measure behind whatever does TLS", d.url)
	}
	c := &Conn{tcp: tcp, to: h, dialer: d, done: make(chan struct{})}
	if err := c.agree(shake); err != nil {
		_ = conn.Close() // as above
		return nil, fmt.Errorf("connecting to %s: %w", d.url, err)
	}
	if c.raw, err = tcp.SyscallConn(); err != nil {
		_ = conn.Close() // as above
		return nil, fmt.Errorf("connecting to %s: %w", d.url, err)
	}
	if early != nil { // what came with the handshake
		c.rest = make([]byte, early.Buffered())
		_, err := io.ReadFull(early, c.rest)
		ws.PutReader(early)
		if err != nil {
			_ = conn.Close() // as above
			return nil, fmt.Errorf("connecting to %s: %w", d.url, err)
		}
	}
	go c.read()
	return c, nil
}

// agree takes the relay's answer to what was offered.
func (c *Conn) agree(shake ws.Handshake) error {
	if c.dialer.inflater == nil {
		return nil
	}
	answer := Declined
	for _, o := range shake.Extensions { // one at most, as one was offered
		var p wsflate.Parameters
		if err := p.Parse(o); err != nil {
			return fmt.Errorf("the relay's answer to permessage-deflate: %w", err)
		}
		c.deflates, c.takeover = true, !p.ServerNoContextTakeover
		answer = NoTakeover
		if c.takeover {
			answer = Takeover
		}
	}
	c.dialer.meter.answer.Store(answer)
	return nil
}

// Queue adds a text message, whose parts are written one behind the other, to what
// the next Flush sends.
func (c *Conn) Queue(parts ...[]byte) { c.frame(ws.OpText, parts...) }

func (c *Conn) frame(op ws.OpCode, parts ...[]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	c.out = append(c.out, 0x80|byte(op))
	switch {
	case size < 126:
		c.out = append(c.out, 0x80|byte(size))
	case size < 1<<16:
		c.out = binary.BigEndian.AppendUint16(append(c.out, 0x80|126), uint16(size))
	default:
		c.out = binary.BigEndian.AppendUint64(append(c.out, 0x80|127), uint64(size))
	}
	// Any mask will do: it is there against proxies that take text for HTTP. One of
	// zeros would spare the relay what every other client costs it.
	mask := [4]byte{0x5e, 0xa7, 0x13, 0xc8}
	c.out = append(c.out, mask[:]...)
	from := len(c.out)
	for _, p := range parts {
		c.out = append(c.out, p...)
	}
	ws.Cipher(c.out[from:], mask, 0)
}

// Flush writes what was queued. It blocks while the relay does not read; Close ends
// that. After an error the connection has ended.
func (c *Conn) Flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.out) == 0 {
		return
	}
	_, err := c.tcp.Write(c.out)
	if c.out = c.out[:0]; cap(c.out) > bufferSize {
		c.out = nil
	}
	if err != nil {
		c.end(fmt.Errorf("writing: %w", err))
	}
}

// errClosed says that this side has ended a connection.
var errClosed = errors.New("closed")

// Close ends the connection and returns when the handler is told nothing more. It
// must not be called by the handler.
func (c *Conn) Close() {
	c.end(errClosed)
	<-c.done
}

// Handler is what is told of this connection.
func (c *Conn) Handler() Handler { return c.to }

// Done is closed when the connection has ended and the handler is told nothing more.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err says why the connection has ended, after Done; nil when Close was called.
func (c *Conn) Err() error {
	if errors.Is(c.err, errClosed) {
		return nil
	}
	return c.err
}

// Fail ends the connection because of what came. It is safe for concurrent use, and
// returns at once.
func (c *Conn) Fail(err error) { c.end(err) }

func (c *Conn) end(why error) {
	c.once.Do(func() {
		c.err = why
		// Not Close: that waits for the reader, which may be who calls. It closes.
		_ = c.tcp.SetDeadline(time.Unix(1, 0))
	})
}
