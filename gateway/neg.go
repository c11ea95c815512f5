package gateway

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"time"

	"rhea/proto/frame"
	"rhea/proto/nostr"
	"rhea/proto/nostr/strictjson"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// session is a negentropy session (NIP-77). The stage that serves it keeps its
// state; when that is lost, the client starts over.
type session struct {
	conn    *conn
	id      frame.SubID
	num     uint64
	opening *relaypb.NegOpen // until it is sent
	turn    uint32           // of the last message
	waiting bool             // for the reply to it
	since   time.Time
}

// maxFilterDepth is far beyond any filter.
const maxFilterDepth = 8

// negotiate handles the three messages of NIP-77, and returns the number of the
// question that it has led to, 0 if to none.
func (c *core) negotiate(cn *conn, m frame.Client) (num uint64) {
	i := slices.IndexFunc(cn.sessions(), func(s *session) bool { return s.id == m.Sub })
	switch {
	case m.Verb == frame.NegOpen:
		return c.openSession(cn, m)
	case m.Verb == frame.NegClose:
		c.endSession(cn, m.Sub)
	case i < 0:
		c.sayNegErr(cn, m.Sub, nostr.Closed.Text("no such session"))
	default:
		return c.continueSession(cn.sessions()[i], m.Body)
	}
	return 0
}

func (c *core) openSession(cn *conn, m frame.Client) (num uint64) {
	c.endSession(cn, m.Sub)
	filter, message, err := parseNegOpen(m.Body)
	if err != nil {
		c.sayNegErr(cn, m.Sub, nostr.Invalid.Text(err.Error()))
		return 0
	}
	if len(cn.sessions()) >= c.config.MaxNegotiations {
		c.metrics.refusedSubs.Inc()
		c.sayNegErr(cn, m.Sub, nostr.Blocked.Text("too many sessions"))
		return 0
	}
	s := &session{conn: cn, id: m.Sub, num: c.number(cn.shard), waiting: true, since: c.now}
	s.opening = &relaypb.NegOpen{Conn: uint64(cn.id), Num: s.num, Filter: filter, Message: message, Keys: cn.allKeys()}
	s.opening.SourceType, s.opening.Source = c.readSource(cn)
	cn.rarely().sessions = append(cn.sessions(), s)
	c.sessions[s.num] = s
	c.sendOpen(s)
	c.alarms.set(c.now.Add(c.config.QueryTimeout), alarm{aboutSession, s.num})
	return s.num
}

func (c *core) sendOpen(s *session) {
	if s.opening == nil || c.who.owner(subject.Negentropy, s.conn.shard) == 0 {
		return
	}
	c.sendNeg(s, &relaypb.NegInbox{Body: &relaypb.NegInbox_Open{Open: s.opening}})
	s.opening = nil
}

func (c *core) sendNeg(s *session, m *relaypb.NegInbox) { c.send(c.space.Neg(s.conn.shard), m) }

// continueSession passes on the client's next message. The protocol is a game of
// question and answer; a client that does not wait for its turn is out.
func (c *core) continueSession(s *session, body []byte) (num uint64) {
	message, err := parseNegMsg(body)
	if err == nil && s.waiting {
		err = fmt.Errorf("NEG-MSG before the answer to the last one")
	}
	if err != nil {
		c.failSession(s, nostr.Invalid.Text(err.Error()))
		return 0
	}
	s.turn++
	s.waiting, s.since = true, c.now
	c.sendNeg(s, &relaypb.NegInbox{Body: &relaypb.NegInbox_Msg{
		Msg: &relaypb.NegMsg{Conn: uint64(s.conn.id), Num: s.num, Message: message, Turn: s.turn},
	}})
	return s.num
}

// negReply passes on the answer to the session's last message, or an error, which
// ends the session at any time.
func (c *core) negReply(r *relaypb.NegReply) {
	c.giveBack(r.Num)
	s := c.sessions[r.Num]
	if s == nil || s.opening != nil || r.Error == "" && (!s.waiting || r.Turn != s.turn) {
		c.metrics.late.Inc()
		return
	}
	if r.Error != "" {
		c.dropSession(s, false)
		c.prompt(s.conn, r.Error)
		if most := min(r.Records, math.MaxInt); most > 0 {
			c.say(s.conn, frame.AppendNegErrMax(c.scratch[:0], s.id, r.Error, int(most)))
		} else {
			c.say(s.conn, frame.AppendNegErr(c.scratch[:0], s.id, r.Error))
		}
		return
	}
	s.waiting = false
	c.say(s.conn, frame.AppendNegMsg(c.scratch[:0], s.id, r.Message))
}

// checkSession gives up a session whose answer does not come. There is one alarm a
// session, however many messages it has.
func (c *core) checkSession(num uint64) {
	s := c.sessions[num]
	if s == nil {
		return
	}
	if !s.waiting {
		s.since = c.now
	}
	if end := s.since.Add(c.config.QueryTimeout); end.After(c.now) {
		c.alarms.set(end, alarm{aboutSession, num})
		return
	}
	c.metrics.timeouts.Inc()
	c.failSession(s, nostr.Failed.Text("the relay did not answer in time; start over"))
}

// moveSessions ends the sessions of shards whose owner has changed, which know
// nothing of them, and opens those that waited for an owner.
func (c *core) moveSessions(changed []bool) {
	var nums []uint64
	for num, s := range c.sessions {
		if changed[s.conn.shard] {
			nums = append(nums, num)
		}
	}
	slices.Sort(nums)
	for _, num := range nums {
		if s := c.sessions[num]; s.opening != nil {
			c.sendOpen(s)
		} else {
			c.failSession(s, nostr.Closed.Text("the session was lost; start over"))
		}
	}
}

// waitingSessions returns the sessions whose client waits for an answer, in order.
func (c *core) waitingSessions() []*session {
	var list []*session
	for _, s := range c.sessions {
		if s.waiting {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b *session) int { return cmp.Compare(a.num, b.num) })
	return list
}

// failSession ends a session and tells the client why.
func (c *core) failSession(s *session, text string) {
	c.dropSession(s, true)
	c.sayNegErr(s.conn, s.id, text)
}

// endSession ends a session in silence; one that does not exist, too.
func (c *core) endSession(cn *conn, id frame.SubID) {
	if i := slices.IndexFunc(cn.sessions(), func(s *session) bool { return s.id == id }); i >= 0 {
		c.dropSession(cn.sessions()[i], true)
	}
}

// dropSession forgets a session, and has its stage forget it if tell is set.
func (c *core) dropSession(s *session, tell bool) {
	s.conn.rare.sessions = slices.DeleteFunc(s.conn.rare.sessions, func(x *session) bool { return x == s })
	delete(c.sessions, s.num)
	if tell && s.opening == nil && c.who.owner(subject.Negentropy, s.conn.shard) != 0 {
		c.sendNeg(s, &relaypb.NegInbox{Body: &relaypb.NegInbox_Close{
			Close: &relaypb.NegClose{Conn: uint64(s.conn.id), Num: s.num},
		}})
	}
}

// parseNegOpen splits what follows the id of a NEG-OPEN: a filter, which stays
// raw, and a message in hex.
func parseNegOpen(body []byte) (filter, message []byte, err error) {
	l := strictjson.New(body)
	if l.Peek() != '{' || l.Skip(maxFilterDepth) != nil {
		return nil, nil, fmt.Errorf("NEG-OPEN: the filter is not a JSON object")
	}
	filter = body[:l.Offset()]
	if !l.Take(',') {
		return nil, nil, fmt.Errorf("NEG-OPEN: the message is missing")
	}
	message, err = parseNegMsg(body[l.Offset():])
	return filter, message, err
}

// parseNegMsg decodes a message, the only argument that is left.
func parseNegMsg(body []byte) ([]byte, error) {
	l := strictjson.New(body)
	text, err := l.String()
	if err != nil || !l.End() {
		return nil, fmt.Errorf("the message must be one string")
	}
	message, err := hex.DecodeString(text)
	if err != nil || len(message) == 0 {
		return nil, fmt.Errorf("the message is not hex")
	}
	return message, nil
}
