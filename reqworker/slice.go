package reqworker

import (
	"errors"
	"math"
	"strings"
	"time"

	"rhea/proto/bus"
	"rhea/proto/nostr"
	"rhea/proto/relaypb"
)

// How long a query rests after a slice that had no answer: doubling up to the
// longest.
const (
	shortestRest = 50 * time.Millisecond
	longestRest  = time.Second
)

// read takes the result of a slice: a reply, or none.
func (c *core) read(now time.Time, q *query, reply *relaypb.ScanReply, err error) {
	c.now = now
	c.reading--
	switch {
	case q.state == ended:
	case err != nil:
		c.metrics.failures.Inc()
		if q.direct() && !errors.Is(err, bus.ErrNobody) && !errors.Is(err, bus.ErrDown) {
			c.miss(q)
			return
		}
		c.rest(q)
	case reply.Error != "" && q.mayPass(reply.Error):
		c.metrics.busy.Inc()
		c.rest(q)
	case reply.Error != "":
		c.drop(q)
		c.refuse(q, nostr.Prefixed(reply.Error))
	case !reply.Done && len(reply.Cursor) == 0, q.tally != nil && !q.tally.fits(reply):
		c.metrics.garbage.Inc()
		c.drop(q)
		c.refuse(q, nostr.Failed.Text("the store gave an answer that makes no sense"))
	default:
		c.proceed(q, reply)
	}
}

// proceed passes a slice on and has the query go on, if it is not done.
func (c *core) proceed(q *query, reply *relaypb.ScanReply) {
	if q.asOf == 0 {
		q.asOf = reply.AsOf
	}
	q.cursor = reply.Cursor
	q.attempt, q.errors = 0, 0
	switch {
	case q.tally != nil:
		q.tally.add(reply)
	case reply.Sent != nil:
		c.sent(q, int(reply.Sent.Events), reply.Sent.Bytes)
	default:
		c.part(q, reply)
	}
	if !reply.Done {
		if q.tally != nil {
			c.goesOn(q)
		}
		c.schedule(q)
		return
	}
	if q.tally != nil {
		c.counted(q)
	}
	c.metrics.eose.Observe(c.now.Sub(q.began).Seconds())
	c.drop(q)
}

// part sends a slice on as a Part, where the store has left that to the worker.
func (c *core) part(q *query, reply *relaypb.ScanReply) {
	size := 0
	for _, e := range reply.Events {
		size += len(e)
	}
	p := &relaypb.Part{
		Num: q.num, Worker: uint32(c.self), Index: q.index,
		Events: reply.Events, Cursor: reply.Cursor, AsOf: q.asOf, Eose: reply.Done,
	}
	if reply.Done {
		p.Completeness, p.ById = q.completeness(reply.Completeness), q.byID
	}
	c.say(q, &relaypb.OutInbox{Body: &relaypb.OutInbox_Part{Part: p}})
	c.sent(q, len(reply.Events), uint64(size))
}

// sent accounts for a Part, whoever has sent it.
func (c *core) sent(q *query, events int, bytes uint64) {
	c.metrics.parts.Inc()
	c.metrics.events.Add(events)
	c.metrics.bytes.Add(int(bytes))
	q.sent += bytes
	q.index++
}

// noPart is an index that no Part has: a gateway that is sent it has missed some.
const noPart = math.MaxUint32

// miss ends a query of which it cannot be told whether the last Part went out. Asked
// again, the store might end the slice elsewhere, and the gateway would take one
// slice's end for the other's. Only the gateway knows what it has, so it is told
// that it misses something, and goes on from there under a new number.
func (c *core) miss(q *query) {
	c.drop(q)
	c.say(q, &relaypb.OutInbox{Body: &relaypb.OutInbox_Part{Part: &relaypb.Part{
		Num: q.num, Worker: uint32(c.self), Index: noPart,
	}}})
}

// rest puts a query aside, to ask the store again later.
func (c *core) rest(q *query) {
	c.become(q, resting)
	q.wake = c.now.Add(min(shortestRest<<min(q.attempt, 10), longestRest))
	q.attempt++
	c.resting = append(c.resting, q)
}

// hurry has the queries that rest ask the store now: it can answer again.
func (c *core) hurry(now time.Time) {
	for _, q := range c.resting {
		q.wake, q.attempt = now, 0
	}
}

// rouse puts the queries that have rested in line again.
func (c *core) rouse(now time.Time) {
	c.now = now
	left := c.resting[:0]
	for _, q := range c.resting {
		switch {
		case q.state != resting:
		case q.wake.After(now):
			left = append(left, q)
		default:
			c.schedule(q)
		}
	}
	clear(c.resting[len(left):])
	c.resting = left
}

// rests returns when to call rouse next; the zero time means not before something
// happens.
func (c *core) rests() (until time.Time) {
	for _, q := range c.resting {
		if q.state == resting && (until.IsZero() || q.wake.Before(until)) {
			until = q.wake
		}
	}
	return until
}

// patience is how many errors in a row a query takes of the store before it fails
// with the last one.
const patience = 5

// mayPass says whether to ask again after an error that the store has answered
// with: always when it is busy, and a few times when the fault is its own, since
// it may be stopping.
func (q *query) mayPass(text string) bool {
	switch {
	case strings.HasPrefix(text, nostr.RateLimited.Text("")), strings.HasPrefix(text, nostr.Failed.Text("busy")):
		return true
	case strings.HasPrefix(nostr.Prefixed(text), nostr.Failed.Text("")):
		q.errors++
		return q.errors < patience
	}
	return false
}
