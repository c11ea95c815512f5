package replay

import (
	"encoding/hex"
	"fmt"
	"hash/fnv"

	"google.golang.org/protobuf/proto"

	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// askEvent publishes an event again. One that was sent several times is one question.
func (c *core) askEvent(f *relaypb.EventFrame) {
	if c.asked[keyOf(f.Conn, f.Num)] != nil {
		return
	}
	q := c.begin(askedEvent, f.Conn, f.Num, f.Event)
	if e := parse(f.Event); e != nil {
		c.fly(q, itemOf(e.ID[:]), string(e.PubKey[:]))
		c.fade(q, itemOf(e.ID[:]), nostr.AppendHeader(nil, e))
	}
	m := proto.Clone(f).(*relaypb.EventFrame)
	m.Conn, m.Num = c.connOf(f.Conn), q.mine
	c.send(c.space.Ingest(c.shardOf(m.Conn)), &relaypb.IngestInbox{Body: &relaypb.IngestInbox_Event{Event: m}})
}

// askAuth authenticates again. The keys that came of it then travel in the recording
// with all that was asked, so nothing depends on the answer.
func (c *core) askAuth(f *relaypb.AuthFrame) {
	if c.asked[keyOf(f.Conn, f.Num)] != nil {
		return
	}
	if c.redacted || c.elsewhere { // it is good for ten minutes
		c.result.Skipped++
		return
	}
	q := c.begin(askedAuth, f.Conn, f.Num, f.Event)
	m := proto.Clone(f).(*relaypb.AuthFrame)
	m.Conn, m.Num = c.connOf(f.Conn), q.mine
	c.send(c.space.Ingest(c.shardOf(m.Conn)), &relaypb.IngestInbox{Body: &relaypb.IngestInbox_Auth{Auth: m}})
}

// askAdmitted has the writer decide about an event again.
func (c *core) askAdmitted(a *relaypb.Admitted) {
	if c.asked[keyOf(a.Conn, a.Num)] != nil {
		return
	}
	q := c.begin(askedEvent, a.Conn, a.Num, a.Json)
	if h, err := nostr.CheckHeader(a.Header); err == nil {
		id, author := h.ID(), h.PubKey()
		c.fly(q, itemOf(id[:]), string(author[:]))
		c.fade(q, itemOf(id[:]), h)
	}
	m := proto.Clone(a).(*relaypb.Admitted)
	m.Conn, m.Num = c.connOf(a.Conn), q.mine
	c.send(c.space.Write(), &relaypb.WriteInbox{Body: &relaypb.WriteInbox_Admitted{Admitted: m}})
}

// fly notes that an event is under way. Which of two of the same author comes first
// is known only when a single process handles them in the order of the recording.
func (c *core) fly(q *question, id item, author string) {
	c.lives.ask(id, c.at)
	c.moves++
	q.by = author
	others := c.flying[author]
	if others == nil {
		others = make(map[*question]bool)
		c.flying[author] = others
	}
	for other := range others {
		other.raced, q.raced = true, true
	}
	others[q] = true
}

// fade notes that an event expires, where that is judged by another clock than the
// recording's.
func (c *core) fade(q *question, id item, h nostr.Header) {
	if c.elsewhere && h.Expiration() != 0 {
		q.expires = true
		x := c.life(id)
		x.expires = true
		c.lives.set(id, x)
	}
}

// land notes that a recorded event is decided.
func (c *core) land(q *question) {
	if q.by == "" || c.flying[q.by] == nil {
		return
	}
	delete(c.flying[q.by], q)
	if len(c.flying[q.by]) == 0 {
		delete(c.flying, q.by)
	}
}

// verdictThen takes in a recorded verdict.
func (c *core) verdictThen(gateway subject.Instance, v *relaypb.Verdict) {
	q := c.recorded(gateway, v.Num)
	if q == nil || q.recorded.over {
		return
	}
	switch v.Outcome {
	case relaypb.Outcome_NEW, relaypb.Outcome_DUPLICATE, relaypb.Outcome_EPHEMERAL:
		c.lives.settle(itemOf(v.Id), c.at)
		c.moves++
	}
	q.recorded.items = c.takeRemoved(0, v)
	q.recorded.close(verdictEnd(v))
	c.land(q)
	c.weigh(q)
}

// verdictNow takes in a verdict of the replay.
func (c *core) verdictNow(v *relaypb.Verdict) {
	q := c.mine[v.Num]
	if q == nil || q.replayed.over || q.kind != askedEvent && q.kind != askedAuth {
		return
	}
	q.replayed.items = c.takeRemoved(1, v)
	q.replayed.close(verdictEnd(v))
	c.progress(q)
}

func verdictEnd(v *relaypb.Verdict) string {
	end := v.Outcome.String()
	if v.Text != "" {
		end += " " + v.Text
	}
	if len(v.Key) > 0 {
		end += " " + hex.EncodeToString(v.Key)
	}
	return end
}

// admitted takes in what an ingester has passed on to the writer.
func (c *core) admittedThen(a *relaypb.Admitted) {
	if q := c.recorded(subject.ConnID(a.Conn).Gateway(), a.Num); q != nil && !q.recorded.over {
		q.recorded.close(admittedEnd(a))
		c.land(q)
		c.weigh(q)
	}
}

func (c *core) admittedNow(a *relaypb.Admitted) {
	if q := c.mine[a.Num]; q != nil && !q.replayed.over {
		q.replayed.close(admittedEnd(a))
		c.progress(q)
	}
}

func admittedEnd(a *relaypb.Admitted) string {
	end := fmt.Sprintf("ADMITTED header %s json %s", digest(a.Header), digest(a.Json))
	for _, flag := range []struct {
		set  bool
		name string
	}{{a.Forged, "forged"}, {a.Vanish, "vanish"}, {a.Hear, "hear"}} {
		if flag.set {
			end += " " + flag.name
		}
	}
	return end
}

// digest stands for bytes that are too long to print.
func digest(b []byte) item {
	h := fnv.New64a()
	h.Write(b)
	return item(h.Sum64())
}

// noteEntries takes in a piece of the log: what came and what left with it.
func (c *core) noteEntries(replay bool, e *relaypb.Entries) {
	side := 0
	if replay {
		side = 1
	}
	for _, entry := range e.Entries {
		var by item
		if h, err := nostr.CheckHeader(entry.Header); err == nil {
			id := h.ID()
			by = itemOf(id[:])
			if replay {
				c.logs.replayed(entry.Seq, by)
			} else {
				c.logs.recorded(entry.Seq, by)
				c.lives.settle(by, c.at)
				c.moves++
			}
		}
		var left []item
		for _, r := range entry.Removed {
			left = append(left, itemOf(r.Id))
			if !replay {
				c.lives.remove(itemOf(r.Id), by, c.at)
				c.excuse(itemOf(r.Id))
			}
		}
		if c.under == subject.Writer && by != 0 && len(left) > 0 {
			if len(c.removed[side]) > maxRemoved {
				clear(c.removed[side]) // of events that nobody waits for
			}
			c.removed[side][by] = left
		}
	}
}

const maxRemoved = 1 << 16

// takeRemoved returns what an event has removed from the store, when the writer alone
// is under test.
func (c *core) takeRemoved(side int, v *relaypb.Verdict) []item {
	id := itemOf(v.Id)
	left := c.removed[side][id]
	delete(c.removed[side], id)
	return left
}
