package corpus

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"rhea/proto/nostr"
	"rhea/proto/schnorr"
)

func silent(string) {}

// The same seed makes the same events, of which fewer are the first of more, and
// another seed others; each is signed.
func TestMade(t *testing.T) {
	dir := t.TempDir()
	make := func(dir string, seed uint64, n int) []Event {
		events, err := Made(dir, seed, n, silent)
		if err != nil || len(events) != n {
			t.Fatalf("%d of %d events: %v", len(events), n, err)
		}
		return events
	}
	all, some, other := make(dir, 1, 300), make(t.TempDir(), 1, 100), make(dir, 2, 100)
	size, replies := 0, 0
	for i, e := range all {
		if i < 100 && (!bytes.Equal(e.JSON, some[i].JSON) || e.ID == other[i].ID) {
			t.Fatalf("event %d: %s, %s, %s", i, e.JSON, some[i].JSON, other[i].JSON)
		}
		parsed, err := nostr.ParseEvent(e.JSON, nostr.EventLimits{})
		if err != nil || parsed.ComputeID() != e.ID || !schnorr.Verify((*[32]byte)(&e.Author), e.ID[:], (*[64]byte)(&parsed.Sig)) {
			t.Fatalf("event %d is not valid: %s", i, e.JSON)
		}
		size += len(e.JSON)
		if e.Replied != "" {
			replies++
		}
	}
	if size /= len(all); size < 500 || size > 750 {
		t.Errorf("events have %d bytes on average", size)
	}
	if replies < 100 || replies > 250 {
		t.Errorf("%d of %d events are about others", replies, len(all))
	}
	again := make(dir, 1, 300)
	for i := range all {
		if !bytes.Equal(all[i].JSON, again[i].JSON) || all[i].Key() != again[i].Key() {
			t.Fatalf("event %d is another from the cache", i)
		}
	}
}

func TestReadSaysWhere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.jsonl")
	if err := os.WriteFile(path, []byte("\n{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil || !bytes.Contains([]byte(err.Error()), []byte("f.jsonl: line 2")) {
		t.Errorf("got %v", err)
	}
}

func TestKey(t *testing.T) {
	e := Event{}
	if _, err := hex.Decode(e.ID[:], bytes.Repeat([]byte("0123456789abcdef"), 4)); err != nil {
		t.Fatal(err)
	}
	if e.Key() != 0x0123456789abcdef {
		t.Errorf("got %x", e.Key())
	}
}
