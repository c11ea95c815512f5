package bus

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"rhea/proto/relaypb"
)

type seconds []float64

func (s *seconds) Observe(v float64) { *s = append(*s, v) }

// A hop is measured once for each bus message that says when it was sent; one that
// seems to come from the future took no time.
func TestHops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		b := m.Join(space(t), quiet)
		in := Listen(b, newReq, 0)
		var got seconds
		in.MeasureHops(&got)
		if err := in.Add(b.Space.Req(1)); err != nil {
			t.Fatal(err)
		}
		one, err := proto.Marshal(stop(1))
		if err != nil {
			t.Fatal(err)
		}
		for _, data := range [][]byte{
			Join(time.Now().Add(-3*time.Second), one, one),
			Join(time.Now().Add(time.Hour), one),
			Join(time.Now(), one)[stampLen:], // of no known age
		} {
			m.conn("").publish(b.Space.Req(1), "", data)
		}
		<-time.After(time.Second)
		messages := 0
		for in.Waiting() > 0 {
			in.Each(<-in.C(), func(*relaypb.ReqInbox) { messages++ })
		}
		if want := (seconds{4, 0}); !slices.Equal(got, want) || messages != 4 {
			t.Errorf("%d messages, %v, want %v", messages, got, want)
		}
	})
}

func TestReplyHops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		asker, server := m.Join(space(t), quiet), m.Join(space(t), quiet)
		in := Listen(server, newReq, 0)
		if err := in.Add("ask"); err != nil {
			t.Fatal(err)
		}
		var got seconds
		asker.MeasureReplies(&got)
		go func() {
			if err := server.Reply(<-in.C(), stop(2)); err != nil {
				t.Error(err)
			}
		}()
		if err := asker.Request(context.Background(), "ask", stop(1), newReq()); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, seconds{0}) {
			t.Errorf("%v, want one of no time", got)
		}
	})
}
