package gateway

import (
	"net"
	"sync"
	"time"

	"rhea/proto/subject"
)

// goroutines is the network for any system and any net.Conn: one goroutine a
// connection reads, another writes while there is something to write. What they have
// done they signal; nobody waits for the core but they.
type goroutines struct {
	wakes   chan struct{}
	running sync.WaitGroup

	mu      sync.Mutex
	signals []signal // of what was done since the core last looked
}

func newGoroutines() *goroutines { return &goroutines{wakes: make(chan struct{}, 1)} }

func (g *goroutines) ready() <-chan struct{} { return g.wakes }

func (g *goroutines) tell(s signal) {
	g.mu.Lock()
	g.signals = append(g.signals, s)
	g.mu.Unlock()
	wake(g.wakes)
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (g *goroutines) each(f func(signal)) {
	g.mu.Lock()
	signals := g.signals
	g.signals = nil
	g.mu.Unlock()
	for _, s := range signals {
		f(s)
	}
}

func (g *goroutines) close() { g.running.Wait() }

func (g *goroutines) attach(nc net.Conn, id subject.ConnID) (wire, error) {
	return &awaited{net: g, nc: nc, id: id, next: make(chan struct{}, 1)}, nil
}

// awaited is a connection that goroutines wait for.
type awaited struct {
	net  *goroutines
	nc   net.Conn
	id   subject.ConnID
	next chan struct{} // the reader may go on; closed at the end

	mu      sync.Mutex
	started bool
	closed  bool
	in      []byte // read, and not taken
	inErr   error
	writing bool
	outErr  error
	last    bool // shut once that is written
}

// Sizes of what an awaited connection has in hand.
const (
	readAhead  = 4 << 10
	writeAhead = 32 << 10
)

func (w *awaited) want(in, _ bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case !in || w.closed:
	case !w.started:
		w.started = true
		w.net.running.Go(w.reader)
	case len(w.in) > 0 || w.inErr != nil:
		w.net.tell(signal{id: w.id, in: true})
	}
	return nil
}

func (w *awaited) reader() {
	buf := make([]byte, readAhead)
	for {
		n, err := w.nc.Read(buf)
		w.mu.Lock()
		w.in, w.inErr = buf[:n], err
		w.mu.Unlock()
		w.net.tell(signal{id: w.id, in: true})
		if err != nil {
			return
		}
		if _, ok := <-w.next; !ok {
			return
		}
	}
}

func (w *awaited) read(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.in) == 0 {
		if w.inErr != nil {
			return 0, w.inErr
		}
		return 0, errWait
	}
	n := copy(b, w.in)
	if w.in = w.in[n:]; len(w.in) > 0 {
		w.net.tell(signal{id: w.id, in: true})
	} else if w.inErr == nil {
		wake(w.next)
	} else {
		w.net.tell(signal{id: w.id, in: true})
	}
	return n, nil
}

func (w *awaited) write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.outErr != nil:
		return 0, w.outErr
	case w.writing:
		return 0, errWait
	}
	b = append([]byte(nil), b[:min(len(b), writeAhead)]...)
	w.writing = true
	w.net.running.Go(func() { w.writer(b) })
	return len(b), nil
}

func (w *awaited) writer(b []byte) {
	_, err := w.nc.Write(b)
	w.mu.Lock()
	w.writing, w.outErr = false, err
	if w.last {
		w.closeWrite()
	}
	w.mu.Unlock()
	w.net.tell(signal{id: w.id, out: true, lost: err != nil})
}

func (w *awaited) shut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last = w.writing; !w.last {
		w.closeWrite()
	}
}

// closeWrite ends one direction where there is such a thing, else both.
func (w *awaited) closeWrite() {
	if half, ok := w.nc.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // the reader sees a connection that is gone
	} else {
		_ = w.nc.SetReadDeadline(time.Unix(1, 0))
	}
}

func (w *awaited) close(reset bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	w.closed = true
	if tcp, ok := w.nc.(*net.TCPConn); ok && reset {
		_ = tcp.SetLinger(0) // the connection is lost already if this fails
	}
	_ = w.nc.Close() // there is no use for an error of a connection that is over
	close(w.next)
}
