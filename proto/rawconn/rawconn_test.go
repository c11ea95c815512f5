package rawconn_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rhea/proto/rawconn"
)

// pair returns the two ends of a connection over loopback.
func pair(tb testing.TB) (a, b net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		tb.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// wrapped returns two ends, the first of them wrapped.
func wrapped(tb testing.TB) (a, b net.Conn) {
	a, b = pair(tb)
	return rawconn.Wrap(a), b
}

// TestCarries has more than a socket's buffers hold go both ways at once, in pieces of
// any size, to a reader that is late.
func TestCarries(t *testing.T) {
	a, b := wrapped(t)
	rng := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, 20<<20)
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	var wg sync.WaitGroup
	send := func(c net.Conn, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 0))
		for rest := data; len(rest) > 0; {
			n := min(len(rest), 1+rng.IntN(3<<20))
			if got, err := c.Write(rest[:n]); got != n || err != nil {
				t.Errorf("wrote %d of %d: %v", got, n, err)
				return
			}
			rest = rest[n:]
		}
	}
	receive := func(c net.Conn) {
		got := make([]byte, len(data))
		if n, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, data) {
			t.Errorf("read %d bytes, of %d: %v", n, len(data), err)
		}
	}
	wg.Go(func() { send(a, 1) })
	wg.Go(func() { send(b, 2) })
	wg.Go(func() { receive(a) })
	wg.Go(func() { receive(b) })
	wg.Wait()
}

// TestEnds has each way in which a call ends without data be the one that net has.
func TestEnds(t *testing.T) {
	one := make([]byte, 1)
	t.Run("deadline", func(t *testing.T) {
		a, _ := wrapped(t)
		a.SetReadDeadline(time.Now().Add(time.Millisecond))
		if _, err := a.Read(one); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
		a.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		if _, err := a.Write(make([]byte, 64<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
	})
	t.Run("closed here", func(t *testing.T) {
		a, _ := wrapped(t)
		read := make(chan error)
		go func() {
			_, err := a.Read(one)
			read <- err
		}()
		a.Close()
		if err := <-read; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		if _, err := a.Write(one); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	t.Run("closed there", func(t *testing.T) {
		a, b := wrapped(t)
		b.Close()
		if n, err := a.Read(one); n != 0 || err != io.EOF {
			t.Error(n, err)
		}
	})
	t.Run("reset", func(t *testing.T) {
		a, b := wrapped(t)
		b.(*net.TCPConn).SetLinger(0)
		b.Close()
		var failed *net.OpError
		if _, err := a.Read(one); !errors.As(err, &failed) {
			t.Error(err)
		}
		if _, err := a.Write(one); !errors.As(err, &failed) {
			t.Error(err)
		}
	})
	t.Run("nothing wanted", func(t *testing.T) {
		a, _ := wrapped(t)
		if n, err := a.Read(nil); n != 0 || err != nil {
			t.Error(n, err)
		}
	})
}

func TestWrapsSocketsOnly(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if rawconn.Wrap(a) != a {
		t.Error("a pipe has become something else")
	}
}

// TestLetsOthersRun has a reader that always finds data leave the one processor to
// others.
func TestLetsOthersRun(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	a, b := wrapped(t)
	if _, err := b.Write(make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	var ran atomic.Bool
	go ran.Store(true)
	one := make([]byte, 1)
	for range 100 {
		if _, err := a.Read(one); err != nil {
			t.Fatal(err)
		}
	}
	if !ran.Load() {
		t.Error("a hundred reads, and nobody else has run")
	}
}

// BenchmarkPingPong sends a byte and waits for one, wrapped and not.
func BenchmarkPingPong(b *testing.B) {
	same := func(c net.Conn) net.Conn { return c }
	for name, of := range map[string]func(net.Conn) net.Conn{"net": same, "rawconn": rawconn.Wrap} {
		b.Run(name, func(b *testing.B) {
			x, y := pair(b)
			x, y = of(x), of(y)
			go func() { _, _ = io.CopyBuffer(struct{ io.Writer }{y}, struct{ io.Reader }{y}, make([]byte, 16)) }()
			one := make([]byte, 1)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := x.Write(one); err != nil {
					b.Fatal(err)
				}
				if _, err := x.Read(one); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
