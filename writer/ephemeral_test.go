package writer

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"rhea/proto/nostr"
	"rhea/writer/store"
)

// One round of housekeeping drops however many ephemeral entries have come of age
// since the last, if there is time: in the bubble no time passes while it works.
func TestExpiryKeepsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const events = 10_000
		cfg := memConfig()
		cfg.EphemeralKeep = time.Second
		w := newWorld(t)
		r := w.idle(cfg, vfs.NewMem())
		if err := r.open(); err != nil {
			t.Fatal(err)
		}
		var batch []store.Incoming
		for i := range events {
			e := &nostr.Event{ID: nostr.EventID{byte(i), byte(i >> 8)}, Kind: 20000, CreatedAt: 1}
			batch = append(batch, store.Incoming{Header: nostr.AppendHeader(nil, e), JSON: e.AppendJSON(nil)})
		}
		commit(t, r.store, batch)
		time.Sleep(2 * time.Second)
		if err := r.keepHouse(); err != nil {
			t.Fatal(err)
		}
		commit(t, r.store, batch[:1]) // shows it
		v, err := r.store.View()
		if err != nil {
			t.Fatal(err)
		}
		defer r.store.Close()
		defer v.Close()
		if log, err := v.Log(1, 0); err != nil || len(log.Entries) != 1 || log.Entries[0].Seq != events+1 {
			t.Errorf("the log begins with %d entries, %v", len(log.GetEntries()), err)
		}
	})
}

func commit(t *testing.T, s *store.Store, batch []store.Incoming) {
	t.Helper()
	c, err := s.Commit(batch)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Wait(); err != nil {
		t.Fatal(err)
	}
}
