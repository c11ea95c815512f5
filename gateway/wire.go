package gateway

import (
	"errors"
	"net"

	"rhea/proto/subject"
)

// wire is the network's end of one connection. It belongs to the core's goroutine,
// and none of its methods waits.
type wire interface {
	// read reads what has come, at most len(b) bytes. errWait: nothing has; io.EOF:
	// nothing more will.
	read(b []byte) (n int, err error)
	// write writes as much of b as the network takes now; less than all of it, or
	// errWait, means that it takes no more.
	write(b []byte) (n int, err error)
	// want says what the network is to signal: that there is something to read, that
	// there is room to write. What is signalled may turn out not to be so.
	want(in, out bool) error
	// shut tells the other side that nothing more comes, after what was written.
	shut()
	// close ends the connection; with reset, what is under way is lost.
	close(reset bool)
}

// errWait says that a wire has nothing, or takes nothing, for now.
var errWait = errors.New("not now")

// network makes wires of connections and tells which of them are ready. There are
// two: one asks the kernel about all connections at once, the other, for systems and
// connections that cannot be asked about, has goroutines that wait.
type network interface {
	// attach takes a connection over. It may be called from any goroutine; the wire
	// signals nothing before its first want.
	attach(nc net.Conn, id subject.ConnID) (wire, error)
	// ready receives when each has something to tell.
	ready() <-chan struct{}
	// each calls f for every wire that is ready. A wire that was closed meanwhile may
	// be among them: ids are never used twice, so nobody has its id by then.
	each(f func(signal))
	// close ends the network, and waits for its goroutines. Its wires are closed.
	close()
}

// signal says that a wire may be ready.
type signal struct {
	id      subject.ConnID
	in, out bool
	lost    bool // the other side is gone: reading or writing would tell
}
