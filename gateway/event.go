package gateway

import (
	"slices"
	"time"

	"rhea/proto/frame"
	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// event is an EVENT or AUTH without an answer.
type event struct {
	conn  *conn
	body  []byte
	auth  bool
	hear  *hearing // of an ephemeral event, on a relay that mutes
	since time.Time
	came  time.Time     // when it had been read
	again time.Time     // when it is sent again
	pause time.Duration // between the last time and again
	sent  bool          // to whoever was the shard's ingester
}

// resendEvent is the first pause before an EVENT is sent again; each next is
// twice as long.
const resendEvent = 2 * time.Second

// ask passes an EVENT on.
func (c *core) ask(cn *conn, body []byte) (num uint64) {
	c.metrics.events.Inc()
	return c.expect(&event{conn: cn, body: body})
}

// expect passes an EVENT or AUTH on for the first time.
func (c *core) expect(e *event) (num uint64) {
	num = c.number(e.conn.shard)
	e.came, e.since, e.pause, e.again = c.at, c.now, resendEvent, c.now.Add(resendEvent)
	c.events[num] = e
	e.conn.pending++
	c.sendEvent(num, e)
	c.alarms.set(e.again, alarm{aboutEvent, num})
	return num
}

func (c *core) sendEvent(num uint64, e *event) {
	sh := e.conn.shard
	if c.who.owner(subject.Ingester, sh) == 0 {
		return // the next change of the roster sends it
	}
	if e.sent {
		c.metrics.resent.Inc()
	}
	e.sent = true
	id := uint64(e.conn.id)
	if e.auth {
		c.send(c.space.Ingest(sh), &relaypb.IngestInbox{Body: &relaypb.IngestInbox_Auth{Auth: &relaypb.AuthFrame{
			Conn: id, Num: num, Event: e.body, Challenge: c.challengeOf(e.conn), Host: e.conn.host.Value(),
		}}})
		return
	}
	c.asking.frame.SourceType, c.asking.frame.Source = relaypb.SourceType_SOURCE_NONE, ""
	if c.policy.WritePlugin != "" {
		c.asking.frame.SourceType, c.asking.frame.Source = sourceOf(e.conn.from)
	}
	c.send(c.space.Ingest(sh), c.asking.of(id, num, e.body, e.conn.allKeys()))
}

// asking is the message of an EVENT, the same for each: an outbox keeps none.
type asking struct {
	inbox relaypb.IngestInbox
	body  relaypb.IngestInbox_Event
	frame relaypb.EventFrame
}

func (a *asking) of(conn, num uint64, event []byte, keys [][]byte) *relaypb.IngestInbox {
	a.frame.Conn, a.frame.Num, a.frame.Event, a.frame.Keys = conn, num, event, keys
	a.body.Event, a.inbox.Body = &a.frame, &a.body
	return &a.inbox
}

// resendEvents sends the unanswered EVENTs of some shards again, in the order in
// which they came: whoever had them is gone, and perhaps they with it.
func (c *core) resendEvents(concerned func(subject.Shard) bool) {
	var nums []uint64
	for num, e := range c.events {
		if concerned(e.conn.shard) && !e.conn.gone && !e.decided() {
			nums = append(nums, num)
		}
	}
	slices.Sort(nums)
	for _, num := range nums {
		c.sendEvent(num, c.events[num])
	}
}

// checkEvent sends an unanswered EVENT again, or gives it up.
func (c *core) checkEvent(num uint64) {
	e := c.events[num]
	if e == nil || e.decided() {
		return
	}
	end := e.since.Add(c.config.EventTimeout)
	if !end.After(c.now) {
		c.metrics.timeouts.Inc()
		c.answer(num, e, "", false, nostr.Failed.Text("the relay did not answer in time; try again"))
		return
	}
	if !e.again.After(c.now) {
		e.pause *= 2
		e.again = c.now.Add(e.pause)
		if !e.conn.gone {
			c.sendEvent(num, e)
		}
	}
	next := e.again
	if end.Before(next) {
		next = end
	}
	c.alarms.set(next, alarm{aboutEvent, num})
}

// verdict makes an OK of an answer to an EVENT or AUTH.
func (c *core) verdict(v *relaypb.Verdict) {
	e := c.events[v.Num]
	if e == nil || e.decided() {
		c.metrics.late.Inc()
		return
	}
	accepted := v.Outcome == relaypb.Outcome_NEW || v.Outcome == relaypb.Outcome_DUPLICATE || v.Outcome == relaypb.Outcome_EPHEMERAL ||
		v.Outcome == relaypb.Outcome_SHADOWED
	text := v.Text
	if e.auth {
		accepted, text = c.authenticated(e, v)
	}
	if !accepted && text == "" && v.Outcome != relaypb.Outcome_REJECTED {
		text = nostr.Failed.Text("refused without a reason")
	}
	id := ""
	if len(v.Id) == len(nostr.EventID{}) {
		id = nostr.EventID(v.Id).String()
	}
	if v.Outcome == relaypb.Outcome_EPHEMERAL && c.policy.Mute && !e.auth {
		c.awaitWord(v.Num, e, id, text)
		return
	}
	c.answer(v.Num, e, id, accepted, text)
}

// answer ends an EVENT or AUTH. An empty id is taken from what the client sent.
func (c *core) answer(num uint64, e *event, id string, accepted bool, text string) {
	delete(c.events, num)
	e.conn.pending--
	c.giveBack(num)
	if e.auth {
		c.hub.windows.release(e.conn)
	}
	if e.conn.gone {
		return
	}
	if id == "" {
		id, _ = frame.EventIDOf(e.body)
	}
	c.metrics.eventTime.Observe(c.at.Sub(e.came).Seconds())
	switch {
	case e.auth: // counted elsewhere
	case accepted:
		c.metrics.accepted.Inc()
	default:
		c.metrics.refusedEvents.Inc()
	}
	c.sayOK(e.conn, id, accepted, text)
}
