package writer

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"rhea/proto/bus"
	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
	"rhea/writer/store"
)

// oracle says by a map what the writer has to say. It knows no deletions and no
// expiration; plain leaves out the events that are about these.
type oracle struct {
	events map[nostr.EventID]*nostr.Event // stored
	heads  map[string]*nostr.Event
	passed map[nostr.EventID]bool
}

func plain(e *nostr.Event) bool {
	return e.Kind != 5 && e.Kind != 62 && nostr.AppendHeader(nil, e).Expiration() == 0
}

func newOracle() *oracle {
	return &oracle{map[nostr.EventID]*nostr.Event{}, map[string]*nostr.Event{}, map[nostr.EventID]bool{}}
}

func (o *oracle) decide(e *nostr.Event) relaypb.Outcome {
	key := e.PubKey.String() + string(rune(e.Kind))
	switch {
	case o.events[e.ID] != nil:
		return relaypb.Outcome_DUPLICATE
	case e.Kind.IsEphemeral():
		return relaypb.Outcome_EPHEMERAL
	case e.Kind.IsAddressable():
		for _, tag := range e.Tags {
			if tag[0] == "d" {
				if len(tag) > 1 {
					key += tag[1]
				}
				break
			}
		}
		fallthrough
	case e.Kind.IsReplaceable():
		if old := o.heads[key]; old != nil {
			if old.CreatedAt > e.CreatedAt || old.CreatedAt == e.CreatedAt && bytes.Compare(old.ID[:], e.ID[:]) < 0 {
				return relaypb.Outcome_REPLACED
			}
			delete(o.events, old.ID)
		}
		o.heads[key] = e
	}
	o.events[e.ID] = e
	return relaypb.Outcome_NEW
}

// The verdicts on real events, in random order with repetitions, are the
// oracle's; the log, as it is published and as a follower reads it, is dense and
// is what was committed; a scan of everything, slice by slice, is what the oracle
// holds.
func TestRealEvents(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	var events []*nostr.Event
	for _, e := range nostrtest.Events(t) {
		if plain(e) {
			events = append(events, e)
		}
	}
	for range len(events) / 10 {
		events = append(events, events[rng.IntN(len(events))])
	}
	rng.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })

	w := newWorld(t)
	r := w.start(memConfig(), vfs.NewMem())
	defer r.stop()
	follower := bus.NewFollower(w.bus, w.roster, 0, 16)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go follower.Run(ctx)

	want := make(map[uint64]relaypb.Outcome)
	byNum := make(map[uint64]*nostr.Event)
	o := newOracle()
	for i, e := range events {
		num := w.admit(admittedOf(e))
		want[num], byNum[num] = o.decide(e), e
		if rng.IntN(20) == 0 || i == len(events)-1 {
			w.flush()
		}
	}
	outcomes := make(map[relaypb.Outcome]int)
	committed := make(map[nostr.EventID]bool)
	for i := range events {
		v := w.verdict()
		if v.Num != uint64(i+1) {
			t.Fatalf("verdict %d for event %d: out of order", i+1, v.Num)
		}
		e := byNum[v.Num]
		if v.Outcome != want[v.Num] || !bytes.Equal(v.Id, e.ID[:]) {
			t.Fatalf("event %s of kind %d: %s %q, want %s", e.ID, e.Kind, v.Outcome, v.Text, want[v.Num])
		}
		refused := v.Outcome != relaypb.Outcome_NEW && v.Outcome != relaypb.Outcome_EPHEMERAL
		if refused != strings.Contains(v.Text, ": ") {
			t.Fatalf("%s has the text %q", v.Outcome, v.Text)
		}
		outcomes[v.Outcome]++
		committed[e.ID] = committed[e.ID] || !refused
	}
	t.Logf("outcomes: %v", outcomes)
	if outcomes[relaypb.Outcome_REPLACED] == 0 || outcomes[relaypb.Outcome_DUPLICATE] == 0 {
		t.Error("the events do not try what they should")
	}

	w.checkPublished(byNum, committed)
	w.checkLog(follower, r, committed)
	w.checkStored(o)
}

// checkPublished compares what was published on log with what was committed.
func (w *world) checkPublished(byNum map[uint64]*nostr.Event, committed map[nostr.EventID]bool) {
	t := w.t
	t.Helper()
	json := make(map[nostr.EventID][]byte)
	for _, e := range byNum {
		json[e.ID] = e.AppendJSON(nil)
	}
	next, seen := uint64(1), make(map[nostr.EventID]bool)
	for _, piece := range w.published() {
		for _, entry := range piece.Entries {
			id := nostr.Header(entry.Header).ID()
			if entry.Seq != next || !committed[id] || seen[id] || !bytes.Equal(entry.Json, json[id]) {
				t.Fatalf("entry %d where %d is due, of %s: committed %v, repeated %v", entry.Seq, next, id, committed[id], seen[id])
			}
			next++
			seen[id] = true
		}
		if piece.Next != next || piece.Head < next-1 {
			t.Fatalf("a piece up to %d with head %d ends at %d", piece.Next, piece.Head, next)
		}
	}
	for id, yes := range committed {
		if yes && !seen[id] {
			t.Fatalf("%s was committed and not published", id)
		}
	}
}

// checkLog reads the log to its end.
func (w *world) checkLog(f *bus.Follower, r *running, committed map[nostr.EventID]bool) {
	t, next, late := w.t, uint64(1), time.After(patience)
	t.Helper()
	for next <= r.head.Load() {
		var e *relaypb.Entries
		select {
		case e = <-f.C():
		case <-late:
			t.Fatalf("the follower stands at %d of %d", next, r.head.Load())
		}
		if e.From != next || e.Store != r.store.ID() {
			t.Fatalf("entries from %d of store %x, want %d of %x", e.From, e.Store, next, r.store.ID())
		}
		for _, entry := range e.Entries {
			if len(entry.Header) == 0 {
				continue
			}
			id := nostr.Header(entry.Header).ID()
			if !committed[id] {
				t.Fatalf("entry %d is of %s, which was not taken", entry.Seq, id)
			}
		}
		next = e.Next
	}
	seen := 0
	for from := uint64(1); from <= r.head.Load(); {
		e := w.fetch(from, 30_000)
		if e.Error != "" || e.From != from || e.Next <= from || e.Head != r.head.Load() || e.Store != r.store.ID() {
			t.Fatalf("fetched from %d: %v", from, e)
		}
		for _, entry := range e.Entries {
			if len(entry.Header) > 0 {
				seen++
			}
		}
		from = e.Next
	}
	if seen == 0 {
		t.Error("the log that was fetched is empty")
	}
}

// checkStored scans everything.
func (w *world) checkStored(o *oracle) {
	t := w.t
	t.Helper()
	var stored []*nostr.Event
	for _, e := range o.events {
		stored = append(stored, e)
	}
	filter, err := nostr.ParseFilter([]byte(`{}`), nostr.FilterLimits{})
	if err != nil {
		t.Fatal(err)
	}
	want := nostrtest.Oracle(stored, []nostr.Filter{filter})
	got, slices := w.all(`{}`, 20_000)
	if len(got) != len(want) || slices < 10 {
		t.Fatalf("%d events in %d slices, want %d", len(got), slices, len(want))
	}
	for i := range got {
		if !bytes.Equal(got[i], want[i].AppendJSON(nil)) {
			t.Fatalf("event %d is %s, want %s", i, got[i], want[i].ID)
		}
	}
}

// A forged event is a duplicate if the real one is stored, and else refused;
// it is never stored.
func TestForged(t *testing.T) {
	w := newWorld(t)
	defer w.start(memConfig(), vfs.NewMem()).stop()
	e := nostrtest.Events(t)[0]
	forged := admittedOf(e)
	forged.Forged = true
	for _, step := range []struct {
		a    *relaypb.Admitted
		want relaypb.Outcome
		text string
	}{
		{forged, relaypb.Outcome_INVALID, "invalid: bad signature"},
		{admittedOf(e), relaypb.Outcome_NEW, ""},
		{forged, relaypb.Outcome_DUPLICATE, "duplicate: already have this event"},
	} {
		w.admit(step.a)
		w.flush()
		if v := w.verdict(); v.Outcome != step.want || v.Text != step.text {
			t.Errorf("%s %q, want %s %q", v.Outcome, v.Text, step.want, step.text)
		}
	}
}

// What arrived before the stop is decided, on disk and answered.
func TestDrain(t *testing.T) {
	w := newWorld(t)
	fs := vfs.NewMem()
	r := w.start(memConfig(), fs)
	gen := nostrtest.NewEventGen(1, 1_700_000_000)
	const events = 3000
	for range events {
		w.admit(admittedOf(gen.Event()))
	}
	w.flush()
	r.stop()
	for i := range events {
		if w.out.Waiting() == 0 && len(w.verdicts) == 0 {
			t.Fatalf("%d of %d answered", i, events)
		}
		w.verdict()
	}
	st, err := store.Open("store", store.Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if uint64(st.Head()) != r.head.Load() || st.Head() == 0 {
		t.Errorf("the store ends at %d, announced was %d", st.Head(), r.head.Load())
	}
}

// The log can be asked for where it ends.
func TestFetchBeyondTheEnd(t *testing.T) {
	w := newWorld(t)
	r := w.start(memConfig(), vfs.NewMem())
	defer r.stop()
	check := func(from uint64, wantFrom, wantNext, head uint64) {
		t.Helper()
		e := w.fetch(from, 0)
		if e.Error != "" || e.From != wantFrom || e.Next != wantNext || e.Head != head || e.Store != r.store.ID() {
			t.Errorf("fetch %d: %v", from, e)
		}
	}
	check(1, 1, 1, 0)
	check(math.MaxUint64, 1, 1, 0)
	w.admit(admittedOf(nostrtest.Events(t)[0]))
	w.flush()
	w.verdict()
	check(0, 1, 2, 1)
	check(1, 1, 2, 1)
	check(2, 2, 2, 1)
	check(3, 2, 2, 1)
	check(math.MaxUint64, 2, 2, 1)
}

// A store that somebody has open is refused by name.
func TestStoreInUse(t *testing.T) {
	fs := vfs.NewMem()
	st, err := store.Open("store", store.Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	w := newWorld(t)
	_, ended := w.launch(t.Context(), memConfig(), fs)
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "store store is in use") {
		t.Errorf("ended with %v", err)
	}
}

// Garbage on every inbox is counted, harms nothing, and is answered where
// somebody waits.
func TestGarbage(t *testing.T) {
	w := newWorld(t)
	r := w.start(memConfig(), vfs.NewMem())
	defer r.stop()
	broken := []byte{0x0a, 0x7f, 1, 2, 3}
	later := []byte{0x7a, 0x02, 0x08, 0x01}
	for _, raw := range [][]byte{broken, later, nil} {
		m, s, f := new(relaypb.WriteInbox), new(relaypb.ScanInbox), new(relaypb.LogFetch)
		m.ProtoReflect().SetUnknown(raw)
		s.ProtoReflect().SetUnknown(raw)
		f.ProtoReflect().SetUnknown(raw)
		w.send(w.space.Write(), m)
		w.send(w.space.Scan(), s)
		w.send(w.space.LogFetch(), f)
	}
	w.flush()
	for _, ask := range []*relaypb.Scan{
		{Filters: []byte(`nonsense`)}, {}, {Filters: []byte(`{"ids":["short"]}`)},
		{Filters: []byte(`{}`), Cursor: []byte("nonsense")}, {Filters: []byte(`{}`), AsOf: 1 << 40},
	} {
		reply := w.scan(ask)
		if prefix, _, ok := strings.Cut(reply.Error, ": "); !ok || prefix != "invalid" && prefix != "error" {
			t.Errorf("%v: %v", ask, reply)
		}
	}
	if reply := new(relaypb.ScanReply); true {
		w.request(w.space.Scan(), &relaypb.ScanInbox{}, reply)
		if !strings.HasPrefix(reply.Error, "unsupported: ") {
			t.Errorf("an empty request: %v", reply)
		}
	}
	w.admit(admittedOf(nostrtest.Events(t)[0]))
	w.flush()
	if v := w.verdict(); v.Outcome != relaypb.Outcome_NEW {
		t.Errorf("after all that: %v", v)
	}
	s := r.metrics.Snapshot()
	if s["bad_requests"] != 5 || s["unknown"] != 5 || r.bus.Garbage() != 3 {
		t.Errorf("bad requests %v, unknown %v, garbage %d: want 5, 5, 3", s["bad_requests"], s["unknown"], r.bus.Garbage())
	}
}

// The announcement says where the log ends and in which store.
func TestAnnouncement(t *testing.T) {
	w := newWorld(t)
	r := w.start(memConfig(), vfs.NewMem())
	defer r.stop()
	w.admit(admittedOf(nostrtest.Events(t)[0]))
	w.flush()
	w.verdict()
	// A roster does not read the stats.
	in := bus.Listen(w.bus, func() *relaypb.Member { return new(relaypb.Member) }, 0)
	if err := in.Add(w.space.Member(subject.Writer)); err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var last *relaypb.Member
	for late := time.After(patience); last == nil || last.Seq != 1 || last.Store != r.store.ID() || last.Stats["verdicts.new"] != 1; {
		select {
		case msg := <-in.C():
			in.Each(msg, func(m *relaypb.Member) { last = m })
		case <-late:
			t.Fatalf("announced: %v", last)
		}
	}
}
