package replay

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"rhea/proto/relaypb"
	"rhea/proto/subject"
	"rhea/rhea/tap/decode"
)

// stagehand puts a recording's messages to a core, and the replay's.
type stagehand struct {
	t     *testing.T
	c     *core
	sent  []proto.Message // bodies
	to    []string
	diffs []string
}

const then = subject.Instance(0xaa) // the gateway of the recordings

func newStagehand(t *testing.T, under subject.Stage) *stagehand {
	t.Helper()
	recorded, err := subject.New("old", 16)
	if err != nil {
		t.Fatal(err)
	}
	space, err := subject.New("new", 1)
	if err != nil {
		t.Fatal(err)
	}
	s := &stagehand{t: t, c: newCore(under, space, recorded, 0xbb)}
	s.c.began = time.Unix(1000, 0)
	s.c.at, s.c.now = s.c.began, time.Unix(9000, 0)
	s.c.send = func(subj string, m proto.Message) {
		s.to, s.sent = append(s.to, subj), append(s.sent, decode.Body(m))
	}
	s.c.tell = func(d Difference) { s.diffs = append(s.diffs, d.String()) }
	return s
}

// later moves the recording's clock.
func (s *stagehand) later(d time.Duration) { s.c.at = s.c.at.Add(d) }

// ask says what the recorded gateway said, and returns what the replay says then.
func (s *stagehand) ask(m proto.Message) []proto.Message {
	s.sent, s.to = nil, nil
	s.later(time.Millisecond)
	s.c.put("", m)
	return s.sent
}

// then says what the recorded gateway was told.
func (s *stagehand) then(m proto.Message) {
	s.later(time.Millisecond)
	s.c.noteOut(then, m)
}

func (s *stagehand) expect(result Result, diffs ...string) {
	s.t.Helper()
	s.c.end()
	got := s.c.result
	got.Asked, got.Answered = result.Asked, result.Answered
	if got != result {
		s.t.Errorf("%+v\nwant %+v", got, result)
	}
	if text, want := strings.Join(s.diffs, ""), strings.Join(diffs, ""); text != want {
		s.t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	if len(s.c.mine)+len(s.c.asked)+len(s.c.owed) > 0 {
		s.t.Errorf("%d, %d, %d questions are not forgotten", len(s.c.mine), len(s.c.asked), len(s.c.owed))
	}
}

func conn(n uint32) uint64 { return uint64(subject.MakeConnID(then, n)) }

// id is the n-th event's.
func id(n uint64) []byte {
	return append(binary.BigEndian.AppendUint64(nil, n<<56|0xabcdef), make([]byte, 24)...)
}

// stored is the n-th event, as far as a core looks at it.
func stored(n uint64) []byte { return []byte(`{"id":"` + hex.EncodeToString(id(n)) + `"}`) }

// publish has the recording and the replay store an event at their leisure.
func (s *stagehand) publish(num, n uint64) {
	s.c.lives.settle(itemOf(id(n)), s.c.at)
	s.later(time.Millisecond)
}

func asking(num uint64) *relaypb.Query {
	return &relaypb.Query{Conn: conn(1), Num: num, Filters: []byte(`{"kinds":[1]}`), Granted: 100}
}

func piece(num uint64, index uint32, eose bool, events ...uint64) *relaypb.Part {
	p := &relaypb.Part{Num: num, Worker: 5, Index: index, Eose: eose, AsOf: 40, Cursor: []byte{byte(index)}}
	for _, n := range events {
		p.Events = append(p.Events, stored(n))
	}
	return p
}

func TestVerdicts(t *testing.T) {
	s := newStagehand(t, "")
	for num := range uint64(3) {
		frame := &relaypb.EventFrame{Conn: conn(7), Num: num + 16, Event: []byte(`{"id":"x"}`), Keys: [][]byte{{1}}}
		sent := s.ask(frame)
		if f := sent[0].(*relaypb.EventFrame); len(sent) != 1 || subject.ConnID(f.Conn).Gateway() != 0xbb || f.Num != num+1 || len(f.Keys) != 1 || s.to[0] != "new.v1.ingest.0" {
			t.Fatalf("%v to %v", sent, s.to)
		}
		if again := s.ask(frame); len(again) != 0 {
			t.Fatalf("an EVENT that was sent again is asked twice: %v", again)
		}
	}
	s.then(&relaypb.Verdict{Num: 16, Outcome: relaypb.Outcome_NEW})
	s.then(&relaypb.Verdict{Num: 17, Outcome: relaypb.Outcome_NEW})
	s.then(&relaypb.Verdict{Num: 18, Outcome: relaypb.Outcome_ERROR, Text: "error: disk full"})
	s.c.hear(&relaypb.Verdict{Num: 1, Outcome: relaypb.Outcome_NEW})
	s.c.hear(&relaypb.Verdict{Num: 2, Outcome: relaypb.Outcome_BLOCKED, Text: "invalid: too long"})
	s.c.hear(&relaypb.Verdict{Num: 3, Outcome: relaypb.Outcome_NEW})
	s.expect(Result{Same: 1, Differing: 1, OwnFault: 1}, fmt.Sprintf(`EVENT of %s, number 17, at +3ms
    {"id":"x"}
  - NEW
  + BLOCKED invalid: too long
`, subject.ConnID(conn(7))))
}

// Parts, workers and numbers are the bus's business: a query that went on under
// another number is one question, asked once.
func TestQueryGoesOn(t *testing.T) {
	s := newStagehand(t, "")
	s.c.before = true
	s.ask(asking(16))
	s.then(piece(16, 0, false, 9, 8))
	s.c.hear(piece(1, 0, false, 9))
	if len(s.c.owed) != 1 {
		t.Error("nothing is owed, though the recording has more")
	}
	s.c.hear(piece(1, 1, true, 8, 7, 6))
	if len(s.c.owed) != 0 {
		t.Error("something is owed")
	}
	s.ask(&relaypb.Stop{Conn: conn(1), Num: 16})
	again := asking(32)
	again.Cursor, again.AsOf = []byte{0}, 40
	if sent := s.ask(again); len(sent) != 0 {
		t.Errorf("asked again: %v", sent)
	}
	other := piece(32, 0, true, 7, 6)
	other.Worker = 6
	s.then(other)
	s.expect(Result{Same: 1})
}

// A query that was stopped for good is compared as far as it went.
func TestQueryStopped(t *testing.T) {
	for last, want := range map[uint64]Result{8: {Same: 1}, 5: {Differing: 1}} {
		s := newStagehand(t, "")
		for n := range uint64(10) {
			s.publish(0, n)
		}
		s.ask(asking(16))
		s.then(piece(16, 0, false, 9, last))
		s.c.hear(piece(1, 0, false, 9, 8, 7))
		if sent := s.ask(&relaypb.Stop{Conn: conn(1), Num: 16}); len(sent) != 1 || sent[0].(*relaypb.Stop).Num != 1 {
			t.Errorf("%v", sent)
		}
		s.then(piece(16, 1, true, 5, 4)) // was on its way when it was stopped
		s.diffs = nil
		s.c.tell = nil
		s.expect(want)
	}
}

func TestQueryDiffers(t *testing.T) {
	s := newStagehand(t, "")
	for n := range uint64(10) {
		s.publish(0, n)
	}
	s.ask(asking(16))
	s.then(piece(16, 0, true, 9, 8, 7, 6, 5, 4, 3, 2, 1))
	closing := piece(1, 0, true, 9, 8, 6)
	closing.Completeness = relaypb.Completeness_MORE
	s.c.hear(closing)
	s.expect(Result{Differing: 1}, fmt.Sprintf(`REQ of %s, number 16, at +11ms
    {"kinds":[1]}
    9 recorded, 3 replayed; they part at 3
    0900000000abcdef…
    0800000000abcdef…
  - 0700000000abcdef…
  - 0600000000abcdef…
  - 0500000000abcdef…
  - 0400000000abcdef…
  - … and 3 more
  + 0600000000abcdef…
  - EOSE
  + EOSE more
`, subject.ConnID(conn(1))))
}

// What was on its way while a query was answered, it may have found or not. What was
// there before, it must have.
func TestUnderWay(t *testing.T) {
	for n, want := range map[uint64]Result{3: {Same: 1}, 2: {Differing: 1}} {
		s := newStagehand(t, "")
		s.c.tell = nil
		s.publish(0, 1)
		s.publish(0, 2)
		s.c.lives.ask(itemOf(id(3)), s.c.at)
		s.ask(asking(16))
		s.then(piece(16, 0, true, n, 1))
		s.c.lives.settle(itemOf(id(3)), s.c.at)
		s.c.hear(piece(1, 0, true, 1))
		s.expect(want)
	}
}

// What a store had before the recording began is left out.
func TestFromBefore(t *testing.T) {
	s := newStagehand(t, "")
	s.publish(0, 1)
	s.ask(asking(16))
	s.then(piece(16, 0, true, 200, 1, 100))
	s.c.hear(piece(1, 0, true, 1))
	s.then(piece(8, 0, true)) // asked before
	if !s.c.before {
		t.Error("nobody has noticed")
	}
	s.expect(Result{Same: 1, Foreign: 1})
}

func watching(num uint64) *relaypb.Watch {
	return &relaypb.Watch{Conn: conn(1), Num: num, After: 40, Filters: []byte(`{"kinds":[1]}`)}
}

func delivery(seq, n, num uint64) *relaypb.Delivery {
	return &relaypb.Delivery{Seq: seq, Json: stored(n), Nums: []uint64{num}}
}

// A subscription goes on where the replay's query was, and under another key where
// the replay's subscription was: the Seqs are another store's.
func TestWatch(t *testing.T) {
	s := newStagehand(t, "")
	s.ask(asking(16))
	s.then(piece(16, 0, true))
	answer := piece(1, 0, true)
	answer.AsOf = 7
	s.c.hear(answer)
	sent := s.ask(watching(32))
	if w := sent[0].(*relaypb.Watch); w.After != 7 || w.Num != 2 {
		t.Fatalf("%v", w)
	}
	if sent = s.ask(watching(32)); len(sent) != 0 {
		t.Fatalf("a watch that was sent again is sent: %v", sent)
	}
	s.then(&relaypb.Deliveries{Monitor: 3, Number: 1, Watching: []uint64{32}})
	if len(s.c.owed) != 1 {
		t.Error("the confirmation is not owed")
	}
	s.c.hear(&relaypb.Deliveries{Monitor: 4, Number: 1, Watching: []uint64{2}})
	s.later(time.Second)
	s.publish(0, 1)
	s.later(time.Second)
	s.then(&relaypb.Deliveries{Monitor: 3, Number: 2, Events: []*relaypb.Delivery{delivery(41, 1, 32)}})
	s.c.hear(&relaypb.Deliveries{Monitor: 4, Number: 2, Events: []*relaypb.Delivery{delivery(8, 1, 2)}})

	moved := watching(40) // its monitor has died
	moved.After = 41
	if sent = s.ask(moved); len(sent) != 0 {
		t.Fatalf("a subscription that has moved is asked for again: %v", sent)
	}
	s.ask(&relaypb.Unwatch{Conn: conn(1), Num: 40})
	keyed := watching(48)
	keyed.After, keyed.Keys = 41, [][]byte{make([]byte, 32)}
	sent = s.ask(keyed)
	if w := sent[0].(*relaypb.Watch); w.After != 8 || w.Num != 3 || len(w.Keys) != 1 {
		t.Fatalf("%v", w)
	}
	s.expect(Result{Same: 3})
}

// An event that is removed while a subscription is registered may be sent before that
// or not; one that is removed later must have been sent.
func TestWatchOfTheRemoved(t *testing.T) {
	for after, want := range map[time.Duration]Result{0: {Same: 2}, 10 * time.Second: {Same: 1, Differing: 1}} {
		s := newStagehand(t, "")
		s.c.tell = nil
		s.ask(asking(16))
		s.then(piece(16, 0, true))
		s.c.hear(piece(1, 0, true))
		s.later(10 * time.Second)
		s.publish(0, 1)
		s.ask(watching(32))
		s.then(&relaypb.Deliveries{Monitor: 3, Number: 1, Events: []*relaypb.Delivery{delivery(41, 1, 32)}, Watching: []uint64{32}})
		s.c.hear(&relaypb.Deliveries{Monitor: 4, Number: 1, Watching: []uint64{2}})
		s.later(after)
		s.c.noteEntries(false, &relaypb.Entries{Entries: []*relaypb.Entry{{Seq: 42, Removed: []*relaypb.Removed{{Seq: 41, Id: id(1)}}}}})
		if owed := len(s.c.owed); owed != want.Differing {
			t.Errorf("%d owed", owed)
		}
		s.later(time.Second)
		s.expect(want)
	}
}

// A hole in what a monitor of the replay says is made good by registering again.
func TestLostDeliveries(t *testing.T) {
	s := newStagehand(t, subject.Monitor)
	s.ask(watching(32))
	s.c.hear(&relaypb.Deliveries{Monitor: 4, Number: 1, Events: []*relaypb.Delivery{delivery(41, 1, 1)}})
	s.sent = nil
	s.c.hear(&relaypb.Deliveries{Monitor: 4, Number: 3, Events: []*relaypb.Delivery{delivery(43, 3, 1)}})
	if w := s.sent[0].(*relaypb.Watch); w.After != 41 || w.Num != 2 {
		t.Fatalf("%v", w)
	}
}

// A session goes on only as long as the client would have said the same.
func TestSession(t *testing.T) {
	s := newStagehand(t, "")
	s.ask(&relaypb.NegOpen{Conn: conn(1), Num: 16, Filter: []byte(`{}`), Message: []byte{1}})
	s.then(&relaypb.NegReply{Num: 16, Message: []byte{2}})
	s.c.hear(&relaypb.NegReply{Num: 1, Message: []byte{3}})
	if sent := s.ask(&relaypb.NegMsg{Conn: conn(1), Num: 16, Turn: 1, Message: []byte{4}}); len(sent) != 0 {
		t.Errorf("went on with %v", sent)
	}
	s.c.tell = nil
	s.expect(Result{Differing: 1})
}

// A wait for an answer ends, and with the answers of others it is not begun again.
func TestGivingUp(t *testing.T) {
	s := newStagehand(t, "")
	s.ask(asking(16))
	s.then(piece(16, 0, true))
	if next, given := s.c.giveUp(time.Second); next != time.Second || given != 0 {
		t.Fatal(next, given)
	}
	s.c.now = s.c.now.Add(time.Second)
	if next, given := s.c.giveUp(time.Second); next != 0 || given != 1 {
		t.Fatal(next, given)
	}
	s.expect(Result{Unanswered: 1}, fmt.Sprintf(`REQ of %s, number 16, at +1ms
    {"kinds":[1]}
  - EOSE
  + (no answer)
`, subject.ConnID(conn(1))))
}

// A subscription as long as the recording costs no more than a short one.
func TestTrim(t *testing.T) {
	q := &question{kind: askedWatch, watch: new(watch)}
	for i := range item(10_000) {
		q.recorded.items, q.replayed.items = grow(q.recorded.items, i), grow(q.replayed.items, i)
		q.trim()
	}
	if n := len(q.recorded.items); n > 2*trimAt || q.watch.trimmed+n != 10_000 {
		t.Errorf("%d kept, %d trimmed", n, q.watch.trimmed)
	}
}
