package bus

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// TestQuestions asks many things before it listens, and hears each answer as that to
// its question, whatever else arrives.
func TestQuestions(t *testing.T) {
	space, err := subject.New("test", 16)
	if err != nil {
		t.Fatal(err)
	}
	m := NewMemory()
	asker, server := m.Join(space, slog.New(slog.DiscardHandler)), m.Join(space, slog.New(slog.DiscardHandler))
	q, err := NewQuestions[*relaypb.ScanReply, string](asker, "tester", func() *relaypb.ScanReply { return new(relaypb.ScanReply) }, 8)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	now := time.Unix(1000, 0)
	ask := func(about string) error { return q.Ask(now, space.Scan(), &relaypb.ScanInbox{}, about) }
	if err := ask("nobody is there"); !errors.Is(err, ErrNobody) {
		t.Error(err)
	}
	in := Listen(server, func() *relaypb.ScanInbox { return new(relaypb.ScanInbox) }, 0)
	if err := in.Add(space.Scan()); err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var asked []*Message
	for _, about := range []string{"a", "b", "c", "d"} {
		now = now.Add(time.Second)
		if err := ask(about); err != nil {
			t.Fatal(err)
		}
		asked = append(asked, <-in.C())
	}
	hear := func(want string, asOf uint64, wantErr bool) {
		t.Helper()
		select {
		case msg := <-q.C():
			about, _, answer, err, ok := q.Answer(msg)
			if about != want || ok != (want != "") || (err != nil) != wantErr || err == nil && answer.GetAsOf() != asOf {
				t.Errorf("%q is answered by %v, %v", about, answer, err)
			}
		default:
			t.Error("no answer")
		}
	}
	answer := func(i int, asOf uint64) {
		if err := server.Reply(asked[i], &relaypb.ScanReply{AsOf: asOf}); err != nil {
			t.Fatal(err)
		}
	}
	answer(2, 30)
	answer(0, 10)
	answer(0, 11) // once more
	hear("c", 30, false)
	hear("a", 10, false)
	hear("", 0, false)
	// What is no number, and what is no message.
	server.out.Publish(q.prefix+"!", "", nil)
	hear("", 0, false)
	server.out.Publish(asked[1].Reply, "", []byte("garbage"))
	hear("b", 0, true)
	// NATS's refusal, when somebody here has been told, is not theirs.
	m.deliver(&Message{Subject: asked[3].Reply, Header: map[string][]string{"Status": {"503"}}})
	hear("", 0, false)
	answer(3, 40)
	hear("d", 40, false)
	// What is given up is answered too late.
	for _, about := range []string{"e", "f"} {
		now = now.Add(time.Second)
		if err := ask(about); err != nil {
			t.Fatal(err)
		}
		asked = append(asked, <-in.C())
	}
	q.GiveUp(now, func(about string, at time.Time) {
		if about != "e" || !at.Equal(now.Add(-time.Second)) {
			t.Errorf("gave up %q of %v", about, at)
		}
	})
	answer(4, 50)
	answer(5, 60)
	hear("", 0, false)
	hear("f", 60, false)
	if len(q.open) != 0 {
		t.Errorf("%d are open", len(q.open))
	}
}
