package stage

import (
	"context"
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// Listen listens on a TCP address, with shared set beside other sockets of the same
// user that are shared too (SO_REUSEPORT): then the kernel gives each new connection
// to one of them.
func Listen(ctx context.Context, address string, shared bool) (*net.TCPListener, error) {
	c := net.ListenConfig{}
	if shared {
		c.Control = func(_, _ string, raw syscall.RawConn) error {
			var failed error
			err := raw.Control(func(fd uintptr) {
				failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
			})
			return errors.Join(err, failed)
		}
	}
	l, err := c.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return l.(*net.TCPListener), nil
}
