package gateway

import (
	"time"

	"rhea/proto/frame"
	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// query is what is known of the stored part of a subscription while it runs. It
// is enough to have any reqworker go on where the last one stopped.
type query struct {
	sent   bool             // to the shard's reqworker, under the sub's number
	worker subject.Instance // the first that answered this number; 0: none yet
	next   uint32           // the index of the part to come
	cursor []byte
	asOf   uint64
	keys   [][]byte // that the connection had when the query began

	granted  int // bytes of events, under this number
	received int
	starved  bool // stands in conn.starved

	came     time.Time // when the REQ had been read
	answered bool      // something has come
	progress time.Time // when something came last, or the client was last the slow one
	asked    time.Time // the same, or when it was last sent, granted more, or not to send anything
}

// expects says whether the reqworker may send something.
func (q *query) expects() bool { return q.sent && q.granted > q.received }

// resumeQuery is how long a query that may send is waited for before it is taken
// for lost.
const resumeQuery = 3 * time.Second

// begin asks for the stored events of a new subscription.
func (c *core) begin(s *sub) {
	s.query = &query{came: c.at, progress: c.now, asked: c.now, keys: s.conn.allKeys()}
	c.queries++
	c.launch(s)
	c.watchOver(s)
}

// launch sends the query under the sub's present number, or leaves that to the
// next change of the roster when there is nobody to send it to, or to the socket
// as it drains when the client does not take what is sent.
func (c *core) launch(s *sub) {
	q, sh := s.query, s.conn.shard
	if c.who.owner(subject.Reqworker, sh) != 0 && c.grant(s) {
		q.sent, q.asked = true, c.now
		m := &relaypb.Query{
			Conn: uint64(s.conn.id), Num: s.num, Filters: s.filters(), Granted: uint64(q.granted), Cursor: q.cursor, AsOf: q.asOf, Keys: q.keys,
		}
		if len(q.cursor) == 0 {
			m.SourceType, m.Source = c.readSource(s.conn)
		}
		c.send(c.space.Req(sh), &relaypb.ReqInbox{Body: &relaypb.ReqInbox_Query{Query: m}})
	}
}

// readSource returns what a read plugin is told of where a question comes from, or
// nothing if the policy has none.
func (c *core) readSource(cn *conn) (relaypb.SourceType, string) {
	if c.policy.ReadPlugin == "" {
		return relaypb.SourceType_SOURCE_NONE, ""
	}
	return sourceOf(cn.from)
}

// resume has the shard's present reqworker go on, under a new number: whatever
// still comes for the old one is for nobody.
func (c *core) resume(s *sub) {
	c.metrics.resumed.Inc()
	c.stop(s)
	q := s.query
	q.sent, q.worker, q.next = false, 0, 0
	delete(c.subs, s.num)
	s.num = c.number(s.conn.shard)
	c.subs[s.num] = s
	q.asked = c.now
	c.launch(s)
	c.watchOver(s)
	c.fund(s.conn)
}

// stop tells the reqworker that nothing more is wanted under the sub's number.
func (c *core) stop(s *sub) {
	c.defund(s)
	sh := s.conn.shard
	if !s.query.sent || c.who.owner(subject.Reqworker, sh) == 0 {
		return
	}
	c.send(c.space.Req(sh), &relaypb.ReqInbox{Body: &relaypb.ReqInbox_Stop{
		Stop: &relaypb.Stop{Conn: uint64(s.conn.id), Num: s.num},
	}})
}

// answered returns the sub whose query an answer belongs to, nil if it is to be
// dropped: two reqworkers may answer while a shard changes hands, and one of them
// is as good as the other, but not a mixture.
func (c *core) answered(num uint64, worker uint32) *sub {
	s := c.subs[num]
	if s == nil || s.query == nil {
		c.metrics.late.Inc()
		c.exorcise(num, subject.Reqworker)
		return nil
	}
	q := s.query
	if q.worker == 0 {
		q.worker = subject.Instance(worker)
	}
	if q.worker != subject.Instance(worker) {
		c.metrics.late.Inc()
		return nil
	}
	return s
}

// part passes on a piece of a query's answer.
func (c *core) part(p *relaypb.Part) {
	c.giveBack(p.Num)
	if n := c.counts[p.Num]; n != nil {
		c.goesOn(n)
		return
	}
	s := c.answered(p.Num, p.Worker)
	if s == nil {
		return
	}
	q := s.query
	if p.Index < q.next {
		c.metrics.late.Inc()
		return
	}
	if p.Index > q.next {
		c.metrics.gaps.Inc()
		c.resume(s)
		return
	}
	if !q.answered {
		q.answered = true
		c.metrics.firstTime.Observe(c.at.Sub(q.came).Seconds())
	}
	q.next++
	q.progress, q.asked = c.now, c.now
	q.cursor, q.asOf = p.Cursor, p.AsOf
	bytes := 0
	for _, json := range p.Events {
		c.event(s, &parcel{json: json})
		bytes += len(json)
	}
	c.metrics.stored.Add(len(p.Events))
	c.settle(s, q.granted, q.received+bytes)
	if p.Eose {
		c.eose(s, p)
		return
	}
	if q.granted-q.received < queryStep/2 && !q.starved {
		c.more(s)
	}
	c.fund(s.conn)
}

// eose ends the stored part, and says whether it was all that is stored when that
// is known (NIP-67): the monitor has the subscription from here on, unless the
// policy ends it.
func (c *core) eose(s *sub, last *relaypb.Part) {
	switch last.Completeness {
	case relaypb.Completeness_FINISH:
		c.say(s.conn, frame.AppendEOSE(c.scratch[:0], s.id(), "finish"))
	case relaypb.Completeness_MORE:
		c.say(s.conn, frame.AppendEOSE(c.scratch[:0], s.id(), "more"))
	default:
		c.say(s.conn, frame.AppendEOSE(c.scratch[:0], s.id()))
	}
	c.metrics.eoseTime.Observe(c.at.Sub(s.query.came).Seconds())
	asOf := s.query.asOf
	s.query.sent = false // it has ended there
	if last.ById && c.policy.CloseByID {
		c.closeSub(s, nostr.Closed.Text("what was asked for by id is sent"))
		return
	}
	c.stop(s)
	s.query = nil
	c.queries--
	delete(c.subs, s.num)
	s.num = c.number(s.conn.shard)
	c.subs[s.num] = s
	s.seen = subject.Seq(asOf)
	if c.policy.Mute { // who listens is counted from now on
		c.watch(s)
	} else {
		c.fresh = append(c.fresh, s.num)
	}
	c.fund(s.conn)
}

// checkQuery resumes a query that should have made progress, and gives up one
// that has made none for too long.
func (c *core) checkQuery(s *sub) {
	q := s.query
	if q.starved && s.conn.crowded(queryStep) {
		// The client is the slow one. Less than a step is no sign of that: it is on its
		// way, and what holds the query up is what others in its line were granted.
		q.progress, q.asked = c.now, c.now
	}
	if !q.expects() {
		q.asked = c.now
	}
	switch {
	case !q.progress.Add(c.config.QueryTimeout).After(c.now):
		c.metrics.timeouts.Inc()
		c.closeSub(s, nostr.Failed.Text("the relay did not answer in time; try again"))
	case !q.asked.Add(resumeQuery).After(c.now):
		c.resume(s)
	default:
		c.watchOver(s)
	}
}

// watchOver sets the alarm for the next check of a query under its number, of which
// there is one at a time.
func (c *core) watchOver(s *sub) {
	q := s.query
	when := q.progress.Add(c.config.QueryTimeout)
	if again := q.asked.Add(resumeQuery); again.Before(when) {
		when = again
	}
	c.alarms.set(when, alarm{aboutSub, s.num})
}
