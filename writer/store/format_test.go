package store

import (
	"errors"
	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestUnknownFormatIsRefused(t *testing.T) {
	fs := vfs.NewMem()
	plant(t, fs, metaFormat, []byte{0, 0, 0, 7})
	_, err := Open("store", Options{FS: fs})
	if err == nil || !strings.Contains(err.Error(), "store store has format 7; this build knows formats 2 to 4 (rhea export") {
		t.Errorf("format 7: %v", err)
	}
	fs = vfs.NewMem()
	plant(t, fs, []byte("someone"), []byte("else's"))
	_, err = Open("store", Options{FS: fs})
	if err == nil || !strings.Contains(err.Error(), "not one of Rhea's") {
		t.Errorf("foreign database: %v", err)
	}
}

// TestFormat2 opens a store whose bodies are JSON as it is: it is read, and becomes one
// of this format, which an older build refuses.
func TestFormat2(t *testing.T) {
	fs := vfs.NewMem()
	s := openOnce(t, fs)
	events := nostrtest.Events(t)[:100]
	load(t, s, events)
	err := errors.Join(s.db.Set(metaFormat, []byte{0, 0, 0, 2}, pebble.Sync), rewriteBodies(s))
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	if rep, err := Check("store", Options{FS: fs}); err != nil || len(rep.Problems) > 0 {
		t.Fatalf("read only: %v, %v", rep, err)
	}
	s = openOnce(t, fs)
	if b, err := s.get(metaFormat, 4); err != nil || b[3] != byte(formatVersion) {
		t.Errorf("it has format %x, %v", b, err)
	}
	all := []nostr.Filter{{Limit: nostr.NoLimit}}
	want := 0
	for _, json := range scanAll(t, s, nil, all, false, nil) {
		if e, err := nostr.ParseEvent(json, nostr.EventLimits{}); err != nil || !slices.ContainsFunc(events, func(o *nostr.Event) bool { return o.ID == e.ID }) {
			t.Errorf("%s is not an event of the store: %v", json, err)
		}
		want++
	}
	if want == 0 || uint64(want) != s.w.events {
		t.Errorf("%d events are found of %d", want, s.w.events)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestOlderPebble opens a store that an older version of Pebble has written, for
// reading and for writing.
func TestOlderPebble(t *testing.T) {
	fs := vfs.NewMem()
	plant(t, fs, metaFormat, []byte{0, 0, 0, 3}, metaID, []byte("identity"), metaState, make([]byte, 24))
	if rep, err := Check("store", Options{FS: fs}); err != nil || len(rep.Problems) > 0 {
		t.Fatalf("read only: %v, %v", rep, err)
	}
	s := openOnce(t, fs)
	load(t, s, nostrtest.Events(t)[:10])
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// rewriteBodies makes every entry of the log one of format 2.
func rewriteBodies(s *Store) error {
	it, err := s.db.NewIter(within(spaceLog))
	if err != nil {
		return err
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		b, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		v, err := decodeLogValue(b)
		if err != nil {
			return err
		}
		if v.body, err = v.appendJSON(nil); err != nil {
			return err
		}
		if err := s.db.Set(it.Key(), appendLogValue(nil, v), pebble.Sync); err != nil {
			return err
		}
	}
	return it.Error()
}
