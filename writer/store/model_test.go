package store

import (
	"bytes"
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

// model is the store as a few maps.
type model struct {
	head      subject.Seq
	events    map[nostr.EventID]*nostr.Event
	addresses map[string]*nostr.Event
	passed    map[nostr.EventID]time.Time
	keep      time.Duration
}

func newModel(keep time.Duration) *model {
	return &model{
		events:    map[nostr.EventID]*nostr.Event{},
		addresses: map[string]*nostr.Event{},
		passed:    map[nostr.EventID]time.Time{},
		keep:      keep,
	}
}

func (m *model) commit(e *nostr.Event, forged bool, now time.Time) relaypb.Outcome {
	if m.events[e.ID] != nil {
		return relaypb.Outcome_DUPLICATE
	}
	if forged {
		return relaypb.Outcome_INVALID
	}
	if e.Kind.IsEphemeral() {
		if at, ok := m.passed[e.ID]; !ok || now.Sub(at) > m.keep {
			m.passed[e.ID] = now
			m.head++
		}
		return relaypb.Outcome_EPHEMERAL
	}
	if !e.Kind.IsRegular() {
		key := fmt.Sprint(e.PubKey, e.Kind)
		if e.Kind.IsAddressable() {
			key += "/" + dOf(e)
		}
		if old := m.addresses[key]; old != nil {
			if old.CreatedAt > e.CreatedAt || old.CreatedAt == e.CreatedAt && old.ID.Compare(e.ID) < 0 {
				return relaypb.Outcome_REPLACED
			}
			delete(m.events, old.ID)
		}
		m.addresses[key] = e
	}
	m.events[e.ID] = e
	m.head++
	return relaypb.Outcome_NEW
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

// history makes up what arrives: new events, old ones again, forged ones.
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
	h.past = append(h.past, e)
	return e, h.rng.IntN(20) == 0
}

// follower knows the store only from its log.
type follower struct {
	next   subject.Seq
	events map[nostr.EventID]bool
}

func (f *follower) follow(t *testing.T, s *Store, maxBytes int) {
	t.Helper()
	withView(t, s, func(v *View) {
		r, err := v.Log(f.next, maxBytes)
		if err != nil {
			t.Fatal(err)
		}
		if r.From != uint64(f.next) || r.Store != s.ID() || r.Head != uint64(v.Seq()) {
			t.Fatalf("asked from %d, got %d of store %x, head %d", f.next, r.From, r.Store, r.Head)
		}
		for _, e := range r.Entries {
			if e.Seq < uint64(f.next) || e.Seq >= r.Next {
				t.Fatalf("entry %d in the range %d to %d", e.Seq, r.From, r.Next)
			}
			f.next = subject.Seq(e.Seq) + 1
			f.apply(e)
		}
		f.next = subject.Seq(r.Next)
	})
}

func (f *follower) apply(e *relaypb.Entry) {
	for _, r := range e.Removed {
		delete(f.events, nostr.EventID(r.Id))
	}
	if len(e.Header) > 0 && !nostr.Header(e.Header).Kind().IsEphemeral() {
		f.events[nostr.Header(e.Header).ID()] = true
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
	live := &follower{next: 1, events: map[nostr.EventID]bool{}}
	var slow []*follower
	for range rounds {
		var flight []*Commit
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
			flight = append(flight, c)
			now = now.Add(time.Duration(h.rng.IntN(10)) * time.Second)
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
				live.apply(e)
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
			checked(t, s)
		}
	}
	m.compare(t, s)
	for _, f := range append(slow, live, &follower{next: 0, events: map[nostr.EventID]bool{}}) {
		f.next = max(f.next, 1)
		for f.next <= s.Head() {
			f.follow(t, s, 5000)
		}
		if !maps.Equal(f.events, m.ids()) {
			t.Fatalf("a follower has %d events, the model %d", len(f.events), len(m.events))
		}
	}
}

func (m *model) ids() map[nostr.EventID]bool {
	ids := map[nostr.EventID]bool{}
	for id := range m.events {
		ids[id] = true
	}
	return ids
}

// compare wants the store to hold what the model holds, and to be in order.
func (m *model) compare(t *testing.T, s *Store) {
	t.Helper()
	rep := checked(t, s)
	if rep.Head != m.head || rep.Events != uint64(len(m.events)) {
		t.Fatalf("%d events and head %d, want %d and %d", rep.Events, rep.Head, len(m.events), m.head)
	}
	all := []nostr.Filter{nostr.All()}
	diff(t, "{}", scanAll(t, s, nil, all, false, nil), expect(slices.Collect(maps.Values(m.events)), all, false))
}

// TestScanUnderCommits scans in slices while events come and go.
func TestScanUnderCommits(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	s := openMem(t, Options{MemTableBytes: 64 << 10})
	h, m := newHistory(seed), newModel(defaultKeep)
	now := time.Now()
	play := func(n int) {
		var batch []Incoming
		for range n {
			e, _ := h.next()
			m.commit(e, false, now)
			batch = append(batch, incomingOf(e))
		}
		commit(t, s, batch...)
	}
	play(500)
	for range 50 {
		gen := nostrtest.NewFilterGen(h.rng.Uint64(), h.past)
		filters := gen.Filters()
		for i := range filters {
			filters[i].Limit = nostr.NoLimit // what a removal does to a limit is not defined
		}
		for _, ascending := range []bool{false, true} {
			before := slices.Collect(maps.Values(m.events))
			rng := h.rng
			if len(filters)%2 == 0 {
				rng = nil
			}
			got := scanAll(t, s, rng, filters, ascending, func() { play(3) })
			var want [][]byte
			for _, line := range expect(before, filters, ascending) {
				id, _ := nostr.ParseEventID(string(line[7 : 7+64]))
				if m.events[id] != nil || slices.ContainsFunc(got, func(g []byte) bool { return bytes.Equal(g, line) }) {
					want = append(want, line)
				}
			}
			diff(t, string(filtersJSON(filters)), got, want)
		}
	}
}

// TestTies checks the order of events that agree in created_at and in the first
// 8 bytes of their ids, which index keys do not tell apart.
func TestTies(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 3))
	s, gen := openMem(t, Options{}), nostrtest.NewEventGen(seed, 1_700_000_000)
	var events []*nostr.Event
	for range 500 {
		e := gen.Event()
		e.CreatedAt = 1_700_000_000 + int64(rng.IntN(3))
		copy(e.ID[:8], []byte{1, 2, 3, 4, 5, 6, 7, byte(rng.IntN(4))})
		events = append(events, e)
	}
	load(t, s, events)
	checked(t, s)
	events = stored(t, s)
	filters := nostrtest.NewFilterGen(seed, events)
	for range 300 {
		f := filters.Filters()
		for _, ascending := range []bool{false, true} {
			diff(t, string(filtersJSON(f)), scanAll(t, s, rng, f, ascending, nil), expect(events, f, ascending))
		}
	}
}
