package negentropy

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"rhea/proto/bus"
	"rhea/proto/limits"
	"rhea/proto/relaypb"
	"rhea/proto/stage"
	"rhea/proto/subject"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(conn subject.ConnID, num uint64) *relaypb.NegInbox {
	return &relaypb.NegInbox{Body: &relaypb.NegInbox_Open{Open: &relaypb.NegOpen{Conn: uint64(conn), Num: num, Filter: []byte(`{}`), Message: []byte{0x61}}}}
}

func msg(conn subject.ConnID, num uint64) *relaypb.NegInbox {
	return &relaypb.NegInbox{Body: &relaypb.NegInbox_Msg{Msg: &relaypb.NegMsg{Conn: uint64(conn), Num: num, Message: []byte{0x61}}}}
}

func end(conn subject.ConnID, num uint64) *relaypb.NegInbox {
	return &relaypb.NegInbox{Body: &relaypb.NegInbox_Close{Close: &relaypb.NegClose{Conn: uint64(conn), Num: num}}}
}

// Every NegOpen and NegMsg has one answer, in order, on the gateway's inbox;
// what is broken or unknown is counted and harms nothing; what was sent before
// the stop is answered.
func TestEveryMessageIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		space, err := subject.New("test", 4)
		if err != nil {
			t.Fatal(err)
		}
		log := slog.New(slog.DiscardHandler)
		mem := bus.NewMemory()
		own, gateway := mem.Join(space, log), mem.Join(space, log)
		out := bus.Listen(gateway, func() *relaypb.OutInbox { return new(relaypb.OutInbox) }, 0)
		if err := out.Add(space.Out(gateway.Instance)); err != nil {
			t.Fatal(err)
		}
		metrics := stage.NewMetrics("negentropy")
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- Run(ctx, DefaultConfig(), stage.Env{Bus: own, Log: log, Metrics: metrics, Limits: limits.Default(), Version: "test"})
		}()
		time.Sleep(time.Second) // of the bubble: until the shards are owned

		broken := new(relaypb.NegInbox)
		broken.ProtoReflect().SetUnknown([]byte{0x0a, 0x7f, 1})
		outbox := gateway.NewOutbox()
		num := uint64(0)
		for i := range uint32(40) {
			conn := subject.MakeConnID(gateway.Instance, i%4)
			inbox := space.Neg(space.ShardOf(conn))
			num += 2
			for _, m := range []*relaypb.NegInbox{open(conn, num-1), broken, msg(conn, num), end(conn, num), {}} {
				if err := outbox.Send(inbox, m); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := outbox.Flush(); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Fatalf("ended with %v", err)
		}

		answers := make(map[uint64]int)
		for out.Waiting() > 0 {
			out.Each(<-out.C(), func(m *relaypb.OutInbox) {
				r := m.GetNeg()
				if r.GetError() != "error: not yet" || len(r.Message) > 0 {
					t.Errorf("answer %v", m)
				}
				answers[r.GetNum()]++
			})
		}
		for n := range num {
			if answers[n+1] != 1 {
				t.Errorf("message %d has %d answers", n+1, answers[n+1])
			}
		}
		s := metrics.Snapshot()
		if s["sessions_opened"] != 40 || s["messages"] != 40 || s["sessions_closed"] != 40 || s["unknown"] != 40 || own.Garbage() != 40 {
			t.Errorf("metrics %v, garbage %d", s, own.Garbage())
		}
	})
}
