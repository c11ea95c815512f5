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

// maxQuestions bounds how many questions of a connection are remembered. Beyond it the
// oldest half is forgotten: their answers are no longer put to the connection.
const maxQuestions = 100_000

// connStory follows a connection: whatever is asked on its behalf, and every answer.
type connStory struct {
	*teller
	conn    subject.ConnID
	asked   map[uint64]question
	order   []uint64 // nums, oldest first
	told    int
	events  span // EVENT and AUTH to verdict
	queries span // REQ and COUNT to the last part
	live    int  // events delivered to live subscriptions
}

// question is what the connection has asked.
type question struct {
	what     string
	sent     time.Time
	admitted bool // an EVENT that the writer has been given
}

func (s *connStory) subjects(space subject.Space) []string {
	sh := space.ShardOf(s.conn)
	return []string{space.Ingest(sh), space.Write(), space.Req(sh), space.Sub(sh), space.Neg(sh), space.Out(s.conn.Gateway())}
}

func (s *connStory) seen() bool          { return s.told > 0 }
func (s *connStory) over(time.Time) bool { return false }

func (s *connStory) hear(h hop) {
	for _, m := range h.Messages {
		body := decode.Body(m)
		if conn, ok := words.Conn(body); ok {
			if conn == s.conn {
				s.question(h, body)
			}
			continue
		}
		if h.Inbox == "out" {
			s.answer(h, body)
		}
	}
}

// question tells what goes from the connection to a stage.
func (s *connStory) question(h hop, body proto.Message) {
	s.told++
	from, to := "gateway "+s.conn.Gateway().String(), ""
	switch h.Inbox {
	case "ingest":
		to = owner(h.view, subject.Ingester, h.Key)
	case "req":
		to = owner(h.view, subject.Reqworker, h.Key)
	case "sub":
		to = owner(h.view, subject.Monitor, h.Key)
	case "neg":
		to = owner(h.view, subject.Negentropy, h.Key)
	case "write":
		from, to = "ingester", "writer"
	}
	name := words.Name(body)
	s.teller.hop(h, from, to, name, words.Line(body))
	for _, num := range words.Nums(body) {
		s.remember(num, question{what: name, sent: h.sent()})
		if q := s.asked[num]; h.Inbox == "write" {
			q.admitted = true
			s.asked[num] = q
		}
	}
}

func (s *connStory) remember(num uint64, q question) {
	if s.asked == nil {
		s.asked = make(map[uint64]question)
	}
	if _, again := s.asked[num]; again {
		return // what follows a question, or the question sent again
	}
	if len(s.order) >= maxQuestions {
		for _, old := range s.order[:maxQuestions/2] {
			delete(s.asked, old)
		}
		s.order = append(s.order[:0], s.order[maxQuestions/2:]...)
	}
	s.asked[num], s.order = q, append(s.order, num)
}

// answer tells what comes back for one of the connection's questions.
func (s *connStory) answer(h hop, body proto.Message) {
	var ours []question
	for _, num := range words.Nums(body) {
		if q, ok := s.asked[num]; ok {
			ours = append(ours, q)
		}
	}
	if len(ours) == 0 {
		return
	}
	s.told++
	took := h.at.Sub(ours[0].sent)
	text := words.Line(body)
	from := "ingester"
	switch m := body.(type) {
	case *relaypb.Verdict:
		if ours[0].admitted {
			from = "writer"
		}
		s.events.add(took)
	case *relaypb.Part:
		from = instance("reqworker", m.Worker)
		if m.Eose {
			s.queries.add(took)
		}
	case *relaypb.Counted:
		from = instance("reqworker", m.Worker)
		s.queries.add(took)
	case *relaypb.Closed:
		from = instance("reqworker", m.Worker)
		s.queries.add(took)
	case *relaypb.NegReply:
		from = "negentropy"
	case *relaypb.Heard:
		from = instance("monitor", m.Monitor)
	case *relaypb.Deliveries:
		from = instance("monitor", m.Monitor)
		s.deliveries(m)
		text = words.Line(s.own(m)) // other connections' deliveries are in it too
	}
	if ours[0].what != "Watch" {
		text += fmt.Sprintf("  (%.3f ms after the %s)", ms(took), ours[0].what)
	}
	s.teller.hop(h, from, "gateway "+h.Key, words.Name(body), text)
}

func instance(stage string, i uint32) string { return stage + " " + subject.Instance(i).String() }

// deliveries counts the events that were for this connection.
func (s *connStory) deliveries(m *relaypb.Deliveries) {
	for _, d := range s.own(m).Events {
		s.live += len(d.Nums)
	}
}

// own is what of Deliveries is for the connection.
func (s *connStory) own(m *relaypb.Deliveries) *relaypb.Deliveries {
	mine := func(nums []uint64) (list []uint64) {
		for _, num := range nums {
			if _, ok := s.asked[num]; ok {
				list = append(list, num)
			}
		}
		return list
	}
	own := &relaypb.Deliveries{Monitor: m.Monitor, Number: m.Number, Upto: m.Upto, Watching: mine(m.Watching)}
	for _, d := range m.Events {
		if nums := mine(d.Nums); len(nums) > 0 {
			own.Events = append(own.Events, &relaypb.Delivery{Seq: d.Seq, Json: d.Json, Nums: nums})
		}
	}
	for _, e := range m.Ended {
		if len(mine([]uint64{e.Num})) > 0 {
			own.Ended = append(own.Ended, e)
		}
	}
	return own
}

// end tells how long its questions took.
func (s *connStory) end() {
	var parts []string
	if s.events.n > 0 {
		parts = append(parts, s.events.text("EVENT or AUTH", "answered"))
	}
	if s.queries.n > 0 {
		parts = append(parts, s.queries.text("query", "answered"))
	}
	if s.live > 0 {
		parts = append(parts, count(s.live, "live event")+" delivered")
	}
	if len(parts) > 0 {
		s.tell("\n%s", strings.Join(parts, "\n"))
	}
}

// span is how long things took.
type span struct {
	n                int
	sum, least, most time.Duration
}

func (s *span) add(d time.Duration) {
	if s.n == 0 || d < s.least {
		s.least = d
	}
	s.n, s.sum, s.most = s.n+1, s.sum+d, max(s.most, d)
}

func (s *span) text(what, done string) string {
	return fmt.Sprintf("%d × %s, %s after %.3f ms on average (%.3f to %.3f)", s.n, what, done, ms(s.sum)/float64(s.n), ms(s.least), ms(s.most))
}
