package negentropy

import (
	"time"

	"rhea/proto/negentropy"
	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// tooBig is the text of a session with too many events (NIP-77).
const tooBig = "this query is too big"

// open begins a session, or refuses it. A number that is known already is one that
// has come twice.
func (c *core) open(m *relaypb.NegOpen) {
	s := &session{
		conn: subject.ConnID(m.Conn), num: m.Num, keys: nostr.ParseKeys(m.Keys),
		message: m.Message, since: c.now, began: c.now,
	}
	if c.sessions[s.key()] != nil {
		return
	}
	s.shard = c.shardOf(s.conn)
	if text := c.judge(s, m.Filter); text != "" {
		c.refuse(s.conn, s.num, 0, text, 0)
		return
	}
	c.sessions[s.key()] = s
	c.perConn[s.conn]++
	c.count[s.state]++
	s.life, s.abandon = life()
	c.plan(s)
}

// judge reads the filter and returns why the session cannot be, "" if it can.
func (c *core) judge(s *session, filter []byte) string {
	f, err := nostr.ParseFilter(filter, c.limits)
	if err != nil {
		return nostr.Invalid.Text(err.Error())
	}
	s.filter = f
	access := c.policy.Access(s.keys)
	prefix, why := access.Judge([]nostr.Filter{f})
	switch {
	case why != "":
		return prefix.Text(why)
	case c.stopping:
		return nostr.Closed.Text("the relay is restarting; start over")
	case c.perConn[s.conn] >= c.cfg.MaxSessionsPerConn:
		return nostr.Blocked.Text("too many sessions")
	case len(c.sessions) >= c.cfg.MaxSessions, c.count[forTree]+c.count[opening] >= c.cfg.MaxOpening:
		return nostr.Failed.Text("busy: too many sessions are open; try again later")
	case c.bytes >= int(c.cfg.MaxSessionBytes):
		return nostr.Failed.Text("busy: the events of all sessions take too much memory; try again later")
	}
	return ""
}

// nothing is a filter that finds nothing: a scan of it tells how far the store is.
const nothing = `{"ids":[]}`

// plan chooses where the events of a session come from: the mirror when all that
// the filter says is a range of time, otherwise a scan. A session waits while the
// mirror is being loaded.
func (c *core) plan(s *session) {
	f := s.filter
	s.filter = withoutLists(f)
	switch {
	case f.Impossible() || f.Limit == 0:
		s.set = newTree()
		c.become(s, answering)
	case !isRange(&f):
		c.read(s, f.AppendJSON(nil), newTree())
	case c.mirror.state == loading:
		s.next = 0
		c.become(s, forTree)
	case c.mirror.state == following:
		c.mirrored(s)
	case !f.HasSince && !f.HasUntil:
		c.fail(s, nostr.Blocked.Text(tooBig), c.cfg.MaxRecords)
	default:
		c.read(s, f.AppendJSON(nil), newTree())
	}
}

// withoutLists is what a session keeps of its filter: the lists are the scan's, and
// may take more memory than the events that they find.
func withoutLists(f nostr.Filter) nostr.Filter {
	return nostr.Filter{Since: f.Since, HasSince: f.HasSince, Until: f.Until, HasUntil: f.HasUntil, Limit: f.Limit}
}

// isRange reports whether a filter asks for everything in a range of time.
func isRange(f *nostr.Filter) bool {
	return f.IDs == nil && f.Authors == nil && f.Kinds == nil && len(f.Tags) == 0 && f.Limit == nostr.NoLimit
}

// mirrored gives a session the mirror's tree as it is now, to which the private
// events of its keys are added. Before that the mirror must have come as far as the
// store was when the session began: what a client has published is in the set.
func (c *core) mirrored(s *session) {
	switch {
	case s.next == 0:
		s.asking = true
		c.read(s, []byte(nothing), newTree())
		return
	case c.mirror.position+1 < s.next:
		c.become(s, forTree)
		return
	}
	tree := c.mirror.snapshot(c.date())
	s.origin, s.copied = c.mirror.tree, c.mirror.tree.copied
	if filters := c.private(s); filters != nil {
		c.read(s, filters, tree)
		return
	}
	s.set = within(tree, &s.filter)
	c.become(s, answering)
}

// private returns the filters of the private events that a session's keys may be
// sent, nil if there can be none.
func (c *core) private(s *session) []byte {
	f := s.filter
	for _, k := range c.policy.PrivateKinds {
		if !k.IsEphemeral() {
			f.Kinds = append(f.Kinds, k)
		}
	}
	if len(s.keys) == 0 || len(f.Kinds) == 0 {
		return nil
	}
	received := f
	f.Authors = s.keys
	to := nostr.TagFilter{Name: 'p'}
	for _, k := range s.keys {
		to.Values = append(to.Values, nostr.PackedTagValue(k))
	}
	to.First = to.Values[0]
	received.Tags = []nostr.TagFilter{to}
	f.Sort()
	received.Sort()
	return received.AppendJSON(append(f.AppendJSON(nil), ','))
}

// read has the events of filters read into a tree, which becomes the session's.
func (c *core) read(s *session, filters []byte, into *tree) {
	s.scan = &scan{filters: filters, limit: s.filter.Limit, set: into}
	for _, k := range s.keys {
		s.scan.keys = append(s.scan.keys, k[:])
	}
	c.become(s, opening)
}

// slice takes the result of a slice of a session's scan.
func (c *core) slice(now time.Time, s *session, err error) {
	c.now = now
	c.reading.busy--
	if s.state == ended {
		return
	}
	c.weigh(s, s.scan.set.bytes()+len(s.scan.filters))
	switch {
	case err != nil:
		c.fail(s, nostr.Prefixed(err.Error()), 0)
	case s.scan.found > c.cfg.MaxRecords:
		c.fail(s, nostr.Blocked.Text(tooBig), c.cfg.MaxRecords)
	case c.bytes > int(c.cfg.MaxSessionBytes):
		c.fail(s, nostr.Failed.Text("busy: the events of all sessions take too much memory; try again later"), 0)
	case !s.scan.done:
		c.become(s, opening) // behind those that wait
	case s.asking && s.scan.hiding:
		// The tree has what hides until it is removed.
		s.asking = false
		c.read(s, s.filter.AppendJSON(nil), newTree())
	case s.asking:
		s.asking, s.next = false, subject.Seq(s.scan.asOf)+1
		s.scan = nil
		c.weigh(s, 0)
		c.plan(s)
	default:
		s.set = within(s.scan.set, &s.filter)
		s.scan = nil
		c.become(s, answering)
	}
}

// within is the part of a tree that a filter's range of time leaves.
func within(t *tree, f *nostr.Filter) negentropy.Set {
	from, to := 0, t.Len()
	if f.HasSince {
		from = t.LowerBound(negentropy.At(f.Since))
	}
	if f.HasUntil && f.Until+1 > f.Until {
		to = t.LowerBound(negentropy.At(f.Until + 1))
	}
	return negentropy.Part(t, from, max(from, to))
}
