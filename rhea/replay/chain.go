package replay

import (
	"bytes"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"rhea/proto/relaypb"
)

// chain is a query as the writer sees it: slices, each of which begins at the cursor
// where the one before ended. How long a slice is depends on the hour; the whole does
// not.
type chain struct {
	ask    *relaypb.Scan // the first; in the replay the next
	busy   bool          // the replay has been asked for a slice
	reply  string        // where the recorded reply to the last slice comes; empty: it has
	cursor []byte        // in the recording
	latest time.Time     // in the recording
	counts [2]uint64
}

// chainKept is how long a chain may rest in the recording.
const chainKept = time.Minute

// askScan reads the store again. A slice that goes on with another is the same
// question.
func (c *core) askScan(reply string, m *relaypb.Scan) {
	for _, q := range c.chains {
		x := q.scan
		if x.reply == "" && !q.recorded.over && len(m.Cursor) > 0 && bytes.Equal(x.cursor, m.Cursor) && bytes.Equal(x.ask.Filters, m.Filters) {
			x.reply, x.latest = reply, c.at
			return
		}
	}
	if len(m.Cursor) > 0 || m.AsOf != 0 {
		c.result.Foreign++
		return
	}
	q := &question{kind: askedScan, asked: c.at, text: excerpt(m.Filters), scan: &chain{
		ask: proto.Clone(m).(*relaypb.Scan), reply: reply, latest: c.at,
	}}
	q.scan.ask.Direct = nil
	q.events, q.raced = c.moves, len(c.flying) > 0
	c.result.Asked[askedScan]++
	c.number(q)
	c.chains = append(c.chains, q)
	c.goOnScan(q)
}

func (c *core) goOnScan(q *question) {
	if !q.scan.busy && !q.replayed.over {
		q.scan.busy = true
		c.ask(proto.Clone(q.scan.ask).(*relaypb.Scan), q)
	}
}

// sliceThen takes in a recorded reply.
func (c *core) sliceThen(reply string, m *relaypb.ScanReply) {
	for _, q := range c.chains {
		x := q.scan
		if x.reply != reply || reply == "" {
			continue
		}
		x.reply, x.cursor, x.latest = "", m.Cursor, c.at
		if q.first.IsZero() {
			q.first = c.at
		}
		q.raced = q.raced || c.moves != q.events
		q.recorded.take(m, &x.counts[0])
		for _, i := range q.recorded.items {
			c.before = c.before || !c.lives.knows(i)
		}
		if !q.recorded.over && len(q.recorded.items) > len(q.replayed.items) {
			c.goOnScan(q)
		}
		c.weigh(q)
		return
	}
}

// sliceNow takes in a reply of the replay; nil when none has come.
func (c *core) sliceNow(q *question, m *relaypb.ScanReply) {
	x := q.scan
	x.busy = false
	if m == nil {
		m = &relaypb.ScanReply{Error: "error: no answer"}
	}
	q.replayed.take(m, &x.counts[1])
	x.ask.Cursor, x.ask.AsOf = m.Cursor, m.AsOf
	if !q.replayed.over && (q.recorded.over || len(q.recorded.items) > len(q.replayed.items)) {
		c.goOnScan(q)
	}
	c.progress(q)
}

// take adds a slice to an answer.
func (a *answer) take(m *relaypb.ScanReply, count *uint64) {
	if m.Error != "" {
		a.close("SCAN " + m.Error)
		return
	}
	for _, json := range m.Events {
		a.items = append(a.items, idOf(json))
	}
	const idBytes = 40 // created_at and id
	for at := 0; at+idBytes <= len(m.Ids); at += idBytes {
		a.items = append(a.items, itemOf(m.Ids[at+8:]))
	}
	*count += m.Count
	if m.Done {
		end := "done"
		if m.Completeness != relaypb.Completeness_UNKNOWN {
			end += " " + m.Completeness.String()
		}
		if *count > 0 {
			end += fmt.Sprintf(" count %d", *count)
		}
		a.close(end)
	}
}

// restChains ends the chains that nobody goes on with.
func (c *core) restChains(all bool) {
	var open []*question
	for _, q := range c.chains {
		switch {
		case q.recorded.over && (q.replayed.over || q.lost): // finished by weigh
		case all || q.scan.reply == "" && c.at.Sub(q.scan.latest) > chainKept:
			q.recorded.close(stopped)
			q.replayed.close(stopped)
			c.weigh(q)
		default:
			open = append(open, q)
		}
	}
	c.chains = open
}
