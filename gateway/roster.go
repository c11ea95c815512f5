package gateway

import (
	"slices"
	"time"

	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// view is who is on the bus; *bus.View is one.
type view interface {
	Owner(subject.Stage, subject.Shard) subject.Instance
	Members(subject.Stage) []*relaypb.Member
}

// roster is who works for this gateway, as of the last change.
type roster struct {
	view   view // nil at first
	owners map[subject.Stage][]subject.Instance
	// monitors own all shards between them; nil while a shard has none.
	monitors []subject.Instance
	writer   subject.Instance
	store    store
}

// store is what a writer has said last of the store that it serves.
type store struct {
	writer uint32
	id     uint64
	seq    uint64
}

// follows says whether a Seq of the store before means the same in this one. It
// does not when the id is another, nor when a writer begins with less than the one
// before had on disk: then a backup was restored, and the Seqs behind it are given
// to other events.
func (now store) follows(before store) bool {
	return now.id == before.id && (now.writer == before.writer || now.seq >= before.seq)
}

func newRoster(shards int) roster {
	r := roster{owners: make(map[subject.Stage][]subject.Instance)}
	for _, st := range []subject.Stage{subject.Ingester, subject.Reqworker, subject.Monitor, subject.Negentropy} {
		r.owners[st] = make([]subject.Instance, shards)
	}
	return r
}

// owner returns who listens to a shard, 0 if nobody does.
func (r *roster) owner(st subject.Stage, sh subject.Shard) subject.Instance { return r.owners[st][sh] }

// progress returns how far a monitor says it has followed the log.
func (r *roster) progress(i subject.Instance) subject.Seq {
	for _, m := range r.view.Members(subject.Monitor) {
		if subject.Instance(m.Instance) == i {
			return subject.Seq(m.Seq)
		}
	}
	return 0
}

// update takes in a view and returns which shards of which stages have another
// owner than before. Most views bring no change, and stages without any are left
// out, because what follows a change looks at everything there is.
func (r *roster) update(v view) map[subject.Stage][]bool {
	r.view = v
	changed := make(map[subject.Stage][]bool)
	for st, owners := range r.owners {
		for sh := range owners {
			now := v.Owner(st, subject.Shard(sh))
			if now == owners[sh] {
				continue
			}
			if owners[sh] = now; changed[st] == nil {
				changed[st] = make([]bool, len(owners))
			}
			changed[st][sh] = true
		}
	}
	if changed[subject.Monitor] != nil {
		r.monitors = slices.Compact(slices.Sorted(slices.Values(r.owners[subject.Monitor])))
		if r.monitors[0] == 0 {
			r.monitors = nil
		}
	}
	return changed
}

// knows says whether a monitor is on the bus.
func (r *roster) knows(i subject.Instance) bool {
	return slices.ContainsFunc(r.view.Members(subject.Monitor), func(m *relaypb.Member) bool { return m.Instance == uint32(i) })
}

// The windows of all gateways together are what ingesters and the writer can be
// owed at once.
const (
	maxWindow  = 8 << 20
	allWindows = 32 << 20
)

// HandleRoster sends again what was asked of processes that are gone.
func (c *core) HandleRoster(v view) {
	gateways := max(1, len(v.Members(subject.Gateway)))
	c.hub.windows.resize(min(maxWindow, allWindows/gateways))
	changed := c.who.update(v)
	c.newWriter(v)
	if moved := changed[subject.Ingester]; moved != nil {
		c.resendEvents(func(sh subject.Shard) bool { return moved[sh] })
	}
	if moved := changed[subject.Reqworker]; moved != nil {
		for _, s := range c.sorted(func(s *sub) bool { return s.query != nil && moved[s.conn.shard] }) {
			if s.query.sent {
				c.resume(s)
			} else {
				c.launch(s)
			}
		}
		c.resendCounts(func(sh subject.Shard) bool { return moved[sh] })
	}
	if moved := changed[subject.Monitor]; moved != nil {
		c.rewatchAll(func(sh subject.Shard) bool { return moved[sh] })
	}
	if moved := changed[subject.Negentropy]; moved != nil {
		c.moveSessions(moved)
	}
	for i, m := range c.monitors {
		if m.live == 0 && !c.who.knows(i) {
			delete(c.monitors, i)
		}
	}
}

// Reconnected asks again for all that is unanswered or live: the bus was away, and
// what was in flight is lost.
func (c *core) Reconnected() {
	every := func(subject.Shard) bool { return true }
	c.resendEvents(every)
	for _, s := range c.sorted(func(s *sub) bool { return s.query != nil && s.query.sent }) {
		c.resume(s)
	}
	c.resendCounts(every)
	c.rewatchAll(every)
}

// newWriter sends all unanswered EVENTs again when another process writes: the
// one before took some of them with it. When another store is served, no Seq that
// is known here means anything, and subscriptions start over.
func (c *core) newWriter(v view) {
	var w *relaypb.Member
	for _, m := range v.Members(subject.Writer) {
		if w == nil || !m.Leaving {
			w = m
		}
	}
	if w == nil {
		return
	}
	if i := subject.Instance(w.Instance); i != c.who.writer {
		again := c.who.writer != 0
		c.who.writer = i
		if again {
			c.resendEvents(func(subject.Shard) bool { return true })
		}
	}
	if w.Store == 0 {
		return
	}
	before := c.who.store
	c.who.store = store{writer: w.Instance, id: w.Store, seq: w.Seq}
	if before.id != 0 && !c.who.store.follows(before) {
		for _, s := range c.sorted(func(*sub) bool { return true }) {
			c.closeSub(s, nostr.Failed.Text("the store was replaced; subscribe again"))
		}
		for _, m := range c.monitors {
			m.upto, m.behind = 0, time.Time{}
		}
	}
}
