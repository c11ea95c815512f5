package store

import (
	"crypto/sha256"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"

	"rhea/proto/nostr"
)

// TestLookupFilter has only keys that are looked up in the filter, and says of no other
// that it is not there.
func TestLookupFilter(t *testing.T) {
	f := lookupFilter{bloom.FilterPolicy(10)}
	h := nostr.AppendHeader(nil, made(1, 1, 100, "", nostr.Tag{"t", "x"}))
	w := f.NewWriter(pebble.TableFilter)
	eachIndexKey(h, 1, func(key, _ []byte) { w.AddKey(key) })
	if empty := f.NewWriter(pebble.TableFilter).Finish(nil); string(w.Finish(nil)) != string(empty) {
		t.Error("index keys are in the filter")
	}
	w.AddKey(appendIDKey(nil, h.ID()))
	filter := w.Finish(nil)
	eachIndexKey(h, 1, func(key, _ []byte) {
		if !f.MayContain(pebble.TableFilter, filter, key) {
			t.Errorf("index key %x is said to be missing", key)
		}
	})
	if !f.MayContain(pebble.TableFilter, filter, appendIDKey(nil, h.ID())) {
		t.Error("an id that was added is said to be missing")
	}
	wrong := 0
	for n := range 1000 {
		if f.MayContain(pebble.TableFilter, filter, appendIDKey(nil, sha256.Sum256([]byte{byte(n), byte(n >> 8)}))) {
			wrong++
		}
	}
	if wrong > 100 {
		t.Errorf("%d of 1000 ids that were not added may be there", wrong)
	}
}
