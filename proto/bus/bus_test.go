package bus

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func space(t testing.TB) subject.Space {
	s, err := subject.New("test", 16)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newReq() *relaypb.ReqInbox { return new(relaypb.ReqInbox) }

func stop(num uint64) *relaypb.ReqInbox {
	return &relaypb.ReqInbox{Body: &relaypb.ReqInbox_Stop{Stop: &relaypb.Stop{Num: num}}}
}

// What is sent between two flushes arrives in order, in few bus messages, and an
// idle outbox sends at once.
func TestOutboxBatches(t *testing.T) {
	m := NewMemory()
	b := m.Join(space(t), quiet)
	in := Listen(b, newReq, 0)
	if err := in.Add(b.Space.Req(1)); err != nil {
		t.Fatal(err)
	}
	out := b.NewOutbox()
	const n = 20000
	for i := range uint64(n) {
		if err := out.Send(b.Space.Req(1), stop(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Flush(); err != nil {
		t.Fatal(err)
	}
	var next uint64
	messages := in.Waiting()
	for in.Waiting() > 0 {
		msg := <-in.C()
		if len(msg.Data) > MaxBatch {
			t.Fatalf("a batch of %d bytes", len(msg.Data))
		}
		in.Each(msg, func(m *relaypb.ReqInbox) {
			if got := m.GetStop().GetNum(); got != next {
				t.Fatalf("message %d came as number %d", got, next)
			}
			next++
		})
	}
	if next != n || messages > 10 {
		t.Fatalf("%d of %d messages in %d batches", next, n, messages)
	}
	out.Flush()
	if in.Waiting() != 0 {
		t.Fatal("a flush of nothing sent something")
	}
}

func TestOutboxLargeMessages(t *testing.T) {
	b := NewMemory().Join(space(t), quiet)
	in := Listen(b, func() *relaypb.IngestInbox { return new(relaypb.IngestInbox) }, 0)
	in.Add(b.Space.Ingest(0))
	event := func(n int) *relaypb.IngestInbox {
		return &relaypb.IngestInbox{Body: &relaypb.IngestInbox_Event{Event: &relaypb.EventFrame{Event: make([]byte, n)}}}
	}
	out := b.NewOutbox()
	sizes := []int{10, MaxBatch * 3, 20, MaxMessage - 100, 30}
	for _, n := range sizes {
		if err := out.Send(b.Space.Ingest(0), event(n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Send(b.Space.Ingest(0), event(MaxMessage)); err != ErrTooLarge {
		t.Fatalf("a message beyond the bound: %v", err)
	}
	out.Flush()
	var got []int
	for in.Waiting() > 0 {
		in.Each(<-in.C(), func(m *relaypb.IngestInbox) { got = append(got, len(m.GetEvent().GetEvent())) })
	}
	if fmt.Sprint(got) != fmt.Sprint(sizes) {
		t.Fatalf("got %v, want %v", got, sizes)
	}
}

// Garbage is counted and skipped, and what stands around it arrives.
func TestGarbage(t *testing.T) {
	m := NewMemory()
	b := m.Join(space(t), quiet)
	in := Listen(b, newReq, 0)
	in.Add(b.Space.Req(0))
	seed := rand.Uint64()
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 2000 {
		data := make([]byte, r.IntN(64))
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		m.conn("").publish(b.Space.Req(0), "", data)
		in.Each(<-in.C(), func(*relaypb.ReqInbox) {})
	}
	good, _ := appendFrame(nil, stop(7))
	bad := []byte{3, 0xff, 0xff, 0xff}
	m.conn("").publish(b.Space.Req(0), "", bytes.Join([][]byte{good, bad, good}, nil))
	before, n := b.Garbage(), 0
	in.Each(<-in.C(), func(m *relaypb.ReqInbox) { n += int(m.GetStop().GetNum()) })
	if n != 14 || b.Garbage() != before+1 {
		t.Fatalf("sum %d, garbage %d", n, b.Garbage()-before)
	}
	if before == 0 {
		t.Fatal("no garbage counted")
	}
}

func FuzzEach(f *testing.F) {
	good, _ := appendFrame(nil, stop(7))
	f.Add(good)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, data []byte) {
		b := NewMemory().Join(space(t), quiet)
		in := Listen(b, newReq, 1)
		in.Each(&Message{Data: data}, func(m *relaypb.ReqInbox) {
			if _, err := appendFrame(nil, m); err != nil {
				t.Fatal(err)
			}
		})
	})
}

func TestInboxFullDropsAndCounts(t *testing.T) {
	m := NewMemory()
	b := m.Join(space(t), quiet)
	in := Listen(b, newReq, 2)
	in.Add(b.Space.Req(0))
	for range 5 {
		b.Publish(b.Space.Req(0), stop(1))
	}
	if in.Waiting() != 2 || b.Dropped() != 3 {
		t.Fatalf("%d wait, %d dropped", in.Waiting(), b.Dropped())
	}
	in.Remove(b.Space.Req(0))
	b.Publish(b.Space.Req(0), stop(1))
	if b.Dropped() != 3 {
		t.Fatal("an inbox without the subject was still delivered to")
	}
}

func TestRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		b := m.Join(space(t), quiet)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		reply := new(relaypb.ScanReply)
		if err := b.Request(ctx, b.Space.Scan(), &relaypb.ScanInbox{}, reply); err == nil {
			t.Fatal("an answer from nobody")
		}
		in := Listen(b, func() *relaypb.ScanInbox { return new(relaypb.ScanInbox) }, 1)
		in.Add(b.Space.Scan())
		go func() {
			msg := <-in.C()
			b.Reply(msg, &relaypb.ScanReply{AsOf: 42})
		}()
		if err := b.Request(ctx, b.Space.Scan(), &relaypb.ScanInbox{}, reply); err != nil || reply.AsOf != 42 {
			t.Fatalf("%v, %v", reply, err)
		}
		if err := b.Request(ctx, b.Space.Scan(), &relaypb.ScanInbox{}, reply); err == nil {
			t.Fatal("no answer, and no error")
		}
	})
}

func TestCovers(t *testing.T) {
	for _, c := range []struct {
		pattern, subject string
		want             bool
	}{
		{"a.*", "a.b", true}, {"a.*", "a.b.c", false}, {"a.>", "a.b.c", true}, {"a.>", "a", false},
		{">", "a.b", true}, {"a.b", "a.b", true}, {"a.*.c", "a.b.c", true}, {"a.*.c", "a.b.d", false}, {"a.*", "a", false},
	} {
		if got := covers(c.pattern, c.subject); got != c.want {
			t.Errorf("covers(%q, %q) = %v", c.pattern, c.subject, got)
		}
	}
}

func TestWindow(t *testing.T) {
	w := Window{Limit: 100}
	if !w.Take(60) || w.Take(50) || !w.Take(40) || !w.Full() {
		t.Fatal("the bound does not hold")
	}
	w.Give(60)
	w.Give(40)
	if !w.Take(1000) || w.Take(1) {
		t.Fatal("one large message passes alone")
	}
}

func TestSplitJoin(t *testing.T) {
	at := time.Unix(1700000000, 123456789)
	for _, messages := range [][]string{{}, {"a"}, {"one", "two", strings.Repeat("x", 300)}} {
		var in [][]byte
		for _, m := range messages {
			in = append(in, []byte(m))
		}
		for _, stamped := range []bool{true, false} {
			data, want := Join(at, in...), at
			if !stamped {
				data, want = data[stampLen:], time.Time{}
			}
			sent, parts := Split(data)
			var got []string
			for m, err := range parts {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, string(m))
			}
			if !sent.Equal(want) || !slices.Equal(got, messages) {
				t.Errorf("stamped %v: %v at %v", stamped, got, sent)
			}
		}
	}
	for _, broken := range []string{"\x05abc", "\x00\x00\x00", "\xff"} {
		_, parts := Split([]byte(broken))
		var err error
		for _, err = range parts {
		}
		if err == nil && broken[0] != 0 {
			t.Errorf("%q: no error", broken)
		}
	}
}

// What is kept of a message that is read into again stays as it was.
func TestAgain(t *testing.T) {
	b := NewMemory().Join(space(t), quiet)
	defer b.Close()
	in := Listen(b, Again[relaypb.IngestInbox](), 0)
	if err := in.Add(b.Space.Ingest(1)); err != nil {
		t.Fatal(err)
	}
	out := b.NewOutbox()
	for _, text := range []string{"one", "three", "", "four"} {
		m := &relaypb.IngestInbox{Body: &relaypb.IngestInbox_Event{Event: &relaypb.EventFrame{Event: []byte(text)}}}
		if err := out.Send(b.Space.Ingest(1), m); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Flush(); err != nil {
		t.Fatal(err)
	}
	var got [][]byte
	seen := make(map[*relaypb.EventFrame]bool)
	in.Each(<-in.C(), func(m *relaypb.IngestInbox) {
		got = append(got, m.GetEvent().Event)
		seen[m.GetEvent()] = true
	})
	if s := fmt.Sprintf("%s", got); s != "[one three  four]" || len(seen) != 1 {
		t.Errorf("%s in %d messages", s, len(seen))
	}
}
