package replay

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"rhea/proto/bus"
	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
	"rhea/rhea/tap"
)

// silence is a recording without messages.
type silence struct{ Source }

func (silence) Header() tap.Header {
	return tap.Header{Prefix: subject.DefaultPrefix, Shards: 1, Subjects: []string{subject.DefaultPrefix + ".>"}, Started: time.Unix(1000, 0)}
}

// playTo returns a player, and the bus of the stage that it plays to, which the test
// plays.
func playTo(t *testing.T, under subject.Stage) (*player, *bus.Bus) {
	t.Helper()
	space, err := subject.New(subject.DefaultPrefix, 1)
	if err != nil {
		t.Fatal(err)
	}
	memory := bus.NewMemory()
	join := func() (*bus.Bus, error) { return memory.Join(space, slog.New(slog.DiscardHandler)), nil }
	p, err := newPlayer(silence{}, join, Options{Under: under})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	b, _ := join() // a bus in memory lets everybody in
	return p, b
}

// What an event has removed is known from the log, which the writer publishes before
// the verdict: that is so, too, when both wait to be heard.
func TestLogBeforeVerdict(t *testing.T) {
	p, writer := playTo(t, subject.Writer)
	gen := nostrtest.NewEventGen(1, 1000)
	say := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	var asked []*question
	for num := range uint64(40) {
		e := gen.Event()
		header := nostr.AppendHeader(nil, e)
		p.core.askAdmitted(&relaypb.Admitted{Conn: conn(1), Num: num, Header: header})
		q := p.core.asked[key{then, num}]
		asked = append(asked, q)
		say(writer.Publish(writer.Space.Log(), &relaypb.LogInbox{Body: &relaypb.LogInbox_Entries{Entries: &relaypb.Entries{
			From: num + 1, Next: num + 2,
			Entries: []*relaypb.Entry{{Seq: num + 1, Header: header, Removed: []*relaypb.Removed{{Id: id(num)}}}},
		}}}))
		say(writer.Publish(writer.Space.Out(p.bus.Instance), &relaypb.OutInbox{Body: &relaypb.OutInbox_Verdict{Verdict: &relaypb.Verdict{
			Num: q.mine, Id: e.ID[:], Outcome: relaypb.Outcome_NEW,
		}}}))
	}
	p.hearWaiting()
	for num, q := range asked {
		if items := q.replayed.items; !q.replayed.over || len(items) != 1 || items[0] != itemOf(id(uint64(num))) {
			t.Fatalf("event %d, over %v, has removed %v", num, q.replayed.over, items)
		}
	}
}

// A stage that is slow to start asks for the state of the store when some of the log
// has been played and a question is owed: it gets the state before that.
func TestSlowToStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stage := playTo(t, subject.Negentropy)
		p.core.now = time.Now()
		p.publish(&relaypb.Entries{From: 1, Next: 4})
		p.core.askOpen(&relaypb.NegOpen{Conn: conn(1), Num: 7})
		p.core.replyThen(then, &relaypb.NegReply{Num: 7, Message: []byte("as recorded")})
		go func() {
			reply, err := stage.Scan(t.Context(), &relaypb.Scan{Filters: []byte(`{}`), Want: relaypb.Want_IDS})
			if err != nil || !reply.Done || reply.AsOf != 0 {
				t.Errorf("%v %v", reply, err)
			}
			_ = stage.Publish(stage.Space.Out(p.bus.Instance), &relaypb.OutInbox{Body: &relaypb.OutInbox_Neg{Neg: &relaypb.NegReply{
				Num: 1, Message: []byte("as recorded"),
			}}})
		}()
		if err := p.gate(context.Background()); err != nil || p.core.result.GivenUp != 0 {
			t.Error(err, p.core.result)
		}
	})
}
