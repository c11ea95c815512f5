package gateway

import (
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"rhea/proto/subject"
)

// pair is a wire and the other side of its connection.
type pair struct {
	wire wire
	far  *net.TCPConn
}

func newPair(t *testing.T, on network, id subject.ConnID) pair {
	near, far := connect(t)
	return pair{attach(t, on, near, id), far}
}

// connect returns both sides of a new connection.
func connect(t *testing.T) (near net.Conn, far *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	if near, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return near, nc.(*net.TCPConn)
}

func attach(t *testing.T, on network, nc net.Conn, id subject.ConnID) wire {
	t.Helper()
	w, err := on.attach(nc, id)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// next returns the signals that come next.
func next(t *testing.T, on network) (list []signal) {
	t.Helper()
	for late := time.After(patience); len(list) == 0; {
		select {
		case <-on.ready():
			on.each(func(s signal) { list = append(list, s) })
		case <-late:
			t.Fatal("no signal comes")
		}
	}
	return list
}

// eachNetwork runs a test over all that there are here.
func eachNetwork(t *testing.T, test func(*testing.T, network)) {
	polled, err := newNetwork()
	if err != nil {
		t.Fatal(err)
	}
	for name, on := range map[string]network{"polled": polled, "goroutines": newGoroutines()} {
		t.Run(name, func(t *testing.T) { test(t, on) })
		on.close()
	}
}

// TestClosedWhileReady closes a connection whose signal may be in hand already, and
// opens another, which may get its descriptor: nothing that is signalled of the old one
// is taken for the new one's.
func TestClosedWhileReady(t *testing.T) {
	eachNetwork(t, func(t *testing.T, on network) {
		pairs := map[subject.ConnID]pair{1: newPair(t, on, 1), 2: newPair(t, on, 2)}
		for _, p := range pairs {
			if _, err := p.far.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			if err := p.wire.want(true, false); err != nil {
				t.Fatal(err)
			}
		}
		near, far := connect(t)
		var third wire
		first := func(s signal) {
			switch {
			case third == nil:
				other := 3 - s.id // whose signal is here or on its way
				pairs[other].wire.close(false)
				delete(pairs, other)
				third = attach(t, on, near, 3)
				if err := third.want(true, false); err != nil {
					t.Fatal(err)
				}
			case s.id == 3:
				t.Error("a new connection hears of what an old one was sent")
			}
		}
		for third == nil {
			<-on.ready()
			on.each(first)
		}
		if _, err := third.read(make([]byte, 1)); err != errWait {
			t.Errorf("nothing was sent, and reading says %v", err)
		}
		if _, err := far.Write([]byte("y")); err != nil {
			t.Fatal(err)
		}
		for !slices.ContainsFunc(next(t, on), func(s signal) bool { return s.id == 3 && s.in }) {
		}
		third.close(false)
		for _, p := range pairs {
			p.wire.close(false)
		}
	})
}

// TestWire writes until the network takes no more, and reads it all on the other side;
// then each side hears that the other has shut its end.
func TestWire(t *testing.T) {
	eachNetwork(t, func(t *testing.T, on network) {
		p := newPair(t, on, 7)
		if err := p.wire.want(true, false); err != nil {
			t.Fatal(err)
		}
		chunk := make([]byte, 100_000)
		written := 0
		for {
			n, err := p.wire.write(chunk)
			written += n
			if err == errWait {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := p.wire.want(true, true); err != nil {
			t.Fatal(err)
		}
		heard := make(chan int, 1)
		go func() {
			n, _ := io.Copy(io.Discard, p.far)
			heard <- int(n)
			p.far.Close()
		}()
		for !slices.ContainsFunc(next(t, on), func(s signal) bool { return s.id == 7 && s.out }) {
		}
		p.wire.shut()
		if err := p.wire.want(true, false); err != nil {
			t.Fatal(err)
		}
		if n := <-heard; n != written {
			t.Errorf("%d bytes were written and %d read", written, n)
		}
		for {
			next(t, on)
			if _, err := p.wire.read(chunk); errors.Is(err, io.EOF) {
				break
			} else if err != errWait {
				t.Fatal(err)
			}
		}
		p.wire.close(false)
	})
}
