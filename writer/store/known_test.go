package store

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/relaypb"
)

func idOf(n int) nostr.EventID {
	return sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(n)))
}

func TestIDFilter(t *testing.T) {
	const ids = 300_000 // three parts
	var f idFilter
	if f.may(idOf(0)) {
		t.Error("an empty filter knows an id")
	}
	for n := range ids {
		f.add(idOf(n))
	}
	wrong := 0
	for n := range ids {
		if !f.may(idOf(n)) {
			t.Fatalf("id %d is not known", n)
		}
		if f.may(idOf(ids + n)) {
			wrong++
		}
	}
	if wrong*100 > ids {
		t.Errorf("%d of %d ids that are not there seem to be", wrong, ids)
	}
	size := 0
	for _, part := range f.parts {
		size += len(part) * 64
	}
	if size > 4*ids || len(f.parts) != 3 {
		t.Errorf("%d ids take %d bytes in %d parts", ids, size, len(f.parts))
	}
}

// TestKnownAfterOpening has the ids of a store known when they have been read, and
// duplicates told as such before that too.
func TestKnownAfterOpening(t *testing.T) {
	fs := vfs.NewMem()
	s := openOnce(t, fs)
	events := nostrtest.Events(t)[:200]
	load(t, s, events)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openMem(t, Options{FS: fs})
	s.w.known.done.Wait()
	before := s.w.known.read.Load()
	if before == nil {
		t.Fatal("the ids have not been read")
	}
	for _, ids := range []*idFilter{nil, before} {
		s.w.known.read.Store(ids)
		for _, e := range events {
			if p, err := placeOf(s.db, e.ID); err != nil {
				t.Fatal(err)
			} else if p.seq == 0 {
				continue // replaced, or never stored
			}
			if v, _ := commit(t, s, incomingOf(e)); v[0].Outcome != relaypb.Outcome_DUPLICATE {
				t.Fatalf("%s again: %v", e.ID, v[0])
			}
		}
	}
	if unread := (&known{}); !unread.may(idOf(1)) || s.w.known.may(idOf(1)) {
		t.Error("an id that is not stored must be looked up before the ids are read, and not after")
	}
}

// TestTombstonesAfterOpening has what was deleted, or whose author has vanished, stay
// refused in a store that is opened again, before and after the tombstones have been
// read; what is of nobody whom they concern is not looked up any more.
func TestTombstonesAfterOpening(t *testing.T) {
	note, article, gone := made(1, 1, 100, "", nostr.Tag{"t", "x"}), made(2, 30023, 100, "", nostr.Tag{"d", "x"}), made(3, 1, 100, "")
	gone.PubKey = nostr.PubKey{9}
	deletion := made(4, kindDeletion, 200, "", nostr.Tag{"e", note.ID.String()}, nostr.Tag{"a", "30023:" + article.PubKey.String() + ":x"})
	vanish := made(5, kindVanish, 200, "")
	vanish.PubKey = gone.PubKey
	ask := incomingOf(vanish)
	ask.Vanish = true

	fs := vfs.NewMem()
	s := openOnce(t, fs)
	commit(t, s, incomingOf(note), incomingOf(article), incomingOf(gone), incomingOf(deletion), ask)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openMem(t, Options{FS: fs})
	s.w.tombstones.known.done.Wait()
	before := s.w.tombstones.known.read.Load()
	if before == nil {
		t.Fatal("the tombstones have not been read")
	}
	for _, ids := range []*idFilter{nil, before} {
		s.w.tombstones.known.read.Store(ids)
		v, _ := commit(t, s, incomingOf(note), incomingOf(article), incomingOf(gone))
		if want := []Verdict{verdictDeleted, verdictDeleted, verdictVanished}; !slices.Equal(v, want) {
			t.Errorf("%v, want %v", v, want)
		}
	}
	if s.w.tombstones.known.may(idOf(6)) {
		t.Error("an event that was not deleted is looked up")
	}
}

// TestKnownIsTrimmed replaces a few events over and over: what is stored is known at any
// time, and of what is not no more than there is room for.
func TestKnownIsTrimmed(t *testing.T) {
	const authors, versions, more = 5, 300, 100
	s := openMem(t, Options{})
	k := &s.w.known
	s.w.more = more
	k.done.Wait()
	version := func(n int) Incoming {
		e := made(0, 0, int64(n), "")
		e.ID, e.PubKey = idOf(n), nostr.PubKey{byte(n % authors)}
		return incomingOf(e)
	}
	trimmed := 0
	for n := range versions * authors {
		before := k.since.ids
		commit(t, s, version(n))
		if k.since.ids < before {
			trimmed++
		}
		for stored := max(0, n-authors+1); stored <= n; stored++ {
			if !k.may(idOf(stored)) {
				t.Fatalf("id %d is stored and not known after %d", stored, n)
			}
		}
		if n%50 == 0 {
			k.done.Wait() // else it is a question of luck what has been read
		}
	}
	if trimmed < 5 {
		t.Errorf("trimmed %d times", trimmed)
	}
	if v, _ := commit(t, s, version(versions*authors-1)); v[0].Outcome != relaypb.Outcome_DUPLICATE {
		t.Errorf("the newest again: %v", v[0])
	}
	k.done.Wait()
	if k.may(idOf(0)) {
		t.Error("what was replaced first is known")
	}
	if held := k.since.ids + k.read.Load().ids; held > 2*authors+more+50 || k.past != nil {
		t.Errorf("%d ids are held for %d events, and of before %d filters", held, s.w.events, len(k.past))
	}
}
