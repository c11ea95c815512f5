package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/relaypb"
)

// naive is a reader and his query, answered from a list of events.
type naive struct {
	events  []*nostr.Event // that are stored
	req     ScanRequest
	gone    vanishing
	between func() // called between slices, if not nil
}

// naiveRequest makes up who reads, when, and what is the relay's own limit.
func naiveRequest(rng *rand.Rand, events []*nostr.Event, filters []nostr.Filter) *naive {
	n := naive{events: events, req: ScanRequest{Filters: filters, Now: 1_700_000_000 + rng.Int64N(220), MaxTime: time.Hour, MaxBytes: 1 << 30}}
	for range rng.IntN(4) {
		n.req.Access.Private = append(n.req.Access.Private, events[rng.IntN(len(events))].Kind)
	}
	slices.Sort(n.req.Access.Private)
	for range rng.IntN(3) {
		n.req.Access.Keys = append(n.req.Access.Keys, events[rng.IntN(len(events))].PubKey)
	}
	n.req.Everything = rng.IntN(6) == 0
	for i := range filters {
		if rng.IntN(2) == 0 {
			n.req.Capped = append(n.req.Capped, i)
		}
	}
	if rng.IntN(4) == 0 {
		e := events[rng.IntN(len(events))]
		n.gone = vanishing{e.PubKey: e.CreatedAt}
	}
	return &n
}

func (n *naive) sees(e *nostr.Event) bool {
	until, gone := n.gone[e.PubKey]
	if gone && e.CreatedAt <= until {
		return false
	}
	if n.req.Everything {
		return true
	}
	party := slices.Contains(n.req.Access.Keys, e.PubKey)
	expires := int64(0)
	for _, tag := range e.Tags {
		if len(tag) > 1 && tag[0] == "p" {
			for _, key := range n.req.Access.Keys {
				party = party || tag[1] == key.String()
			}
		}
		if len(tag) > 1 && tag[0] == "expiration" && expires == 0 {
			expires, _ = strconv.ParseInt(tag[1], 10, 64)
		}
	}
	return (party || !slices.Contains(n.req.Access.Private, e.Kind)) && (expires == 0 || expires > n.req.Now)
}

// answer returns what the reader must be sent, in order, and whether that is all.
func (n *naive) answer() (found []*nostr.Event, truth relaypb.Completeness) {
	var seen []*nostr.Event
	for _, e := range n.events {
		if n.sees(e) {
			seen = append(seen, e)
		}
	}
	returned, missing, unsure := map[nostr.EventID]bool{}, map[nostr.EventID]bool{}, false
	for i, f := range n.req.Filters {
		limit := f.Limit
		unsure = unsure || limit == 0 && !f.Impossible()
		f.Limit = nostr.NoLimit
		all := nostrtest.Oracle(seen, []nostr.Filter{f})
		if n.req.Ascending {
			slices.Reverse(all)
		}
		if limit < 0 || n.req.Want != relaypb.Want_EVENTS {
			limit = len(all)
		}
		most := limit
		if limit > 0 && slices.Contains(n.req.Capped, i) {
			most = 2 * limit
		}
		for at, e := range all {
			if at < limit || at < most && e.CreatedAt == all[limit-1].CreatedAt {
				returned[e.ID] = true
			} else if limit > 0 {
				missing[e.ID] = true
			}
		}
	}
	truth = relaypb.Completeness_FINISH
	if unsure {
		truth = relaypb.Completeness_UNKNOWN
	}
	for id := range missing {
		if !returned[id] {
			truth = relaypb.Completeness_MORE
		}
	}
	for _, e := range nostrtest.Oracle(seen, []nostr.Filter{nostr.All()}) {
		if returned[e.ID] {
			found = append(found, e)
		}
	}
	if n.req.Ascending {
		slices.Reverse(found)
	}
	return found, truth
}

// ask runs the query on a store, in one slice, or in random ones if rng is given.
func (n *naive) ask(t testing.TB, s *Store, rng *rand.Rand) ScanResult {
	t.Helper()
	req := n.req
	all := ScanResult{Registers: new(nostr.Registers)}
	for slices := 0; ; slices++ {
		if rng != nil {
			req.MaxBytes, req.MaxRows = 1+rng.IntN(5_000), 1+rng.IntN(50)
		}
		var res ScanResult
		withView(t, s, func(v *View) {
			own := View{s: v.s, snap: v.snap, seq: v.seq, gone: v.gone}
			if n.gone != nil {
				own.gone = n.gone
			}
			var err error
			if res, err = own.Scan(req); err != nil {
				t.Fatal(err)
			}
		})
		for at := 0; at < len(res.Expiring); at += 12 {
			index := binary.BigEndian.Uint32(res.Expiring[at:]) + uint32(len(all.IDs)/IDLen)
			all.Expiring = binary.BigEndian.AppendUint32(all.Expiring, index)
			all.Expiring = append(all.Expiring, res.Expiring[at+4:at+12]...)
		}
		all.Events, all.IDs = append(all.Events, res.Events...), append(all.IDs, res.IDs...)
		all.Count += res.Count
		if res.Registers != nil {
			all.Registers.Merge(res.Registers)
		}
		if res.Done {
			all.Completeness = res.Completeness
			return all
		}
		if slices > 10_000 {
			t.Fatal("the query does not end")
		}
		req.Cursor, req.AsOf = res.Cursor, res.AsOf
		if n.between != nil {
			n.between()
		}
	}
}

func (n *naive) String() string {
	return fmt.Sprintf("%s capped %v, everything %v, private %v, keys %v, now %d, gone %v, ascending %v",
		filtersJSON(n.req.Filters), n.req.Capped, n.req.Everything, n.req.Access.Private, n.req.Access.Keys, n.req.Now, n.gone, n.req.Ascending)
}

// TestVanishedAtOnce asks for what a request to vanish covers, before and after it
// is removed.
func TestVanishedAtOnce(t *testing.T) {
	s := openMem(t, Options{})
	author, other := nostr.PubKey{1}, nostr.PubKey{2}
	event := func(pk nostr.PubKey, kind nostr.Kind, at int64, tags ...nostr.Tag) Incoming {
		e := &nostr.Event{PubKey: pk, CreatedAt: at, Kind: kind, Tags: tags}
		e.ID = e.ComputeID()
		return incomingOf(e)
	}
	batch := []Incoming{
		event(author, 1, 101),
		event(other, 1, 50), event(other, kindGiftWrap, 50, nostr.Tag{"p", other.String()}),
		event(other, kindGiftWrap, 51, nostr.Tag{"p", author.String()}),
	}
	for at := range int64(100) {
		batch = append(batch, event(author, 1, at))
	}
	commit(t, s, batch...)
	ask := func() string {
		filters := [][]nostr.Filter{{nostr.All()}, {{Kinds: []nostr.Kind{1}, Limit: nostr.NoLimit}}, {{Authors: []nostr.PubKey{author}, Limit: 1}}}
		var out strings.Builder
		for _, f := range filters {
			n := naive{req: ScanRequest{Filters: f}}
			events := n.ask(t, s, nil)
			n.req.Want = relaypb.Want_IDS
			ids := n.ask(t, s, nil)
			n.req.Want = relaypb.Want_COUNT
			fmt.Fprintf(&out, "%d %d %d %v, ", len(events.Events), len(ids.IDs)/IDLen, n.ask(t, s, nil).Count, events.Completeness)
		}
		return out.String()
	}
	if got := ask(); got != "104 104 104 FINISH, 102 102 102 FINISH, 1 101 101 MORE, " {
		t.Errorf("before: %s", got)
	}
	request := event(author, kindVanish, 100, nostr.Tag{"relay", "ALL_RELAYS"})
	request.Vanish = true
	commit(t, s, request)
	const want = "4 4 4 FINISH, 2 2 2 FINISH, 1 2 2 MORE, "
	if got := ask(); !s.Vanishing() || got != want {
		t.Errorf("hidden: %s", got)
	}
	for more := true; more; {
		c, again, err := s.Sweep(time.Unix(1_700_000_000, 0))
		if err != nil {
			t.Fatal(err)
		}
		if more = again; c != nil {
			if _, _, err := c.Wait(); err != nil {
				t.Fatal(err)
			}
		}
		if got := ask(); got != want {
			t.Errorf("swept: %s", got)
		}
	}
	if s.Vanishing() {
		t.Error("the sweep has not ended")
	}
}

// TestReaders asks stores of all sizes for events, ids and counts, for random
// readers at random times, and compares with the naive answer. In a store smaller
// than what a slice looks at beyond the limits the hints must be exact, elsewhere
// true.
func TestReaders(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 7))
	rounds := 60
	if testing.Short() {
		rounds = 12
	}
	hints := map[relaypb.Completeness]int{}
	for round := range rounds {
		small := round%3 != 0
		s, gen := openMem(t, Options{}), nostrtest.NewEventGen(seed+uint64(round), 1_700_000_000)
		var events []*nostr.Event
		for range 1 + rng.IntN(map[bool]int{true: minLook, false: 400}[small]) {
			e := gen.Event()
			if e.Kind.IsEphemeral() || e.Kind == kindDeletion {
				e.Kind = 1
			}
			if round%2 == 0 { // many events of a second, some of which keys do not tell apart
				e.CreatedAt = 1_700_000_000 + int64(rng.IntN(4))
				e.ID[0] = byte(rng.IntN(2))
				clear(e.ID[1:8])
			}
			events = append(events, e)
		}
		load(t, s, events)
		events = stored(t, s)
		filters := nostrtest.NewFilterGen(rng.Uint64(), events)
		for range 40 {
			n := naiveRequest(rng, events, filters.Filters())
			n.req.Ascending = rng.IntN(3) == 0
			if !small {
				n.between = func() {
					e := gen.Event()
					e.Kind, e.ID[0] = 1, 0
					commit(t, s, incomingOf(e))
					n.events = append(n.events, e)
				}
			}
			for _, rng := range []*rand.Rand{nil, rng} {
				n.checkEvents(t, s, rng, small, hints)
				n.checkIDs(t, s, rng)
				n.checkCount(t, s, rng, 0)
				n.checkCount(t, s, rng, 8+len(n.events)%16)
			}
			events = n.events
		}
	}
	t.Logf("hints: %v", hints)
	if hints[relaypb.Completeness_FINISH] == 0 || hints[relaypb.Completeness_MORE] == 0 || hints[relaypb.Completeness_UNKNOWN] == 0 {
		t.Error("not every hint occurred")
	}
}

func (n *naive) checkEvents(t *testing.T, s *Store, rng *rand.Rand, small bool, hints map[relaypb.Completeness]int) {
	t.Helper()
	n.req.Want, n.req.HLLOffset = relaypb.Want_EVENTS, 0
	found, truth := n.answer()
	var lines [][]byte
	for _, e := range found {
		lines = append(lines, e.AppendJSON(nil))
	}
	res := n.ask(t, s, rng)
	diff(t, n.String(), res.Events, lines)
	hints[res.Completeness]++
	exact := small && rng == nil
	if got := res.Completeness; got != truth && (exact || got != relaypb.Completeness_UNKNOWN) {
		t.Fatalf("%v: %v, want %v", n, got, truth)
	}
}

func (n *naive) checkIDs(t *testing.T, s *Store, rng *rand.Rand) {
	t.Helper()
	n.req.Want, n.req.HLLOffset = relaypb.Want_IDS, 0
	found, _ := n.answer()
	var items, expiring []byte
	for i, e := range found {
		items = binary.BigEndian.AppendUint64(items, uint64(e.CreatedAt))
		items = append(items, e.ID[:]...)
		if at := nostr.AppendHeader(nil, e).Expiration(); at != 0 {
			expiring = binary.BigEndian.AppendUint32(expiring, uint32(i))
			expiring = binary.BigEndian.AppendUint64(expiring, uint64(at))
		}
	}
	if res := n.ask(t, s, rng); !bytes.Equal(res.IDs, items) || !bytes.Equal(res.Expiring, expiring) {
		t.Fatalf("%v: ids %x, expiring %x, want %x and %x", n, res.IDs, res.Expiring, items, expiring)
	}
}

func (n *naive) checkCount(t *testing.T, s *Store, rng *rand.Rand, offset int) {
	t.Helper()
	n.req.Want, n.req.HLLOffset = relaypb.Want_COUNT, offset
	found, _ := n.answer()
	registers := map[byte]int{}
	for _, e := range found {
		bits := "" // as NIP-45 has it
		for _, b := range e.PubKey[offset+1:] {
			bits += fmt.Sprintf("%08b", b)
		}
		registers[e.PubKey[offset]] = max(registers[e.PubKey[offset]], 1+strings.IndexByte(bits+"1", '1'))
	}
	res := n.ask(t, s, rng)
	if res.Count != uint64(len(found)) {
		t.Fatalf("%v: %d counted with offset %d, want %d", n, res.Count, offset, len(found))
	}
	for i, v := range res.Registers {
		if offset != 0 && int(v) != registers[byte(i)] {
			t.Fatalf("%v: register %d is %d at offset %d, want %d", n, i, v, offset, registers[byte(i)])
		}
	}
}
