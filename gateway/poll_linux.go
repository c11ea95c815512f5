package gateway

import (
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"rhea/proto/rawconn"
	"rhea/proto/subject"
)

// epoll is the network on Linux: sockets without net.Conn, goroutine, stack or
// buffer, in one epoll instance. That instance is itself a file that Go's own poller
// watches. So the only one who ever waits is Go's scheduler, and traffic of clients
// wakes the process in the same way as traffic of the bus; a thread of our own in
// epoll_wait would cost a second wake-up, and a hand-over, each time.
//
// System calls on the sockets do not tell the scheduler: none of them waits.
type epoll struct {
	goroutines // for what is no TCP connection
	file       *os.File
	fd         int
	wakes      chan struct{}
	again      chan struct{}
	events     [maxSignals]unix.EpollEvent
	n          int // of events; waits until each is done with them
	running    sync.WaitGroup
}

// maxSignals is how many connections are served between two looks at the bus.
const maxSignals = 128

func newNetwork() (network, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // else Go does not poll it
		_ = unix.Close(fd)
		return nil, fmt.Errorf("epoll: %w", err)
	}
	e := &epoll{file: os.NewFile(uintptr(fd), "epoll"), fd: fd, wakes: make(chan struct{}, 1), again: make(chan struct{}, 1)}
	e.goroutines.wakes = e.wakes
	raw, err := e.file.SyscallConn()
	if err != nil {
		_ = e.file.Close()
		return nil, fmt.Errorf("epoll: %w", err)
	}
	e.running.Go(func() { e.run(raw) })
	return e, nil
}

// run waits for signals, hands them to each, and waits until that is done with them.
func (e *epoll) run(raw syscall.RawConn) {
	for {
		n := 0
		if raw.Read(func(fd uintptr) bool {
			n = epollWait(fd, &e.events)
			return n > 0
		}) != nil {
			return // the file is closed
		}
		e.mu.Lock()
		e.n = n
		e.mu.Unlock()
		wake(e.wakes)
		if _, ok := <-e.again; !ok {
			return
		}
	}
}

func (e *epoll) each(f func(signal)) {
	e.goroutines.each(f)
	e.mu.Lock()
	n := e.n
	e.n = 0
	e.mu.Unlock()
	if n == 0 {
		return
	}
	for _, ev := range e.events[:n] {
		lost := ev.Events&(unix.EPOLLHUP|unix.EPOLLERR) != 0
		f(signal{
			id: subject.ConnID(uint64(uint32(ev.Fd)) | uint64(uint32(ev.Pad))<<32), lost: lost,
			in: lost || ev.Events&unix.EPOLLIN != 0, out: lost || ev.Events&unix.EPOLLOUT != 0,
		})
	}
	e.again <- struct{}{}
}

func (e *epoll) close() {
	_ = e.file.Close() // it was only ever read
	close(e.again)
	e.running.Wait()
	e.goroutines.close()
}

// attach takes the socket out of nc, so that what Go keeps for it goes. That takes a
// second file for a moment: when there is none, nc is served by goroutines, and those
// who come next wait, as always when a process has no more files.
func (e *epoll) attach(nc net.Conn, id subject.ConnID) (wire, error) {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return e.goroutines.attach(nc, id)
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil, err
	}
	w := &polled{epoll: e, id: id}
	var failed error
	if err := raw.Control(func(fd uintptr) {
		var own int
		own, failed = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
		w.fd = int32(own)
	}); err != nil {
		return nil, err
	}
	if failed != nil {
		return e.goroutines.attach(nc, id)
	}
	_ = nc.Close() // the socket lives on
	return w, nil
}

// polled is a socket in an epoll.
type polled struct {
	epoll *epoll
	id    subject.ConnID
	fd    int32
	mask  uint32 // what is wanted; 0: it is not in the epoll yet
}

func (w *polled) want(in, out bool) error {
	mask := uint32(unix.EPOLLET) // of nothing but the end, once
	if in || out {
		mask = 0
	}
	if in {
		mask |= unix.EPOLLIN
	}
	if out {
		mask |= unix.EPOLLOUT
	}
	if mask == w.mask {
		return nil
	}
	op := unix.EPOLL_CTL_MOD
	if w.mask == 0 {
		op = unix.EPOLL_CTL_ADD
	}
	w.mask = mask
	return unix.EpollCtl(w.epoll.fd, op, int(w.fd), &unix.EpollEvent{Events: mask, Fd: int32(uint32(w.id)), Pad: int32(w.id >> 32)})
}

func (w *polled) read(b []byte) (int, error) {
	n, err := rawconn.Read(int(w.fd), b)
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, now(err)
}

func (w *polled) write(b []byte) (int, error) {
	n, err := rawconn.Write(int(w.fd), b)
	return n, now(err)
}

// now says of the kernel's word for it that a wire has, or takes, nothing now.
func now(err error) error {
	if err == unix.EAGAIN {
		return errWait
	}
	return err
}

func (w *polled) shut() { _ = unix.Shutdown(int(w.fd), unix.SHUT_WR) } // reading shows a connection that is gone

func (w *polled) close(reset bool) {
	if reset {
		_ = unix.SetsockoptLinger(int(w.fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}) // the connection is lost already if this fails
	}
	_ = unix.Close(int(w.fd)) // there is no use for an error of a connection that is over
}

// epollWait returns how many signals there are now.
func epollWait(fd uintptr, events *[maxSignals]unix.EpollEvent) int {
	n, _, err := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, fd, uintptr(unsafe.Pointer(events)), maxSignals, 0, 0, 0)
	if err != 0 {
		return 0
	}
	return int(n)
}
