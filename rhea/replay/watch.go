package replay

import (
	"slices"
	"time"

	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// watch is what is known of a live subscription under one registration.
type watch struct {
	ask   *relaypb.Watch
	where place
	query *question     // that it followed; nil when that is not known
	shard subject.Shard // in the recording
	// renewed: it follows another registration of the same subscription.
	renewed bool

	confirmedThen, confirmedNow bool
	since                       time.Time // when it was first confirmed in the recording; zero: not yet
	seenThen, seenNow           uint64
	owed, early                 map[item]bool // had by the recording alone, by the replay alone
	trimmed                     int           // items of both that were equal and are forgotten
}

// token is a place in the log from which a watch may go on: where a query was, or
// another registration of the same subscription.
type token struct {
	at    time.Time // in the recording
	after uint64    // in the recording
	query *question // nil when not known
	ended *question // the registration before; nil when this is the first
}

// tokenKept is how long after a query its watch may come.
const tokenKept = time.Minute

// beginning is the time in which a watch is registered, in the recording: what is
// removed then may be sent before, or not.
func (q *question) beginning() span { return between(q.asked.Add(-onItsWay), q.watch.since) }

// handedOver are the times in which a subscription passed to this registration, in the
// recording: what was on its way then may have come before, or not.
func (q *question) handedOver() (spans []span) {
	if query := q.watch.query; query != nil {
		spans = append(spans, between(query.asked, query.first))
	}
	if q.watch.renewed {
		spans = append(spans, between(q.asked, q.asked))
	}
	return spans
}

// excuse has the replay owe nobody an event that has been removed as a watch began.
func (c *core) excuse(i item) {
	for q := range c.owed {
		if q.watch != nil && q.watch.owed[i] && c.lives.leaving(i, q.beginning()) {
			delete(q.watch.owed, i)
			c.weigh(q)
		}
	}
}

// askWatch registers a subscription again. Under a stage that is alone the log is
// the recording's, and so is the place in it; in a whole relay it is where the query
// was, or the registration before.
func (c *core) askWatch(m *relaypb.Watch) {
	k := keyOf(m.Conn, m.Num)
	if c.asked[k] != nil {
		return
	}
	w := &watch{
		ask: m, where: place{m.Conn, digest(m.Filters)}, shard: c.then.ShardOf(subject.ConnID(m.Conn)),
		owed: make(map[item]bool), early: make(map[item]bool), seenThen: m.After, seenNow: m.After,
	}
	var t token
	if c.under == "" {
		if old := c.live(k.gateway, w.where, m.After); old != nil {
			c.handOver(old, k, m)
			return
		}
		var known bool
		t, known = c.take(w.where, m.After)
		switch {
		case !known:
			w.seenNow = c.head
			c.result.Foreign++
		case t.ended != nil:
			// A subscription that gets a key is not sent what the key may see of the
			// time before.
			w.query, w.renewed = t.query, true
			w.seenNow = max(t.ended.watch.seenNow, c.logs.translate(m.After))
		case t.query.mine == 0 || !t.query.replayed.over || len(t.query.replayed.end) < 4 || t.query.replayed.end[:4] != "EOSE":
			c.result.Skipped++ // the replay has closed what it follows
			return
		default:
			w.query, w.seenNow = t.query, t.query.query.asOf
		}
	}
	q := c.begin(askedWatch, m.Conn, m.Num, m.Filters)
	q.watch = w
	if w.renewed {
		c.carryOver(t.ended, q)
	}
	c.sendWatch(q)
}

// carryOver has a registration begin with what the one before was sent in the replay
// and not in the recording, of the time just before its end.
func (c *core) carryOver(from, to *question) {
	late := between(from.closed.Add(-onItsWay), from.closed)
	for _, i := range from.replayed.items {
		if from.watch.early[i] && c.lives.unsettled(i, late) {
			to.replayed.items = append(to.replayed.items, i)
			to.watch.early[i] = true
		}
	}
}

// live returns a subscription whose number the recorded gateway has given up for
// another, and which goes on here: as it said (Unwatch below), or without a word when
// its monitor was gone, if nothing else is there that the watch could follow.
func (c *core) live(gateway subject.Instance, where place, after uint64) *question {
	for _, q := range c.detached[gateway] {
		if q.watch.where == where {
			return q
		}
	}
	if slices.ContainsFunc(c.tokens[where], func(t token) bool { return t.after == after || t.ended != nil && c.at.Sub(t.at) < onItsWay }) {
		return nil
	}
	for _, q := range c.open() {
		if q.watch != nil && q.key.gateway == gateway && q.watch.where == where && !q.recorded.over {
			return q
		}
	}
	return nil
}

// handOver continues a subscription under another recorded number.
func (c *core) handOver(q *question, k key, m *relaypb.Watch) {
	c.detached[k.gateway] = slices.DeleteFunc(c.detached[k.gateway], func(x *question) bool { return x == q })
	delete(c.asked, q.key)
	q.key, q.watch.confirmedThen = k, false
	c.asked[k] = q
	q.watch.ask = m
}

func (c *core) sendWatch(q *question) {
	m := q.watch.ask
	conn := c.connOf(m.Conn)
	c.send(c.space.Sub(c.shardOf(conn)), &relaypb.SubInbox{Body: &relaypb.SubInbox_Watch{Watch: &relaypb.Watch{
		Conn: conn, Num: q.mine, After: q.watch.seenNow, Filters: m.Filters, Keys: m.Keys,
	}}})
}

// take finds where a watch goes on, and uses that up.
func (c *core) take(where place, after uint64) (token, bool) {
	list := c.tokens[where]
	// A client may have closed the subscription and asked for it once more: then it
	// follows the query.
	i := slices.IndexFunc(list, func(t token) bool { return t.after == after && t.ended == nil })
	if i < 0 {
		i = slices.IndexFunc(list, func(t token) bool { return t.after == after })
	}
	if i < 0 {
		i = len(list) - 1
	}
	if i < 0 {
		return token{}, false
	}
	t := list[i]
	c.tokens[where] = slices.Delete(list, i, i+1)
	return t, true
}

// tidy forgets, about once a minute of the recording, the places where nobody went on.
func (c *core) tidy() {
	if c.at.Sub(c.tidied) < tokenKept {
		return
	}
	c.tidied = c.at
	for where, list := range c.tokens {
		list = slices.DeleteFunc(list, func(t token) bool { return c.at.Sub(t.at) > tokenKept })
		if c.tokens[where] = list; len(list) == 0 {
			delete(c.tokens, where)
		}
	}
}

// askUnwatch ends a subscription. All of a shard below a number are about to be
// registered again; that is the business of the recorded gateway, and nothing is said.
func (c *core) askUnwatch(m *relaypb.Unwatch) {
	if !m.Below {
		if q := c.asked[keyOf(m.Conn, m.Num)]; q != nil && q.watch != nil {
			c.endWatch(q)
		}
		return
	}
	gateway, shard := subject.ConnID(m.Conn).Gateway(), c.then.ShardOf(subject.ConnID(m.Conn))
	for _, q := range c.open() {
		if q.watch == nil || q.key.gateway != gateway || q.watch.shard != shard || q.key.num >= m.Num {
			continue
		}
		if c.under != "" {
			c.endWatch(q)
		} else if !slices.Contains(c.detached[gateway], q) {
			c.detached[gateway] = append(c.detached[gateway], q)
		}
	}
}

// endWatch ends a subscription on both sides.
func (c *core) endWatch(q *question) {
	w := q.watch
	if gw := q.key.gateway; len(c.detached[gw]) > 0 {
		c.detached[gw] = slices.DeleteFunc(c.detached[gw], func(x *question) bool { return x == q })
	}
	if !q.replayed.over {
		conn := c.connOf(uint64(q.conn))
		c.send(c.space.Sub(c.shardOf(conn)), &relaypb.SubInbox{Body: &relaypb.SubInbox_Unwatch{Unwatch: &relaypb.Unwatch{Conn: conn, Num: q.mine}}})
	}
	if c.under == "" {
		c.tokens[w.where] = append(c.tokens[w.where], token{at: c.at, after: w.seenThen, query: w.query, ended: q})
	}
	q.closed = c.at
	q.recorded.close(stopped)
	q.replayed.close(stopped)
	c.weigh(q)
}

// maxItems bounds what is kept of a subscription whose answers differ.
const maxItems = 1 << 16

// deliveriesThen takes in what a recorded monitor has told a gateway.
func (c *core) deliveriesThen(gateway subject.Instance, d *relaypb.Deliveries) {
	for _, e := range d.Events {
		id := idOf(e.Json)
		for _, num := range e.Nums {
			q := c.recorded(gateway, num)
			if q == nil || q.watch == nil || q.recorded.over || e.Seq <= q.watch.seenThen {
				continue
			}
			w := q.watch
			w.seenThen = e.Seq
			q.recorded.items = grow(q.recorded.items, id)
			switch {
			case w.early[id]:
				delete(w.early, id)
			case c.lives.leaving(id, q.beginning()): // it may come or not
			case !slices.ContainsFunc(q.handedOver(), func(s span) bool { return c.lives.unsettled(id, s) }):
				w.owed[id] = true
			}
			q.trim()
			c.weigh(q)
		}
	}
	for _, num := range d.Watching {
		if q := c.asked[key{gateway, num}]; q != nil && q.watch != nil {
			q.watch.confirmedThen = true
			if q.watch.since.IsZero() {
				q.watch.since = c.at
			}
			c.weigh(q)
		}
	}
	for _, e := range d.Ended {
		if q := c.asked[key{gateway, e.Num}]; q != nil && q.watch != nil && e.Text != "" {
			q.closed = c.at
			q.recorded.close("CLOSED " + e.Text)
			c.weigh(q)
		}
	}
}

// deliveriesNow takes in what a monitor of the replay says. A hole in its numbers
// means that something was lost, and every subscription goes on from where it is.
func (c *core) deliveriesNow(d *relaypb.Deliveries) {
	expected := c.monitors[d.Monitor] + 1
	c.monitors[d.Monitor] = d.Number
	if d.Number != expected {
		c.result.Lost++
		for _, q := range c.open() {
			if q.watch != nil && !q.replayed.over {
				c.number(q)
				c.sendWatch(q)
			}
		}
		return
	}
	for _, e := range d.Events {
		id := idOf(e.Json)
		for _, num := range e.Nums {
			q := c.mine[num]
			if q == nil || q.watch == nil || q.replayed.over || e.Seq <= q.watch.seenNow {
				continue
			}
			w := q.watch
			w.seenNow = e.Seq
			q.replayed.items = grow(q.replayed.items, id)
			if w.owed[id] {
				delete(w.owed, id)
			} else if len(w.early) < maxItems {
				w.early[id] = true
			}
			q.trim()
			c.progress(q)
		}
	}
	for _, num := range d.Watching {
		if q := c.mine[num]; q != nil && q.watch != nil {
			q.watch.confirmedNow = true
			c.progress(q)
		}
	}
	for _, e := range d.Ended {
		if q := c.mine[e.Num]; q != nil && q.watch != nil && e.Text != "" {
			q.replayed.close("CLOSED " + e.Text)
			c.progress(q)
		}
	}
}

func grow(list []item, i item) []item {
	if len(list) >= maxItems {
		return list
	}
	return append(list, i)
}

// trimAt is how many equal items of a subscription are kept.
const trimAt = 128

// trim forgets what is equal at the beginning of both answers of a subscription,
// which may live for as long as the recording.
func (q *question) trim() {
	a, b := q.recorded.items, q.replayed.items
	if len(a) < trimAt || len(b) < trimAt || !slices.Equal(a[:trimAt], b[:trimAt]) {
		return
	}
	cut := trimAt - around
	q.recorded.items, q.replayed.items = slices.Clone(a[cut:]), slices.Clone(b[cut:])
	q.watch.trimmed += cut
}
