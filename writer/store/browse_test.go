package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
)

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
// of an older format, have none: of few authors and many, who write much or little,
// whether a browse lasts or is given up.
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
			var lasted, lost int
			for range 60 {
				filters := append(gen.Filters(), manyAuthors(rng, events))
				for _, ascending := range []bool{false, true} {
					what := fmt.Sprintf("%s ascending=%v", filtersJSON(filters), ascending)
					want := expect(events, filters, ascending)
					diff(t, what, scanAll(t, s, nil, filters, ascending, nil), want)
					diff(t, what+" in slices", scanAll(t, s, rng, filters, ascending, nil), want)
				}
				switch browsed(t, s, filters[len(filters)-1]) {
				case "lasted":
					lasted++
				case "lost":
					lost++
				}
			}
			t.Logf("of the browses %d lasted, %d were given up", lasted, lost)
			// Where only the newest have none, few last, and by chance none does.
			if lost == 0 || name == "none" && lasted > 0 || (name == "all" || name == "oldest") && lasted == 0 {
				t.Error("that is not what this store is for")
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

// browsed says what became of the browse of the first slice of a filter, "" if there was
// none.
func browsed(t *testing.T, s *Store, f nostr.Filter) (what string) {
	t.Helper()
	withView(t, s, func(v *View) {
		req := ScanRequest{Filters: []nostr.Filter{f}, MaxBytes: 64 << 20}
		q, err := v.newQuery(&req)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(q.run(), q.close()); err != nil {
			t.Fatal(err)
		}
		switch {
		case q.browsed[0] && q.exact[0]: // by seeks
			what = "lost"
		case q.browsed[0]:
			what = "lasted"
		}
	})
	return what
}
