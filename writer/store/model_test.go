package store

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// model is the store as a map and the requests to remove something, from which
// every event is judged anew.
type model struct {
	head     subject.Seq
	events   map[nostr.EventID]*nostr.Event
	passed   map[nostr.EventID]time.Time
	requests []*nostr.Event // to delete and to vanish
	keep     time.Duration
}

func newModel(keep time.Duration) *model {
	return &model{
		events: map[nostr.EventID]*nostr.Event{},
		passed: map[nostr.EventID]time.Time{},
		keep:   keep,
	}
}

func (m *model) commit(e *nostr.Event, forged bool, now time.Time) relaypb.Outcome {
	switch {
	case m.events[e.ID] != nil:
		return relaypb.Outcome_DUPLICATE
	case forged:
		return relaypb.Outcome_INVALID
	case m.forbids(e):
		return relaypb.Outcome_BLOCKED
	}
	if e.Kind.IsEphemeral() {
		if at, ok := m.passed[e.ID]; !ok || now.Sub(at) > m.keep {
			m.passed[e.ID] = now
			m.head++
		}
		return relaypb.Outcome_EPHEMERAL
	}
	if !e.Kind.IsRegular() {
		for _, old := range m.events {
			if old.PubKey != e.PubKey || old.Kind != e.Kind || e.Kind.IsAddressable() && dOf(old) != dOf(e) {
				continue
			}
			if old.CreatedAt > e.CreatedAt || old.CreatedAt == e.CreatedAt && old.ID.Compare(e.ID) < 0 {
				return relaypb.Outcome_REPLACED
			}
			delete(m.events, old.ID)
		}
	}
	m.events[e.ID] = e
	m.head++
	if e.Kind == 5 || e.Kind == 62 {
		m.requests = append(m.requests, e)
		maps.DeleteFunc(m.events, func(_ nostr.EventID, old *nostr.Event) bool { return against(e, old) })
	}
	return relaypb.Outcome_NEW
}

// forbids reports whether some request is against an event.
func (m *model) forbids(e *nostr.Event) bool {
	return slices.ContainsFunc(m.requests, func(r *nostr.Event) bool { return against(r, e) })
}

// against reports whether a deletion request or a request to vanish is against an
// event.
func against(r, e *nostr.Event) bool {
	owns := r.PubKey == e.PubKey || e.Kind == 1059 && slices.ContainsFunc(e.Tags, func(tag nostr.Tag) bool {
		return len(tag) > 1 && tag[0] == "p" && tag[1] == r.PubKey.String()
	})
	if !owns || e.Kind == 62 {
		return false
	}
	if r.Kind == 62 {
		return e.CreatedAt <= r.CreatedAt
	}
	return e.Kind != 5 && slices.ContainsFunc(r.Tags, func(tag nostr.Tag) bool {
		switch {
		case len(tag) < 2:
			return false
		case tag[0] == "e":
			return tag[1] == e.ID.String()
		case tag[0] == "a" && r.PubKey == e.PubKey && e.CreatedAt <= r.CreatedAt:
			address := fmt.Sprintf("%d:%s:", e.Kind, e.PubKey)
			return e.Kind.IsReplaceable() && tag[1] == address || e.Kind.IsAddressable() && tag[1] == address+dOf(e)
		}
		return false
	})
}

// expire removes what has expired.
func (m *model) expire(now time.Time) {
	maps.DeleteFunc(m.events, func(_ nostr.EventID, e *nostr.Event) bool { return expired(e, now) })
}

func expired(e *nostr.Event, now time.Time) bool {
	return nostr.AppendHeader(nil, e).Expired(now.Unix())
}

// dOf returns the value of the first d tag.
func dOf(e *nostr.Event) string {
	for _, tag := range e.Tags {
		if tag[0] == "d" {
			return append(tag, "")[1]
		}
	}
	return ""
}

// history makes up what arrives: new events, old ones again, forged ones, and
// requests to remove what came before or will come.
type history struct {
	rng  *rand.Rand
	gen  *nostrtest.EventGen
	past []*nostr.Event
}

func newHistory(seed uint64) *history {
	return &history{rng: rand.New(rand.NewPCG(seed, 2)), gen: nostrtest.NewEventGen(seed, 1_700_000_000)}
}

func (h *history) next() (e *nostr.Event, forged bool) {
	if len(h.past) > 0 && h.rng.IntN(5) == 0 {
		return h.past[h.rng.IntN(len(h.past))], h.rng.IntN(4) == 0
	}
	e = h.gen.Event()
	switch h.rng.IntN(80) {
	case 0:
		e.Kind = 62
	case 1, 2, 3, 4:
		e.Kind = 1059
	case 5, 6, 7, 8:
		h.delete(e)
	}
	e.ID = e.ComputeID()
	h.past = append(h.past, e)
	return e, h.rng.IntN(20) == 0
}

// delete makes a deletion request of e, against up to three events of the past,
// some of them its author's.
func (h *history) delete(e *nostr.Event) {
	e.Kind = 5
	for range min(3, len(h.past)) {
		target := h.past[h.rng.IntN(len(h.past))]
		if h.rng.IntN(3) > 0 {
			e.PubKey = target.PubKey
		}
		tag := nostr.Tag{"e", target.ID.String()}
		if h.rng.IntN(2) == 0 {
			tag = nostr.Tag{"a", fmt.Sprintf("%d:%s:%s", target.Kind, target.PubKey, dOf(target))}
		}
		e.Tags = append(e.Tags, tag)
	}
}

// sweep makes one step, or all until nothing is left to remove, and counts the
// entries that this makes in the model.
func (m *model) sweep(t testing.TB, s *Store, now time.Time, all bool, each func(*Commit)) {
	t.Helper()
	for more := true; more; more = more && all {
		c, again, err := s.Sweep(now)
		if err != nil {
			t.Fatal(err)
		}
		if more = again; c == nil {
			continue
		}
		for _, e := range c.entries {
			m.head++
			if subject.Seq(e.Seq) != m.head || len(e.Header) > 0 || len(e.Json) > 0 || len(e.Removed) == 0 {
				t.Fatalf("entry %d of a sweep holds an event, or nothing: %v", e.Seq, e)
			}
		}
		each(c)
	}
	if all {
		m.expire(now)
	}
}

// TestRandomHistories plays random events into a store and into the model, with
// commits in flight, restarts, expiry, and followers of all paces.
func TestRandomHistories(t *testing.T) {
	histories := 10
	if testing.Short() {
		histories = 2
	}
	for range histories {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { playHistory(t, seed, 60) })
	}
}

func playHistory(t *testing.T, seed uint64, rounds int) {
	now := time.UnixMilli(1_700_000_000_000)
	opt := Options{FS: vfs.NewMem(), MemTableBytes: 64 << 10, EphemeralKeep: time.Minute, Now: func() time.Time { return now }}
	s, err := Open("store", opt)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { s.Close() }()
	h, m := newHistory(seed), newModel(time.Minute)
	s.w.sweeper.most = 1 + h.rng.IntN(20)
	live := &follower{next: 1, events: map[nostr.EventID]int64{}}
	var slow []*follower
	for range rounds {
		var flight []*Commit
		land := func(c *Commit) { flight = append(flight, c) }
		for range 1 + h.rng.IntN(4) {
			var batch []Incoming
			var want []relaypb.Outcome
			for range h.rng.IntN(40) {
				e, forged := h.next()
				in := incomingOf(e)
				in.Forged = forged
				batch, want = append(batch, in), append(want, m.commit(e, forged, now))
			}
			c, err := s.Commit(batch)
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range c.Verdicts {
				if v.Outcome != want[i] {
					t.Fatalf("event %s: %v, want %v", batch[i].JSON, v, want[i])
				}
			}
			land(c)
			switch h.rng.IntN(4) {
			case 0:
				m.sweep(t, s, time.Unix(0, 0), false, land) // nothing expires, and requests to vanish get on
			case 1:
				m.sweep(t, s, now, true, land)
			}
			now = now.Add(time.Duration(h.rng.IntN(3)) * time.Second)
		}
		for _, c := range flight {
			entries, head, err := c.Wait()
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if e.Seq != uint64(live.next) {
					t.Fatalf("entry %d follows entry %d", e.Seq, live.next-1)
				}
				live.next++
				live.apply(t, e)
			}
			if live.next != head+1 {
				t.Fatalf("head %d after entry %d", head, live.next-1)
			}
		}
		if s.Head() != m.head {
			t.Fatalf("head %d, want %d", s.Head(), m.head)
		}
		slow = append(slow, &follower{next: live.next, events: maps.Clone(live.events)})
		slow[h.rng.IntN(len(slow))].follow(t, s, 1+h.rng.IntN(5000))
		if h.rng.IntN(3) == 0 {
			if _, err := s.Expire(now); err != nil {
				t.Fatal(err)
			}
		}
		if h.rng.IntN(8) == 0 {
			id := s.ID()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if s, err = Open("store", opt); err != nil {
				t.Fatal(err)
			}
			if s.ID() != id {
				t.Fatal("the identity changed")
			}
			m.compare(t, s, now)
			s.w.sweeper.most = 1 + h.rng.IntN(20)
		}
	}
	m.compare(t, s, now)
	m.sweep(t, s, now, true, func(c *Commit) {
		if _, _, err := c.Wait(); err != nil {
			t.Fatal(err)
		}
	})
	if rep := m.compare(t, s, now); rep.Hidden+rep.Vanishing != 0 || rep.Events != uint64(len(m.events)) {
		t.Fatalf("after all has been swept: %+v", rep)
	}
	for _, f := range append(slow, live, &follower{next: 1, events: map[nostr.EventID]int64{}}) {
		for f.next <= s.Head() {
			f.follow(t, s, 5000)
		}
		if !maps.Equal(f.events, m.ids()) {
			t.Fatalf("a follower has %d events, the model %d", len(f.events), len(m.events))
		}
	}
}

func (m *model) ids() map[nostr.EventID]int64 {
	ids := map[nostr.EventID]int64{}
	for id, e := range m.events {
		ids[id] = e.CreatedAt
	}
	return ids
}

// compare wants the store to show what the model holds, less what has expired, and
// to be in order.
func (m *model) compare(t *testing.T, s *Store, now time.Time) Report {
	t.Helper()
	rep := checked(t, s)
	if rep.Head != m.head {
		t.Fatalf("head %d, want %d", rep.Head, m.head)
	}
	shown, expiry := map[nostr.EventID]int64{}, map[nostr.EventID]bool{}
	withView(t, s, func(v *View) {
		hidden := uint64(0)
		err := (&checker{snap: v.snap}).each(spaceLog, func(_, value []byte) error {
			lv, err := decodeLogValue(value)
			if h := lv.header; err == nil && len(h) > 0 && !h.Kind().IsEphemeral() {
				if v.hidden(h) {
					hidden++
				} else if h.Expired(now.Unix()) {
					expiry[h.ID()] = true
				} else {
					shown[h.ID()] = h.CreatedAt()
				}
			}
			return err
		})
		if err != nil || hidden != rep.Hidden || hidden > 0 && !v.hides() {
			t.Fatalf("%d events are hidden, the checker says %d (%v)", hidden, rep.Hidden, err)
		}
	})
	want := m.ids()
	maps.DeleteFunc(want, func(id nostr.EventID, _ int64) bool { return expired(m.events[id], now) })
	if !maps.Equal(shown, want) {
		t.Fatalf("%d events are shown, want %d", len(shown), len(want))
	}
	// Who reads the log from its beginning gets nothing that is hidden.
	f := &follower{next: 1, events: map[nostr.EventID]int64{}}
	for f.next <= s.Head() {
		f.follow(t, s, 5000)
	}
	maps.DeleteFunc(f.events, func(id nostr.EventID, _ int64) bool { return expiry[id] })
	if !maps.Equal(f.events, want) {
		t.Fatalf("the log has %d events, want %d", len(f.events), len(want))
	}
	return rep
}
