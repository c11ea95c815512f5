package trace

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"rhea/proto/bus"
	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
	"rhea/rhea/tap/decode"
)

const (
	gateway = 0x1a2b3c4d
	alice   = uint64(gateway)<<32 | 17
	bob     = uint64(gateway)<<32 | 18
	note    = `{"id":"9f3ac21b7e0d4455","kind":1}`
)

// stage is a story and the bus that it hears.
type stage struct {
	t     *testing.T
	told  bytes.Buffer
	story story
	view  *bus.View
}

func newStage(t *testing.T, target Target) *stage {
	s := &stage{t: t}
	space, err := subject.New("rhea", 16)
	if err != nil {
		t.Fatal(err)
	}
	s.view = bus.NewRoster(bus.NewMemory().Join(space, slog.New(slog.DiscardHandler)), "", "", nil).View()
	teller := &teller{w: &s.told}
	s.story = &connStory{teller: teller, conn: target.Conn}
	if target.Event != "" {
		s.story = &eventStory{teller: teller, id: target.Event, patience: time.Second}
	}
	return s
}

func at(ms int) time.Time {
	return time.UnixMilli(1_700_000_000_000).Add(time.Duration(ms) * time.Millisecond)
}

// hear has a message sent and heard at these milliseconds.
func (s *stage) hear(subj string, sent, heard int, m proto.Message) {
	s.t.Helper()
	body, err := proto.Marshal(m)
	if err != nil {
		s.t.Fatal(err)
	}
	said := decode.Message("rhea", "rhea.v1."+subj, bus.Join(at(sent), body))
	if said.Err != nil {
		s.t.Fatal(said.Err)
	}
	s.story.hear(hop{said, at(heard), s.view})
}

func frameOf(conn, num uint64) proto.Message {
	return &relaypb.IngestInbox{Body: &relaypb.IngestInbox_Event{Event: &relaypb.EventFrame{Conn: conn, Num: num, Event: []byte(note)}}}
}

func admitted(conn, num uint64) proto.Message {
	e := &nostr.Event{Kind: 1}
	copy(e.ID[:], "\x9f\x3a\xc2\x1b\x7e\x0d\x44\x55")
	return &relaypb.WriteInbox{Body: &relaypb.WriteInbox_Admitted{Admitted: &relaypb.Admitted{Conn: conn, Num: num, Header: nostr.AppendHeader(nil, e), Json: []byte(note)}}}
}

func verdict(num uint64, o relaypb.Outcome) proto.Message {
	return &relaypb.OutInbox{Body: &relaypb.OutInbox_Verdict{Verdict: &relaypb.Verdict{Num: num, Outcome: o}}}
}

func deliveries(nums ...uint64) proto.Message {
	return &relaypb.OutInbox{Body: &relaypb.OutInbox_Deliveries{Deliveries: &relaypb.Deliveries{Monitor: 6, Events: []*relaypb.Delivery{{Seq: 1, Json: []byte(note), Nums: nums}}}}}
}

// The legs of an event's way are its whole time, none less than nothing, even when the
// tracer hears of a message only after the next was sent.
func TestEventLegs(t *testing.T) {
	for _, heardAdmitted := range []int{7, 40} {
		s := newStage(t, Target{Event: "9f3ac21b"})
		s.hear("ingest.1", 0, 2, frameOf(alice, 3))
		s.hear("write", 5, heardAdmitted, admitted(alice, 3))
		s.hear("out.1a2b3c4d", 20, 24, verdict(99, relaypb.Outcome_NEW)) // another's
		s.hear("out.1a2b3c4d", 20, 23, verdict(3, relaypb.Outcome_NEW))
		s.hear("out.1a2b3c4d", 21, 26, deliveries(4, 5))
		a := s.story.(*eventStory).attempts[0]
		sum, least := time.Duration(0), time.Duration(0)
		for _, l := range a.legs() {
			sum, least = sum+l.took, min(least, l.took)
		}
		if sum != 23*time.Millisecond || least < 0 {
			t.Errorf("%v, least %s: %v", sum, least, a.legs())
		}
		s.story.end()
		for _, want := range []string{"EVENT to OK, within gateway 1a2b3c4d: 23.000 ms, NEW", "5.000 ms  ", "to 2 subscriptions of 1 gateway, the last 26.000 ms"} {
			if !strings.Contains(s.told.String(), want) && !(heardAdmitted == 40 && want == "5.000 ms  ") {
				t.Errorf("%q is not among\n%s", want, s.told.String())
			}
		}
		if strings.Contains(s.told.String(), "num=99") {
			t.Errorf("another's verdict is told:\n%s", s.told.String())
		}
	}
}

// A refusal comes from the ingester, if the writer has not been asked.
func TestEventRefused(t *testing.T) {
	s := newStage(t, Target{Event: "9f3ac21b7e0d4455"})
	s.hear("ingest.1", 0, 1, frameOf(alice, 3))
	s.hear("out.1a2b3c4d", 4, 5, verdict(3, relaypb.Outcome_BLOCKED))
	s.story.end()
	text := s.told.String()
	if !strings.Contains(text, "ingester            → gateway 1a2b3c4d     Verdict") || !strings.Contains(text, "5.000 ms, BLOCKED") || strings.Contains(text, "writer") {
		t.Error(text)
	}
}

// A story is over when every sending is answered and nothing more has come for a while.
func TestEventOver(t *testing.T) {
	s := newStage(t, Target{Event: "9f3ac21b"})
	never := at(1_000_000)
	if s.story.over(never) || s.story.seen() {
		t.Error("over before it began")
	}
	s.hear("ingest.1", 0, 1, frameOf(alice, 3))
	s.hear("ingest.1", 2, 3, frameOf(alice, 3)) // the same again
	s.hear("ingest.2", 2, 3, frameOf(bob, 4))
	s.hear("out.1a2b3c4d", 4, 5, verdict(3, relaypb.Outcome_NEW))
	if s.story.over(never) || !s.story.seen() {
		t.Error("over with an answer to come")
	}
	s.hear("out.1a2b3c4d", 4, 6, verdict(4, relaypb.Outcome_DUPLICATE))
	if s.story.over(at(6+999)) || !s.story.over(at(6+1000)) {
		t.Error("its patience is wrong")
	}
	for i := range uint64(2 * maxAttempts) {
		s.hear("ingest.1", 7, 8, frameOf(alice, 100+i))
	}
	if n := len(s.story.(*eventStory).attempts); n > maxAttempts {
		t.Errorf("%d attempts are remembered", n)
	}
	s.story.end()
	if !strings.Contains(s.told.String(), "sent by gateway 1a2b3c4d, and not answered") {
		t.Error("nothing is said of those without an answer")
	}
}

// Of what a gateway is told only what is the connection's is told here.
func TestConn(t *testing.T) {
	s := newStage(t, Target{Conn: subject.ConnID(bob)})
	watch := func(conn, num uint64) proto.Message {
		return &relaypb.SubInbox{Body: &relaypb.SubInbox_Watch{Watch: &relaypb.Watch{Conn: conn, Num: num, Filters: []byte("{}")}}}
	}
	s.hear("sub.2", 0, 1, watch(bob, 4))
	s.hear("sub.2", 0, 1, watch(alice, 5))
	s.hear("ingest.2", 2, 3, frameOf(bob, 6))
	s.hear("write", 4, 5, admitted(bob, 6))
	s.hear("out.1a2b3c4d", 6, 12, verdict(6, relaypb.Outcome_NEW))
	s.hear("out.1a2b3c4d", 7, 8, deliveries(4, 5))
	s.hear("out.1a2b3c4d", 9, 10, deliveries(5))
	s.story.end()
	text := s.told.String()
	for _, want := range []string{
		"writer              → gateway 1a2b3c4d     Verdict     num=6 outcome=NEW  (10.000 ms after the EventFrame)", "nums=[4]",
		"1 × EVENT or AUTH, answered after 10.000 ms", "1 live event delivered",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not among\n%s", want, text)
		}
	}
	if strings.Contains(text, "num=5") || strings.Contains(text, "nums=[4,5]") || strings.Contains(text, "nums=[5]") || strings.Count(text, " Deliveries ") != 1 {
		t.Errorf("what is another's is told:\n%s", text)
	}
}

// The questions of a connection that asks for ever cost bounded memory, and its last
// ones are known.
func TestConnBound(t *testing.T) {
	s := newStage(t, Target{Conn: subject.ConnID(alice)})
	c := s.story.(*connStory)
	for i := range uint64(3 * maxQuestions) {
		c.remember(i, question{what: "Query"})
	}
	if len(c.asked) > maxQuestions || len(c.order) != len(c.asked) {
		t.Errorf("%d questions, %d nums", len(c.asked), len(c.order))
	}
	for i := range uint64(maxQuestions / 2) {
		if _, ok := c.asked[3*maxQuestions-1-i]; !ok {
			t.Fatalf("the %dth last is forgotten", i+1)
		}
	}
}

func TestParseTarget(t *testing.T) {
	for text, want := range map[string]string{
		"9F3AC21B": "{9f3ac21b 00000000-0}", strings.Repeat("a", 64): "{" + strings.Repeat("a", 64) + " 00000000-0}",
		"1a2b3c4d-17": "{ 1a2b3c4d-17}", "9f3ac21": "", "1a2b-17": "", "1a2b3c4d-": "", "": "", strings.Repeat("a", 65): "",
	} {
		got, err := ParseTarget(text)
		if (err != nil) != (want == "") || err == nil && fmt.Sprint(got) != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}
