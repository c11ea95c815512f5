package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"rhea/proto/stage"
)

// entrance is a TCP listener that can be closed without turning away who has come.
type entrance struct {
	*net.TCPListener
	shared bool
}

// listen opens an entrance; see stage.Listen.
func listen(ctx context.Context, address string, shared bool) (*entrance, error) {
	l, err := stage.Listen(ctx, address, shared)
	if err != nil {
		return nil, err
	}
	return &entrance{l, shared}, nil
}

// lastCall is how long a shared entrance that retires still accepts: handshakes
// that have begun with this socket can end nowhere else.
const lastCall = time.Second

// Retire has Accept take in who has come, and then close the entrance.
//
// Closing a listening socket resets the connections in its queue and those in the
// middle of their handshake, although another socket shares the address, unless the
// system is told to hand them over (sysctl net.ipv4.tcp_migrate_req). So the queue
// is emptied first. And the room in it is set to none, which makes the kernel begin
// further handshakes, all but one at a time, with a SYN cookie: those, another socket
// on the address can finish after this one is gone.
func (e *entrance) Retire() error {
	if !e.shared {
		return e.SetDeadline(time.Unix(1, 0))
	}
	err := e.control(func(fd int) error { return unix.Listen(fd, 0) })
	return errors.Join(err, e.SetDeadline(time.Now().Add(lastCall)))
}

// Accept is net.Listener's. Its error is net.ErrClosed after Retire or Close.
func (e *entrance) Accept() (net.Conn, error) {
	nc, err := e.TCPListener.Accept()
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return nc, err
	}
	if nc, err := e.acceptNow(); nc != nil || err != nil {
		return nc, err
	}
	return nil, errors.Join(net.ErrClosed, e.Close())
}

// acceptNow returns a connection that waits, nil if none does. It is there because
// TCPListener does not look any more once its deadline has passed.
func (e *entrance) acceptNow() (nc net.Conn, err error) {
	fd := -1
	err = e.control(func(listener int) (err error) {
		fd, _, err = unix.Accept(listener)
		return err
	})
	if errors.Is(err, unix.EAGAIN) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("accept: %w", err)
	}
	unix.CloseOnExec(fd)
	file := os.NewFile(uintptr(fd), "")
	defer file.Close()
	return net.FileConn(file)
}

// control calls f with the file descriptor.
func (e *entrance) control(f func(fd int) error) error {
	raw, err := e.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	return errors.Join(raw.Control(func(fd uintptr) { failed = f(int(fd)) }), failed)
}
