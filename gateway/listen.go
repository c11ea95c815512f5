package gateway

import (
	"context"
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// listen listens on a TCP address, with shared set beside other sockets of the
// same user that are shared too (SO_REUSEPORT): then the kernel gives each new
// connection to one of them.
func listen(ctx context.Context, address string, shared bool) (net.Listener, error) {
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
	return c.Listen(ctx, "tcp", address)
}
