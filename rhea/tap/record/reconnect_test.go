package record

import (
	"bytes"
	"context"
	"net"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"rhea/proto/bus"
	"rhea/rhea/tap"
)

func natsOn(t *testing.T, port int) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server does not start")
	}
	return s
}

// A recording goes on over a restart of the bus, notes it, and has what is said after it.
func TestReconnect(t *testing.T) {
	first := natsOn(t, server.RANDOM_PORT)
	c := bus.DefaultConfig()
	c.URL = first.ClientURL()
	b, err := bus.Dial(t.Context(), c, 5, "test", quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	var file bytes.Buffer
	started, back := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	var result Progress
	go func() {
		known, kept := false, 0
		o := Options{Subjects: []string{"log.fetch"}, Started: func() { close(started) }, Progress: func(p Progress) {
			if p.Reconnects > 0 && !known {
				known, kept = true, p.Messages
				close(back)
			}
			if known && p.Messages > kept {
				stop()
			}
		}}
		var err error
		result, err = Run(ctx, b, &file, o)
		done <- err
	}()
	<-started
	port := first.Addr().(*net.TCPAddr).Port
	first.Shutdown()
	first.WaitForShutdown()
	natsOn(t, port)
	<-back
	// The three connections come back one by one.
	for again := time.NewTicker(10 * time.Millisecond); ctx.Err() == nil; <-again.C {
		_ = b.Publish(b.Space.LogFetch(), fetch(7)) // fails until its connection is there
	}
	if err := <-done; err != nil || result.Reconnects == 0 {
		t.Fatalf("%v %+v", err, result)
	}
	messages, notes, _ := parse(t, file.Bytes())
	if len(messages) == 0 || len(notes) < 2 || notes[0].Kind != tap.Reconnected || notes[len(notes)-1].Kind != tap.Ended {
		t.Errorf("%d messages, %+v", len(messages), notes)
	}
}
