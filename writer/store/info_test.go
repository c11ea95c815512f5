package store

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"rhea/proto/nostr/nostrtest"
)

// A store that nobody has open says what the one that was open had.
func TestReadInfo(t *testing.T) {
	fs := vfs.NewMem()
	s := openOnce(t, fs)
	if _, err := ReadInfo("store", Options{FS: fs}); err == nil {
		t.Error("a store that is open is read beside its writer")
	} else if _, ok := errors.AsType[*InUseError](err); !ok {
		t.Error(err)
	}
	empty := Info{ID: s.ID(), Format: Format}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := ReadInfo("store", Options{FS: fs}); err != nil || info != empty {
		t.Errorf("%+v, %v; want %+v", info, err, empty)
	}
	s = openOnce(t, fs)
	events := nostrtest.Events(t)[:100]
	load(t, s, events)
	want := Info{ID: s.ID(), Format: Format, Head: s.Head(), Events: s.w.events, Oldest: events[0].CreatedAt, Newest: events[99].CreatedAt}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := ReadInfo("store", Options{FS: fs}); err != nil || info != want || want.Events == 0 {
		t.Errorf("%+v, %v; want %+v", info, err, want)
	}
	if _, err := ReadInfo("none", Options{FS: fs}); err == nil {
		t.Error("a store that is not there is read")
	}
}
