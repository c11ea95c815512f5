package record

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"rhea/proto/bus"
	"rhea/proto/relaypb"
	"rhea/rhea/tap"
	"rhea/rhea/tap/decode"
)

// jetStreamServer runs a NATS server; with JetStream if so.
func jetStreamServer(t *testing.T, with bool) (bus.Config, *nats.Conn) {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: with, StoreDir: t.TempDir(), NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server does not start")
	}
	c := bus.DefaultConfig()
	c.URL = s.ClientURL()
	nc, err := bus.Connect(t.Context(), c, "test", quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return c, nc
}

func TestStream(t *testing.T) {
	c, nc := jetStreamServer(t, true)
	ctx := t.Context()
	stream := Stream{Name: "long", Subjects: Subjects(c.Prefix, nil), MaxSize: 10 << 20, MaxAge: time.Hour}
	if made, err := Keep(ctx, nc, stream); err != nil || !made {
		t.Fatal(made, err)
	}
	stream.MaxAge = 2 * time.Hour
	if made, err := Keep(ctx, nc, stream); err != nil || made {
		t.Fatal(made, err)
	}
	if _, err := Keep(ctx, nc, Stream{Name: "long", Subjects: []string{"rhea.v1.write"}}); err == nil || !strings.Contains(err.Error(), "is there already, for rhea.v1.>") {
		t.Error(err)
	}
	var none bytes.Buffer
	if _, err := Take(ctx, nc, "long", c, time.Time{}, time.Time{}, &none, Options{}); err == nil || !strings.Contains(err.Error(), "holds nothing") || none.Len() > 0 {
		t.Error(err)
	}

	// A request is answered by whoever serves it, not by the stream that stores it.
	b, err := bus.Dial(ctx, c, 5, "test", quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	in := bus.Listen(b, func() *relaypb.ScanInbox { return new(relaypb.ScanInbox) }, 0)
	if err := in.Add(b.Space.Scan()); err != nil {
		t.Fatal(err)
	}
	serving, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-serving.Done():
				return
			case m := <-in.C():
				in.Each(m, func(ask *relaypb.ScanInbox) { b.Reply(m, &relaypb.ScanReply{AsOf: ask.GetScan().AsOf * 2, Done: true}) })
			}
		}
	}()
	var middle time.Time
	const asked = 20
	for i := range uint64(asked) {
		if i == asked/2 {
			stored(t, nc, "long", asked) // JetStream stores in its own time
			middle = time.Now()
		}
		reply, err := b.Scan(ctx, &relaypb.Scan{AsOf: 1 + i})
		if err != nil || reply.AsOf != 2+2*i {
			t.Fatalf("%v %v", reply, err)
		}
	}
	stop()
	<-done
	stored(t, nc, "long", 2*asked)

	for _, part := range []struct {
		from, upto time.Time
		want       int
	}{{want: asked}, {from: middle, want: asked / 2}, {upto: middle, want: asked / 2}} {
		var file bytes.Buffer
		result, err := Take(ctx, nc, "long", c, part.from, part.upto, &file, Options{})
		if err != nil {
			t.Fatal(err)
		}
		messages, notes, header := parse(t, file.Bytes())
		if questions, answers := tally(t, messages); questions != part.want || answers != part.want || result.Messages != 2*part.want {
			t.Errorf("%d questions, %d answers, want %d; %+v", questions, answers, part.want, result)
		}
		if len(notes) != 1 || notes[0].Kind != tap.Ended || header.Subjects[0] != "rhea.v1.>" || !header.Started.Equal(messages[0].At) {
			t.Errorf("%+v %+v", notes, header)
		}
	}

	if err := Drop(ctx, nc, "long", "other"); err == nil || !strings.Contains(err.Error(), "not of this relay") {
		t.Error(err)
	}
	if err := Drop(ctx, nc, "long", c.Prefix); err != nil {
		t.Error(err)
	}
	for _, err := range []error{Drop(ctx, nc, "long", c.Prefix), take(ctx, nc, c)} {
		if err == nil || !strings.Contains(err.Error(), "there is no stream long") {
			t.Error(err)
		}
	}
}

// stored waits until a stream holds n messages.
func stored(t *testing.T, nc *nats.Conn, name string, n uint64) {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		stream, err := js.Stream(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		if stream.CachedInfo().State.Msgs >= n {
			return
		}
	}
}

func take(ctx context.Context, nc *nats.Conn, c bus.Config) error {
	_, err := Take(ctx, nc, "long", c, time.Time{}, time.Time{}, new(bytes.Buffer), Options{})
	return err
}

// tally counts questions and answers, which come in their order.
func tally(t *testing.T, messages []tap.Message) (questions, answers int) {
	t.Helper()
	for _, m := range messages {
		for _, said := range decode.Message("rhea", m.Subject, m.Data).Messages {
			switch said := decode.Body(said).(type) {
			case *relaypb.Scan:
				questions++
			case *relaypb.ScanReply:
				if answers++; said.AsOf%2 != 0 || answers > questions {
					t.Errorf("answer %d: %v", answers, said)
				}
			}
		}
	}
	return questions, answers
}

func TestNoJetStream(t *testing.T) {
	c, nc := jetStreamServer(t, false)
	_, keep := Keep(t.Context(), nc, Stream{Name: "long", Subjects: []string{"rhea.v1.>"}})
	for _, err := range []error{keep, take(t.Context(), nc, c), Drop(t.Context(), nc, "long", c.Prefix)} {
		if err == nil || !strings.Contains(err.Error(), "has no JetStream") {
			t.Error(err)
		}
	}
}
