//go:build !linux

package rawconn

import "net"

// Wrap returns nc: what is said in the package's documentation is done on Linux only.
func Wrap(nc net.Conn) net.Conn { return nc }
