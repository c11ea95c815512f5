package store

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/subject"
)

// scanAll runs a query to its end in slices of random size.
func scanAll(t testing.TB, s *Store, rng *rand.Rand, filters []nostr.Filter, ascending bool, between func()) [][]byte {
	t.Helper()
	req := ScanRequest{Filters: filters, Ascending: ascending, MaxTime: time.Hour}
	var events [][]byte
	for slices := 0; ; slices++ {
		if rng != nil {
			req.MaxBytes, req.MaxRows = 1+rng.IntN(20_000), 1+rng.IntN(500)
			if rng.IntN(4) == 0 {
				req.MaxRows = 1
			}
		}
		var res ScanResult
		withView(t, s, func(v *View) {
			var err error
			if res, err = v.Scan(req); err != nil {
				t.Fatal(err)
			}
		})
		if req.AsOf != 0 && res.AsOf != req.AsOf {
			t.Fatalf("AsOf %d became %d", req.AsOf, res.AsOf)
		}
		events = append(events, res.Events...)
		if res.Done != (len(res.Cursor) == 0) {
			t.Fatalf("done %v with a cursor of %d bytes", res.Done, len(res.Cursor))
		}
		if res.Done {
			return events
		}
		if slices > 100_000 {
			t.Fatal("the query does not end")
		}
		req.Cursor, req.AsOf = res.Cursor, res.AsOf
		if between != nil {
			between()
		}
	}
}

// expect returns what a query must return, by nostrtest's oracle.
func expect(events []*nostr.Event, filters []nostr.Filter, ascending bool) [][]byte {
	var found []*nostr.Event
	if !ascending {
		found = nostrtest.Oracle(events, filters)
	} else {
		union := map[nostr.EventID]bool{}
		for _, f := range filters {
			limit := f.Limit
			f.Limit = nostr.NoLimit
			all := nostrtest.Oracle(events, []nostr.Filter{f})
			if limit >= 0 && len(all) > limit {
				all = all[len(all)-limit:]
			}
			for _, e := range all {
				union[e.ID] = true
			}
		}
		for _, e := range nostrtest.Oracle(events, []nostr.Filter{nostr.All()}) {
			if union[e.ID] {
				found = append(found, e)
			}
		}
		slices.Reverse(found)
	}
	var lines [][]byte
	for _, e := range found {
		lines = append(lines, e.AppendJSON(nil))
	}
	return lines
}

func diff(t testing.TB, what string, got, want [][]byte) {
	t.Helper()
	if slices.EqualFunc(got, want, bytes.Equal) {
		return
	}
	i := 0
	for i < len(got) && i < len(want) && bytes.Equal(got[i], want[i]) {
		i++
	}
	show := func(lines [][]byte) string {
		if i < len(lines) {
			return string(lines[i])
		}
		return "nothing"
	}
	t.Fatalf("%s: %d events, want %d; the first difference is at %d:\ngot  %s\nwant %s",
		what, len(got), len(want), i, show(got), show(want))
}

// stored returns the events that are in a store, from its log.
func stored(t testing.TB, s *Store) []*nostr.Event {
	t.Helper()
	var events []*nostr.Event
	withView(t, s, func(v *View) {
		for from := subject.Seq(1); from <= v.Seq(); {
			r, err := v.Log(from, 10_000)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range r.Entries {
				if len(e.Header) == 0 || nostr.Header(e.Header).Kind().IsEphemeral() {
					continue
				}
				ev, err := nostr.ParseEvent(e.Json, nostr.EventLimits{})
				if err != nil {
					t.Fatal(err)
				}
				ev.ID = nostr.Header(e.Header).ID()
				events = append(events, ev)
			}
			from = subject.Seq(r.Next)
		}
	})
	return events
}

func TestScanMatchesOracle(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	s := openMem(t, Options{})
	load(t, s, nostrtest.Events(t))
	checked(t, s)
	events := stored(t, s)
	gen := nostrtest.NewFilterGen(seed, events)
	n := 1000
	if testing.Short() {
		n = 100
	}
	for i := range n {
		filters := gen.Filters()
		s.hot = newHotEvents(int64(i % 2 * defaultCache)) // half of the time nothing stays hot
		for _, ascending := range []bool{false, true} {
			what := fmt.Sprintf("%s ascending=%v", filtersJSON(filters), ascending)
			want := expect(events, filters, ascending)
			diff(t, what, scanAll(t, s, nil, filters, ascending, nil), want)
			diff(t, what+" in slices", scanAll(t, s, rng, filters, ascending, nil), want)
		}
	}
}

func filtersJSON(filters []nostr.Filter) []byte {
	var b []byte
	for i := range filters {
		b = append(filters[i].AppendJSON(b), ' ')
	}
	return b
}

// TestSliceOutlastsLookups has a clock by which looking up the values takes
// 100 ms and reading a batch 10: a slice of 20 ms reads for as long as it looked up.
func TestSliceOutlastsLookups(t *testing.T) {
	at, calls := time.UnixMilli(1_700_000_000_000), 0
	s := openMem(t, Options{Now: func() time.Time {
		if calls++; calls == 2 {
			at = at.Add(90 * time.Millisecond)
		}
		at = at.Add(10 * time.Millisecond)
		return at
	}})
	const events = 1000
	ids := nostr.Filter{Limit: nostr.NoLimit}
	refs := nostr.Filter{Limit: nostr.NoLimit, Tags: []nostr.TagFilter{{Name: 'e'}}}
	var batch []Incoming
	for i := range events {
		e := made(1, 1, int64(i+1), "", nostr.Tag{"e", fmt.Sprintf("%064x", i)})
		e.ID[1], e.ID[2] = byte(i>>8), byte(i)
		ids.IDs = append(ids.IDs, e.ID)
		id, err := nostr.ParseEventID(e.Tags[0][1])
		if err != nil {
			t.Fatal(err)
		}
		refs.Tags[0].Values = append(refs.Tags[0].Values, nostr.PackedTagValue(id))
		batch = append(batch, incomingOf(e))
	}
	commit(t, s, batch...)
	for name, f := range map[string]nostr.Filter{"ids": ids, "tag values": refs} {
		withView(t, s, func(v *View) {
			calls = 0
			res, err := v.Scan(ScanRequest{Filters: []nostr.Filter{f}, MaxTime: 20 * time.Millisecond})
			if err != nil || res.Done || len(res.Events) != 10*maxBatch {
				t.Errorf("%s: %d events in the first slice, want %d; done %v, %v", name, len(res.Events), 10*maxBatch, res.Done, err)
			}
		})
	}
}

// TestReadersBesideTheWriter reads from several goroutines while one commits and
// another waits; it is for the race detector.
func TestReadersBesideTheWriter(t *testing.T) {
	s := openMem(t, Options{MemTableBytes: 64 << 10})
	h := newHistory(1)
	flight, done := make(chan *Commit, 3), make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				v, err := s.View()
				if err != nil {
					t.Error(err)
					return
				}
				res, err := v.Scan(ScanRequest{Filters: []nostr.Filter{nostr.All()}, MaxTime: time.Hour, MaxBytes: 1 << 20})
				if err != nil || res.AsOf != v.Seq() {
					t.Error(res.AsOf, v.Seq(), err)
				}
				if _, err := v.Log(1, 10_000); err != nil {
					t.Error(err)
				}
				s.Stats()
				v.Close()
			}
		})
	}
	go func() {
		defer close(done)
		for c := range flight {
			if _, _, err := c.Wait(); err != nil {
				t.Error(err)
			}
		}
	}()
	for range 40 {
		var batch []Incoming
		for range 20 {
			e, _ := h.next()
			batch = append(batch, incomingOf(e))
		}
		c, err := s.Commit(batch)
		if err != nil {
			t.Fatal(err)
		}
		flight <- c
	}
	close(flight)
	<-done
	readers.Wait()
	checked(t, s)
}

// Two filters that lead to the same values each find what is theirs, where keys
// follow each other so closely that nothing can lie between them: the one that has
// read on leaves the iterator behind what the other one still wants.
func TestNeighboursOfOneValue(t *testing.T) {
	s := openMem(t, Options{})
	var events []*nostr.Event
	for i := range 20 {
		e := made(1, 1, 1000, "")
		clear(e.ID[:])
		e.ID[31] = byte(i)
		events = append(events, e)
		load(t, s, events[i:])
		for few := range len(events) {
			for _, ascending := range []bool{false, true} {
				filters := []nostr.Filter{{Limit: 1 + few}, {Limit: 100}}
				diff(t, fmt.Sprint(1+few, ascending), scanAll(t, s, nil, filters, ascending, nil), expect(events, filters, ascending))
			}
		}
	}
}
