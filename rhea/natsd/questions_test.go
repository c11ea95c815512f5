package natsd_test

import (
	"errors"
	"testing"
	"time"

	"rhea/proto/bus"
	"rhea/proto/relaypb"
)

// TestQuestions asks many things at once, across every border, and where nobody is.
func TestQuestions(t *testing.T) {
	for name, of := range map[string]func(house) (asker, server *bus.Bus){
		"inside":       func(h house) (asker, server *bus.Bus) { return h.a, h.b },
		"from outside": func(h house) (asker, server *bus.Bus) { return h.outside, h.b },
		"to outside":   func(h house) (asker, server *bus.Bus) { return h.a, h.outside },
	} {
		t.Run(name, func(t *testing.T) {
			asker, server := of(newHouse(t))
			const n = 100
			q, err := bus.NewQuestions[*relaypb.ReqInbox, uint64](asker, "tester", newReq, 2*n)
			if err != nil {
				t.Fatal(err)
			}
			defer q.Close()
			ask := func(num uint64) error { return q.Ask(time.Now(), asker.Space.Req(1), stop(num), num) }
			hear := func() (uint64, uint64, error) {
				for {
					select {
					case msg := <-q.C():
						if num, _, m, err, ok := q.Answer(msg); ok {
							return num, m.GetStop().GetNum(), err
						}
					case <-time.After(10 * time.Second):
						t.Fatal("no answer")
					}
				}
			}
			err = ask(1)
			if err == nil {
				_, _, err = hear()
			}
			if !errors.Is(err, bus.ErrNobody) {
				t.Fatal("nobody is there:", err)
			}
			in := listen(t, server)
			done := make(chan struct{})
			go func() {
				defer close(done)
				for range n {
					msg := <-in.C()
					in.Each(msg, func(m *relaypb.ReqInbox) { _ = server.Reply(msg, stop(m.GetStop().GetNum()+1000)) })
				}
			}()
			for num := range uint64(n) {
				if err := ask(num); err != nil {
					t.Fatal(err)
				}
			}
			for range n {
				if num, got, err := hear(); err != nil || got != num+1000 {
					t.Fatal(num, got, err)
				}
			}
			<-done
		})
	}
}
