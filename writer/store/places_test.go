package store

import (
	"slices"
	"testing"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
)

// Many ids are found where each of them is, and those that are not stored nowhere,
// whichever stand beside them.
func TestPlaces(t *testing.T) {
	s := openMem(t, Options{})
	events := nostrtest.Events(t)[:500]
	load(t, s, events)
	ids := []nostr.EventID{{}, nostr.EventID(slices.Repeat([]byte{255}, 32))}
	for _, e := range events {
		beside := e.ID
		beside[31]++
		ids = append(ids, e.ID, beside)
	}
	slices.SortFunc(ids, nostr.EventID.Compare)
	withView(t, s, func(v *View) {
		places, err := newPlaces(v.snap)
		if err != nil {
			t.Fatal(err)
		}
		defer places.it.Close()
		found := 0
		for _, id := range ids {
			want, err := v.place(id)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := places.next(id); err != nil || got != want {
				t.Errorf("%s is at %v, %v, want %v", id, got, err, want)
			}
			if want.seq != 0 {
				found++
			}
		}
		if found < 100 || found == len(ids) {
			t.Errorf("of %d ids %d are stored", len(ids), found)
		}
	})
}
