package store

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
)

// A slice ends in the middle of events that are kept back by their briefs, and the next
// one goes on from there.
func TestSiftedSlicesGetOn(t *testing.T) {
	const events = 5*maxSifted + 10
	s := openMem(t, Options{})
	var batch []Incoming
	for i := range events {
		e := made(1, 1, int64(i+2), "", nostr.Tag{"t", "x"})
		e.ID[1], e.ID[2] = byte(i>>8), byte(i)
		batch = append(batch, incomingOf(e))
	}
	oldest := made(2, 7, 1, "", nostr.Tag{"t", "x"})
	commit(t, s, append(batch, incomingOf(oldest))...)
	req := ScanRequest{MaxRows: 1, MaxTime: time.Hour, Filters: []nostr.Filter{{
		Kinds: []nostr.Kind{7}, Limit: 2, Tags: []nostr.TagFilter{{Name: 't', Values: []nostr.TagValue{nostr.NewTagValue("x")}}},
	}}}
	withView(t, s, func(v *View) {
		for slices := 1; ; slices++ {
			res, err := v.Scan(req)
			if err != nil {
				t.Fatal(err)
			}
			if res.Done {
				if len(res.Events) != 1 || slices < 2 || slices > 7 {
					t.Errorf("the %dth slice is the last and has %d events", slices, len(res.Events))
				}
				return
			}
			req.Cursor, req.AsOf = res.Cursor, res.AsOf
		}
	})
}

// stripBriefs makes of the newest events in each index, or of the oldest, what a build
// before format 4 would have stored.
func stripBriefs(t *testing.T, s *Store, share float64, newest bool) {
	t.Helper()
	for _, space := range []byte{spaceAll, spaceTag} {
		var keys [][]byte
		it, err := s.db.NewIter(within(space))
		if err != nil {
			t.Fatal(err)
		}
		for ok := it.First(); ok; ok = it.Next() {
			if len(it.Value()) == 0 {
				t.Fatalf("key %x has no brief", it.Key())
			}
			keys = append(keys, append([]byte(nil), it.Key()...))
		}
		if err := it.Close(); err != nil {
			t.Fatal(err)
		}
		from, to := 0, int(share*float64(len(keys)))
		if !newest {
			from, to = len(keys)-to, len(keys)
		}
		for _, key := range keys[from:to] {
			if err := s.db.Set(key, nil, pebble.NoSync); err != nil {
				t.Fatal(err)
			}
		}
	}
	load(t, s, []*nostr.Event{made(1, 1, 1, "")}) // makes another view
}

// Queries find the same by briefs and without, and where some keys have them and some,
// of an older format, have none: of few authors and many, who write much or little.
func TestBriefs(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for name, strip := range map[string]func(s *Store){
		"all":    func(*Store) {},
		"oldest": func(s *Store) { stripBriefs(t, s, 0.9, false) },
		"newest": func(s *Store) { stripBriefs(t, s, 0.02, true) },
		"none":   func(s *Store) { stripBriefs(t, s, 1, true) },
	} {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 0))
			s := openMem(t, Options{})
			load(t, s, nostrtest.Events(t))
			strip(s)
			checked(t, s)
			events := stored(t, s)
			gen := nostrtest.NewFilterGen(seed, events)
			for range 60 {
				filters := append(gen.Filters(), manyAuthors(rng, events))
				for _, ascending := range []bool{false, true} {
					what := fmt.Sprintf("%s ascending=%v", filtersJSON(filters), ascending)
					want := expect(events, filters, ascending)
					diff(t, what, scanAll(t, s, nil, filters, ascending, nil), want)
					diff(t, what+" in slices", scanAll(t, s, rng, filters, ascending, nil), want)
				}
			}
		})
	}
}

// manyAuthors is a filter for up to 120 authors, in some the newest 3 events, in others
// more than there are.
func manyAuthors(rng *rand.Rand, events []*nostr.Event) nostr.Filter {
	f := nostr.Filter{Limit: []int{3, 30, 300}[rng.IntN(3)]}
	for range 20 + rng.IntN(100) {
		f.Authors = append(f.Authors, events[rng.IntN(len(events))].PubKey)
	}
	for range rng.IntN(4) {
		f.Kinds = append(f.Kinds, events[rng.IntN(len(events))].Kind)
	}
	if at := events[rng.IntN(len(events))].CreatedAt; rng.IntN(4) == 0 {
		f.HasUntil, f.Until = true, at
	}
	f.Sort()
	return f
}
