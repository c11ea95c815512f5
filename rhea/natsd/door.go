package natsd

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"rhea/proto/rawconn"
)

// door is where other processes come in: it listens in the server's stead, and passes
// on what each connection carries. The server would do so with sockets of Go's own,
// whose system calls cost the process that all of the relay talks to more than the
// rest of its work; see package rawconn.
type door struct {
	listener net.Listener
	server   *server.Server
	log      *slog.Logger
	running  sync.WaitGroup
}

func open(listener net.Listener, s *server.Server, log *slog.Logger) *door {
	d := &door{listener: listener, server: s, log: log}
	d.running.Go(d.accept)
	return d
}

// close ends the door, after its server, which has ended the connections.
func (d *door) close() {
	_ = d.listener.Close() // there is nothing to lose
	d.running.Wait()
}

// acceptAgain is how long to wait when a connection cannot be had, as when the
// process has no file for it.
const acceptAgain = 100 * time.Millisecond

func (d *door) accept() {
	for {
		conn, err := d.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			d.log.Warn("the bus cannot take a connection", "err", err)
			time.Sleep(acceptAgain)
			continue
		}
		inside, err := d.server.InProcessConn()
		if err != nil { // it stops
			_ = conn.Close()
			continue
		}
		d.pass(rawconn.Wrap(conn), inside)
	}
}

// pass passes on what two connections carry, until one of them ends. Then both have
// ended.
func (d *door) pass(outside, inside net.Conn) {
	d.running.Go(func() {
		_, _ = io.CopyBuffer(inside, outside, make([]byte, maxGather)) // how it ended, both sides know
		_ = inside.Close()
	})
	g := new(gather)
	g.change.L = &g.mu
	d.running.Go(func() { g.fill(inside) })
	d.running.Go(func() {
		g.drain(outside)
		_ = outside.Close()
		_ = inside.Close()
	})
}

// maxGather bounds what one direction of a connection holds, in bytes.
const maxGather = 64 << 10

// gather is what the server has said and the socket has not been given. The server
// writes a batch piece by piece, and one write to a socket should have all of it.
type gather struct {
	mu     sync.Mutex
	change sync.Cond
	waits  []byte
	ended  bool // by either side
}

// fill gathers what comes, and waits while that is much.
func (g *gather) fill(from io.Reader) {
	piece := make([]byte, maxGather)
	for {
		n, err := from.Read(piece)
		g.mu.Lock()
		for len(g.waits) > 0 && len(g.waits)+n > maxGather && !g.ended {
			g.change.Wait()
		}
		g.waits = append(g.waits, piece[:n]...)
		g.ended = g.ended || err != nil
		ended := g.ended
		g.mu.Unlock()
		g.change.Broadcast()
		if ended {
			return
		}
	}
}

// drain writes what there is, as long as there may be more.
func (g *gather) drain(to io.Writer) {
	var out []byte
	for {
		g.mu.Lock()
		for len(g.waits) == 0 && !g.ended {
			g.change.Wait()
		}
		out, g.waits = g.waits, out[:0]
		g.mu.Unlock()
		g.change.Broadcast()
		if len(out) == 0 {
			return
		}
		if _, err := to.Write(out); err != nil {
			break
		}
	}
	g.mu.Lock()
	g.ended = true
	g.mu.Unlock()
	g.change.Broadcast()
}
