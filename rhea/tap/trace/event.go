package trace

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"rhea/proto/relaypb"
	"rhea/proto/subject"
	"rhea/rhea/tap/decode"
	"rhea/rhea/tap/words"
)

// maxAttempts bounds how many sendings of one event are told apart.
const maxAttempts = 1000

// eventStory follows an event: from its frame to its verdict, and to whom it is
// delivered. The same event may be sent several times, by several clients.
type eventStory struct {
	*teller
	id       string // its beginning
	patience time.Duration
	attempts []*attempt
	stored   moment // when its entry was in the log
	readers  int    // subscriptions that it was delivered to
	gateways map[string]bool
	lastTold time.Time
	lastLive time.Time // when the last delivery was heard
}

// attempt is one sending of the event, with the times that are known of it.
type attempt struct {
	gateway                  string
	num                      uint64
	frame, admitted, verdict moment
	outcome                  relaypb.Outcome
}

// moment is when a message was sent, and when it was heard. Zero: not yet.
type moment struct{ sent, heard time.Time }

func (m moment) known() bool { return !m.heard.IsZero() }

func (s *eventStory) subjects(space subject.Space) []string {
	root := strings.TrimSuffix(space.All(), ">")
	return []string{root + "ingest.*", root + "write", root + "log", root + "out.*"}
}

func (s *eventStory) seen() bool { return !s.lastTold.IsZero() }

func (s *eventStory) over(now time.Time) bool {
	for _, a := range s.attempts {
		if !a.verdict.known() {
			return false
		}
	}
	return len(s.attempts) > 0 && now.Sub(s.lastTold) >= s.patience
}

func (s *eventStory) hear(h hop) {
	for _, m := range h.Messages {
		if from, to, ok := s.take(h, decode.Body(m)); ok {
			s.lastTold = h.at
			s.teller.hop(h, from, to, words.Name(decode.Body(m)), words.Line(decode.Body(m)))
		}
	}
}

// take notes what a message says of the event, and from whom to whom it went; ok says
// whether it says anything.
func (s *eventStory) take(h hop, body proto.Message) (from, to string, ok bool) {
	now := moment{h.sent(), h.at}
	switch m := body.(type) {
	case *relaypb.EventFrame:
		if !words.Mentions(m, s.id) || len(s.attempts) >= maxAttempts {
			return "", "", false
		}
		gateway := subject.ConnID(m.Conn).Gateway().String()
		if s.attempt(gateway, m.Num) == nil { // else it is sent again, as nobody has answered
			s.attempts = append(s.attempts, &attempt{gateway: gateway, num: m.Num, frame: now})
		}
		return "gateway " + gateway, owner(h.view, subject.Ingester, h.Key), true
	case *relaypb.Admitted:
		if !words.Mentions(m, s.id) {
			return "", "", false
		}
		if a := s.attempt(subject.ConnID(m.Conn).Gateway().String(), m.Num); a != nil && !a.admitted.known() {
			a.admitted = now
		}
		return "ingester", "writer", true
	case *relaypb.Entries:
		if !words.Mentions(m, s.id) {
			return "", "", false
		}
		s.stored = now
		return "writer", "followers", true
	case *relaypb.Verdict:
		a := s.attempt(h.Key, m.Num)
		if a == nil {
			return "", "", false
		}
		if !a.verdict.known() {
			a.verdict, a.outcome = now, m.Outcome
		}
		from = "writer"
		if !a.admitted.known() {
			from = "ingester"
		}
		return from, "gateway " + h.Key, true
	}
	return s.takeAnswer(h, body)
}

// takeAnswer is take for what gateways are told of the event on behalf of others.
func (s *eventStory) takeAnswer(h hop, body proto.Message) (from, to string, ok bool) {
	to = "gateway " + h.Key
	switch m := body.(type) {
	case *relaypb.Deliveries:
		if !words.Mentions(m, s.id) {
			return "", "", false
		}
		for _, d := range m.Events {
			if words.Mentions(d, s.id) {
				s.readers += len(d.Nums)
			}
		}
		if s.gateways == nil {
			s.gateways = make(map[string]bool)
		}
		s.gateways[h.Key], s.lastLive = true, h.at
		return "monitor " + subject.Instance(m.Monitor).String(), to, true
	case *relaypb.Part:
		return "reqworker " + subject.Instance(m.Worker).String(), to, words.Mentions(m, s.id)
	case *relaypb.Heard:
		return "monitor " + subject.Instance(m.Monitor).String(), to, s.attempt(h.Key, m.Num) != nil
	}
	return "", "", false
}

func (s *eventStory) attempt(gateway string, num uint64) *attempt {
	for _, a := range s.attempts {
		if a.gateway == gateway && a.num == num {
			return a
		}
	}
	return nil
}

// end tells where the time of each sending went.
func (s *eventStory) end() {
	for _, a := range s.attempts {
		if !a.verdict.known() {
			s.tell("\nsent by gateway %s, and not answered", a.gateway)
			continue
		}
		s.tell("\nEVENT to OK, within gateway %s: %.3f ms, %s", a.gateway, ms(a.verdict.heard.Sub(a.frame.sent)), a.outcome)
		for _, l := range a.legs() {
			s.tell("%12.3f ms  %s", ms(l.took), l.what)
		}
	}
	if s.readers > 0 && len(s.attempts) > 0 {
		s.tell("\nto %s of %s, the last %.3f ms after the EVENT", count(s.readers, "subscription"), count(len(s.gateways), "gateway"), ms(s.lastLive.Sub(s.attempts[0].frame.sent)))
	}
}

// leg is a stretch of an event's way.
type leg struct {
	what string
	took time.Duration
}

// legs are the stretches from the frame's sending to the verdict's arrival, without a
// gap. A receiver may have heard a message before the tracer has: at the latest when it
// sent the next.
func (a *attempt) legs() []leg {
	if !a.admitted.known() {
		arrived := earlier(a.frame.heard, a.verdict.sent)
		return []leg{
			{"on the bus to the ingester", arrived.Sub(a.frame.sent)},
			{"ingester: queue and checks", a.verdict.sent.Sub(arrived)},
			{"on the bus to the gateway", a.verdict.heard.Sub(a.verdict.sent)},
		}
	}
	arrived := earlier(a.frame.heard, a.admitted.sent)
	atWriter := earlier(a.admitted.heard, a.verdict.sent)
	return []leg{
		{"on the bus to the ingester", arrived.Sub(a.frame.sent)},
		{"ingester: queue and checks", a.admitted.sent.Sub(arrived)},
		{"on the bus to the writer", atWriter.Sub(a.admitted.sent)},
		{"writer: queue, decision, disk", a.verdict.sent.Sub(atWriter)},
		{"on the bus to the gateway", a.verdict.heard.Sub(a.verdict.sent)},
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
