package stage

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Whoever starts a program hears when it is ready, not before, and that it stops.
func TestNotify(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	hear := func() string {
		buf := make([]byte, 100)
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		n, err := conn.Read(buf)
		if err != nil {
			t.Error(err)
		}
		return string(buf[:n])
	}
	signals := make(chan os.Signal, 1)
	var able atomic.Bool
	p := testProgram(func(ctx context.Context, p Process) error {
		asked := make(chan struct{}, 1)
		p.Checks.Ready("work", func() error {
			select {
			case asked <- struct{}{}:
			default:
			}
			if !able.Load() {
				return errors.New("not yet")
			}
			return nil
		})
		<-asked
		if err := Notify(env(map[string]string{NotifyEnv: socket}), "STATUS=asked"); err != nil {
			t.Error(err)
		}
		able.Store(true)
		for _, want := range []string{"STATUS=asked", NotifyReady} {
			if got := hear(); got != want {
				t.Errorf("heard %q, want %q", got, want)
			}
		}
		signals <- syscall.SIGTERM
		<-ctx.Done()
		if got := hear(); got != NotifyStopping {
			t.Errorf("heard %q, want %q", got, NotifyStopping)
		}
		return nil
	})
	code := p.Start(Host{LookupEnv: env(map[string]string{NotifyEnv: socket}), Stdout: io.Discard, Stderr: io.Discard, Signals: signals})
	if code != ExitOK {
		t.Errorf("exit %d", code)
	}
}
