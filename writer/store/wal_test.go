package store

import (
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"rhea/proto/nostr/nostrtest"
)

// TestWALIsNotKept goes through several memtables and then has one WAL on disk.
func TestWALIsNotKept(t *testing.T) {
	fs := vfs.NewMem()
	s := openMem(t, Options{FS: fs, MemTableBytes: 1 << 20})
	v := variants{real: nostrtest.Events(t)}
	for s.db.Metrics().Flush.Count < 5 {
		commit(t, s, incomingOf(v.next()))
	}
	if err := s.db.Flush(); err != nil {
		t.Fatal(err)
	}
	s.db.TestOnlyWaitForCleaning()
	files, err := fs.List("store")
	if err != nil {
		t.Fatal(err)
	}
	logs := 0
	for _, name := range files {
		if strings.HasSuffix(name, ".log") {
			logs++
		}
	}
	if m := s.db.Metrics().WAL; logs != 1 || m.ObsoleteFiles != 0 {
		t.Errorf("%d WALs are on disk (%v), %d kept to be written over", logs, files, m.ObsoleteFiles)
	}
}
