package rawconn

import (
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// conn is a socket of Go's, but for reading and writing.
type conn struct {
	net.Conn
	raw     syscall.RawConn
	in, out direction
}

// direction is what is under way in one direction. Mutex: one caller at a time.
type direction struct {
	sync.Mutex
	buf  []byte
	n    int
	err  error
	step func(fd uintptr) (done bool) // made once, so that no call allocates

	waited bool
	streak int // reads in a row that did not wait
}

// longStreak is how many reads in a row go without letting others run.
const longStreak = 8

// Wrap returns nc with reads and writes that the scheduler is not told of, or nc
// itself if it is not a socket. Deadlines and Close work as they do on nc, and the
// result is as safe for concurrent use.
func Wrap(nc net.Conn) net.Conn {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return nc
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nc // it is closed, and says so itself
	}
	c := &conn{Conn: nc, raw: raw}
	c.in.step, c.out.step = c.in.read, c.out.write
	return c
}

func (c *conn) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	d := &c.in
	d.Lock()
	defer d.Unlock()
	d.buf, d.n, d.err, d.waited = b, 0, nil, false
	err := c.raw.Read(d.step)
	d.buf = nil
	if err != nil {
		return 0, err
	}
	if d.waited {
		d.streak = 0
	} else if d.streak++; d.streak == longStreak {
		d.streak = 0
		runtime.Gosched()
	}
	switch {
	case d.err != nil:
		return 0, c.failed("read", d.err)
	case d.n == 0:
		return 0, io.EOF
	}
	return d.n, nil
}

func (c *conn) Write(b []byte) (int, error) {
	d := &c.out
	d.Lock()
	defer d.Unlock()
	d.buf, d.n, d.err = b, 0, nil
	err := c.raw.Write(d.step)
	d.buf = nil
	if err != nil {
		return d.n, err
	}
	if d.err != nil {
		return d.n, c.failed("write", d.err)
	}
	return d.n, nil
}

func (c *conn) failed(op string, err error) error {
	return &net.OpError{
		Op: op, Net: c.LocalAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: os.NewSyscallError(op, err),
	}
}

func (d *direction) read(fd uintptr) bool {
	d.n, d.err = Read(int(fd), d.buf)
	if d.err == unix.EAGAIN {
		d.waited, d.err = true, nil
		return false
	}
	return true
}

// write writes all of the buffer, in as many steps as it takes.
func (d *direction) write(fd uintptr) bool {
	for d.n < len(d.buf) {
		n, err := Write(int(fd), d.buf[d.n:])
		if err == unix.EAGAIN {
			return false
		}
		if err != nil {
			d.err = err
			return true
		}
		d.n += n
	}
	return true
}

// Read is read(2) of a descriptor that does not block, again if a signal interrupts
// it. Nothing and no error: the end. EAGAIN: nothing yet.
func Read(fd int, b []byte) (int, error) { return transfer(unix.SYS_READ, fd, b) }

// Write is write(2) of a descriptor that does not block, again if a signal
// interrupts it. EAGAIN: it takes nothing now.
func Write(fd int, b []byte) (int, error) { return transfer(unix.SYS_WRITE, fd, b) }

func transfer(call uintptr, fd int, b []byte) (int, error) {
	for {
		n, _, err := unix.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		switch err {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, err
		}
	}
}
