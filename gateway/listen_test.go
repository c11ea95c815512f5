package gateway

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Gateways can share an address only if all of them say so.
func TestListenShared(t *testing.T) {
	first, err := listen(t.Context(), "127.0.0.1:0", true)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	second, err := listen(t.Context(), first.Addr().String(), true)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if third, err := listen(t.Context(), first.Addr().String(), false); err == nil {
		third.Close()
		t.Fatal("a stranger could listen there")
	}
}

// Who has come before an entrance retires is let in, and who comes then is not.
func TestRetire(t *testing.T) {
	for _, shared := range []bool{false, true} {
		e, err := listen(t.Context(), "127.0.0.1:0", shared)
		if err != nil {
			t.Fatal(err)
		}
		const waiting = 50
		for range waiting {
			c, err := net.Dial("tcp", e.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
		}
		if err := e.Retire(); err != nil {
			t.Fatal(err)
		}
		n := 0
		for ; ; n++ {
			nc, err := e.Accept()
			if errors.Is(err, net.ErrClosed) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
		}
		if n != waiting {
			t.Errorf("shared %v: %d connections were accepted, want %d", shared, n, waiting)
		}
		if c, err := net.Dial("tcp", e.Addr().String()); err == nil {
			c.Close()
			t.Error("it can still be entered")
		}
	}
}

// TestRetireUnderLoad has clients connect without a pause while entrances on their
// address come and retire. One handshake each time is what the kernel may reset (see
// Retire); of a listener that is merely closed, it is as many as there are clients.
func TestRetireUnderLoad(t *testing.T) {
	const retirements = 3
	var serving sync.WaitGroup
	open := func(address string) *entrance {
		e, err := listen(t.Context(), address, true)
		if err != nil {
			t.Fatal(err)
		}
		serving.Go(func() {
			for {
				nc, err := e.Accept()
				if err != nil {
					return
				}
				serving.Go(func() { answer(nc) })
			}
		})
		return e
	}
	now := open("127.0.0.1:0")
	address := now.Addr().String()
	stop := make(chan struct{})
	var clients sync.WaitGroup
	var greeted, failed atomic.Int32
	for range 16 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := greet(address); err != nil {
					t.Log(err)
					failed.Add(1)
				} else {
					greeted.Add(1)
				}
			}
		})
	}
	for range retirements {
		next := open(address)
		if err := now.Retire(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(lastCall + lastCall/4) // what happens meanwhile is the test
		now = next
	}
	close(stop)
	clients.Wait()
	_ = now.Close()
	serving.Wait()
	if greeted.Load() == 0 || failed.Load() > retirements {
		t.Errorf("%d clients were greeted and %d were not, want at most %d", greeted.Load(), failed.Load(), retirements)
	}
}

// answer says hello to a client that has said something.
func answer(nc net.Conn) {
	defer nc.Close()
	if _, err := nc.Read(make([]byte, 1)); err == nil {
		_, _ = nc.Write([]byte("hello")) // a client that is gone complains itself
		_, _ = io.Copy(io.Discard, nc)
	}
}

// greet connects, says something, and hears what the other side has to say.
func greet(address string) error {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // thousands of closed connections would use up the ports
	}
	_ = c.SetDeadline(deadline())
	if _, err := c.Write([]byte("x")); err != nil {
		return err
	}
	b := make([]byte, len("hello"))
	if _, err = io.ReadFull(c, b); err == nil && string(b) != "hello" {
		err = fmt.Errorf("heard %q", b)
	}
	return err
}
