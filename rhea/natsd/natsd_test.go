package natsd_test

import (
	"log/slog"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"rhea/rhea/natsd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestServes(t *testing.T) {
	s, err := natsd.Start("127.0.0.1:0", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	socket, err := nats.Connect(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	inside, err := nats.Connect(s.URL(), nats.InProcessServer(s))
	if err != nil {
		t.Fatal(err)
	}
	defer inside.Close()
	sub, err := socket.SubscribeSync("a")
	if err != nil {
		t.Fatal(err)
	}
	if err := socket.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := inside.Publish("a", []byte("x")); err != nil {
		t.Fatal(err)
	}
	msg, err := sub.NextMsgWithContext(t.Context())
	if err != nil || string(msg.Data) != "x" {
		t.Fatal(msg, err)
	}
}

// A stranger on the same machine, without the password, stays outside.
func TestPassword(t *testing.T) {
	s, err := natsd.Start("127.0.0.1:0", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	u, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	if nc, err := nats.Connect("nats://" + u.Host); err == nil {
		nc.Close()
		t.Fatal("let in without a password")
	}
}

func TestAddressTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for addr, want := range map[string]string{
		l.Addr().String(): "address already in use",
		"127.0.0.1":       "want host:port",
		"127.0.0.1:x":     "not a port",
	} {
		s, err := natsd.Start(addr, slog.New(slog.DiscardHandler))
		if err == nil {
			s.Stop()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", addr, err, want)
		}
	}
}
